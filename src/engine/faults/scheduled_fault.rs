//! A fault with its server and its progress.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::{clock::Micros, plan::Fault, server::RunningServer};

/// A server, and the lock that a fault holds while it acts on the server, so that a fault begins only after
/// the previous fault has ended, however long the hub takes.
pub type LockedServer = (RunningServer, Arc<tokio::sync::Mutex<()>>);

/// A fault with its server and its progress.
pub struct ScheduledFault {
    /// Index in the scheduler's faults.
    pub number: usize,
    /// The fault as planned, or as injected by key.
    pub planned: Fault,
    /// Whether an operator injects the fault by key.
    pub by_key: bool,
    /// The affected server.
    pub server: RunningServer,
    /// Held while the fault acts on the server.
    pub server_lock: Arc<tokio::sync::Mutex<()>>,
    /// Progress so far.
    pub state: Mutex<FaultState>,
}

/// Progress of a fault.
#[derive(Debug, Default, Clone)]
pub struct FaultState {
    /// When the hub was asked to inject the fault.
    pub asked: Option<Micros>,
    /// When the hub reported the fault active.
    pub began: Option<Micros>,
    /// When the hub was asked to clear the fault.
    pub end_asked: Option<Micros>,
    /// When the hub reported the fault cleared.
    pub ended: Option<Micros>,
    /// Starts of the server by this fault.
    pub starts: u32,
    /// Why the fault could not be injected or cleared.
    pub error: Option<String>,
    /// Send time from which messages count for the recovery, and the number that identifies it.
    pub recovery: Option<(Micros, usize)>,
    /// Duplicates counted when the fault began.
    pub duplicates_before: u64,
    /// Whether the fault has ended, has failed or will not begin; its recovery may still be in progress.
    pub finished: bool,
}

impl ScheduledFault {
    /// Locks the progress.
    pub fn state(&self) -> MutexGuard<'_, FaultState> {
        self.state.lock()
    }

    /// Whether the fault stops the server.
    pub fn ends_server(&self) -> bool {
        self.planned.kind.stops_server()
    }

    /// Why the fault is injected, for the begin of a log line.
    pub const fn origin(&self) -> &'static str {
        if self.by_key { "fault by key" } else { "planned fault" }
    }
}
