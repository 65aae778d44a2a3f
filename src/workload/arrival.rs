//! Due times of the open-loop workload.
//!
//! Due times depend on the plan's seed, the number of the repetition and the user, never on the
//! server: a message that cannot be sent in time is sent late. Two backends at equal points receive
//! exactly the same arrivals.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use rand_distr::{Distribution, Exp, Normal, Uniform};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{
    plan::{ArrivalDistribution, LatencyWorkload},
    stamp::UserId,
};

/// The due times of one user, as rising offsets from the start of the load.
#[derive(Debug, Clone)]
pub struct UserArrivals {
    random: Xoshiro256PlusPlus,
    interval: IntervalDistribution,
    /// Next due time in microseconds; a float, so that rounding errors do not add up over hours.
    next: f64,
    remaining: u32,
}

#[derive(Debug, Clone, Copy)]
enum IntervalDistribution {
    Constant(f64),
    Normal(Normal<f64>),
    Exponential(Exp<f64>),
}

impl IntervalDistribution {
    /// Returns the distribution of `arrival`, or the constant mean if the parameters are invalid (a mean
    /// of zero), which profile validation excludes.
    fn from_arrival(arrival: ArrivalDistribution) -> Self {
        let mean = micros(arrival.mean());
        match arrival {
            ArrivalDistribution::Constant { .. } => Self::Constant(mean),
            ArrivalDistribution::Normal { deviation, .. } => {
                Normal::new(mean, micros(deviation)).map_or(Self::Constant(mean), Self::Normal)
            }
            ArrivalDistribution::Poisson { .. } => {
                Exp::new(1.0 / mean).map_or(Self::Constant(mean), Self::Exponential)
            }
        }
    }

    fn sample(self, random: &mut Xoshiro256PlusPlus) -> f64 {
        match self {
            Self::Constant(interval) => interval,
            Self::Exponential(exponential) => exponential.sample(random),
            // Truncated to values above zero by drawing again: clamping would pile up at zero.
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
    /// Creates the due times of `user` in repetition `repetition` of a run with `seed`.
    ///
    /// The first due time is uniform over one mean interval, so that users do not start all at once.
    pub fn new(workload: &LatencyWorkload, seed: u64, repetition: u32, user: UserId) -> Self {
        let mut random = super::purpose_rng(seed, u64::from(repetition), u64::from(user));
        let mean = micros(workload.arrival.mean());
        let next = Uniform::new(0.0, mean).map_or(0.0, |spread| spread.sample(&mut random));
        Self {
            random,
            interval: IntervalDistribution::from_arrival(workload.arrival),
            next,
            remaining: workload.messages,
        }
    }
}

impl Iterator for UserArrivals {
    /// Microseconds after the start of the load.
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.remaining = self.remaining.checked_sub(1)?;
        let due = self.next;
        self.next += self.interval.sample(&mut self.random);
        Some(due as i64)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining as usize, Some(self.remaining as usize))
    }
}

/// The due times of all users, in order.
#[derive(Debug)]
pub struct ArrivalSchedule {
    users: Vec<UserArrivals>,
    heap: BinaryHeap<Reverse<(i64, UserId)>>,
}

impl ArrivalSchedule {
    /// Creates the schedule of one repetition.
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

    /// Counts the due times of one repetition without ordering them.
    pub fn count_due(workload: &LatencyWorkload, seed: u64, repetition: u32) -> DueCounts {
        let mut counts = DueCounts::default();
        for user in 0..workload.users {
            for due in UserArrivals::new(workload, seed, repetition, user) {
                counts.end = counts.end.max(due);
                let second = usize::try_from(due / 1_000_000).unwrap_or(0);
                if second >= counts.per_second.len() {
                    counts.per_second.resize(second + 1, 0);
                }
                counts.per_second[second] += 1;
            }
        }
        counts
    }
}

/// Counts of a schedule's due times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueCounts {
    /// Messages due in each second after the start.
    pub per_second: Vec<u64>,
    /// Due time of the last message, in microseconds after the start.
    pub end: i64,
}

impl Iterator for ArrivalSchedule {
    /// Due time in microseconds after the start, and the sending user.
    type Item = (i64, UserId);

    fn next(&mut self) -> Option<(i64, UserId)> {
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

    fn workload(users: u32, messages: u32, arrival: ArrivalDistribution) -> LatencyWorkload {
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

    fn arrivals() -> impl Strategy<Value = ArrivalDistribution> {
        let duration = (1_u64..5_000_000).prop_map(Duration::from_micros);
        (duration.clone(), duration, 0..3).prop_map(|(mean, deviation, kind)| match kind {
            0 => ArrivalDistribution::Constant { mean },
            1 => ArrivalDistribution::Poisson { mean },
            _ => ArrivalDistribution::Normal { mean, deviation },
        })
    }

    proptest! {
        #[test]
        fn every_message_of_every_user_comes_once_and_in_order(
            arrival in arrivals(), users in 1_u32..40, messages in 0_u32..20, seed: u64,
        ) {
            let workload = workload(users, messages, arrival);
            let played: Vec<_> = ArrivalSchedule::new(&workload, seed, 3).collect();
            prop_assert_eq!(played.len() as u64, u64::from(users) * u64::from(messages));
            prop_assert!(played.is_sorted_by_key(|&(due, _)| due));
            for user in 0..users {
                let own: Vec<_> = played.iter().filter(|&&(_, u)| u == user).map(|&(d, _)| d).collect();
                let alone: Vec<_> = UserArrivals::new(&workload, seed, 3, user).collect();
                prop_assert_eq!(own, alone);
            }
            let last = played.last().map_or(0, |&(due, _)| due);
            let counts = ArrivalSchedule::count_due(&workload, seed, 3);
            prop_assert_eq!(counts.end, last);
            for (second, count) in (0_i64..).zip(&counts.per_second) {
                let due = |(due, _): &&(i64, UserId)| due.div_euclid(1_000_000) == second;
                prop_assert_eq!(*count, played.iter().filter(due).count() as u64);
            }
            prop_assert_eq!(counts.per_second.iter().sum::<u64>(), played.len() as u64);
            prop_assert_eq!(played, ArrivalSchedule::new(&workload, seed, 3).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_normal_distribution_has_its_mean_and_deviation() {
        let (mean, deviation) = (Duration::from_secs(1), Duration::from_millis(250));
        let workload = workload(1, 20_001, ArrivalDistribution::Normal { mean, deviation });
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
        let workload =
            workload(5, 5, ArrivalDistribution::Poisson { mean: Duration::from_secs(1) });
        let first: Vec<_> = ArrivalSchedule::new(&workload, 1, 0).collect();
        assert_ne!(first, ArrivalSchedule::new(&workload, 1, 1).collect::<Vec<_>>());
        assert_ne!(first, ArrivalSchedule::new(&workload, 2, 0).collect::<Vec<_>>());
    }
}
