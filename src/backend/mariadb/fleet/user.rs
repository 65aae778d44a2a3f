//! One user: takes from its queue in order, one statement at a time, and comes back after a lost
//! connection.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mysql_async::{Conn, Error, Statement, prelude::Queryable};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{Batch, Shared};
use crate::{
    backend::{
        BackendError, Bundling, Receipt,
        mariadb::login::{LOGIN, refuses_login, words},
    },
    stamp::User,
};

/// Why a message in a queue was never sent.
pub const CLOSED: &str = "never sent: the connections were closed";

/// A statement without an answer for so long has an unknown outcome.
const STATEMENT: Duration = Duration::from_secs(30);
/// Pause before the second attempt to log in again; doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Bulk statements of one transaction at most, when so many wait: fewer commits, fewer flushes.
const STATEMENTS_PER_COMMIT: usize = 8;
/// Attempts at a user's first login, when the server is known to be up.
const FIRST_LOGIN_ATTEMPTS: u32 = 3;

/// Error codes after which nobody can say whether the statement took effect: error during commit,
/// server shutting down, connection killed.
const UNCERTAIN: &[u16] = &[1180, 1053, 1927];

/// A connection and its prepared statement.
pub struct Link {
    connection: Conn,
    insert: Statement,
}

/// What became of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Stored,
    /// Nothing of it was stored.
    Refused(String),
    /// It may be stored or not; the connection is of no more use.
    Unknown(String),
}

impl Shared {
    /// A connection that can send at once.
    async fn login(&self) -> Result<Link, Error> {
        let _turn = self.logins.acquire().await.map_err(|e| Error::Other(e.into()))?;
        let login = async {
            let mut connection = Conn::new(self.users.login.opts()).await?;
            if self.users.bundling == Bundling::Bulk {
                connection.query_drop("SET autocommit = 0").await?;
            }
            let table = self.users.login.table();
            let insert = connection
                .prep(format!("INSERT INTO {table} (stamp, payload) VALUES (?, ?)"))
                .await?;
            Ok(Link { connection, insert })
        };
        match timeout(LOGIN, login).await {
            Ok(result) => result,
            Err(_) => Err(Error::Other(format!("no answer within {LOGIN:.0?}").into())),
        }
    }

    /// A user's first login: what the server says is final, a lost packet is not.
    pub(super) async fn first_login(&self) -> Result<Link, BackendError> {
        let mut attempt = 1;
        loop {
            match self.login().await {
                Ok(link) => return Ok(link),
                Err(Error::Io(_)) if attempt < FIRST_LOGIN_ATTEMPTS => attempt += 1,
                Err(error) => return Err(self.users.login.explain("connecting a user", &error)),
            }
            sleep(FIRST_PAUSE * attempt).await;
        }
    }

    pub(super) fn never_sent(&self, batch: &Batch, reason: &str) {
        self.tell(batch, &Outcome::Refused(reason.to_owned()));
    }

    fn per_request(&self) -> usize {
        match self.users.bundling {
            Bundling::Single => 1,
            Bundling::Bulk => STATEMENTS_PER_COMMIT,
        }
    }

