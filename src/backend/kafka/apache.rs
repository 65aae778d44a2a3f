//! Apache Kafka in containers, or on an external server.

use super::{
    backend::Broker,
    image, official_images, servers,
    settings::{self, KafkaSettings},
};
use crate::{
    backend::{BackendError, BackendInfo, RepetitionContext},
    profile::catalogue::external,
    server::{HubKind, ServerImage, ServerSpec},
};

/// The oldest release that was built from the recipe: it runs on Java 17, as all later releases do.
const OLDEST_VERSION: (u32, u32) = (2, 8);

static INFO: BackendInfo = BackendInfo {
    name: "kafka",
    title: "Apache Kafka",
    caution: None,
    versions: &["4.4.0", "2.8.0"],
    oldest_release: Some(OLDEST_VERSION),
    hubs: &[HubKind::Docker, HubKind::External],
    settings: &[
        settings::IMAGE,
        settings::HEAP,
        settings::ZOOKEEPER_HEAP,
        settings::CLIENT,
        settings::CONNECT_RATE,
        settings::LOOPS,
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

/// Apache Kafka: version 4 alone, earlier versions with ZooKeeper.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApacheKafka;

impl Broker for ApacheKafka {
    fn info(&self) -> &'static BackendInfo {
        &INFO
    }

    fn servers(
        &self,
        context: &RepetitionContext,
        settings: &KafkaSettings,
    ) -> Result<Vec<ServerSpec>, BackendError> {
        Ok(servers::containers(version_to_start(context), settings))
    }

    fn recipe(&self, version: &str) -> Option<ServerImage> {
        INFO.builds(version).then(|| image::recipe_image(version))
    }

    /// Returns the version that the recipe was asked to build, or the tag of a named image.
    fn recorded_version(&self, context: &RepetitionContext, settings: &KafkaSettings) -> String {
        if context.hub == HubKind::External {
            return "not known: a broker does not report its version".into();
        }
        match (&settings.image, &context.point.backend.version) {
            (None, _) => version_to_start(context).to_owned(),
            (Some(image), Some(requested)) => {
                format!("{requested} (according to the profile, for {image})")
            }
            (Some(image), None) => match official_images::tag(image) {
                Some(tag) => format!("{tag} (the tag of {image})"),
                None => format!("not known ({image})"),
            },
        }
    }
}

/// Returns the version to start, by default the first of [`BackendInfo::versions`].
fn version_to_start(context: &RepetitionContext) -> &str {
    context.point.backend.version.as_deref().unwrap_or(INFO.versions[0])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        backend::{Backend, fixture::repetition_context, kafka::backend::KafkaBackend},
        server::LaunchSpec,
    };

    #[test]
    fn an_external_broker_is_not_started_and_server_only_keys_are_refused() {
        let kafka = KafkaBackend(ApacheKafka);
        let mut context = repetition_context("kafka", 1, 1);
        context.hub = HubKind::External;
        context.settings.insert("address".into(), json!("a, b:1"));
        context.settings.insert("heap".into(), json!(1 << 28));
        let servers = kafka.servers(&context).unwrap();
        let [ServerSpec { launch: LaunchSpec::External(spec), .. }] = &servers[..] else {
            panic!("{servers:?}")
        };
        let at: Vec<_> = spec.endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(at, ["a:9092", "b:1"]);
        let refused = kafka.check(&context);
        assert!(refused.len() == 1 && refused[0].to_string().contains("heap"), "{refused:?}");
    }
}
