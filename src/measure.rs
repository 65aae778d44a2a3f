//! What is measured: the values that events carry to a screen and records keep on disk.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    server::BlockSource,
    units::{ByteRate, Bytes, Celsius, human_duration},
};

/// One value for each of the four durations of a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Durations<T> {
    /// Sent − due: hubmark's own lateness.
    pub lag: T,
    /// Acknowledged − sent.
    pub ack: T,
    /// Received − sent: the study's latency.
    pub delivery: T,
    /// Received − due: what a device's owner feels, free of coordinated omission.
    pub response: T,
}

/// What the way from here to a server's port costs by itself: measured before a run's first server,
/// at a port of a container that does nothing but answer, with the limits of the plan in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PathCost {
    /// Round trips of 64 bytes, one after the other, that were timed.
    pub round_trips: u64,
    /// Their median, in microseconds.
    pub p50: Option<f64>,
    /// Their 99th percentile, in microseconds; `null` where fewer than ten lie beyond it.
    pub p99: Option<f64>,
    /// What one connection carried from the hub, in bytes a second.
    pub from_hub: Option<f64>,
    /// What one connection carried to the hub, in bytes a second.
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

/// A distribution in few numbers, in microseconds. A percentile is `None` where fewer than ten
/// samples lie beyond it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
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
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// Samples below zero: the clocks disagree, or the stamp lies.
    pub negative: u64,
}

/// What happened in one second of the load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// The second's number from the start of the load (its warm-up included), from 0.
    pub second: u32,
    /// Messages that were due.
    pub due: u64,
    /// Messages handed over.
    pub sent: u64,
    /// Messages acknowledged.
    pub acked: u64,
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
}

/// A server's resources over the last second, as a screen shows them. `None` was not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// When, in seconds of [`crate::event::Snapshot::seconds`].
    pub seconds: f64,
    /// Cores in use: 1.5 is one and a half cores.
    pub cpu_cores: Option<f64>,
    /// Memory as `docker stats` counts it.
    pub memory: Option<Bytes>,
    /// Memory above the idle baseline, in bytes; may be negative.
    pub memory_growth: Option<i64>,
    /// Memory of the processes themselves.
    pub resident: Option<Bytes>,
    /// Page cache.
    pub cache: Option<Bytes>,
    /// Bytes read from disk per second.
    pub block_read: Option<f64>,
    /// Bytes written to disk per second.
    pub block_written: Option<f64>,
    /// Where the two come from.
    pub block_source: Option<BlockSource>,
    /// Bytes received per second.
    pub network_received: Option<f64>,
    /// Bytes sent per second.
    pub network_sent: Option<f64>,
}

/// The hub itself over one second of the load: whether it was fit to be measured. `None` was not
/// measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vitals {
    /// When, in seconds of [`crate::event::Snapshot::seconds`].
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
    /// Cores in use by everybody.
    pub busy_cores: Option<f64>,
    /// Of those, cores in use by others than the servers and, where the hub is this machine,
    /// hubmark.
    pub other_cores: Option<f64>,
    /// Memory that is still to be had.
    pub memory_available: Option<Bytes>,
    /// Share of the second in which some task waited for memory, 0 to 1.
    pub memory_stalled: Option<f64>,
    /// Bytes moved from and to swap per second.
    pub swapped: Option<f64>,
    /// Space left in the file system under the servers' data.
    pub disk_free: Option<Bytes>,
}

impl Vitals {
    /// Whether the processor is held back by heat or by its supply, as the firmware says.
    pub fn held_back(&self) -> Option<bool> {
        self.throttle_bits.map(|bits| bits & 0b1110 != 0)
    }
}

/// The wait before a repetition until the hub had cooled down.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cooled {
    /// Seconds waited.
    pub seconds: f64,
    /// Temperature when the wait began; `None` where it cannot be measured, and nothing waited.
    pub from: Option<Celsius>,
    /// Temperature when it ended.
    pub to: Option<Celsius>,
    /// Whether the temperature asked for was reached within the limit of time.
    pub reached: Option<bool>,
}

