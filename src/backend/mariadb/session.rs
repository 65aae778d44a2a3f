//! A server that answers: its table, what it says of itself, how many rows it holds.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use mysql_async::{Conn, Error, prelude::Queryable};
use tokio::time::{sleep, timeout};

use super::{
    ROLE, TITLE,
    consumer::Reader,
    fleet::{self, Users},
    login::{Home, LOGIN, Login, MARK, STATEMENT, USER, forbids, refuses_login, words},
    settings::Settings,
};
use crate::{
    backend::{
        BackendError, Bundling, Consumer, Fleet, Reports, ServerFacts, Session, Setup,
        external as given,
    },
    clock::Clock,
};

/// Pause between two attempts to reach a server that starts.
const ATTEMPTS: Duration = Duration::from_millis(20);
/// A server that accepts a connection and says nothing is asked again after this.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Longest payload that fits into a row as `VARBINARY`; beyond it a blob type holds it.
const LONGEST_VARBINARY: u64 = 65_000;
/// Longest payload of a `MEDIUMBLOB`.
const LONGEST_MEDIUMBLOB: u64 = (1 << 24) - 1;

/// Variables that matter for durability and speed.
const VARIABLES: &[&str] = &[
    "aria_group_commit",
    "autocommit",
    "binlog_format",
    "innodb_autoinc_lock_mode",
    "innodb_buffer_pool_size",
    "innodb_doublewrite",
    "innodb_flush_log_at_trx_commit",
    "innodb_flush_method",
    "innodb_log_file_size",
    "innodb_version",
    "key_buffer_size",
    "log_bin",
    "max_allowed_packet",
    "max_connections",
    "max_prepared_stmt_count",
    "sync_binlog",
    "thread_handling",
    "tx_isolation",
    "version_comment",
    "version_compile_machine",
];

/// A session on one server.
pub struct MariaDbSession {
    login: Login,
    settings: Settings,
    payload: u64,
    clock: Clock,
}

/// Waits until the server at `address` lets us in and answers a query.
pub async fn open(
    setup: &Setup,
    settings: Settings,
    address: SocketAddr,
    clock: Clock,
    patience: Duration,
) -> Result<MariaDbSession, BackendError> {
    let external = given::server(TITLE, setup)?;
    let password = setup.password.clone();
    let login = match &external {
        None => Login::new(address, password),
        Some(server) => {
            let home = Home::external(settings.database.as_deref());
            Login::external(address, server.user.as_deref().unwrap_or(USER), password, home)
        }
    };
    let started = Instant::now();
    let packet = loop {
        let last = match timeout(ATTEMPT, largest_packet(&login)).await {
            Ok(Ok(bytes)) => break bytes,
            Ok(Err(error)) if refuses_login(&error) => {
                return Err(login.explain("logging in", &error));
            }
            Ok(Err(error)) => words(&error),
            Err(_) => format!("it accepted the connection and said nothing for {ATTEMPT:.0?}"),
        };
        if started.elapsed() >= patience {
            return Err(BackendError::NotReady {
                server: ROLE.into(),
                address: address.to_string(),
                waited: patience,
                last,
            });
        }
        sleep(ATTEMPTS).await;
    };
    let login = login.with_packet(packet);
    if external.is_none() {
        allow_process(&login).await;
    }
    Ok(MariaDbSession { login, settings, payload: setup.point.workload.payload().0, clock })
}

async fn largest_packet(login: &Login) -> Result<usize, Error> {
    let mut connection = Conn::new(login.opts()).await?;
    let bytes = connection.query_first("SELECT @@global.max_allowed_packet").await?;
    connection.disconnect().await?;
    Ok(bytes.unwrap_or(16 << 20))
}

