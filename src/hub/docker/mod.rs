//! The docker hub: each server in a clean container of a Docker engine.
//!
//! - [`connect`]: addresses, and what is wrong when no engine answers.
//! - `ssh`: an engine of another machine through the operator's `ssh`; `wire` carries its calls.
//! - `image`, `recipe`, `progress`: images built from embedded recipes, or pulled.
//! - `container`, `request`, `refusal`, `placeholder`: one clean container, asked for, started and
//!   addressed, or cleared away.
//! - `state`: how a container fares, what it said, its removal.
//! - `network`: a network of the run's own, in which no address is ever given twice.
//! - `link`, `prove`, `tools`, `inside`: limits that a container alone does not have, and whether
//!   all of them hold.
//! - `stats`, `cgroup`, `disk`, `data`: what a server costs, from the engine and from the kernel.
//! - `examine`: what decides whether an engine can be measured.
//! - `fault`: what is done to a container in the middle of a load, by plan.
//! - `helper`: a container that reads a hub which is not this machine.
//! - `owner`: which containers are leftovers of dead runs.
//!
//! Every call has a limit of time ([`call`]), so that a hanging engine never hangs a run.

mod call;
mod cgroup;
mod connect;
mod container;
mod data;
mod disk;
mod examine;
mod fault;
mod helper;
mod image;
mod inside;
mod link;
mod network;
mod owner;
mod placeholder;
mod progress;
mod prove;
mod recipe;
mod refusal;
mod request;
mod ssh;
mod state;
mod stats;
mod tools;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bollard::{
    Docker,
    errors::Error as EngineError,
    models::{ContainerSummary, SystemInfo, SystemVersion},
    query_parameters::ListContainersOptionsBuilder,
};
use tokio::sync::{OnceCell, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    call::{ASK, failed, within},
    disk::Disk,
    link::Link,
    network::Network,
    owner::{Fate, Owner},
    refusal::Refusable,
};
pub use self::{
    connect::Address,
    examine::{ClockOffset, Examination, ImageState},
    image::OwnImage,
    tools::tools,
};
use super::{
    Hub, HubError, Sampled,
    child::folder,
    delay::Proxy,
    vitals::{self, Attendance},
};
use crate::{
    clock::Clock,
    event::ImageStep,
    plan::{FaultKind, HubRequest},
    server::{
        BlockSource, HubFacts, HubKind, Image, Life, LimitInForce, Limits, Reading, Running,
        ServerSpec,
    },
    units::Bytes,
};

/// How often containers that are being removed are looked for.
const REMOVAL_GLANCE: Duration = Duration::from_millis(50);

/// A Docker engine as a hub. Cheap to clone: clones share the connection.
#[derive(Debug, Clone)]
pub struct DockerHub {
    engine: Arc<Engine>,
}

/// A reached engine and what is known of it.
#[derive(Debug)]
struct Engine {
    client: Docker,
    address: Address,
    run: String,
    /// This process; `None` where `/proc` does not name it: its containers are then never taken
    /// for leftovers.
    owner: Option<Owner>,
    cores: Option<u32>,
    /// All of the hub's memory.
    memory: Option<Bytes>,
    memory_cgroup: Option<bool>,
    cgroup: Option<String>,
    /// The disk under the engine's root, on a local engine.
    disk: Option<Disk>,
    reach: Reach,
    /// The networks from which planned faults have cut containers: where each comes back to.
    cut: Mutex<HashMap<String, Vec<fault::Plug>>>,
    /// Options that this engine was seen to refuse: they are not tried again.
    refused: Mutex<BTreeSet<Refusable>>,
    /// The way to each container that is not the plain one, by the container's identity.
    ways: Mutex<HashMap<String, Way>>,
    /// The folder under which the engine keeps its data.
    root: PathBuf,
    /// The starts in progress.
    starts: TaskTracker,
    /// The run's own network, once it was asked for.
    network: OnceCell<Option<Network>>,
}

/// The way to a container whose link is limited or that is reached through a proxy.
#[derive(Debug)]
struct Way {
    /// The link's rates in force.
    link: Option<Link>,
    /// Where its ports are without the proxy.
    direct: BTreeMap<u16, SocketAddr>,
    /// Hands on with a delay until the container is removed.
    #[expect(dead_code, reason = "it works for as long as it is held")]
    proxy: Option<Proxy>,
}

/// How this program reaches a container's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// At the container's own address: without docker-proxy, which costs a third of a millisecond
    /// and half of the throughput.
    Container,
    /// At published ports of this address.
    Published(IpAddr),
}

impl Reach {
    const fn publishes(self) -> bool {
        matches!(self, Self::Published(_))
    }

