//! What runs on a hub: how a server is asked for, where it is reached, what it costs.
//!
//! A leaf that backends and hubs share: a backend says which servers it needs in these words, a
//! hub starts them and reads their resources, and neither knows the other.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::units::{ByteRate, Bytes, Celsius, Cpus, human_duration};

/// Where servers run.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum HubKind {
    /// Containers of a Docker engine.
    Docker,
    /// Child processes on this machine, no container.
    Local,
    /// Servers that run already: this program starts and stops none.
    External,
}

impl HubKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Local, Self::External];

    /// Its word in profiles and records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Local => "local",
            Self::External => "external",
        }
    }
}

/// One server that a backend needs; a backend lists them in the order in which they start.
#[derive(Debug, Clone)]
pub struct ServerSpec {
    /// The server's name within its backend, for example `kafka` or `zookeeper`.
    pub role: String,
    /// How it is started.
    pub launch: Launch,
    /// The ports on which clients reach it; the first is the main one.
    pub ports: Vec<u16>,
}

/// How a server is started.
#[derive(Debug, Clone)]
pub enum Launch {
    /// In a container of its own.
    Container(ContainerSpec),
    /// As a child process.
    Process(ProcessSpec),
    /// Not at all: it runs already, and goes on running.
    External(ExternalSpec),
}

/// A server that runs already.
#[derive(Debug, Clone)]
pub struct ExternalSpec {
    /// Where it answers; one of several is enough.
    pub endpoints: Vec<Endpoint>,
    /// Its container on the hub's engine, if it is named.
    pub container: Option<String>,
    /// Its process on this machine, if it is named.
    pub process: Option<i32>,
}

/// A host's name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address; an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Endpoint {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`; `usual` is the port where none is given.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, usual: u16) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("{text:?} is not host:port: {why}"));
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(port))),
                None => return wrong("a bracket is not closed"),
            },
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return wrong("an IPv6 address stands in brackets, as [::1]:1234");
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let plain = |c: char| c.is_alphanumeric() || "-_.:%".contains(c);
        if host.is_empty() || !host.chars().all(plain) {
            return wrong("it names no host");
        }
        let port = match port.map(str::parse) {
            None => usual,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return wrong("a port is a number from 1 to 65535"),
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A container to create. In `environment` and `arguments`, `{role}` stands for the address of a
/// server that was started earlier, `{host}` for the address by which clients outside the hub
/// reach it, and `{port:N}` for the outside port that leads to the container's port `N`. In
/// `environment`, `{self}` stands for the container's own address: its image must have `/bin/sh`.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// What it is made from.
    pub image: Image,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// What takes the place of the image's entry point, if anything.
    pub entry_point: Option<String>,
    /// Arguments after the entry point.
    pub arguments: Vec<String>,
    /// The folder inside in which the server keeps its data, if its growth can be measured.
    pub data_dir: Option<String>,
}

/// A server image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// Built on the hub from a recipe that is embedded in this program.
    Recipe {
        /// The recipe.
        recipe: &'static Recipe,
        /// Its `--build-arg`s.
        arguments: BTreeMap<String, String>,
        /// The name that the built image gets, for example `hubmark/kafka:2.8.0`.
        tag: String,
    },
    /// Pulled from a registry, or already there.
    Named(String),
}

impl Image {
    /// The name by which the engine knows the image.
    pub fn reference(&self) -> &str {
        match self {
            Self::Recipe { tag, .. } => tag,
            Self::Named(name) => name,
        }
    }
}

/// The files from which an image is built, relative to the build context's root.
#[derive(Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The recipe's name, which is its folder under `assets/images/`.
    pub name: &'static str,
    /// Path and content of each file; one is `Dockerfile`. `*.sh` become executable.
    pub files: &'static [(&'static str, &'static [u8])],
}

