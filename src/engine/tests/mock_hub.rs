//! Mock hub: its servers are a state that a planned fault changes.

use std::{
    net::Ipv4Addr,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Instant,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::mock::MockServerState;
use crate::{
    clock::Clock,
    hub::{
        Hub, HubError, TimedReading,
        host::{HostCounters, HostReader, HostSample},
    },
    plan::FaultKind,
    server::{
        BlockSource, HubFacts, HubKind, ResourceLimits, RunningServer, ServerImage, ServerReading,
        ServerSpec, ServerState,
    },
    units::Bytes,
};

/// A hub whose servers use no resources, and exit only by a planned fault.
pub struct MockHub {
    server: Arc<MockServerState>,
    watched: Mutex<Vec<mpsc::Sender<TimedReading>>>,
}

impl MockHub {
    /// Makes a hub on which `server` runs.
    pub fn new(server: Arc<MockServerState>) -> Self {
        Self { server, watched: Mutex::default() }
    }
}

#[async_trait]
impl Hub for MockHub {
    fn kind(&self) -> HubKind {
        HubKind::Local
    }
    fn location(&self) -> String {
        "nowhere".into()
    }
    async fn monitor_host(&self, _: Option<&ServerImage>) -> Result<Option<HostReader>, HubError> {
        let (sender, samples) = mpsc::channel(1);
        let _ =
            sender.try_send(HostSample { at: Instant::now(), counters: HostCounters::default() });
        let finished = tokio::spawn(async move { sender.closed().await });
        Ok(Some(HostReader { facts: HubFacts::default(), samples, finished }))
    }
    async fn facts(&self) -> Result<HubFacts, HubError> {
        Ok(HubFacts::default())
    }
    async fn start(
        &self,
        spec: &ServerSpec,
        _limits: &ResourceLimits,
        _earlier: &[RunningServer],
    ) -> Result<RunningServer, HubError> {
        let number = self.server.started.fetch_add(1, SeqCst);
        self.server.ended.store(false, SeqCst);
        if self.server.refused.is_some_and(|refused| refused(number)) {
            let reason = "the hub has no room".into();
            return Err(HubError::Start { role: spec.role.clone(), reason });
        }
        Ok(RunningServer {
            role: spec.role.clone(),
            id: "1".into(),
            address: Ipv4Addr::LOCALHOST.into(),
            ports: [(1, 1)].into(),
            image: "mock".into(),
            digest: None,
            data_dir: None,
            dir: None,
        })
    }
    fn watch(&self, _server: &RunningServer, _clock: Clock) -> mpsc::Receiver<TimedReading> {
        let (sender, receiver) = mpsc::channel(1);
        self.watched.lock().push(sender);
        receiver
    }
    async fn read(&self, _server: &RunningServer) -> Result<ServerReading, HubError> {
        Ok(ServerReading::default())
    }
    async fn data_size(&self, _server: &RunningServer) -> Option<Bytes> {
        None
    }
    async fn disk_written(&self, _server: &RunningServer) -> Option<Bytes> {
        None
    }
    fn block_source(&self, _server: &RunningServer) -> BlockSource {
        BlockSource::Process
    }
    async fn server_state(&self, _server: &RunningServer) -> ServerState {
        if self.server.ended.load(SeqCst) {
            ServerState::Ended { code: Some(1), out_of_memory: false }
        } else {
            ServerState::Running
        }
    }
    async fn inject(
        &self,
        _: &RunningServer,
        _: &FaultKind,
        _: &ResourceLimits,
    ) -> Result<(), HubError> {
        Ok(())
    }
    async fn clear(
        &self,
        _: &RunningServer,
        _: &FaultKind,
        _: &ResourceLimits,
    ) -> Result<(), HubError> {
        self.server.starts.fetch_add(1, SeqCst);
        self.server.ended.store(false, SeqCst);
        Ok(())
    }
    async fn log(&self, _server: &RunningServer, _lines: usize) -> Vec<String> {
        Vec::new()
    }
    async fn remove(&self, _server: &RunningServer) -> Result<(), HubError> {
        Ok(())
    }
    async fn shutdown(&self) -> Result<(), HubError> {
        Ok(())
    }
    async fn remove_leftovers(&self) -> Result<Vec<String>, HubError> {
        Ok(Vec::new())
    }
}
