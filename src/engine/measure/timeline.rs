//! Timeline: what happened in each second of a load, by the time at which it happened.
//!
//! A second is `(time − start) / 1 s`, computed where an outcome is recorded. Nothing here depends on a
//! timer: when this process is stopped or late, the seconds meanwhile keep their places and their numbers.

use std::collections::BTreeMap;

use crate::{
    clock::Micros,
    measure::{Durations, TimelineSecond},
    plan::Scenario,
    record::{Latency, Standstill, histogram, interval_log},
    stats::distribution::Distribution,
};

/// Seconds behind the present one whose histograms stay open, since outcomes are recorded within
/// milliseconds of their times. A closed second takes a hundredth of the memory; an outcome that comes later
/// still is merged into it.
pub const OPEN_SECONDS: u32 = 3;
/// Most seconds that a snapshot repeats, so that a screen can fill the gaps of dropped snapshots.
const RECENT_SECONDS: u32 = 15;

/// Returns the second of a load that began at `start` in which `at` lies; earlier times belong to its first.
pub fn second_of(at: Micros, start: Micros) -> u32 {
    u32::try_from(at.since(start).max(0) / 1_000_000).unwrap_or(u32::MAX)
}

/// Distributions of one duration: over the measured load, and in each second that is still open.
#[derive(Debug, Default)]
pub struct DurationHistograms {
    /// All measured messages.
    pub total: Distribution,
    /// All messages of each open second, those of the load's warm-up included.
    seconds: BTreeMap<u32, Distribution>,
}

impl DurationHistograms {
    /// Adds a duration that ended in `second` of the load; `measured` is whether it counts in the total.
    pub fn record(&mut self, second: Option<u32>, micros: i64, measured: bool) {
        if let Some(second) = second {
            self.seconds.entry(second).or_default().record(micros);
        }
        if measured {
            self.total.record(micros);
        }
    }

    /// Figures of the open seconds.
    fn figures(&self) -> BTreeMap<u32, SecondFigures> {
        self.seconds.iter().map(|(second, of)| (*second, SecondFigures::of_open(of))).collect()
    }

    /// Removes and returns the seconds before `second`.
    fn take_before(&mut self, second: u32) -> BTreeMap<u32, Distribution> {
        let later = self.seconds.split_off(&second);
        std::mem::replace(&mut self.seconds, later)
    }
}

/// Messages sent in each second, and their lag.
#[derive(Debug, Default)]
pub struct SendStats {
    /// Lag of the messages of a schedule.
    pub lag: DurationHistograms,
    /// Messages sent in each second.
    sent: BTreeMap<u32, u64>,
}

impl SendStats {
    /// Counts a message sent in `second` of the load.
    pub fn count(&mut self, second: Option<u32>) {
        if let Some(second) = second {
            *self.sent.entry(second).or_default() += 1;
        }
    }
}

/// Figures of one duration in one second.
#[derive(Debug, Clone, Copy, Default)]
struct SecondFigures {
    count: u64,
    p50: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

impl SecondFigures {
    fn of_open(distribution: &Distribution) -> Self {
        Self {
            count: distribution.count(),
            p50: distribution.percentile(0.5),
            p99: distribution.percentile(0.99),
            max: distribution.max(),
        }
    }

    fn of_closed(latency: Option<&Latency>) -> Self {
        latency.map_or_else(Self::default, |latency| Self {
            count: latency.count,
            p50: latency.p50,
            p99: latency.p99,
            max: Some(latency.max),
        })
    }
}

/// Figures of the seconds that are still open. Each set of histograms is locked by itself, and briefly: the
/// sending thread must not wait.
#[derive(Debug, Default)]
pub struct OpenSeconds {
    sent: BTreeMap<u32, u64>,
    durations: Durations<BTreeMap<u32, SecondFigures>>,
}

impl OpenSeconds {
    /// Adds messages sent, and their lag.
    pub fn add_sends(&mut self, sends: &SendStats) {
        self.sent.clone_from(&sends.sent);
        self.durations.lag = sends.lag.figures();
    }

