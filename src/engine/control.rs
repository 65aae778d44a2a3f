//! Stops or changes a run in progress.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
};

use parking_lot::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use super::steering::{Steering, SteeringCommand};

/// A handle on a run in progress. Cheap to clone; works from any thread.
#[derive(Debug, Clone, Default)]
pub struct Control {
    stop_after_repetition: Arc<AtomicBool>,
    stop_token: CancellationToken,
    added_repetitions: Arc<AtomicU32>,
    skipped_points: Arc<Mutex<SkippedPoints>>,
    /// Steering of the load in progress, if it can be steered.
    steering: Arc<Mutex<Option<Arc<Steering>>>>,
}

/// Permits the steering of one load until it is dropped.
#[derive(Debug)]
pub(super) struct SteeringPermit(Arc<Mutex<Option<Arc<Steering>>>>);

impl Drop for SteeringPermit {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

/// The points to skip, and the point in progress.
#[derive(Debug, Default)]
struct SkippedPoints {
    /// The point in progress, and the token that ends its repetition alone.
    current: Option<(usize, CancellationToken)>,
    skipped: BTreeSet<usize>,
}

impl Control {
    /// Ends the run when the repetition in progress is finished.
    pub fn stop_after_repetition(&self) {
        self.stop_after_repetition.store(true, Relaxed);
    }

    /// Revokes [`Control::stop_after_repetition`]; has no effect after [`Control::stop_now`].
    pub fn revoke_stop(&self) {
        self.stop_after_repetition.store(false, Relaxed);
    }

    /// Ends the repetition in progress in an orderly manner: results are saved, servers are removed.
    pub fn stop_now(&self) {
        self.stop_token.cancel();
    }

    /// Whether the run ends without a further repetition.
    pub fn is_stopping(&self) -> bool {
        self.stop_after_repetition.load(Relaxed) || self.stop_token.is_cancelled()
    }

    /// Whether the repetition in progress is to end.
    pub fn is_stopped_now(&self) -> bool {
        self.stop_token.is_cancelled()
    }

    /// Returns the token that [`Control::stop_now`] cancels.
    pub fn stop_token(&self) -> &CancellationToken {
        &self.stop_token
    }

    /// Skips `point`: its further repetitions do not begin, and its repetition in progress ends in an
    /// orderly manner. The run continues with the other points.
    pub fn skip_point(&self, point: usize) {
        let mut points = self.skipped_points();
        points.skipped.insert(point);
        if let Some((current, token)) = &points.current
            && *current == point
        {
            token.cancel();
        }
    }

    /// Whether `point` is skipped.
    pub fn is_skipped(&self, point: usize) -> bool {
        self.skipped_points().skipped.contains(&point)
    }

    /// Adds repetitions to every point of the run.
    pub fn add_repetitions(&self, count: u32) {
        self.added_repetitions.fetch_add(count, Relaxed);
    }

    /// Returns the number of repetitions added since the last call.
    pub(super) fn take_added_repetitions(&self) -> u32 {
        self.added_repetitions.swap(0, Relaxed)
    }

    /// Changes the load in progress; has no effect, and returns `false`, while no load can be steered.
    pub fn steer(&self, command: SteeringCommand) -> bool {
        let steering = self.steering.lock().clone();
        steering.map(|steering| steering.request(command)).is_some()
    }

    /// Permits the operator to steer a load until the permit is dropped.
    pub(super) fn permit_steering(&self, steering: &Arc<Steering>) -> SteeringPermit {
        *self.steering.lock() = Some(Arc::clone(steering));
        SteeringPermit(Arc::clone(&self.steering))
    }

    /// Returns the handle for a repetition of `point` that begins now; the handle is stopped with the
    /// run, or alone when `point` is skipped.
    pub(super) fn for_repetition(&self, point: usize) -> Self {
        let stop_token = self.stop_token.child_token();
        let mut points = self.skipped_points();
        if points.skipped.contains(&point) {
            stop_token.cancel();
        }
        points.current = Some((point, stop_token.clone()));
        drop(points);
        Self { stop_token, ..self.clone() }
    }

    fn skipped_points(&self) -> MutexGuard<'_, SkippedPoints> {
        self.skipped_points.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipping_a_point_ends_its_repetition_and_no_other() {
        let control = Control::default();
        let first = control.for_repetition(0);
        control.skip_point(1);
        assert!(!first.is_stopped_now());
        control.skip_point(0);
        assert!(first.is_stopped_now() && !control.is_stopped_now());
        assert!(control.for_repetition(1).is_stopped_now(), "skipped before it began");
        assert!(!control.for_repetition(2).is_stopped_now());
    }

    #[test]
    fn a_load_is_steered_only_while_it_is_permitted() {
        let control = Control::default();
        assert!(!control.steer(SteeringCommand::Pause));
        let (steering, _faults) = Steering::new(crate::event::channel().0, 1);
        let steering = Arc::new(steering);
        let permit = control.for_repetition(0).permit_steering(&steering);
        assert!(control.steer(SteeringCommand::Pause));
        drop(permit);
        assert!(!control.steer(SteeringCommand::Resume));
        assert_eq!(steering.requests(), 1);
    }

    #[test]
    fn stopping_the_run_ends_the_repetition() {
        let control = Control::default();
        let repetition = control.for_repetition(0);
        control.stop_now();
        assert!(repetition.is_stopped_now() && repetition.is_stopping());
    }
}
