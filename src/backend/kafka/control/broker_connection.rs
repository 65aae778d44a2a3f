//! One connection to a broker, for one request after the other; blocks.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsRequest, RequestHeader, ResponseHeader, SaslAuthenticateRequest,
        SaslHandshakeRequest,
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};

use super::{answer_shape::answer_shape, error::ControlError};
use crate::backend::kafka::{
    codec::request::CLIENT_ID,
    target::{KafkaAccount, SASL_MECHANISM},
};

/// Largest answer that is believed: one that lists thousands of topics has a few MB.
const MAX_ANSWER: usize = 64 << 20;
const LENGTH_FIELD: usize = 4;

/// Versions of each request that a broker supports, by the request's number.
pub type ApiVersions = BTreeMap<i16, (i16, i16)>;

/// Returns the latest version that both sides speak: `own` are the oldest and the latest of this side.
pub fn common_version(versions: &ApiVersions, key: i16, own: (i16, i16)) -> Option<i16> {
    let (oldest, latest) = *versions.get(&key)?;
    let version = own.1.min(latest);
    (version >= own.0.max(oldest)).then_some(version)
}

/// A connection to a broker that knows its versions and has accepted the credentials.
#[derive(Debug)]
pub struct BrokerConnection {
    stream: TcpStream,
    number: i32,
    versions: ApiVersions,
    /// A request that was not answered in time leaves its answer in the way of the next.
    is_broken: bool,
}

impl BrokerConnection {
    /// Connects, asks for the versions, and presents the credentials, within `timeout`.
    pub fn open(
        address: SocketAddr,
        account: Option<&KafkaAccount>,
        timeout: Duration,
    ) -> Result<Self, ControlError> {
        let deadline = Instant::now() + timeout;
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        let mut connection =
            Self { stream, number: 0, versions: ApiVersions::new(), is_broken: false };
        let answer = connection.exchange(0, &ApiVersionsRequest::default(), deadline)?;
        ControlError::check(answer.error_code)?;
        connection.versions = answer
            .api_keys
            .into_iter()
            .map(|api| (api.api_key, (api.min_version, api.max_version)))
            .collect();
        if let Some(account) = account {
            connection.authenticate(account, deadline)?;
        }
        Ok(connection)
    }

    /// Versions that the broker supports.
    pub const fn versions(&self) -> &ApiVersions {
        &self.versions
    }

    /// Whether the connection can take no further request.
    pub const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Sends a request in the latest version up to `latest` that the broker supports, and waits for the answer.
    pub fn call<R: Request>(
        &mut self,
        latest: i16,
        request: &R,
        timeout: Duration,
    ) -> Result<(R::Response, i16), ControlError> {
        let own = R::VERSIONS;
        let version = common_version(&self.versions, R::KEY, (own.min, own.max.min(latest)))
            .ok_or_else(|| ControlError::Unsupported(request_name(R::KEY)))?;
        Ok((self.exchange(version, request, Instant::now() + timeout)?, version))
    }

    fn authenticate(
        &mut self,
        account: &KafkaAccount,
        deadline: Instant,
    ) -> Result<(), ControlError> {
        let handshake = SaslHandshakeRequest::default()
            .with_mechanism(StrBytes::from_static_str(SASL_MECHANISM));
        let answer = self.exchange(1, &handshake, deadline)?;
        if answer.error_code != 0 {
            let offered: Vec<_> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
            return Err(ControlError::Credentials(format!(
                "the server does not authenticate by {SASL_MECHANISM}, but by: {}",
                offered.join(", ")
            )));
        }
        let request = SaslAuthenticateRequest::default().with_auth_bytes(account.plain_token());
        let answer = self.exchange(0, &request, deadline)?;
        if answer.error_code == 0 {
            return Ok(());
        }
        let reason = answer.error_message.map(|text| text.to_string());
        Err(ControlError::Credentials(reason.unwrap_or_else(|| "authentication failed".into())))
    }

    fn exchange<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Response, ControlError> {
        self.number = self.number.wrapping_add(1);
        let frame = encode(self.number, version, request)?;
        self.is_broken = true;
        self.stream.set_write_timeout(Some(time_until(deadline)?))?;
        self.stream.write_all(&frame)?;
        let answer = self.read_frame(deadline)?;
        self.is_broken = false;
        let answer = decode::<R>(self.number, version, answer);
        // What follows a broken answer cannot be trusted.
        self.is_broken = answer.is_err();
        answer
    }

    fn read_frame(&mut self, deadline: Instant) -> Result<Bytes, ControlError> {
        let mut length = [0; LENGTH_FIELD];
        self.read_exact(&mut length, deadline)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_ANSWER {
            return Err(ControlError::Malformed(format!("a frame of {length} bytes")));
        }
        let mut frame = vec![0; length];
        self.read_exact(&mut frame, deadline)?;
        Ok(frame.into())
    }

    /// As [`Read::read_exact`], but within a time for all of it: a broker may answer a byte a second.
    fn read_exact(&mut self, mut room: &mut [u8], deadline: Instant) -> Result<(), ControlError> {
        while !room.is_empty() {
            self.stream.set_read_timeout(Some(time_until(deadline)?))?;
            match self.stream.read(room) {
                Ok(0) => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => room = &mut room[read..],
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn time_until(deadline: Instant) -> Result<Duration, ControlError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ControlError::TimedOut) } else { Ok(left) }
}

/// Encodes a request with its header and length.
pub fn encode<R: Request>(number: i32, version: i16, request: &R) -> Result<Vec<u8>, ControlError> {
    let malformed = |error| ControlError::Malformed(format!("{error:#}"));
    let mut frame = vec![0; LENGTH_FIELD];
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(number)
        .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)))
        .encode(&mut frame, R::header_version(version))
        .and_then(|()| request.encode(&mut frame, version))
        .map_err(malformed)?;
    let length = i32::try_from(frame.len() - LENGTH_FIELD).unwrap_or(i32::MAX);
    frame[..LENGTH_FIELD].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// Decodes the answer to request `number`: a frame without its length. Its lengths are checked before.
pub fn decode<R: Request>(
    number: i32,
    version: i16,
    mut frame: Bytes,
) -> Result<R::Response, ControlError> {
    let malformed = |error| ControlError::Malformed(format!("{error:#}"));
    let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version))
        .map_err(malformed)?;
    if header.correlation_id != number {
        return Err(ControlError::Malformed("it answers another request".into()));
    }
    let shape = ApiKey::try_from(R::KEY).ok().and_then(answer_shape);
    let (shape, _) = shape
        .filter(|(_, latest)| version <= *latest)
        .ok_or_else(|| ControlError::Unsupported(request_name(R::KEY)))?;
    shape.check(version, &frame).map_err(|error| ControlError::Malformed(error.to_string()))?;
    R::Response::decode(&mut frame, version).map_err(malformed)
}

fn request_name(key: i16) -> &'static str {
    match ApiKey::try_from(key) {
        Ok(ApiKey::CreateTopics) => "CreateTopics",
        Ok(ApiKey::DeleteTopics) => "DeleteTopics",
        Ok(ApiKey::DescribeConfigs) => "DescribeConfigs",
        Ok(ApiKey::ListOffsets) => "ListOffsets",
        Ok(ApiKey::Metadata) => "Metadata",
        Ok(ApiKey::Produce) => "Produce",
        Ok(ApiKey::Fetch) => "Fetch",
        Ok(ApiKey::InitProducerId) => "InitProducerId",
        _ => "another one",
    }
}
