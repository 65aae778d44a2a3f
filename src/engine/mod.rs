//! The engine: executes a plan and tells what happens. It prints nothing and knows no terminal.
//!
//! [`run`] begins a record or goes on with one ([`resume`]); [`walk`] executes step after step, as
//! [`strategy`] decides them; [`repetition`] executes one step on clean servers, with
//! [`play`] as its measured part and [`stage`] as what may end that early. On
//! the way of a message: [`load`] (the thread that sends) → the backend → [`inbox`] (the thread
//! that receives), both into the [`recorder`], which keeps the [`ledger`]. Beside it [`sampler`]
//! follows the servers' resources, [`faults`] strikes them where the plan says so, [`attendant`]
//! follows the hub itself, [`generator`] this process, [`observer`] makes snapshots, and
//! [`verdict`] judges, with [`fitness`] of the hub. [`cooldown`] waits before a repetition.

mod attendant;
mod comeback;
pub mod control;
mod cooldown;
mod course;
pub mod doctor;
mod external;
mod faults;
mod fitness;
mod footprint;
mod generator;
pub mod inbox;
pub mod ledger;
mod limiting;
pub mod load;
mod observer;
mod play;
pub mod preflight;
mod provenance;
mod recorder;
mod repetition;
mod results;
mod resume;
mod run;
mod sampler;
mod servers;
mod shelf;
mod stage;
mod strategy;
#[cfg(test)]
mod tests;
mod threads;
mod thresholds;
mod timeleft;
mod verdict;
mod wake;
mod walk;
mod warmup;

pub use recorder::Recorder;
pub use run::{Engine, Outcome, Request, check, images};

use crate::{backend::BackendError, hub::HubError, record::store::StoreError};

/// Why a run could not go on, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Something with the hub.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Something with the backend or its server.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The record could not be saved or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This machine cannot carry the plan.
    #[error(transparent)]
    Preflight(#[from] preflight::PreflightError),
    /// A plan names a backend that does not exist.
    #[error("there is no backend {0:?}")]
    NoBackend(String),
    /// Settings that were refused before the run.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<BackendError>),
    /// A fault of the plan for a server that a backend does not have.
    #[error(
        "the fault {fault:?} cannot strike {backend}: it has no server {role:?}, only {roles}\n  name one of them in its key server, or leave the key out for the main one"
    )]
    NoSuchServer {
        /// The fault in words.
        fault: String,
        /// The backend.
        backend: String,
        /// The role asked for.
        role: String,
        /// The roles that there are.
        roles: String,
    },
    /// A fault of the plan that this hub cannot bring about.
    #[error("the fault {fault:?} cannot be brought about: {reason}")]
    Fault {
        /// The fault in words.
        fault: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A server ended while it was needed.
    #[error("{0}")]
    ServerEnded(String),
    /// The consumer ended before its time.
    #[error("the consumer ended: {0}")]
    Consumer(BackendError),
    /// A thread of ours could not be started, or ended by a panic.
    #[error("{what}: {reason}")]
    Thread {
        /// Which.
        what: String,
        /// What was seen.
        reason: String,
    },
    /// A record that does not belong to the plan.
    #[error("cannot resume {path}: {reason}")]
    Resume {
        /// The record.
        path: String,
        /// What differs.
        reason: String,
    },
    /// Too many repetitions failed one after the other.
    #[error("{count} repetitions failed one after the other, the last: {last}")]
    GivenUp {
        /// How many.
        count: u32,
        /// The last failure.
        last: String,
    },
    /// The operator stopped the run.
    #[error("stopped by the operator")]
    Stopped,
}
