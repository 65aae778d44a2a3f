//! Standstills: finds the times in which nothing happened although messages waited.
//!
//! Sends, acknowledgements and arrivals are three streams. A gap of a stream is a candidate when something
//! waited for its end: an unanswered message, or a message that was due. It is reported when it is far longer
//! than the gaps in which the stream spends its time, so that a load of one message a second, or a server
//! that answers in bursts, has no standstill in its own rhythm.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::{
    clock::Micros,
    record::{Standstill, StandstillKind},
};

/// Shortest gap that is reported, in microseconds: shorter ones are noise of schedulers and garbage
/// collectors, and visible in percentiles.
const MIN_GAP_MICROS: i64 = 100_000;
/// Smallest ratio of a reported gap to the median gap, weighted by time. Arrivals at random have a longer one
/// once in a billion gaps (e^-20: their time-weighted median is 1.68 of the mean gap).
const RHYTHM_FACTOR: i64 = 12;
/// Time after the end of a gap in which the other streams may still end theirs, in microseconds.
const SETTLE_MICROS: i64 = 500_000;
/// Maximum number of candidates of a stream that are stored.
const MAX_CANDIDATES: usize = 4_096;
/// Maximum number of standstills of a repetition.
const MAX_STANDSTILLS: usize = 100;
/// Classes of gap lengths: four for each power of two.
const CLASSES: usize = 4 * 64;
/// Marks that nothing waits.
const NOTHING_WAITS: i64 = i64::MAX;

/// From and to.
type Gap = (i64, i64);

/// The gaps of one stream.
#[derive(Debug)]
struct GapStream {
    /// Time since which something waits for the stream.
    waiting_since: AtomicI64,
    gaps: Mutex<Gaps>,
}

#[derive(Debug)]
struct Gaps {
    /// Time of the last event, or the start.
    last: i64,
    /// Microseconds spent in gaps of each class of length.
    time_by_length: Box<[u64; CLASSES]>,
    candidates: Vec<Gap>,
}

impl Default for GapStream {
    fn default() -> Self {
        Self {
            waiting_since: AtomicI64::new(NOTHING_WAITS),
            gaps: Mutex::new(Gaps {
                last: i64::MAX,
                time_by_length: Box::new([0; CLASSES]),
                candidates: Vec::new(),
            }),
        }
    }
}

impl GapStream {
    fn restart(&self, start: Micros) {
        self.waiting_since.store(NOTHING_WAITS, Relaxed);
        let mut gaps = self.gaps.lock();
        *gaps.time_by_length = [0; CLASSES];
        gaps.candidates.clear();
        gaps.last = start.0;
    }

    /// Notes that something waits for the stream from `since` on, unless something waited before.
    fn begin_waiting(&self, since: Micros) {
        if self.waiting_since.load(Relaxed) == NOTHING_WAITS {
            self.waiting_since.store(since.0, Relaxed);
        }
    }

    /// Records events at ascending times.
    fn record(&self, times: impl Iterator<Item = Micros>, always_waiting: bool) {
        let mut since = self.waiting_since.swap(NOTHING_WAITS, Relaxed);
        let mut gaps = self.gaps.lock();
        for at in times {
            if always_waiting {
                since = gaps.last;
            }
            gaps.end_gap(since, at.0);
            since = NOTHING_WAITS;
        }
    }

    /// Begins a new gap at `now`, unless something waits for the end of the present one.
    fn resume(&self, now: Micros) {
        let mut gaps = self.gaps.lock();
        if self.waiting_since.load(Relaxed) == NOTHING_WAITS {
            gaps.last = gaps.last.max(now.0);
        }
    }

    /// Gaps that are far outside the stream's rhythm; with `is_open`, the present one at `now` included.
    fn long_gaps(&self, now: Micros, always_waiting: bool, is_open: bool) -> Vec<Gap> {
        let gaps = self.gaps.lock();
        let since = if always_waiting { gaps.last } else { self.waiting_since.load(Relaxed) };
        let limit = gaps.limit();
        let present = is_open.then_some((since.max(gaps.last), now.0));
        let mut long: Vec<_> = gaps.candidates.iter().copied().chain(present).collect();
        // The limit is above zero: a gap that would end before it begins, since nothing waits, is none.
        long.retain(|(from, to)| to.saturating_sub(*from) >= limit);
        long
    }
}

