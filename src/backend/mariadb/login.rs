//! Login to the server: address, user, location of the table, and the server's refusals.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use mysql_async::{Conn, DriverError, Error, Opts, OptsBuilder, PoolConstraints, PoolOpts};
use tokio::time;

use super::{info::ROLE, session_variables, user_sessions::UserSessions};
use crate::backend::{BackendError, external::unique_name};

/// User name on a server that hubmark starts.
pub const USER: &str = "hubmark";
/// Database name on a server that hubmark starts.
pub const DATABASE: &str = "hubmark";
/// Table name in a database of hubmark's.
pub const TABLE: &str = "messages";

/// Longest wait for one login: a paused server accepts connections and never answers.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a statement of the session: large tables take a while to drop and to count.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_mins(2);

/// Error codes for a refused login: access denied (to the server, to the database, without a
/// password), host not allowed, host blocked, account locked, password expired (two codes), plugin
/// of the account unknown or not supported.
const LOGIN_ERROR_CODES: &[u16] = &[1044, 1045, 1698, 1130, 1129, 4151, 1820, 1862, 1524, 1275];
/// Error code of a refused account or password.
const ACCESS_DENIED_CODE: u16 = 1045;
/// Error code of a server that accepts encrypted connections only.
const ENCRYPTION_REQUIRED_CODE: u16 = 3159;

/// Separator between the parts of a name on an external server.
pub const NAME_SEPARATOR: char = '_';

/// The table of messages and its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLocation {
    /// The database.
    pub database: String,
    /// Whether hubmark creates the database for the table, and removes both.
    pub creates_database: bool,
    /// The table.
    pub table: String,
    /// Whether hubmark started the server.
    pub managed: bool,
}

impl TableLocation {
    /// Returns the location on a server that hubmark started.
    fn managed() -> Self {
        Self {
            database: DATABASE.to_owned(),
            creates_database: false,
            table: TABLE.to_owned(),
            managed: true,
        }
    }

    /// Returns a location on an external server: in `database`, or in a database that hubmark
    /// creates.
    pub fn external(database: Option<&str>) -> Self {
        match database {
            Some(database) => Self {
                database: database.to_owned(),
                creates_database: false,
                table: unique_name(NAME_SEPARATOR),
                managed: false,
            },
            None => Self {
                database: unique_name(NAME_SEPARATOR),
                creates_database: true,
                table: TABLE.to_owned(),
                managed: false,
            },
        }
    }
}

/// Address, user and password; `Debug` output omits the password.
#[derive(Clone)]
pub struct MariaDbLogin {
    address: SocketAddr,
    user: Arc<str>,
    password: String,
    location: Arc<TableLocation>,
    /// The server's `max_allowed_packet` in bytes, once known.
    max_packet: Option<usize>,
    /// Time without a statement after which the server ends a session.
    idle_timeout: Duration,
    closed_sessions: UserSessions,
}

impl fmt::Debug for MariaDbLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MariaDbLogin").field("address", &self.address).finish_non_exhaustive()
    }
}

impl MariaDbLogin {
    /// Creates a login at `address`, on a server that hubmark started.
    pub fn new(address: SocketAddr, password: String) -> Self {
        Self {
            address,
            user: USER.into(),
            password,
            location: Arc::new(TableLocation::managed()),
            max_packet: None,
            idle_timeout: Duration::MAX,
            closed_sessions: UserSessions::default(),
        }
    }

    /// Creates a login of `user` at `address`, on an external server.
    pub fn external(
        address: SocketAddr,
        user: &str,
        password: String,
        location: TableLocation,
    ) -> Self {
        Self {
            address,
            user: user.into(),
            password,
            location: Arc::new(location),
            max_packet: None,
            idle_timeout: Duration::MAX,
            closed_sessions: UserSessions::default(),
        }
    }

    /// Returns the location of the table.
    pub fn location(&self) -> &TableLocation {
        &self.location
    }

    /// Returns the table's quoted name for SQL statements.
    pub fn table(&self) -> String {
        let TableLocation { database, table, .. } = &*self.location;
        format!("`{database}`.`{table}`")
    }

    /// Sets the server's largest packet, in bytes, which saves each login a query, and the time
    /// without a statement after which it ends a session.
    pub fn with_limits(self, max_packet: usize, idle_timeout: Duration) -> Self {
        Self { max_packet: Some(max_packet), idle_timeout, ..self }
    }

    /// Returns the time without a statement after which the server ends a session.
    pub const fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// Returns the server's address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the sessions of the users whose connections were closed.
    pub const fn closed_sessions(&self) -> &UserSessions {
        &self.closed_sessions
    }

    /// Returns the largest packet, in bytes, that the server accepts.
    pub fn max_packet(&self) -> usize {
        self.max_packet.unwrap_or(16 << 20)
    }

    /// Returns the options of a connection, always over TCP: the devices do not use a Unix socket
    /// either.
    pub fn options(&self) -> Opts {
        let database = self.location.managed.then_some(self.location.database.as_str());
        self.builder(&self.user).db_name(database).into()
    }

    /// Returns the options of a user's connection, with a pool that holds only this connection.
    pub fn user_options(&self) -> Opts {
        let alone = PoolConstraints::new(0, 1).unwrap_or_default();
        let pool = PoolOpts::default().with_constraints(alone).with_reset_connection(false);
        OptsBuilder::from_opts(self.options()).pool_opts(pool).into()
    }

    /// Returns the options of a connection as the server's administrator.
    pub fn admin_options(&self) -> Opts {
        self.builder("root").into()
    }

