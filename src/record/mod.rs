//! Records: one JSON file per run with everything needed to judge the run and to repeat it.
//!
//! This module defines the schema; [`store`] saves and loads records, [`histogram`] converts
//! measured histograms to [`Latency`]. A run appends to its record's file (`file`, `journal`, `layout`);
//! readers stream it (`stream`, `read`, `overview`) and compare its parts before use (`validate`). A value
//! that was not measured, and a percentile of too few samples, is `null`; 0 means that 0 was measured.
//! The unit of every number is in its name or its comment.

pub mod capacity;
mod error;
mod fault;
mod file;
mod folder;
pub mod footprint;
pub mod histogram;
pub mod index;
pub mod interval_log;
mod journal;
pub mod label;
mod layout;
mod missing;
pub mod overview;
mod read;
pub mod repetition_figure;
mod resources;
mod standstill;
pub mod steering;
pub mod store;
mod stream;
pub mod summary;
#[cfg(test)]
mod tests;
mod unmeasured;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use capacity::Capacity;
pub use fault::{FaultResult, Impact};
pub use footprint::Footprint;
pub use histogram::Latency;
pub use missing::THROUGHPUT;
pub use resources::{BlockUse, CpuUse, MemoryUse, NetworkUse, Resources};
pub use standstill::{Standstill, StandstillCause, StandstillKind};
pub use steering::{SteeringAction, SteeringChange};

use crate::{
    measure::{
        CooldownResult, Durations, Estimate, GeneratorHealth, HUB_FAILURE_CODE, HostMetrics,
        Judgement, Ledger, PathCost, Reason, ResourceSample, STOPPED_CODE, SelfTest,
        TimelineSecond, Verdict, VerdictCounts,
    },
    plan::{Plan, Point},
    server::{HubFacts, LimitVerification},
    units::Bytes,
};

/// Number of the present schema; incremented with every breaking change.
pub const SCHEMA: u32 = 1;

/// Record of a run, finished or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Record {
    /// [`SCHEMA`] of the program that wrote the record.
    pub schema: u32,
    /// Program that wrote the record.
    pub hubmark: ProgramVersion,
    /// Identifier of the run, also the value of its containers' `hubmark.run` label.
    pub run: String,
    /// Start, RFC 3339.
    #[cfg_attr(test, schemars(with = "String"))]
    pub started: jiff::Timestamp,
    /// End; `null` while the run goes on, or if it was killed.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub finished: Option<jiff::Timestamp>,
    /// Whether the record contains every repetition of the plan.
    pub status: RecordStatus,
    /// Reason why the run ended early.
    pub ended: Option<String>,
    /// Text of the profile, as given.
    pub profile: String,
    /// Plan of the run.
    pub plan: Plan,
    /// Machines and software of the measurement.
    pub provenance: Provenance,
    /// Cost of the network path to the hub when the run last began; `null` if it was not measured.
    #[serde(default)]
    pub path: Option<PathCost>,
    /// What the client's timer and loopback can do without a load, when the run last began; `null` if
    /// it was not tested.
    #[serde(default)]
    pub self_test: Option<SelfTest>,
    /// Results, in the order of [`Plan::points`].
    pub points: Vec<PointResult>,
    /// Result of each capacity search, in the order of [`Plan::searches`].
    #[serde(default)]
    pub capacity: Vec<Capacity>,
    /// Footprint of each backend by name; empty if it was not requested.
    #[serde(default)]
    pub footprints: BTreeMap<String, Footprint>,
    /// Times when the partial record was resumed, RFC 3339.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub resumed: Vec<jiff::Timestamp>,
}

/// Version of the program that wrote a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProgramVersion {
    /// Version number.
    pub version: String,
    /// Commit that the program was built from, if known.
    pub commit: Option<String>,
}

impl Record {
    /// Number of repetitions by judgement, and of retried attempts.
    pub fn tally(&self) -> VerdictCounts {
        let mut counts = VerdictCounts::default();
        for point in &self.points {
            for repetition in &point.repetitions {
                match repetition.verdict.status {
                    Judgement::Valid => counts.valid += 1,
                    Judgement::Suspect => counts.suspect += 1,
                    Judgement::Steered => counts.steered += 1,
                    Judgement::Failed => counts.failed += 1,
                }
            }
            counts.retried += point.failed_tries.len();
        }
        counts
    }
}

