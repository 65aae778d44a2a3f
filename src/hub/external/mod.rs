//! Servers that run already: nothing is started or stopped here.
//!
//! What a server costs is read where its container or its process is named ([`Source`]), by the
//! means of the docker and of the local hub; otherwise it is missing, and said to be missing.
//! [`secret`] reads passwords.

mod secret;

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::mpsc,
    time::timeout,
};

pub use self::secret::password;
use super::{
    Hub, HubError, Sampled,
    docker::{DockerHub, Foreign},
    local::usage,
    machine,
    vitals::Attendance,
};
use crate::{
    clock::Clock,
    plan::{Plan, external::ExternalServer},
    server::{
        BlockSource, Endpoint, ExternalSpec, HubFacts, HubKind, Image, Launch, Life, Limits,
        Reading, Running, ServerSpec,
    },
    units::Bytes,
};

/// How long one address may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a record says in an image's place.
const UNKNOWN_IMAGE: &str = "not known: an external server";
/// What every operator is told before a run.
const CAUTION: &str = "external servers ran before this run and go on after it: their image, their \
                       limits and what else they serve are not known";

/// Servers that run already.
pub struct ExternalHub {
    /// By the name of their backend.
    servers: BTreeMap<String, ExternalServer>,
    /// The engine on which containers are named.
    engine: Option<DockerHub>,
    /// Where the costs of those in use are read, by [`Running::id`].
    sources: Mutex<BTreeMap<String, Source>>,
}

/// Where it is read what a server costs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// In a container of the engine, by its identity there.
    Container(String),
    /// In a process of this machine.
    Process(i32),
    /// Nowhere.
    Nothing,
}

impl ExternalHub {
    /// The servers that `plan` names; `run` is the run's identity.
    ///
    /// # Errors
    /// An engine that does not answer, though containers on it are named.
    pub async fn open(plan: &Plan, run: &str) -> Result<Self, HubError> {
        let mut servers = BTreeMap::new();
        for (backend, table) in &plan.settings {
            let server = ExternalServer::of(table).map_err(|wrong| {
                let wrong = wrong.iter().map(|(key, why)| format!("{backend}.{key}: {why}"));
                HubError::Operation {
                    what: "reading where the servers are".into(),
                    reason: wrong.collect::<Vec<_>>().join("; "),
                }
            })?;
            servers.insert(backend.clone(), server);
        }
        let engine = if servers.values().any(|server| server.container.is_some()) {
            Some(DockerHub::reach(&plan.hub, run).await?)
        } else {
            None
        };
        Ok(Self { servers, engine, sources: Mutex::default() })
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<String, Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self, server: &Running) -> Source {
        self.sources().get(&server.id).cloned().unwrap_or(Source::Nothing)
    }

    /// The engine, and the server as it knows it.
    fn contained(&self, server: &Running) -> Option<(&DockerHub, Running)> {
        let Source::Container(id) = self.source(server) else { return None };
        Some((self.engine.as_ref()?, Running { id, ..server.clone() }))
    }

    /// Whether all servers run on this machine, as far as their addresses tell.
    async fn is_here(&self) -> bool {
        for server in self.servers.values() {
            if server.process.is_some() {
                continue;
            }
            // The port does not matter here.
            let Some(endpoint) = server.endpoints(1).ok().and_then(|all| all.into_iter().next())
            else {
                return false;
            };
            match resolved(&endpoint).await {
                Ok(found) if found.iter().any(is_own) => {}
                _ => return false,
            }
        }
        true
    }

    /// What is not known of the servers, in words for the operator.
    fn cautions(&self) -> impl Iterator<Item = String> + '_ {
        let unmeasured = self.servers.iter().filter(|(_, server)| !server.is_measured());
        let missing = unmeasured.map(|(backend, _)| {
            format!(
                "{backend}: its processor, memory, disk and network are missing: name its \
                 container ({backend}.container) or its process on this machine \
                 ({backend}.process)"
            )
        });
        std::iter::once(CAUTION.to_owned()).chain(missing)
    }

    async fn find(&self, spec: &ExternalSpec, role: &str) -> Result<(Source, Foreign), HubError> {
        let unknown = Foreign { id: String::new(), image: UNKNOWN_IMAGE.into(), digest: None };
        if let Some(name) = &spec.container {
            let Some(engine) = &self.engine else { return Ok((Source::Nothing, unknown)) };
            let found = engine.foreign(name).await?;
            return Ok((Source::Container(found.id.clone()), found));
        }
        let Some(pid) = spec.process else { return Ok((Source::Nothing, unknown)) };
        usage::now(pid, role)?;
        Ok((Source::Process(pid), unknown))
    }
}