    fn builder(&self, user: &str) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname(self.address.ip().to_string())
            .resolved_ips(Some(vec![self.address.ip()]))
            .tcp_port(self.address.port())
            .user(Some(user))
            .pass(Some(self.password.clone()))
            .prefer_socket(false)
            .tcp_nodelay(true)
            .max_allowed_packet(self.max_packet)
            // Set, so that no login queries it. Only pools use it; 0 lets their connections never
            // expire.
            .wait_timeout(Some(0))
            .setup(session_variables::setup_statements())
    }

    /// Opens a connection that belongs to no user.
    pub async fn connect(&self) -> Result<Conn, BackendError> {
        let opened = Conn::new(self.options());
        let connection = self.run_with_timeout("logging in", LOGIN_TIMEOUT, opened).await?;
        self.closed_sessions.remove(connection.id());
        Ok(connection)
    }

    /// Runs `work` for at most `timeout`, and converts its errors for the operator.
    pub async fn run_with_timeout<T>(
        &self,
        what: &str,
        timeout: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, BackendError> {
        match time::timeout(timeout, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.backend_error(what, &error)),
            Err(_) => Err(self.operation_error(
                what,
                format!("no answer within {timeout:.0?}: is the server paused or unreachable?"),
            )),
        }
    }

    /// Converts an error of the client library for the operator.
    pub fn backend_error(&self, what: &str, error: &Error) -> BackendError {
        if is_encryption_required(error) {
            let advice = "hubmark connects without TLS: set require_secure_transport = OFF on the \
                          server for the measurement, or give another address of it";
            return self.operation_error(what, format!("{}\n  {advice}", error_text(error)));
        }
        if is_login_refused(error) {
            return BackendError::Refused {
                server: ROLE.into(),
                address: self.address.to_string(),
                user: self.user.to_string(),
                reason: error_text(error) + encryption_hint(error),
            };
        }
        self.operation_error(what, error_text(error))
    }

    /// Returns the error for a failed operation.
    pub fn operation_error(&self, what: &str, reason: String) -> BackendError {
        BackendError::Operation {
            what: what.into(),
            server: format!("{ROLE} at {}", self.address),
            reason,
        }
    }
}

/// Whether the server refused the user or the password.
pub fn is_login_refused(error: &Error) -> bool {
    matches!(error, Error::Server(server) if LOGIN_ERROR_CODES.contains(&server.code))
}

/// MariaDB answers a connection without encryption, where it is required, like a wrong password.
fn encryption_hint(error: &Error) -> &'static str {
    match error {
        Error::Server(server) if server.code == ACCESS_DENIED_CODE => {
            " (a server or an account that requires encryption answers the same: \
             require_secure_transport, REQUIRE SSL; hubmark connects without TLS)"
        }
        _ => "",
    }
}

fn is_encryption_required(error: &Error) -> bool {
    matches!(error, Error::Server(server) if server.code == ENCRYPTION_REQUIRED_CODE)
}

/// Whether no further attempt to log in can succeed.
pub fn is_login_final(error: &Error) -> bool {
    let unknown_plugin = matches!(
        error,
        Error::Driver(
            DriverError::UnknownAuthPlugin { .. }
                | DriverError::MysqlOldPasswordDisabled
                | DriverError::CleartextPluginDisabled
        )
    );
    unknown_plugin || is_encryption_required(error) || is_login_refused(error)
}

/// Error codes for a missing privilege after login: on the database, on the table, for the
/// statement.
const PERMISSION_ERROR_CODES: &[u16] = &[1044, 1142, 1227, 1370];

/// Whether the account lacks the privilege for the statement.
pub fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Server(server) if PERMISSION_ERROR_CODES.contains(&server.code))
}

/// Error codes of a full disk: disk full, table full.
const DISK_FULL_CODES: &[u16] = &[1021, 1114];

/// Returns the error's text, without the client library's wrapping.
pub fn error_text(error: &Error) -> String {
    match error {
        Error::Server(server) if DISK_FULL_CODES.contains(&server.code) => {
            format!("{server}: its disk or its tablespace is full, make room on the hub")
        }
        Error::Server(server) => server.to_string(),
        Error::Driver(driver) => driver.to_string(),
        Error::Io(mysql_async::IoError::Io(io)) => io.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    fn login() -> MariaDbLogin {
        MariaDbLogin::new(([10, 0, 0, 7], 3306).into(), "secret-word".into())
    }

    fn server(code: u16) -> Error {
        Error::Server(ServerError { code, message: "so it is".into(), state: "HY000".into() })
    }

    #[test]
    fn a_refused_password_is_distinguished_from_other_failures() {
        let refused = login().backend_error("logging in", &server(1045));
        assert!(matches!(refused, BackendError::Refused { .. }), "{refused}");
        let other = login().backend_error("counting", &server(1146));
        assert_eq!(
            other.to_string(),
            "counting failed on mariadb at 10.0.0.7:3306: ERROR 1146 (HY000): so it is"
        );
    }

    #[test]
    fn a_server_that_requires_encryption_is_not_waited_for() {
        let required = server(3159);
        assert!(is_login_final(&required) && is_login_final(&server(1820)));
        assert!(!is_login_final(&server(1040)), "a connection may become free");
        let text = login().backend_error("logging in", &required).to_string();
        assert!(text.contains("require_secure_transport = OFF"), "{text}");
    }

    #[test]
    fn errors_and_debug_output_omit_the_password() {
        let output =
            format!("{:?} {}", login(), login().backend_error("logging in", &server(1045)));
        assert!(!output.contains("secret-word"));
    }
}
