//! Errors that end a run, worded for the operator.

use super::preflight::PreflightError;
use crate::{
    backend::BackendError,
    hub::HubError,
    measure::{FAILURE_CODE, HUB_FAILURE_CODE, STOPPED_CODE},
    record::store::StoreError,
};

/// Why a run could not continue, as a message for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The hub failed.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The backend or its server failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The record could not be saved or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This machine cannot carry the plan.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// The plan names an unknown backend.
    #[error("unknown backend {0:?}")]
    UnknownBackend(String),
    /// Settings were refused before the run.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<BackendError>),
    /// A fault of the plan names a server that the backend does not have.
    #[error(
        "the fault {fault:?} does not fit {backend}: {backend} has no server {role:?}, only {roles}\n  set the fault's key server to one of them, or omit the key for the main server"
    )]
    UnknownServer {
        /// The fault, as text.
        fault: String,
        /// The backend.
        backend: String,
        /// The role asked for.
        role: String,
        /// The roles of the backend's servers.
        roles: String,
    },
    /// This hub cannot inject a fault of the plan.
    #[error("this hub cannot inject the fault {fault:?}: {reason}")]
    Fault {
        /// The fault, as text.
        fault: String,
        /// The reason, and what to do.
        reason: String,
    },
    /// A server exited while it was needed.
    #[error("{0}")]
    ServerExited(String),
    /// The consumer ended early.
    #[error("the consumer ended: {0}")]
    Consumer(BackendError),
    /// A thread of this process could not be started, or panicked.
    #[error("{what}: {reason}")]
    Thread {
        /// The thread or its task.
        what: String,
        /// The cause.
        reason: String,
    },
    /// A record does not belong to the plan.
    #[error("cannot resume {path}: {reason}")]
    Resume {
        /// The record.
        path: String,
        /// What differs.
        reason: String,
    },
    /// Too many repetitions failed one after the other.
    #[error("{count} repetitions failed one after the other, the last: {last}")]
    TooManyFailures {
        /// Number of failed repetitions.
        count: u32,
        /// The last failure.
        last: String,
    },
    /// The operator stopped the run.
    #[error("stopped by the operator")]
    Stopped,
}

impl RunError {
    /// Returns the [`Reason::code`](crate::measure::Reason) of a repetition that this error ended.
    pub const fn reason_code(&self) -> &'static str {
        match self {
            Self::Stopped | Self::Hub(HubError::Cancelled) => STOPPED_CODE,
            Self::Hub(_) => HUB_FAILURE_CODE,
            _ => FAILURE_CODE,
        }
    }
}
