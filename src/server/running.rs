//! Servers in operation: addresses, resource readings and states.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::units::Bytes;

/// A running server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunningServer {
    /// Name of the server within its backend.
    pub role: String,
    /// Identity of the container or process on the hub.
    pub id: String,
    /// Address at which this program reaches the server.
    pub address: IpAddr,
    /// Port to use for each port of the specification.
    pub ports: BTreeMap<u16, u16>,
    /// Image or program that the server runs.
    pub image: String,
    /// Content digest of the image, if there is an image.
    pub digest: Option<String>,
    /// Data folder of the server, as a path on the hub.
    pub data_dir: Option<String>,
    /// Folder with the files of the process that a client needs, for example a socket; unused by
    /// containers.
    #[serde(default)]
    pub dir: Option<PathBuf>,
}

impl RunningServer {
    /// Returns `address:port` at which this program reaches the server's port `port`.
    pub fn endpoint(&self, port: u16) -> std::net::SocketAddr {
        (self.address, self.ports.get(&port).copied().unwrap_or(port)).into()
    }
}

/// Source of the figures of bytes read and written, since some hosts count neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BlockSource {
    /// The engine's block I/O counters of the container.
    Engine,
    /// The same counters on control groups of version 1, which count direct and synchronous writes only.
    EngineDirect,
    /// The growth of the server's data folder (writes only).
    DataDirectory,
    /// The host's disk counters: all writes of the machine.
    HostDisk,
    /// The counters of the process.
    Process,
}

/// Resource counters of one server at one time. `None` is *not measured*, never 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServerReading {
    /// Processor time used since the start, of all cores together.
    #[serde(default, with = "crate::units::optional_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub cpu: Option<Duration>,
    /// Memory as `docker stats` counts it: without inactive page cache.
    pub memory: Option<Bytes>,
    /// Memory of the processes: heap, stacks, anonymous pages.
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
    /// Time for which the CPU limit held the server back.
    #[serde(default, with = "crate::units::optional_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub throttled: Option<Duration>,
}

/// State of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerState {
    /// The server runs.
    Running,
    /// The server ended.
    Ended {
        /// Exit code, if known.
        code: Option<i64>,
        /// Whether the kernel killed the server because its memory limit was reached.
        out_of_memory: bool,
    },
    /// The hub has no such server any more.
    NotFound,
}

/// Describes the end of a server that reached its memory limit, with advice.
pub const OUT_OF_MEMORY_REPORT: &str =
    "ran out of memory and was killed: raise hub.limits.memory or lower its heap";
