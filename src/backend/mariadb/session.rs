//! A session on a server: the table, its users and its consumer, row counts.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use mysql_async::prelude::Queryable;
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{
    consumer::MariaDbConsumer,
    facts,
    fleet::{self, FleetConfig},
    info::TITLE,
    login::{
        MariaDbLogin, NAME_SEPARATOR, STATEMENT_TIMEOUT, TableLocation, USER, error_text,
        is_forbidden,
    },
    readiness,
    settings::MariaDbSettings,
    user_sessions::UserSessions,
};
use crate::{
    backend::{
        BackendError, Batching, Consumer, Fleet, RepetitionContext, SendOutcomes, ServerFacts,
        Session, external as external_servers,
    },
    clock::Clock,
};

/// Longest payload, in bytes, that fits into a row as `VARBINARY`; a longer one needs a blob type.
const LONGEST_VARBINARY: u64 = 65_000;
/// Longest payload, in bytes, of a `MEDIUMBLOB`.
const LONGEST_MEDIUMBLOB: u64 = (1 << 24) - 1;

/// How long a count waits for the users' last transactions.
const LAST_TRANSACTIONS_TIMEOUT: Duration = Duration::from_secs(45);
/// What a count waits for, in error messages.
const LAST_TRANSACTIONS: &str = "waiting for the users' last transactions";
/// How long a count waits for sessions that execute nothing: the server has then noticed that their
/// connections were closed, and has read what they had sent.
const IDLE_SESSIONS_TIMEOUT: Duration = Duration::from_secs(1);
/// All sessions but the one that asks.
const OTHER_SESSIONS: &str =
    "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()";
/// Sessions that execute a statement that may write. A session whose connection was cut stays listed for
/// hours and executes nothing; after a restart of the server the consumer may have the number of a closed
/// session, and only reads.
const WRITING_SESSIONS: &str = "SELECT id FROM information_schema.processlist \
     WHERE id <> CONNECTION_ID() AND command NOT IN ('Sleep', 'Daemon') \
     AND (info IS NULL OR info NOT LIKE 'SELECT%')";
/// Interval at which a count looks whether the users' last transactions have ended.
const LAST_TRANSACTIONS_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A session on one server.
pub struct MariaDbSession {
    login: MariaDbLogin,
    settings: MariaDbSettings,
    payload: u64,
    clock: Clock,
    /// The server's warnings when it made the table.
    table_warnings: Mutex<Vec<String>>,
}

/// Waits until the server at `address` accepts the login and answers a query, then opens a session.
pub async fn connect(
    context: &RepetitionContext,
    settings: MariaDbSettings,
    address: SocketAddr,
    clock: Clock,
    timeout: Duration,
) -> Result<MariaDbSession, BackendError> {
    let external = external_servers::configured_server(TITLE, context)?;
    let password = context.password.clone();
    let login = match &external {
        None => MariaDbLogin::new(address, password),
        Some(server) => {
            let location = TableLocation::external(settings.database.as_deref());
            MariaDbLogin::external(
                address,
                server.user.as_deref().unwrap_or(USER),
                password,
                location,
            )
        }
    };
    let login = readiness::wait_until_ready(login, timeout).await?;
    let payload = context.point.workload.payload().0;
    Ok(MariaDbSession { login, settings, payload, clock, table_warnings: Mutex::default() })
}

impl MariaDbSession {
    /// Executes statements one after the other over a new connection; returns the server's warnings
    /// about the last one.
    async fn execute(
        &self,
        what: &str,
        statements: &[String],
    ) -> Result<Vec<String>, BackendError> {
        let mut connection = self.login.connect().await?;
        let executed = self.login.run_with_timeout(what, STATEMENT_TIMEOUT, async {
            for statement in statements {
                match connection.query_drop(statement).await {
                    Err(error) if is_forbidden(&error) => return Ok(Err(error_text(&error))),
                    other => other?,
                }
            }
            let mut warnings: Vec<(String, u32, String)> = Vec::new();
            if connection.get_warnings() > 0 {
                warnings = connection.query("SHOW WARNINGS").await?;
            }
            connection.disconnect().await?;
            Ok(Ok(warnings.into_iter().map(|(_, _, text)| text).collect()))
        });
        executed.await?.map_err(|reason| {
            let advice = "grant the account the right to create databases whose names begin with \
                          hubmark_, or all rights in a database named by the key `database`";
            self.login.operation_error(what, format!("{reason}\n  {advice}"))
        })
    }

