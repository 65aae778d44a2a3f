//! Plans: profiles with every default resolved and every sweep expanded. Pure.
//!
//! This module defines the types; [`schedule()`] orders the repetitions, [`estimate`] predicts
//! messages, bytes and duration, and [`Plan::outline`] describes the plan as text.

pub mod estimate;
pub mod external;
mod fault;
mod hub;
mod outline;
mod schedule;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

pub use fault::{Fault, FaultKind};
pub use hub::{DEFAULT_HUB_TIMEOUT, HubRequest, HubTimeouts, quote_argument};
pub use schedule::{RepetitionOrder, ScheduledRepetition, schedule};

use crate::units::{Bytes, Celsius, human_duration};

/// Complete description of a run: two runs of equal plans offer the same load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// The profile's name.
    pub profile: String,
    /// Seed of every random choice: arrivals, payloads, the order of repetitions.
    pub seed: u64,
    /// Order in which the repetitions are executed.
    pub order: RepetitionOrder,
    /// Repetitions of each point.
    pub repetitions: u32,
    /// Retries of a failed repetition.
    #[serde(default)]
    pub retries: u32,
    /// Time for which the idle servers are sampled before the load.
    #[serde(with = "crate::units::seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub baseline: Duration,
    /// Length of the server warm-up load; zero measures a cold server, as the study did.
    #[serde(with = "crate::units::seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub server_warmup: Duration,
    /// Wait for the hub to cool down before each repetition; `null` for no wait.
    #[serde(default)]
    pub cooldown: Option<Cooldown>,
    /// Where the servers run.
    pub hub: HubRequest,
    /// Combinations of swept values.
    pub points: Vec<Point>,
    /// Every repetition of every point, in the order of execution; empty for a capacity search,
    /// where each repetition depends on the outcomes of the previous ones.
    pub schedule: Vec<ScheduledRepetition>,
    /// Goal of the capacity searches, if the run consists of such; the candidates of a search are
    /// the points that differ in users alone.
    #[serde(default)]
    pub capacity: Option<CapacityGoal>,
    /// Whether the footprint of each backend is measured after the repetitions.
    #[serde(default)]
    pub footprint: bool,
    /// Settings of each backend by name, validated against the backend's description.
    pub settings: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    /// Limits on results whose crossing is reported and changes the exit status.
    pub thresholds: Vec<Threshold>,
    /// Whether the operator may change the load of a repetition in progress.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steering: bool,
    /// Faults to inject during every load, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// The wait before each repetition until the hub has cooled down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cooldown {
    /// The hub's temperature at which the wait ends.
    pub below: Celsius,
    /// Longest wait.
    #[serde(with = "crate::units::seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub limit: Duration,
}

impl Plan {
    /// Sets the repetitions of each point and rebuilds the schedule with the same seed and order.
    pub fn set_repetitions(&mut self, repetitions: u32) {
        self.repetitions = repetitions;
        self.schedule = schedule(self.points.len(), repetitions, self.order, self.seed);
    }
}

/// One combination of swept values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Point {
    /// The system under test.
    pub backend: BackendChoice,
    /// Workload of the users.
    pub workload: Workload,
    /// Durability of an acknowledged message.
    pub durability: Durability,
}

/// A backend and its version, written `kafka:2.8.0` or `kafka`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BackendChoice {
    /// The name in the registry of backends.
    pub name: String,
    /// The server's version; `None` leaves it to the hub (a named image, a program on `PATH`).
    pub version: Option<String>,
}

impl BackendChoice {
    /// Returns the backend as it is written in a profile: `kafka:2.8.0` or `kafka`.
    pub fn profile_value(&self) -> String {
        match &self.version {
            Some(version) => format!("{}:{version}", self.name),
            None => self.name.clone(),
        }
    }
}

impl std::fmt::Display for BackendChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.version.iter().try_for_each(|version| write!(f, " {version}"))
    }
}

