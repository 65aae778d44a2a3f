//! Which rows were read, and which may still come. Pure.
//!
//! A row's id is handed out before its transaction commits, so ids become visible out of order:
//! reading `id > highest seen` alone loses whatever commits late. [`Gaps`] therefore remembers
//! every id below the highest one seen that was not seen itself, as ranges. Each range is looked
//! for again until
//!
//! * it fills: the rows are taken, once each, or
//! * its owner is known to be gone: every transaction that could have been handed one of these ids
//!   has ended ([`Gaps::doom`] says so), and one more look *after* that found nothing.
//!
//! A range is never given up for its age alone: the reader decides what proof it has.
//!
//! While there are few ranges, every query looks for all of them *and* for new rows. Its rows then
//! are one view of the table in order of id, so a message can never overtake one that its user sent
//! before: a thousand users have a thousand transactions open at most. More ranges than that are
//! looked for in turns instead, the older the more rarely, and rows that commit very late may then
//! arrive after their successors.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::clock::Micros;

/// A range of ids, both ends included.
pub type Range = (u64, u64);

/// The time of an old range comes at least this often.
const RAREST_LOOK: Duration = Duration::from_secs(1);

/// The ids seen so far: all up to the highest, but for the open ranges.
#[derive(Debug, Default)]
pub struct Gaps {
    high: u64,
    /// By first id; ranges never touch or overlap.
    open: BTreeMap<u64, Gap>,
    /// When to look, and the range's first id.
    agenda: BTreeSet<(Micros, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    last: u64,
    opened: Micros,
    look: Micros,
    doomed: bool,
}

impl Gaps {
    /// The highest id seen.
    pub const fn high(&self) -> u64 {
        self.high
    }

    /// Number of open ranges.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether every id up to the highest was seen, or given up.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a range has been open since before `instant` and nobody has decided its fate.
    pub fn any_undecided_since(&self, instant: Micros) -> bool {
        self.open.values().any(|gap| !gap.doomed && gap.opened < instant)
    }

