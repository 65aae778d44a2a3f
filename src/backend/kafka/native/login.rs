//! The first frames of a connection: the credentials, where the server asks for them.

use bytes::Bytes;
use kafka_protocol::{
    messages::{SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::StrBytes,
};

use crate::backend::kafka::{
    control::broker_connection::{decode, encode},
    target::{KafkaAccount, SASL_MECHANISM},
};
use crate::wire::ProtocolError;

const HANDSHAKE_VERSION: i16 = 1;
const AUTHENTICATE_VERSION: i16 = 0;

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

/// What follows an answer.
#[derive(Debug)]
pub(super) enum LoginStep {
    /// This frame is sent.
    Send(Vec<u8>),
    /// The server has accepted the credentials.
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

impl Login {
    /// Returns the first frame, numbered `number`; `None` where no credentials are needed.
    pub fn begin(&mut self, account: Option<&KafkaAccount>, number: i32) -> Option<Vec<u8>> {
        *self = Self::Idle;
        account?;
        let request = SaslHandshakeRequest::default()
            .with_mechanism(StrBytes::from_static_str(SASL_MECHANISM));
        let frame = encode(number, HANDSHAKE_VERSION, &request).ok()?;
        *self = Self::Handshake;
        Some(frame)
    }

    /// Whether an answer to the login is due.
    pub fn is_running(self) -> bool {
        self != Self::Idle
    }

    /// Takes the answer to frame `number`; the next frame has the number behind it.
    pub fn answer(
        &mut self,
        account: &KafkaAccount,
        number: i32,
        frame: &[u8],
    ) -> Result<LoginStep, LoginError> {
        let broken = |error: crate::backend::kafka::control::error::ControlError| {
            LoginError::Broken(ProtocolError(error.to_string()))
        };
        let frame = Bytes::copy_from_slice(frame);
        if *self == Self::Handshake {
            let answer =
                decode::<SaslHandshakeRequest>(number, HANDSHAKE_VERSION, frame).map_err(broken)?;
            if answer.error_code != 0 {
                return Err(LoginError::Refused(format!(
                    "the server does not authenticate by {SASL_MECHANISM}"
                )));
            }
            *self = Self::Authenticate;
            let request = SaslAuthenticateRequest::default().with_auth_bytes(account.plain_token());
            let next = number.wrapping_add(1);
            return encode(next, AUTHENTICATE_VERSION, &request)
                .map(LoginStep::Send)
                .map_err(broken);
        }
        let answer = decode::<SaslAuthenticateRequest>(number, AUTHENTICATE_VERSION, frame)
            .map_err(broken)?;
        if answer.error_code != 0 {
            let text = answer.error_message.map(|text| text.to_string());
            return Err(LoginError::Refused(
                text.unwrap_or_else(|| "authentication failed".into()),
            ));
        }
        *self = Self::Idle;
        Ok(LoginStep::Done)
    }
}
