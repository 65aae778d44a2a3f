//! Estimates of the messages, bytes and duration of a plan.
//!
//! The plan fixes the length of a latency load. Figures unknown before a run (the time that servers
//! take to start, the rate at which they store a volume) are assumed by the constants here and
//! replaced by measured ones during the run.

use std::time::Duration;

use super::{ArrivalDistribution, Plan, Point, Scenario, Workload};
use crate::{
    server::HubKind,
    units::{ByteRate, Bytes},
};

/// Assumed overhead of one repetition in containers: start clean servers, connect the users, count
/// the stored messages, remove the servers.
pub const CONTAINER_OVERHEAD: Duration = Duration::from_secs(5);
/// Assumed overhead of one repetition with child processes.
pub const PROCESS_OVERHEAD: Duration = Duration::from_secs(1);
/// Assumed rate of a throughput workload: the write rate expected of a small board with an SD card.
pub const ASSUMED_THROUGHPUT: ByteRate = ByteRate(20e6);

/// Repetitions that prove both ends of a capacity interval if no outcome disagrees.
const PROOF_REPETITIONS: usize = 14;

impl Workload {
    /// Planned time from the first due message to the last, warm-up included; `None` for a
    /// throughput workload, whose duration is not planned.
    ///
    /// The users' starts are spread over one mean interval.
    pub const fn nominal_load_duration(&self) -> Option<Duration> {
        match self {
            Self::Latency(w) => Some(w.arrival.mean().saturating_mul(w.messages)),
            Self::Throughput(_) => None,
        }
    }

    /// [`Self::nominal_load_duration`], or the time for the volume at [`ASSUMED_THROUGHPUT`].
    fn expected_load_duration(&self) -> Duration {
        match self {
            Self::Latency(w) => w.arrival.mean().saturating_mul(w.messages),
            Self::Throughput(w) => {
                // The messages must be written before the consumer reads them.
                let passes = if w.scenario == Scenario::Consumer { 2.0 } else { 1.0 };
                saturating_seconds(passes * w.volume.0 as f64 / ASSUMED_THROUGHPUT.0)
            }
        }
    }
}

impl ArrivalDistribution {
    /// Longest interval to be expected among `messages` of one user.
    pub fn longest(&self, messages: u32) -> Duration {
        match *self {
            Self::Constant { mean } => mean,
            // Four deviations: one of thirty thousand intervals is longer.
            Self::Normal { mean, deviation } => mean.saturating_add(deviation.saturating_mul(4)),
            // The expected maximum of exponential intervals is the mean times the harmonic number.
            Self::Poisson { mean } => {
                let harmonic = f64::from(messages.max(1)).ln() + 1.0;
                Duration::try_from_secs_f64(mean.as_secs_f64() * harmonic).unwrap_or(Duration::MAX)
            }
        }
    }
}

impl Plan {
    /// Messages of all repetitions together, server warm-ups not counted; of a capacity search, as
    /// if it ended in the middle.
    pub fn messages(&self) -> u64 {
        self.sum_over_repetitions(|point| point.workload.messages())
    }

    /// Payload bytes of all repetitions together.
    pub fn payload_bytes(&self) -> Bytes {
        Bytes(self.sum_over_repetitions(|point| {
            point.workload.messages().saturating_mul(point.workload.payload().0)
        }))
    }

    /// Planned repetitions, or expected repetitions of capacity searches.
    pub fn expected_repetitions(&self) -> usize {
        let searches = self.searches();
        if searches.is_empty() {
            return self.schedule.len();
        }
        searches.iter().map(|search| self.expected_search_repetitions(search)).sum()
    }

    /// Expected repetitions of a search: doublings from the fewest users to the middle, bisection
    /// among the candidates of the last doubling, and the proof of both ends.
    fn expected_search_repetitions(&self, search: &[usize]) -> usize {
        let users = |index: usize| f64::from(self.points[search[index]].workload.users().max(1));
        let middle = search.len() / 2;
        let doublings = (users(middle) / users(0)).log2().ceil() + 2.0;
        let within = (search.len() as f64 / doublings).max(1.0).log2().ceil();
        (doublings + within) as usize + PROOF_REPETITIONS
    }

    /// Middle point of each search with the expected repetitions, each assumed to cost as much as
    /// one of the middle point.
    fn middle_points(&self) -> Vec<(&Point, u32)> {
        let searches = self.searches();
        let middle = |search: &Vec<usize>| {
            (
                &self.points[search[search.len() / 2]],
                self.expected_search_repetitions(search) as u32,
            )
        };
        searches.iter().map(middle).collect()
    }

    fn sum_over_repetitions(&self, value: impl Fn(&Point) -> u64) -> u64 {
        if self.capacity.is_some() {
            let middles = self.middle_points().into_iter();
            return middles
                .map(|(point, steps)| value(point).saturating_mul(steps.into()))
                .fold(0, u64::saturating_add);
        }
        self.points
            .iter()
            .map(value)
            .fold(0_u64, u64::saturating_add)
            .saturating_mul(u64::from(self.repetitions))
    }

    /// Estimated duration of one repetition of `point`: server warm-up, baseline, load, and the
    /// overhead of the servers.
    ///
    /// The drain is not counted: it ends with the last arrival.
    pub fn estimated_repetition_duration(&self, point: &Point) -> Duration {
        let allowance = match self.hub.kind {
            HubKind::Docker => CONTAINER_OVERHEAD,
            HubKind::Local | HubKind::External => PROCESS_OVERHEAD,
        };
        [self.server_warmup, self.baseline, point.workload.expected_load_duration()]
            .into_iter()
            .fold(allowance, Duration::saturating_add)
    }

    /// Estimated duration of the run, without building or pulling images.
    pub fn estimated_duration(&self) -> Duration {
        if self.capacity.is_some() {
            let middles = self.middle_points().into_iter();
            return middles
                .map(|(point, steps)| {
                    self.estimated_repetition_duration(point).saturating_mul(steps)
                })
                .fold(Duration::ZERO, Duration::saturating_add);
        }
        self.points
            .iter()
            .map(|point| self.estimated_repetition_duration(point))
            .fold(Duration::ZERO, Duration::saturating_add)
            .saturating_mul(self.repetitions)
    }
}

fn saturating_seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_interval_grows_with_the_deviation_and_the_number_of_messages() {
        let mean = Duration::from_secs(1);
        assert_eq!(ArrivalDistribution::Constant { mean }.longest(1_000), mean);
        let deviation = Duration::from_millis(250);
        let normal = ArrivalDistribution::Normal { mean, deviation };
        assert_eq!(normal.longest(1_000), Duration::from_secs(2));
        let poisson = ArrivalDistribution::Poisson { mean };
        assert_eq!(poisson.longest(1), mean);
        let longest = poisson.longest(1_000).as_secs_f64();
        assert!((7.9..8.0).contains(&longest), "{longest}");
    }
}
