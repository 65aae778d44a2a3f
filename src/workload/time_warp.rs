//! Time warp: maps a schedule's offsets to due times while an operator pauses the load, changes its rate or
//! the number of its users.
//!
//! The map is piecewise linear: each change begins a segment at a real time and an offset of the schedule,
//! with a speed and the active users. The schedule itself never changes, so its order and its seed stay; only
//! the times at which its messages become due move. While the load is paused, no further message becomes
//! due; a message whose user is not active at its time never does.

use super::{active_users::ActiveUsers, rate_factor::RateFactor};
use crate::{clock::Micros, stamp::UserId};

/// The times at which a schedule's messages become due.
#[derive(Debug, Clone)]
pub struct TimeWarp {
    /// In the order of time, never empty.
    segments: Vec<Segment>,
}

/// A stretch of time in which the schedule passes at one speed and for the same users.
#[derive(Debug, Clone, Copy)]
struct Segment {
    /// Begin.
    from: Micros,
    /// Offset of the schedule at the begin, in microseconds.
    offset: i64,
    /// Speed of the schedule; `None` while the load is paused.
    speed: Option<RateFactor>,
    /// Users whose messages become due.
    users: ActiveUsers,
}

impl Segment {
    fn offset_at(&self, now: Micros) -> i64 {
        let real = now.since(self.from).max(0);
        self.offset + self.speed.map_or(0, |speed| speed.scheduled(real))
    }
}

impl TimeWarp {
    /// Creates the map of a load that begins at `start` and passes at the planned rate for `users`.
    pub fn new(start: Micros, users: ActiveUsers) -> Self {
        let speed = Some(RateFactor::default());
        Self { segments: vec![Segment { from: start, offset: 0, speed, users }] }
    }

    fn last(&self) -> &Segment {
        &self.segments[self.segments.len() - 1]
    }

    /// Changes the speed and the active users at `now`; the speed `None` pauses the load. Messages that were
    /// due by then stay due at their times, also if they are not sent yet.
    pub fn change(&mut self, now: Micros, speed: Option<RateFactor>, users: ActiveUsers) {
        let from = now.max(self.last().from);
        let offset = self.last().offset_at(from);
        self.segments.push(Segment { from, offset, speed, users });
    }

    /// The segment in which the message at `offset` of the schedule becomes due.
    fn segment_of(&self, offset: i64) -> &Segment {
        // A message at the very begin of a segment became due at the end of the one before.
        let found = self.segments.iter().rev().find(|segment| segment.offset < offset);
        found.unwrap_or(&self.segments[0])
    }

    /// Returns the due time of the message at `offset` of the schedule; `None` while the load is paused
    /// before it.
    pub fn due(&self, offset: i64) -> Option<Micros> {
        let segment = self.segment_of(offset);
        let real = segment.speed?.real(offset - segment.offset);
        Some(Micros(segment.from.0.saturating_add(real)))
    }

    /// Whether `user` is active at `offset` of the schedule, if nothing changes before it.
    pub fn is_active(&self, offset: i64, user: UserId) -> bool {
        self.segment_of(offset).users.contains(user)
    }

