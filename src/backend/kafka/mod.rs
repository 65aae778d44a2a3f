//! Apache Kafka, through librdkafka.
//!
//! Every user has a producer of its own ([`fleet`]); one thread serves them all ([`poller`]). The
//! [`consumer`] has its partitions assigned and a thread of its own. [`Builtin`] is the same client
//! on the broker that is built into this program.

mod builtin;
mod clients;
mod consumer;
mod facts;
mod fleet;
mod image;
mod notes;
mod official;
mod place;
mod poller;
mod servers;
mod session;
mod settings;
mod topic;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub use self::builtin::Builtin;
use self::{
    clients::Clients, place::Place, servers::CONTAINER_PORT, session::KafkaSession,
    settings::Settings, topic::Wanted,
};
use super::{
    Backend, BackendError, BackendInfo, ClientNeeds, ServerFacts, Session, Setup, external as given,
};
use crate::{
    clock::Clock,
    profile::external,
    server::{HubKind, Image, Running, ServerSpec},
    units::Bytes,
};

/// Settings of a broker that this program starts.
const SHAPING: &[&str] = &["image", "heap", "zookeeper_heap", "server"];
/// What a message takes in a batch beside its payload and its stamp, generously.
const ENVELOPE: u64 = 200;

/// The oldest release that was built from the recipe: it runs on Java 17, as all since then.
const OLDEST: (u32, u32) = (2, 8);

static INFO: BackendInfo = BackendInfo {
    name: "kafka",
    title: "Apache Kafka",
    caution: None,
    versions: &["4.4.0", "2.8.0"],
    oldest: Some(OLDEST),
    hubs: &[HubKind::Docker, HubKind::External],
    settings: &[
        settings::IMAGE,
        settings::HEAP,
        settings::ZOOKEEPER_HEAP,
        settings::PARTITIONS,
        settings::REPLICATION,
        settings::PRODUCER,
        settings::CONSUMER,
        settings::TOPIC,
        settings::SERVER,
        external::ADDRESS,
        external::USER,
        external::PASSWORD_ENV,
        external::PASSWORD_FILE,
        external::CONTAINER,
        external::PROCESS,
    ],
};

/// Apache Kafka in containers: version 4 by itself, earlier ones with ZooKeeper.
#[derive(Debug, Default, Clone, Copy)]
pub struct Kafka;

#[async_trait]
impl Backend for Kafka {
    fn info(&self) -> &'static BackendInfo {
        &INFO
    }

    fn check(&self, setup: &Setup) -> Vec<BackendError> {
        check(&INFO, setup)
    }

    fn servers(&self, setup: &Setup) -> Result<Vec<ServerSpec>, BackendError> {
        on_a_hub_of(&INFO, setup)?;
        if let Some(server) = given::server(INFO.title, setup)? {
            return Ok(vec![given::spec(INFO.title, servers::BROKER, &server, CONTAINER_PORT)?]);
        }
        let settings = Settings::read(INFO.title, &setup.settings)?;
        Ok(servers::containers(version(setup), &settings))
    }

    fn recipe(&self, version: &str) -> Option<Image> {
        INFO.builds(version).then(|| image::of_version(version))
    }

    fn misfits(&self, setup: &Setup, facts: &ServerFacts) -> Vec<BackendError> {
        Settings::read(INFO.title, &setup.settings).map_or_else(
            |error| vec![error],
            |read| too_long(&read, setup, facts).into_iter().collect(),
        )
    }

    fn needs(&self, users: u32) -> ClientNeeds {
        needs(users)
    }

    async fn connect(
        &self,
        setup: &Setup,
        servers: &[Running],
        clock: Clock,
        patience: Duration,
    ) -> Result<Box<dyn Session>, BackendError> {
        let settings = Settings::read(INFO.title, &setup.settings)?;
        connect(&INFO, told_version(setup, &settings), setup, servers, clock, patience).await
    }
}

/// The version to start: the default where the plan names none.
fn version(setup: &Setup) -> &str {
    setup.point.backend.version.as_deref().unwrap_or(INFO.versions[0])
}

/// The version for the record. A broker does not name its own: it is what our recipe was asked to
/// build, and of an image of others what its tag says.
fn told_version(setup: &Setup, settings: &Settings) -> String {
    if setup.hub == HubKind::External {
        return "not known: a broker does not say it".into();
    }
    match (&settings.image, &setup.point.backend.version) {
        (None, _) => version(setup).to_owned(),
        (Some(image), Some(asked)) => format!("{asked} (as the profile says of {image})"),
        (Some(image), None) => match official::tag(image) {
            Some(tag) => format!("{tag} (the tag of {image})"),
            None => format!("not known ({image})"),
        },
    }
}

fn on_a_hub_of(info: &BackendInfo, setup: &Setup) -> Result<(), BackendError> {
    if info.hubs.contains(&setup.hub) {
        return Ok(());
    }
    let (hub, reason) = match setup.hub {
        HubKind::Docker => ("docker", "it is a part of this program: use the local hub"),
        HubKind::Local => ("local", "it runs in containers: use the docker hub"),
        HubKind::External => ("external", "it is a part of this program: use the local hub"),
    };
    Err(BackendError::WrongHub {
        backend: info.title.into(),
        hub: hub.into(),
        reason: reason.into(),
    })
}