/// Whether an address is one of this machine's own.
fn is_own(address: &SocketAddr) -> bool {
    TcpListener::bind((address.ip(), 0)).is_ok()
}

async fn resolved(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, String> {
    let found = timeout(PATIENCE, lookup_host((endpoint.host.as_str(), endpoint.port))).await;
    match found {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("its name was not resolved within {PATIENCE:.0?}")),
    }
}

/// The first address at which somebody accepts a connection.
async fn reached(endpoints: &[Endpoint]) -> Result<SocketAddr, String> {
    let mut reasons = Vec::new();
    for endpoint in endpoints {
        let addresses = match resolved(endpoint).await {
            Ok(addresses) => addresses,
            Err(reason) => {
                reasons.push(format!("{endpoint}: {reason}"));
                continue;
            }
        };
        for address in addresses {
            let reason = match timeout(PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(_)) => return Ok(address),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer to a connection within {PATIENCE:.0?}"),
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

    fn place(&self) -> String {
        let named = self.servers.iter().map(|(backend, at)| format!("{backend} {}", at.address));
        format!("external: {}", named.collect::<Vec<_>>().join(", "))
    }

    async fn facts(&self) -> Result<HubFacts, HubError> {
        let mut facts = match &self.engine {
            Some(engine) => engine.facts().await?,
            None if self.is_here().await => machine::this_machine(),
            None => HubFacts::default(),
        };
        facts.cautions.extend(self.cautions());
        Ok(facts)
    }

    /// Only an engine knows under which folder its containers keep their data.
    async fn attend(&self, image: Option<&Image>) -> Result<Option<Attendance>, HubError> {
        match &self.engine {
            Some(engine) => engine.attend(image).await,
            None => Ok(None),
        }
    }

    async fn others(&self) -> Vec<String> {
        match &self.engine {
            Some(engine) => engine.others().await,
            None => Vec::new(),
        }
    }

    /// Sees that somebody answers there, and finds what is named.
    async fn start(
        &self,
        spec: &ServerSpec,
        limits: &Limits,
        _earlier: &[Running],
    ) -> Result<Running, HubError> {
        let role = &spec.role;
        let refused = |reason: &str| HubError::Start { role: role.clone(), reason: reason.into() };
        let Launch::External(external) = &spec.launch else {
            return Err(refused("the external hub starts no servers"));
        };
        if *limits != Limits::default() {
            return Err(refused("limits are for servers that hubmark starts itself"));
        }
        let address = reached(&external.endpoints).await.map_err(|reason| {
            let named: Vec<_> = external.endpoints.iter().map(ToString::to_string).collect();
            HubError::Unreachable {
                engine: format!("{role} at {}", named.join(", ")),
                reason,
                advice: "see that the server runs, that it listens on that address, and that no \
                         firewall is in between"
                    .into(),
            }
        })?;
        let (source, found) = self.find(external, role).await?;
        let id = format!("{role} at {address}");
        self.sources().insert(id.clone(), source);
        Ok(Running {
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

    fn watch(&self, server: &Running, clock: Clock) -> mpsc::Receiver<Sampled> {
        if let Some((engine, contained)) = self.contained(server) {
            return engine.watch(&contained, clock);
        }
        if let Source::Process(pid) = self.source(server) {
            return usage::watch(pid, clock);
        }
        let (silent, receiver) = mpsc::channel(1);
        // Without readings is not the same as ended.
        tokio::spawn(async move { silent.closed().await });
        receiver
    }

    async fn read(&self, server: &Running) -> Result<Reading, HubError> {
        if let Some((engine, contained)) = self.contained(server) {
            return engine.read(&contained).await;
        }
        match self.source(server) {
            Source::Process(pid) => usage::now(pid, &server.role),
            _ => Ok(Reading::default()),
        }
    }

    fn measures(&self, server: &Running) -> bool {
        self.source(server) != Source::Nothing
    }

    async fn data_size(&self, _: &Running) -> Option<Bytes> {
        None
    }

    async fn disk_written(&self, _: &Running) -> Option<Bytes> {
        None
    }

    fn block_source(&self, server: &Running) -> BlockSource {
        match self.source(server) {
            Source::Process(_) => BlockSource::Process,
            Source::Container(_) | Source::Nothing => BlockSource::Engine,
        }
    }

    async fn life(&self, server: &Running) -> Life {
        if let Some((engine, contained)) = self.contained(server) {
            return engine.life(&contained).await;
        }
        match self.source(server) {
            Source::Process(pid) if matches!(usage::read(pid), Ok(None)) => Life::Gone,
            _ => Life::Running,
        }
    }

    /// What somebody else's server writes may be nobody else's business.
    async fn log(&self, _: &Running, _: usize) -> Vec<String> {
        Vec::new()
    }

    /// The server stays: it is only not looked at any more.
    async fn remove(&self, server: &Running) -> Result<(), HubError> {
        self.sources().remove(&server.id);
        Ok(())
    }

    /// Those who were still at work did not come to clear away what they had made.
    async fn abandon(&self) -> Result<(), HubError> {
        let left: Vec<_> = std::mem::take(&mut *self.sources()).into_keys().collect();
        if left.is_empty() {
            return Ok(());
        }
        let reason =
            "what the run made there (its name begins with hubmark) may be left: the next \
                      run removes it"
                .to_owned();
        Err(HubError::Operation { what: format!("leaving {}", left.join(", ")), reason })
    }

    async fn sweep(&self) -> Result<Vec<String>, HubError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(endpoints: &[SocketAddr], process: Option<i32>) -> ServerSpec {
        let endpoint = |at: &SocketAddr| Endpoint { host: at.ip().to_string(), port: at.port() };
        let endpoints = endpoints.iter().map(endpoint).collect();
        let launch = Launch::External(ExternalSpec { endpoints, container: None, process });
        ServerSpec { role: "x".into(), launch, ports: vec![1] }
    }

    fn hub() -> ExternalHub {
        ExternalHub { servers: BTreeMap::new(), engine: None, sources: Mutex::default() }
    }

    /// A port that was free a moment ago.
    fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn one_address_that_answers_is_enough() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let hub = hub();
        let asked = spec(&[nobody(), address], None);
        let running = hub.start(&asked, &Limits::default(), &[]).await.unwrap();
        assert_eq!(running.endpoint(1), address);
        assert!(!hub.measures(&running));
        assert_eq!(hub.read(&running).await.unwrap(), Reading::default());
        assert_eq!(hub.life(&running).await, Life::Running);
        assert!(hub.abandon().await.unwrap_err().to_string().contains("begins with hubmark"));
        assert!(hub.abandon().await.is_ok(), "said once");
        let refused = hub.start(&spec(&[nobody()], None), &Limits::default(), &[]).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("see that the server runs"), "{refused}");
    }

    #[tokio::test]
    async fn a_process_of_this_machine_is_read() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let hub = hub();
        let own = std::process::id().cast_signed();
        let running = hub.start(&spec(&[address], Some(own)), &Limits::default(), &[]).await;
        let running = running.unwrap();
        assert!(hub.measures(&running) && hub.read(&running).await.unwrap().cpu.is_some());
        assert_eq!(hub.block_source(&running), BlockSource::Process);
        let sampled = hub.watch(&running, Clock::start()).recv().await.unwrap();
        assert!(sampled.reading.memory.is_some());
        hub.remove(&running).await.unwrap();
        let gone = hub.start(&spec(&[address], Some(i32::MAX)), &Limits::default(), &[]).await;
        assert!(gone.unwrap_err().to_string().contains("has ended"));
    }
}
