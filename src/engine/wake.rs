//! Getting up in time: how long before a due time the load's thread ends its sleep.
//!
//! A sleep ends some 20 to 60 µs late however exact the timer is, since an idle core must be woken.
//! Whoever gets up as much earlier is punctual, and watches the clock for what is left. How much
//! it takes differs from machine to machine and from minute to minute, so it is learnt.

use std::time::Duration;

use crate::clock::{Clock, Micros};

/// How much earlier than a due time the load's thread gets up at most.
const MOST: Duration = Duration::from_micros(60);
/// Share of the mean time between two messages that may go into watching the clock: a twentieth of
/// a core at most, however many users there are.
const WATCHED: u32 = 20;
/// Share of the sleeps that shall end before the due time. A higher one watches the clock for
/// longer, a lower one is late more often.
const IN_TIME: f64 = 0.75;
/// How far one sleep moves what was learnt, in microseconds.
const STEP: f64 = 0.5;

/// Wakes the load's thread for each due time.
#[derive(Debug)]
pub struct Waker {
    clock: Clock,
    /// How much earlier than a due time a sleep is to end, in microseconds.
    early: f64,
    most: f64,
}

impl Waker {
    /// A waker for messages of which one is due each `gap` in the mean. It begins with getting up
    /// as early as it may, so that the first messages are punctual, too.
    pub fn new(clock: Clock, gap: Duration) -> Self {
        let most = MOST.min(gap / WATCHED).as_nanos() as f64 / 1e3;
        Self { clock, early: most, most }
    }

    /// Sleeps until shortly before `due`, and watches the clock until it has come.
    pub fn wait(&mut self, due: Micros) {
        let asked = due.before(Duration::from_nanos((self.early * 1e3) as u64));
        if self.clock.now() < asked {
            self.clock.sleep_until(asked);
            let late = self.clock.now().since(asked);
            self.learn(late as f64);
        }
        while self.clock.now() < due {
            std::hint::spin_loop();
        }
    }

    /// Follows a quantile of what sleeps are late: a step up where this one was later than expected,
    /// a smaller one down where it was not, so that both balance there (Robbins and Monro, 1951).
    fn learn(&mut self, late: f64) {
        let step = if late > self.early { IN_TIME } else { IN_TIME - 1.0 };
        self.early = (self.early + STEP * step).clamp(0.0, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn waker(gap: Duration) -> Waker {
        Waker::new(Clock::start(), gap)
    }

    #[test]
    fn watching_the_clock_takes_a_twentieth_of_a_core_at_most() {
        for users in [1, 100, 1_000, 50_000] {
            let share = waker(SECOND / users).most * f64::from(users) / 1e6;
            assert!(share <= 0.05, "{users} users: {share:?} of a core");
        }
        assert!(waker(SECOND / 1_000).most >= 50.0);
    }

    #[test]
    fn three_sleeps_of_four_end_in_time() {
        let mut waker = waker(SECOND);
        // As late as 0 to 49 µs, each as often as the others.
        let late = |turn: u32| f64::from(turn * 7 % 50);
        for turn in 0..10_000 {
            waker.learn(late(turn));
        }
        let in_time = (0..50).filter(|turn| late(*turn) <= waker.early).count();
        assert!((35..=40).contains(&in_time), "{in_time} of 50: {} µs", waker.early);
        // A core that never comes in time is not watched for longer than may be.
        for _ in 0..1_000 {
            waker.learn(1e6);
        }
        assert!((waker.early - 60.0).abs() < 1e-9);
        for _ in 0..1_000 {
            waker.learn(0.0);
        }
        assert!(waker.early < 1.0);
    }

    #[test]
    fn nobody_is_woken_before_the_time() {
        let mut waker = waker(SECOND);
        let wait = |waker: &mut Waker| {
            let due = waker.clock.now().after(Duration::from_micros(300));
            waker.wait(due);
            assert!(waker.clock.now() >= due);
        };
        for _ in 0..50 {
            // Earlier than any sleep is late but on a very busy machine.
            waker.early = 250.0;
            wait(&mut waker);
        }
        waker.early = 0.0;
        (0..50).for_each(|_| wait(&mut waker));
        assert!(waker.early > 0.0, "it has learnt");
    }
}
