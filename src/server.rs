//! What runs on a hub: how a server is asked for, where it is reached, what it costs.
//!
//! A leaf that backends and hubs share: a backend says which servers it needs in these words, a
//! hub starts them and reads their resources, and neither knows the other.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::units::{ByteRate, Bytes, Celsius, Cpus};

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
    /// Arguments after the image's entry point.
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