impl ProgramVersion {
    /// Version of this program.
    pub fn current() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("HUBMARK_COMMIT").map(str::to_owned),
        }
    }
}

/// Whether a record is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RecordStatus {
    /// Every repetition of the plan was executed.
    Complete,
    /// Some repetitions are missing.
    Partial,
}

impl RecordStatus {
    /// Name of the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
        }
    }
}

/// Machines and software of a measurement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Provenance {
    /// The machine that generates the load.
    pub client: HubFacts,
    /// The hub.
    pub hub: HubFacts,
    /// Servers and client library of each backend, as last observed.
    pub servers: BTreeMap<String, ServerProvenance>,
    /// The clock of all durations.
    pub clock: String,
    /// Limits of the servers: as requested, as found in force and as measured.
    #[serde(default)]
    pub limits: Vec<LimitVerification>,
}

/// Servers and client of a backend, as reported by themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServerProvenance {
    /// Version reported by the server.
    pub version: String,
    /// Caution that must be shown beside every number of this backend, if any.
    pub caution: Option<String>,
    /// What the servers' settings added to the load, or changed in what the profile asked for; the
    /// same must be shown.
    #[serde(default)]
    pub cautions: Vec<String>,
    /// Role and image (or program) of each server.
    pub images: BTreeMap<String, ImageProvenance>,
    /// Settings in force by durability, read back from the server.
    pub settings: BTreeMap<String, BTreeMap<String, String>>,
    /// Client library, its version and its settings.
    pub client: BTreeMap<String, String>,
}

impl ServerProvenance {
    /// All cautions that must be shown beside the numbers of this backend.
    pub fn all_cautions(&self) -> impl Iterator<Item = &String> {
        self.caution.iter().chain(&self.cautions)
    }

    /// The users' client and its version, where the backend has a choice of clients.
    pub fn client_name(&self) -> Option<String> {
        let name = self.client.get("client")?;
        let version = self.client.get(name).map(|version| format!(" {version}"));
        Some(format!("{name}{}", version.unwrap_or_default()))
    }
}

/// Image or program that a server was started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ImageProvenance {
    /// The image's name, or the program.
    pub image: String,
    /// The image's content digest.
    pub digest: Option<String>,
}

/// Results of one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PointResult {
    /// The point.
    #[serde(flatten)]
    pub point: Point,
    /// Repetitions in the order of execution, the last attempt of each.
    pub repetitions: Vec<Repetition>,
    /// Failed attempts that were retried, in the order of execution.
    #[serde(default)]
    pub failed_tries: Vec<Repetition>,
    /// Summary over the repetitions; `null` while there is none.
    pub summary: Option<Summary>,
}