    /// What `{host}` stands for. A container that is reached directly gets its address only when
    /// it starts, and has to find it out itself; nothing is published, so this is its own loopback.
    const fn host(self) -> IpAddr {
        match self {
            Self::Container => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Self::Published(host) => host,
        }
    }
}

impl DockerHub {
    /// Reaches the engine at `engine`, or the usual one; see [`DockerHub::reach`].
    pub async fn open(engine: Option<&str>, run: &str) -> Result<Self, HubError> {
        Self::reach(&HubRequest::docker(engine.map(str::to_owned)), run).await
    }

    /// Reaches the engine that is asked for, or the one that Docker's own tools would take.
    ///
    /// `run` is the identity of the run, which every container carries as a label.
    pub async fn reach(request: &HubRequest, run: &str) -> Result<Self, HubError> {
        let address = Address::choose(request.engine.as_deref())?;
        let client = address.connect().await?;
        let info =
            within(ASK, client.info()).await.map_err(failed("asking the engine what it is"))?;
        let reach = if address.is_local() && has_reachable_bridge(&info) {
            Reach::Container
        } else {
            Reach::Published(match &request.address {
                Some(named) => connect::resolved(named).await?,
                None => address.published_at().await?,
            })
        };
        let root = info.docker_root_dir.as_deref().filter(|_| address.is_local());
        let engine = Engine {
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
            starts: TaskTracker::new(),
            network: OnceCell::new(),
            client,
            address,
        };
        Ok(Self { engine: Arc::new(engine) })
    }

    /// Every image on the hub that was built from a recipe of this program, newest first.
    pub async fn images(&self) -> Result<Vec<OwnImage>, HubError> {
        self.engine.own_images().await
    }

    /// Removes an image that was built from a recipe of this program; refuses any other.
    pub async fn remove_image(&self, reference: &str) -> Result<(), HubError> {
        self.engine.remove_image(reference).await
    }
}

/// Whether addresses of containers can be reached from this machine: not where the engine runs in
/// a network of its own, rootless or in a virtual machine.
fn has_reachable_bridge(info: &SystemInfo) -> bool {
    let rootless = info.security_options.iter().flatten().any(|option| option.contains("rootless"));
    let virtual_machine =
        info.operating_system.as_deref().is_some_and(|name| name.contains("Docker Desktop"));
    !rootless && !virtual_machine
}

#[async_trait]
impl Hub for DockerHub {
    fn kind(&self) -> HubKind {
        HubKind::Docker
    }

    fn place(&self) -> String {
        self.engine.address.to_string()
    }

    async fn facts(&self) -> Result<HubFacts, HubError> {
        let what = || failed("asking the engine what it is");
        let client = &self.engine.client;
        let info = within(ASK, client.info()).await.map_err(what())?;
        let version = within(ASK, client.version()).await.map_err(what())?;
        let api = client.client_version();
        Ok(HubFacts {
            api: Some(format!("{}.{}", api.major_version, api.minor_version)),
            shared_with_client: self.engine.address.is_local(),
            ..facts_of(info, &version)
        })
    }

    async fn digest(&self, image: &Image) -> Option<String> {
        let id = self.engine.image(image.reference()).await.ok()??.id?;
        Some(self.engine.content_digest(&id, image).await)
    }

    async fn image_size(&self, image: &Image) -> Option<Bytes> {
        let size = self.engine.image(image.reference()).await.ok()??.size?;
        u64::try_from(size).ok().map(Bytes)
    }

    async fn attend(&self, image: Option<&Image>) -> Result<Option<Attendance>, HubError> {
        if self.engine.address.is_local() && !self.engine.reach.publishes() {
            let here = vitals::tree::Tree::Folder("/".into());
            return Ok(Some(vitals::follow(here, self.engine.root.clone()).await));
        }
        let Some(image) = image else { return Ok(None) };
        Arc::clone(&self.engine).attend(image.reference()).await.map(Some)
    }

    async fn provide(
        &self,
        image: &Image,
        progress: mpsc::UnboundedSender<ImageStep>,
        cancel: CancellationToken,
    ) -> Result<(), HubError> {
        tokio::select! {
            biased;
            // Dropping the other branch closes its connection, at which the engine stops working.
            () = cancel.cancelled() => Err(HubError::Cancelled),
            provided = self.engine.provide(image, &progress) => provided,
        }
    }

    async fn prove(&self, limits: &Limits) -> Result<Vec<LimitInForce>, HubError> {
        self.engine.prove(limits).await
    }

    async fn start(
        &self,
        spec: &ServerSpec,
        limits: &Limits,
        earlier: &[Running],
    ) -> Result<Running, HubError> {
        Arc::clone(&self.engine).start(spec.clone(), *limits, earlier.to_vec()).await
    }

