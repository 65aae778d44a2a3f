//! The external hub: servers that already run and are neither started nor stopped here.
//!
//! A server's resources are read from its container or its process, where the profile names one
//! ([`ResourceSource`]), by the means of the docker and the local hub; otherwise they are missing,
//! and the operator is informed. [`password`] reads passwords.

mod password;

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    net::{TcpStream, lookup_host},
    sync::mpsc,
    time::timeout,
};

use super::{
    Hub, HubError, TimedReading,
    docker::{DockerHub, ExternalContainer},
    host::{HostReader, files::SystemFiles, read_local},
    local::usage,
    machine,
};
use crate::{
    clock::Clock,
    plan::{Plan, external::ExternalServer},
    server::{
        BlockSource, Endpoint, ExternalSpec, HubFacts, HubKind, LaunchSpec, ResourceLimits,
        RunningServer, ServerImage, ServerReading, ServerSpec, ServerState,
    },
    units::Bytes,
};
pub use password::read_password;

/// Longest wait for a name's resolution, and for a connection to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The record's image name of an external server.
const UNKNOWN_IMAGE: &str = "not known: an external server";
/// The caution shown for every run on external servers.
const UNKNOWN_LOAD_CAUTION: &str = "external servers ran before this run and continue after it: \
                                    their image, limits and other load are unknown";

/// A hub of servers that already run.
pub struct ExternalHub {
    /// The servers by backend name.
    servers: BTreeMap<String, ExternalServer>,
    /// The engine of the named containers.
    engine: Option<DockerHub>,
    /// Sources of the resources of servers in use, by [`RunningServer::id`].
    sources: Mutex<BTreeMap<String, ResourceSource>>,
}

/// Where a server's resources are read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ResourceSource {
    /// From a container of the engine, by the container's ID.
    Container(String),
    /// From a process of this machine.
    Process(i32),
    /// Not at all.
    Unavailable,
}

impl ExternalHub {
    /// Opens the servers that `plan` names; `run` is the run's identity, if there is one.
    ///
    /// # Errors
    /// The plan names containers, and their engine does not answer.
    pub async fn open(plan: &Plan, run: Option<&str>) -> Result<Self, HubError> {
        let mut servers = BTreeMap::new();
        for (backend, table) in &plan.settings {
            let server = ExternalServer::from_table(table).map_err(|wrong| {
                let wrong = wrong.iter().map(|(key, why)| format!("{backend}.{key}: {why}"));
                HubError::Operation {
                    what: "reading the servers' addresses".into(),
                    reason: wrong.collect::<Vec<_>>().join("; "),
                }
            })?;
            servers.insert(backend.clone(), server);
        }
        let engine = if servers.values().any(|server| server.container.is_some()) {
            Some(DockerHub::connect(&plan.hub, run).await?)
        } else {
            None
        };
        Ok(Self { servers, engine, sources: Mutex::default() })
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<String, ResourceSource>> {
        self.sources.lock()
    }

    fn source(&self, server: &RunningServer) -> ResourceSource {
        self.sources().get(&server.id).cloned().unwrap_or(ResourceSource::Unavailable)
    }

    /// The engine, and the server with its container's ID.
    fn in_container(&self, server: &RunningServer) -> Option<(&DockerHub, RunningServer)> {
        let ResourceSource::Container(id) = self.source(server) else { return None };
        Some((self.engine.as_ref()?, RunningServer { id, ..server.clone() }))
    }

    /// Whether all servers run on this machine, judged by their addresses.
    async fn is_local(&self) -> bool {
        for server in self.servers.values() {
            if server.process.is_some() {
                continue;
            }
            // The port does not matter here.
            let Some(endpoint) = server.endpoints(1).ok().and_then(|all| all.into_iter().next())
            else {
                return false;
            };
            match resolve(&endpoint).await {
                Ok(found) if found.iter().any(is_local_address) => {}
                _ => return false,
            }
        }
        true
    }

    /// Working folder of a named process, whose disk is taken for that of the data: a database server works in its
    /// data folder.
    fn working_folder(&self) -> Option<PathBuf> {
        let pid = self.servers.values().find_map(|server| server.process)?;
        fs::read_link(format!("/proc/{pid}/cwd")).ok()
    }

    /// Cautions for the operator about unknown facts of the servers.
    fn cautions(&self) -> impl Iterator<Item = String> + '_ {
        let unmeasured = self.servers.iter().filter(|(_, server)| !server.has_resource_source());
        let missing = unmeasured.map(|(backend, _)| {
            format!(
                "{backend}: its processor, memory, disk and network are missing, and so is the state of \
                 its hub: name its container ({backend}.container) or its process on this machine \
                 ({backend}.process)"
            )
        });
        std::iter::once(UNKNOWN_LOAD_CAUTION.to_owned()).chain(missing)
    }

