//! What the engine tells while a run goes on: plain serialisable values, so that a screen in
//! another process can follow a run and a test can replay one.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    measure::{
        Durations, Generator, Ledger, Load, PathCost, Second, Spread, Tally, Verdict, Vitals,
    },
    plan::{BackendChoice, Plan, Step},
    record::{Capacity, Repetition},
    server::HubFacts,
    units::{Bytes, human_duration},
};

/// One thing that happened. In order; snapshots may be missing when a front end is slow.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    Started {
        /// What will be done.
        plan: Box<Plan>,
        /// The file in which the record grows.
        record: PathBuf,
        /// Repetitions already in the record, when it is resumed.
        done: usize,
    },
    /// A repetition that the resumed record already holds; told for each, before anything is done.
    Kept {
        /// Which one.
        step: Step,
        /// All of its results.
        repetition: Box<Repetition>,
    },
    /// The hub answered and said what it is.
    Hub {
        /// Its address or place.
        place: String,
        /// What it is.
        facts: Box<HubFacts>,
    },
    /// What the way to the hub costs by itself.
    Path(PathCost),
    /// Repetitions were added.
    Replanned {
        /// What will be done now.
        plan: Box<Plan>,
    },
    /// A repetition begins.
    Repetition {
        /// Which one.
        step: Step,
        /// Its place in the schedule, from 0.
        position: usize,
        /// Which try of it this is, from 1.
        #[serde(default = "first")]
        attempt: u32,
    },
    /// A step towards a backend's footprint card begins: servers are started and loaded outside of
    /// the repetitions.
    Footprint {
        /// The backend.
        backend: BackendChoice,
        /// What is done: `cold start 2 of 3`.
        what: String,
    },
    /// The next phase of the repetition begins.
    Phase {
        /// The phase.
        phase: Phase,
        /// How long it is expected to take, in seconds; `None` when nobody knows.
        seconds: Option<f64>,
    },
    /// An image is being built or pulled.
    Image(ImageStep),
    /// The state of the repetition in progress, about four times a second.
    Snapshot(Box<Snapshot>),
    /// A line for the log.
    Log {
        /// How bad it is.
        level: Level,
        /// What happened.
        text: String,
    },
    /// A repetition is over and saved.
    Finished {
        /// Which one.
        step: Step,
        /// All of its results.
        repetition: Box<Repetition>,
        /// Seconds that the run will still take, learned from the repetitions done.
        seconds_left: Option<f64>,
        /// The judgements so far, this one included.
        #[serde(default)]
        tally: Tally,
    },
    /// A search for a capacity has learned something, or begins.
    Capacity {
        /// Which one: its place in [`Plan::searches`].
        search: usize,
        /// All that is known.
        state: Box<Capacity>,
    },
    /// The run is over; the record is saved.
    Ended {
        /// How it ended.
        end: End,
        /// The record's file.
        record: PathBuf,
    },
}

/// The attempt of events that know no retries.
const fn first() -> u32 {
    1
}

/// How an image comes into being: told when a step begins, as bytes arrive, and each second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageStep {
    /// The image.
    pub image: String,
    /// The present step in words: `step 3/9 RUN apt-get …`, `pulling 4 of 7 layers`.
    pub step: String,
    /// Share of the whole done in percent, where it is known.
    pub percent: Option<u8>,
    /// Seconds since building or pulling began.
    #[serde(default)]
    pub seconds: f64,
    /// What was fetched over the network so far, as far as its makers tell.
    #[serde(default)]
    pub fetched: Option<Bytes>,
    /// How much there is to fetch, as far as it is known by now.
    #[serde(default)]
    pub size: Option<Bytes>,
}

impl ImageStep {
    /// Time, bytes and the step, which may be long: `12 s · 34.5 MB · step 3/9 RUN apt-get …`.
    pub fn words(&self) -> String {
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

/// A stage of one repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Images are made sure of.
    Images,
    /// The hub cools down before the servers start.
    Cooldown,
    /// Clean servers start.
    Servers,
    /// The server's own warm-up load, not measured.
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
    /// No more sends; messages still arrive.
    Drain,
    /// Totals are read, messages are counted on the server.
    Collect,
    /// The servers are removed.
    Cleanup,
}

impl Phase {
    /// The phase's name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Cooldown => "cooling down",
            Self::Servers => "starting servers",
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

/// How bad a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something that may make a number doubtful.
    Warn,
    /// Something failed.
    Error,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Every repetition was executed.
    Complete,
    /// The operator, or a signal, stopped it.
    Stopped,
    /// It could not go on.
    Failed {
        /// Why, and what to do.
        error: String,
    },
}

/// The state of a repetition in progress. Everything counts from the repetition's start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Seconds since the phase `load` (or its warm-up) began; negative before.
    pub seconds: f64,
    /// Seconds that load and warm-up last by plan; `None` for a throughput workload.
    pub planned_seconds: Option<f64>,
    /// Share of the planned messages handed over so far, 0 to 1.
    pub progress: f64,
    /// Users connected.
    pub connected: u32,
    /// Users asked for.
    pub users: u32,
    /// The ledger so far; `lost` is what would be lost if nothing more arrived.
    pub ledger: Ledger,
    /// The four durations so far.
    pub durations: Durations<Spread>,
    /// The four durations as counts over [`BARS_PER_DECADE`] logarithmic bars a decade, from
    /// [`FIRST_BAR`] microseconds.
    pub bars: Durations<Vec<u64>>,
    /// The last full second.
    pub second: Second,
    /// Resources of each server, by role.
    pub servers: BTreeMap<String, Load>,
    /// The hub itself, as last read; `None` while nothing was read.
    #[serde(default)]
    pub hub: Option<Vitals>,
    /// The generator's own health.
    pub generator: Generator,
    /// The verdict as it stands.
    pub verdict: Verdict,
    /// Thresholds on durations that were crossed so far, in the profile's order.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
    /// Snapshots that a slow front end has missed.
    pub dropped: u64,
}

