//! Remaining time of a run, estimated from its finished repetitions. Each point has a separate
//! estimate: a thousand users of one backend take another time than a hundred of another.

use std::time::Duration;

use crate::{
    plan::{Plan, Point, estimate::CONTAINER_OVERHEAD},
    record::{PointResult, Record},
};

/// Estimates the seconds that `remaining` (points, and the number of repetitions of each) will take;
/// `None` without a finished repetition.
///
/// A measured point takes its mean time again. For any other point, the plan's estimate is corrected by
/// the excess of the measured point with the nearest number of users: first of the same backend,
/// then of any backend.
pub fn estimate_seconds(plan: &Plan, record: &Record, remaining: &[(usize, usize)]) -> Option<f64> {
    let measured: Vec<MeasuredPoint<'_>> = record
        .points
        .iter()
        .filter_map(|result| MeasuredPoint::from_result(plan, result))
        .collect();
    if measured.is_empty() {
        return None;
    }
    let seconds = remaining.iter().map(|&(point, count)| {
        seconds_per_repetition(plan, &plan.points[point], &measured) * count as f64
    });
    Some(seconds.sum())
}

/// Time of one server's start and removal, in starts of a container: to create and start it, to answer by
/// protocol, and to be removed.
const STARTS_PER_SERVER: u32 = 3;

/// Estimates the overhead of a repetition on a hub that took `container_start` to start one container.
pub fn overhead_on_hub(container_start: Duration, servers: usize) -> Duration {
    let servers = u32::try_from(servers).unwrap_or(1);
    container_start.saturating_mul(STARTS_PER_SERVER * servers).max(CONTAINER_OVERHEAD)
}

/// Time taken by the measured repetitions of a point.
struct MeasuredPoint<'a> {
    point: &'a Point,
    /// Mean seconds of a repetition.
    mean: f64,
    /// Mean seconds above the plan's estimate; negative below it.
    excess: f64,
}

impl<'a> MeasuredPoint<'a> {
    fn from_result(plan: &Plan, result: &'a PointResult) -> Option<Self> {
        // A repetition that failed early or was stopped did not take its full time.
        let measured = result.repetitions.iter().filter(|done| done.is_measured());
        let seconds: Vec<f64> = measured.map(|done| done.phases.values().sum()).collect();
        if seconds.is_empty() {
            return None;
        }
        let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
        let excess = mean - plan.estimated_repetition_duration(&result.point).as_secs_f64();
        Some(Self { point: &result.point, mean, excess })
    }
}

fn seconds_per_repetition(plan: &Plan, point: &Point, measured: &[MeasuredPoint<'_>]) -> f64 {
    if let Some(same) = measured.iter().find(|other| other.point == point) {
        return same.mean;
    }
    let backend = |other: &&MeasuredPoint<'_>| other.point.backend == point.backend;
    // Time grows smoothly with the number of users: the nearest point predicts best.
    let users = f64::from(point.workload.users().max(1));
    let nearest = |list: Vec<&MeasuredPoint<'_>>| {
        let distance = |other: &MeasuredPoint<'_>| {
            (f64::from(other.point.workload.users().max(1)) / users).ln().abs()
        };
        list.into_iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .map(|other| other.excess)
    };
    let excess = nearest(measured.iter().filter(backend).collect())
        .or_else(|| nearest(measured.iter().collect()))
        .unwrap_or_default();
    (plan.estimated_repetition_duration(point).as_secs_f64() + excess).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_learns_from_a_slow_hub() {
        let overhead = |millis, servers| overhead_on_hub(Duration::from_millis(millis), servers);
        assert_eq!(overhead(300, 1), CONTAINER_OVERHEAD, "as assumed");
        assert_eq!(overhead(20_000, 1), Duration::from_mins(1));
        assert_eq!(overhead(20_000, 2), Duration::from_mins(2));
    }
}
