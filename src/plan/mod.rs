//! A plan: a profile with every default resolved and every sweep unrolled. Pure.
//!
//! This module is the vocabulary; [`schedule()`] orders the repetitions, [`estimate`] foretells
//! messages, bytes and duration, and [`Plan::outline`] says all of it in words.

pub mod estimate;
pub mod external;
mod fault;
mod outline;
mod schedule;

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fault::{Fault, FaultKind};
pub use schedule::schedule;

use crate::{
    server::{HubKind, Limits},
    units::{Bytes, Celsius, human_duration},
};

/// What a run will do, completely decided: two runs of equal plans offer the same load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The profile's name.
    pub profile: String,
    /// Seed of every random choice: arrivals, payloads, the order of repetitions.
    pub seed: u64,
    /// In which order the repetitions are executed.
    pub order: Order,
    /// How often each point is repeated.
    pub repetitions: u32,
    /// How often a repetition that failed is tried again.
    #[serde(default)]
    pub retries: u32,
    /// Time for which the servers idle, sampled, before the load.
    #[serde(with = "crate::units::seconds")]
    #[schemars(with = "f64")]
    pub baseline: Duration,
    /// Length of the server's own warm-up load; zero is the study's way: a cold server.
    #[serde(with = "crate::units::seconds")]
    #[schemars(with = "f64")]
    pub server_warmup: Duration,
    /// How cool the hub must be before each repetition; `null` waits for nothing.
    #[serde(default)]
    pub cooldown: Option<Cooldown>,
    /// Where the servers run.
    pub hub: HubRequest,
    /// The combinations of swept values.
    pub points: Vec<Point>,
    /// Every repetition of every point, in the order of execution. Empty when there is a
    /// [`Self::capacity`] to be searched for: each step then depends on the outcome of those before.
    pub schedule: Vec<Step>,
    /// What is searched for among the points, where the points are not measured one as well as the
    /// other: the candidates of a search are the points that differ in users alone.
    #[serde(default)]
    pub capacity: Option<CapacityQuestion>,
    /// Whether each backend's footprint card is measured after the repetitions.
    #[serde(default)]
    pub footprint: bool,
    /// Settings of each backend by its name: validated against the backend's own description.
    pub settings: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    /// Limits on results whose crossing is reported and changes the exit status.
    pub thresholds: Vec<Threshold>,
    /// What is done to servers in the middle of every load, in the order of their time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// The wait before each repetition until the hub has cooled down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cooldown {
    /// The hub's temperature at which the wait ends.
    pub below: Celsius,
    /// Longest wait.
    #[serde(with = "crate::units::seconds")]
    #[schemars(with = "f64")]
    pub limit: Duration,
}

impl Plan {
    /// Changes how often each point is repeated; the schedule follows, seed and order stay.
    pub fn repeat(&mut self, repetitions: u32) {
        self.repetitions = repetitions;
        self.schedule = schedule(self.points.len(), repetitions, self.order, self.seed);
    }
}

/// One combination of swept values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// The system under test.
    pub backend: BackendChoice,
    /// What the users do.
    pub workload: Workload,
    /// What the server promises when it acknowledges.
    pub durability: Durability,
}

/// A backend and its version, written `kafka:2.8.0` or `kafka`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct BackendChoice {
    /// The name in the registry of backends.
    pub name: String,
    /// The server's version; `None` leaves it to the hub (a named image, a program on `PATH`).
    pub version: Option<String>,
}

impl std::fmt::Display for BackendChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.version.iter().try_for_each(|version| write!(f, " {version}"))
    }
}

/// Where the servers shall run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HubRequest {
    /// The kind of hub.
    pub kind: HubKind,
    /// The engine's address (`unix:///var/run/docker.sock`, `ssh://pi`); `None` takes what Docker's
    /// own tools would take.
    pub engine: Option<String>,
    /// Name or address at which this machine reaches the ports of servers on another machine;
    /// `None` takes the engine's.
    #[serde(default)]
    pub address: Option<String>,
    /// The box for which the hub stands in, by name; its limits are among [`HubRequest::limits`].
    #[serde(default)]
    pub like: Option<String>,
    /// Folder with `ca.pem`, `cert.pem` and `key.pem` for an engine over TLS; `None` takes what
    /// Docker's own tools would take.
    #[serde(default)]
    pub certificates: Option<String>,
    /// Resource limits of each server.
    pub limits: Limits,
}

impl HubRequest {
    /// The Docker engine at `engine`, or the usual one, without limits.
    pub fn docker(engine: Option<String>) -> Self {
        Self {
            kind: HubKind::Docker,
            engine,
            address: None,
            certificates: None,
            like: None,
            limits: Limits::default(),
        }
    }

    /// Servers that run already.
    pub fn external() -> Self {
        Self { kind: HubKind::External, ..Self::docker(None) }
    }

    /// This machine's own processes.
    pub fn local() -> Self {
        Self { kind: HubKind::Local, ..Self::docker(None) }
    }
}

/// What the users do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Workload {
    /// Open loop: every user sends messages at times that the plan decides.
    Latency(LatencyWorkload),
    /// A volume of data, as fast as it goes.
    Throughput(ThroughputWorkload),
}

impl Workload {
    /// Users, each with a connection of its own.
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

