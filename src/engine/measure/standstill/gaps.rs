//! Gaps of a stream of events, and the times that the gaps of several streams have in common.

use crate::clock::Micros;

/// Shortest gap that is reported, in microseconds: shorter ones are noise of schedulers and garbage
/// collectors, and visible in percentiles.
pub const MIN_GAP_MICROS: i64 = 100_000;
/// Smallest ratio of a reported gap to the median gap, weighted by time. Arrivals at random have a longer one
/// once in a billion gaps (e^-20: their time-weighted median is 1.68 of the mean gap).
const RHYTHM_FACTOR: i64 = 12;
/// Maximum number of candidates of a stream that are stored.
const MAX_CANDIDATES: usize = 4_096;
/// Classes of gap lengths: four for each power of two.
const CLASSES: usize = 4 * 64;
/// Marks that nothing waits.
const NOTHING_WAITS: i64 = i64::MAX;

/// From and to.
pub type Gap = (i64, i64);

/// The gaps of one stream.
#[derive(Debug)]
pub struct GapStream {
    /// Time since which something waits for the stream.
    waiting_since: i64,
    /// Time of the last event, or the start.
    last: i64,
    /// Microseconds spent in gaps of each class of length.
    time_by_length: Box<[u64; CLASSES]>,
    candidates: Vec<Gap>,
}

impl Default for GapStream {
    fn default() -> Self {
        Self {
            waiting_since: NOTHING_WAITS,
            last: i64::MAX,
            time_by_length: Box::new([0; CLASSES]),
            candidates: Vec::new(),
        }
    }
}

impl GapStream {
    /// Begins anew at `start`, with nothing waiting.
    pub fn restart(&mut self, start: Micros) {
        *self = Self { last: start.0, ..Self::default() };
    }

    /// Notes that something waits for the stream from `since` on, unless something waited before.
    pub const fn begin_waiting(&mut self, since: Micros) {
        if self.waiting_since == NOTHING_WAITS {
            self.waiting_since = since.0;
        }
    }

    /// Records an event, not earlier than the one before.
    pub fn record(&mut self, at: Micros, always_waiting: bool) {
        let since = std::mem::replace(&mut self.waiting_since, NOTHING_WAITS);
        self.end_gap(if always_waiting { self.last } else { since }, at.0);
    }

    /// Begins a new gap at `now`, unless something waits for the end of the present one.
    pub fn resume(&mut self, now: Micros) {
        if self.waiting_since == NOTHING_WAITS {
            self.last = self.last.max(now.0);
        }
    }

    /// Gaps that are far outside the stream's rhythm; with `is_open`, the present one at `now` included.
    pub fn long_gaps(&self, now: Micros, always_waiting: bool, is_open: bool) -> Vec<Gap> {
        let since = if always_waiting { self.last } else { self.waiting_since };
        let limit = self.limit();
        let present = is_open.then_some((since.max(self.last), now.0));
        let mut long: Vec<_> = self.candidates.iter().copied().chain(present).collect();
        // The limit is above zero: a gap that would end before it begins, since nothing waits, is none.
        long.retain(|(from, to)| to.saturating_sub(*from) >= limit);
        long
    }

    /// Sets the gaps in which something waited, in a rhythm of a few milliseconds.
    #[cfg(test)]
    pub fn set_candidates(&mut self, candidates: Vec<Gap>) {
        self.time_by_length[class_of(4_000)] = 1 << 40;
        self.candidates = candidates;
    }

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
pub fn intersect(a: &[Gap], b: &[Gap]) -> Vec<Gap> {
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
pub fn subtract(a: &[Gap], b: &[Gap]) -> Vec<Gap> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
