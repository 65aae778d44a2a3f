//! Tracks which rows were read and which may still arrive; does no I/O.
//!
//! A row's id is assigned before its transaction commits, so ids become visible out of order: a
//! consumer that reads only `id > highest seen` loses rows that commit late. [`Gaps`] therefore
//! keeps, as ranges, every id below the highest one seen that was not read. Each range is queried
//! again until
//!
//! * it fills: its rows are read, once each, or
//! * it is resolved: every transaction that could have been assigned one of its ids has ended
//!   ([`Gaps::resolve_before`] reports this), and one more query *after* that found nothing.
//!
//! A range is never given up for its age alone: the consumer decides which proof it has.
//!
//! While there are few ranges, every query asks for all of them *and* for new rows. Its rows then
//! are one view of the table in order of id, so a message can never overtake a message that its
//! user sent before: a thousand users have at most a thousand open transactions. More ranges than
//! that are queried in turns, older ranges less often, and rows that commit very late may then
//! arrive after their successors.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::clock::Micros;

/// A range of ids, both ends included.
pub type IdRange = (u64, u64);

/// Maximum interval between two queries of an old range.
const MAX_QUERY_INTERVAL: Duration = Duration::from_secs(1);

/// The ids seen so far: all ids up to the highest, except for the open ranges.
#[derive(Debug, Default)]
pub struct Gaps {
    high: u64,
    /// Open ranges by their first id; ranges never touch or overlap.
    open: BTreeMap<u64, Gap>,
    /// Time of the next query, and the range's first id.
    schedule: BTreeSet<(Micros, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    last: u64,
    opened: Micros,
    next_query: Micros,
    resolved: bool,
}

impl Gaps {
    /// Returns the highest id seen.
    pub const fn high(&self) -> u64 {
        self.high
    }

    /// Returns the number of open ranges.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether every id up to the highest was read or given up.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a range opened before `instant` is not resolved yet.
    pub fn any_unresolved_before(&self, instant: Micros) -> bool {
        self.open.values().any(|gap| !gap.resolved && gap.opened < instant)
    }

    /// Marks a row as read; returns whether it was read for the first time.
    pub fn mark_read(&mut self, id: u64, now: Micros) -> bool {
        if id > self.high {
            if id - self.high > 1 {
                let gap = Gap { last: id - 1, opened: now, next_query: now, resolved: false };
                self.insert(self.high + 1, gap);
            }
            self.high = id;
            return true;
        }
        let Some((&first, &gap)) = self.open.range(..=id).next_back() else { return false };
        if gap.last < id {
            return false;
        }
        self.remove(first);
        if first < id {
            self.insert(first, Gap { last: id - 1, ..gap });
        }
        if id < gap.last {
            self.insert(id + 1, gap);
        }
        true
    }

    /// Reopens the id of a row that the server lost: the id may be assigned again.
    pub fn reopen(&mut self, id: u64, now: Micros) {
        let covered = self.open.range(..=id).next_back().is_some_and(|(_, gap)| gap.last >= id);
        if id <= self.high && !covered {
            self.insert(id, Gap { last: id, opened: now, next_query: now, resolved: false });
        }
    }

    /// Returns the ranges to query now: all of them if there are at most `limit`, otherwise at most
    /// `limit` of those that are due, the longest waiting first.
    pub fn ranges_to_query(&self, now: Micros, limit: usize) -> Vec<IdRange> {
        if self.open.len() <= limit {
            return self.open.iter().map(|(first, gap)| (*first, gap.last)).collect();
        }
        self.schedule
            .iter()
            .take_while(|(next_query, _)| *next_query <= now)
            .take(limit)
            .filter_map(|(_, first)| self.open.get(first).map(|gap| (*first, gap.last)))
            .collect()
    }

    /// Whether there are more than `limit` ranges and some are due.
    pub fn any_overdue(&self, now: Micros, limit: usize) -> bool {
        self.open.len() > limit
            && self.schedule.first().is_some_and(|(next_query, _)| *next_query <= now)
    }

    /// Marks `range` as queried completely at `queried_at`, with all its rows read.
    ///
    /// What is still missing is given up if it was resolved by then; otherwise it is due again
    /// after an eighth of its age, but no sooner than after `poll_interval`.
    pub fn mark_queried(&mut self, range: IdRange, queried_at: Micros, poll_interval: Duration) {
        let pieces: Vec<u64> =
            self.open.range(range.0..=range.1).map(|(first, _)| *first).collect();
        for first in pieces {
            let Some(mut gap) = self.remove(first) else { continue };
            if !gap.resolved {
                let age = Duration::from_micros(queried_at.since(gap.opened).max(0) as u64);
                gap.next_query =
                    queried_at.after((age / 8).min(MAX_QUERY_INTERVAL).max(poll_interval));
                self.insert(first, gap);
            }
        }
    }