    /// Waits until the server executes no statement of a user that was disconnected.
    ///
    /// A session is listed until its statement has ended, and its transaction with it. Without the
    /// privilege `PROCESS` the list holds the sessions of the own account, which are enough.
    async fn await_last_transactions(&self) -> Result<(), BackendError> {
        let users = self.login.closed_sessions();
        if users.is_empty() {
            return Ok(());
        }
        let mut connection = self.login.connect().await?;
        let started = Instant::now();
        loop {
            let sessions = if started.elapsed() < IDLE_SESSIONS_TIMEOUT {
                OTHER_SESSIONS
            } else {
                WRITING_SESSIONS
            };
            let listed: Vec<u32> = self
                .login
                .run_with_timeout(LAST_TRANSACTIONS, STATEMENT_TIMEOUT, connection.query(sessions))
                .await?;
            let left = users.retain_listed(&listed);
            if left == 0 {
                break;
            }
            if started.elapsed() >= LAST_TRANSACTIONS_TIMEOUT {
                let reason = format!(
                    "the server still executes the statements of {left} closed connections after \
                     {LAST_TRANSACTIONS_TIMEOUT:.0?}: a count would not be final"
                );
                return Err(self.login.operation_error(LAST_TRANSACTIONS, reason));
            }
            sleep(LAST_TRANSACTIONS_POLL_INTERVAL).await;
        }
        // An error means that the server has closed it already.
        let _ = connection.disconnect().await;
        Ok(())
    }

    fn create_table_sql(&self) -> String {
        let payload = match self.payload {
            bytes if bytes <= LONGEST_VARBINARY => format!("VARBINARY({})", bytes.max(1)),
            bytes if bytes <= LONGEST_MEDIUMBLOB => "MEDIUMBLOB".to_owned(),
            _ => "LONGBLOB".to_owned(),
        };
        format!(
            "CREATE TABLE {} (\
             id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, \
             stamp BIGINT UNSIGNED NOT NULL, \
             payload {payload} NOT NULL\
             ) ENGINE={} ROW_FORMAT={}",
            self.login.table(),
            self.settings.engine,
            self.settings.row_format
        )
    }
}

#[async_trait]
impl Session for MariaDbSession {
    async fn facts(&self) -> Result<ServerFacts, BackendError> {
        let warnings = self.table_warnings.lock().clone();
        facts::read(&self.login, &self.settings, warnings).await
    }

    async fn reset(&self) -> Result<(), BackendError> {
        let location = self.login.location();
        let mut statements = Vec::new();
        if location.creates_database {
            statements.push(format!("CREATE DATABASE IF NOT EXISTS `{}`", location.database));
        }
        statements.push(format!("DROP TABLE IF EXISTS {}", self.login.table()));
        statements.push(self.create_table_sql());
        let warnings = self.execute("creating the table anew", &statements).await?;
        *self.table_warnings.lock() = warnings;
        Ok(())
    }

    async fn remove_leftovers(&self) -> Result<Vec<String>, BackendError> {
        if self.login.location().managed {
            return Ok(Vec::new());
        }
        let mut connection = self.login.connect().await?;
        let what = "looking for leftovers of dead runs";
        let (databases, tables): (Vec<String>, Vec<(String, String)>) = self
            .login
            .run_with_timeout(what, STATEMENT_TIMEOUT, async {
                let databases =
                    connection.query("SELECT schema_name FROM information_schema.schemata").await?;
                let tables = "SELECT table_schema, table_name FROM information_schema.tables";
                let tables = connection.query(tables).await?;
                connection.disconnect().await?;
                Ok((databases, tables))
            })
            .await?;
        let databases = databases
            .into_iter()
            .filter(|name| external_servers::is_leftover(name, NAME_SEPARATOR));
        let tables = tables
            .into_iter()
            .filter(|(_, name)| external_servers::is_leftover(name, NAME_SEPARATOR));
        let leftovers: Vec<_> = databases
            .map(|name| format!("DATABASE `{name}`"))
            .chain(tables.map(|(database, name)| format!("TABLE `{database}`.`{name}`")))
            .collect();
        let drop: Vec<_> = leftovers.iter().map(|what| format!("DROP {what}")).collect();
        self.execute("removing leftovers of dead runs", &drop).await?;
        Ok(leftovers)
    }

