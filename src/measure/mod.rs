//! Measured values, as carried by events and stored in records.

#[cfg(test)]
mod fixture;
mod generator;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use generator::{AckDelay, GeneratorHealth, SelfTest, ThreadLoad};

use crate::{
    server::BlockSource,
    units::{ByteRate, Bytes, Celsius, human_duration},
};

/// One value for each of the four durations of a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Durations<T> {
    /// Sent − due: lateness of hubmark itself.
    pub lag: T,
    /// Acknowledged − sent.
    pub ack: T,
    /// Received − sent: the study's latency.
    pub delivery: T,
    /// Received − due: the response time as a device sees it, free of coordinated omission.
    pub response: T,
}

/// Cost of the network path to a server's port: measured before a run's first server, at a port of a
/// container that only echoes, with the limits of the plan in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PathCost {
    /// Number of timed round trips of 64 bytes, one after the other.
    pub round_trips: u64,
    /// Median round trip, in microseconds.
    pub p50: Option<f64>,
    /// 99th percentile of the round trips, in microseconds; `null` with fewer than ten beyond it.
    pub p99: Option<f64>,
    /// Throughput of one connection from the hub, in bytes per second.
    pub from_hub: Option<f64>,
    /// Throughput of one connection to the hub, in bytes per second.
    pub to_hub: Option<f64>,
}

impl std::fmt::Display for PathCost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let missing = || "not measured".to_owned();
        let time = |micros: Option<f64>| {
            let time = micros.and_then(|micros| Duration::try_from_secs_f64(micros / 1e6).ok());
            time.map_or_else(missing, human_duration)
        };
        let rate = |rate: Option<f64>| rate.map_or_else(missing, |rate| ByteRate(rate).to_string());
        write!(
            f,
            "round trip p50 {}, p99 {}; link {} out, {} in",
            time(self.p50),
            time(self.p99),
            rate(self.from_hub),
            rate(self.to_hub)
        )
    }
}

/// Summary of a latency distribution, in microseconds. A percentile is `None` with fewer than ten
/// samples beyond it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// Samples.
    pub count: u64,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Mean.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    #[serde(default)]
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// Number of negative samples: clocks disagree, or a stamp is wrong.
    pub negative: u64,
}

/// Counts and durations of one second of the load: each outcome belongs to the second in which it happened,
/// by `(time − start of the load) / 1 s`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimelineSecond {
    /// Number of the second since the start of the load (its warm-up included), from 0.
    pub second: u32,
    /// Messages that were due by the schedule, sent or not; 0 in the throughput workload.
    pub due: u64,
    /// Messages handed to the client library.
    pub sent: u64,
    /// Messages acknowledged; `None` (`null`) if no acknowledgement was asked for.
    pub acked: Option<u64>,
    /// Messages that arrived.
    pub delivered: u64,
    /// Payload bytes that arrived (in a producer scenario: were acknowledged).
    pub bytes: u64,
    /// Median delivery latency of the second, in microseconds.
    pub delivery_p50: Option<f64>,
    /// 99th percentile of the second's delivery latency; `None` below 1,000 samples.
    pub delivery_p99: Option<f64>,
    /// Largest delivery latency of the second.
    pub delivery_max: Option<f64>,
    /// Median acknowledgement latency of the second.
    pub ack_p50: Option<f64>,
    /// Median response of the second.
    pub response_p50: Option<f64>,
    /// Largest response of the second.
    pub response_max: Option<f64>,
    /// Largest lag of the second.
    pub lag_max: Option<f64>,
    /// Seconds of this second within a standstill ([`crate::record::Standstill`]).
    #[serde(default)]
    pub standstill: f64,
}

/// Resources of a server over one second. `None` is *not measured*.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ResourceSample {
    /// Time, as in [`crate::event::Snapshot::seconds`].
    pub seconds: f64,
    /// Cores in use: 1.5 is one and a half cores.
    pub cpu_cores: Option<f64>,
    /// Memory as `docker stats` counts it.
    pub memory: Option<Bytes>,
    /// Memory above the idle baseline, in bytes; may be negative.
    pub memory_growth: Option<i64>,
    /// Memory of the processes, without page cache.
    pub resident: Option<Bytes>,
    /// Page cache.
    pub cache: Option<Bytes>,
    /// Bytes read from disk per second.
    pub block_read: Option<f64>,
    /// Bytes written to disk per second.
    pub block_written: Option<f64>,
    /// Source of the two block figures.
    pub block_source: Option<BlockSource>,
    /// Bytes received per second.
    pub network_received: Option<f64>,
    /// Bytes sent per second.
    pub network_sent: Option<f64>,
}

