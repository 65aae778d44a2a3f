//! Result of the screen for the program that opened it.

use std::path::PathBuf;

use crate::event::EndStatus;

/// Result of [`run`](crate::tui::run): how the screen ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TuiOutcome {
    /// End of the last run, if a run was shown.
    pub last_run: Option<RunEnd>,
    /// Whether a signal or a lost terminal ended the screen.
    pub terminated: bool,
    /// Whether a detached run continues without the screen.
    pub run_continues: bool,
}

/// End of a run, for the exit status and the closing message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// Whether the run completed, stopped or failed.
    pub end: EndStatus,
    /// File of the run's record, if the engine created one.
    pub record: Option<PathBuf>,
    /// Messages lost, failed or never sent in all repetitions.
    pub undelivered: u64,
    /// Number of thresholds crossed in all repetitions.
    pub crossed: usize,
}