#[cfg(test)]
impl Recipe {
    /// Checks that it is made of every file of its folder, and of nothing else.
    ///
    /// # Panics
    /// When it is not.
    pub fn assert_whole(&self) {
        let images = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/images");
        let mut there: Vec<_> = std::fs::read_dir(images.join(self.name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        let mut embedded: Vec<_> = self.files.iter().map(|(name, _)| (*name).to_owned()).collect();
        embedded.sort();
        assert_eq!(embedded, there, "{}", self.name);
    }
}

/// A child process to start.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// The program; looked up on `PATH` when it has no slash.
    pub program: PathBuf,
    /// A command that must succeed before the program starts, for example to lay out its data.
    pub before: Option<Vec<String>>,
    /// Its arguments. `{dir}` stands for a fresh temporary folder, `{port}` for a free TCP port.
    pub arguments: Vec<String>,
    /// Files to write into the fresh folder before the start: name and content, mode 0600.
    pub files: Vec<(String, String)>,
    /// Environment variables added to ours.
    pub environment: Vec<(String, String)>,
}

/// Resource limits, so that a large machine can stand in for a smaller one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Limits {
    /// Cores that all threads of a server may use together.
    pub cpus: Option<Cpus>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Rate of writes that reach the disk (buffered writes are not slowed by the kernel).
    pub disk_write: Option<ByteRate>,
    /// Rate of the server's link, in each direction.
    #[serde(default)]
    pub link: Option<ByteRate>,
    /// Time that every byte between client and server takes longer, in each direction.
    #[serde(default, with = "crate::units::optional_seconds")]
    #[schemars(with = "Option<f64>")]
    pub delay: Option<Duration>,
}

/// What a limit is of.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Cores that all threads of a server use together.
    Cpus,
    /// Memory, in bytes.
    Memory,
    /// Writes that reach the disk, in bytes a second.
    DiskWrite,
    /// What the server sends, in bytes a second.
    LinkOut,
    /// What the server receives, in bytes a second.
    LinkIn,
    /// Time added to every byte's way in each direction, in seconds.
    Delay,
}

/// One limit: what was asked, what the kernel says, and what a short load came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LimitInForce {
    /// Of what.
    pub limit: LimitKind,
    /// What was asked, in the unit of [`LimitKind`].
    pub asked: f64,
    /// What the kernel has in force, read back in a container under these limits; `null` where
    /// there is nothing to read (a delay is not the kernel's).
    pub in_force: Option<f64>,
    /// What was measured in that container before the run: below the limit where the hub gave less
    /// at that moment; `null` where it was not measured (memory above 1 GiB).
    pub measured: Option<f64>,
}

impl LimitInForce {
    /// A limit and what was found.
    pub const fn new(
        limit: LimitKind,
        asked: f64,
        in_force: Option<f64>,
        measured: Option<f64>,
    ) -> Self {
        Self { limit, asked, in_force, measured }
    }

    /// What speaks against the limit being in force: a figure of the kernel's that is another one,
    /// a measured value beyond `excess` times the limit (a delay below it), or nothing known at all.
    pub fn contradiction(&self, excess: f64) -> Option<String> {
        // Kernels round to pages and to whole microseconds of a period.
        let rounded = |found: f64| (found - self.asked).abs() <= self.asked * 0.01 + f64::EPSILON;
        if self.in_force.is_some_and(|found| !rounded(found)) {
            return Some(format!("{self}: the kernel has another limit in force"));
        }
        let broken = |found: f64| match self.limit {
            LimitKind::Delay => found < self.asked / excess,
            _ => found > self.asked * excess,
        };
        if self.measured.is_some_and(broken) {
            return Some(format!("{self}: it does not hold"));
        }
        let unknown = self.in_force.is_none() && self.measured.is_none();
        unknown.then(|| format!("{self}: whether it holds cannot be found out there"))
    }
}

impl std::fmt::Display for LimitInForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = |value: f64| match self.limit {
            LimitKind::Cpus => Cpus(value).to_string(),
            LimitKind::Memory => Bytes(value as u64).to_string(),
            LimitKind::DiskWrite | LimitKind::LinkOut | LimitKind::LinkIn => {
                ByteRate(value).to_string()
            }
            LimitKind::Delay => {
                human_duration(Duration::try_from_secs_f64(value).unwrap_or_default())
            }
        };
        let name = match self.limit {
            LimitKind::Cpus => "cpus",
            LimitKind::Memory => "memory",
            LimitKind::DiskWrite => "disk writes",
            LimitKind::LinkOut => "link out",
            LimitKind::LinkIn => "link in",
            LimitKind::Delay => "delay each way",
        };
        write!(f, "{name} {} asked", value(self.asked))?;
        if let Some(found) = self.in_force {
            write!(f, ", {} in force", value(found))?;
        }
        match self.measured {
            Some(found) => write!(f, ", {} measured", value(found)),
            None => f.write_str(", not measured"),
        }
    }
}