    /// Resolves the ranges opened before `instant`: every transaction that was assigned one of
    /// their ids has ended, so these ranges are queried one last time.
    pub fn resolve_before(&mut self, instant: Micros) {
        let old: Vec<u64> = self
            .open
            .iter()
            .filter_map(|(first, gap)| (!gap.resolved && gap.opened < instant).then_some(*first))
            .collect();
        for first in old {
            if let Some(gap) = self.remove(first) {
                self.insert(first, Gap { resolved: true, next_query: gap.opened, ..gap });
            }
        }
    }

    fn insert(&mut self, first: u64, gap: Gap) {
        self.schedule.insert((gap.next_query, first));
        self.open.insert(first, gap);
    }

    fn remove(&mut self, first: u64) -> Option<Gap> {
        let gap = self.open.remove(&first)?;
        self.schedule.remove(&(gap.next_query, first));
        Some(gap)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::backend::mariadb::epoch::TransactionEpoch;

    const T0: Micros = Micros(0);
    const POLL_INTERVAL: Duration = Duration::from_millis(1);

    fn second(n: i64) -> Micros {
        Micros(n * 1_000_000)
    }

    /// Returns the ranges due at `now`, however few there are.
    fn due(gaps: &Gaps, now: Micros) -> Vec<IdRange> {
        gaps.ranges_to_query(now, gaps.len().saturating_sub(1))
    }

    #[test]
    fn a_skipped_row_is_queried_and_read_once() {
        let mut gaps = Gaps::default();
        assert!(gaps.mark_read(1, T0));
        assert!(gaps.mark_read(5, T0));
        assert_eq!(gaps.ranges_to_query(T0, 10), [(2, 4)]);
        assert!(gaps.mark_read(3, T0));
        assert!(!gaps.mark_read(3, T0), "the row of a gap was read before");
        assert!(!gaps.mark_read(1, T0), "the row was read before");
        assert_eq!(gaps.ranges_to_query(T0, 10), [(2, 2), (4, 4)]);
        assert!(gaps.mark_read(2, T0) && gaps.mark_read(4, T0));
        assert!(gaps.is_empty());
        assert_eq!(gaps.high(), 5);
    }

    #[test]
    fn a_reopened_id_is_read_again() {
        let mut gaps = Gaps::default();
        (1..=4).for_each(|id| assert!(gaps.mark_read(id, T0)));
        gaps.reopen(3, T0);
        gaps.reopen(3, T0);
        gaps.reopen(9, T0);
        assert_eq!(gaps.ranges_to_query(T0, 9), [(3, 3)]);
        assert!(gaps.mark_read(3, T0));
        assert!(!gaps.mark_read(3, T0));
        assert!(gaps.is_empty() && gaps.schedule.is_empty());
    }

    #[test]
    fn few_gaps_are_queried_each_time_and_many_in_turns() {
        let mut gaps = Gaps::default();
        for id in [2, 4, 6] {
            gaps.mark_read(id, T0);
        }
        gaps.mark_queried((1, 1), T0, POLL_INTERVAL);
        assert_eq!(gaps.ranges_to_query(T0, 3), [(1, 1), (3, 3), (5, 5)]);
        assert!(!gaps.any_overdue(T0, 3));
        assert_eq!(gaps.ranges_to_query(T0, 2), [(3, 3), (5, 5)], "the first was queried just now");
        assert!(gaps.any_overdue(T0, 2));
    }

    #[test]
    fn an_old_gap_is_queried_less_often_but_at_least_each_second() {
        let mut gaps = Gaps::default();
        gaps.mark_read(2, T0);
        gaps.mark_read(4, T0);
        gaps.mark_queried((3, 3), second(8_000), POLL_INTERVAL);
        gaps.mark_queried((1, 1), T0, POLL_INTERVAL);
        assert!(due(&gaps, T0).is_empty(), "not before the next poll");
        assert_eq!(due(&gaps, T0.after(POLL_INTERVAL)), [(1, 1)]);
        gaps.mark_queried((1, 1), second(4), POLL_INTERVAL);
        assert!(due(&gaps, Micros(4_499_999)).is_empty());
        assert_eq!(due(&gaps, Micros(4_500_000)), [(1, 1)]);
        gaps.mark_queried((1, 1), second(4_000), POLL_INTERVAL);
        assert!(due(&gaps, Micros(4_000_999_999)).is_empty());
        assert_eq!(due(&gaps, second(4_001)), [(1, 1)]);
    }

    #[test]
    fn a_resolved_gap_is_queried_once_more() {
        let mut gaps = Gaps::default();
        gaps.mark_read(2, T0);
        gaps.mark_read(4, second(3));
        gaps.mark_queried((1, 1), second(3), POLL_INTERVAL);
        gaps.mark_queried((3, 3), second(3), POLL_INTERVAL);
        gaps.resolve_before(second(3));
        assert!(gaps.any_unresolved_before(second(4)));
        assert!(!gaps.any_unresolved_before(second(3)));
        assert_eq!(due(&gaps, T0), [(1, 1)], "at once, regardless of its age");
        gaps.mark_queried((1, 1), second(4), POLL_INTERVAL);
        assert_eq!(gaps.len(), 1);
        assert!(!gaps.mark_read(1, second(5)));
        assert!(gaps.mark_read(3, second(5)));
    }

    /// One event on the server or of the consumer.
    #[derive(Debug, Clone)]
    enum ModelStep {
        /// The numbered transaction inserts a row; it begins if it has not yet.
        Insert(u8),
        /// The transaction commits.
        Commit(u8),
        /// The transaction rolls back.
        Rollback(u8),
        /// The consumer polls, with pages of so many rows.
        Poll(usize),
        /// Time passes, in milliseconds.
        Wait(u16),
    }

    fn steps() -> impl Strategy<Value = Vec<ModelStep>> {
        let step = prop_oneof![
            6 => (0..6u8).prop_map(ModelStep::Insert),
            2 => (0..6u8).prop_map(ModelStep::Commit),
            1 => (0..6u8).prop_map(ModelStep::Rollback),
            4 => (1..5usize).prop_map(ModelStep::Poll),
            2 => (0..4_000u16).prop_map(ModelStep::Wait),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// A table under transactions, and a reader that works as the consumer does.
    #[derive(Default)]
    struct TableModel {
        /// Ranges in one query.
        limit: usize,
        now: i64,
        next_id: u64,
        serial: u64,
        /// Active transactions: their unique number and their ids.
        active: BTreeMap<u8, (u64, Vec<u64>)>,
        /// Visible rows, and the first id assigned after the row's commit.
        visible: BTreeMap<u64, u64>,
        gaps: Gaps,
        epoch: Option<TransactionEpoch<u64>>,
        delivered: Vec<u64>,
    }

    impl TableModel {
        fn apply(&mut self, step: &ModelStep) {
            match step {
                ModelStep::Insert(transaction) => {
                    self.next_id += 1;
                    self.serial += 1;
                    let serial = self.serial;
                    let entry =
                        self.active.entry(*transaction).or_insert_with(|| (serial, Vec::new()));
                    entry.1.push(self.next_id);
                }
                ModelStep::Commit(transaction) => {
                    let ids =
                        self.active.remove(transaction).map(|(_, ids)| ids).unwrap_or_default();
                    self.visible.extend(ids.into_iter().map(|id| (id, self.next_id + 1)));
                }
                ModelStep::Rollback(transaction) => drop(self.active.remove(transaction)),
                ModelStep::Poll(page) => self.poll(*page),
                ModelStep::Wait(ms) => self.now += i64::from(*ms) * 1_000,
            }
        }

        fn poll(&mut self, page: usize) {
            let now = Micros(self.now);
            let active: Vec<u64> = self.active.values().map(|(serial, _)| *serial).collect();
            match &mut self.epoch {
                None => self.epoch = Some(TransactionEpoch::begin(now, active)),
                Some(epoch) => {
                    if let Some(before) = epoch.observe(active) {
                        self.gaps.resolve_before(before);
                        self.epoch = None;
                    }
                }
            }
            let ranges = self.gaps.ranges_to_query(now, self.limit);
            let high = self.gaps.high();
            let wanted = |id: &u64| *id > high || ranges.iter().any(|r| (r.0..=r.1).contains(id));
            let found: Vec<u64> = self.visible.keys().copied().filter(wanted).take(page).collect();
            for id in &found {
                if self.gaps.mark_read(*id, now) {
                    self.delivered.push(*id);
                }
            }
            let reached = if found.len() < page { u64::MAX } else { found[page - 1] };
            for range in ranges.into_iter().filter(|range| range.1 <= reached) {
                self.gaps.mark_queried(range, now, POLL_INTERVAL);
            }
        }
    }

    proptest! {
        /// Each committed row arrives exactly once in any order of commits and rollbacks, and in
        /// the end no range is open.
        #[test]
        fn every_committed_row_is_delivered_once(steps in steps(), few: bool) {
            let limit = if few { 2 } else { 1_000 };
            let mut model = TableModel { limit, ..TableModel::default() };
            for step in &steps {
                model.apply(step);
            }
            for transaction in 0..6 {
                model.apply(&ModelStep::Commit(transaction));
            }
            for _ in 0..400 {
                model.apply(&ModelStep::Wait(1_000));
                model.apply(&ModelStep::Poll(3));
            }
            let mut delivered = model.delivered.clone();
            delivered.sort_unstable();
            prop_assert_eq!(delivered, model.visible.keys().copied().collect::<Vec<_>>());
            prop_assert!(model.gaps.is_empty());
            prop_assert!(model.gaps.schedule.is_empty());
        }

        /// While every query asks for every gap, no row arrives before a row that was committed
        /// when its id was assigned.
        #[test]
        fn no_row_overtakes_one_committed_before_it_began(steps in steps()) {
            let mut model = TableModel { limit: 1_000, ..TableModel::default() };
            for step in &steps {
                model.apply(step);
            }
            let mut highest = 0;
            for id in &model.delivered {
                prop_assert!(model.visible[id] > highest, "{id} came after {highest}");
                highest = highest.max(*id);
            }
        }
    }
}
