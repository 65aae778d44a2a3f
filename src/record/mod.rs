//! The record: one JSON file per run that holds everything needed to judge it and to repeat it.
//!
//! This module is the schema; [`store`] saves and loads, [`histogram`] turns measured histograms
//! into [`Latency`]. A value that was not measured, and a percentile that its count cannot carry,
//! is `null`; 0 means that 0 was measured. Every number's unit is in its name or its comment.

pub mod capacity;
mod fault;
pub mod footprint;
pub mod histogram;
pub mod index;
pub mod label;
pub mod store;
pub mod summary;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use capacity::Capacity;
pub use fault::{FaultResult, Toll};
pub use footprint::Footprint;

use crate::{
    measure::{
        Cooled, Durations, Estimate, Generator, Judgement, Ledger, Load, PathCost, Second, Tally,
        Verdict, Vitals,
    },
    plan::{Plan, Point},
    server::{BlockSource, HubFacts, LimitInForce, Reading},
    units::Bytes,
};

/// Number of the present schema; grows with any breaking change.
pub const SCHEMA: u32 = 1;

/// A run, finished or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// [`SCHEMA`] of the program that wrote it.
    pub schema: u32,
    /// The program that wrote it.
    pub hubmark: Hubmark,
    /// The run's identity: also the value of its containers' `hubmark.run` label.
    pub run: String,
    /// Start, RFC 3339.
    #[schemars(with = "String")]
    pub started: jiff::Timestamp,
    /// End; `null` while it goes on or when it was killed.
    #[schemars(with = "Option<String>")]
    pub finished: Option<jiff::Timestamp>,
    /// Whether every repetition of the plan is here.
    pub status: Status,
    /// Why the run ended early, in words.
    pub ended: Option<String>,
    /// The profile's text, as it was given.
    pub profile: String,
    /// What was asked.
    pub plan: Plan,
    /// On what it was measured.
    pub provenance: Provenance,
    /// What the way to the hub cost when the run last began; `null` where it was not measured.
    #[serde(default)]
    pub path: Option<PathCost>,
    /// The results, in the order of [`Plan::points`].
    pub points: Vec<PointResult>,
    /// The answer of each search for a capacity, in the order of [`Plan::searches`].
    #[serde(default)]
    pub capacity: Vec<Capacity>,
    /// What each backend costs by itself, by its name; empty where it was not asked.
    #[serde(default)]
    pub footprints: BTreeMap<String, Footprint>,
    /// When a partial record was gone on with, RFC 3339.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub resumed: Vec<jiff::Timestamp>,
}

/// The program that wrote a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hubmark {
    /// Its version.
    pub version: String,
    /// The commit it was built from, where that is known.
    pub commit: Option<String>,
}

impl Record {
    /// Repetitions by judgement, and tries that were executed again.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for point in &self.points {
            for repetition in &point.repetitions {
                match repetition.verdict.status {
                    Judgement::Valid => tally.valid += 1,
                    Judgement::Suspect => tally.suspect += 1,
                    Judgement::Failed => tally.failed += 1,
                }
            }
            tally.retried += point.failed_tries.len();
        }
        tally
    }
}

impl Hubmark {
    /// This program.
    pub fn this() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("HUBMARK_COMMIT").map(str::to_owned),
        }
    }
}

/// Whether a record is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Every repetition of the plan was executed.
    Complete,
    /// Some are missing.
    Partial,
}

/// On what a run was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// The machine that plays the load.
    pub client: HubFacts,
    /// The hub.
    pub hub: HubFacts,
    /// Each backend's servers and client library, as last seen.
    pub servers: BTreeMap<String, ServerProvenance>,
    /// The clock of all durations.
    pub clock: String,
    /// The limits of the servers: what was asked, what was found in force and what was measured.
    #[serde(default)]
    pub limits: Vec<LimitInForce>,
}

/// A backend's servers and client, as they said themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerProvenance {
    /// The version that the server names.
    pub version: String,
    /// A sentence that must stand beside every number of this backend, if any.
    pub caution: Option<String>,
    /// Role and image (or program) of each server.
    pub images: BTreeMap<String, ImageProvenance>,
    /// Settings in force by durability, read back from the server.
    pub settings: BTreeMap<String, BTreeMap<String, String>>,
    /// Client library, its version and its settings.
    pub client: BTreeMap<String, String>,
}

/// What a server ran from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageProvenance {
    /// The image's name, or the program.
    pub image: String,
    /// The image's content digest.
    pub digest: Option<String>,
}

/// Results of one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PointResult {
    /// The point.
    #[serde(flatten)]
    pub point: Point,
    /// Its repetitions, in the order of execution: of each, the last try.
    pub repetitions: Vec<Repetition>,
    /// Tries that failed and were executed again, in the order of execution.
    #[serde(default)]
    pub failed_tries: Vec<Repetition>,
    /// Over its repetitions; `null` while there is none.
    pub summary: Option<Summary>,
}

