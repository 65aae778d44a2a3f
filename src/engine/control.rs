//! How a run is stopped.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio_util::sync::CancellationToken;

/// A handle on a run in progress. Cheap to clone; works from any thread.
#[derive(Debug, Clone, Default)]
pub struct Control {
    after_repetition: Arc<AtomicBool>,
    now: CancellationToken,
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
}
