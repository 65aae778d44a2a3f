//! Faults: what is done to a server in the middle of a load, on purpose and by plan.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{ByteRate, Bytes, Cpus, human_duration};

/// One fault of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// When it begins, from the start of the load (its warm-up included).
    #[serde(with = "crate::units::seconds")]
    #[schemars(with = "f64")]
    pub at: Duration,
    /// How long it lasts; `None` until load and drain are over.
    #[serde(default, rename = "for", with = "crate::units::optional_seconds")]
    #[schemars(with = "Option<f64>")]
    pub lasts: Option<Duration>,
    /// The role of the server that it strikes; `None` is the main one.
    #[serde(default)]
    pub server: Option<String>,
    /// What is done.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl Fault {
    /// When it is over by plan, from the start of the load; `None` when it lasts to the end.
    pub fn end(&self) -> Option<Duration> {
        Some(self.at.saturating_add(self.lasts?))
    }
}

/// What is done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FaultKind {
    /// All its processes stand still; its connections stay open.
    Pause,
    /// It is killed at once (SIGKILL) and started again afterwards, with its data.
    Kill,
    /// It is stopped in order and started again afterwards, with its data.
    Restart,
    /// Its network is cut; packets in both directions vanish.
    Cut,
    /// Writes that reach its disk are slowed.
    SlowDisk {
        /// To this rate.
        disk_write: ByteRate,
    },
    /// It gets less of the hub.
    Limit {
        /// Cores that it may use.
        #[serde(default)]
        cpus: Option<Cpus>,
        /// Memory that it may use.
        #[serde(default)]
        memory: Option<Bytes>,
    },
}

impl FaultKind {
    /// Its word in a profile.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Cut => "cut",
            Self::SlowDisk { .. } => "slow-disk",
            Self::Limit { .. } => "limit",
        }
    }

    /// Whether the server ends by it, so that it has to be started again.
    pub const fn ends_the_server(&self) -> bool {
        matches!(self, Self::Kill | Self::Restart)
    }
}

/// What it is with its figures, without its time: `limit to 0.5 cpus`.
impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
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

/// In one line: `20 s · kill of the main server for 3 s`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {} of ", human_duration(self.at), self.kind)?;
        match &self.server {
            Some(role) => f.write_str(role)?,
            None => f.write_str("the main server")?,
        }
        match self.lasts {
            Some(lasts) => write!(f, " for {}", human_duration(lasts)),
            None => f.write_str(" to the end"),
        }
    }
}
