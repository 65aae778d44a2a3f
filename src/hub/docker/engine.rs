//! A connected engine, with what was found out about it when connecting.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::{
    Docker,
    errors::Error as EngineError,
    models::{SystemInfo, SystemVersion},
};
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};
use tokio_util::task::TaskTracker;

use super::{
    api_call::{error_text, http_status, operation_error, with_timeout},
    container::{
        network::{NetworkAttachment, RunNetwork},
        route::{ContainerRoute, LinkRates, PortAccess},
        start_failure::OptionalSetting,
    },
    facts::{PODMAN_CAUTION, has_reachable_bridge, is_podman, memory_cgroup_caution, parse_facts},
    image::proxies::BuildProxies,
    observe::disk::Disk,
    reach::{
        connect::{self, EngineAddress},
        contexts::{SelectedEngine, select_engine},
    },
};
use crate::{
    hub::HubError,
    owner::{Owner, RUN_LABEL},
    plan::{HubRequest, HubTimeouts},
    server::{BlockSource, HubFacts},
    units::Bytes,
};

/// Time between two pings of an unreachable engine.
const PING_INTERVAL: Duration = Duration::from_millis(500);
/// Docker's default data folder.
const DEFAULT_DATA_ROOT: &str = "/var/lib/docker";
/// Value of the run's label on containers that belong to no run.
const NO_RUN: &str = "none";

/// A connected engine.
#[derive(Debug)]
pub struct DockerEngine {
    pub(super) client: Docker,
    /// Options by which a command of this program reaches this engine, for advice.
    pub(super) command_options: String,
    /// Longest waits for the engine's answers.
    pub(super) timeouts: HubTimeouts,
    pub(super) address: EngineAddress,
    /// Whether the engine is Podman: its stream of statistics is slow.
    pub(super) podman: bool,
    /// Identity of the run, as in the labels of its containers.
    pub(super) run: String,
    /// This process; `None` where `/proc` does not identify it: its containers are then never taken
    /// for leftovers.
    pub(super) owner: Option<Owner>,
    pub(super) cores: Option<u32>,
    /// Total memory of the hub.
    pub(super) memory: Option<Bytes>,
    pub(super) memory_cgroup: Option<bool>,
    pub(super) cgroup: Option<String>,
    /// Whether the kernel counts the writes of a container.
    pub(super) counts_writes: bool,
    /// Disk under the engine's data folder, for a local engine.
    pub(super) disk: Option<Disk>,
    pub(super) port_access: PortAccess,
    /// The profile's `hub.address`, if it names where the published ports are.
    pub(super) named_address: Option<String>,
    /// Networks from which faults have disconnected containers, by container, for reconnecting.
    pub(super) detached_networks: Mutex<HashMap<String, Vec<NetworkAttachment>>>,
    /// Settings that this engine has refused: they are not tried again.
    pub(super) refused_settings: Mutex<BTreeSet<OptionalSetting>>,
    /// Routes to containers that are shaped or proxied, by the container's identity.
    pub(super) routes: Mutex<HashMap<String, ContainerRoute>>,
    /// Proxies through which images are built.
    pub(super) build_proxies: BuildProxies,
    /// Folder in which the engine keeps its data.
    pub(super) data_root: PathBuf,
    /// Time since which the engine does not answer, if it was waited for.
    unreachable_since: Mutex<Option<Instant>>,
    /// Starts in progress.
    pub(super) pending_starts: TaskTracker,
    /// Network of this run, once created.
    pub(super) network: OnceCell<Option<RunNetwork>>,
}

impl DockerEngine {
    /// Connects to the requested engine, or to the one that Docker's own tools would take.
    pub(super) async fn connect(request: &HubRequest, run: Option<&str>) -> Result<Self, HubError> {
        let timeouts = request.timeouts();
        let SelectedEngine { address, certificates } = select_engine(request)?;
        let address = address.with_connect_timeout(timeouts.connect);
        let client = address.connect(&certificates, timeouts).await?;
        let (info, version) = describe(&client, timeouts).await?;
        let podman = is_podman(&version);
        let port_access =
            if address.is_local() && has_reachable_bridge(&info, podman, address.owner_uid()) {
                PortAccess::Direct
            } else {
                PortAccess::Published(match &request.address {
                    Some(named) => connect::resolve_host(named, timeouts.connect).await?,
                    None => address.published_address(timeouts.connect).await?,
                })
            };
        let facts = parse_facts(info.clone(), &version);
        let root = info.docker_root_dir.as_deref().filter(|_| address.is_local());
        Ok(Self {
            run: run.unwrap_or(NO_RUN).to_owned(),
            owner: Owner::this_process(),
            cores: info.ncpu.and_then(|cores| u32::try_from(cores).ok()).filter(|&cores| cores > 0),
            memory: info.mem_total.and_then(|all| u64::try_from(all).ok()).map(Bytes),
            memory_cgroup: info.memory_limit,
            counts_writes: facts.counts_writes(),
            cgroup: facts.cgroup,
            disk: root.and_then(|root| Disk::containing(Path::new(root))),
            port_access,
            named_address: request.address.clone(),
            refused_settings: Mutex::default(),
            detached_networks: Mutex::default(),
            routes: Mutex::default(),
            build_proxies: BuildProxies::of_this_process(&address.to_string()),
            data_root: info.docker_root_dir.map_or_else(|| DEFAULT_DATA_ROOT.into(), PathBuf::from),
            unreachable_since: Mutex::default(),
            pending_starts: TaskTracker::new(),
            network: OnceCell::new(),
            client,
            command_options: request.command_options(),
            timeouts,
            address,
            podman,
        })
    }

