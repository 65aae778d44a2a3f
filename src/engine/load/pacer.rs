//! Pacer: wakes the sending thread at each due time.
//!
//! A sleep ends some 20 to 60 µs late however exact the timer is, since an idle core must be woken.
//! The pacer therefore wakes early by the learned lateness, then spins until the due time. The
//! lateness differs from machine to machine and from minute to minute, so it is learned continuously.

use std::time::Duration;

use crate::clock::{Clock, Micros};

/// Maximum time between the planned end of a sleep and the due time.
const MAX_EARLY_WAKE: Duration = Duration::from_micros(60);
/// Divisor of the mean time between two messages that limits the spinning for one of them: at most
/// a twentieth of a core spins, for any number of users.
const SPIN_SHARE_DIVISOR: u32 = 20;
/// Share of the sleeps that should end before the due time. A higher share spins longer, a lower one
/// is late more often.
const ON_TIME_QUANTILE: f64 = 0.75;
/// Step by which one sleep changes the learned lateness, in microseconds.
const LEARNING_STEP_MICROS: f64 = 0.5;

/// Wakes the sending thread at each due time.
#[derive(Debug)]
pub struct Pacer {
    clock: Clock,
    /// Time between the planned end of a sleep and the due time, in microseconds.
    early_micros: f64,
    max_early_micros: f64,
}

impl Pacer {
    /// Creates a pacer for messages with a mean distance of `gap`. It begins with the earliest wake-ups
    /// allowed, so that the first messages are punctual, too.
    pub fn new(clock: Clock, gap: Duration) -> Self {
        let max_early_micros = max_early_micros(gap);
        Self { clock, early_micros: max_early_micros, max_early_micros }
    }

    /// Changes the mean distance of the messages.
    pub fn set_gap(&mut self, gap: Duration) {
        self.max_early_micros = max_early_micros(gap);
        self.early_micros = self.early_micros.min(self.max_early_micros);
    }

    /// Sleeps until shortly before `due`, then spins until `due`.
    pub fn wait_until(&mut self, due: Micros) {
        let wake_at = due.before(Duration::from_nanos((self.early_micros * 1e3) as u64));
        if self.clock.now() < wake_at {
            self.clock.sleep_until(wake_at);
            let late = self.clock.now().since(wake_at);
            self.learn(late as f64);
        }
        while self.clock.now() < due {
            std::hint::spin_loop();
        }
    }

    /// Moves the estimate of the lateness's quantile: a step up after a sleep that was later than the
    /// estimate, a smaller step down otherwise; both balance at the quantile (Robbins and Monro, 1951).
    fn learn(&mut self, late: f64) {
        let step = if late > self.early_micros { ON_TIME_QUANTILE } else { ON_TIME_QUANTILE - 1.0 };
        self.early_micros =
            (self.early_micros + LEARNING_STEP_MICROS * step).clamp(0.0, self.max_early_micros);
    }
}

/// Longest spinning for one message of a mean distance of `gap`, in microseconds.
fn max_early_micros(gap: Duration) -> f64 {
    MAX_EARLY_WAKE.min(gap / SPIN_SHARE_DIVISOR).as_nanos() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pacer(gap: Duration) -> Pacer {
        Pacer::new(Clock::start(), gap)
    }

    #[test]
    fn spinning_takes_at_most_a_twentieth_of_a_core() {
        for users in [1, 100, 1_000, 50_000] {
            let share = pacer(SECOND / users).max_early_micros * f64::from(users) / 1e6;
            assert!(share <= 0.05, "{users} users: {share:?} of a core");
        }
        assert!(pacer(SECOND / 1_000).max_early_micros >= 50.0);
    }

    #[test]
    fn three_sleeps_of_four_end_in_time() {
        let mut pacer = pacer(SECOND);
        // As late as 0 to 49 µs, each as often as the others.
        let late = |turn: u32| f64::from(turn * 7 % 50);
        for turn in 0..10_000 {
            pacer.learn(late(turn));
        }
        let in_time = (0..50).filter(|turn| late(*turn) <= pacer.early_micros).count();
        assert!((35..=40).contains(&in_time), "{in_time} of 50: {} µs", pacer.early_micros);
        // A core that always wakes late does not raise the estimate above the maximum.
        for _ in 0..1_000 {
            pacer.learn(1e6);
        }
        assert!((pacer.early_micros - 60.0).abs() < 1e-9);
        for _ in 0..1_000 {
            pacer.learn(0.0);
        }
        assert!(pacer.early_micros < 1.0);
    }

    #[test]
    fn no_wait_ends_before_the_due_time() {
        let mut pacer = pacer(SECOND);
        let wait = |pacer: &mut Pacer| {
            let due = pacer.clock.now().after(Duration::from_micros(300));
            pacer.wait_until(due);
            assert!(pacer.clock.now() >= due);
        };
        for _ in 0..50 {
            // Earlier than any sleep is late, except on a very busy machine.
            pacer.early_micros = 250.0;
            wait(&mut pacer);
        }
        pacer.early_micros = 0.0;
        (0..50).for_each(|_| wait(&mut pacer));
        assert!(pacer.early_micros > 0.0, "the lateness was learned");
    }
}
