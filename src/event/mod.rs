//! Events of a run: plain serialisable values, so that a screen in another process can follow a run
//! and a test can replay one.

mod queue;

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    measure::{
        Durations, GeneratorHealth, HostMetrics, LatencySummary, Ledger, PathCost, ResourceSample,
        SelfTest, TimelineSecond, Verdict, VerdictCounts,
    },
    plan::{BackendChoice, Plan, ScheduledRepetition},
    record::{Capacity, Repetition, Standstill, SteeringAction},
    server::HubFacts,
    units::{Bytes, human_duration},
    workload::{active_users::ActiveUsers, rate_factor::RateFactor},
};

pub use queue::{EventReceiver, EventSender, channel};

/// An event of a run. Events arrive in order; a slow front end may miss snapshots.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run started.
    Started {
        /// The plan of the run.
        plan: Box<Plan>,
        /// Path of the record.
        record: PathBuf,
        /// Number of repetitions already in a resumed record.
        done: usize,
    },
    /// A repetition that the resumed record already holds; one event for each, before the run continues.
    #[serde(rename = "kept")]
    AlreadyRecorded {
        /// Which one.
        step: ScheduledRepetition,
        /// All of its results.
        repetition: Box<Repetition>,
    },
    /// The hub reported its facts.
    Hub {
        /// Address or description of the hub.
        place: String,
        /// Facts about the hub.
        facts: Box<HubFacts>,
    },
    /// The cost of the network path to the hub was measured.
    Path(PathCost),
    /// What this machine's timer and loopback can do without a load was measured.
    SelfTest(SelfTest),
    /// Repetitions were added to the plan.
    Replanned {
        /// The new plan.
        plan: Box<Plan>,
    },
    /// A repetition started.
    Repetition {
        /// Which one.
        step: ScheduledRepetition,
        /// Position in the schedule, from 0.
        position: usize,
        /// Number of the attempt, from 1.
        #[serde(default = "first_attempt")]
        attempt: u32,
    },
    /// A step of a footprint measurement started: servers are started and loaded outside of the
    /// repetitions.
    Footprint {
        /// The backend.
        backend: BackendChoice,
        /// Description of the step: `cold start 2 of 3`.
        what: String,
    },
    /// The hub turned out to be slower than assumed, before the first repetition.
    Estimate {
        /// Estimated seconds until the end of the run.
        seconds_left: f64,
    },
    /// The next phase of the run or of the repetition started.
    Phase {
        /// The phase.
        phase: Phase,
        /// Expected duration in seconds; `None` when not known.
        seconds: Option<f64>,
    },
    /// An image is being built or pulled.
    Image(ImageProgress),
    /// The state of the repetition in progress, about four times a second.
    Snapshot(Box<Snapshot>),
    /// A log line.
    Log {
        /// Severity.
        level: LogLevel,
        /// Message text.
        text: String,
    },
    /// A repetition ended, and the record was saved.
    Finished {
        /// Which one.
        step: ScheduledRepetition,
        /// All of its results.
        repetition: Box<Repetition>,
        /// Estimated seconds until the end of the run.
        seconds_left: Option<f64>,
        /// Verdicts so far, this repetition's included.
        #[serde(default)]
        tally: VerdictCounts,
    },
    /// A capacity search started or changed its state.
    Capacity {
        /// Index in [`Plan::searches`].
        search: usize,
        /// State of the search.
        state: Box<Capacity>,
    },
    /// The run ended, and the record was saved if that was possible.
    Ended {
        /// How it ended.
        end: EndStatus,
        /// Path of the record; empty if it was never saved.
        record: PathBuf,
    },
}

/// Attempt number of an event without that field.
const fn first_attempt() -> u32 {
    1
}

/// Progress of building or pulling an image: sent at the start of a step, as bytes arrive, and every
/// second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageProgress {
    /// Name of the image.
    pub image: String,
    /// Description of the current step: `step 3/9 RUN apt-get …`, `pulling 4 of 7 layers`.
    pub step: String,
    /// Progress of the whole image in percent, if known.
    pub percent: Option<u8>,
    /// Seconds since the start of building or pulling.
    #[serde(default)]
    pub seconds: f64,
    /// Bytes fetched over the network so far, as far as the engine reports them.
    #[serde(default)]
    pub fetched: Option<Bytes>,
    /// Bytes to fetch in total, as far as known.
    #[serde(default)]
    pub size: Option<Bytes>,
}

impl ImageProgress {
    /// Formats time, bytes and the step, which may be long: `12 s · 34.5 MB · step 3/9 RUN apt-get …`.
    pub fn summary(&self) -> String {
        let mut text = human_duration(Duration::from_secs(self.seconds as u64));
        // Writing to a string cannot fail.
        let _ = match (self.fetched, self.size) {
            (Some(fetched), Some(size)) => write!(text, " · {fetched:#} of {size:#}"),
            (Some(fetched), None) => write!(text, " · {fetched:#}"),
            (None, _) => Ok(()),
        };
        format!("{text} · {}", self.step)
    }
}