    /// Adds acknowledgements.
    pub fn add_acks(&mut self, ack: &DurationHistograms) {
        self.durations.ack = ack.figures();
    }

    /// Adds arrivals.
    pub fn add_arrivals(&mut self, delivery: &DurationHistograms, response: &DurationHistograms) {
        self.durations.delivery = delivery.figures();
        self.durations.response = response.figures();
    }

    fn second(&self, number: u32) -> Durations<SecondFigures> {
        let of = |all: &BTreeMap<u32, SecondFigures>| all.get(&number).copied().unwrap_or_default();
        Durations {
            lag: of(&self.durations.lag),
            ack: of(&self.durations.ack),
            delivery: of(&self.durations.delivery),
            response: of(&self.durations.response),
        }
    }
}

/// Which figures of the seconds have a meaning in a workload.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimelineScope {
    /// Bytes of one message's payload.
    pub payload: u64,
    /// Sides that work. Without a consumer beside them, bytes are counted at the producers.
    pub scenario: Scenario,
    /// Whether messages have due times.
    pub is_paced: bool,
    /// Whether no acknowledgement is asked for, which the first message shows.
    pub without_acks: bool,
}

/// The seconds of a load.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Messages due in each second, by the schedule.
    due: Vec<u64>,
    /// Messages sent in each closed second.
    sent: BTreeMap<u32, u64>,
    /// The four durations of each closed second.
    closed: BTreeMap<u32, Durations<Option<Latency>>>,
}

impl Timeline {
    /// Begins anew with the schedule's messages per second.
    pub fn restart(&mut self, due: Vec<u64>) {
        *self = Self { due, ..Self::default() };
    }

    /// Keeps the messages due before `second`, and the first `count` of those due in it: the rest is not due
    /// when the schedule says.
    pub fn cut_due(&mut self, second: u32, count: u64) {
        self.due.truncate(second as usize);
        self.due.resize(second as usize, 0);
        self.due.push(count);
    }

    /// Adds the seconds taken from the open histograms.
    pub fn close(&mut self, taken: TakenSeconds) {
        for (second, count) in taken.sent {
            *self.sent.entry(second).or_default() += count;
        }
        let mut add = |seconds: BTreeMap<u32, Distribution>, of: DurationField| {
            for (second, distribution) in seconds {
                let stored = of(self.closed.entry(second).or_default());
                *stored = merged(stored.take(), &distribution);
            }
        };
        add(taken.lag, |all| &mut all.lag);
        add(taken.ack, |all| &mut all.ack);
        add(taken.delivery, |all| &mut all.delivery);
        add(taken.response, |all| &mut all.response);
    }

    /// Returns the last seconds before `present`, closed or open.
    pub fn recent(
        &self,
        present: u32,
        open: &OpenSeconds,
        scope: TimelineScope,
    ) -> Vec<TimelineSecond> {
        let second = |number: u32| {
            if let Some(closed) = self.closed.get(&number) {
                return self.entry(number, &closed_figures(closed), scope);
            }
            let mut entry = self.entry(number, &open.second(number), scope);
            entry.sent += open.sent.get(&number).copied().unwrap_or(0);
            entry
        };
        (present.saturating_sub(RECENT_SECONDS)..present).map(second).collect()
    }

    /// Returns every second up to the one of `until` or of the last outcome, without a gap, and the interval
    /// log of their durations.
    pub fn finish(
        &self,
        until: u32,
        scope: TimelineScope,
        standstills: &[Standstill],
    ) -> (Vec<TimelineSecond>, String) {
        let last = |second: Option<(&u32, u64)>| second.map_or(0, |(second, _)| second + 1);
        let end = until
            .max(self.closed.keys().next_back().map_or(0, |second| second + 1))
            .max(last(self.sent.iter().next_back().map(|(second, count)| (second, *count))));
        let none = Durations::default();
        let mut seconds: Vec<_> = (0..end)
            .map(|number| {
                let closed = self.closed.get(&number).unwrap_or(&none);
                self.entry(number, &closed_figures(closed), scope)
            })
            .collect();
        for standstill in standstills {
            for second in &mut seconds {
                second.standstill += standstill.seconds_within(second.second);
            }
        }
        let meant = self.closed.iter().map(|(second, all)| (*second, scope.filter(all)));
        (seconds, interval_log::encode(meant))
    }

