//! One clean container: asked for, started, addressed; or cleared away when that fails.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use bollard::{
    errors::Error as EngineError,
    models::{
        ContainerCreateBody, ContainerInspectResponse, HealthConfig, HostConfig,
        HostConfigLogConfig, PortBinding, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
        ThrottleDevice,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    },
};
use futures_util::StreamExt;
use rand::RngExt;
use tokio::sync::oneshot;

use super::{
    Engine, Reach, Way,
    call::{ASK, WORK, failed, plain, status, within, words},
    owner,
    placeholder::{Placeholders, SELF, own_address_script},
};
use crate::{
    hub::{HubError, delay::Proxy},
    server::{ContainerSpec, Image, Launch, Life, Limits, Running, ServerSpec},
};

/// Open files and sockets that a server may have. Thousands of connections need more than many
/// engines grant by themselves.
const OPEN_FILES: i64 = 65_536;
/// Where free ports of a remote hub are looked for: below those that Linux gives to clients.
const PORTS: std::ops::Range<u16> = 20_000..32_768;
/// Attempts to start a container: each may meet a taken port or an option that the engine refuses.
const ATTEMPTS: u32 = 8;
/// A server that ends within this time after its start is reported with the start.
const FIRST_BREATH: Duration = Duration::from_millis(100);
/// Log lines in the error of a start.
const LOG_LINES: usize = 15;
/// cgroup v1 counts block I/O only under some throttle rule: one that nothing will ever reach.
pub(super) const UNREACHABLE_RATE: i64 = 100_000_000_000;

/// An option that an engine may refuse, and without which a server still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusable {
    /// A raised limit of open files.
    OpenFiles,
    /// The throttle rule that makes block I/O counted.
    BlockCounting,
}

impl Refusable {
    /// Whether a start may do without: not where the operator asked for it.
    const fn is_ours(self, limits: &Limits) -> bool {
        match self {
            Self::OpenFiles => true,
            Self::BlockCounting => limits.disk_write.is_none(),
        }
    }
}

/// What a message of the engine says about a failed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    PortTaken,
    Option(Refusable),
    Other,
}

impl Refusal {
    /// Sorts the engine's words, which are all that it gives.
    fn of(message: &str) -> Self {
        let message = message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(&["port is already allocated", "address already in use"]) {
            Self::PortTaken
        } else if says(&["rlimit"]) {
            Self::Option(Refusable::OpenFiles)
        } else if says(&["blkio", "throttle", "io.max"]) {
            Self::Option(Refusable::BlockCounting)
        } else {
            Self::Other
        }
    }
}

impl Engine {
    /// Starts a server in a task of its own: when the caller goes away in the middle, the
    /// container is still known to somebody, who then removes it.
    pub(super) async fn start(
        self: Arc<Self>,
        spec: ServerSpec,
        limits: Limits,
        earlier: Vec<Running>,
    ) -> Result<Running, HubError> {
        let (tell, told) = oneshot::channel();
        let engine = Arc::clone(&self);
        self.starts.spawn(async move {
            let started = engine.launch(&spec, &limits, &earlier).await;
            if let Err(Ok(orphan)) = tell.send(started) {
                engine.discard(&orphan.id).await;
            }
        });
        told.await.unwrap_or(Err(HubError::Cancelled))
    }