/// Lets our user see which transactions are active: the consumer's proof that a skipped id will
/// never come. Images make the user without it. Where we may not grant it the consumer waits
/// longer instead, so a failure is no error.
async fn allow_process(login: &Login) {
    let granted = timeout(LOGIN, async {
        let mut admin = Conn::new(login.admin()).await?;
        admin.query_drop(format!("GRANT PROCESS ON *.* TO {USER}@'%'")).await?;
        admin.disconnect().await
    });
    match granted.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(reason = words(&error), "PROCESS not granted"),
        Err(_) => tracing::debug!("PROCESS not granted in time"),
    }
}

impl MariaDbSession {
    /// One statement after the other over a fresh connection.
    async fn execute(&self, what: &str, statements: &[String]) -> Result<(), BackendError> {
        let mut connection = self.login.connect().await?;
        let asked = self.login.patiently(what, STATEMENT, async {
            for statement in statements {
                match connection.query_drop(statement).await {
                    Err(error) if forbids(&error) => return Ok(Err(words(&error))),
                    other => other?,
                }
            }
            connection.disconnect().await.map(Ok)
        });
        asked.await?.map_err(|reason| {
            let advice = "grant the account the right to make databases whose names begin with \
                          hubmark_, or all rights in one that is named by the key database";
            self.login.operation(what, format!("{reason}\n  {advice}"))
        })
    }

    fn create_table(&self) -> String {
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
        let further = self.settings.server.iter().map(|(name, _)| name.replace('-', "_"));
        let names: Vec<String> = VARIABLES
            .iter()
            .map(|name| (*name).to_owned())
            .chain(further)
            .map(|name| format!("'{name}'"))
            .collect();
        let query = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(","));
        let Home { database, table, .. } = self.login.home();
        let table = format!(
            "SELECT engine, row_format FROM information_schema.tables \
             WHERE table_schema = '{database}' AND table_name = '{table}'"
        );
        let mut connection = self.login.connect().await?;
        let (version, mut settings, table) = self
            .login
            .patiently("reading settings", STATEMENT, async {
                let version: Option<String> = connection.query_first("SELECT VERSION()").await?;
                let settings: Vec<(String, String)> = connection.query(query).await?;
                let table: Option<(Option<String>, Option<String>)> =
                    connection.query_first(table).await?;
                connection.disconnect().await?;
                Ok((version.unwrap_or_default(), settings, table))
            })
            .await?;
        let (engine, row_format) = table.unwrap_or_default();
        settings.extend(engine.map(|engine| ("table_engine".to_owned(), engine)));
        settings.extend(row_format.map(|format| ("table_row_format".to_owned(), format)));
        Ok(ServerFacts { version, settings, client: client_facts(&self.settings) })
    }

    async fn reset(&self) -> Result<(), BackendError> {
        let home = self.login.home();
        let mut statements = Vec::new();
        if home.makes_database {
            statements.push(format!("CREATE DATABASE IF NOT EXISTS `{}`", home.database));
        }
        statements.push(format!("DROP TABLE IF EXISTS {}", self.login.table()));
        statements.push(self.create_table());
        self.execute("creating the table anew", &statements).await
    }

    async fn sweep(&self) -> Result<Vec<String>, BackendError> {
        if self.login.home().own {
            return Ok(Vec::new());
        }
        let mut connection = self.login.connect().await?;
        let what = "looking for leftovers of dead runs";
        let (databases, tables): (Vec<String>, Vec<(String, String)>) = self
            .login
            .patiently(what, STATEMENT, async {
                let databases =
                    connection.query("SELECT schema_name FROM information_schema.schemata").await?;
                let tables = "SELECT table_schema, table_name FROM information_schema.tables";
                let tables = connection.query(tables).await?;
                connection.disconnect().await?;
                Ok((databases, tables))
            })
            .await?;
        let databases = databases.into_iter().filter(|name| given::is_leftover(name, MARK));
        let tables = tables.into_iter().filter(|(_, name)| given::is_leftover(name, MARK));
        let dead: Vec<_> = databases
            .map(|name| format!("DATABASE `{name}`"))
            .chain(tables.map(|(database, name)| format!("TABLE `{database}`.`{name}`")))
            .collect();
        let drop: Vec<_> = dead.iter().map(|what| format!("DROP {what}")).collect();
        self.execute("removing leftovers of dead runs", &drop).await?;
        Ok(dead)
    }

    async fn leave(&self) -> Result<(), BackendError> {
        let home = self.login.home();
        if home.own {
            return Ok(());
        }
        let statement = if home.makes_database {
            format!("DROP DATABASE IF EXISTS `{}`", home.database)
        } else {
            format!("DROP TABLE IF EXISTS {}", self.login.table())
        };
        let by_hand = format!("removing what was made there (by hand: {statement})");
        self.execute(&by_hand, &[statement]).await
    }

    async fn fleet(
        &self,
        users: u32,
        bundling: Bundling,
        reports: Arc<dyn Reports>,
    ) -> Result<Box<dyn Fleet>, BackendError> {
        let order = Users {
            login: self.login.clone(),
            count: users,
            bundling,
            batch: self.settings.batch,
            transactional: self.settings.transactional(),
            clock: self.clock,
        };
        Ok(Box::new(fleet::assemble(order, reports).await?))
    }

    async fn consumer(&self, bundling: Bundling) -> Result<Box<dyn Consumer>, BackendError> {
        let reader =
            Reader::connect(self.login.clone(), bundling, &self.settings, self.payload, self.clock);
        Ok(Box::new(reader.await?))
    }

    async fn count(&self) -> Result<u64, BackendError> {
        let mut connection = self.login.connect().await?;
        let rows: Option<u64> = self
            .login
            .patiently("counting rows", STATEMENT, async {
                let query = format!("SELECT COUNT(*) FROM {}", self.login.table());
                let rows = connection.query_first(query).await?;
                connection.disconnect().await?;
                Ok(rows)
            })
            .await?;
        rows.ok_or_else(|| self.login.operation("counting rows", "the answer was empty".into()))
    }
}

