//! The broker that is built into this program: the same client, on this program's own floor.

use std::time::Duration;

use async_trait::async_trait;

use super::{check, connect, needs, on_a_hub_of, servers::CONTAINER_PORT, settings};
use crate::{
    backend::{Backend, BackendError, BackendInfo, ClientNeeds, Session, Setup},
    clock::Clock,
    server::{HubKind, Launch, ProcessSpec, Running, ServerSpec},
};

static INFO: BackendInfo = BackendInfo {
    name: "builtin",
    title: "built-in broker",
    caution: Some("built-in broker, not Apache Kafka: it measures hubmark's own floor"),
    versions: &[],
    oldest: None,
    hubs: &[HubKind::Local],
    settings: &[settings::PARTITIONS, settings::PRODUCER, settings::CONSUMER],
};

/// The in-memory broker in a child process of this program. It speaks Kafka's protocol.
#[derive(Debug, Default, Clone, Copy)]
pub struct Builtin;

#[async_trait]
impl Backend for Builtin {
    fn info(&self) -> &'static BackendInfo {
        &INFO
    }

    fn check(&self, setup: &Setup) -> Vec<BackendError> {
        check(&INFO, setup)
    }

    fn servers(&self, setup: &Setup) -> Result<Vec<ServerSpec>, BackendError> {
        on_a_hub_of(&INFO, setup)?;
        let program = std::env::current_exe().map_err(|error| BackendError::Operation {
            what: "finding this program's own file".into(),
            server: INFO.title.into(),
            reason: error.to_string(),
        })?;
        Ok(vec![ServerSpec {
            role: "broker".into(),
            launch: Launch::Process(ProcessSpec {
                program,
                before: None,
                arguments: ["broker", "--listen", "127.0.0.1:{port}"].map(String::from).to_vec(),
                files: Vec::new(),
                environment: Vec::new(),
            }),
            ports: vec![CONTAINER_PORT],
        }])
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
        let version = concat!("hubmark ", env!("CARGO_PKG_VERSION"));
        connect(&INFO, version.to_owned(), setup, servers, clock, patience).await
    }
}