    /// Where the payload's bytes come from.
    pub const fn payload_source(&self) -> PayloadSource {
        match self {
            Self::Latency(w) => w.payload_source,
            Self::Throughput(w) => w.payload_source,
        }
    }

    /// Messages of one repetition, of all users together.
    pub const fn messages(&self) -> u64 {
        match self {
            Self::Latency(w) => w.users as u64 * w.messages as u64,
            Self::Throughput(w) => w.messages(),
        }
    }

    /// How long after the last send messages may still arrive.
    pub const fn drain(&self) -> Duration {
        match self {
            Self::Latency(w) => w.drain,
            Self::Throughput(w) => w.drain,
        }
    }
}

/// The latency workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyWorkload {
    /// Users.
    pub users: u32,
    /// Payload of one message.
    pub payload: Bytes,
    /// Where its bytes come from.
    pub payload_source: PayloadSource,
    /// Messages that each user sends.
    pub messages: u32,
    /// Time between two messages of one user.
    pub arrival: Arrival,
    /// The load's first seconds, whose messages are sent and accounted for, but not measured.
    #[serde(with = "crate::units::seconds")]
    #[schemars(with = "f64")]
    pub warmup: Duration,
    /// Longest wait for messages still on their way after the last send.
    #[serde(with = "crate::units::seconds")]
    #[schemars(with = "f64")]
    pub drain: Duration,
}

/// Distribution of the time between two messages of one user.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "distribution", rename_all = "lowercase")]
pub enum Arrival {
    /// Normal, cut off at zero.
    Normal {
        /// Mean.
        #[serde(with = "crate::units::seconds")]
        #[schemars(with = "f64")]
        mean: Duration,
        /// Standard deviation.
        #[serde(with = "crate::units::seconds")]
        #[schemars(with = "f64")]
        deviation: Duration,
    },
    /// Always the same.
    Constant {
        /// The interval.
        #[serde(with = "crate::units::seconds")]
        #[schemars(with = "f64")]
        mean: Duration,
    },
    /// Exponential: users that know nothing of each other.
    Poisson {
        /// Mean.
        #[serde(with = "crate::units::seconds")]
        #[schemars(with = "f64")]
        mean: Duration,
    },
}

impl Arrival {
    /// Mean time between two messages of one user.
    pub const fn mean(&self) -> Duration {
        match *self {
            Self::Normal { mean, .. } | Self::Constant { mean } | Self::Poisson { mean } => mean,
        }
    }
}

/// Where a payload's bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PayloadSource {
    /// A function of seed and stamp: incompressible, and every byte is verified on arrival.
    Seeded,
    /// The kernel's urandom device, as the study: bytes cannot be verified, only counted.
    Urandom,
}

/// The throughput workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThroughputWorkload {
    /// Producers that share the volume.
    pub users: u32,
    /// Payload of one message.
    pub payload: Bytes,
    /// Where its bytes come from.
    pub payload_source: PayloadSource,
    /// Payload bytes of the whole repetition; rounded up to whole messages.
    pub volume: Bytes,
    /// Who works while it is measured.
    pub scenario: Scenario,
    /// Longest wait for messages still on their way after the last send.
    #[serde(with = "crate::units::seconds")]
    #[schemars(with = "f64")]
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

/// Who works while throughput is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// Producers alone.
    Producer,
    /// The consumer alone, reading what was loaded before and is not counted.
    Consumer,
    /// Both at once, measured by the consumer.
    Both,
}

/// What the server promises when it acknowledges a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Each system's own defaults, as in the study.
    Default,
    /// The message is in the server's memory.
    Memory,
    /// The message is on the disk.
    Disk,
}

/// In which order the repetitions of a run are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Every round holds each point once, in random order by the seed, so that heat and drift
    /// spread over all points.
    Interleaved,
    /// All repetitions of a point, then the next point, as the study.
    Blocked,
}

/// One repetition to execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Index into [`Plan::points`].
    pub point: usize,
    /// Number of the repetition of that point, from 0.
    pub repetition: u32,
}

/// The largest number of users at which every objective holds: that is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityQuestion {
    /// What must hold in a repetition.
    pub objectives: Vec<Threshold>,
}

/// A limit on one result of every repetition, for example `delivery.p99 <= 20 ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Threshold {
    /// What is limited: `lag|ack|delivery|response` `.` `mean|p50|p90|p99|p999|max`, `lost`,
    /// or `throttled`.
    pub metric: String,
    /// The largest value that is well: microseconds, or a count for `lost`.
    pub at_most: f64,
}

impl std::fmt::Display for Threshold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.metric == LOST {
            write!(f, "{LOST} ≤ {}", self.at_most)
        } else {
            let limit = Duration::try_from_secs_f64(self.at_most / 1e6).unwrap_or(Duration::MAX);
            write!(f, "{} ≤ {}", self.metric, human_duration(limit))
        }
    }
}

impl Plan {
    /// The points of each search, in rising order of users; none without a
    /// [`Self::capacity`].
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

/// The [`Threshold::metric`] that is a count of messages.
pub const LOST: &str = "lost";

/// The [`Threshold::metric`] that is the time for which a limit on CPU held a server back, over all
/// its threads, or the hub's firmware had lowered its clock: the longest of them.
pub const THROTTLED: &str = "throttled";

#[cfg(test)]
mod tests;
