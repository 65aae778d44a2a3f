//! Event loops: how many there are, and which user is on which.

use crate::plan::Workload;

/// Messages a second that one loop takes, unless the profile sets the number of loops. On the reference machine
/// 10,000 a second are a fifth of a core of the loop, so that it stays below half a core.
const MESSAGES_PER_LOOP: f64 = 20_000.0;

/// Number of loops for a workload; `given` is the profile's, 0 for the rule.
///
/// A volume is sent as fast as one sending thread can, in large batches: it has one loop.
pub fn count(given: u32, workload: &Workload) -> usize {
    let loops = match (given, workload) {
        (1.., _) => given as usize,
        (0, Workload::Throughput(_)) => 1,
        (0, Workload::Latency(paced)) => {
            let rate = f64::from(paced.users) / paced.arrival.mean().as_secs_f64();
            // A rate without a limit is no number of loops.
            (rate / MESSAGES_PER_LOOP).ceil().clamp(1.0, 64.0) as usize
        }
    };
    loops.min(workload.users().max(1) as usize)
}

/// Loop of a user, and the user's number on that loop.
pub const fn place(user: usize, loops: usize) -> (usize, usize) {
    (user % loops, user / loops)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;
    use crate::{
        plan::{ArrivalDistribution, LatencyWorkload, PayloadSource, Scenario, ThroughputWorkload},
        units::Bytes,
    };

    fn paced(users: u32, mean: Duration) -> Workload {
        Workload::Latency(LatencyWorkload {
            users,
            payload: Bytes(100),
            payload_source: PayloadSource::Seeded,
            messages: 10,
            arrival: ArrivalDistribution::Constant { mean },
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
        })
    }

    #[test]
    fn there_is_one_loop_for_each_20_000_messages_a_second() {
        let second = Duration::from_secs(1);
        for (users, mean, loops) in [
            (1, second, 1),
            (10_000, second, 1),
            (20_000, second, 1),
            (20_001, second, 2),
            (19_000, second / 4, 4),
            (2, Duration::from_micros(10), 2),
        ] {
            assert_eq!(count(0, &paced(users, mean)), loops, "{users} users, each {mean:?}");
        }
        assert_eq!(count(3, &paced(100, second)), 3, "as the profile says");
        assert_eq!(count(3, &paced(2, second)), 2, "none without a user");
        let volume = Workload::Throughput(ThroughputWorkload {
            users: 10,
            payload: Bytes(1_000),
            payload_source: PayloadSource::Seeded,
            volume: Bytes(1 << 30),
            scenario: Scenario::Both,
            drain: Duration::ZERO,
        });
        assert_eq!((count(0, &volume), count(2, &volume)), (1, 2));
    }

    #[test]
    fn each_user_is_on_one_loop() {
        for loops in 1..=5 {
            let places: BTreeSet<_> = (0..1_000).map(|user| place(user, loops)).collect();
            assert_eq!(places.len(), 1_000);
            assert!(places.iter().all(|(number, _)| *number < loops));
        }
    }
}
