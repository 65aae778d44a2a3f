//! How much a plan will send, and how long it will take.
//!
//! The length of a latency load is decided by the plan. What nobody knows before a run (how long
//! servers take to start, how fast they store a volume) is allowed for by the constants here; the
//! engine replaces them by what it sees as the run goes on.

use std::time::Duration;

use super::{Plan, Point, Scenario, Workload};
use crate::{
    server::HubKind,
    units::{ByteRate, Bytes},
};

/// Allowance for one repetition in containers: start clean servers, connect the users, count what
/// the servers hold, remove them.
pub const CONTAINERS_ALLOWANCE: Duration = Duration::from_secs(5);
/// The same for child processes.
pub const PROCESSES_ALLOWANCE: Duration = Duration::from_secs(1);
/// Rate at which a throughput workload is assumed to move its volume: what a small box with an SD
/// card can be expected to write.
pub const ASSUMED_RATE: ByteRate = ByteRate(20e6);

/// Repetitions that prove both ends of a search's answer when none is contrary.
const PROOFS: usize = 14;

impl Workload {
    /// Time from the first due message to the last by plan, warm-up included: users start spread
    /// over one mean interval. `None` for a throughput workload, which takes as long as it takes.
    pub const fn nominal_load(&self) -> Option<Duration> {
        match self {
            Self::Latency(w) => Some(w.arrival.mean().saturating_mul(w.messages)),
            Self::Throughput(_) => None,
        }
    }

    /// [`Self::nominal_load`], or the volume at [`ASSUMED_RATE`].
    fn expected_load(&self) -> Duration {
        match self {
            Self::Latency(w) => w.arrival.mean().saturating_mul(w.messages),
            Self::Throughput(w) => {
                // The consumer reads what has to be written before.
                let passes = if w.scenario == Scenario::Consumer { 2.0 } else { 1.0 };
                saturating_seconds(passes * w.volume.0 as f64 / ASSUMED_RATE.0)
            }
        }
    }
}

impl Plan {
    /// Messages of all repetitions together, server warm-ups not counted; of a search, as if it
    /// ended in the middle.
    pub fn messages(&self) -> u64 {
        self.over_repetitions(|point| point.workload.messages())
    }

    /// Payload bytes of all repetitions together.
    pub fn payload_bytes(&self) -> Bytes {
        Bytes(self.over_repetitions(|point| {
            point.workload.messages().saturating_mul(point.workload.payload().0)
        }))
    }

    /// Repetitions that the plan makes, or that its searches are expected to make.
    pub fn expected_repetitions(&self) -> usize {
        let searches = self.searches();
        if searches.is_empty() {
            return self.schedule.len();
        }
        searches.iter().map(|search| self.steps_of_search(search)).sum()
    }

    /// Doublings from the fewest to the middle, bisection among the candidates of the last
    /// doubling, and the proof of both ends.
    fn steps_of_search(&self, search: &[usize]) -> usize {
        let users = |place: usize| f64::from(self.points[search[place]].workload.users().max(1));
        let middle = search.len() / 2;
        let doublings = (users(middle) / users(0)).log2().ceil() + 2.0;
        let within = (search.len() as f64 / doublings).max(1.0).log2().ceil();
        (doublings + within) as usize + PROOFS
    }

    /// The point in the middle of each search, and how often a repetition is expected to cost what
    /// one of its costs.
    fn middles(&self) -> Vec<(&Point, u32)> {
        let searches = self.searches();
        let middle = |search: &Vec<usize>| {
            (&self.points[search[search.len() / 2]], self.steps_of_search(search) as u32)
        };
        searches.iter().map(middle).collect()
    }

    fn over_repetitions(&self, value: impl Fn(&Point) -> u64) -> u64 {
        if self.capacity.is_some() {
            let middles = self.middles().into_iter();
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

    /// How long one repetition of `point` will take: the load, what comes before it, and an
    /// allowance for the servers. The drain is not counted: it ends with the last arrival.
    pub fn estimate_of(&self, point: &Point) -> Duration {
        let allowance = match self.hub.kind {
            HubKind::Docker => CONTAINERS_ALLOWANCE,
            HubKind::Local | HubKind::External => PROCESSES_ALLOWANCE,
        };
        [self.server_warmup, self.baseline, point.workload.expected_load()]
            .into_iter()
            .fold(allowance, Duration::saturating_add)
    }

    /// How long the run will take, images built or pulled not counted.
    pub fn estimate(&self) -> Duration {
        if self.capacity.is_some() {
            let middles = self.middles().into_iter();
            return middles
                .map(|(point, steps)| self.estimate_of(point).saturating_mul(steps))
                .fold(Duration::ZERO, Duration::saturating_add);
        }
        self.points
            .iter()
            .map(|point| self.estimate_of(point))
            .fold(Duration::ZERO, Duration::saturating_add)
            .saturating_mul(self.repetitions)
    }
}

fn saturating_seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
