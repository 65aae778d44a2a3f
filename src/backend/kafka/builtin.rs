//! The broker that is built into hubmark: the same client, without Apache Kafka.

use super::{
    backend::Broker,
    listeners::CONTAINER_PORT,
    settings::{self, KafkaSettings},
};
use crate::{
    backend::{BackendError, BackendInfo, RepetitionContext},
    server::{HubKind, LaunchSpec, ProcessSpec, ServerImage, ServerSpec},
};

static INFO: BackendInfo = BackendInfo {
    name: "builtin",
    title: "built-in broker",
    caution: Some("built-in broker, not Apache Kafka: it measures hubmark's own floor"),
    versions: &[],
    oldest_release: None,
    hubs: &[HubKind::Local],
    settings: &[
        settings::CLIENT,
        settings::CONNECT_RATE,
        settings::LOOPS,
        settings::PARTITIONS,
        settings::PRODUCER,
        settings::CONSUMER,
    ],
};

/// The in-memory broker in a child process of hubmark.
#[derive(Debug, Clone, Copy)]
pub(super) struct BuiltinBroker;

impl Broker for BuiltinBroker {
    fn info(&self) -> &'static BackendInfo {
        &INFO
    }

    fn servers(
        &self,
        _context: &RepetitionContext,
        _settings: &KafkaSettings,
    ) -> Result<Vec<ServerSpec>, BackendError> {
        let program = std::env::current_exe().map_err(|error| BackendError::Operation {
            what: "finding hubmark's executable".into(),
            server: INFO.title.into(),
            reason: error.to_string(),
        })?;
        Ok(vec![ServerSpec {
            role: "broker".into(),
            launch: LaunchSpec::Process(ProcessSpec {
                program,
                setup_command: None,
                arguments: ["broker", "--listen", "127.0.0.1:{port}"].map(String::from).to_vec(),
                files: Vec::new(),
                environment: Vec::new(),
            }),
            ports: vec![CONTAINER_PORT],
        }])
    }

    fn recipe(&self, _version: &str) -> Option<ServerImage> {
        None
    }

    fn recorded_version(&self, _context: &RepetitionContext, _settings: &KafkaSettings) -> String {
        concat!("hubmark ", env!("CARGO_PKG_VERSION")).to_owned()
    }
}