    async fn cleanup(&self) -> Result<(), BackendError> {
        let location = self.login.location();
        if location.managed {
            return Ok(());
        }
        let statement = if location.creates_database {
            format!("DROP DATABASE IF EXISTS `{}`", location.database)
        } else {
            format!("DROP TABLE IF EXISTS {}", self.login.table())
        };
        let by_hand = format!("removing hubmark's table or database (by hand: {statement})");
        self.execute(&by_hand, &[statement]).await.map(drop)
    }

    async fn open_fleet(
        &self,
        users: u32,
        batching: Batching,
        outcomes: Arc<dyn SendOutcomes>,
    ) -> Result<Box<dyn Fleet>, BackendError> {
        let config = FleetConfig {
            login: self.login.clone(),
            users,
            batching,
            batch_rows: self.settings.batch_rows,
            transactional: self.settings.transactional(),
            clock: self.clock,
            sessions: UserSessions::default(),
        };
        Ok(Box::new(fleet::connect(config, outcomes).await?))
    }

    async fn open_consumer(&self, batching: Batching) -> Result<Box<dyn Consumer>, BackendError> {
        let reader = MariaDbConsumer::connect(
            self.login.clone(),
            batching,
            &self.settings,
            self.payload,
            self.clock,
        );
        Ok(Box::new(reader.await?))
    }

    /// Counts the rows once the users' last transactions have ended: the server goes on executing
    /// statements of connections that are closed.
    async fn count_messages(&self) -> Result<u64, BackendError> {
        self.await_last_transactions().await?;
        let mut connection = self.login.connect().await?;
        let rows: Option<u64> = self
            .login
            .run_with_timeout("counting rows", STATEMENT_TIMEOUT, async {
                let query = format!("SELECT COUNT(*) FROM {}", self.login.table());
                let rows = connection.query_first(query).await?;
                connection.disconnect().await?;
                Ok(rows)
            })
            .await?;
        rows.ok_or_else(|| {
            self.login.operation_error("counting rows", "the answer was empty".into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::fixture::repetition_context;

    fn table(payload: u64) -> String {
        let context = repetition_context("mariadb", 1, payload);
        MariaDbSession {
            login: MariaDbLogin::new(([127, 0, 0, 1], 1).into(), String::new()),
            settings: MariaDbSettings::read(&context).0,
            payload,
            clock: Clock::start(),
            table_warnings: Mutex::default(),
        }
        .create_table_sql()
    }

    #[test]
    fn the_payload_fits_its_column() {
        assert!(table(0).contains("payload VARBINARY(1) NOT NULL"));
        assert!(table(65_000).contains("payload VARBINARY(65000) NOT NULL"));
        assert!(table(65_001).contains("payload MEDIUMBLOB NOT NULL"));
        assert!(table(1 << 24).contains("payload LONGBLOB NOT NULL"));
        assert!(table(100).ends_with("ENGINE=InnoDB ROW_FORMAT=Default"));
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_not_ready() {
        // A port that was free a moment ago: no process listens on it.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let context = repetition_context("mariadb", 1, 100);
        let settings = MariaDbSettings::read(&context).0;
        let timeout = Duration::from_millis(50);
        let error =
            connect(&context, settings, address, Clock::start(), timeout).await.err().unwrap();
        assert!(matches!(error, BackendError::NotReady { .. }), "{error}");
    }
}