    /// Returns when the message at `offset` becomes due if nothing changes from `now` on; a paused load
    /// continues at `now` at the rate `resumed`.
    pub fn expected_due(&self, offset: i64, now: Micros, resumed: RateFactor) -> Micros {
        self.due(offset).unwrap_or_else(|| {
            Micros(now.0.saturating_add(resumed.real(offset - self.last().offset)))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Micros = Micros(1_000_000);
    const ALL: ActiveUsers = ActiveUsers::all(64);
    /// How often a waiting sender looks for a change.
    const POLL: i64 = 50_000;

    fn at(seconds: f64) -> Micros {
        Micros(START.0 + (seconds * 1e6) as i64)
    }

    fn seconds(warp: &TimeWarp, scheduled: f64) -> Option<f64> {
        warp.due((scheduled * 1e6) as i64).map(|due| due.since(START) as f64 / 1e6)
    }

    #[test]
    fn a_pause_moves_what_comes_after_it() {
        let mut warp = TimeWarp::new(START, ALL);
        assert_eq!(seconds(&warp, 3.0), Some(3.0));
        warp.change(at(2.0), None, ALL);
        assert_eq!((seconds(&warp, 2.0), seconds(&warp, 2.000_001)), (Some(2.0), None));
        let normal = RateFactor::default();
        assert_eq!(warp.expected_due(3_000_000, at(4.0), normal), at(5.0));
        warp.change(at(12.0), Some(normal), ALL);
        assert_eq!((seconds(&warp, 2.0), seconds(&warp, 3.0)), (Some(2.0), Some(13.0)));
    }

    #[test]
    fn a_factor_changes_the_distance_of_what_comes_after_it() {
        let mut warp = TimeWarp::new(START, ALL);
        let double = RateFactor::default().faster().faster();
        assert_eq!(double.to_string(), "×2");
        warp.change(at(10.0), Some(double), ALL);
        assert_eq!((seconds(&warp, 9.0), seconds(&warp, 12.0)), (Some(9.0), Some(11.0)));
        warp.change(at(11.0), Some(RateFactor::default().slower().slower()), ALL);
        assert_eq!(
            seconds(&warp, 13.0),
            Some(13.0),
            "12 s of the schedule, then one at half speed"
        );
    }

    #[test]
    fn a_message_of_a_user_that_is_not_active_at_its_time_never_becomes_due() {
        let mut warp = TimeWarp::new(START, ALL);
        assert!(warp.is_active(0, 63) && !warp.is_active(0, 64));
        let (speed, half) = (Some(RateFactor::default()), ALL.fewer());
        warp.change(at(2.0), speed, half);
        warp.change(at(4.0), None, half);
        warp.change(at(5.0), speed, ALL);
        // Due by the time of the change, thus before it.
        for (scheduled, active) in [(2_000_000, true), (2_000_001, false), (4_000_000, false)] {
            assert_eq!(warp.is_active(scheduled, 32), active, "{scheduled}");
            assert!(warp.is_active(scheduled, 31));
        }
        assert!(warp.is_active(4_000_001, 63), "switched on again in the pause");
    }

    /// A change of the operator, this long after the change before.
    #[derive(Debug, Clone, Copy)]
    struct Change {
        after: i64,
        speed: Option<RateFactor>,
        users: ActiveUsers,
    }

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let factor = (0..8_usize).prop_map(|steps| {
            (0..steps).fold(RateFactor::try_from(0.25).unwrap(), |factor, _| factor.faster())
        });
        let users = (0..7_usize).prop_map(|steps| (0..steps).fold(ALL, |users, _| users.fewer()));
        let speed = proptest::option::weighted(0.7, factor);
        let change = (0..3_000_000_i64, speed, users).prop_map(|(after, speed, users)| Change {
            after,
            speed,
            users,
        });
        prop::collection::vec(change, 0..20)
    }

    /// Offset of the schedule at `time`, summed up over `applied` changes.
    fn integral(applied: &[(Micros, Option<RateFactor>, ActiveUsers)], time: Micros) -> f64 {
        let mut sum = 0.0;
        for (number, (from, speed, _)) in applied.iter().enumerate() {
            let to = applied.get(number + 1).map_or(time, |(next, ..)| (*next).min(time));
            sum += speed.map_or(0.0, RateFactor::value) * to.since(*from).max(0) as f64;
        }
        sum
    }

    proptest! {
        /// Plays a schedule as the sending thread does, with changes at any time and a slow client.
        #[test]
        fn every_message_is_due_once_in_order_and_never_in_a_pause(
            mut offsets in prop::collection::vec((0..20_000_000_i64, 0..64_u32), 1..200),
            changes in changes(),
            busy in 0..30_000_i64,
        ) {
            offsets.sort_unstable();
            let mut clock = START;
            let mut warp = TimeWarp::new(START, ALL);
            let mut applied = vec![(START, Some(RateFactor::default()), ALL)];
            let mut next_change = START;
            let mut waiting: Vec<_> = changes.into_iter().map(|change| {
                next_change = Micros(next_change.0 + change.after);
                (next_change, change.speed, change.users)
            }).collect();
            // No load stays paused for ever.
            waiting.push((Micros(next_change.0 + 1), Some(RateFactor::default()), ALL));
            waiting.reverse();
            let (mut dues, mut decided) = (Vec::new(), Vec::new());
            for &(offset, user) in &offsets {
                let due = loop {
                    while waiting.last().is_some_and(|(when, ..)| *when <= clock) {
                        let (_, speed, users) = waiting.pop().unwrap();
                        let before = warp.clone();
                        warp.change(clock, speed, users);
                        // What was due by now stays so, to the microsecond; the next offset was not.
                        let reached = warp.last().offset;
                        prop_assert_eq!(warp.due(reached), before.due(reached));
                        prop_assert!(before.due(reached).is_some_and(|due| due <= clock));
                        prop_assert!(before.due(reached + 1).is_none_or(|due| due > clock));
                        applied.push((clock, speed, users));
                    }
                    match warp.due(offset) {
                        Some(due) if due.since(clock) <= POLL => break due,
                        _ => clock = Micros(clock.0 + POLL),
                    }
                };
                // Who is active when the message becomes due decides, whatever changes while it waits.
                let active = applied.iter().rev().find(|(from, ..)| *from < due);
                let (.., users) = active.unwrap_or(&applied[0]);
                prop_assert_eq!(warp.is_active(offset, user), users.contains(user));
                decided.push(warp.is_active(offset, user));
                clock = Micros(clock.max(due).0 + busy);
                dues.push(due);
            }
            prop_assert_eq!(dues.len(), offsets.len());
            prop_assert!(dues.is_sorted());
            for (number, ((offset, user), due)) in offsets.iter().zip(&dues).enumerate() {
                // The due time that was waited for stays true after later changes.
                prop_assert_eq!(warp.due(*offset), Some(*due));
                prop_assert_eq!(warp.is_active(*offset, *user), decided[number]);
                let reached = integral(&applied, *due);
                let rounding = 4.0 * applied.len() as f64;
                prop_assert!((reached - *offset as f64).abs() <= rounding, "{} {}", reached, offset);
                let paused = applied.windows(2).any(|pair| {
                    pair[0].1.is_none() && pair[0].0 < *due && *due < pair[1].0
                });
                prop_assert!(!paused, "due at {} in a pause", due);
            }
        }
    }
}