/// A threshold on a duration that was crossed while the load went on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// What is limited: `delivery.p99`.
    pub metric: String,
    /// Its limit in microseconds.
    pub at_most: f64,
    /// Its value now, over the repetition so far; `None` when too few samples carry it.
    pub value: Option<f64>,
    /// The second of the first crossing, as in [`Snapshot::seconds`].
    pub since: f64,
}

impl Alarm {
    /// Whether the limit is crossed now, too.
    pub fn is_on(&self) -> bool {
        self.value.is_some_and(|value| value > self.at_most)
    }
}

/// Logarithmic bars in each decade of [`Snapshot::bars`].
pub const BARS_PER_DECADE: usize = 20;
/// Lower edge of the first of [`Snapshot::bars`], in microseconds. The first bar also holds what
/// is below.
pub const FIRST_BAR: f64 = 10.0;
/// Number of [`Snapshot::bars`]: up to 1,000 s; the last also holds what is above.
pub const BARS: usize = 8 * BARS_PER_DECADE;

/// Snapshots that may wait for a slow front end; more are dropped and counted.
const SNAPSHOTS_WAITING: usize = 8;

/// A pair through which an engine tells and a front end follows.
pub fn channel() -> (Teller, Events) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let teller = Teller { sender, waiting: Arc::clone(&waiting), dropped: Arc::default() };
    (teller, Events { receiver, waiting })
}

/// The engine's end: telling never blocks, whatever the front end does.
#[derive(Debug, Clone)]
pub struct Teller {
    sender: mpsc::UnboundedSender<Event>,
    waiting: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

impl Teller {
    /// Tells an event. Without a front end it goes nowhere. Of events other than snapshots there
    /// are only a few for each repetition.
    pub fn tell(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// Tells a line for the log.
    pub fn log(&self, level: Level, text: impl Into<String>) {
        self.tell(Event::Log { level, text: text.into() });
    }

    /// Tells a snapshot, unless too many are waiting already: then it is dropped and counted.
    pub fn snapshot(&self, snapshot: Snapshot) {
        if self.waiting.load(Relaxed) < SNAPSHOTS_WAITING {
            self.waiting.fetch_add(1, Relaxed);
            self.tell(Event::Snapshot(Box::new(snapshot)));
        } else {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Snapshots dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

/// The front end's end.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::UnboundedReceiver<Event>,
    waiting: Arc<AtomicUsize>,
}

impl Events {
    /// The next event; `None` when the engine is gone. Safe to cancel.
    pub async fn recv(&mut self) -> Option<Event> {
        let event = self.receiver.recv().await;
        self.taken(event)
    }

    /// The next event that is already there.
    pub fn try_recv(&mut self) -> Option<Event> {
        let event = self.receiver.try_recv().ok();
        self.taken(event)
    }

    fn taken(&self, event: Option<Event>) -> Option<Event> {
        if matches!(event, Some(Event::Snapshot(_))) {
            self.waiting.fetch_sub(1, Relaxed);
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_says_its_time_and_its_bytes() {
        let mut step =
            ImageStep { step: "step 3/9 RUN x".into(), seconds: 75.9, ..ImageStep::default() };
        assert_eq!(step.words(), "1 min 15 s · step 3/9 RUN x");
        step.fetched = Some(Bytes(34_500_000));
        assert_eq!(step.words(), "1 min 15 s · 34.5 MB · step 3/9 RUN x");
        step.size = Some(Bytes(80_000_000));
        assert_eq!(step.words(), "1 min 15 s · 34.5 MB of 80.0 MB · step 3/9 RUN x");
    }

    #[test]
    fn a_slow_front_end_loses_snapshots_and_nothing_else() {
        let (teller, mut events) = channel();
        for _ in 0..SNAPSHOTS_WAITING + 5 {
            teller.snapshot(Snapshot::default());
            teller.log(Level::Info, "still here");
        }
        assert_eq!(teller.dropped(), 5);
        let mut lines = 0;
        while let Some(event) = events.try_recv() {
            lines += usize::from(matches!(event, Event::Log { .. }));
        }
        assert_eq!(lines, SNAPSHOTS_WAITING + 5);
        teller.snapshot(Snapshot::default());
        assert!(matches!(events.try_recv(), Some(Event::Snapshot(_))));
    }
}
