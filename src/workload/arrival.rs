//! Due times of the open-loop workload.
//!
//! They depend on the plan's seed, the number of the repetition and the user, never on what the
//! server does: a message that cannot be sent in time is sent late. Two backends at equal points
//! are offered the very same arrivals.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use rand_distr::{Distribution, Exp, Normal, Uniform};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{
    plan::{Arrival, LatencyWorkload},
    stamp::User,
};

/// The due times of one user, as offsets from the start of the load, rising.
#[derive(Debug, Clone)]
pub struct UserArrivals {
    random: Xoshiro256PlusPlus,
    interval: Interval,
    /// Microseconds; kept as a float so that rounding does not add up over hours.
    next: f64,
    left: u32,
}

#[derive(Debug, Clone, Copy)]
enum Interval {
    Constant(f64),
    Normal(Normal<f64>),
    Exponential(Exp<f64>),
}

impl Interval {
    /// The constant mean stands in where the parameters describe no distribution (a mean of zero),
    /// which a validated profile never asks for.
    fn of(arrival: Arrival) -> Self {
        let mean = micros(arrival.mean());
        match arrival {
            Arrival::Constant { .. } => Self::Constant(mean),
            Arrival::Normal { deviation, .. } => {
                Normal::new(mean, micros(deviation)).map_or(Self::Constant(mean), Self::Normal)
            }
            Arrival::Poisson { .. } => {
                Exp::new(1.0 / mean).map_or(Self::Constant(mean), Self::Exponential)
            }
        }
    }

    fn sample(self, random: &mut Xoshiro256PlusPlus) -> f64 {
        match self {
            Self::Constant(interval) => interval,
            Self::Exponential(exponential) => exponential.sample(random),
            // Truncated above zero by drawing again, not by clamping, which would pile up at zero.
            Self::Normal(normal) => loop {
                let interval = normal.sample(random);
                if interval > 0.0 {
                    return interval;
                }
            },
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

impl UserArrivals {
    /// The due times of `user` in repetition `repetition` of a run with `seed`.
    ///
    /// The first is drawn evenly from one mean interval, so that users do not all start at once.
    pub fn new(workload: &LatencyWorkload, seed: u64, repetition: u32, user: User) -> Self {
        let mut random = super::random(seed, u64::from(repetition), u64::from(user));
        let mean = micros(workload.arrival.mean());
        let next = Uniform::new(0.0, mean).map_or(0.0, |spread| spread.sample(&mut random));
        Self { random, interval: Interval::of(workload.arrival), next, left: workload.messages }
    }
}

impl Iterator for UserArrivals {
    /// Microseconds after the start of the load.
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.left = self.left.checked_sub(1)?;
        let due = self.next;
        self.next += self.interval.sample(&mut self.random);
        Some(due as i64)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

/// The due times of all users in the order in which they come.
#[derive(Debug)]
pub struct Schedule {
    users: Vec<UserArrivals>,
    heap: BinaryHeap<Reverse<(i64, User)>>,
}

impl Schedule {
    /// The schedule of one repetition.
    pub fn new(workload: &LatencyWorkload, seed: u64, repetition: u32) -> Self {
        let mut users: Vec<_> = (0..workload.users)
            .map(|user| UserArrivals::new(workload, seed, repetition, user))
            .collect();
        let heap = users
            .iter_mut()
            .zip(0..)
            .filter_map(|(arrivals, user)| arrivals.next().map(|due| Reverse((due, user))))
            .collect();
        Self { users, heap }
    }

    /// Due time of the last message, in microseconds after the start.
    pub fn end(workload: &LatencyWorkload, seed: u64, repetition: u32) -> i64 {
        (0..workload.users)
            .filter_map(|user| UserArrivals::new(workload, seed, repetition, user).last())
            .max()
            .unwrap_or(0)
    }
}

impl Iterator for Schedule {
    /// Due time in microseconds after the start, and who sends.
    type Item = (i64, User);

    fn next(&mut self) -> Option<(i64, User)> {
        let mut top = self.heap.peek_mut()?;
        let Reverse((due, user)) = *top;
        match self.users[user as usize].next() {
            Some(next) => *top = Reverse((next, user)),
            None => {
                std::collections::binary_heap::PeekMut::pop(top);
            }
        }
        Some((due, user))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{plan::PayloadSource, units::Bytes};

    fn workload(users: u32, messages: u32, arrival: Arrival) -> LatencyWorkload {
        LatencyWorkload {
            users,
            payload: Bytes(100),
            payload_source: PayloadSource::Seeded,
            messages,
            arrival,
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
        }
    }

    fn arrivals() -> impl Strategy<Value = Arrival> {
        let duration = (1_u64..5_000_000).prop_map(Duration::from_micros);
        (duration.clone(), duration, 0..3).prop_map(|(mean, deviation, kind)| match kind {
            0 => Arrival::Constant { mean },
            1 => Arrival::Poisson { mean },
            _ => Arrival::Normal { mean, deviation },
        })
    }

    proptest! {
        #[test]
        fn every_message_of_every_user_comes_once_and_in_order(
            arrival in arrivals(), users in 1_u32..40, messages in 0_u32..20, seed: u64,
        ) {
            let workload = workload(users, messages, arrival);
            let played: Vec<_> = Schedule::new(&workload, seed, 3).collect();
            prop_assert_eq!(played.len() as u64, u64::from(users) * u64::from(messages));
            prop_assert!(played.is_sorted_by_key(|&(due, _)| due));
            for user in 0..users {
                let own: Vec<_> = played.iter().filter(|&&(_, u)| u == user).map(|&(d, _)| d).collect();
                let alone: Vec<_> = UserArrivals::new(&workload, seed, 3, user).collect();
                prop_assert_eq!(own, alone);
            }
            let last = played.last().map_or(0, |&(due, _)| due);
            prop_assert_eq!(Schedule::end(&workload, seed, 3), last);
            prop_assert_eq!(played, Schedule::new(&workload, seed, 3).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_normal_distribution_has_its_mean_and_deviation() {
        let (mean, deviation) = (Duration::from_secs(1), Duration::from_millis(250));
        let workload = workload(1, 20_001, Arrival::Normal { mean, deviation });
        let due: Vec<_> = UserArrivals::new(&workload, 1, 0, 0).collect();
        let gaps: Vec<f64> = due.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6).collect();
        let n = gaps.len() as f64;
        let average = gaps.iter().sum::<f64>() / n;
        let spread = (gaps.iter().map(|g| (g - average).powi(2)).sum::<f64>() / n).sqrt();
        // Ten standard errors: 0.25 / √20,000 ≈ 0.0018.
        assert!((average - 1.0).abs() < 0.018, "{average}");
        assert!((spread - 0.25).abs() < 0.02, "{spread}");
        assert!(gaps.iter().all(|&gap| gap >= 0.0));
    }

    #[test]
    fn repetitions_and_seeds_differ() {
        let workload = workload(5, 5, Arrival::Poisson { mean: Duration::from_secs(1) });
        let first: Vec<_> = Schedule::new(&workload, 1, 0).collect();
        assert_ne!(first, Schedule::new(&workload, 1, 1).collect::<Vec<_>>());
        assert_ne!(first, Schedule::new(&workload, 2, 0).collect::<Vec<_>>());
    }
}