    fn watch(&self, server: &Running, clock: Clock) -> mpsc::Receiver<Sampled> {
        stats::watch(Arc::clone(&self.engine), server.id.clone(), clock)
    }

    async fn read(&self, server: &Running) -> Result<Reading, HubError> {
        if let Some(pid) = self.engine.first_process(&server.id).await {
            let id = server.id.clone();
            let files = tokio::task::spawn_blocking(move || cgroup::read(pid, &id)).await;
            if let Ok(Some(reading)) = files {
                return Ok(reading);
            }
        }
        stats::read(&self.engine, &server.id, &server.role).await
    }

    async fn data_size(&self, server: &Running) -> Option<Bytes> {
        self.engine.folder_size(&server.id, server.data_dir.as_deref()?).await
    }

    async fn disk_written(&self, _server: &Running) -> Option<Bytes> {
        self.engine.disk.as_ref()?.written()
    }

    fn block_source(&self) -> BlockSource {
        BlockSource::Engine
    }

    async fn life(&self, server: &Running) -> Life {
        self.engine.life(&server.id).await
    }

    async fn log(&self, server: &Running, lines: usize) -> Vec<String> {
        self.engine.log(&server.id, lines).await
    }

    async fn inflict(
        &self,
        server: &Running,
        fault: &FaultKind,
        limits: &Limits,
    ) -> Result<(), HubError> {
        self.engine.inflict(server, fault, limits).await
    }

    async fn relieve(
        &self,
        server: &Running,
        fault: &FaultKind,
        limits: &Limits,
    ) -> Result<(), HubError> {
        self.engine.relieve(server, fault, limits).await
    }

    async fn remove(&self, server: &Running) -> Result<(), HubError> {
        let what = format!("removing the container of {}", server.role);
        self.engine.remove(&server.id).await.map_err(failed(what))
    }

    async fn abandon(&self) -> Result<(), HubError> {
        self.engine.abandon().await
    }

    async fn sweep(&self) -> Result<Vec<String>, HubError> {
        self.engine.sweep().await
    }
}

impl Engine {
    fn ways(&self) -> MutexGuard<'_, HashMap<String, Way>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link of a container whose way is not the plain one, and where `port` is without a proxy.
    fn way(&self, container: &str, port: u16) -> Option<(Option<Link>, SocketAddr)> {
        let ways = self.ways();
        let way = ways.get(container)?;
        Some((way.link, *way.direct.get(&port)?))
    }

    fn left_out(&self) -> BTreeSet<Refusable> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn leave_out(&self, option: Refusable) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(option);
    }

    /// The first process of a running container, as a local engine numbers it.
    async fn first_process(&self, container: &str) -> Option<i32> {
        if !self.address.is_local() {
            return None;
        }
        let inspect = within(ASK, self.client.inspect_container(container, None)).await.ok()?;
        i32::try_from(inspect.state?.pid?).ok().filter(|&pid| pid > 0)
    }

    /// Removes all containers of this run, and its network. What is being started when nobody waits for it any more
    /// is removed by its own task; only then nothing new can appear on the list.
    async fn abandon(&self) -> Result<(), HubError> {
        self.starts.close();
        self.starts.wait().await;
        let label = format!("{}={}", owner::RUN, self.run);
        loop {
            let left = self.labelled(&label).await.map_err(failed("looking for servers"))?;
            if left.is_empty() {
                break;
            }
            for id in left.into_iter().filter_map(|container| container.id) {
                self.remove(&id).await.map_err(failed(format!("removing the container {id}")))?;
            }
            // One that was being removed already is on the list until that is done.
            tokio::time::sleep(REMOVAL_GLANCE).await;
        }
        self.leave_network().await.map_err(failed("removing the run's network"))
    }

    /// Every container with a label, the stopped ones included.
    async fn labelled(&self, label: &str) -> Result<Vec<ContainerSummary>, EngineError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        within(ASK, self.client.list_containers(Some(options))).await
    }

    /// Removes the containers and networks of runs whose process is dead on this machine.
    async fn sweep(&self) -> Result<Vec<String>, HubError> {
        let Some(judge) = &self.owner else { return Ok(Vec::new()) };
        let what = failed("looking for leftovers of dead runs");
        let containers = self.labelled(owner::RUN).await.map_err(what)?;
        let mut removed = Vec::new();
        for (id, name) in containers.iter().filter_map(|one| leftover(one, judge)) {
            self.remove(id).await.map_err(failed(format!("removing the leftover {name}")))?;
            removed.push(name);
        }
        let what = failed("removing the networks of dead runs");
        removed.extend(self.sweep_networks(judge).await.map_err(what)?);
        if matches!(self.address, Address::Ssh(_)) {
            // The sockets of dead runs' connections.
            let swept = tokio::task::spawn_blocking(|| folder::sweep(&folder::root())).await;
            removed.extend(swept.into_iter().flatten().flatten());
        }
        Ok(removed)
    }
}