    async fn launch(
        &self,
        spec: &ServerSpec,
        limits: &Limits,
        earlier: &[Running],
    ) -> Result<Running, HubError> {
        let failed = |reason| HubError::Start { role: spec.role.clone(), reason };
        let Launch::Container(container) = &spec.launch else {
            return Err(failed("the docker hub starts containers, not processes".to_owned()));
        };
        self.check_limits(limits).map_err(failed)?;
        let servers = self.inside_addresses(earlier).await?;
        let entry = self.entry(container).await?;
        let mut left_out = self.left_out();
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let ports = self.outside_ports(&spec.ports);
            let proxy = limits.delay.map(|delay| Proxy::bind(&spec.ports, delay)).transpose();
            let proxy = proxy.map_err(|error| failed(format!("no port for the delay: {error}")))?;
            let placeholders = Placeholders {
                servers: servers.clone(),
                host: proxy.as_ref().map_or(self.reach.host(), |_| Proxy::address()),
                ports: proxy.as_ref().map_or(&ports, Proxy::ports).clone(),
            };
            let mut body =
                self.body(&spec.role, container, limits, &left_out, &placeholders, &ports);
            if let Some(network) = self.network().await {
                body.networking_config = Some(network.joined());
                if let Some(host) = &mut body.host_config {
                    host.network_mode = Some(network.name().to_owned());
                }
            }
            if let Some(entry) = &entry {
                entry.lead(&mut body, &placeholders, &container.environment);
            }
            match self.once(container, &spec.role, limits, body, ports).await {
                Ok(running) => return self.make_way(running, limits, proxy).await.map_err(failed),
                Err(reason) => last = reason,
            }
            match Refusal::of(&last) {
                Refusal::PortTaken if self.reach.publishes() => {}
                Refusal::Option(option) if option.is_ours(limits) && left_out.insert(option) => {
                    tracing::warn!("the engine refuses {option:?}, going on without: {last}");
                    self.leave_out(option);
                }
                _ => break,
            }
        }
        Err(failed(last))
    }

    /// Limits the link of a container that has just started, and leads the way to it through the
    /// proxy that was prepared. On failure the container is removed.
    async fn make_way(
        &self,
        mut server: Running,
        limits: &Limits,
        proxy: Option<Proxy>,
    ) -> Result<Running, String> {
        if limits.link.is_none() && proxy.is_none() {
            return Ok(server);
        }
        let direct: BTreeMap<_, _> =
            server.ports.keys().map(|&port| (port, server.endpoint(port))).collect();
        let made = async {
            let link = match limits.link {
                Some(rate) => Some(self.limit_link(&server.id, rate).await?),
                None => None,
            };
            let mut proxy = proxy;
            if let Some(proxy) = &mut proxy {
                proxy.serve(&direct).map_err(|error| format!("no delay: {error}"))?;
            }
            Ok((link, proxy))
        };
        match made.await {
            Ok((link, proxy)) => {
                if let Some(proxy) = &proxy {
                    server.address = Proxy::address();
                    server.ports.clone_from(proxy.ports());
                }
                self.ways().insert(server.id.clone(), Way { link, direct, proxy });
                Ok(server)
            }
            Err(reason) => {
                self.discard(&server.id).await;
                Err(reason)
            }
        }
    }

    /// A limit that cannot be held is refused: a figure under a limit that was not in force would
    /// be a lie.
    fn check_limits(&self, limits: &Limits) -> Result<(), String> {
        if let (Some(asked), Some(cores)) = (limits.cpus, self.cores)
            && asked.0 > f64::from(cores)
        {
            return Err(format!(
                "a limit of {asked} cannot be in force there: the hub has {cores} cores; set \
                 hub.limits.cpus to no more than that"
            ));
        }
        if limits.memory.is_some() && self.memory_cgroup == Some(false) {
            return Err("memory cannot be limited there: the memory cgroup is off. On a \
                        Raspberry Pi add cgroup_enable=memory to the kernel's command line \
                        (/boot/firmware/cmdline.txt) and reboot"
                .to_owned());
        }
        if limits.disk_write.is_some() && self.disk.is_none() {
            return Err("the rate of disk writes cannot be limited: the disk under the engine's \
                        root is not known"
                .to_owned());
        }
        Ok(())
    }

    /// One attempt. On failure the container is removed, and the error carries its last lines.
    async fn once(
        &self,
        container: &ContainerSpec,
        role: &str,
        limits: &Limits,
        body: ContainerCreateBody,
        ports: BTreeMap<u16, u16>,
    ) -> Result<Running, String> {
        let name = format!("hubmark-{}-{:08x}", file_name(role), rand::rng().random::<u32>());
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let id = match within(WORK, self.client.create_container(Some(options), body)).await {
            Ok(created) => {
                if let Some(broken) = broken_promise(&created.warnings, limits) {
                    self.discard(&created.id).await;
                    return Err(broken);
                }
                created.id
            }
            Err(error) => {
                // A create that timed out may yet have been done; the name is ours alone.
                self.discard(&name).await;
                return Err(words(&error));
            }
        };
        let started = match within(WORK, self.client.start_container(&id, None)).await {
            Ok(()) => self.settle(&id).await,
            Err(error) => Err(words(&error)),
        };
        match started {
            Ok(found) => Ok(self.running(container, role, id, ports, &found).await),
            Err(reason) => {
                let reason = with_log(reason, &self.log(&id, LOG_LINES).await);
                self.discard(&id).await;
                Err(reason)
            }
        }
    }

    /// How the image starts, where the container's own address has to be filled in first.
    async fn entry(&self, container: &ContainerSpec) -> Result<Option<Entry>, HubError> {
        if container.environment.iter().all(|(_, value)| !value.contains(SELF)) {
            return Ok(None);
        }
        let reference = container.image.reference();
        let config = self.image(reference).await?.and_then(|image| image.config);
        let config = config.ok_or_else(|| HubError::Operation {
            what: format!("looking how {reference} is started"),
            reason: "the engine has no such image".to_owned(),
        })?;
        Ok(Some(Entry {
            point: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
        }))
    }

    /// Waits for the first breath of a started container; returns its address and image.
    async fn settle(&self, id: &str) -> Result<Found, String> {
        let mut exit = Box::pin(self.client.wait_container(id, None));
        let _ = tokio::time::timeout(FIRST_BREATH, exit.next()).await;
        let inspect = within(ASK, self.client.inspect_container(id, None))
            .await
            .map_err(|error| words(&error))?;
        if let Life::Ended { code, out_of_memory } = life_of(&inspect) {
            let code = code.map_or_else(String::new, |code| format!(" with exit code {code}"));
            let why = if out_of_memory { ", killed for want of memory" } else { "" };
            return Err(format!("it ended at once{code}{why}"));
        }
        let address = match self.reach {
            Reach::Container => {
                bridge_address(&inspect).ok_or("it got no address on any network")?
            }
            Reach::Published(host) => host,
        };
        Ok(Found { address, image: inspect.image })
    }

    async fn running(
        &self,
        container: &ContainerSpec,
        role: &str,
        id: String,
        ports: BTreeMap<u16, u16>,
        found: &Found,
    ) -> Running {
        let digest = match &found.image {
            Some(id) => Some(self.content_digest(id, &container.image).await),
            None => None,
        };
        Running {
            role: role.to_owned(),
            id,
            address: found.address,
            ports,
            image: container.image.reference().to_owned(),
            digest,
            data_dir: container.data_dir.clone(),
            dir: None,
        }
    }

    /// What tells the content of `image` apart, which the engine knows by `id`.
    pub(super) async fn content_digest(&self, id: &str, image: &Image) -> String {
        let pulled = match image {
            Image::Named(_) => self.pulled_digest(id).await,
            Image::Recipe { .. } => None,
        };
        pulled.unwrap_or_else(|| id.to_owned())
    }

    /// The digest under which a registry knows an image, by which it can be pulled again.
    async fn pulled_digest(&self, image: &str) -> Option<String> {
        let digests = self.image(image).await.ok()??.repo_digests?;
        digests.first()?.split_once('@').map(|(_, digest)| digest.to_owned())
    }

    /// Addresses of earlier servers within the hub, where published ports are a detour.
    async fn inside_addresses(
        &self,
        earlier: &[Running],
    ) -> Result<HashMap<String, IpAddr>, HubError> {
        let mut servers = HashMap::new();
        for server in earlier {
            let proxied = self.ways().contains_key(&server.id);
            let address = match self.reach {
                Reach::Container if !proxied => server.address,
                Reach::Container | Reach::Published(_) => {
                    let what = || format!("finding the address of {}", server.role);
                    let inspect = within(ASK, self.client.inspect_container(&server.id, None))
                        .await
                        .map_err(failed(what()))?;
                    bridge_address(&inspect).ok_or_else(|| HubError::Operation {
                        what: what(),
                        reason: "it has none".to_owned(),
                    })?
                }
            };
            servers.insert(server.role.clone(), address);
        }
        Ok(servers)
    }

    /// The outside port for each inside one: itself when the container is reached directly,
    /// otherwise one that is likely to be free.
    fn outside_ports(&self, ports: &[u16]) -> BTreeMap<u16, u16> {
        if !self.reach.publishes() {
            return ports.iter().map(|&port| (port, port)).collect();
        }
        let mut random = rand::rng();
        let mut chosen = BTreeMap::new();
        for &port in ports {
            let mut outside = random.random_range(PORTS);
            while chosen.values().any(|&taken| taken == outside) {
                outside = random.random_range(PORTS);
            }
            chosen.insert(port, outside);
        }
        chosen
    }

    fn body(
        &self,
        role: &str,
        container: &ContainerSpec,
        limits: &Limits,
        left_out: &BTreeSet<Refusable>,
        placeholders: &Placeholders,
        ports: &BTreeMap<u16, u16>,
    ) -> ContainerCreateBody {
        let environment = container
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={}", placeholders.fill(value)))
            .collect();
        let arguments: Vec<_> =
            container.arguments.iter().map(|argument| placeholders.fill(argument)).collect();
        ContainerCreateBody {
            image: Some(container.image.reference().to_owned()),
            env: Some(environment),
            cmd: (!arguments.is_empty()).then_some(arguments),
            labels: Some(self.labels(role)),
            exposed_ports: Some(ports.keys().map(|port| format!("{port}/tcp")).collect()),
            // A health check of the image's own would cost up to a fifth of a core.
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            host_config: Some(self.host_config(limits, left_out, placeholders, ports)),
            ..ContainerCreateBody::default()
        }
    }

    /// The labels by which a container of this run is found again.
    pub(super) fn labels(&self, role: &str) -> HashMap<String, String> {
        let mut labels: HashMap<String, String> =
            self.owner.iter().flat_map(owner::Owner::labels).collect();
        labels.insert(owner::RUN.to_owned(), self.run.clone());
        labels.insert(owner::ROLE.to_owned(), role.to_owned());
        labels
    }

    fn host_config(
        &self,
        limits: &Limits,
        left_out: &BTreeSet<Refusable>,
        placeholders: &Placeholders,
        ports: &BTreeMap<u16, u16>,
    ) -> HostConfig {
        let memory = limits.memory.and_then(|bytes| i64::try_from(bytes.0).ok());
        let open_files = ResourcesUlimits {
            name: Some("nofile".to_owned()),
            soft: Some(OPEN_FILES),
            hard: Some(OPEN_FILES),
        };
        let bindings = ports.iter().map(|(inside, outside)| {
            let binding = PortBinding { host_ip: None, host_port: Some(outside.to_string()) };
            (format!("{inside}/tcp"), Some(vec![binding]))
        });
        // Some clients ask for the name behind an address, and in a field cabinet no name server
        // answers: what a container needs to know is in its own hosts file.
        let neighbours = placeholders.servers.iter().map(|(role, at)| format!("{role}:{at}"));
        HostConfig {
            extra_hosts: Some(neighbours.collect()),
            nano_cpus: limits.cpus.map(|cpus| (cpus.0 * 1e9).round() as i64),
            memory,
            memory_swap: memory,
            blkio_device_write_bps: self.disk_rule(limits, left_out).map(|rule| vec![rule]),
            ulimits: (!left_out.contains(&Refusable::OpenFiles)).then(|| vec![open_files]),
            port_bindings: self.reach.publishes().then(|| bindings.collect()),
            auto_remove: Some(false),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), "10m".to_owned()),
                    ("max-file".to_owned(), "2".to_owned()),
                ])),
            }),
            ..HostConfig::default()
        }
    }

    /// The write limit asked for, or on cgroup v1 the rule that only makes the kernel count.
    fn disk_rule(&self, limits: &Limits, left_out: &BTreeSet<Refusable>) -> Option<ThrottleDevice> {
        let rate = match limits.disk_write {
            Some(rate) => rate.0.max(1.0) as i64,
            None if self.cgroup.as_deref() == Some("1")
                && !left_out.contains(&Refusable::BlockCounting) =>
            {
                UNREACHABLE_RATE
            }
            None => return None,
        };
        let path = self.disk.as_ref()?.device.clone();
        Some(ThrottleDevice { path: Some(path), rate: Some(rate) })
    }

    /// Whether a container still runs. An engine that does not answer says nothing about its
    /// containers: they are taken to run until it does.
    pub(super) async fn life(&self, id: &str) -> Life {
        match within(ASK, self.client.inspect_container(id, None)).await {
            Ok(inspect) => life_of(&inspect),
            Err(error) if status(&error) == Some(404) => Life::Gone,
            Err(error) => {
                tracing::warn!("asking for the state of {id}: {}", words(&error));
                Life::Running
            }
        }
    }

    /// The last lines of a container's output; those that came before an error are returned.
    pub(super) async fn log(&self, id: &str, lines: usize) -> Vec<String> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let mut output = Box::pin(self.client.logs(id, Some(options)));
        let mut text = Vec::new();
        while let Ok(Some(piece)) = within(ASK, async { output.next().await.transpose() }).await {
            text.extend_from_slice(&piece.into_bytes());
        }
        let text = String::from_utf8_lossy(&text);
        let all: Vec<_> = text.lines().map(plain).filter(|line| !line.trim().is_empty()).collect();
        all[all.len().saturating_sub(lines)..].to_vec()
    }

    /// Removes a container with its anonymous volumes; succeeds when it is already gone.
    pub(super) async fn remove(&self, id: &str) -> Result<(), EngineError> {
        self.ways().remove(id);
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match within(WORK, self.client.remove_container(id, Some(options))).await {
            // 409: somebody else is at it.
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            other => other,
        }
    }

    pub(super) async fn discard(&self, id: &str) {
        if let Err(error) = self.remove(id).await {
            tracing::warn!("the container {id} could not be removed: {}", words(&error));
        }
    }
}

