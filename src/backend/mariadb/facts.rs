//! Version and settings in force, as the server and hubmark's own sessions report them.

use mysql_async::{Error, prelude::Queryable};

use super::{
    login::{MariaDbLogin, STATEMENT_TIMEOUT, TableLocation},
    session_variables,
    settings::{MariaDbSettings, normalized},
};
use crate::backend::{BackendError, ServerFacts};

/// Prefix of a session's value that differs from the server's global one.
const SESSION_PREFIX: &str = "session.";
/// The storage engine of the table that the server made.
pub const TABLE_ENGINE: &str = "table_engine";
/// The row format of the table that the server made.
pub const TABLE_ROW_FORMAT: &str = "table_row_format";

/// Server variables that affect durability, speed and limits, for the record.
const RECORDED_VARIABLES: &[&str] = &[
    "aria_group_commit",
    "auto_increment_increment",
    "autocommit",
    "binlog_format",
    "character_set_server",
    "enforce_storage_engine",
    "foreign_key_checks",
    "general_log",
    "init_connect",
    "innodb_autoinc_lock_mode",
    "innodb_buffer_pool_size",
    "innodb_default_row_format",
    "innodb_doublewrite",
    "innodb_encrypt_tables",
    "innodb_file_per_table",
    "innodb_flush_log_at_trx_commit",
    "innodb_flush_method",
    "innodb_log_file_size",
    "innodb_page_size",
    "innodb_strict_mode",
    "innodb_version",
    "key_buffer_size",
    "log_bin",
    "max_allowed_packet",
    "max_connections",
    "max_prepared_stmt_count",
    "query_cache_type",
    "read_only",
    "slow_query_log",
    "sql_mode",
    "sync_binlog",
    "thread_handling",
    "time_zone",
    "transaction_isolation",
    "tx_isolation",
    "unique_checks",
    "version_comment",
    "version_compile_machine",
    "wait_timeout",
    "wsrep_on",
];
/// Variables whose session value an account may have of its own.
const SESSION_VARIABLES: &[&str] = &["max_user_connections", "wait_timeout"];

/// Reads the facts over a connection like those of the users; `warnings` are the server's when it
/// made the table.
pub async fn read(
    login: &MariaDbLogin,
    settings: &MariaDbSettings,
    warnings: Vec<String>,
) -> Result<ServerFacts, BackendError> {
    let additional = settings.server.iter().map(|(name, _)| normalized(name));
    let names: Vec<String> = RECORDED_VARIABLES
        .iter()
        .map(|name| (*name).to_owned())
        .chain(additional)
        .map(|name| format!("'{name}'"))
        .collect();
    let query = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(","));
    let TableLocation { database, table, .. } = login.location();
    let table = format!(
        "SELECT engine, row_format FROM information_schema.tables \
         WHERE table_schema = '{database}' AND table_name = '{table}'"
    );
    let mut connection = login.connect().await?;
    let (version, mut facts, session, table) = login
        .run_with_timeout("reading settings", STATEMENT_TIMEOUT, async {
            let version: Option<String> = connection.query_first("SELECT VERSION()").await?;
            let facts: Vec<(String, String)> = connection.query(query).await?;
            let own = session_variables::names().chain(SESSION_VARIABLES.iter().copied());
            let session = session_variables::read(&mut connection, own).await?;
            let table: Option<(Option<String>, Option<String>)> =
                connection.query_first(table).await?;
            connection.disconnect().await?;
            Ok::<_, Error>((version.unwrap_or_default(), facts, session, table))
        })
        .await?;
    let (engine, row_format) = table.unwrap_or_default();
    facts.extend(engine.map(|engine| (TABLE_ENGINE.to_owned(), engine)));
    facts.extend(row_format.map(|format| (TABLE_ROW_FORMAT.to_owned(), format)));
    let differs = |(name, value): &(String, String)| {
        facts.iter().all(|(global, same)| global != name || same != value)
    };
    let session: Vec<_> = session
        .into_iter()
        .filter(differs)
        .map(|(name, value)| (format!("{SESSION_PREFIX}{name}"), value))
        .collect();
    facts.extend(session);
    facts.sort();
    Ok(ServerFacts { version, settings: facts, client: client_facts(settings), cautions: warnings })
}

/// Returns the value that a session of hubmark has: the session's own, or else the server's.
pub fn session_value<'a>(facts: &'a ServerFacts, name: &str) -> Option<&'a str> {
    facts.setting(&format!("{SESSION_PREFIX}{name}")).or_else(|| facts.setting(name))
}

fn client_facts(settings: &MariaDbSettings) -> Vec<(String, String)> {
    vec![
        // The version is from `Cargo.lock`, by the build script.
        ("library".into(), concat!("mysql_async ", env!("MYSQL_ASYNC_VERSION")).into()),
        ("poll".into(), format!("{:?}", settings.poll_interval)),
        ("batch".into(), format!("{} rows", settings.batch_rows)),
        ("tcp_nodelay".into(), "on".into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::fixture::repetition_context;

    #[test]
    fn the_client_library_is_recorded_with_its_version() {
        let settings = MariaDbSettings::read(&repetition_context("mariadb", 1, 100)).0;
        let (_, library) = client_facts(&settings).remove(0);
        let version = library.strip_prefix("mysql_async ").unwrap();
        assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{library}");
    }

    #[test]
    fn the_value_of_a_session_is_its_own_or_the_servers() {
        let facts = ServerFacts {
            settings: [("autocommit", "OFF"), ("session.autocommit", "ON"), ("wait_timeout", "9")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..ServerFacts::default()
        };
        assert_eq!(session_value(&facts, "autocommit"), Some("ON"));
        assert_eq!(session_value(&facts, "wait_timeout"), Some("9"));
        assert_eq!(session_value(&facts, "sql_mode"), None);
    }
}
