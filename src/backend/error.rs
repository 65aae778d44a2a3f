//! Errors between this program and a server.

use std::{fmt::Display, time::Duration};

/// An error between this program and a server, described for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The backend cannot run on that kind of hub.
    #[error("{backend} cannot run on the {hub} hub: {reason}")]
    WrongHub {
        /// The backend's title.
        backend: String,
        /// The kind of hub.
        hub: String,
        /// Why, and what to do instead.
        reason: String,
    },
    /// The client library or the server refuses a setting.
    #[error("{backend}: the setting {key} = {value} was refused: {reason}")]
    Setting {
        /// The backend's title.
        backend: String,
        /// The setting's key in the profile.
        key: String,
        /// The setting's value.
        value: String,
        /// The library's message.
        reason: String,
    },
    /// The server did not answer by protocol in time.
    #[error("{server} at {address} did not become ready within {waited:.0?}: {last}")]
    NotReady {
        /// The server's role.
        server: String,
        /// The address tried.
        address: String,
        /// The time waited.
        waited: Duration,
        /// The last error.
        last: String,
    },
    /// The server refused the user name or password.
    #[error(
        "{server} at {address} refused user {user:?}: {reason}\n  check that this account exists with the given password, and that no account is changed during the measurement"
    )]
    Refused {
        /// The server's role.
        server: String,
        /// The address tried.
        address: String,
        /// The user name (never the password).
        user: String,
        /// The server's message.
        reason: String,
    },
    /// An operation failed.
    #[error("{what} failed on {server}: {reason}")]
    Operation {
        /// The operation that failed.
        what: String,
        /// The server concerned.
        server: String,
        /// The client library's message.
        reason: String,
    },
}

impl BackendError {
    /// Returns the error for a setting that cannot be used.
    pub(super) fn setting(
        backend: &str,
        key: &str,
        value: impl Display,
        reason: impl Display,
    ) -> Self {
        Self::Setting {
            backend: backend.to_owned(),
            key: key.to_owned(),
            value: value.to_string(),
            reason: reason.to_string(),
        }
    }

    /// Returns the error for a connection without a running server.
    pub(super) fn no_server(server: &str) -> Self {
        Self::Operation {
            what: "connecting".into(),
            server: server.to_owned(),
            reason: "no server was started".into(),
        }
    }
}
