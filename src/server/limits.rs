//! Resource limits of servers, and their verification.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::{ByteRate, Bytes, Cpus, human_duration};

/// Resource limits of a server, with which a large machine can represent a smaller one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ResourceLimits {
    /// Cores that all threads of a server may use together.
    pub cpus: Option<Cpus>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Rate of writes that reach the disk (the kernel does not slow buffered writes).
    pub disk_write: Option<ByteRate>,
    /// Rate of the server's network link, in each direction.
    #[serde(default)]
    pub link: Option<ByteRate>,
    /// Delay added to every byte between client and server, in each direction.
    #[serde(default, with = "crate::units::optional_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub delay: Option<Duration>,
}

/// Resource that a limit applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Cores that all threads of a server use together.
    Cpus,
    /// Memory, in bytes.
    Memory,
    /// Writes that reach the disk, in bytes per second.
    DiskWrite,
    /// Network traffic from the server, in bytes per second.
    LinkOut,
    /// Network traffic to the server, in bytes per second.
    LinkIn,
    /// Delay added to every byte in each direction, in seconds.
    Delay,
}

/// Verification of one limit: the value asked for, the value of the kernel, and a measured value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LimitVerification {
    /// The limited resource.
    pub limit: LimitKind,
    /// Value asked for, in the unit of [`LimitKind`].
    pub asked: f64,
    /// Value that the kernel has in force, read back in a container under these limits; `null` if there
    /// is nothing to read (the kernel does not implement the delay).
    pub in_force: Option<f64>,
    /// Value measured in that container before the run: below the limit if the hub provided less at
    /// that time; `null` if it was not measured (memory above 1 GiB).
    pub measured: Option<f64>,
}

impl LimitVerification {
    /// Creates a verification from its values.
    pub const fn new(
        limit: LimitKind,
        asked: f64,
        in_force: Option<f64>,
        measured: Option<f64>,
    ) -> Self {
        Self { limit, asked, in_force, measured }
    }

    /// Returns why the limit is not in force: the kernel has another value, the measured value exceeds
    /// `excess` times the limit (or a delay is below the limit divided by `excess`), or neither is known.
    pub fn contradiction(&self, excess: f64) -> Option<String> {
        // Kernels round memory to pages, and CPU time to whole microseconds of a period.
        let rounded = |found: f64| (found - self.asked).abs() <= self.asked * 0.01 + f64::EPSILON;
        if self.in_force.is_some_and(|found| !rounded(found)) {
            return Some(format!("{self}: the kernel has another limit in force"));
        }
        let broken = |found: f64| match self.limit {
            LimitKind::Delay => found < self.asked / excess,
            _ => found > self.asked * excess,
        };
        if self.measured.is_some_and(broken) {
            return Some(format!("{self}: the limit is not held"));
        }
        let unknown = self.in_force.is_none() && self.measured.is_none();
        unknown.then(|| format!("{self}: this hub cannot verify it"))
    }
}

impl std::fmt::Display for LimitVerification {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_not_held_is_detected() {
        let of = |limit, asked, in_force, measured| {
            LimitVerification::new(limit, asked, in_force, measured).contradiction(1.25)
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
    fn limits_are_shown_in_their_units() {
        let shown = |limit, asked, in_force, measured| {
            LimitVerification::new(limit, asked, in_force, measured).to_string()
        };
        assert_eq!(
            shown(LimitKind::LinkOut, 12.5e6, Some(12.5e6), Some(11.7e6)),
            "link out 12.5 MB/s asked, 12.5 MB/s in force, 11.7 MB/s measured"
        );
        assert_eq!(
            shown(LimitKind::Delay, 0.005, None, Some(0.0051)),
            "delay each way 5 ms asked, 5.1 ms measured"
        );
        assert_eq!(
            shown(LimitKind::Memory, 4e9, Some(4e9), None),
            "memory 4 GB asked, 4 GB in force, not measured"
        );
    }
}
