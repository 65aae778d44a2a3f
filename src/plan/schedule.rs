//! Order in which the repetitions of a run are executed.

use rand::{SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// Order in which the repetitions of a run are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RepetitionOrder {
    /// Every round contains each point once, in random order by the seed, so that heat and drift
    /// spread over all points.
    Interleaved,
    /// All repetitions of a point, then the next point, as in the study.
    Blocked,
}

/// One repetition to execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScheduledRepetition {
    /// Index into [`Plan::points`](super::Plan::points).
    pub point: usize,
    /// Number of the repetition of that point, from 0.
    pub repetition: u32,
}

/// Every repetition of `points` points, in the order of execution: a pure function of its arguments.
pub fn schedule(
    points: usize,
    repetitions: u32,
    order: RepetitionOrder,
    seed: u64,
) -> Vec<ScheduledRepetition> {
    match order {
        RepetitionOrder::Blocked => (0..points)
            .flat_map(|point| {
                (0..repetitions).map(move |repetition| ScheduledRepetition { point, repetition })
            })
            .collect(),
        RepetitionOrder::Interleaved => {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut round: Vec<usize> = (0..points).collect();
            let mut steps = Vec::new();
            for repetition in 0..repetitions {
                round.shuffle(&mut random);
                steps.extend(round.iter().map(|&point| ScheduledRepetition { point, repetition }));
            }
            steps
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_step_is_there_once(points in 1..20_usize, repetitions in 1..8_u32, seed: u64) {
            for order in [RepetitionOrder::Interleaved, RepetitionOrder::Blocked] {
                let steps = schedule(points, repetitions, order, seed);
                prop_assert_eq!(steps.len(), points * repetitions as usize);
                let distinct: HashSet<_> = steps.iter().map(|s| (s.point, s.repetition)).collect();
                prop_assert_eq!(distinct.len(), steps.len());
            }
        }

        #[test]
        fn every_round_holds_each_point_once(points in 1..20_usize, seed: u64) {
            let steps = schedule(points, 5, RepetitionOrder::Interleaved, seed);
            for (number, round) in steps.chunks(points).enumerate() {
                let held: HashSet<_> = round.iter().map(|step| step.point).collect();
                prop_assert_eq!(held.len(), points);
                prop_assert!(round.iter().all(|step| step.repetition as usize == number));
            }
        }
    }

    #[test]
    fn the_seed_decides_the_order() {
        let order = |seed| schedule(30, 3, RepetitionOrder::Interleaved, seed);
        assert_eq!(order(42), order(42));
        assert_ne!(order(42), order(43));
        let round = |number: usize| -> Vec<usize> {
            order(42)[number * 30..][..30].iter().map(|step| step.point).collect()
        };
        assert_ne!(round(0), round(1), "each round is shuffled anew");
    }

    #[test]
    fn blocked_repeats_a_point_before_the_next() {
        let points: Vec<usize> =
            schedule(2, 3, RepetitionOrder::Blocked, 1).iter().map(|step| step.point).collect();
        assert_eq!(points, [0, 0, 0, 1, 1, 1]);
    }
}
