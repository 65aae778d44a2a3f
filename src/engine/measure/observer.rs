//! Observes a load: sends a snapshot four times a second, and reports standstills.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{
    generator::ProcessMeter, host_monitor::MonitoredHost, host_series::HostSeries,
    recorder::Recorder, retransmissions::Retransmissions, sampler::Sampler,
};
use crate::{
    clock::Micros,
    engine::{
        judge::{
            lateness, thresholds,
            verdict::{self, ClientMachine, Evidence},
        },
        steering::Steering,
    },
    event::{
        BAR_COUNT, BARS_PER_DECADE, EventSender, FIRST_BAR_MICROS, LogLevel, Snapshot,
        ThresholdAlarm,
    },
    measure::{
        Durations, GeneratorHealth, HostMetrics, LatencySummary, Ledger, TimelineSecond, Verdict,
    },
    plan::{Point, Threshold},
    stats::distribution::Distribution,
};

/// Time between two snapshots.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(250);
/// Time after the end of a second in which its outcomes are still being recorded.
const RECORDING_TIME: Duration = Duration::from_millis(100);
/// Snapshots per second.
const SNAPSHOTS_PER_SECOND: u32 = 4;

/// Observes one load and sends snapshots of it.
pub struct Observer<'a> {
    /// Records the outcomes.
    pub recorder: &'a Arc<Recorder>,
    /// Samples the servers' resources.
    pub sampler: &'a Sampler,
    /// Receives the snapshots.
    pub events: &'a EventSender,
    /// The point that is measured.
    pub point: &'a Point,
    /// Start of the load; before the load, start of the observation.
    start: Micros,
    /// Whether the load has been started.
    load_started: bool,
    /// Planned length of the load.
    planned_seconds: Option<f64>,
    /// This machine.
    machine: ClientMachine<'a>,
    /// The last completed seconds, and the number of all completed seconds.
    recent: Vec<TimelineSecond>,
    complete_seconds: i64,
    generator: GeneratorHealth,
    meter: ProcessMeter,
    thresholds: &'a [Threshold],
    alarms: Vec<ThresholdAlarm>,
    /// The hub's host.
    host: MonitoredHost<'a>,
    /// The host's metrics so far, for each second.
    pub host_metrics: Vec<HostMetrics>,
    host_series: HostSeries,
    /// Connections that sent segments again.
    pub retransmissions: Retransmissions,
    /// The operator's changes of the load, if the plan allows them.
    pub steering: Option<Arc<Steering>>,
}

impl<'a> Observer<'a> {
    /// Creates an observer; `machine` is this machine's cores and whether the hub is this machine.
    pub fn new(
        recorder: &'a Arc<Recorder>,
        sampler: &'a Sampler,
        events: &'a EventSender,
        point: &'a Point,
        thresholds: &'a [Threshold],
        machine: ClientMachine<'a>,
        host: MonitoredHost<'a>,
    ) -> Self {
        let start = recorder.clock().now();
        Self {
            recorder,
            sampler,
            events,
            point,
            start,
            load_started: false,
            planned_seconds: None,
            machine,
            recent: Vec::new(),
            complete_seconds: 0,
            generator: GeneratorHealth::default(),
            meter: ProcessMeter::start(&recorder.client_watch),
            thresholds,
            alarms: Vec::new(),
            host,
            host_metrics: Vec::new(),
            host_series: HostSeries::new(start, host.spec),
            retransmissions: Retransmissions::default(),
            steering: None,
        }
    }

    /// Starts the measured time at `start`, from which the timeline counts.
    pub fn start_load(&mut self, start: Micros, planned_seconds: Option<f64>) {
        self.start = start;
        self.planned_seconds = planned_seconds;
        self.load_started = true;
        self.recent.clear();
        self.complete_seconds = 0;
        self.host_metrics.clear();
        self.host_series = HostSeries::new(start, self.host.spec);
        self.retransmissions.restart();
        self.meter = ProcessMeter::start(&self.recorder.client_watch);
    }

    /// Returns the resource use of this process since the start of the load.
    pub fn generator_over_load(&mut self) -> GeneratorHealth {
        let watch = &self.recorder.client_watch;
        GeneratorHealth { ack_delay: watch.ack_delay(), ..self.meter.total(watch) }
    }

    /// Adds the passes of hubmark's threads in the drain to `generator`, the resource use over the load: a reader
    /// that stood still only in the drain owns the largest deliveries, too.
    pub fn add_drain_passes(&self, generator: &mut GeneratorHealth) {
        self.meter.add_later_passes(generator, &self.recorder.client_watch);
    }

    /// Observes until the future is dropped.
    pub async fn observe(&mut self) {
        let mut ticks = interval_at(Instant::now() + SNAPSHOT_INTERVAL, SNAPSHOT_INTERVAL);
        // Ticks missed for lack of processor time are skipped: a snapshot shows the present. Sends
        // never depend on this clock.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut number = 0_u32;
        loop {
            ticks.tick().await;
            number += 1;
            let progress = self.recorder.acknowledged() + self.recorder.delivered();
            self.retransmissions.look(self.recorder.clock().now(), progress);
            if number.is_multiple_of(SNAPSHOTS_PER_SECOND) {
                let clock = self.recorder.clock();
                let metrics = &mut self.host_metrics;
                self.host.extend_metrics(clock, self.sampler, &mut self.host_series, metrics);
                self.generator = self.meter.lap(&self.recorder.client_watch);
            }
            self.complete_seconds();
            self.send_snapshot();
        }
    }