/// A server that was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    /// The server's name within its backend.
    pub role: String,
    /// The container's or the process's identity on the hub.
    pub id: String,
    /// The address at which this program reaches it.
    pub address: IpAddr,
    /// The port to use for each port of the specification.
    pub ports: BTreeMap<u16, u16>,
    /// The image, or the program, that it runs.
    pub image: String,
    /// The image's content digest, where there is an image.
    pub digest: Option<String>,
    /// The folder with the server's data, as the hub can find it again.
    pub data_dir: Option<String>,
    /// The files of `ProcessSpec`/container that a client needs, for example a socket; unused by containers.
    #[serde(default)]
    pub dir: Option<PathBuf>,
}

impl Running {
    /// `address:port` at which this program reaches the server's own port `port`.
    pub fn endpoint(&self, port: u16) -> std::net::SocketAddr {
        (self.address, self.ports.get(&port).copied().unwrap_or(port)).into()
    }
}

/// Where a figure of bytes read and written comes from, since some hosts count none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlockSource {
    /// The engine's block I/O counters of the container.
    Engine,
    /// The growth of the server's data folder (writes only).
    DataDirectory,
    /// The host's disk counters: everything that the machine wrote.
    HostDisk,
    /// The process's own counters.
    Process,
}

/// Counters of one server at one moment, as its hub gives them. `None` is *not measured*, never 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reading {
    /// Processor time used since the start, of all cores together.
    #[serde(default, with = "crate::units::optional_seconds")]
    #[schemars(with = "Option<f64>")]
    pub cpu: Option<Duration>,
    /// Memory as `docker stats` counts it: without inactive page cache.
    pub memory: Option<Bytes>,
    /// Memory held by the processes themselves: heap, stacks, anonymous pages.
    pub resident: Option<Bytes>,
    /// Page cache charged to the server.
    pub cache: Option<Bytes>,
    /// Bytes read from block devices since the start.
    pub block_read: Option<Bytes>,
    /// Bytes written to block devices since the start.
    pub block_written: Option<Bytes>,
    /// Bytes received over the network since the start.
    pub network_received: Option<Bytes>,
    /// Bytes sent over the network since the start.
    pub network_sent: Option<Bytes>,
    /// Threads or tasks.
    pub tasks: Option<u64>,
    /// Time for which the server was held back by its CPU limit.
    #[serde(default, with = "crate::units::optional_seconds")]
    #[schemars(with = "Option<f64>")]
    pub throttled: Option<Duration>,
}

/// Whether a server still runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Running,
    /// It ended: exit code, and whether the kernel killed it for want of memory.
    Ended {
        /// Exit code, where there is one.
        code: Option<i64>,
        /// Killed because its memory limit was reached.
        out_of_memory: bool,
    },
    /// The hub knows nothing of it any more.
    Gone,
}