/// Metrics of the hub's host over one second of the load. `None` is *not measured*.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HostMetrics {
    /// Time, as in [`crate::event::Snapshot::seconds`].
    pub seconds: f64,
    /// Temperature of the processor.
    pub temperature: Option<Celsius>,
    /// Clock of the processor's first core, in MHz.
    pub clock_mhz: Option<f64>,
    /// The firmware's throttle bits, as `vcgencmd get_throttled` shows them (Raspberry Pi only):
    /// 0 under-voltage, 1 clock capped, 2 throttled, 3 soft temperature limit; from 16 on the same
    /// four as they occurred since the hub's start.
    pub throttle_bits: Option<u32>,
    /// Whether the supply voltage is too low.
    pub under_voltage: Option<bool>,
    /// Cores in use by all processes.
    pub busy_cores: Option<f64>,
    /// Cores in use by processes other than the servers and, if the hub is this machine, hubmark.
    pub other_cores: Option<f64>,
    /// Cores that the host of a virtual hub gave to others (stolen time).
    #[serde(default)]
    pub stolen_cores: Option<f64>,
    /// Memory still available.
    pub memory_available: Option<Bytes>,
    /// Share of the second in which at least one task waited for memory, 0 to 1.
    pub memory_stalled: Option<f64>,
    /// Share of the second in which at least one task waited for a disk, 0 to 1.
    #[serde(default)]
    pub io_stalled: Option<f64>,
    /// Bytes moved from and to swap per second.
    pub swapped: Option<f64>,
    /// Free space in the file system under the servers' data.
    pub disk_free: Option<Bytes>,
    /// Bytes per second that all processes of the hub wrote to the disk under the servers' data.
    #[serde(default)]
    pub disk_written: Option<f64>,
}

impl HostMetrics {
    /// Whether the firmware throttles the processor because of heat or supply voltage.
    pub fn is_throttled(&self) -> Option<bool> {
        self.throttle_bits.map(|bits| bits & 0b1110 != 0)
    }
}

/// Result of the cool-down before a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CooldownResult {
    /// Seconds waited.
    pub seconds: f64,
    /// Temperature at the start of the wait; `None` if it cannot be measured: then there is no wait.
    pub from: Option<Celsius>,
    /// Temperature at the end of the wait.
    pub to: Option<Celsius>,
    /// Whether the requested temperature was reached within the time limit.
    pub reached: Option<bool>,
}

/// Verdict on whether a repetition's numbers can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// The judgement.
    pub status: Judgement,
    /// Reasons against `valid`, and planned faults.
    pub reasons: Vec<Reason>,
}

impl Default for Verdict {
    fn default() -> Self {
        Self { status: Judgement::Valid, reasons: Vec::new() }
    }
}

/// Judgement on a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// No reason for doubt.
    Valid,
    /// Measured to the end, with a reason for doubt.
    Suspect,
    /// Changed by the operator during the load: executed to the end, and no measurement of the plan.
    Steered,
    /// Not measured to the end.
    Failed,
}

impl Judgement {
    /// Name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Suspect => "suspect",
            Self::Steered => "steered",
            Self::Failed => "failed",
        }
    }

    /// Whether the figures of such a repetition are part of summaries, comparisons and findings.
    pub const fn counts(self) -> bool {
        matches!(self, Self::Valid | Self::Suspect)
    }
}

/// The [`Reason::code`] of a repetition whose load the operator changed.
pub const STEERED_CODE: &str = "steered";

/// The [`Reason::code`] of a planned fault: it explains figures, and does not make a repetition
/// suspect.
pub const PLANNED_FAULT_CODE: &str = "planned-fault";

/// The [`Reason::code`] of a repetition that the operator stopped: it has no result about the servers.
pub const STOPPED_CODE: &str = "stopped";

