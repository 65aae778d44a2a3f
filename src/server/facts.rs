//! Facts of a hub: hardware, operating system, engine.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{Bytes, Celsius};

/// Facts about a hub, for the record. `None` is *not known*.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HubFacts {
    /// Model of the machine, from the device tree or the firmware.
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
    /// Whether memory can be measured and limited (switched off by default in Raspberry Pi OS).
    pub memory_cgroup: Option<bool>,
    /// The engine's storage driver.
    pub storage_driver: Option<String>,
    /// The engine and its version, for example `docker 27.1`.
    pub engine: Option<String>,
    /// Version of the engine's API in use.
    pub api: Option<String>,
    /// Whether the hub is this machine: client and servers then share its cores.
    pub shared_with_client: bool,
    /// Warnings given before the run, for example about a connection without encryption or missing
    /// capabilities of the engine.
    #[serde(default)]
    pub cautions: Vec<String>,
    /// Disk under the servers' data, with its model name, for example `/dev/mmcblk0 (SD32G)`.
    #[serde(default)]
    pub storage_device: Option<String>,
    /// File system under the servers' data, for example `ext4`.
    #[serde(default)]
    pub file_system: Option<String>,
    /// Mean time of a synchronous write of 4 KiB to that file system, in seconds.
    #[serde(default, with = "crate::units::optional_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub fsync: Option<Duration>,
    /// The `cpufreq` governor of the processor's first core, which sets its clock.
    #[serde(default)]
    pub governor: Option<String>,
    /// Highest clock of the processor's first core, in MHz.
    #[serde(default)]
    pub clock_max_mhz: Option<f64>,
    /// Temperature of the processor at the start of the run.
    #[serde(default)]
    pub temperature: Option<Celsius>,
    /// Temperature at which the kernel begins to lower the clock, if it reports one.
    #[serde(default)]
    pub temperature_limit: Option<Celsius>,
    /// The firmware's throttle bits at the start of the run, as `vcgencmd get_throttled` shows them
    /// (Raspberry Pi only); see [`crate::measure::HostMetrics::throttle_bits`].
    #[serde(default)]
    pub throttle_bits: Option<u32>,
    /// Whether the kernel counts the time for which tasks wait for memory; not with `psi=0`, as
    /// Raspberry Pi OS boots.
    #[serde(default)]
    pub memory_pressure: Option<bool>,
}

impl HubFacts {
    /// Whether the kernel can count the writes of one container. Version 2 of the control groups
    /// charges buffered writes by the pages' owner, which only the memory controller knows.
    pub fn counts_writes(&self) -> bool {
        self.cgroup.as_deref() != Some("2") || self.memory_cgroup != Some(false)
    }
}
