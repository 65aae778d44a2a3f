//! A reached engine: what is known of it, and what was found out about it on the way.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bollard::{Docker, errors::Error as EngineError};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};
use tokio_util::task::TaskTracker;

use super::{
    call::{ASK, failed, status, within, words},
    choose::{Choice, choose},
    connect::{self, Address},
    disk::Disk,
    facts::{has_reachable_bridge, is_podman},
    fault, helper,
    link::Link,
    network::Network,
    owner::Owner,
    refusal::Refusable,
};
use crate::{
    hub::{HubError, delay::Proxy},
    plan::HubRequest,
    units::Bytes,
};

/// How long an engine that is away is waited for: a small box boots in less.
const AWAY: Duration = Duration::from_mins(1);
/// How often it is asked meanwhile.
const GLANCE: Duration = Duration::from_millis(500);

/// A reached engine and what is known of it.
#[derive(Debug)]
pub struct Engine {
    pub(super) client: Docker,
    pub(super) address: Address,
    /// It is Podman: its stream of statistics is slow.
    pub(super) podman: bool,
    pub(super) run: String,
    /// This process; `None` where `/proc` does not name it: its containers are then never taken
    /// for leftovers.
    pub(super) owner: Option<Owner>,
    pub(super) cores: Option<u32>,
    /// All of the hub's memory.
    pub(super) memory: Option<Bytes>,
    pub(super) memory_cgroup: Option<bool>,
    pub(super) cgroup: Option<String>,
    /// The disk under the engine's root, on a local engine.
    pub(super) disk: Option<Disk>,
    pub(super) reach: Reach,
    /// The networks from which planned faults have cut containers: where each comes back to.
    pub(super) cut: Mutex<HashMap<String, Vec<fault::Plug>>>,
    /// Options that this engine was seen to refuse: they are not tried again.
    pub(super) refused: Mutex<BTreeSet<Refusable>>,
    /// The way to each container that is not the plain one, by the container's identity.
    pub(super) ways: Mutex<HashMap<String, Way>>,
    /// The folder under which the engine keeps its data.
    pub(super) root: PathBuf,
    /// Since when it does not answer, where it was waited for.
    away: Mutex<Option<Instant>>,
    /// The starts in progress.
    pub(super) starts: TaskTracker,
    /// The run's own network, once it was asked for.
    pub(super) network: OnceCell<Option<Network>>,
}

/// The way to a container whose link is limited or that is reached through a proxy.
#[derive(Debug)]
pub struct Way {
    /// The link's rates in force.
    pub(super) link: Option<Link>,
    /// Where its ports are without the proxy.
    pub(super) direct: BTreeMap<u16, SocketAddr>,
    /// Hands on with a delay until the container is removed.
    #[expect(dead_code, reason = "it works for as long as it is held")]
    pub(super) proxy: Option<Proxy>,
}

/// How this program reaches a container's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// At the container's own address: without docker-proxy, which costs a third of a millisecond
    /// and half of the throughput.
    Container,
    /// At published ports of this address.
    Published(IpAddr),
}

impl Reach {
    pub const fn publishes(self) -> bool {
        matches!(self, Self::Published(_))
    }

    /// What `{host}` stands for. A container that is reached directly gets its address only when
    /// it starts, and has to find it out itself; nothing is published, so this is its own loopback.
    pub const fn host(self) -> IpAddr {
        match self {
            Self::Container => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Self::Published(host) => host,
        }
    }
}

impl Engine {
    /// Reaches the engine that is asked for, or the one that Docker's own tools would take.
    pub(super) async fn reach(request: &HubRequest, run: &str) -> Result<Self, HubError> {
        let Choice { address, certificates } = choose(request)?;
        let client = address.connect(&certificates).await?;
        let info =
            within(ASK, client.info()).await.map_err(failed("asking the engine what it is"))?;
        let version =
            within(ASK, client.version()).await.map_err(failed("asking the engine what it is"))?;
        let podman = is_podman(&version);
        let reach = if address.is_local() && has_reachable_bridge(&info, podman, address.owner()) {
            Reach::Container
        } else {
            Reach::Published(match &request.address {
                Some(named) => connect::resolved(named).await?,
                None => address.published_at().await?,
            })
        };
        let root = info.docker_root_dir.as_deref().filter(|_| address.is_local());
        Ok(Self {
            run: run.to_owned(),
            owner: Owner::this_process(),
            cores: info.ncpu.and_then(|cores| u32::try_from(cores).ok()).filter(|&cores| cores > 0),
            memory: info.mem_total.and_then(|all| u64::try_from(all).ok()).map(Bytes),
            memory_cgroup: info.memory_limit,
            cgroup: info
                .cgroup_version
                .map(|version| version.to_string())
                .filter(|v| !v.is_empty()),
            disk: root.and_then(|root| Disk::under(Path::new(root))),
            reach,
            refused: Mutex::default(),
            cut: Mutex::default(),
            ways: Mutex::default(),
            root: info.docker_root_dir.map_or_else(helper::usual_root, PathBuf::from),
            away: Mutex::default(),
            starts: TaskTracker::new(),
            network: OnceCell::new(),
            client,
            address,
            podman,
        })
    }

    pub(super) fn ways(&self) -> MutexGuard<'_, HashMap<String, Way>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link of a container whose way is not the plain one, and where `port` is without a proxy.
    pub(super) fn way(&self, container: &str, port: u16) -> Option<(Option<Link>, SocketAddr)> {
        let ways = self.ways();
        let way = ways.get(container)?;
        Some((way.link, *way.direct.get(&port)?))
    }

    /// Waits until an engine that was there and is away answers again: it is restarted, or its hub
    /// reboots. One that is gone for good is waited for once.
    pub(super) async fn wait_until_back(&self) {
        loop {
            // An engine's refusal is an answer, too.
            let answers = match within(ASK, self.client.ping()).await {
                Ok(_) => true,
                Err(error) => status(&error).is_some(),
            };
            let over = {
                let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
                if answers {
                    *away = None;
                }
                !answers && away.get_or_insert_with(Instant::now).elapsed() > AWAY
            };
            if answers || over {
                return;
            }
            sleep(GLANCE).await;
        }
    }

    /// Makes a call; where the engine went away meanwhile, once more when it is back.
    pub(super) async fn persist<T, C>(&self, call: impl Fn() -> C) -> Result<T, EngineError>
    where
        C: Future<Output = Result<T, EngineError>>,
    {
        match call().await {
            Err(error) if status(&error).is_none() => {
                tracing::warn!("{}: it is tried again", words(&error));
                self.wait_until_back().await;
                call().await
            }
            other => other,
        }
    }

    pub(super) fn left_out(&self) -> BTreeSet<Refusable> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn leave_out(&self, option: Refusable) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(option);
    }

    /// The first process of a running container, as a local engine numbers it.
    pub(super) async fn first_process(&self, container: &str) -> Option<i32> {
        if !self.address.is_local() {
            return None;
        }
        let inspect = within(ASK, self.client.inspect_container(container, None)).await.ok()?;
        i32::try_from(inspect.state?.pid?).ok().filter(|&pid| pid > 0)
    }
}
