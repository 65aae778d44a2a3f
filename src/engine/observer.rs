//! The observer: four times a second it makes a snapshot, once a second it closes a line of the
//! timeline.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{
    attendant::Watch,
    generator::SelfWatch,
    recorder::Recorder,
    sampler::Sampler,
    thresholds,
    verdict::{self, Evidence},
};
use crate::{
    clock::Micros,
    event::{Alarm, BARS, BARS_PER_DECADE, FIRST_BAR, Snapshot, Teller},
    measure::{Durations, Generator, Ledger, Second, Spread, Verdict, Vitals},
    plan::{Point, Scenario, Threshold, Workload},
    stats::distribution::Distribution,
};

/// Time between two snapshots.
const TICK: Duration = Duration::from_millis(250);
/// Snapshots in a second.
const TICKS_PER_SECOND: u32 = 4;

/// Watches one load and tells about it.
pub struct Observer<'a> {
    /// Where outcomes are recorded.
    pub recorder: &'a Arc<Recorder>,
    /// Where resources are sampled.
    pub sampler: &'a Sampler,
    /// To whom to tell.
    pub teller: &'a Teller,
    /// What is played.
    pub point: &'a Point,
    /// Start of the load; before it, of the watching.
    start: Micros,
    /// Whether the load has been started.
    playing: bool,
    /// Length of the load by plan.
    planned_seconds: Option<f64>,
    /// This machine's cores.
    cores: f64,
    /// Whether the hub is this machine.
    shared: bool,
    /// The seconds closed so far.
    pub timeline: Vec<Second>,
    counts: Second,
    generator: Generator,
    watch: SelfWatch,
    thresholds: &'a [Threshold],
    alarms: Vec<Alarm>,
    /// The hub itself.
    hub: Watch<'a>,
    /// Its lines so far.
    pub vitals: Vec<Vitals>,
}

impl<'a> Observer<'a> {
    /// An observer of a load that begins at `start`.
    pub fn new(
        recorder: &'a Arc<Recorder>,
        sampler: &'a Sampler,
        teller: &'a Teller,
        point: &'a Point,
        thresholds: &'a [Threshold],
        machine: (f64, bool),
        hub: Watch<'a>,
    ) -> Self {
        Self {
            recorder,
            sampler,
            teller,
            point,
            start: recorder.clock().now(),
            playing: false,
            planned_seconds: None,
            cores: machine.0,
            shared: machine.1,
            timeline: Vec::new(),
            counts: Second::default(),
            generator: Generator::default(),
            watch: SelfWatch::start(),
            thresholds,
            alarms: Vec::new(),
            hub,
            vitals: Vec::new(),
        }
    }

    /// The measured time begins at `start`: the timeline counts from here.
    pub fn begin(&mut self, start: Micros, planned_seconds: Option<f64>) {
        self.start = start;
        self.planned_seconds = planned_seconds;
        self.playing = true;
        self.timeline.clear();
        self.vitals.clear();
        self.counts = self.recorder.turn_second(0);
    }

    /// Watches until the future is dropped.
    pub async fn watch(&mut self) {
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        // A tick that comes late for want of processor is not made up for: a snapshot is a view
        // of now. Sends never depend on this clock.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut number = 0_u32;
        loop {
            ticks.tick().await;
            number += 1;
            if number.is_multiple_of(TICKS_PER_SECOND) {
                let clock = self.recorder.clock();
                self.vitals = self.hub.vitals(clock, self.sampler, self.start, None);
                if self.playing && self.seconds() > 0.0 {
                    self.close_second();
                } else {
                    self.generator = self.watch.lap();
                }
            }
            self.tell();
        }
    }

    /// Tells how everything stands now.
    pub fn tell(&mut self) {
        self.teller.snapshot(self.snapshot());
    }

    /// Seconds of the load; 0 before it.
    fn seconds(&self) -> f64 {
        if !self.playing {
            return 0.0;
        }
        self.recorder.clock().now().since(self.start) as f64 / 1e6
    }

    /// Closes the present second of the timeline.
    pub fn close_second(&mut self) {
        let totals = self.recorder.turn_second(self.timeline.len() as u32);
        let since = |now: u64, then: u64| now.saturating_sub(then);
        let second = Second {
            due: since(totals.due, self.counts.due),
            sent: since(totals.sent, self.counts.sent),
            acked: since(totals.acked, self.counts.acked),
            delivered: since(totals.delivered, self.counts.delivered),
            ..totals
        };
        let counted =
            if measured_by_producer(self.point) { second.acked } else { second.delivered };
        let bytes = counted * self.point.workload.payload().0;
        self.counts = totals;
        self.timeline.push(Second { bytes, ..second });
        self.generator = self.watch.lap();
    }

    fn snapshot(&mut self) -> Snapshot {
        let ledger = self.recorder.ledger();
        let distributions = self.recorder.durations();
        let durations = spreads(&distributions);
        let generator = Generator {
            lag_p99: durations.lag.p99,
            dropped_snapshots: self.teller.dropped(),
            ..self.generator
        };
        let seconds = self.seconds();
        if self.playing {
            thresholds::alarm(&mut self.alarms, self.thresholds, &durations, seconds);
        }
        Snapshot {
            seconds,
            planned_seconds: self.planned_seconds,
            progress: ledger.sent as f64 / ledger.planned.max(1) as f64,
            connected: self.recorder.users_connected(),
            users: self.point.workload.users(),
            verdict: self.verdict(&ledger, &durations, &generator, seconds),
            ledger,
            durations,
            bars: bars(&distributions),
            alarms: self.alarms.clone(),
            second: self.timeline.last().copied().unwrap_or_default(),
            servers: self.sampler.latest(self.start),
            hub: self.latest_vitals(),
            generator,
            dropped: self.teller.dropped(),
        }
    }

    /// The last line. The servers' counters come up to a second later than the hub's.
    fn latest_vitals(&self) -> Option<Vitals> {
        let last = *self.vitals.last()?;
        let other = self.vitals.iter().rev().take(3).find_map(|one| one.other_cores);
        Some(Vitals { other_cores: other, ..last })
    }

    fn verdict(
        &self,
        ledger: &Ledger,
        durations: &Durations<Spread>,
        generator: &Generator,
        seconds: f64,
    ) -> Verdict {
        let samples = BTreeMap::new();
        verdict::judge(&Evidence {
            point: self.point,
            ledger,
            settled: false,
            durations,
            generator,
            cores: self.cores,
            shared: self.shared,
            samples: &samples,
            seconds,
            hub: &self.vitals,
            build: self.hub.build,
            reasons: &self.recorder.reasons(),
            faults: &[],
            others: &[],
        })
    }
}

/// Whether the throughput is that of the producers, for want of a consumer beside them.
pub fn measured_by_producer(point: &Point) -> bool {
    matches!(&point.workload, Workload::Throughput(w) if w.scenario == Scenario::Producer)
}

/// The four distributions as bars.
fn bars(durations: &Durations<Distribution>) -> Durations<Vec<u64>> {
    let bars = |of: &Distribution| of.bars(FIRST_BAR, BARS_PER_DECADE, BARS);
    Durations {
        lag: bars(&durations.lag),
        ack: bars(&durations.ack),
        delivery: bars(&durations.delivery),
        response: bars(&durations.response),
    }
}

/// The four distributions in few numbers.
pub fn spreads(durations: &Durations<Distribution>) -> Durations<Spread> {
    Durations {
        lag: durations.lag.spread(),
        ack: durations.ack.spread(),
        delivery: durations.delivery.spread(),
        response: durations.response.spread(),
    }
}