impl Gaps {
    /// Ends the gap since the last event at `at`; something waited for that from `since` on.
    fn end_gap(&mut self, since: i64, at: i64) {
        let length = at.saturating_sub(self.last);
        if length <= 0 {
            return;
        }
        let from = since.max(self.last);
        self.last = at;
        self.time_by_length[class_of(length)] += length.unsigned_abs();
        if at.saturating_sub(from) >= MIN_GAP_MICROS {
            if self.candidates.len() >= MAX_CANDIDATES {
                let limit = self.limit();
                self.candidates.retain(|(from, to)| to - from >= limit);
            }
            if self.candidates.len() < MAX_CANDIDATES {
                self.candidates.push((from, at));
            }
        }
    }

    /// Length from which a gap is far outside the rhythm, in microseconds.
    fn limit(&self) -> i64 {
        let all: u64 = self.time_by_length.iter().sum();
        let mut below = 0;
        let median = self.time_by_length.iter().position(|time| {
            below += time;
            below * 2 >= all
        });
        let median = median.filter(|_| all > 0).map_or(0, upper_bound);
        median.saturating_mul(RHYTHM_FACTOR).max(MIN_GAP_MICROS)
    }
}

/// Class of a gap of `length` microseconds.
const fn class_of(length: i64) -> usize {
    let length = length.unsigned_abs();
    let power = length.ilog2() as usize;
    let quarter = if power >= 2 { (length >> (power - 2)) as usize & 3 } else { 0 };
    power * 4 + quarter
}

/// Length at which a class ends, in microseconds.
fn upper_bound(class: usize) -> i64 {
    let (power, quarter) = (class / 4, i64::try_from(class % 4).unwrap_or(0));
    if power < 2 { 2 << power } else { (5 + quarter).saturating_mul(1 << (power - 2)) }
}

/// Common parts of two lists of gaps, each in the order of time and without overlaps.
fn intersect(a: &[Gap], b: &[Gap]) -> Vec<Gap> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut common = Vec::new();
    while let (Some(&&(from, to)), Some(&&(other_from, other_to))) = (a.peek(), b.peek()) {
        let part = (from.max(other_from), to.min(other_to));
        if part.0 < part.1 {
            common.push(part);
        }
        if to < other_to {
            a.next()
        } else {
            b.next()
        };
    }
    common
}

/// Parts of the gaps `a` outside the gaps `b`, each list in the order of time and without overlaps.
fn subtract(a: &[Gap], b: &[Gap]) -> Vec<Gap> {
    let mut left = Vec::new();
    for &(mut from, to) in a {
        let first = b.partition_point(|&(_, end)| end <= from);
        for &(cut_from, cut_to) in b[first..].iter().take_while(|&&(start, _)| start < to) {
            if from < cut_from {
                left.push((from, cut_from));
            }
            from = cut_to;
        }
        if from < to {
            left.push((from, to));
        }
    }
    left
}

/// What a load does, which decides what its streams wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Messages have due times: an answer is waited for from the send on.
    Schedule,
    /// A volume is worked off as fast as possible: there is always something to wait for.
    Volume {
        /// Whether acknowledgements are expected.
        acks: bool,
        /// Whether arrivals are expected.
        arrivals: bool,
    },
}

/// Which answers are still missing.
#[derive(Debug, Clone, Copy)]
pub struct MissingAnswers {
    /// Whether messages sent are not acknowledged.
    pub acks: bool,
    /// Whether messages sent have not arrived.
    pub arrivals: bool,
}

/// Watches the streams of a load for standstills.
#[derive(Debug)]
pub struct StandstillMonitor {
    sends: GapStream,
    acks: GapStream,
    arrivals: GapStream,
    waiting: Mutex<Waiting>,
    is_volume: AtomicBool,
    found: Mutex<Vec<Standstill>>,
}

impl Default for StandstillMonitor {
    fn default() -> Self {
        Self {
            sends: GapStream::default(),
            acks: GapStream::default(),
            arrivals: GapStream::default(),
            waiting: Mutex::new(Waiting::Schedule),
            is_volume: AtomicBool::new(false),
            found: Mutex::default(),
        }
    }
}

impl StandstillMonitor {
    /// Begins to watch a load that starts at `start`.
    pub fn restart(&self, start: Micros, waiting: Waiting) {
        *self.waiting.lock() = waiting;
        self.is_volume.store(waiting != Waiting::Schedule, Relaxed);
        for stream in [&self.sends, &self.acks, &self.arrivals] {
            stream.restart(start);
        }
        self.found.lock().clear();
    }

    /// Ends a pause of the load at `now`: a gap in which nothing was due is no part of a stream's rhythm.
    pub fn resume(&self, now: Micros) {
        for stream in [&self.sends, &self.acks, &self.arrivals] {
            stream.resume(now);
        }
    }