/// One execution of a point on a clean server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repetition {
    /// Number of the repetition of its point, from 0.
    pub index: u32,
    /// Its place in the run's schedule, from 0.
    pub order: u32,
    /// Which try of it this is, from 1.
    #[serde(default = "first")]
    pub attempt: u32,
    /// Start, RFC 3339.
    #[schemars(with = "String")]
    pub started: jiff::Timestamp,
    /// Seconds from the first due time to the last arrival or the end of the drain.
    pub seconds: f64,
    /// Seconds of every phase, by name.
    pub phases: BTreeMap<String, f64>,
    /// Age of the main server, from its start, when the measured load began.
    pub server_age_seconds: Option<f64>,
    /// Seconds from "start the servers" to "ready by protocol, topic made".
    pub server_ready_seconds: Option<f64>,
    /// What came before the measured load.
    pub warmup: Warmup,
    /// Whether the numbers can be trusted.
    pub verdict: Verdict,
    /// Every message accounted for.
    pub ledger: Ledger,
    /// The four durations in microseconds; of messages due after the load's warm-up.
    pub latency: Durations<Option<Latency>>,
    /// Volume over time.
    pub throughput: Option<Throughput>,
    /// Resources over the load, by server role.
    pub resources: BTreeMap<String, Resources>,
    /// One entry a second for each server, by role.
    pub samples: BTreeMap<String, Vec<Load>>,
    /// One entry a second for the hub itself.
    #[serde(default)]
    pub hub: Vec<Vitals>,
    /// The wait for the hub to cool down before it; `null` where none was asked for.
    #[serde(default)]
    pub cooled: Option<Cooled>,
    /// The generator's own health.
    pub generator: Generator,
    /// One entry for each second of the load.
    pub timeline: Vec<Second>,
    /// What happened, with its second.
    pub events: Vec<TimedNote>,
    /// What was done to servers by plan, and how they came back.
    #[serde(default)]
    pub faults: Vec<FaultResult>,
    /// Limits that were crossed.
    pub crossed: Vec<String>,
    /// Objectives of a search for the capacity that did not hold.
    #[serde(default)]
    pub missed: Vec<String>,
}

/// The [`Repetition::attempt`] of records that knew no retries.
const fn first() -> u32 {
    1
}

impl Repetition {
    /// Whether it was measured to its end.
    pub fn measured(&self) -> bool {
        self.verdict.status != Judgement::Failed
    }

    /// Whether the objectives of a search held in it; one that failed held none.
    pub fn held(&self) -> bool {
        self.measured() && self.missed.is_empty()
    }
}

/// What came before a measured load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warmup {
    /// Seconds of the server's own warm-up load; 0 is a cold server, as the study.
    pub server_seconds: f64,
    /// Messages of the server's own warm-up load.
    pub server_messages: u64,
    /// Seconds of the load that were played and not measured.
    pub load_seconds: f64,
}

/// A distribution in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Samples, negative and overflowing ones included.
    pub count: u64,
    /// Smallest; may be negative.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Mean of all samples, negative ones included.
    pub mean: f64,
    /// Standard deviation.
    pub stdev: f64,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// 99.99th percentile.
    pub p9999: Option<f64>,
    /// Samples below zero.
    pub negative: u64,
    /// Samples beyond the histogram's range.
    pub overflow: u64,
    /// HDR histogram, V2 format, compressed, base64; without negative and overflowing samples.
    pub histogram: String,
}

/// Volume over time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Throughput {
    /// Payload bytes.
    pub bytes: Bytes,
    /// Seconds in which they were produced, or consumed.
    pub seconds: f64,
    /// Payload bytes per second.
    pub bytes_per_second: f64,
    /// Messages per second.
    pub messages_per_second: f64,
}

/// A server's resources over the load. Totals are differences of counters at its start and end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub before: Option<Reading>,
    /// The counters at its end.
    pub after: Option<Reading>,
}

/// Processor use over a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CpuUse {
    /// Mean cores in use.
    pub mean: Option<f64>,
    /// Most cores in use over one sample.
    pub max: Option<f64>,
    /// Processor seconds used.
    pub core_seconds: Option<f64>,
}

/// Memory over a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockUse {
    /// Bytes read.
    pub read: Option<Bytes>,
    /// Bytes written.
    pub written: Option<Bytes>,
    /// Where `read` and `written` come from.
    pub source: Option<BlockSource>,
    /// Growth of the server's data folder, in bytes.
    pub data_growth: Option<i64>,
    /// What the whole hub wrote to the disk under the data meanwhile.
    pub host_written: Option<Bytes>,
}

/// Network use over a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkUse {
    /// Bytes received.
    pub received: Option<Bytes>,
    /// Bytes sent.
    pub sent: Option<Bytes>,
}

/// Something that happened at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimedNote {
    /// Seconds since the load began; negative before.
    pub second: f64,
    /// What.
    pub text: String,
}

/// A point over its repetitions. Failed repetitions are not in it, suspect ones are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Repetitions in it.
    pub repetitions: u32,
    /// Of those, suspect.
    pub suspect: u32,
    /// Failed repetitions, not in it.
    pub failed: u32,
    /// Percentiles of the repetitions' merged histograms, in microseconds.
    pub latency: Durations<Option<Latency>>,
    /// Figures of each repetition over all of them.
    pub over_repetitions: BTreeMap<String, Estimate>,
}
