//! How a run in progress is stopped or changed.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
};

use tokio_util::sync::CancellationToken;

/// A handle on a run in progress. Cheap to clone; works from any thread.
#[derive(Debug, Clone, Default)]
pub struct Control {
    after_repetition: Arc<AtomicBool>,
    now: CancellationToken,
    added: Arc<AtomicU32>,
    course: Arc<Mutex<Course>>,
}

/// Where the run is, and where it shall not go.
#[derive(Debug, Default)]
struct Course {
    /// The point in progress, and what ends its repetition alone.
    present: Option<(usize, CancellationToken)>,
    skipped: BTreeSet<usize>,
}

impl Control {
    /// Ends the run when the repetition in progress is finished.
    pub fn stop_after_repetition(&self) {
        self.after_repetition.store(true, Relaxed);
    }

    /// Goes on after all, unless the run was stopped at once.
    pub fn go_on(&self) {
        self.after_repetition.store(false, Relaxed);
    }

    /// Ends the repetition in progress, in order: what was measured is saved, servers are removed.
    pub fn stop_now(&self) {
        self.now.cancel();
    }

    /// Whether no further repetition shall begin.
    pub fn stopping(&self) -> bool {
        self.after_repetition.load(Relaxed) || self.now.is_cancelled()
    }

    /// Whether the repetition in progress shall end.
    pub fn stopped_now(&self) -> bool {
        self.now.is_cancelled()
    }

    /// A token that is cancelled by [`Control::stop_now`].
    pub fn token(&self) -> &CancellationToken {
        &self.now
    }

    /// Skips `point`: none of its further repetitions begins, and if one is in progress it ends
    /// in order. The run goes on with the other points.
    pub fn skip_point(&self, point: usize) {
        let mut course = self.course();
        course.skipped.insert(point);
        if let Some((present, token)) = &course.present
            && *present == point
        {
            token.cancel();
        }
    }

    /// Whether `point` is skipped.
    pub fn skips(&self, point: usize) -> bool {
        self.course().skipped.contains(&point)
    }

    /// Adds repetitions to every point of the run.
    pub fn add_repetitions(&self, count: u32) {
        self.added.fetch_add(count, Relaxed);
    }

    /// Repetitions that were added since the last call.
    pub(super) fn take_added(&self) -> u32 {
        self.added.swap(0, Relaxed)
    }

    /// The handle for a repetition of `point` that begins now: it is stopped with the run, or alone
    /// when its point is skipped.
    pub(super) fn for_repetition(&self, point: usize) -> Self {
        let now = self.now.child_token();
        let mut course = self.course();
        if course.skipped.contains(&point) {
            now.cancel();
        }
        course.present = Some((point, now.clone()));
        drop(course);
        Self { now, ..self.clone() }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert!(!first.stopped_now());
        control.skip_point(0);
        assert!(first.stopped_now() && !control.stopped_now());
        assert!(control.for_repetition(1).stopped_now(), "skipped before it began");
        assert!(!control.for_repetition(2).stopped_now());
    }

    #[test]
    fn stopping_the_run_ends_the_repetition() {
        let control = Control::default();
        let repetition = control.for_repetition(0);
        control.stop_now();
        assert!(repetition.stopped_now() && repetition.stopping());
    }
}