/// How an image starts: its entry point and what it runs where no arguments are given.
struct Entry {
    point: Vec<String>,
    command: Vec<String>,
}

impl Entry {
    /// Lets a shell find the container's own address and then start what the image would have
    /// started.
    fn lead(
        &self,
        body: &mut ContainerCreateBody,
        placeholders: &Placeholders,
        environment: &[(String, String)],
    ) {
        let filled: Vec<_> = environment
            .iter()
            .map(|(name, value)| (name.clone(), placeholders.fill(value)))
            .collect();
        let Some(script) = own_address_script(&filled) else { return };
        let arguments = body.cmd.take().unwrap_or_else(|| self.command.clone());
        body.entrypoint = Some(["/bin/sh", "-c", &script, "sh"].map(str::to_owned).to_vec());
        body.cmd = Some(self.point.iter().cloned().chain(arguments).collect());
    }
}

/// What is known of a container once it runs.
struct Found {
    address: IpAddr,
    image: Option<String>,
}

/// A limit that was asked for and that the engine has silently let go, in the engine's words.
fn broken_promise(warnings: &[String], limits: &Limits) -> Option<String> {
    warnings.iter().map(|warning| (warning, warning.to_lowercase())).find_map(|(said, words)| {
        let asked = (limits.memory.is_some() && words.contains("memory limit"))
            || (limits.cpus.is_some() && words.contains("cpu"))
            || (limits.disk_write.is_some() && words.contains("bps"));
        (asked && words.contains("discarded"))
            .then(|| format!("a limit cannot be held there: {}", said.trim()))
    })
}