fn check(info: &BackendInfo, setup: &Setup) -> Vec<BackendError> {
    let settings = match Settings::read(info.title, &setup.settings) {
        Ok(settings) => settings,
        Err(error) => return vec![error],
    };
    let mut found = settings.reserved(info.title, setup.durability());
    found.extend(settings.impossible(info.title));
    found.extend(given::shaping(info.title, setup, SHAPING));
    let payload = setup.point.workload.payload();
    found.extend(Clients::new(&settings, setup.durability(), payload).check(info.title));
    found
}

/// A payload that the broker would refuse, message by message.
fn too_long(settings: &Settings, setup: &Setup, facts: &ServerFacts) -> Option<BackendError> {
    let largest = |name: &str| {
        let found = facts.settings.iter().find(|(key, _)| key == name);
        found.and_then(|(_, value)| value.parse::<u64>().ok())
    };
    let asked = settings.topic.get("max.message.bytes").and_then(|bytes| bytes.parse().ok());
    let largest = asked.or_else(|| largest("server.message.max.bytes"))?;
    let payload = setup.point.workload.payload();
    (payload.0 + ENVELOPE > largest).then(|| {
        let reason = format!(
            "the server takes messages of {largest} bytes at most: ask for smaller ones, or for a \
             topic that takes them: topic = {{ \"max.message.bytes\" = {} }}",
            payload.0 + ENVELOPE
        );
        settings::refusal(INFO.title, "workload.payload", &payload.to_string(), &reason)
    })
}

/// librdkafka takes 3 threads, a socket and two pipes for each client.
fn needs(users: u32) -> ClientNeeds {
    let users = u64::from(users);
    // 175 KiB each were measured, the largest of several runs.
    let memory = Bytes(users * (175 << 10));
    ClientNeeds { descriptors: 5 * users + 64, threads: 3 * users + 32, memory }
}

async fn connect(
    info: &BackendInfo,
    version: String,
    setup: &Setup,
    servers: &[Running],
    clock: Clock,
    patience: Duration,
) -> Result<Box<dyn Session>, BackendError> {
    let settings = Settings::read(info.title, &setup.settings)?;
    // ZooKeeper, where there is one, comes first.
    let Some(broker) = servers.last() else {
        return Err(BackendError::Operation {
            what: "connecting".into(),
            server: info.title.into(),
            reason: "no server was started".into(),
        });
    };
    let mut place = Place::of(broker);
    if let Some(server) = given::server(info.title, setup)? {
        place = place.external(&server, &setup.password);
    }
    let answered = session::ready(&place, patience).await?;
    Ok(Box::new(KafkaSession {
        place,
        clients: Clients::new(&settings, setup.durability(), setup.point.workload.payload()),
        wanted: Wanted::new(&settings, setup.durability()),
        version,
        clock,
        control: answered.control,
        broker_id: answered.broker_id,
        cluster: answered.cluster,
    }))
}

/// The backends of this room.
pub fn backends() -> [Arc<dyn Backend>; 2] {
    [Arc::new(Kafka), Arc::new(Builtin)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        plan::{
            Arrival, BackendChoice, Durability, LatencyWorkload, PayloadSource, Point, Workload,
        },
        server::{Launch, Limits},
    };

    fn setup(payload: u64, settings: &serde_json::Value) -> Setup {
        Setup {
            point: Point {
                backend: BackendChoice { name: "kafka".into(), version: None },
                workload: Workload::Latency(LatencyWorkload {
                    users: 1,
                    payload: Bytes(payload),
                    payload_source: PayloadSource::Seeded,
                    messages: 1,
                    arrival: Arrival::Constant { mean: Duration::from_secs(1) },
                    warmup: Duration::ZERO,
                    drain: Duration::from_secs(1),
                }),
                durability: Durability::Default,
            },
            settings: settings.as_object().cloned().unwrap_or_default(),
            hub: HubKind::External,
            limits: Limits::default(),
            password: String::new(),
        }
    }

    #[test]
    fn a_payload_that_a_broker_of_others_would_refuse_is_refused_once() {
        let facts = ServerFacts {
            settings: vec![("server.message.max.bytes".into(), "1048588".into())],
            ..ServerFacts::default()
        };
        let said = |payload, settings: &serde_json::Value| {
            let misfits = Kafka.misfits(&setup(payload, settings), &facts);
            misfits.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(said(1_000_000, &json!({})), [""; 0]);
        let refused = said(2_000_000, &json!({}));
        assert!(refused[0].contains("\"max.message.bytes\" = 2000200"), "{refused:?}");
        let topic = json!({ "topic": { "max.message.bytes": 3_000_000 } });
        assert_eq!(said(2_000_000, &topic), [""; 0], "the topic is ours");
    }

    #[test]
    fn a_broker_that_runs_already_is_not_started_and_not_shaped() {
        let named = setup(1, &json!({ "address": "a, b:1", "heap": 1 << 28 }));
        let servers = Kafka.servers(&named).unwrap();
        let [ServerSpec { launch: Launch::External(spec), .. }] = &servers[..] else {
            panic!("{servers:?}")
        };
        let at: Vec<_> = spec.endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(at, ["a:9092", "b:1"]);
        let refused = Kafka.check(&named);
        assert!(refused.len() == 1 && refused[0].to_string().contains("heap"), "{refused:?}");
    }
}