    /// Makes a call that only reads; `what` names it where the engine does not answer in time. Boxed: the
    /// futures of calls are large.
    pub(super) fn query<'a, T: 'a>(
        &'a self,
        what: &'a str,
        call: impl Future<Output = Result<T, EngineError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, EngineError>> {
        Box::pin(with_timeout(self.timeouts.query, what, call))
    }

    /// Makes a call that changes something: create, start, remove.
    pub(super) fn operation<'a, T: 'a>(
        &'a self,
        what: &'a str,
        call: impl Future<Output = Result<T, EngineError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, EngineError>> {
        Box::pin(with_timeout(self.timeouts.operation, what, call))
    }

    /// Asks the engine for its facts.
    pub(super) async fn facts(&self) -> Result<HubFacts, HubError> {
        let (info, version) = describe(&self.client, self.timeouts).await?;
        Ok(self.facts_of(info, &version))
    }

    /// Combines the engine's answers with facts about the connection to it.
    pub(super) fn facts_of(&self, info: SystemInfo, version: &SystemVersion) -> HubFacts {
        let api = self.client.client_version();
        let podman = is_podman(version).then(|| PODMAN_CAUTION.to_owned());
        let facts = parse_facts(info, version);
        let uncounted = memory_cgroup_caution(&facts);
        HubFacts {
            api: Some(format!("{}.{}", api.major_version, api.minor_version)),
            shared_with_client: self.address.is_local(),
            cautions: self.address.caution().into_iter().chain(podman).chain(uncounted).collect(),
            ..facts
        }
    }

    /// Returns the source of the figures of block I/O.
    pub(super) fn block_source(&self) -> BlockSource {
        if self.cgroup.as_deref() == Some("1") {
            BlockSource::EngineDirect
        } else {
            BlockSource::Engine
        }
    }

    /// Returns the labels of everything that this run creates on the engine.
    pub(super) fn run_labels(&self) -> HashMap<String, String> {
        let mut labels: HashMap<_, _> = self.owner.iter().flat_map(Owner::labels).collect();
        labels.insert(RUN_LABEL.to_owned(), self.run.clone());
        labels
    }

    pub(super) fn routes(&self) -> MutexGuard<'_, HashMap<String, ContainerRoute>> {
        self.routes.lock()
    }

    /// Returns a container's link rates and the address of `port` without a proxy; `None` for a
    /// container that is neither limited nor proxied.
    pub(super) fn route(
        &self,
        container: &str,
        port: u16,
    ) -> Option<(Option<LinkRates>, SocketAddr)> {
        let routes = self.routes();
        let route = routes.get(container)?;
        Some((route.link, *route.direct.get(&port)?))
    }

    /// Waits until an unreachable engine answers again, because it restarts or its hub reboots.
    ///
    /// The waiting time counts from the first failure on, so an engine that never returns is waited
    /// for only once.
    pub(super) async fn wait_until_reachable(&self) {
        loop {
            // A refusal is an answer, too.
            let answers = match self.query("a ping", self.client.ping()).await {
                Ok(_) => true,
                Err(error) => http_status(&error).is_some(),
            };
            let over = {
                let mut since = self.unreachable_since.lock();
                if answers {
                    *since = None;
                }
                !answers
                    && since.get_or_insert_with(Instant::now).elapsed() > self.timeouts.recovery
            };
            if answers || over {
                return;
            }
            sleep(PING_INTERVAL).await;
        }
    }

    /// Makes a call; where the engine became unreachable meanwhile, repeats it once afterwards.
    pub(super) async fn retry_when_reachable<T, C>(
        &self,
        call: impl Fn() -> C,
    ) -> Result<T, EngineError>
    where
        C: Future<Output = Result<T, EngineError>>,
    {
        match call().await {
            Err(error) if http_status(&error).is_none() => {
                tracing::warn!("{}: trying again", error_text(&error));
                self.wait_until_reachable().await;
                call().await
            }
            other => other,
        }
    }

    pub(super) fn refused_settings(&self) -> BTreeSet<OptionalSetting> {
        self.refused_settings.lock().clone()
    }

    pub(super) fn mark_refused(&self, option: OptionalSetting) {
        self.refused_settings.lock().insert(option);
    }

    /// Returns the PID of a running container's first process on a local engine.
    pub(super) async fn main_pid(&self, container: &str) -> Option<i32> {
        if !self.address.is_local() {
            return None;
        }
        let inspect = self
            .query("inspecting a container", self.client.inspect_container(container, None))
            .await
            .ok()?;
        i32::try_from(inspect.state?.pid?).ok().filter(|&pid| pid > 0)
    }
}

/// Asks an engine for its description and version.
async fn describe(
    client: &Docker,
    timeouts: HubTimeouts,
) -> Result<(SystemInfo, SystemVersion), HubError> {
    let limit = timeouts.query;
    let what = || operation_error("asking the engine what it is");
    let info = with_timeout(limit, "describing itself", client.info()).await.map_err(what())?;
    let version =
        with_timeout(limit, "reporting its version", client.version()).await.map_err(what())?;
    Ok((info, version))
}
