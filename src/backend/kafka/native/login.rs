//! The first frames of a connection: the credentials, where the server asks for them.

use bytes::Bytes;
use kafka_protocol::{
    messages::{SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::StrBytes,
};

use crate::backend::kafka::{
    control::{
        broker_connection::{decode, encode},
        error::ControlError,
    },
    target::{KafkaAccount, SASL_MECHANISM},
};
use crate::wire::{Output, ProtocolError};

const HANDSHAKE_VERSION: i16 = 1;
const AUTHENTICATE_VERSION: i16 = 0;
/// Mark of frames that are no messages.
pub(super) const NO_MESSAGE: u64 = u64::MAX;

/// How far the credentials are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Login {
    /// Not presented, or not needed.
    #[default]
    Idle,
    /// The mechanism was named.
    Handshake,
    /// The credentials were presented.
    Authenticate,
}

/// What follows a step of the login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LoginStep {
    /// A frame was sent; its answer is due.
    Waiting,
    /// The server has accepted the credentials, or none are needed.
    Done,
}

/// Why a login ended.
#[derive(Debug)]
pub(super) enum LoginError {
    /// The server refused the credentials: to try again is useless.
    Refused(String),
    /// The server broke the protocol.
    Broken(ProtocolError),
}

impl From<ControlError> for LoginError {
    fn from(error: ControlError) -> Self {
        Self::Broken(ProtocolError(error.to_string()))
    }
}

impl Login {
    /// Sends the first frame, where credentials are needed. Each frame takes the number behind `number`.
    pub fn begin(
        &mut self,
        account: Option<&KafkaAccount>,
        number: &mut i32,
        out: &mut Output<'_>,
    ) -> Result<LoginStep, ProtocolError> {
        *self = Self::Idle;
        if account.is_none() {
            return Ok(LoginStep::Done);
        }
        let request = SaslHandshakeRequest::default()
            .with_mechanism(StrBytes::from_static_str(SASL_MECHANISM));
        *number = number.wrapping_add(1);
        let frame = encode(*number, HANDSHAKE_VERSION, &request)
            .map_err(|error| ProtocolError(error.to_string()))?;
        out.send(NO_MESSAGE, frame);
        *self = Self::Handshake;
        Ok(LoginStep::Waiting)
    }

    /// Whether an answer to the login is due.
    pub fn is_running(self) -> bool {
        self != Self::Idle
    }

    /// Takes the answer to frame `number`, and sends the next frame.
    pub fn answer(
        &mut self,
        account: Option<&KafkaAccount>,
        number: &mut i32,
        frame: &[u8],
        out: &mut Output<'_>,
    ) -> Result<LoginStep, LoginError> {
        let (Some(account), true) = (account, self.is_running()) else {
            let reason = "it answers a login that was not begun";
            return Err(LoginError::Broken(ProtocolError(reason.into())));
        };
        let refused = |reason: &str| {
            Err(LoginError::Refused(format!(
                "the server refused user {:?}: {reason}",
                account.user
            )))
        };
        let frame = Bytes::copy_from_slice(frame);
        if *self == Self::Handshake {
            let answer = decode::<SaslHandshakeRequest>(*number, HANDSHAKE_VERSION, frame)?;
            if answer.error_code != 0 {
                return refused(&format!("it does not authenticate by {SASL_MECHANISM}"));
            }
            let request = SaslAuthenticateRequest::default().with_auth_bytes(account.plain_token());
            *number = number.wrapping_add(1);
            out.send(NO_MESSAGE, encode(*number, AUTHENTICATE_VERSION, &request)?);
            *self = Self::Authenticate;
            return Ok(LoginStep::Waiting);
        }
        let answer = decode::<SaslAuthenticateRequest>(*number, AUTHENTICATE_VERSION, frame)?;
        if answer.error_code != 0 {
            return refused(answer.error_message.as_deref().unwrap_or("authentication failed"));
        }
        *self = Self::Idle;
        Ok(LoginStep::Done)
    }
}