    async fn find_source(
        &self,
        spec: &ExternalSpec,
        role: &str,
    ) -> Result<(ResourceSource, ExternalContainer), HubError> {
        let unknown =
            ExternalContainer { id: String::new(), image: UNKNOWN_IMAGE.into(), digest: None };
        if let Some(name) = &spec.container {
            let Some(engine) = &self.engine else {
                return Ok((ResourceSource::Unavailable, unknown));
            };
            let found = engine.find_container(name).await?;
            return Ok((ResourceSource::Container(found.id.clone()), found));
        }
        let Some(pid) = spec.process else { return Ok((ResourceSource::Unavailable, unknown)) };
        usage::read_running(pid, role)?;
        Ok((ResourceSource::Process(pid), unknown))
    }
}

/// Whether an address belongs to this machine.
fn is_local_address(address: &SocketAddr) -> bool {
    TcpListener::bind((address.ip(), 0)).is_ok()
}

async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, String> {
    let found =
        timeout(CONNECT_TIMEOUT, lookup_host((endpoint.host.as_str(), endpoint.port))).await;
    match found {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("its name was not resolved within {CONNECT_TIMEOUT:.0?}")),
    }
}

/// Connects to the endpoints in order; returns the first address that accepts.
async fn connect_to_any(endpoints: &[Endpoint]) -> Result<SocketAddr, String> {
    let mut reasons = Vec::new();
    for endpoint in endpoints {
        let addresses = match resolve(endpoint).await {
            Ok(addresses) => addresses,
            Err(reason) => {
                reasons.push(format!("{endpoint}: {reason}"));
                continue;
            }
        };
        for address in addresses {
            let reason = match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(_)) => return Ok(address),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer to a connection within {CONNECT_TIMEOUT:.0?}"),
            };
            reasons.push(format!("{endpoint}: {reason}"));
        }
    }
    reasons.dedup();
    Err(reasons.join("; "))
}

#[async_trait]
impl Hub for ExternalHub {
    fn kind(&self) -> HubKind {
        HubKind::External
    }

    fn location(&self) -> String {
        let named = self.servers.iter().map(|(backend, at)| format!("{backend} {}", at.address));
        format!("external: {}", named.collect::<Vec<_>>().join(", "))
    }

    async fn facts(&self) -> Result<HubFacts, HubError> {
        let mut facts = match &self.engine {
            Some(engine) => engine.facts().await?,
            None if self.is_local().await => machine::local_facts(),
            None => HubFacts::default(),
        };
        facts.cautions.extend(self.cautions());
        Ok(facts)
    }

    /// Read by the engine of a container, or on this machine if a process of it is named and all servers run here.
    async fn monitor_host(
        &self,
        image: Option<&ServerImage>,
    ) -> Result<Option<HostReader>, HubError> {
        if let Some(engine) = &self.engine {
            return engine.monitor_host(image).await;
        }
        match self.working_folder() {
            Some(folder) if self.is_local().await => {
                Ok(Some(read_local(SystemFiles::Folder("/".into()), folder).await))
            }
            _ => Ok(None),
        }
    }

    async fn other_runs(&self) -> Vec<String> {
        match &self.engine {
            Some(engine) => engine.other_runs().await,
            None => Vec::new(),
        }
    }

    /// Connects to the server once, and looks up its container or process.
    async fn start(
        &self,
        spec: &ServerSpec,
        limits: &ResourceLimits,
        _earlier: &[RunningServer],
    ) -> Result<RunningServer, HubError> {
        let role = &spec.role;
        let refused = |reason: &str| HubError::Start { role: role.clone(), reason: reason.into() };
        let LaunchSpec::External(external) = &spec.launch else {
            return Err(refused("the external hub starts no servers"));
        };
        if *limits != ResourceLimits::default() {
            return Err(refused("limits are for servers that hubmark starts itself"));
        }
        let address = connect_to_any(&external.endpoints).await.map_err(|reason| {
            let named: Vec<_> = external.endpoints.iter().map(ToString::to_string).collect();
            HubError::Unreachable {
                engine: format!("{role} at {}", named.join(", ")),
                reason,
                advice: "check that the server runs, that it listens on that address, and that no \
                         firewall is in between"
                    .into(),
            }
        })?;
        let (source, found) = self.find_source(external, role).await?;
        let id = format!("{role} at {address}");
        self.sources().insert(id.clone(), source);
        Ok(RunningServer {
            role: role.clone(),
            id,
            address: address.ip(),
            ports: spec.ports.iter().map(|own| (*own, address.port())).collect(),
            image: found.image,
            digest: found.digest,
            data_dir: None,
            dir: None,
        })
    }

    fn watch(&self, server: &RunningServer, clock: Clock) -> mpsc::Receiver<TimedReading> {
        if let Some((engine, contained)) = self.in_container(server) {
            return engine.watch(&contained, clock);
        }
        if let ResourceSource::Process(pid) = self.source(server) {
            return usage::watch(pid, clock);
        }
        let (silent, receiver) = mpsc::channel(1);
        // A closed channel would mean that the server has ended, so keep it open.
        tokio::spawn(async move { silent.closed().await });
        receiver
    }