    /// Records that a message is about to be sent, whose answers are waited for from now on.
    pub fn record_sending(&self, sent: Micros) {
        self.acks.begin_waiting(sent);
        self.arrivals.begin_waiting(sent);
    }

    /// Records that a message due at `due` (without a schedule: that could be sent from `due` on) was sent at
    /// `sent`. A message that the client's full queues delayed waited for the server, not for hubmark.
    pub fn record_sent(&self, due: Micros, sent: Micros, queue_was_full: bool) {
        self.sends.begin_waiting(if queue_was_full { sent } else { due });
        self.sends.record([sent].into_iter(), false);
    }

    /// Records acknowledgements at `times`.
    pub fn record_acks(&self, times: impl Iterator<Item = Micros>) {
        self.acks.record(times, self.is_volume.load(Relaxed));
    }

    /// Records arrivals at `times`.
    pub fn record_arrivals(&self, times: impl Iterator<Item = Micros>) {
        self.arrivals.record(times, self.is_volume.load(Relaxed));
    }

    /// Returns the standstills that ended before `now` and were not returned before; with `is_over`, also
    /// those that last until `now`, the end. Seconds count from `start`.
    pub fn find_new(
        &self,
        start: Micros,
        now: Micros,
        is_over: bool,
        missing: MissingAnswers,
    ) -> Vec<Standstill> {
        let settled = if is_over { now.0 } else { now.0 - SETTLE_MICROS };
        let mut found = self.found.lock();
        let mut new = Vec::new();
        for (what, gaps) in self.gaps_by_kind(now, missing) {
            for (from, to) in gaps {
                if to - from < MIN_GAP_MICROS || to > settled {
                    continue;
                }
                let seconds = |at: i64| (at - start.0) as f64 / 1e6;
                let standstill =
                    Standstill { from: seconds(from), to: seconds(to), what, cause: None };
                let known = |one: &Standstill| one.from < standstill.to && standstill.from < one.to;
                if !found.iter().any(known) && found.len() < MAX_STANDSTILLS {
                    found.push(standstill);
                    new.push(standstill);
                }
            }
        }
        found.sort_by(|a, b| a.from.total_cmp(&b.from));
        new.sort_by(|a, b| a.from.total_cmp(&b.from));
        new
    }

    /// All standstills found so far, in the order of time.
    pub fn found(&self) -> Vec<Standstill> {
        self.found.lock().clone()
    }

