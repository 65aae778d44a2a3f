//! One user: sends its queue in order, one statement at a time, and reconnects after a lost
//! connection.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    batch::InsertBatch,
    connection::{ConnectionCheck, StatementOutcome, UserConnection},
    state::{NEVER_SENT_REASON, SharedFleetState},
};
use crate::{
    backend::{
        Batching,
        mariadb::{
            backoff::Backoff,
            login::{error_text, is_login_refused},
        },
    },
    stamp::UserId,
};

/// Longest wait for a statement's answer; then its outcome is unknown.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest pause between attempts to reconnect.
const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of bulk statements per transaction when that many are queued: fewer commits,
/// fewer flushes.
const STATEMENTS_PER_COMMIT: usize = 8;

/// Task of one user; it reports the outcome of every message that it took, even when it is dropped.
pub struct UserTask {
    user: UserId,
    shared: Arc<SharedFleetState>,
    connection: Option<UserConnection>,
    queue: mpsc::UnboundedReceiver<InsertBatch>,
    /// Batches taken from the queue whose outcome is not reported yet.
    pending: Vec<InsertBatch>,
    /// Whether the server may have received `pending`.
    sent: bool,
}

impl UserTask {
    /// Creates the task of a connected user.
    pub fn new(
        user: UserId,
        shared: Arc<SharedFleetState>,
        connection: UserConnection,
        queue: mpsc::UnboundedReceiver<InsertBatch>,
    ) -> Self {
        Self { user, shared, connection: Some(connection), queue, pending: Vec::new(), sent: false }
    }

    /// Sends until the queue is closed.
    pub async fn run(mut self) {
        let max_batches = match self.shared.config.batching {
            Batching::Single => 1,
            Batching::Bulk => STATEMENTS_PER_COMMIT,
        };
        while self.queue.recv_many(&mut self.pending, max_batches).await > 0 {
            self.send().await;
        }
        if let Some(connection) = self.connection.take() {
            // The server notices a closed connection even without a quit command.
            let _ = connection.close().await;
        }
    }

    /// Sends the pending batches and reports their outcome.
    async fn send(&mut self) {
        let connected = ensure_connected(self.user, &self.shared, &mut self.connection).await;
        let outcome = match connected {
            Err(reason) => StatementOutcome::Refused(reason),
            Ok(connection) => {
                self.sent = true;
                let storing = connection.store(&self.pending, &self.shared.config);
                match timeout(STATEMENT_TIMEOUT, storing).await {
                    Ok(outcome) => outcome,
                    Err(_) => StatementOutcome::Unknown(format!(
                        "no answer within {STATEMENT_TIMEOUT:.0?}"
                    )),
                }
            }
        };
        self.report(&outcome);
        if let StatementOutcome::Unknown(reason) = outcome {
            self.connection = None;
            self.shared.report_disconnected(self.user, &reason);
            // Reconnect now, so that the next message does not wait for it; a refusal will be
            // reported with that message.
            let _ = ensure_connected(self.user, &self.shared, &mut self.connection).await;
        }
    }

    fn report(&mut self, outcome: &StatementOutcome) {
        for batch in self.pending.drain(..) {
            self.shared.report(&batch, outcome);
        }
        self.sent = false;
    }
}

impl Drop for UserTask {
    fn drop(&mut self) {
        let outcome = if self.sent {
            StatementOutcome::Unknown(
                "the connections were closed before the answer came".to_owned(),
            )
        } else {
            StatementOutcome::Refused(NEVER_SENT_REASON.to_owned())
        };
        self.report(&outcome);
        self.queue.close();
        while let Ok(batch) = self.queue.try_recv() {
            self.shared.report_never_sent(&batch, NEVER_SENT_REASON);
        }
    }
}

/// Returns the user's connection, reconnecting if necessary, for as long as that takes: after an
/// error, and when the server has closed the connection since the last message.
///
/// An error is final: the server refuses the login, or the fleet is being dropped.
async fn ensure_connected<'l>(
    user: UserId,
    shared: &SharedFleetState,
    connection: &'l mut Option<UserConnection>,
) -> Result<&'l mut UserConnection, String> {
    if shared.is_closing() {
        return Err(NEVER_SENT_REASON.to_owned());
    }
    let connected = match connection.take() {
        Some(idle) if idle.needs_check() => match idle.check(&shared.config).await {
            ConnectionCheck::Open(connection) => connection,
            ConnectionCheck::LoggedInAgain(connection) => {
                shared.report_logged_out(user);
                connection
            }
            ConnectionCheck::Closed => {
                shared.report_disconnected(user, "the server closed it");
                reconnect(shared).await?
            }
        },
        Some(connection) => connection,
        None => reconnect(shared).await?,
    };
    Ok(connection.insert(connected))
}

async fn reconnect(shared: &SharedFleetState) -> Result<UserConnection, String> {
    let mut backoff = Backoff::up_to(MAX_RETRY_INTERVAL);
    loop {
        match shared.connect_user().await {
            Ok(connection) => {
                shared.report_reconnected();
                return Ok(connection);
            }
            Err(error) if is_login_refused(&error) => {
                return Err(format!("never sent: {}", error_text(&error)));
            }
            Err(_) => sleep(backoff.next_pause()).await,
        }
        if shared.is_closing() {
            return Err(NEVER_SENT_REASON.to_owned());
        }
    }
}