/// Workload of the users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Workload {
    /// Open loop: every user sends messages at planned times.
    Latency(LatencyWorkload),
    /// A volume of data, sent as fast as possible.
    Throughput(ThroughputWorkload),
}

impl Workload {
    /// Number of users; each has a separate connection.
    pub const fn users(&self) -> u32 {
        match self {
            Self::Latency(w) => w.users,
            Self::Throughput(w) => w.users,
        }
    }

    /// Payload of one message, without the stamp.
    pub const fn payload(&self) -> Bytes {
        match self {
            Self::Latency(w) => w.payload,
            Self::Throughput(w) => w.payload,
        }
    }

    /// Source of the payload's bytes.
    pub const fn payload_source(&self) -> PayloadSource {
        match self {
            Self::Latency(w) => w.payload_source,
            Self::Throughput(w) => w.payload_source,
        }
    }

    /// Messages of one repetition, all users together.
    pub const fn messages(&self) -> u64 {
        match self {
            Self::Latency(w) => w.users as u64 * w.messages as u64,
            Self::Throughput(w) => w.messages(),
        }
    }

    /// Longest wait after the last send for messages in transit.
    pub const fn drain(&self) -> Duration {
        match self {
            Self::Latency(w) => w.drain,
            Self::Throughput(w) => w.drain,
        }
    }
}

/// The latency workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LatencyWorkload {
    /// Number of users.
    pub users: u32,
    /// Payload of one message.
    pub payload: Bytes,
    /// Source of the payload's bytes.
    pub payload_source: PayloadSource,
    /// Messages that each user sends.
    pub messages: u32,
    /// Distribution of the time between two messages of one user.
    pub arrival: ArrivalDistribution,
    /// First part of the load, whose messages are sent and accounted for, but not measured.
    #[serde(with = "crate::units::seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub warmup: Duration,
    /// Longest wait after the last send for messages in transit.
    #[serde(with = "crate::units::seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub drain: Duration,
}

/// Distribution of the time between two messages of one user.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "distribution", rename_all = "lowercase")]
pub enum ArrivalDistribution {
    /// Normal, cut off at zero.
    Normal {
        /// Mean.
        #[serde(with = "crate::units::seconds")]
        #[cfg_attr(test, schemars(with = "f64"))]
        mean: Duration,
        /// Standard deviation.
        #[serde(with = "crate::units::seconds")]
        #[cfg_attr(test, schemars(with = "f64"))]
        deviation: Duration,
    },
    /// Constant intervals.
    Constant {
        /// The interval.
        #[serde(with = "crate::units::seconds")]
        #[cfg_attr(test, schemars(with = "f64"))]
        mean: Duration,
    },
    /// Exponential: users are independent of each other.
    Poisson {
        /// Mean.
        #[serde(with = "crate::units::seconds")]
        #[cfg_attr(test, schemars(with = "f64"))]
        mean: Duration,
    },
}

impl ArrivalDistribution {
    /// Mean time between two messages of one user.
    pub const fn mean(&self) -> Duration {
        match *self {
            Self::Normal { mean, .. } | Self::Constant { mean } | Self::Poisson { mean } => mean,
        }
    }
}

/// Source of a payload's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PayloadSource {
    /// A function of seed and stamp: incompressible, and every byte is verified on arrival.
    Seeded,
    /// The kernel's urandom device, as in the study: bytes cannot be verified, only counted.
    Urandom,
}

/// The throughput workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThroughputWorkload {
    /// Producers that share the volume.
    pub users: u32,
    /// Payload of one message.
    pub payload: Bytes,
    /// Source of the payload's bytes.
    pub payload_source: PayloadSource,
    /// Payload bytes of the whole repetition; rounded up to whole messages.
    pub volume: Bytes,
    /// Sides that run while throughput is measured.
    pub scenario: Scenario,
    /// Longest wait after the last send for messages in transit.
    #[serde(with = "crate::units::seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub drain: Duration,
}