    fn entry(
        &self,
        number: u32,
        durations: &Durations<SecondFigures>,
        scope: TimelineScope,
    ) -> TimelineSecond {
        let (acked, delivered) = (durations.ack.count, durations.delivery.count);
        let meant = |figures: SecondFigures, has_meaning: bool| {
            if has_meaning { figures } else { SecondFigures::default() }
        };
        let delivery = meant(durations.delivery, scope.has_delivery());
        let response = meant(durations.response, scope.is_paced);
        TimelineSecond {
            second: number,
            due: self.due.get(number as usize).copied().unwrap_or(0),
            sent: self.sent.get(&number).copied().unwrap_or(0),
            acked: (!scope.without_acks).then_some(acked),
            delivered,
            bytes: scope.payload
                * if scope.scenario == Scenario::Producer { acked } else { delivered },
            delivery_p50: delivery.p50,
            delivery_p99: delivery.p99,
            delivery_max: delivery.max,
            ack_p50: durations.ack.p50,
            response_p50: response.p50,
            response_max: response.max,
            lag_max: durations.lag.max,
            standstill: 0.0,
        }
    }
}

fn closed_figures(closed: &Durations<Option<Latency>>) -> Durations<SecondFigures> {
    let of = |latency: &Option<Latency>| SecondFigures::of_closed(latency.as_ref());
    Durations {
        lag: of(&closed.lag),
        ack: of(&closed.ack),
        delivery: of(&closed.delivery),
        response: of(&closed.response),
    }
}

/// Selects one of the four durations.
type DurationField = fn(&mut Durations<Option<Latency>>) -> &mut Option<Latency>;

impl TimelineScope {
    /// Whether delivery was measured: a message that waited on the server for its consumer has no delivery time.
    fn has_delivery(self) -> bool {
        self.scenario == Scenario::Both
    }

    /// Leaves out the durations that have no meaning in the workload.
    fn filter(self, all: &Durations<Option<Latency>>) -> Durations<Option<&Latency>> {
        Durations {
            lag: all.lag.as_ref().filter(|_| self.is_paced),
            ack: all.ack.as_ref(),
            delivery: all.delivery.as_ref().filter(|_| self.has_delivery()),
            response: all.response.as_ref().filter(|_| self.is_paced),
        }
    }
}

/// Seconds taken from the open histograms.
#[derive(Debug, Default)]
pub struct TakenSeconds {
    sent: BTreeMap<u32, u64>,
    lag: BTreeMap<u32, Distribution>,
    ack: BTreeMap<u32, Distribution>,
    delivery: BTreeMap<u32, Distribution>,
    response: BTreeMap<u32, Distribution>,
}

impl TakenSeconds {
    /// Takes messages sent, and their lag, before `second`.
    pub fn take_sends(&mut self, sends: &mut SendStats, second: u32) {
        let later = sends.sent.split_off(&second);
        self.sent = std::mem::replace(&mut sends.sent, later);
        self.lag = sends.lag.take_before(second);
    }

    /// Takes the acknowledgements before `second`.
    pub fn take_acks(&mut self, ack: &mut DurationHistograms, second: u32) {
        self.ack = ack.take_before(second);
    }

    /// Takes the arrivals before `second`.
    pub fn take_arrivals(
        &mut self,
        delivery: &mut DurationHistograms,
        response: &mut DurationHistograms,
        second: u32,
    ) {
        self.delivery = delivery.take_before(second);
        self.response = response.take_before(second);
    }
}

/// Adds `more` to a stored distribution, for an outcome that was recorded after its second was closed.
fn merged(stored: Option<Latency>, more: &Distribution) -> Option<Latency> {
    let Some(stored) = stored else { return histogram::encode_latency(more) };
    match histogram::decode_latency(&stored) {
        Ok(mut all) => {
            all.merge(more);
            histogram::encode_latency(&all)
        }
        Err(error) => {
            tracing::error!(%error, "a second of the timeline is incomplete");
            Some(stored)
        }
    }
}