/// The generator's own health over the load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// Cores that this process used over the last second (in a record: mean over the load).
    pub cpu_cores: f64,
    /// Resident memory.
    pub resident: Bytes,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub descriptors: u64,
    /// 99th percentile of the lag in microseconds.
    pub lag_p99: Option<f64>,
    /// Snapshots dropped because a front end was slow.
    pub dropped_snapshots: u64,
    /// Busy share of the whole machine, 0 to 1, all processes together.
    pub machine_busy: Option<f64>,
}

/// Whether a repetition's numbers can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The judgement.
    pub status: Judgement,
    /// Why it is not `valid`.
    pub reasons: Vec<Reason>,
}

impl Default for Verdict {
    fn default() -> Self {
        Self { status: Judgement::Valid, reasons: Vec::new() }
    }
}

/// The judgement on a repetition.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// Nothing speaks against it.
    Valid,
    /// Measured to the end, with a reason for doubt.
    Suspect,
    /// Not measured to the end.
    Failed,
}

/// The [`Reason::code`] of a fault that was planned: it explains, and by itself makes nothing
/// doubtful.
pub const PLANNED_FAULT: &str = "planned-fault";

/// How many repetitions were judged how so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Valid.
    pub valid: usize,
    /// Suspect.
    pub suspect: usize,
    /// Failed, the last try included.
    pub failed: usize,
    /// Tries that failed and were executed again; not in the others.
    pub retried: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} valid", self.valid)?;
        for (count, word) in
            [(self.suspect, "suspect"), (self.failed, "failed"), (self.retried, "retried")]
        {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        Ok(())
    }
}

/// A reason for doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// A word for programs: `client-saturated`, `messages-lost`, …
    pub code: String,
    /// A sentence for people, with its numbers.
    pub text: String,
}

/// Every message accounted for: `planned = sent + unsent`, `sent = delivered + lost + failed`.
/// All messages of the repetition, the load's warm-up included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// Messages that the plan asked for.
    pub planned: u64,
    /// Handed to the client library.
    pub sent: u64,
    /// Never handed over: the run ended, or the client refused for good.
    pub unsent: u64,
    /// Acknowledged by the server.
    pub acked: u64,
    /// Certainly not stored, and never arrived: refused by the server, or still waiting in the client when
    /// its connections were closed.
    pub failed: u64,
    /// Distinct messages that arrived intact.
    pub delivered: u64,
    /// Further arrivals of messages that had arrived.
    pub duplicate: u64,
    /// Arrivals after a later message of the same user.
    pub out_of_order: u64,
    /// Arrivals with a wrong stamp or wrong bytes.
    pub corrupt: u64,
    /// Arrivals after the drain.
    pub late: u64,
    /// Sent, neither delivered nor failed when the drain was over.
    pub lost: u64,
    /// Acknowledged, then lost.
    pub acked_then_lost: u64,
    /// Sent, neither delivered nor failed, and nobody waited for it: counted instead of *lost*
    /// before the drain is over, and for good in a repetition that ended early.
    #[serde(default)]
    pub on_the_way: u64,
    /// Messages that the server held after the drain, counted over a connection of its own;
    /// `null` when it could not be asked.
    pub stored: Option<u64>,
}

impl Ledger {
    /// Messages that were sent and are certainly not there: lost, or refused.
    pub const fn undelivered(&self) -> u64 {
        self.lost + self.failed
    }

    /// What does not add up; empty when both equations hold.
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.planned != self.sent + self.unsent {
            found.push(format!(
                "planned {} ≠ sent {} + unsent {}",
                self.planned, self.sent, self.unsent
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// older programs.
    #[serde(default)]
    pub stdev: Option<f64>,
    /// Lower end of the mean's 95 % confidence interval (Student's t); `null` below two values.
    pub ci_low: Option<f64>,
    /// Upper end.
    pub ci_high: Option<f64>,
}