/// Identity and description of a container, when it is known to be a leftover.
fn leftover<'a>(container: &'a ContainerSummary, judge: &Owner) -> Option<(&'a str, String)> {
    let labels = container.labels.as_ref()?;
    let run = labels.get(owner::RUN)?;
    let fate = Owner::from_labels(labels)?.fate(judge, owner::alive);
    let id = container.id.as_deref().filter(|_| fate == Fate::Dead)?;
    let role = labels.get(owner::ROLE).map_or("a server", String::as_str);
    let short = id.get(..12).unwrap_or(id);
    Some((id, format!("container {short}: {role} of run {run}")))
}

fn facts_of(info: SystemInfo, version: &SystemVersion) -> HubFacts {
    let name = version.components.iter().flatten().next().map(|component| component.name.as_str());
    let engine =
        if name.is_some_and(|name| name.starts_with("Podman")) { "podman" } else { "docker" };
    let positive =
        |value: Option<i64>| value.and_then(|v| u64::try_from(v).ok()).filter(|&v| v > 0);
    HubFacts {
        cores: positive(info.ncpu).and_then(|cores| u32::try_from(cores).ok()),
        memory: positive(info.mem_total).map(Bytes),
        kernel: info.kernel_version,
        os: info.operating_system,
        architecture: info.architecture,
        cgroup: info.cgroup_version.map(|v| v.to_string()).filter(|v| !v.is_empty()),
        memory_cgroup: info.memory_limit,
        storage_driver: info.driver,
        engine: info.server_version.map(|version| format!("{engine} {version}")),
        ..HubFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_reached_directly_only_where_that_can_work() {
        let info = |json: serde_json::Value| serde_json::from_value::<SystemInfo>(json).unwrap();
        let plain = serde_json::json!({"SecurityOptions": ["name=seccomp,profile=default"], "OperatingSystem": "Debian"});
        assert!(has_reachable_bridge(&info(plain)));
        let rootless = serde_json::json!({"SecurityOptions": ["name=seccomp", "name=rootless"]});
        assert!(!has_reachable_bridge(&info(rootless)));
        let desktop = serde_json::json!({"OperatingSystem": "Docker Desktop"});
        assert!(!has_reachable_bridge(&info(desktop)));
    }

    #[test]
    fn only_labelled_containers_of_dead_processes_are_leftovers() {
        let judge = Owner::this_process().unwrap();
        let container = |labels: HashMap<String, String>| ContainerSummary {
            id: Some("0123456789abcdef".to_owned()),
            labels: Some(labels),
            ..ContainerSummary::default()
        };
        let mut labels = HashMap::from(judge.labels());
        assert_eq!(leftover(&container(labels.clone()), &judge), None, "no run");
        labels.insert(owner::RUN.to_owned(), "r7".to_owned());
        assert_eq!(leftover(&container(labels.clone()), &judge), None, "living");
        labels.insert("hubmark.boot".to_owned(), "an earlier one".to_owned());
        let (id, name) = (Some("0123456789abcdef"), "container 0123456789ab: a server of run r7");
        let found = container(labels.clone());
        let found = leftover(&found, &judge);
        assert_eq!(
            (found.as_ref().map(|f| f.0), found.as_ref().map(|f| f.1.as_str())),
            (id, Some(name))
        );
        labels.remove("hubmark.pid");
        assert_eq!(leftover(&container(labels), &judge), None, "of an unknown process");
    }

    #[test]
    fn facts_are_taken_from_the_engine_and_missing_ones_stay_missing() {
        let info = serde_json::from_value(serde_json::json!({
            "Driver": "overlay2", "MemoryLimit": true, "CgroupVersion": "1", "NCPU": 2,
            "MemTotal": 25_276_100_608_u64, "KernelVersion": "6.18.44", "Architecture": "aarch64",
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "ServerVersion": "20.10.24+dfsg1"
        }))
        .unwrap();
        let facts = facts_of(info, &SystemVersion::default());
        assert_eq!(facts.engine.as_deref(), Some("docker 20.10.24+dfsg1"));
        assert_eq!((facts.cores, facts.memory), (Some(2), Some(Bytes(25_276_100_608))));
        assert_eq!((facts.cgroup.as_deref(), facts.memory_cgroup), (Some("1"), Some(true)));
        assert_eq!((facts.architecture.as_deref(), facts.model), (Some("aarch64"), None));
        let nothing = facts_of(SystemInfo::default(), &SystemVersion::default());
        assert_eq!((nothing.cores, nothing.engine, nothing.memory_cgroup), (None, None, None));
    }
}