fn life_of(inspect: &ContainerInspectResponse) -> Life {
    let Some(state) = &inspect.state else { return Life::Running };
    if state.running != Some(false) {
        return Life::Running;
    }
    Life::Ended { code: state.exit_code, out_of_memory: state.oom_killed == Some(true) }
}

/// The container's own address, on the first network that gives it one.
fn bridge_address(inspect: &ContainerInspectResponse) -> Option<IpAddr> {
    let networks = inspect.network_settings.as_ref()?.networks.as_ref()?;
    networks.values().find_map(|network| network.ip_address.as_ref()?.parse().ok())
}

/// More cores than there are would be refused.
pub(super) fn nano_cpus(asked: f64, cores: Option<u32>) -> i64 {
    let there = cores.map_or(f64::INFINITY, f64::from);
    (asked.min(there) * 1e9).round() as i64
}

fn with_log(reason: String, log: &[String]) -> String {
    if log.is_empty() {
        return reason;
    }
    format!("{reason}; its last lines:\n  {}", log.join("\n  "))
}

/// A role as a part of a container's name.
fn file_name(role: &str) -> String {
    role.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_tell_what_to_do_about_a_refused_start() {
        let cases = [
            (
                "driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:9092 failed: port is already allocated",
                Refusal::PortTaken,
            ),
            (
                "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use",
                Refusal::PortTaken,
            ),
            (
                "runc create failed: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted",
                Refusal::Option(Refusable::OpenFiles),
            ),
            (
                "failed to write to /sys/fs/cgroup/blkio/docker/x/blkio.throttle.write_bps_device: no such device",
                Refusal::Option(Refusable::BlockCounting),
            ),
            (
                "failed to write \"254:0 wbps=1\" to io.max: no such file",
                Refusal::Option(Refusable::BlockCounting),
            ),
            ("exec: \"nonsense\": executable file not found in $PATH", Refusal::Other),
        ];
        for (message, expected) in cases {
            assert_eq!(Refusal::of(message), expected, "{message}");
        }
    }

    #[test]
    fn a_limit_that_was_asked_for_is_never_left_out() {
        let limited = Limits { disk_write: Some(crate::units::ByteRate(1e6)), ..Limits::default() };
        assert!(!Refusable::BlockCounting.is_ours(&limited));
        assert!(Refusable::BlockCounting.is_ours(&Limits::default()));
        assert!(Refusable::OpenFiles.is_ours(&limited));
    }

    #[test]
    fn a_limit_that_the_engine_lets_go_is_an_error_only_where_it_was_asked_for() {
        let warnings = [
            "Your kernel does not support BPS Block I/O write limit or the cgroup is not mounted. \
             Block I/O BPS write limit discarded."
                .to_owned(),
            "Your kernel does not support swap limit capabilities. Memory limited without swap."
                .to_owned(),
        ];
        let memory = Limits { memory: Some(crate::units::Bytes(1 << 30)), ..Limits::default() };
        assert_eq!(broken_promise(&warnings, &memory), None);
        let disk = Limits { disk_write: Some(crate::units::ByteRate(1e6)), ..memory };
        assert!(broken_promise(&warnings, &disk).is_some_and(|text| text.contains("BPS")));
    }

    #[test]
    fn cores_are_clamped_to_those_there() {
        assert_eq!(nano_cpus(0.5, Some(2)), 500_000_000);
        assert_eq!(nano_cpus(4.0, Some(2)), 2_000_000_000);
        assert_eq!(nano_cpus(4.0, None), 4_000_000_000);
    }

    #[test]
    fn a_state_is_read() {
        let of = |state: serde_json::Value| {
            life_of(&serde_json::from_value(serde_json::json!({ "State": state })).unwrap())
        };
        let running = serde_json::json!({"Status": "running", "Running": true, "OOMKilled": false, "ExitCode": 0});
        assert_eq!(of(running), Life::Running);
        let killed = serde_json::json!({"Status": "exited", "Running": false, "OOMKilled": true, "ExitCode": 137});
        assert_eq!(of(killed), Life::Ended { code: Some(137), out_of_memory: true });
        let paused = serde_json::json!({"Status": "paused", "Running": true, "Paused": true});
        assert_eq!(of(paused), Life::Running);
    }

    #[test]
    fn the_first_address_is_taken() {
        let inspect = serde_json::from_value(serde_json::json!({"NetworkSettings": {"Networks": {
            "none": {"IPAddress": ""}, "bridge": {"IPAddress": "172.17.0.4"}}}}))
        .unwrap();
        assert_eq!(bridge_address(&inspect), Some(IpAddr::from([172, 17, 0, 4])));
        assert_eq!(bridge_address(&ContainerInspectResponse::default()), None);
    }
}