/// What a hub is, for the record. `None` is *not known*.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HubFacts {
    /// The machine's model, from the device tree or its firmware.
    pub model: Option<String>,
    /// The processor's name.
    pub cpu: Option<String>,
    /// Cores.
    pub cores: Option<u32>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Operating system.
    pub os: Option<String>,
    /// Architecture, as the engine names it.
    pub architecture: Option<String>,
    /// cgroup version, `1` or `2`.
    pub cgroup: Option<String>,
    /// Whether memory can be measured and limited (Raspberry Pi OS ships with it off).
    pub memory_cgroup: Option<bool>,
    /// The engine's storage driver.
    pub storage_driver: Option<String>,
    /// The engine and its version, for example `docker 27.1`.
    pub engine: Option<String>,
    /// Version of the engine's API in use.
    pub api: Option<String>,
    /// Whether the hub is this machine: client and servers then share its cores.
    pub shared_with_client: bool,
    /// What the operator was warned of before the run: a way without encryption, what the engine
    /// lacks.
    #[serde(default)]
    pub cautions: Vec<String>,
    /// The disk under the servers' data and its own name, for example `/dev/mmcblk0 (SD32G)`.
    #[serde(default)]
    pub storage_device: Option<String>,
    /// The file system under the servers' data, for example `ext4`.
    #[serde(default)]
    pub file_system: Option<String>,
    /// Mean time of a synchronous write of 4 KiB there, in seconds.
    #[serde(default, with = "crate::units::optional_seconds")]
    #[schemars(with = "Option<f64>")]
    pub fsync: Option<Duration>,
    /// What decides on the processor's clock: the `cpufreq` governor of its first core.
    #[serde(default)]
    pub governor: Option<String>,
    /// The highest clock of the processor's first core, in MHz.
    #[serde(default)]
    pub clock_max_mhz: Option<f64>,
    /// Temperature of the processor when the run began.
    #[serde(default)]
    pub temperature: Option<Celsius>,
    /// Temperature at which the kernel begins to lower the clock, where it names one.
    #[serde(default)]
    pub temperature_limit: Option<Celsius>,
    /// The firmware's throttle bits when the run began, as `vcgencmd get_throttled` shows them
    /// (Raspberry Pi only); see [`crate::measure::Vitals::throttle_bits`].
    #[serde(default)]
    pub throttle_bits: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_people_write_them() {
        let read = |text: &str| Endpoint::parse(text, 9).map(|endpoint| endpoint.to_string());
        for (text, said) in [
            ("pi", "pi:9"),
            ("pi.local:1234", "pi.local:1234"),
            ("10.0.0.7:1", "10.0.0.7:1"),
            ("[::1]:1234", "[::1]:1234"),
            ("[fe80::1%eth0]", "[fe80::1%eth0]:9"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(said), "{text}");
        }
        for text in ["", ":1", "pi:", "pi:0", "pi:65536", "::1", "[::1", "a b:1", "u:p@pi:1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_that_does_not_hold_is_found_out() {
        let of = |limit, asked, in_force, measured| {
            LimitInForce::new(limit, asked, in_force, measured).contradiction(1.25)
        };
        assert_eq!(of(LimitKind::Cpus, 0.5, Some(0.5), Some(0.52)), None);
        assert_eq!(of(LimitKind::Cpus, 0.5, Some(0.5), Some(0.2)), None, "a busy hub");
        assert_eq!(of(LimitKind::Memory, 2e9, Some(2e9), None), None);
        assert!(of(LimitKind::Cpus, 0.5, Some(2.0), Some(0.5)).is_some());
        assert!(of(LimitKind::DiskWrite, 5e6, Some(5e6), Some(5e7)).is_some());
        assert!(of(LimitKind::DiskWrite, 5e6, None, None).is_some());
        assert_eq!(of(LimitKind::Delay, 0.005, None, Some(0.0052)), None);
        assert_eq!(of(LimitKind::Delay, 0.005, None, Some(0.02)), None, "a busy client");
        assert!(of(LimitKind::Delay, 0.005, None, Some(0.001)).is_some());
    }

    #[test]
    fn limits_are_said_in_their_units() {
        let said = |limit, asked, in_force, measured| {
            LimitInForce::new(limit, asked, in_force, measured).to_string()
        };
        assert_eq!(
            said(LimitKind::LinkOut, 12.5e6, Some(12.5e6), Some(11.7e6)),
            "link out 12.5 MB/s asked, 12.5 MB/s in force, 11.7 MB/s measured"
        );
        assert_eq!(
            said(LimitKind::Delay, 0.005, None, Some(0.0051)),
            "delay each way 5 ms asked, 5.1 ms measured"
        );
        assert_eq!(
            said(LimitKind::Memory, 4e9, Some(4e9), None),
            "memory 4 GB asked, 4 GB in force, not measured"
        );
    }
}
