//! Planned faults, injected into a server during a load.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::units::{ByteRate, Bytes, Cpus, human_duration};

/// One planned fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fault {
    /// Begin of the fault, from the start of the load (warm-up included).
    #[serde(with = "crate::units::seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub at: Duration,
    /// Duration of the fault; `None` until load and drain are over.
    #[serde(default, rename = "for", with = "crate::units::optional_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub duration: Option<Duration>,
    /// Role of the affected server; `None` for the main server.
    #[serde(default)]
    pub server: Option<String>,
    /// Kind of the fault.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl Fault {
    /// Planned end of the fault, from the start of the load; `None` if it lasts to the end.
    pub fn end(&self) -> Option<Duration> {
        Some(self.at.saturating_add(self.duration?))
    }
}

/// Kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FaultKind {
    /// Freeze all processes of the server; its connections stay open.
    Pause,
    /// Kill the server at once (SIGKILL) and start it again afterwards, with its data.
    Kill,
    /// Stop the server cleanly and start it again afterwards, with its data.
    Restart,
    /// Cut the server's network; packets in both directions are dropped.
    Cut,
    /// Slow down writes that reach the server's disk.
    SlowDisk {
        /// Rate of the writes.
        disk_write: ByteRate,
    },
    /// Limit the server's CPU, memory or both.
    Limit {
        /// Cores that the server may use.
        #[serde(default)]
        cpus: Option<Cpus>,
        /// Memory that the server may use.
        #[serde(default)]
        memory: Option<Bytes>,
    },
}

impl FaultKind {
    /// Name in a profile.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Cut => "cut",
            Self::SlowDisk { .. } => "slow-disk",
            Self::Limit { .. } => "limit",
        }
    }

    /// Whether the fault stops the server, so that it must be started again.
    pub const fn stops_server(&self) -> bool {
        matches!(self, Self::Kill | Self::Restart)
    }
}

/// Formats the kind with its figures: `limit to 0.5 cpus`.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::SlowDisk { disk_write } => write!(f, " to {disk_write}"),
            Self::Limit { cpus, memory } => {
                let limits: Vec<String> =
                    [cpus.map(|cpus| cpus.to_string()), memory.map(Bytes::exact)]
                        .into_iter()
                        .flatten()
                        .collect();
                write!(f, " to {}", limits.join(" and "))
            }
            _ => Ok(()),
        }
    }
}

/// Formats the fault in one line: `20 s · kill of the main server for 3 s`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {} of ", human_duration(self.at), self.kind)?;
        match &self.server {
            Some(role) => f.write_str(role)?,
            None => f.write_str("the main server")?,
        }
        match self.duration {
            Some(duration) => write!(f, " for {}", human_duration(duration)),
            None => f.write_str(" to the end"),
        }
    }
}
