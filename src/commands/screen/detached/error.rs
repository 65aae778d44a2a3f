//! Errors of detached runs.

use std::io;

use crate::paths::PathError;

/// Why a detached run cannot be started or shown.
#[derive(Debug, thiserror::Error)]
pub enum DetachedError {
    /// The folder of sockets, or a socket in it, is unusable.
    #[error("cannot use {place} for the sockets of detached runs: {source}")]
    Sockets {
        /// The folder or socket.
        place: String,
        /// The system's error.
        source: io::Error,
    },
    /// The home folder is unknown.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The run's process could not be started.
    #[error("a process for the run could not be started: {0}")]
    Start(String),
    /// The run's process does not answer as expected.
    #[error("the run's process {process} {what}")]
    Process {
        /// The process number.
        process: u32,
        /// The observed behaviour, and what to do.
        what: String,
    },
}