impl ThroughputWorkload {
    /// Messages that make up the volume; at least one.
    pub const fn messages(&self) -> u64 {
        let payload = if self.payload.0 == 0 { 1 } else { self.payload.0 };
        let messages = self.volume.0.div_ceil(payload);
        if messages == 0 { 1 } else { messages }
    }
}

/// Sides that run while throughput is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// Producers alone.
    Producer,
    /// The consumer alone, reading messages that were sent before the measurement.
    Consumer,
    /// Both at once, measured by the consumer.
    #[default]
    Both,
}

/// Guarantee of a server that acknowledges a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The defaults of each system, as in the study.
    Default,
    /// The message is in the server's memory.
    Memory,
    /// The message is on the disk.
    Disk,
}

/// Goal of a capacity search: the largest number of users at which every objective holds. It always limits
/// [`UNDELIVERED`] messages, except in records of older versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CapacityGoal {
    /// Objectives that must hold in a repetition.
    pub objectives: Vec<Threshold>,
}

/// A limit on one result of every repetition, for example `delivery.p99 <= 20 ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Threshold {
    /// Limited metric: a figure of a duration (`delivery.p99`), `lost`, `undelivered`, or `throttled`.
    pub metric: String,
    /// Largest acceptable value: microseconds, or a number of messages for `lost` and `undelivered`.
    pub at_most: f64,
}

impl std::fmt::Display for Threshold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if counts_messages(&self.metric) {
            write!(f, "{} ≤ {}", self.metric, self.at_most)
        } else {
            let limit = Duration::try_from_secs_f64(self.at_most / 1e6).unwrap_or(Duration::MAX);
            write!(f, "{} ≤ {}", self.metric, human_duration(limit))
        }
    }
}

impl CapacityGoal {
    /// Creates the goal of `objectives`. If they do not limit [`UNDELIVERED`] messages, the limit is that of
    /// [`LOST`] messages, or else 0: a number of users is not carried while their messages are refused.
    pub fn new(mut objectives: Vec<Threshold>) -> Self {
        let limit = |metric: &str| objectives.iter().find(|objective| objective.metric == metric);
        let implied = limit(LOST).map_or(0.0, |lost| lost.at_most);
        if limit(UNDELIVERED).is_none() {
            objectives.push(Threshold { metric: UNDELIVERED.into(), at_most: implied });
        }
        Self { objectives }
    }
}

impl Plan {
    /// Points of each capacity search, in rising order of users; empty without [`Self::capacity`].
    pub fn searches(&self) -> Vec<Vec<usize>> {
        let mut searches: Vec<Vec<usize>> = Vec::new();
        if self.capacity.is_none() {
            return searches;
        }
        for (number, point) in self.points.iter().enumerate() {
            let of_search = |search: &&mut Vec<usize>| {
                let first = &self.points[search[0]];
                (&first.backend, first.durability) == (&point.backend, point.durability)
                    && first.workload.payload() == point.workload.payload()
            };
            match searches.iter_mut().find(of_search) {
                Some(search) => search.push(number),
                None => searches.push(vec![number]),
            }
        }
        for search in &mut searches {
            search.sort_by_key(|&number| self.points[number].workload.users());
        }
        searches
    }
}

/// The [`Threshold::metric`] that counts lost messages alone: sent, neither delivered nor refused.
pub const LOST: &str = "lost";

/// The [`Threshold::metric`] that counts undelivered messages: lost, failed, or never sent.
pub const UNDELIVERED: &str = "undelivered";

/// Whether a limit on `metric` is a number of messages, not a time.
pub fn counts_messages(metric: &str) -> bool {
    metric == LOST || metric == UNDELIVERED
}

/// The [`Threshold::metric`] of throttling: the longest of the times for which a CPU limit held a
/// server back, over all its threads, or the hub's firmware had lowered its clock.
pub const THROTTLED: &str = "throttled";

#[cfg(test)]
pub mod tests;