/// One execution of a point on a clean server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Repetition {
    /// Number of the repetition among those of its point, from 0.
    pub index: u32,
    /// Position in the run's schedule, from 0.
    pub order: u32,
    /// Number of the attempt, from 1.
    #[serde(default = "default_attempt")]
    pub attempt: u32,
    /// Start, RFC 3339.
    #[cfg_attr(test, schemars(with = "String"))]
    pub started: jiff::Timestamp,
    /// Seconds of the load, from its start to its last message sent; in the throughput workload, to the last
    /// acknowledgement or arrival. Records of older versions, without [`Repetition::drain_seconds`], include
    /// the drain and a lead of a tenth of a second.
    pub seconds: f64,
    /// Seconds from the end of the load to the end of the drain; `null` in a repetition that ended early.
    #[serde(default)]
    pub drain_seconds: Option<f64>,
    /// Seconds of every phase, by name.
    pub phases: BTreeMap<String, f64>,
    /// Time from the start of the main server to the start of the measured load, in seconds.
    pub server_age_seconds: Option<f64>,
    /// Seconds from "start the servers" to "ready by protocol, topic created".
    pub server_ready_seconds: Option<f64>,
    /// Warm-up before the measured load.
    pub warmup: Warmup,
    /// Whether the numbers can be trusted.
    pub verdict: Verdict,
    /// Account of every message.
    pub ledger: Ledger,
    /// The four durations in microseconds, of messages due after the load's warm-up.
    pub latency: Durations<Option<Latency>>,
    /// Throughput of payload.
    pub throughput: Option<Throughput>,
    /// Figures that this kind of repetition has, but that could not be given, each with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, String>,
    /// Resources over the load, by server role.
    pub resources: BTreeMap<String, Resources>,
    /// One entry a second for each server, by role.
    pub samples: BTreeMap<String, Vec<ResourceSample>>,
    /// One entry a second for the hub itself.
    #[serde(default)]
    pub hub: Vec<HostMetrics>,
    /// Wait for the hub to cool down before the repetition; `null` if none was requested.
    #[serde(default)]
    pub cooled: Option<CooldownResult>,
    /// Health of the load generator.
    pub generator: GeneratorHealth,
    /// One entry for each second of load and drain, by the times of what happened.
    pub timeline: Vec<TimelineSecond>,
    /// Distributions of each of these seconds, as an interval log of the HDR histogram libraries
    /// ([`interval_log`]); empty in records of older versions.
    #[serde(default)]
    pub intervals: String,
    /// Times in which nothing happened although messages waited for it.
    #[serde(default)]
    pub standstills: Vec<Standstill>,
    /// Events, with their times.
    pub events: Vec<TimedNote>,
    /// Planned faults, faults by key, and the recoveries from them.
    #[serde(default)]
    pub faults: Vec<FaultResult>,
    /// Changes of the load by the operator; a repetition with any is in no summary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steered: Vec<SteeringAction>,
    /// Thresholds that were crossed.
    pub crossed: Vec<String>,
    /// Objectives of a capacity search that did not hold.
    #[serde(default)]
    pub missed: Vec<String>,
}

/// The [`Repetition::attempt`] in records from before retries existed.
const fn default_attempt() -> u32 {
    1
}

impl Repetition {
    /// Whether the repetition was measured to its end, and as planned.
    pub fn is_measured(&self) -> bool {
        self.verdict.status.counts()
    }

    /// Whether the operator changed the load of the repetition, which ended otherwise as planned.
    pub fn is_steered(&self) -> bool {
        self.verdict.status == Judgement::Steered
    }

    /// Whether the repetition has a result about the servers under the load: it was measured to its end, or
    /// its failure has another cause than the operator and the hub.
    pub fn is_conclusive(&self) -> bool {
        let other_cause =
            |reason: &Reason| [STOPPED_CODE, HUB_FAILURE_CODE].contains(&reason.code.as_str());
        let is_conclusive_failure = || !self.verdict.reasons.first().is_some_and(other_cause);
        self.is_measured() || !self.is_steered() && is_conclusive_failure()
    }

    /// Whether the objectives of a capacity search held; `false` for a failed repetition.
    pub fn objectives_held(&self) -> bool {
        self.is_measured() && self.missed.is_empty()
    }
}

/// Warm-up before a measured load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Warmup {
    /// Seconds of the server warm-up load; 0 is a cold server, as in the study.
    pub server_seconds: f64,
    /// Messages of the server warm-up load.
    pub server_messages: u64,
    /// Seconds of the load that were not measured.
    pub load_seconds: f64,
}

/// Throughput of payload.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Throughput {
    /// Payload bytes.
    pub bytes: Bytes,
    /// Seconds in which the payload was produced or consumed.
    pub seconds: f64,
    /// Payload bytes per second.
    pub bytes_per_second: f64,
    /// Messages per second.
    pub messages_per_second: f64,
}

/// An event and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimedNote {
    /// Seconds since the load began; negative before.
    pub second: f64,
    /// Description of the event.
    pub text: String,
}

/// Summary of a point over its repetitions, without failed and steered ones and with suspect ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Repetitions in the summary.
    pub repetitions: u32,
    /// Suspect repetitions among them.
    pub suspect: u32,
    /// Failed repetitions, not in the summary.
    pub failed: u32,
    /// Steered repetitions, not in the summary.
    #[serde(default)]
    pub steered: u32,
    /// Percentiles of the repetitions' merged histograms, in microseconds.
    pub latency: Durations<Option<Latency>>,
    /// Estimates of each figure over the repetitions, by name.
    pub over_repetitions: BTreeMap<String, Estimate>,
}
