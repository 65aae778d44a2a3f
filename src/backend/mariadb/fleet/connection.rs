//! A user's connection: login, and the statements that store messages.

use std::time::{Duration, Instant};

use mysql_async::{Conn, Error, Pool, Statement, prelude::Queryable};
use tokio::time::timeout;

use super::{batch::InsertBatch, config::FleetConfig};
use crate::backend::{
    Batching,
    mariadb::login::{LOGIN_TIMEOUT, error_text},
};

/// Error codes that leave a statement's outcome unknown: error during commit, server shutting down,
/// connection killed.
const UNCERTAIN_ERROR_CODES: &[u16] = &[1180, 1053, 1927];

/// Time without a statement from which a connection is checked before the next one. A check costs a
/// few microseconds.
const CHECKED_IDLE_TIME: Duration = Duration::from_secs(1);
/// Time before the server's time-out within which a statement might no longer be accepted.
const LOGOUT_MARGIN: Duration = Duration::from_millis(100);

/// A user's connection and its prepared statement.
///
/// The client library checks whether a connection was closed only when a pool gives it out: each
/// connection has a pool of its own.
pub struct UserConnection {
    connection: Conn,
    insert: Statement,
    pool: Pool,
    last_used: Instant,
}

/// Result of the check of a connection that was idle.
pub enum ConnectionCheck {
    /// The connection is still open.
    Open(UserConnection),
    /// The server had closed the connection, and the user has logged in again.
    LoggedInAgain(UserConnection),
    /// The user has no connection.
    Closed,
}

/// Outcome of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementOutcome {
    /// All rows were stored.
    Stored,
    /// No row was stored.
    Refused(String),
    /// The rows may be stored or not; the connection cannot be used any more.
    Unknown(String),
}

impl UserConnection {
    /// Connects a user and prepares its statement.
    pub async fn connect(config: &FleetConfig) -> Result<Self, Error> {
        let pool = Pool::new(config.login.user_options());
        let login = async {
            let connection = pool.get_conn().await?;
            Self::prepare(pool, connection, config).await
        };
        match timeout(LOGIN_TIMEOUT, login).await {
            Ok(result) => result,
            Err(_) => Err(Error::Other(format!("no answer within {LOGIN_TIMEOUT:.0?}").into())),
        }
    }

    async fn prepare(
        pool: Pool,
        mut connection: Conn,
        config: &FleetConfig,
    ) -> Result<Self, Error> {
        config.sessions.add(connection.id());
        if config.batching == Batching::Bulk {
            connection.query_drop("SET autocommit = 0").await?;
        }
        let table = config.login.table();
        let insert =
            connection.prep(format!("INSERT INTO {table} (stamp, payload) VALUES (?, ?)")).await?;
        Ok(Self { connection, insert, pool, last_used: Instant::now() })
    }

    /// Whether the server may have closed the connection since its last statement.
    pub fn needs_check(&self) -> bool {
        self.last_used.elapsed() >= CHECKED_IDLE_TIME
    }

    /// Checks, without a message to the server, whether the connection is still open. The user logs
    /// in again if it is not, or if the server is about to close it.
    pub async fn check(self, config: &FleetConfig) -> ConnectionCheck {
        let allowed = config.login.idle_timeout().saturating_sub(LOGOUT_MARGIN);
        if self.last_used.elapsed() >= allowed {
            // Its pool closes the connection.
            drop(self);
            return match Self::connect(config).await {
                Ok(connection) => ConnectionCheck::LoggedInAgain(connection),
                Err(_) => ConnectionCheck::Closed,
            };
        }
        let Self { connection, insert, pool, last_used } = self;
        let session = connection.id();
        drop(connection);
        let checked = async {
            // The pool replaces a closed connection.
            let connection = pool.get_conn().await?;
            if connection.id() == session {
                let open = Self { connection, insert, pool, last_used };
                return Ok::<_, Error>(ConnectionCheck::Open(open));
            }
            Self::prepare(pool, connection, config).await.map(ConnectionCheck::LoggedInAgain)
        };
        match timeout(LOGIN_TIMEOUT, checked).await {
            Ok(Ok(checked)) => checked,
            Ok(Err(_)) | Err(_) => ConnectionCheck::Closed,
        }
    }

    /// Closes the connection.
    pub async fn close(self) -> Result<(), Error> {
        self.connection.disconnect().await
    }

    /// Stores all messages of all batches or none, unless the outcome is unknown.
    pub async fn store(
        &mut self,
        batches: &[InsertBatch],
        config: &FleetConfig,
    ) -> StatementOutcome {
        let outcome = match config.batching {
            Batching::Single => self.store_single(batches).await,
            Batching::Bulk => self.store_bulk(batches, config.transactional).await,
        };
        self.last_used = Instant::now();
        outcome
    }

    /// Stores the one message with one statement, which commits automatically.
    async fn store_single(&mut self, batches: &[InsertBatch]) -> StatementOutcome {
        for row in batches.iter().flat_map(InsertBatch::iter) {
            match self.connection.exec_drop(&self.insert, row).await {
                Ok(()) => {}
                Err(error) if is_certain(&error) => {
                    return StatementOutcome::Refused(error_text(&error));
                }
                Err(error) => return StatementOutcome::Unknown(error_text(&error)),
            }
        }
        StatementOutcome::Stored
    }

    /// Stores each batch with a bulk statement, then commits; a failure before the commit is rolled
    /// back.
    async fn store_bulk(
        &mut self,
        batches: &[InsertBatch],
        transactional: bool,
    ) -> StatementOutcome {
        let inserted = self.insert_all(batches).await;
        match inserted {
            Ok(()) => match self.connection.query_drop("COMMIT").await {
                Ok(()) => StatementOutcome::Stored,
                Err(error) => StatementOutcome::Unknown(error_text(&error)),
            },
            Err(error) if is_certain(&error) && transactional => {
                match self.connection.query_drop("ROLLBACK").await {
                    Ok(()) => StatementOutcome::Refused(error_text(&error)),
                    Err(_) => StatementOutcome::Unknown(error_text(&error)),
                }
            }
            Err(error) => StatementOutcome::Unknown(error_text(&error)),
        }
    }

    async fn insert_all(&mut self, batches: &[InsertBatch]) -> Result<(), Error> {
        for batch in batches {
            self.connection.exec_batch(&self.insert, batch.iter()).await?;
        }
        Ok(())
    }
}

/// Whether the statement certainly had no effect.
fn is_certain(error: &Error) -> bool {
    matches!(error, Error::Server(server) if !UNCERTAIN_ERROR_CODES.contains(&server.code))
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    #[test]
    fn only_an_unambiguous_server_error_is_a_refusal() {
        let server = |code| {
            Error::Server(ServerError { code, message: String::new(), state: String::new() })
        };
        assert!(is_certain(&server(1146)), "no such table");
        assert!(!is_certain(&server(1180)), "error during commit");
        assert!(!is_certain(&Error::Io(std::io::Error::other("reset").into())));
    }
}
