//! The count of the messages that the server holds after a load.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::{
    backend::{BackendError, SendOutcomes, Session},
    engine::{faults::scheduler::PlannedFaults, measure::recorder::Recorder},
};

/// Longest wait for the independent count of stored messages.
const COUNT_TIMEOUT: Duration = Duration::from_mins(1);
/// Pause before the count is asked for again from a server that had a fault.
const COUNT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Counts stored messages over a session.
pub struct StoredCount<'a> {
    /// The session on the servers.
    pub session: &'a dyn Session,
    /// The record of what was acknowledged and has arrived.
    pub recorder: &'a Recorder,
    /// The planned faults.
    pub faults: &'a PlannedFaults,
}

impl StoredCount<'_> {
    /// Counts the stored messages; `None`, with a note, if that is not possible.
    pub async fn count(&self) -> Option<u64> {
        let reason = match timeout(COUNT_TIMEOUT, self.count_with_retries()).await {
            Ok(Ok(stored)) => return Some(stored),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.recorder.note(format!("stored messages not counted: {reason}"));
        None
    }

    /// Counts once more if `stored` is less than what has arrived or was acknowledged since: the
    /// server may have stored messages of closed connections after the count. Call it when the
    /// consumer has stopped, so that nothing arrives after this count.
    pub async fn recount_if_contradicted(&self, stored: Option<u64>) -> Option<u64> {
        let ledger = self.recorder.ledger();
        let known = ledger.acked.unwrap_or(0).max(ledger.delivered + ledger.late);
        match stored {
            Some(first) if first < known => self.count().await.or(stored),
            counted => counted,
        }
    }

    /// Retries where planned faults may still keep the server away.
    async fn count_with_retries(&self) -> Result<u64, BackendError> {
        loop {
            match self.session.count_messages().await {
                Err(_) if self.faults.has_any() => sleep(COUNT_RETRY_DELAY).await,
                counted => return counted,
            }
        }
    }
}
