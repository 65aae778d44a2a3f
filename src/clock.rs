//! Monotonic clock, shared by all threads that send or receive.
//!
//! Both ends of every duration are read from `CLOCK_MONOTONIC`, so that setting the system's time
//! changes nothing. The sending thread sleeps on the same clock with absolute deadlines.

use std::{fmt, time::Duration};

use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use serde::{Deserialize, Serialize};

/// Microseconds since the [`Clock`]'s origin.
///
/// Signed, because a difference of two instants may be negative and must stay negative.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// Microseconds from `earlier` to `self`; negative when `self` came first.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// This instant moved by `duration` into the future.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This instant moved by `duration` into the past.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Seconds since the origin.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} s", self.seconds())
    }
}

/// A monotonic clock that counts from an origin; cheap to copy, the same on every thread.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin_ns: i64,
}

impl Clock {
    /// Creates a clock whose origin is now.
    pub fn start() -> Self {
        Self { origin_ns: monotonic_ns() }
    }

    /// Time since the origin.
    pub fn now(self) -> Micros {
        Micros((monotonic_ns() - self.origin_ns).div_euclid(1_000))
    }

    /// Converts an [`Instant`](std::time::Instant), read from the same monotonic clock.
    pub fn from_instant(self, moment: std::time::Instant) -> Micros {
        let ago = i64::try_from(moment.elapsed().as_micros()).unwrap_or(i64::MAX);
        Micros(self.now().0.saturating_sub(ago))
    }

    /// Converts `time` to an [`Instant`](std::time::Instant), which reads the same monotonic clock; a time before
    /// the first `Instant` becomes now.
    pub fn to_instant(self, time: Micros) -> std::time::Instant {
        let (now, since) = (std::time::Instant::now(), time.since(self.now()));
        let distance = Duration::from_micros(since.unsigned_abs());
        let moved = if since < 0 { now.checked_sub(distance) } else { now.checked_add(distance) };
        moved.unwrap_or(now)
    }

    /// Blocks this thread until `due`; returns at once when `due` has passed.
    ///
    /// A signal does not end the sleep early.
    pub fn sleep_until(self, due: Micros) {
        let ns = self.origin_ns.saturating_add(due.0.saturating_mul(1_000));
        let deadline = nix::sys::time::TimeSpec::new(
            ns.div_euclid(1_000_000_000),
            ns.rem_euclid(1_000_000_000),
        );
        while clock_nanosleep(
            ClockId::CLOCK_MONOTONIC,
            ClockNanosleepFlags::TIMER_ABSTIME,
            &deadline,
        ) == Err(nix::errno::Errno::EINTR)
        {}
    }
}

fn monotonic_ns() -> i64 {
    // CLOCK_MONOTONIC exists on every Linux; a kernel without it could not run this binary.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| t.tv_sec() * 1_000_000_000 + t.tv_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_rises_and_a_sleep_is_never_early() {
        let clock = Clock::start();
        let due = clock.now().after(Duration::from_millis(3));
        clock.sleep_until(due);
        assert!(clock.now() >= due);
        clock.sleep_until(Micros(-5));
    }

    #[test]
    fn a_negative_duration_stays_negative() {
        assert_eq!(Micros(3).since(Micros(10)), -7);
    }
}
