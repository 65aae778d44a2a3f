//! Why a request about something other than messages failed.

use std::io;

use kafka_protocol::ResponseError;

use crate::backend::kafka::codec::error_code;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No connection, or it was lost.
    #[error("{0} (no connection; does the server still run?)")]
    Connection(io::Error),
    /// No answer in time.
    #[error("no answer in time; does the server still run? does it ask for a password?")]
    TimedOut,
    /// The broker answered with an error code.
    #[error("{}", error_code::describe(*.0))]
    Broker(i16),
    /// The broker refused user name or password.
    #[error("{0}")]
    Credentials(String),
    /// The broker supports no version of the request that hubmark speaks.
    #[error("the server does not support this request ({0})")]
    Unsupported(&'static str),
    /// The answer breaks the protocol.
    #[error("an answer that breaks Kafka's protocol: {0}")]
    Malformed(String),
    /// The cluster is in a state in which the request has no meaning yet.
    #[error("{0}")]
    State(String),
}

impl ControlError {
    /// Returns the error of an answer with an error code.
    pub fn check(code: i16) -> Result<(), Self> {
        if code == error_code::NO_ERROR { Ok(()) } else { Err(Self::Broker(code)) }
    }

    /// The error with which the broker answered.
    pub fn response(&self) -> Option<ResponseError> {
        match self {
            Self::Broker(code) => ResponseError::try_from_code(*code),
            _ => None,
        }
    }

    /// Whether the server does not support this request, or does not allow it to this user.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported(_))
            || matches!(
                self.response(),
                Some(
                    ResponseError::UnsupportedVersion
                        | ResponseError::ClusterAuthorizationFailed
                        | ResponseError::TopicAuthorizationFailed
                )
            )
    }
}

impl From<io::Error> for ControlError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Connection(error),
        }
    }
}
