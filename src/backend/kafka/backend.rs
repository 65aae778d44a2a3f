//! The backend for every broker that speaks Kafka's protocol.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    client::{self, UserClient},
    compatibility,
    control::{readiness, topic::TopicSpec},
    listeners::CONTAINER_PORT,
    message_size,
    servers::BROKER_ROLE,
    session::KafkaSession,
    settings::{CLIENT, KafkaSettings, TOPIC},
    target::KafkaTarget,
};
use crate::{
    backend::{
        Backend, BackendError, BackendInfo, ClientNeeds, RepetitionContext, ServerFacts, Session,
        external as external_servers,
    },
    clock::Clock,
    server::{HubKind, RunningServer, ServerImage, ServerSpec},
};

/// Keys that apply only to a broker that hubmark starts.
const SERVER_ONLY_KEYS: &[&str] = &["image", "heap", "zookeeper_heap", "server"];

/// A broker that speaks Kafka's protocol: its description, servers and version.
pub(super) trait Broker: Send + Sync {
    /// Returns the backend's description.
    fn info(&self) -> &'static BackendInfo;

    /// Returns the servers to start, in this order.
    fn servers(
        &self,
        context: &RepetitionContext,
        settings: &KafkaSettings,
    ) -> Result<Vec<ServerSpec>, BackendError>;

    /// Returns the image built from the broker's recipe for `version`, if it has a recipe.
    fn recipe(&self, version: &str) -> Option<ServerImage>;

    /// Returns the version for the record; a broker does not report its own.
    fn recorded_version(&self, context: &RepetitionContext, settings: &KafkaSettings) -> String;
}

/// A broker as a backend.
#[derive(Debug, Clone, Copy)]
pub(super) struct KafkaBackend<B>(pub B);

#[async_trait]
impl<B: Broker> Backend for KafkaBackend<B> {
    fn info(&self) -> &'static BackendInfo {
        self.0.info()
    }

    fn check(&self, context: &RepetitionContext) -> Vec<BackendError> {
        let title = self.info().title;
        let settings = match KafkaSettings::read(title, &context.settings) {
            Ok(settings) => settings,
            Err(error) => return vec![error],
        };
        let mut found = settings.reserved_keys(title, context.durability());
        found.extend(settings.unsupported_heap(title));
        let payload = context.point.workload.payload();
        found.extend(message_size::limit_errors(title, &settings, payload));
        found.extend(settings.unreadable_compression(title));
        found.extend(settings.excess_replication(title, context.hub));
        found.extend(settings.missing_acks(title, &context.point.workload));
        found.extend(compatibility::planned_problems(title, context, &settings));
        found.extend(external_servers::server_only_settings(title, context, SERVER_ONLY_KEYS));
        match user_client(title, &settings, context) {
            Ok(client) => found.extend(client.check(title)),
            Err(error) => found.push(error),
        }
        found
    }

    fn servers(&self, context: &RepetitionContext) -> Result<Vec<ServerSpec>, BackendError> {
        let title = self.info().title;
        verify_hub(self.info(), context.hub)?;
        if let Some(server) = external_servers::configured_server(title, context)? {
            let spec = external_servers::server_spec(title, BROKER_ROLE, &server, CONTAINER_PORT)?;
            return Ok(vec![spec]);
        }
        self.0.servers(context, &KafkaSettings::read(title, &context.settings)?)
    }

    fn recipe(&self, version: &str) -> Option<ServerImage> {
        self.0.recipe(version)
    }

    fn incompatibilities(
        &self,
        context: &RepetitionContext,
        facts: &ServerFacts,
    ) -> Vec<BackendError> {
        compatibility::incompatibilities(self.info().title, context, facts)
    }

    fn cautions(&self, context: &RepetitionContext, facts: &ServerFacts) -> Vec<String> {
        compatibility::cautions(self.info().title, context, facts)
    }

    fn client_needs(&self, settings: &Map<String, Value>, users: u32) -> ClientNeeds {
        let name = settings.get(CLIENT.name).and_then(Value::as_str);
        client::needs(name.unwrap_or(CLIENT.default), users)
    }

    async fn connect(
        &self,
        context: &RepetitionContext,
        servers: &[RunningServer],
        clock: Clock,
        timeout: Duration,
    ) -> Result<Box<dyn Session>, BackendError> {
        let title = self.info().title;
        let settings = KafkaSettings::read(title, &context.settings)?;
        // ZooKeeper, if the version needs it, is first in the list.
        let broker = servers.last().ok_or_else(|| BackendError::no_server(title))?;
        let mut target = KafkaTarget::from_running(broker).with_patience(timeout);
        let external = external_servers::configured_server(title, context)?;
        // An external server's limit on the size of a message is not exceeded: such a payload is refused
        // beforehand. The built-in broker has neither topic settings nor a limit.
        let has_topic_settings = self.info().settings.iter().any(|key| key.name == TOPIC.name);
        let sized = external.is_none() && has_topic_settings;
        if let Some(server) = &external {
            target = target.into_external(server, &context.password);
        }
        let payload = Some(context.point.workload.payload()).filter(|_| sized);
        let ready = readiness::wait_until_ready(&target, timeout).await?;
        Ok(Box::new(KafkaSession {
            target: KafkaTarget { cluster: ready.cluster_id, ..target },
            client: user_client(title, &settings, context)?,
            topic_spec: TopicSpec::new(&settings, context.durability(), payload),
            version: self.0.recorded_version(context, &settings),
            clock,
            cluster: ready.cluster,
            broker_id: ready.broker_id,
        }))
    }
}

fn user_client(
    title: &str,
    settings: &KafkaSettings,
    context: &RepetitionContext,
) -> Result<UserClient, BackendError> {
    UserClient::new(title, settings, context.durability(), &context.point.workload)
}

fn verify_hub(info: &BackendInfo, hub: HubKind) -> Result<(), BackendError> {
    if info.hubs.contains(&hub) {
        return Ok(());
    }
    let reason = match hub {
        HubKind::Docker | HubKind::External => "it is a part of hubmark: use the local hub",
        HubKind::Local => "it runs in containers: use the docker hub",
    };
    Err(BackendError::WrongHub {
        backend: info.title.into(),
        hub: hub.name().into(),
        reason: reason.into(),
    })
}