    /// A user's connection, made again if need be, for as long as that takes. An error is final:
    /// the server does not want us, or the fleet is being dropped.
    async fn connected<'l>(&self, link: &'l mut Option<Link>) -> Result<&'l mut Link, String> {
        if self.closing() {
            return Err(CLOSED.to_owned());
        }
        let found = match link.take() {
            Some(link) => link,
            None => self.login_again().await?,
        };
        Ok(link.insert(found))
    }

    async fn login_again(&self) -> Result<Link, String> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.login().await {
                Ok(link) => {
                    if self.cut_off.fetch_sub(1, Ordering::Relaxed) == 1 {
                        self.reports.note("all users are connected again".to_owned());
                    }
                    return Ok(link);
                }
                Err(error) if refuses_login(&error) => {
                    return Err(format!("never sent: {}", words(&error)));
                }
                Err(_) => sleep(pause).await,
            }
            if self.closing() {
                return Err(CLOSED.to_owned());
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Reports the outcome of each message.
    fn tell(&self, batch: &Batch, outcome: &Outcome) {
        let at = self.users.clock.now();
        match outcome {
            Outcome::Stored => {
                let receipts: Vec<Receipt> = batch.receipts(at).collect();
                self.reports.acked(&receipts);
            }
            Outcome::Refused(reason) => {
                batch.receipts(at).for_each(|receipt| self.reports.refused(receipt, reason));
            }
            Outcome::Unknown(reason) => {
                batch.receipts(at).for_each(|receipt| self.reports.unknown(receipt, reason));
            }
        }
        self.waiting.fetch_sub(batch.bytes(), Ordering::Relaxed);
    }

    fn closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

/// One user's life. However it ends, the outcome of every message that it took is told.
pub struct UserTask {
    user: User,
    shared: Arc<Shared>,
    link: Option<Link>,
    queue: mpsc::UnboundedReceiver<Batch>,
    /// Taken from the queue, outcome not told yet.
    taken: Vec<Batch>,
    /// Whether the server may have seen them.
    sent: bool,
}

impl UserTask {
    pub(super) fn new(
        user: User,
        shared: Arc<Shared>,
        link: Link,
        queue: mpsc::UnboundedReceiver<Batch>,
    ) -> Self {
        Self { user, shared, link: Some(link), queue, taken: Vec::new(), sent: false }
    }

    /// Sends until the queue is closed.
    pub async fn run(mut self) {
        let most = self.shared.per_request();
        while self.queue.recv_many(&mut self.taken, most).await > 0 {
            self.send().await;
        }
        if let Some(link) = self.link.take() {
            // The server notices a closed connection with or without a good-bye.
            let _ = link.connection.disconnect().await;
        }
    }

    /// Sends what was taken and tells what became of it.
    async fn send(&mut self) {
        let outcome = match self.shared.connected(&mut self.link).await {
            Err(reason) => Outcome::Refused(reason),
            Ok(link) => {
                self.sent = true;
                match timeout(STATEMENT, link.store(&self.taken, &self.shared)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Outcome::Unknown(format!("no answer within {STATEMENT:.0?}")),
                }
            }
        };
        self.tell(&outcome);
        if let Outcome::Unknown(reason) = outcome {
            self.link = None;
            if self.shared.cut_off.fetch_add(1, Ordering::Relaxed) == 0 {
                let user = self.user;
                self.shared.reports.note(format!("user {user} lost its connection: {reason}"));
            }
            // At once, so that the next message does not wait for it; a refusal shows again then.
            let _ = self.shared.connected(&mut self.link).await;
        }
    }

    fn tell(&mut self, outcome: &Outcome) {
        for batch in self.taken.drain(..) {
            self.shared.tell(&batch, outcome);
        }
        self.sent = false;
    }
}

impl Drop for UserTask {
    fn drop(&mut self) {
        let outcome = if self.sent {
            Outcome::Unknown("the connections were closed before the answer came".to_owned())
        } else {
            Outcome::Refused(CLOSED.to_owned())
        };
        self.tell(&outcome);
        self.queue.close();
        while let Ok(batch) = self.queue.try_recv() {
            self.shared.never_sent(&batch, CLOSED);
        }
    }
}

impl Link {
    /// Stores all messages of all batches, or none; or says why nobody knows.
    async fn store(&mut self, batches: &[Batch], shared: &Shared) -> Outcome {
        match shared.users.bundling {
            Bundling::Single => self.single(batches).await,
            Bundling::Bulk => self.bulk(batches, shared.users.transactional).await,
        }
    }

    /// A statement for the one message; it commits itself.
    async fn single(&mut self, batches: &[Batch]) -> Outcome {
        for row in batches.iter().flat_map(Batch::iter) {
            match self.connection.exec_drop(&self.insert, row).await {
                Ok(()) => {}
                Err(error) if is_certain(&error) => return Outcome::Refused(words(&error)),
                Err(error) => return Outcome::Unknown(words(&error)),
            }
        }
        Outcome::Stored
    }

    /// A bulk statement for each batch, then the commit. What fails before it is rolled back.
    async fn bulk(&mut self, batches: &[Batch], transactional: bool) -> Outcome {
        let inserted = self.insert_all(batches).await;
        match inserted {
            Ok(()) => match self.connection.query_drop("COMMIT").await {
                Ok(()) => Outcome::Stored,
                Err(error) => Outcome::Unknown(words(&error)),
            },
            Err(error) if is_certain(&error) && transactional => {
                match self.connection.query_drop("ROLLBACK").await {
                    Ok(()) => Outcome::Refused(words(&error)),
                    Err(_) => Outcome::Unknown(words(&error)),
                }
            }
            Err(error) => Outcome::Unknown(words(&error)),
        }
    }

    async fn insert_all(&mut self, batches: &[Batch]) -> Result<(), Error> {
        for batch in batches {
            self.connection.exec_batch(&self.insert, batch.iter()).await?;
        }
        Ok(())
    }
}

/// Whether the server has certainly not done what it was asked.
fn is_certain(error: &Error) -> bool {
    matches!(error, Error::Server(server) if !UNCERTAIN.contains(&server.code))
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    #[test]
    fn only_a_servers_clear_word_is_a_refusal() {
        let server = |code| {
            Error::Server(ServerError { code, message: String::new(), state: String::new() })
        };
        assert!(is_certain(&server(1146)), "no such table");
        assert!(!is_certain(&server(1180)), "error during commit");
        assert!(!is_certain(&Error::Io(std::io::Error::other("reset").into())));
    }
}
