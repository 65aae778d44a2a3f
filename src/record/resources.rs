//! Resources that a server used over a load.

use serde::{Deserialize, Serialize};

use crate::{
    server::{BlockSource, ServerReading},
    units::Bytes,
};

/// Resources of a server over the load; totals are differences of counters at its start and end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resources {
    /// Processor.
    pub cpu: CpuUse,
    /// Memory.
    pub memory: MemoryUse,
    /// Disk.
    pub block: BlockUse,
    /// Network.
    pub network: NetworkUse,
    /// Cores in use while idle, before the load.
    pub idle_cpu_cores: Option<f64>,
    /// The counters at the start of the load.
    pub before: Option<ServerReading>,
    /// The counters at the end of the load.
    pub after: Option<ServerReading>,
}

/// Processor use over a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CpuUse {
    /// Mean cores in use.
    pub mean: Option<f64>,
    /// Most cores in use over one sample.
    pub max: Option<f64>,
    /// Processor seconds used.
    pub core_seconds: Option<f64>,
}

/// Memory over a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MemoryUse {
    /// While idle, before the load (mean of the baseline's samples).
    pub idle: Option<Bytes>,
    /// Mean over the load.
    pub mean: Option<Bytes>,
    /// Largest over the load.
    pub max: Option<Bytes>,
    /// Mean over the load minus idle, in bytes: the study's memory figure.
    pub growth: Option<i64>,
    /// Memory of the processes themselves, at the load's end.
    pub resident: Option<Bytes>,
    /// Page cache at the load's end.
    pub cache: Option<Bytes>,
}

/// Disk use over a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BlockUse {
    /// Bytes read.
    pub read: Option<Bytes>,
    /// Bytes written.
    pub written: Option<Bytes>,
    /// Source of `read` and `written`.
    pub source: Option<BlockSource>,
    /// Growth of the server's data folder, in bytes.
    pub data_growth: Option<i64>,
    /// Bytes that the whole hub wrote meanwhile to the disk that holds the data.
    pub host_written: Option<Bytes>,
}

/// Network use over a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NetworkUse {
    /// Bytes received.
    pub received: Option<Bytes>,
    /// Bytes sent.
    pub sent: Option<Bytes>,
}
