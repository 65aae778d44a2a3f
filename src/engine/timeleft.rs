//! How long a run will still take, learned from the repetitions that are done, point by point: a
//! thousand users of one backend cost other than a hundred of another.

use crate::{
    plan::{Plan, Point},
    record::{PointResult, Record},
};

/// Seconds that `remaining` (points, and how many repetitions of each) will take; `None` while
/// nothing is done.
///
/// A point that was measured will take as long as it took. Of others the plan's own estimate is
/// corrected by what points like it took: the same backend and load first, then the same backend,
/// then any.
pub fn seconds(plan: &Plan, record: &Record, remaining: &[(usize, usize)]) -> Option<f64> {
    let done: Vec<Done<'_>> =
        record.points.iter().filter_map(|result| Done::of(plan, result)).collect();
    if done.is_empty() {
        return None;
    }
    let seconds = remaining
        .iter()
        .map(|&(point, count)| one(plan, &plan.points[point], &done) * count as f64);
    Some(seconds.sum())
}

/// What the measured repetitions of a point took.
struct Done<'a> {
    point: &'a Point,
    /// Mean seconds of a repetition.
    mean: f64,
    /// Mean seconds beyond the plan's estimate.
    beyond: f64,
}

impl<'a> Done<'a> {
    fn of(plan: &Plan, result: &'a PointResult) -> Option<Self> {
        // What failed early, or was stopped, says nothing of how long it takes.
        let measured = result.repetitions.iter().filter(|done| done.measured());
        let seconds: Vec<f64> = measured.map(|done| done.phases.values().sum()).collect();
        if seconds.is_empty() {
            return None;
        }
        let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
        let beyond = mean - plan.estimate_of(&result.point).as_secs_f64();
        Some(Self { point: &result.point, mean, beyond })
    }
}

fn one(plan: &Plan, point: &Point, done: &[Done<'_>]) -> f64 {
    if let Some(same) = done.iter().find(|done| done.point == point) {
        return same.mean;
    }
    let backend = |done: &&Done<'_>| done.point.backend == point.backend;
    // Users and payload cost time smoothly: the nearest tell most.
    let users = f64::from(point.workload.users().max(1));
    let nearest = |list: Vec<&Done<'_>>| {
        let distance =
            |done: &Done<'_>| (f64::from(done.point.workload.users().max(1)) / users).ln().abs();
        list.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map(|done| done.beyond)
    };
    let beyond = nearest(done.iter().filter(backend).collect())
        .or_else(|| nearest(done.iter().collect()))
        .unwrap_or_default();
    (plan.estimate_of(point).as_secs_f64() + beyond).max(0.0)
}