    /// A row was read. Whether this is the first time that it was.
    pub fn take(&mut self, id: u64, now: Micros) -> bool {
        if id > self.high {
            if id - self.high > 1 {
                let gap = Gap { last: id - 1, opened: now, look: now, doomed: false };
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

    /// A row that was taken is not there any more: its id may come again.
    pub fn reopen(&mut self, id: u64, now: Micros) {
        let covered = self.open.range(..=id).next_back().is_some_and(|(_, gap)| gap.last >= id);
        if id <= self.high && !covered {
            self.insert(id, Gap { last: id, opened: now, look: now, doomed: false });
        }
    }

    /// The ranges to look for now: all of them while there are at most `limit`; otherwise so many
    /// of those whose time has come, the longest waiting first.
    pub fn choose(&self, now: Micros, limit: usize) -> Vec<Range> {
        if self.open.len() <= limit {
            return self.open.iter().map(|(first, gap)| (*first, gap.last)).collect();
        }
        self.agenda
            .iter()
            .take_while(|(look, _)| *look <= now)
            .take(limit)
            .filter_map(|(_, first)| self.open.get(first).map(|gap| (*first, gap.last)))
            .collect()
    }

    /// Whether there are more than `limit` ranges and the time of some has come.
    pub fn overdue(&self, now: Micros, limit: usize) -> bool {
        self.open.len() > limit && self.agenda.first().is_some_and(|(look, _)| *look <= now)
    }

    /// The server was asked for every id of `range` at `asked`, and all rows that it had were
    /// taken. What is still missing is given up if it was doomed by then; otherwise its time comes
    /// again after an eighth of its age, though no sooner than after `pause`.
    pub fn looked(&mut self, range: Range, asked: Micros, pause: Duration) {
        let pieces: Vec<u64> =
            self.open.range(range.0..=range.1).map(|(first, _)| *first).collect();
        for first in pieces {
            let Some(mut gap) = self.remove(first) else { continue };
            if !gap.doomed {
                let age = Duration::from_micros(asked.since(gap.opened).max(0) as u64);
                gap.look = asked.after((age / 8).min(RAREST_LOOK).max(pause));
                self.insert(first, gap);
            }
        }
    }

    /// Whoever was handed an id of a range opened before `instant` has ended, one way or the
    /// other: these ranges get one last look.
    pub fn doom(&mut self, instant: Micros) {
        let old: Vec<u64> = self
            .open
            .iter()
            .filter_map(|(first, gap)| (!gap.doomed && gap.opened < instant).then_some(*first))
            .collect();
        for first in old {
            if let Some(gap) = self.remove(first) {
                self.insert(first, Gap { doomed: true, look: gap.opened, ..gap });
            }
        }
    }

    fn insert(&mut self, first: u64, gap: Gap) {
        self.agenda.insert((gap.look, first));
        self.open.insert(first, gap);
    }

    fn remove(&mut self, first: u64) -> Option<Gap> {
        let gap = self.open.remove(&first)?;
        self.agenda.remove(&(gap.look, first));
        Some(gap)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::backend::mariadb::epoch::Epoch;

    const T0: Micros = Micros(0);
    const PAUSE: Duration = Duration::from_millis(1);

    fn second(n: i64) -> Micros {
        Micros(n * 1_000_000)
    }

    /// Ranges whose time has come by `now`, however few there are.
    fn due(gaps: &Gaps, now: Micros) -> Vec<Range> {
        gaps.choose(now, gaps.len().saturating_sub(1))
    }

    #[test]
    fn what_was_skipped_is_looked_for_and_taken_once() {
        let mut gaps = Gaps::default();
        assert!(gaps.take(1, T0));
        assert!(gaps.take(5, T0));
        assert_eq!(gaps.choose(T0, 10), [(2, 4)]);
        assert!(gaps.take(3, T0));
        assert!(!gaps.take(3, T0), "a second sight of a row of a gap");
        assert!(!gaps.take(1, T0), "a second sight of a row");
        assert_eq!(gaps.choose(T0, 10), [(2, 2), (4, 4)]);
        assert!(gaps.take(2, T0) && gaps.take(4, T0));
        assert!(gaps.is_empty());
        assert_eq!(gaps.high(), 5);
    }

    #[test]
    fn an_id_that_comes_again_is_taken_again() {
        let mut gaps = Gaps::default();
        (1..=4).for_each(|id| assert!(gaps.take(id, T0)));
        gaps.reopen(3, T0);
        gaps.reopen(3, T0);
        gaps.reopen(9, T0);
        assert_eq!(gaps.choose(T0, 9), [(3, 3)]);
        assert!(gaps.take(3, T0));
        assert!(!gaps.take(3, T0));
        assert!(gaps.is_empty() && gaps.agenda.is_empty());
    }

    #[test]
    fn few_gaps_are_looked_for_each_time_and_many_in_turns() {
        let mut gaps = Gaps::default();
        for id in [2, 4, 6] {
            gaps.take(id, T0);
        }
        gaps.looked((1, 1), T0, PAUSE);
        assert_eq!(gaps.choose(T0, 3), [(1, 1), (3, 3), (5, 5)]);
        assert!(!gaps.overdue(T0, 3));
        assert_eq!(gaps.choose(T0, 2), [(3, 3), (5, 5)], "the first was looked for just now");
        assert!(gaps.overdue(T0, 2));
    }

    #[test]
    fn an_old_gap_is_looked_for_ever_more_rarely_but_at_least_each_second() {
        let mut gaps = Gaps::default();
        gaps.take(2, T0);
        gaps.take(4, T0);
        gaps.looked((3, 3), second(8_000), PAUSE);
        gaps.looked((1, 1), T0, PAUSE);
        assert!(due(&gaps, T0).is_empty(), "not before the next poll");
        assert_eq!(due(&gaps, T0.after(PAUSE)), [(1, 1)]);
        gaps.looked((1, 1), second(4), PAUSE);
        assert!(due(&gaps, Micros(4_499_999)).is_empty());
        assert_eq!(due(&gaps, Micros(4_500_000)), [(1, 1)]);
        gaps.looked((1, 1), second(4_000), PAUSE);
        assert!(due(&gaps, Micros(4_000_999_999)).is_empty());
        assert_eq!(due(&gaps, second(4_001)), [(1, 1)]);
    }

    #[test]
    fn a_doomed_gap_gets_one_more_look() {
        let mut gaps = Gaps::default();
        gaps.take(2, T0);
        gaps.take(4, second(3));
        gaps.looked((1, 1), second(3), PAUSE);
        gaps.looked((3, 3), second(3), PAUSE);
        gaps.doom(second(3));
        assert!(gaps.any_undecided_since(second(4)));
        assert!(!gaps.any_undecided_since(second(3)));
        assert_eq!(due(&gaps, T0), [(1, 1)], "at once, whatever its age said");
        gaps.looked((1, 1), second(4), PAUSE);
        assert_eq!(gaps.len(), 1);
        assert!(!gaps.take(1, second(5)));
        assert!(gaps.take(3, second(5)));
    }

    /// What happens on the server, one step at a time.
    #[derive(Debug, Clone)]
    enum Step {
        /// A transaction (by number) is handed the next id; begins when it has not yet.
        Insert(u8),
        /// It commits.
        Commit(u8),
        /// It rolls back.
        Rollback(u8),
        /// The reader polls, with pages of so many rows.
        Poll(usize),
        /// Time passes, in milliseconds.
        Wait(u16),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..6u8).prop_map(Step::Insert),
            2 => (0..6u8).prop_map(Step::Commit),
            1 => (0..6u8).prop_map(Step::Rollback),
            4 => (1..5usize).prop_map(Step::Poll),
            2 => (0..4_000u16).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// A table under transactions, and a reader of it that works as the consumer does.
    #[derive(Default)]
    struct Model {
        /// Ranges in one query.
        limit: usize,
        now: i64,
        next_id: u64,
        serial: u64,
        /// Active transactions: their unique number and their ids.
        active: BTreeMap<u8, (u64, Vec<u64>)>,
        /// Visible rows, and the first id that was handed out after the row's commit.
        visible: BTreeMap<u64, u64>,
        gaps: Gaps,
        epoch: Option<Epoch<u64>>,
        delivered: Vec<u64>,
    }

    impl Model {
        fn apply(&mut self, step: &Step) {
            match step {
                Step::Insert(who) => {
                    self.next_id += 1;
                    self.serial += 1;
                    let serial = self.serial;
                    let entry = self.active.entry(*who).or_insert_with(|| (serial, Vec::new()));
                    entry.1.push(self.next_id);
                }
                Step::Commit(who) => {
                    let ids = self.active.remove(who).map(|(_, ids)| ids).unwrap_or_default();
                    self.visible.extend(ids.into_iter().map(|id| (id, self.next_id + 1)));
                }
                Step::Rollback(who) => drop(self.active.remove(who)),
                Step::Poll(page) => self.poll(*page),
                Step::Wait(ms) => self.now += i64::from(*ms) * 1_000,
            }
        }

        fn poll(&mut self, page: usize) {
            let now = Micros(self.now);
            let active: Vec<u64> = self.active.values().map(|(serial, _)| *serial).collect();
            match &mut self.epoch {
                None => self.epoch = Some(Epoch::begin(now, active)),
                Some(epoch) => {
                    if let Some(before) = epoch.observe(active) {
                        self.gaps.doom(before);
                        self.epoch = None;
                    }
                }
            }
            let ranges = self.gaps.choose(now, self.limit);
            let high = self.gaps.high();
            let wanted = |id: &u64| *id > high || ranges.iter().any(|r| (r.0..=r.1).contains(id));
            let found: Vec<u64> = self.visible.keys().copied().filter(wanted).take(page).collect();
            for id in &found {
                if self.gaps.take(*id, now) {
                    self.delivered.push(*id);
                }
            }
            let reached = if found.len() < page { u64::MAX } else { found[page - 1] };
            for range in ranges.into_iter().filter(|range| range.1 <= reached) {
                self.gaps.looked(range, now, PAUSE);
            }
        }
    }

    proptest! {
        /// Whatever the order of commits and rollbacks, each committed row arrives exactly once,
        /// and in the end nothing is left to look for.
        #[test]
        fn every_committed_row_is_delivered_once(steps in steps(), few: bool) {
            let limit = if few { 2 } else { 1_000 };
            let mut model = Model { limit, ..Model::default() };
            for step in &steps {
                model.apply(step);
            }
            for who in 0..6 {
                model.apply(&Step::Commit(who));
            }
            for _ in 0..400 {
                model.apply(&Step::Wait(1_000));
                model.apply(&Step::Poll(3));
            }
            let mut delivered = model.delivered.clone();
            delivered.sort_unstable();
            prop_assert_eq!(delivered, model.visible.keys().copied().collect::<Vec<_>>());
            prop_assert!(model.gaps.is_empty());
            prop_assert!(model.gaps.agenda.is_empty());
        }

        /// While every query looks for every gap, no row arrives before one that was committed
        /// when its own id was handed out.
        #[test]
        fn no_row_overtakes_one_committed_before_it_began(steps in steps()) {
            let mut model = Model { limit: 1_000, ..Model::default() };
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