    /// Divides the long gaps of the three streams by what stood still together.
    fn gaps_by_kind(
        &self,
        now: Micros,
        missing: MissingAnswers,
    ) -> Vec<(StandstillKind, Vec<Gap>)> {
        let (volume, acks, arrivals) = match *self.waiting.lock() {
            Waiting::Schedule => (false, true, true),
            Waiting::Volume { acks, arrivals } => (true, acks, arrivals),
        };
        let long = |stream: &GapStream, expected: bool, is_missing: bool| {
            if expected { stream.long_gaps(now, volume, is_missing) } else { Vec::new() }
        };
        let sends = self.sends.long_gaps(now, false, true);
        let acks = long(&self.acks, acks, missing.acks);
        let arrivals = long(&self.arrivals, arrivals, missing.arrivals);
        let answers = intersect(&acks, &arrivals);
        let everything = intersect(&answers, &sends);
        vec![
            (StandstillKind::Everything, everything.clone()),
            (StandstillKind::Answers, subtract(&answers, &everything)),
            (StandstillKind::Sends, subtract(&sends, &everything)),
            (StandstillKind::Acks, subtract(&acks, &answers)),
            (StandstillKind::Deliveries, subtract(&arrivals, &answers)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Micros = Micros(7_000_000);

    /// Plays a load of a message each `gap` microseconds for `seconds`, acknowledged after 1 ms and delivered
    /// after 2 ms. `stops` say for which stream (sends, acks, arrivals) a time has no events: they come at its
    /// end.
    fn played(gap: i64, seconds: i64, stops: &[(&str, i64, i64)]) -> StandstillMonitor {
        let monitor = StandstillMonitor::default();
        monitor.restart(START, Waiting::Schedule);
        let held = |stream: &str, at: i64| {
            let stop =
                stops.iter().find(|(name, from, to)| *name == stream && (*from..*to).contains(&at));
            Micros(START.0 + stop.map_or(at, |(.., to)| *to))
        };
        let mut events = Vec::new();
        for due in (0..seconds * 1_000_000).step_by(gap as usize) {
            let sent = held("sends", due);
            events.push((sent, 0, due));
            let after = |micros: i64| sent.0 - START.0 + micros;
            events.push((held("acks", after(1_000)), 1, due));
            events.push((held("arrivals", after(2_000)), 2, due));
        }
        events.sort();
        for (at, stream, due) in events {
            match stream {
                0 => {
                    monitor.record_sending(at);
                    monitor.record_sent(Micros(START.0 + due), at, false);
                }
                1 => monitor.record_acks([at].into_iter()),
                _ => monitor.record_arrivals([at].into_iter()),
            }
        }
        monitor
    }

    fn texts(monitor: &StandstillMonitor, seconds: i64) -> Vec<String> {
        let end = Micros(START.0 + seconds * 1_000_000);
        let missing = MissingAnswers { acks: true, arrivals: true };
        monitor.find_new(START, end, true, missing).iter().map(Standstill::describe).collect()
    }

    #[test]
    fn a_server_without_answers_is_found_with_its_times() {
        let stops = [("acks", 10_100_000, 10_700_000), ("arrivals", 10_100_000, 10_700_000)];
        let monitor = played(20_000, 20, &stops);
        assert_eq!(texts(&monitor, 20), ["nothing acknowledged or delivered from 10.1 to 10.7 s"]);
        assert_eq!(texts(&monitor, 20), [""; 0], "and reported once");
    }

    #[test]
    fn a_pause_of_the_load_is_no_standstill_and_hides_none_after_it() {
        let monitor = StandstillMonitor::default();
        monitor.restart(START, Waiting::Schedule);
        let play = |from: i64, to: i64| {
            for at in (from..to).step_by(5_000).map(|at| Micros(START.0 + at)) {
                monitor.record_sending(at);
                monitor.record_sent(at, at, false);
                let after = |micros| [Micros(at.0 + micros)].into_iter();
                monitor.record_acks(after(1_000));
                monitor.record_arrivals(after(2_000));
            }
        };
        play(0, 2_000_000);
        monitor.resume(Micros(START.0 + 32_000_000));
        play(32_000_000, 34_000_000);
        assert_eq!(texts(&monitor, 34), [""; 0]);
        // A gap of the same kind in which a message was due.
        let late = Micros(START.0 + 35_000_000);
        monitor.record_sending(late);
        monitor.record_sent(Micros(START.0 + 34_000_000), late, false);
        let found = texts(&monitor, 35);
        assert!(found.iter().any(|text| text.starts_with("nothing sent")), "{found:?}");
    }

    #[test]
    fn each_silent_stream_is_named() {
        let of = |stops: &[(&str, i64, i64)]| texts(&played(5_000, 10, stops), 10);
        let (from, to) = (3_000_000, 4_000_000);
        assert_eq!(of(&[("arrivals", from, to)]), ["nothing delivered from 3.0 to 4.0 s"]);
        assert_eq!(of(&[("acks", from, to)]), ["nothing acknowledged from 3.0 to 4.0 s"]);
        let sends = of(&[("sends", from, to)]);
        assert!(
            sends.len() == 1 && sends[0].starts_with("nothing sent from 3.0 to 4.0 s, although"),
            "{sends:?}"
        );
        let all =
            of(&[("sends", from, to), ("acks", from - 5_000, to), ("arrivals", from - 5_000, to)]);
        assert!(
            all.iter()
                .any(|text| text.starts_with("nothing sent, acknowledged or delivered from 3.0")),
            "{all:?}"
        );
        assert!(!all.iter().any(|text| text.starts_with("nothing acknowledged or")), "{all:?}");
    }

    #[test]
    fn a_loads_own_rhythm_is_no_standstill() {
        assert_eq!(texts(&played(1_000_000, 60, &[]), 60), [""; 0], "one message a second");
        assert_eq!(texts(&played(1_000, 5, &[]), 5), [""; 0]);
        // A server that answers every 250 ms.
        let bursts: Vec<_> = (0..80)
            .flat_map(|k| ["acks", "arrivals"].map(|of| (of, k * 250_000, (k + 1) * 250_000)))
            .collect();
        assert_eq!(texts(&played(2_000, 20, &bursts), 20), [""; 0]);
        // Random arrivals, 100 a second.
        let monitor = StandstillMonitor::default();
        monitor.restart(START, Waiting::Schedule);
        let (mut at, mut state) = (START.0, 1_u64);
        for _ in 0..100_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let share = (state >> 11) as f64 / (1_u64 << 53) as f64;
            at += (-(1.0 - share).ln() * 10_000.0) as i64;
            monitor.record_sending(Micros(at));
            monitor.record_acks([Micros(at + 900)].into_iter());
            monitor.record_arrivals([Micros(at + 1_500)].into_iter());
        }
        assert_eq!(texts(&monitor, (at - START.0) / 1_000_000 + 1), [""; 0]);
    }

    #[test]
    fn a_quiet_schedule_is_no_standstill() {
        let monitor = played(1_000, 5, &[]);
        // One more message after three seconds in which nothing was due, answered at once.
        let at = Micros(START.0 + 8_000_000);
        monitor.record_sending(at);
        monitor.record_sent(at, at, false);
        monitor.record_acks([Micros(at.0 + 1_000)].into_iter());
        monitor.record_arrivals([Micros(at.0 + 2_000)].into_iter());
        assert_eq!(texts(&monitor, 9), [""; 0]);
        // A message without an answer until the end.
        monitor.record_sending(Micros(START.0 + 8_500_000));
        assert_eq!(texts(&monitor, 10), ["nothing acknowledged or delivered from 8.5 to 10.0 s"]);
    }

    #[test]
    fn a_volume_has_no_quiet_times() {
        let monitor = StandstillMonitor::default();
        monitor.restart(START, Waiting::Volume { acks: true, arrivals: false });
        for batch in
            (0..4_000_000).step_by(10_000).filter(|at| !(1_000_000..1_900_000).contains(at))
        {
            monitor.record_acks([Micros(START.0 + batch)].into_iter());
        }
        assert_eq!(texts(&monitor, 4), ["nothing acknowledged from 1.0 to 1.9 s"]);
    }

    #[test]
    fn a_load_of_many_standstills_is_looked_through_at_once() {
        // A second of work, a second of nothing, for an hour: as many parts as standstills, not two to their power.
        let stops: Vec<_> = (0..1_800)
            .flat_map(|k| {
                let (from, to) = ((2 * k + 1) * 1_000_000, (2 * k + 2) * 1_000_000);
                [("sends", from, to), ("acks", from - 5_000, to), ("arrivals", from - 5_000, to)]
            })
            .collect();
        let monitor = StandstillMonitor::default();
        monitor.restart(START, Waiting::Schedule);
        for stream in [&monitor.sends, &monitor.acks, &monitor.arrivals] {
            stream.gaps.lock().time_by_length[class_of(4_000)] = 1 << 40;
        }
        let of = |name: &str| {
            let gaps = stops.iter().filter(|(stream, ..)| *stream == name);
            gaps.map(|(_, from, to)| (START.0 + from, START.0 + to)).collect()
        };
        monitor.sends.gaps.lock().candidates = of("sends");
        monitor.acks.gaps.lock().candidates = of("acks");
        monitor.arrivals.gaps.lock().candidates = of("arrivals");
        let end = Micros(START.0 + 3_601_000_000);
        let found =
            monitor.find_new(START, end, true, MissingAnswers { acks: false, arrivals: false });
        assert_eq!(found.len(), MAX_STANDSTILLS);
        assert!(found.iter().all(|one| one.what == StandstillKind::Everything), "{found:?}");
    }

    /// Gaps in the order of time and without overlaps, within a hundred microseconds.
    fn gaps() -> impl Strategy<Value = Vec<Gap>> {
        prop::collection::btree_set(0_i64..100, 0..20)
            .prop_map(|ends| ends.into_iter().collect::<Vec<_>>())
            .prop_map(|ends| ends.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }

    proptest! {
        #[test]
        fn parts_of_gaps_hold_the_times_that_they_should(a in gaps(), b in gaps()) {
            let holds = |gaps: &[Gap], at: i64| gaps.iter().any(|(from, to)| (*from..*to).contains(&at));
            let (common, rest) = (intersect(&a, &b), subtract(&a, &b));
            for at in 0..100 {
                prop_assert_eq!(holds(&common, at), holds(&a, at) && holds(&b, at));
                prop_assert_eq!(holds(&rest, at), holds(&a, at) && !holds(&b, at));
            }
            for parts in [&common, &rest] {
                prop_assert!(parts.iter().all(|(from, to)| from < to));
                prop_assert!(parts.windows(2).all(|pair| pair[0].1 <= pair[1].0), "in order");
            }
        }
    }

    #[test]
    fn a_class_holds_its_lengths() {
        for length in (1_i64..5_000).chain([1 << 30, (1 << 40) - 1, i64::MAX]) {
            let class = class_of(length);
            assert!(class < CLASSES && upper_bound(class) > length - 1, "{length}");
            assert!(class == 0 || upper_bound(class) / 2 <= length.saturating_mul(2), "{length}");
        }
    }
}