    /// Updates the last seconds once a second, when the outcomes of the one that ended are recorded.
    fn complete_seconds(&mut self) {
        let now = self.recorder.clock().now();
        let complete = now.before(RECORDING_TIME).since(self.start) / 1_000_000;
        if self.load_started && complete > self.complete_seconds {
            self.complete_seconds = complete;
            self.recent = self.recorder.recent_seconds(now);
            self.report_standstills(now, false);
        }
    }

    /// Sends a snapshot of the present state.
    pub fn send_snapshot(&mut self) {
        self.events.send_snapshot(self.snapshot());
    }

    /// Returns the seconds since the start of the load; 0 before it.
    fn elapsed_seconds(&self) -> f64 {
        if !self.load_started {
            return 0.0;
        }
        self.recorder.clock().now().since(self.start) as f64 / 1e6
    }

    /// Returns the expected length of the load, with the operator's changes so far.
    fn planned_seconds(&self) -> Option<f64> {
        let planned = self.planned_seconds?;
        let expected = |steering: &Arc<Steering>| {
            steering.expected_seconds(planned, self.recorder.clock().now())
        };
        Some(self.steering.as_ref().map_or(planned, expected))
    }

    /// Reports new standstills in the log and in the record; at the end of the drain (`is_over`), also one that
    /// lasts until `now`.
    pub fn report_standstills(&self, now: Micros, is_over: bool) {
        for standstill in self.recorder.new_standstills(now, is_over) {
            let text = standstill.describe();
            self.events.log(LogLevel::Warn, text.clone());
            self.recorder.note_at(standstill.from, text);
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        let ledger = self.recorder.ledger();
        let distributions = self.recorder.durations();
        let durations = summarize(&distributions);
        let generator = GeneratorHealth {
            lag_p99: durations.lag.p99,
            dropped_snapshots: self.events.dropped_snapshots(),
            ack_delay: self.recorder.client_watch.ack_delay(),
            ..self.generator.clone()
        };
        let seconds = self.elapsed_seconds();
        if self.load_started {
            thresholds::update_alarms(&mut self.alarms, self.thresholds, &durations, seconds);
        }
        Snapshot {
            seconds,
            planned_seconds: self.planned_seconds(),
            progress: (ledger.sent + ledger.not_due) as f64 / ledger.planned.max(1) as f64,
            connected: self.recorder.users_connected(),
            users: self.point.workload.users(),
            verdict: self.judge(&ledger, &durations, &distributions, &generator, seconds),
            ledger,
            durations,
            bars: histogram_bars(&distributions),
            alarms: self.alarms.clone(),
            second: self.recent.last().copied().unwrap_or_default(),
            recent: self.recent.clone(),
            standstills: self.recorder.standstills(),
            servers: self.sampler.latest_rates(self.start),
            hub: self.latest_host_metrics(),
            generator,
            dropped: self.events.dropped_snapshots(),
            steering: self.steering.as_ref().map(|steering| steering.state()),
        }
    }

    /// Returns the latest metrics of the host, with the latest load of other processes among the last three
    /// entries: the servers' counters arrive up to a second later than the host's.
    fn latest_host_metrics(&self) -> Option<HostMetrics> {
        let last = *self.host_metrics.last()?;
        let other = self.host_metrics.iter().rev().take(3).find_map(|one| one.other_cores);
        Some(HostMetrics { other_cores: other, ..last })
    }

    fn judge(
        &self,
        ledger: &Ledger,
        durations: &Durations<LatencySummary>,
        distributions: &Durations<Distribution>,
        generator: &GeneratorHealth,
        seconds: f64,
    ) -> Verdict {
        let samples = BTreeMap::new();
        verdict::judge(&Evidence {
            point: self.point,
            ledger,
            drain_over: false,
            durations,
            lag_ranks: &lateness::lag_ranks(distributions),
            self_test: self.machine.self_test,
            generator,
            client_cores: self.machine.cores,
            hub_is_local: self.machine.is_hub,
            samples: &samples,
            seconds,
            hub: &self.host_metrics,
            hub_health: self.host_series.health(),
            host_spec: self.host.spec,
            reasons: &self.recorder.reasons(),
            faults: &[],
            steered: &self.steering.as_ref().map_or_else(Vec::new, |it| it.actions()),
            other_runs: &[],
        })
    }
}

/// Returns the four distributions as histogram bars.
fn histogram_bars(durations: &Durations<Distribution>) -> Durations<Vec<u64>> {
    let bars = |of: &Distribution| of.bars(FIRST_BAR_MICROS, BARS_PER_DECADE, BAR_COUNT);
    Durations {
        lag: bars(&durations.lag),
        ack: bars(&durations.ack),
        delivery: bars(&durations.delivery),
        response: bars(&durations.response),
    }
}

/// Summarizes the four distributions.
pub fn summarize(durations: &Durations<Distribution>) -> Durations<LatencySummary> {
    Durations {
        lag: durations.lag.summary(),
        ack: durations.ack.summary(),
        delivery: durations.delivery.summary(),
        response: durations.response.summary(),
    }
}
