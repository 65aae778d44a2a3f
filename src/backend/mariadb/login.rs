//! Logging in: where the server is, who we are, where our table is, and what its refusals mean.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use mysql_async::{Conn, Error, Opts, OptsBuilder};
use tokio::time::timeout;

use super::ROLE;
use crate::backend::{BackendError, external::own_name};

/// The user that this program logs in as, on a server of its own.
pub const USER: &str = "hubmark";
/// The database that holds the table, there.
pub const DATABASE: &str = "hubmark";
/// The table of messages, wherever it has a database to itself.
pub const TABLE: &str = "messages";

/// Longest wait for one login. A paused server accepts connections and then says nothing.
pub const LOGIN: Duration = Duration::from_secs(10);
/// Longest wait for a statement of the session: large tables take a while to drop and count.
pub const STATEMENT: Duration = Duration::from_mins(2);

/// Codes by which a server refuses a user: access denied (to the server, to the database, without
/// a password), host not allowed, host blocked, account locked.
const REFUSALS: &[u16] = &[1044, 1045, 1698, 1130, 1129, 4151];

/// Between the words of a name on a server of others.
pub const MARK: char = '_';

/// The table of messages, and the database that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The database.
    pub database: String,
    /// Whether the database is made for the table, and goes with it.
    pub makes_database: bool,
    /// The table.
    pub table: String,
    /// Whether the server is this program's own.
    pub own: bool,
}

impl Home {
    /// On a server of our own.
    fn own() -> Self {
        Self {
            database: DATABASE.to_owned(),
            makes_database: false,
            table: TABLE.to_owned(),
            own: true,
        }
    }

    /// On a server of others: in a database of theirs, or in one that is made for it.
    pub fn external(database: Option<&str>) -> Self {
        match database {
            Some(database) => Self {
                database: database.to_owned(),
                makes_database: false,
                table: own_name(MARK),
                own: false,
            },
            None => Self {
                database: own_name(MARK),
                makes_database: true,
                table: TABLE.to_owned(),
                own: false,
            },
        }
    }
}

/// Address, user and password. Printing it does not show the password.
#[derive(Clone)]
pub struct Login {
    address: SocketAddr,
    user: Arc<str>,
    password: String,
    home: Arc<Home>,
    /// `max_allowed_packet` of the server, once it is known.
    packet: Option<usize>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Login {
    /// A login at `address`, on a server of our own.
    pub fn new(address: SocketAddr, password: String) -> Self {
        Self { address, user: USER.into(), password, home: Arc::new(Home::own()), packet: None }
    }

    /// A login of `user` at `address`, on a server of others.
    pub fn external(address: SocketAddr, user: &str, password: String, home: Home) -> Self {
        Self { address, user: user.into(), password, home: Arc::new(home), packet: None }
    }

    /// Where our table is.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The table as statements name it.
    pub fn table(&self) -> String {
        let Home { database, table, .. } = &*self.home;
        format!("`{database}`.`{table}`")
    }

    /// The same with the server's largest packet known, which saves each login a question.
    pub fn with_packet(self, bytes: usize) -> Self {
        Self { packet: Some(bytes), ..self }
    }

    /// The largest packet that the server takes.
    pub fn packet(&self) -> usize {
        self.packet.unwrap_or(16 << 20)
    }

    /// Options of a connection. Always over TCP: a socket would be another way than the devices'.
    pub fn opts(&self) -> Opts {
        let database = self.home.own.then_some(self.home.database.as_str());
        self.builder(&self.user).db_name(database).into()
    }

    /// Options of a connection as the server's administrator.
    pub fn admin(&self) -> Opts {
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
            .max_allowed_packet(self.packet)
            // Known, so that no login asks for it; only pools use it.
            .wait_timeout(Some(28_800))
    }

    /// A new connection.
    pub async fn connect(&self) -> Result<Conn, BackendError> {
        self.patiently("logging in", LOGIN, Conn::new(self.opts())).await
    }

    /// Runs `work`, but no longer than `patience`, and turns its errors into the operator's words.
    pub async fn patiently<T>(
        &self,
        what: &str,
        patience: Duration,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, BackendError> {
        match timeout(patience, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.explain(what, &error)),
            Err(_) => Err(self.operation(
                what,
                format!("no answer within {patience:.0?}: is the server paused or unreachable?"),
            )),
        }
    }

    /// An error of the client library for the operator.
    pub fn explain(&self, what: &str, error: &Error) -> BackendError {
        if refuses_login(error) {
            return BackendError::Refused {
                server: ROLE.into(),
                address: self.address.to_string(),
                user: self.user.to_string(),
                reason: words(error),
            };
        }
        self.operation(what, words(error))
    }

    /// A failed operation.
    pub fn operation(&self, what: &str, reason: String) -> BackendError {
        BackendError::Operation {
            what: what.into(),
            server: format!("{ROLE} at {}", self.address),
            reason,
        }
    }
}

/// Whether the server does not know the user, or wants another password.
pub fn refuses_login(error: &Error) -> bool {
    matches!(error, Error::Server(server) if REFUSALS.contains(&server.code))
}

/// Codes by which a server forbids a statement to somebody whom it let in: no right to the database,
/// to the table, to what was asked.
const FORBIDDEN: &[u16] = &[1044, 1142, 1227, 1370];

/// Whether the account may not do what was asked.
pub fn forbids(error: &Error) -> bool {
    matches!(error, Error::Server(server) if FORBIDDEN.contains(&server.code))
}

/// Codes of errors that a full disk causes: disk full, table full.
const FULL: &[u16] = &[1021, 1114];

/// The error's own words, without the client library's wrapping.
pub fn words(error: &Error) -> String {
    match error {
        Error::Server(server) if FULL.contains(&server.code) => {
            format!("{server}: its disk or its table space is full, make room on the hub")
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

    fn login() -> Login {
        Login::new(([10, 0, 0, 7], 3306).into(), "secret-word".into())
    }

    fn server(code: u16) -> Error {
        Error::Server(ServerError { code, message: "so it is".into(), state: "HY000".into() })
    }

    #[test]
    fn a_refused_password_is_told_apart_from_other_failures() {
        let refused = login().explain("logging in", &server(1045));
        assert!(matches!(refused, BackendError::Refused { .. }), "{refused}");
        let other = login().explain("counting", &server(1146));
        assert_eq!(
            other.to_string(),
            "counting failed on mariadb at 10.0.0.7:3306: ERROR 1146 (HY000): so it is"
        );
    }

    #[test]
    fn the_password_is_in_no_words_of_ours() {
        let said = format!("{:?} {}", login(), login().explain("logging in", &server(1045)));
        assert!(!said.contains("secret-word"));
    }
}