    async fn read(&self, server: &RunningServer) -> Result<ServerReading, HubError> {
        if let Some((engine, contained)) = self.in_container(server) {
            return engine.read(&contained).await;
        }
        match self.source(server) {
            ResourceSource::Process(pid) => usage::read_running(pid, &server.role),
            _ => Ok(ServerReading::default()),
        }
    }

    fn can_measure(&self, server: &RunningServer) -> bool {
        self.source(server) != ResourceSource::Unavailable
    }

    async fn data_size(&self, _: &RunningServer) -> Option<Bytes> {
        None
    }

    async fn disk_written(&self, _: &RunningServer) -> Option<Bytes> {
        None
    }

    fn block_source(&self, server: &RunningServer) -> BlockSource {
        if let Some((engine, contained)) = self.in_container(server) {
            return engine.block_source(&contained);
        }
        match self.source(server) {
            ResourceSource::Process(_) => BlockSource::Process,
            ResourceSource::Container(_) | ResourceSource::Unavailable => BlockSource::Engine,
        }
    }

    async fn server_state(&self, server: &RunningServer) -> ServerState {
        if let Some((engine, contained)) = self.in_container(server) {
            return engine.server_state(&contained).await;
        }
        match self.source(server) {
            ResourceSource::Process(pid) if matches!(usage::read(pid), Ok(None)) => {
                ServerState::NotFound
            }
            _ => ServerState::Running,
        }
    }

    /// The log of a foreign server may be confidential.
    async fn log(&self, _: &RunningServer, _: usize) -> Vec<String> {
        Vec::new()
    }

    /// Stops observing the server, which keeps running.
    async fn remove(&self, server: &RunningServer) -> Result<(), HubError> {
        self.sources().remove(&server.id);
        Ok(())
    }

    /// Reports the servers still in use: their sessions have not removed their tables or topics.
    async fn shutdown(&self) -> Result<(), HubError> {
        let left: Vec<_> = std::mem::take(&mut *self.sources()).into_keys().collect();
        if left.is_empty() {
            return Ok(());
        }
        let reason =
            "the run's topic, table or database there (its name begins with hubmark) may be left: \
             the next run removes it"
                .to_owned();
        Err(HubError::Operation { what: format!("cleaning up {}", left.join(", ")), reason })
    }

    async fn remove_leftovers(&self) -> Result<Vec<String>, HubError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(endpoints: &[SocketAddr], process: Option<i32>) -> ServerSpec {
        let endpoint = |at: &SocketAddr| Endpoint { host: at.ip().to_string(), port: at.port() };
        let endpoints = endpoints.iter().map(endpoint).collect();
        let launch = LaunchSpec::External(ExternalSpec { endpoints, container: None, process });
        ServerSpec { role: "x".into(), launch, ports: vec![1] }
    }

    fn hub() -> ExternalHub {
        ExternalHub { servers: BTreeMap::new(), engine: None, sources: Mutex::default() }
    }

    /// An address on which no server listens.
    fn closed_port() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn one_address_that_answers_is_enough() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let hub = hub();
        let requested = spec(&[closed_port(), address], None);
        let running = hub.start(&requested, &ResourceLimits::default(), &[]).await.unwrap();
        assert_eq!(running.endpoint(1), address);
        assert!(!hub.can_measure(&running));
        assert_eq!(hub.read(&running).await.unwrap(), ServerReading::default());
        assert_eq!(hub.server_state(&running).await, ServerState::Running);
        assert!(hub.shutdown().await.unwrap_err().to_string().contains("begins with hubmark"));
        assert!(hub.shutdown().await.is_ok(), "reported once");
        let refused =
            hub.start(&spec(&[closed_port()], None), &ResourceLimits::default(), &[]).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("check that the server runs"), "{refused}");
    }

    #[tokio::test]
    async fn a_process_of_this_machine_is_read() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let hub = hub();
        let own = std::process::id().cast_signed();
        let running =
            hub.start(&spec(&[address], Some(own)), &ResourceLimits::default(), &[]).await;
        let running = running.unwrap();
        assert!(hub.can_measure(&running) && hub.read(&running).await.unwrap().cpu.is_some());
        assert_eq!(hub.block_source(&running), BlockSource::Process);
        let sampled = hub.watch(&running, Clock::start()).recv().await.unwrap();
        assert!(sampled.reading.memory.is_some());
        let server = ExternalServer { process: Some(own), ..ExternalServer::default() };
        let named = ExternalHub { servers: [("x".into(), server)].into(), ..self::hub() };
        let mut host = named.monitor_host(None).await.unwrap().expect("this machine is read");
        assert!(host.samples.recv().await.unwrap().counters.disk.is_some());
        assert!(hub.monitor_host(None).await.unwrap().is_none(), "nothing is known of its host");
        hub.remove(&running).await.unwrap();
        let ended =
            hub.start(&spec(&[address], Some(i32::MAX)), &ResourceLimits::default(), &[]).await;
        assert!(ended.unwrap_err().to_string().contains("has ended"));
    }
}
