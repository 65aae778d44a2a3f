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
    clients::Clients, place::Place, session::KafkaSession, settings::Settings, topic::Wanted,
};
use super::{Backend, BackendError, BackendInfo, ClientNeeds, Session, Setup};
use crate::{
    clock::Clock,
    server::{HubKind, Image, Running, ServerSpec},
    units::Bytes,
};

/// The oldest release that was built from the recipe: it runs on Java 17, as all since then.
const OLDEST: (u32, u32) = (2, 8);

static INFO: BackendInfo = BackendInfo {
    name: "kafka",
    title: "Apache Kafka",
    caution: None,
    versions: &["4.4.0", "2.8.0"],
    oldest: Some(OLDEST),
    hubs: &[HubKind::Docker],
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
        let settings = Settings::read(INFO.title, &setup.settings)?;
        Ok(servers::containers(version(setup), &settings))
    }

    fn recipe(&self, version: &str) -> Option<Image> {
        INFO.builds(version).then(|| image::of_version(version))
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
    found.extend(Clients::new(&settings, setup.durability()).check(info.title));
    found
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
    let place = Place::of(broker);
    let answered = session::ready(&place, patience).await?;
    Ok(Box::new(KafkaSession {
        place,
        clients: Clients::new(&settings, setup.durability()),
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