/// A phase of a run or of a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Images are built or pulled.
    Images,
    /// The limits of the servers are put in force on a test container and measured.
    Limits,
    /// A container on the hub answers, to measure the network path.
    Path,
    /// The reader of the hub itself starts.
    HubReader,
    /// The hub cools down before the servers start.
    Cooldown,
    /// Clean servers start.
    Servers,
    /// The started servers do not answer yet.
    Ready,
    /// The server's warm-up load, not measured.
    ServerWarmup,
    /// The servers idle while their resources are sampled.
    Baseline,
    /// The consumer and all users connect.
    Connect,
    /// The data that the consumer will read is loaded; not measured.
    Preload,
    /// The load's first seconds, not measured.
    Warmup,
    /// The measured load.
    Load,
    /// Sending has ended; messages still arrive.
    Drain,
    /// Totals are read, messages are counted on the server.
    Collect,
    /// The servers are removed.
    Cleanup,
}

impl Phase {
    /// Name of the phase for display.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Limits => "verifying limits",
            Self::Path => "measuring the path",
            Self::HubReader => "reading the hub",
            Self::Cooldown => "cooling down",
            Self::Servers => "starting servers",
            Self::Ready => "waiting for servers",
            Self::ServerWarmup => "server warm-up",
            Self::Baseline => "idle baseline",
            Self::Connect => "connecting users",
            Self::Preload => "loading data to read",
            Self::Warmup => "warm-up",
            Self::Load => "load",
            Self::Drain => "drain",
            Self::Collect => "collecting",
            Self::Cleanup => "removing servers",
        }
    }
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Information.
    Info,
    /// A problem that may make a number doubtful.
    Warn,
    /// A failure.
    Error,
}

/// Status with which a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndStatus {
    /// Every repetition was executed.
    Complete,
    /// The operator or a signal stopped the run.
    Stopped,
    /// The run could not continue.
    Failed {
        /// Cause, and what to do.
        error: String,
    },
}

/// State of a repetition in progress, since its start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Seconds since the start of the phase `load` (or its warm-up); negative before.
    pub seconds: f64,
    /// Planned seconds of load and warm-up; `None` for a throughput workload.
    pub planned_seconds: Option<f64>,
    /// Share of the planned messages sent so far, 0 to 1.
    pub progress: f64,
    /// Number of connected users.
    pub connected: u32,
    /// Number of planned users.
    pub users: u32,
    /// Ledger so far; `lost` counts the messages lost if no more arrive.
    pub ledger: Ledger,
    /// The four durations so far.
    pub durations: Durations<LatencySummary>,
    /// The four durations as counts over [`BARS_PER_DECADE`] logarithmic bars a decade, from
    /// [`FIRST_BAR_MICROS`] microseconds.
    pub bars: Durations<Vec<u64>>,
    /// The last full second.
    pub second: TimelineSecond,
    /// The last full seconds, `second` included: they fill the gaps of snapshots that a front end missed.
    #[serde(default)]
    pub recent: Vec<TimelineSecond>,
    /// Times without answers or sends so far ([`Standstill`]).
    #[serde(default)]
    pub standstills: Vec<Standstill>,
    /// Resources of each server, by role.
    pub servers: BTreeMap<String, ResourceSample>,
    /// Last metrics of the hub's host; `None` before the first sample.
    #[serde(default)]
    pub hub: Option<HostMetrics>,
    /// Health of the load generator.
    pub generator: GeneratorHealth,
    /// Verdict so far.
    pub verdict: Verdict,
    /// Thresholds on durations crossed so far, in the order of the profile.
    #[serde(default)]
    pub alarms: Vec<ThresholdAlarm>,
    /// Number of snapshots that a slow front end has missed.
    pub dropped: u64,
    /// State of the operator's changes; `None` if the plan does not allow any.
    #[serde(default)]
    pub steering: Option<SteeringState>,
}

/// What the operator has changed in the load in progress.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SteeringState {
    /// Whether the load is paused.
    pub is_paused: bool,
    /// Factor of the planned rate.
    pub rate: RateFactor,
    /// Users whose messages become due.
    #[serde(default)]
    pub users: ActiveUsers,
    /// All changes so far.
    pub actions: Vec<SteeringAction>,
}

/// A threshold on a duration that was crossed during the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdAlarm {
    /// The limited metric: `delivery.p99`.
    pub metric: String,
    /// Limit in microseconds.
    pub at_most: f64,
    /// Current value over the repetition so far; `None` with too few samples.
    pub value: Option<f64>,
    /// Second of the first crossing, as in [`Snapshot::seconds`].
    pub since: f64,
}

impl ThresholdAlarm {
    /// Whether the current value exceeds the limit.
    pub fn is_active(&self) -> bool {
        self.value.is_some_and(|value| value > self.at_most)
    }
}

/// Number of logarithmic bars in each decade of [`Snapshot::bars`].
pub const BARS_PER_DECADE: usize = 20;
/// Lower edge of the first of [`Snapshot::bars`], in microseconds. The first bar also holds smaller
/// values.
pub const FIRST_BAR_MICROS: f64 = 10.0;
/// Number of [`Snapshot::bars`]: up to 1,000 s; the last bar also holds larger values.
pub const BAR_COUNT: usize = 8 * BARS_PER_DECADE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_shows_time_and_bytes() {
        let mut step = ImageProgress {
            step: "step 3/9 RUN x".into(),
            seconds: 75.9,
            ..ImageProgress::default()
        };
        assert_eq!(step.summary(), "1 min 15 s · step 3/9 RUN x");
        step.fetched = Some(Bytes(34_500_000));
        assert_eq!(step.summary(), "1 min 15 s · 34.5 MB · step 3/9 RUN x");
        step.size = Some(Bytes(80_000_000));
        assert_eq!(step.summary(), "1 min 15 s · 34.5 MB of 80.0 MB · step 3/9 RUN x");
    }
}