/// The [`Reason::code`] of a repetition that the hub ended (its engine, a container that did not start): it
/// has no result about the servers under the load.
pub const HUB_FAILURE_CODE: &str = "hub-error";

/// The [`Reason::code`] of a repetition that ended early for any other reason: a server ended, a user or
/// the consumer lost it.
pub const FAILURE_CODE: &str = "error";

/// Number of repetitions by judgement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictCounts {
    /// Valid.
    pub valid: usize,
    /// Suspect.
    pub suspect: usize,
    /// Steered by the operator.
    #[serde(default)]
    pub steered: usize,
    /// Failed in spite of all retries.
    pub failed: usize,
    /// Failed attempts that were retried; not part of the other counts.
    pub retried: usize,
}

impl std::fmt::Display for VerdictCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} valid", self.valid)?;
        for (count, word) in [
            (self.suspect, "suspect"),
            (self.steered, "steered"),
            (self.failed, "failed"),
            (self.retried, "retried"),
        ] {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        Ok(())
    }
}

/// A reason of a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// Code for programs: `client-saturated`, `messages-lost`, …
    pub code: String,
    /// Sentence for people, with numbers.
    pub text: String,
}

/// Account of every message of a repetition, the load's warm-up included:
/// `planned = sent + unsent + not_due`, `sent = delivered + lost + failed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ledger {
    /// Messages of the plan.
    pub planned: u64,
    /// Handed to the client library.
    pub sent: u64,
    /// Never handed to the client library: the run ended, or the client refused for good.
    pub unsent: u64,
    /// Messages of the plan that never became due, because the operator had switched their users off.
    #[serde(default)]
    pub not_due: u64,
    /// Acknowledged by the server; `null` if the clients asked for no acknowledgements (`acks = 0`).
    #[serde(default)]
    pub acked: Option<u64>,
    /// Certainly not stored, and never arrived: refused by the server, or still queued in the client
    /// when its connections were closed.
    pub failed: u64,
    /// Distinct messages that arrived intact.
    pub delivered: u64,
    /// Repeated arrivals of messages that had arrived.
    pub duplicate: u64,
    /// Arrivals after a later message of the same user.
    pub out_of_order: u64,
    /// Arrivals with a wrong stamp or wrong bytes.
    pub corrupt: u64,
    /// Arrivals after the drain.
    pub late: u64,
    /// Sent, neither delivered nor failed at the end of the drain.
    pub lost: u64,
    /// Acknowledged, then lost.
    pub acked_then_lost: u64,
    /// Sent, neither delivered nor failed, before the end of the drain: counted instead of *lost*, for
    /// good in a repetition that ended early.
    #[serde(default)]
    pub on_the_way: u64,
    /// Messages that the server held after the drain, counted over a separate connection; `null` if
    /// they could not be counted.
    pub stored: Option<u64>,
}

impl Ledger {
    /// Number of planned messages that were not delivered: lost, failed or never sent. Messages on the way
    /// when a repetition ended early are not among them.
    pub const fn undelivered(&self) -> u64 {
        self.lost + self.failed + self.unsent
    }

    /// Returns a description of each equation that does not hold.
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.planned != self.sent + self.unsent + self.not_due {
            found.push(format!(
                "planned {} ≠ sent {} + unsent {} + not due {}",
                self.planned, self.sent, self.unsent, self.not_due
            ));
        }
        if self.sent != self.delivered + self.lost + self.failed + self.on_the_way {
            found.push(format!(
                "sent {} ≠ delivered {} + lost {} + failed {} + on the way {}",
                self.sent, self.delivered, self.lost, self.failed, self.on_the_way
            ));
        }
        found
    }
}

/// A figure over repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Estimate {
    /// Repetitions that have the figure.
    pub n: u32,
    /// Mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Standard deviation of the repetitions (n − 1); `null` below two values, and in records of
    /// older versions.
    #[serde(default)]
    pub stdev: Option<f64>,
    /// Lower bound of the mean's 95 % confidence interval (Student's t, of a figure that cannot be
    /// negative on a logarithmic scale; in records of older versions always on a linear one); `null`
    /// below two values.
    pub ci_low: Option<f64>,
    /// Upper bound of the confidence interval.
    pub ci_high: Option<f64>,
}
