//! State that a fleet shares with the tasks of its users.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use mysql_async::Error;
use tokio::{sync::Semaphore, time::sleep};

use super::{
    batch::InsertBatch,
    config::FleetConfig,
    connection::{StatementOutcome, UserConnection},
};
use crate::{
    backend::{BackendError, SendOutcomes, SendReceipt, mariadb::backoff::Backoff},
    stamp::UserId,
    units::{group_thousands, human_duration},
};

/// Maximum number of concurrent logins: enough to keep both sides busy, few enough for any listen
/// queue.
pub const MAX_CONCURRENT_LOGINS: usize = 64;
/// Attempts at a user's first login, while the server is known to be up.
const FIRST_LOGIN_ATTEMPTS: u32 = 3;
/// Longest pause between the attempts at a user's first login.
const MAX_FIRST_LOGIN_PAUSE: Duration = Duration::from_millis(100);
/// Reason for a queued message that was never sent.
pub const NEVER_SENT_REASON: &str = "never sent: the connections were closed";

/// State shared by all users.
pub struct SharedFleetState {
    /// The fleet's configuration.
    pub config: FleetConfig,
    /// Receives the outcome of each message.
    pub outcomes: Arc<dyn SendOutcomes>,
    login_permits: Semaphore,
    /// Bytes handed over whose outcome is not known yet.
    queued_bytes: AtomicUsize,
    /// Whether the fleet is being dropped: no more messages are sent.
    closing: AtomicBool,
    /// Number of users without a connection.
    disconnected_users: AtomicU32,
    /// Number of logins of users whose connection the server had closed while it was idle.
    repeated_logins: AtomicU32,
}

impl SharedFleetState {
    /// Creates the state of a fleet without users.
    pub fn new(config: FleetConfig, outcomes: Arc<dyn SendOutcomes>) -> Self {
        Self {
            config,
            outcomes,
            login_permits: Semaphore::new(MAX_CONCURRENT_LOGINS),
            queued_bytes: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            disconnected_users: AtomicU32::new(0),
            repeated_logins: AtomicU32::new(0),
        }
    }

    /// Connects a user, with at most [`MAX_CONCURRENT_LOGINS`] users at a time.
    pub async fn connect_user(&self) -> Result<UserConnection, Error> {
        let _permit = self.login_permits.acquire().await.map_err(|e| Error::Other(e.into()))?;
        UserConnection::connect(&self.config).await
    }

    /// Connects a user for the first time: retries after a lost packet, but not after an error of
    /// the server.
    pub async fn connect_user_with_retries(&self) -> Result<UserConnection, BackendError> {
        let mut attempt = 1;
        let mut backoff = Backoff::up_to(MAX_FIRST_LOGIN_PAUSE);
        loop {
            match self.connect_user().await {
                Ok(connection) => return Ok(connection),
                Err(Error::Io(_)) if attempt < FIRST_LOGIN_ATTEMPTS => attempt += 1,
                Err(error) => {
                    return Err(self.config.login.backend_error("connecting a user", &error));
                }
            }
            sleep(backoff.next_pause()).await;
        }
    }

    /// Reports that a user lost its connection, unless another user has none either.
    pub fn report_disconnected(&self, user: UserId, reason: &str) {
        if self.disconnected_users.fetch_add(1, Ordering::Relaxed) == 0 {
            self.outcomes.note(format!("user {user} lost its connection: {reason}"));
        }
    }

    /// Reports that a user is connected again, if it was the last one without a connection.
    pub fn report_reconnected(&self) {
        if self.disconnected_users.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.outcomes.note("all users are connected again".to_owned());
        }
    }

    /// Reports that a user has logged in again before a message, because the server had closed its
    /// idle connection or was about to.
    pub fn report_logged_out(&self, user: UserId) {
        if self.repeated_logins.fetch_add(1, Ordering::Relaxed) == 0 {
            let limit = human_duration(self.config.login.idle_timeout());
            self.outcomes.note(format!(
                "user {user} was logged out by the server between two messages and logs in again \
                 (wait_timeout is {limit}); the login is part of that message's times"
            ));
        }
    }

    /// Reports how often users had to log in again, if more than once.
    pub fn report_repeated_logins(&self) {
        let logins = self.repeated_logins.load(Ordering::Relaxed);
        if logins > 1 {
            let logins = group_thousands(logins.into());
            self.outcomes.note(format!(
                "users logged in again {logins} times, because the server had logged them out \
                 between two messages"
            ));
        }
    }

    /// Returns the bytes handed over whose outcome is not known yet.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    /// Counts a message of `bytes` that was handed over.
    pub fn add_queued(&self, bytes: usize) {
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reports each message of `batch` as refused.
    pub fn report_never_sent(&self, batch: &InsertBatch, reason: &str) {
        self.report(batch, &StatementOutcome::Refused(reason.to_owned()));
    }

    /// Reports the outcome of each message of `batch`.
    pub fn report(&self, batch: &InsertBatch, outcome: &StatementOutcome) {
        let at = self.config.clock.now();
        match outcome {
            StatementOutcome::Stored => {
                let receipts: Vec<SendReceipt> = batch.receipts(at).collect();
                self.outcomes.acked(&receipts);
            }
            StatementOutcome::Refused(reason) => {
                batch.receipts(at).for_each(|receipt| self.outcomes.refused(receipt, reason));
            }
            StatementOutcome::Unknown(reason) => {
                batch.receipts(at).for_each(|receipt| self.outcomes.unknown(receipt, reason));
            }
        }
        self.queued_bytes.fetch_sub(batch.bytes(), Ordering::Relaxed);
    }

    /// Makes all tasks stop sending: the fleet is being dropped.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether the fleet is being dropped.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}