fn client_facts(settings: &Settings) -> Vec<(String, String)> {
    vec![
        (
            "library".into(),
            format!("mysql_async {}", library_version().unwrap_or("of unknown version")),
        ),
        ("poll".into(), format!("{:?}", settings.poll)),
        ("batch".into(), format!("{} rows", settings.batch)),
        ("tcp_nodelay".into(), "on".into()),
    ]
}

/// The client library's version, from the lock file that this program was built by.
fn library_version() -> Option<&'static str> {
    include_str!("../../../Cargo.lock")
        .split("[[package]]")
        .find(|package| package.contains("name = \"mysql_async\""))?
        .lines()
        .find_map(|line| line.strip_prefix("version = "))
        .map(|version| version.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::mariadb::test_setup;

    fn table(payload: u64) -> String {
        let setup = test_setup(1, payload);
        MariaDbSession {
            login: Login::new(([127, 0, 0, 1], 1).into(), String::new()),
            settings: Settings::read(&setup).0,
            payload,
            clock: Clock::start(),
        }
        .create_table()
    }

    #[test]
    fn the_payload_fits_its_column() {
        assert!(table(0).contains("payload VARBINARY(1) NOT NULL"));
        assert!(table(65_000).contains("payload VARBINARY(65000) NOT NULL"));
        assert!(table(65_001).contains("payload MEDIUMBLOB NOT NULL"));
        assert!(table(1 << 24).contains("payload LONGBLOB NOT NULL"));
        assert!(table(100).ends_with("ENGINE=InnoDB ROW_FORMAT=Default"));
    }

    #[test]
    fn the_library_in_use_is_named() {
        assert!(library_version().is_some_and(|version| version.starts_with("0.")));
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_not_ready() {
        // A port that was free a moment ago: nobody listens.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let setup = test_setup(1, 100);
        let settings = Settings::read(&setup).0;
        let patience = Duration::from_millis(50);
        let error = open(&setup, settings, port, Clock::start(), patience).await.err().unwrap();
        assert!(matches!(error, BackendError::NotReady { .. }), "{error}");
    }
}
