//! Requests and responses: one function for each kind of request, chosen by its API key.

use std::{net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsResponse, CreateTopicsRequest, DeleteTopicsRequest,
        DescribeConfigsRequest, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest,
        ListOffsetsRequest, MetadataRequest, ProduceRequest, RequestHeader, ResponseHeader,
        api_versions_response::ApiVersion,
    },
    protocol::{Decodable, Encodable, HeaderVersion, decode_request_header_from_buffer},
};
use tokio::sync::Notify;

use self::request_shape::request_shape;
use super::{context::BrokerContext, error_code::ErrorCode};

mod fetch;
mod lookup;
mod produce;
mod request_shape;
#[cfg(test)]
mod tests;
mod topics;

/// Bytes of the shortest request: key, version, correlation ID.
pub const MIN_REQUEST_SIZE: usize = 8;

/// Supported requests with their lowest and highest version; lower than the versions that identify
/// topics by ID, which this broker does not assign.
const SUPPORTED_VERSIONS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 11),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 9),
    (ApiKey::FindCoordinator, 0, 3),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 6),
    (ApiKey::DeleteTopics, 1, 5),
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::DescribeConfigs, 1, 4),
];

/// What a response depends on beside the request.
pub struct RequestContext<'a> {
    /// The broker's state.
    pub shared: &'a BrokerContext,
    /// The broker's address as this client reached it.
    pub address: SocketAddr,
    /// Notified when data arrives that this connection waits for.
    pub waiter: Arc<Notify>,
}

/// Why a connection is closed instead of answered.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The request, or its version, is not supported.
    #[error("request {key} in version {version} is not supported")]
    Unsupported {
        /// The request's API key.
        key: i16,
        /// The requested version.
        version: i16,
    },
    /// The bytes do not follow the protocol.
    #[error("{0}")]
    Malformed(String),
}

/// Answers `request` by appending the response to `output`; nothing for a request without response.
pub async fn handle_request(
    context: &mut RequestContext<'_>,
    mut request: Bytes,
    output: &mut BytesMut,
) -> Result<(), ProtocolError> {
    let header = decode_request_header_from_buffer(&mut request).map_err(malformed)?;
    let version = header.request_api_version;
    let unsupported = ProtocolError::Unsupported { key: header.request_api_key, version };
    let Ok(key) = ApiKey::try_from(header.request_api_key) else { return Err(unsupported) };
    if !supports(key, version) {
        // This response tells a client to use an older version.
        return match key {
            ApiKey::ApiVersions => encode_response(
                output,
                &header,
                0,
                &api_versions(Some(ErrorCode::UnsupportedVersion)),
            ),
            _ => Err(unsupported),
        };
    }
    let mut reply = ResponseWriter { header: &header, version, output };
    let shared = context.shared;
    if let Some(shape) = request_shape(key) {
        shape.check(version, &request).map_err(malformed)?;
    }
    match key {
        ApiKey::Produce => {
            let request: ProduceRequest = decode_request(&mut request, version)?;
            let acknowledged = request.acks != 0;
            let response = produce::produce(shared, request);
            if acknowledged { reply.write(&response) } else { Ok(()) }
        }
        ApiKey::Fetch => {
            let request: FetchRequest = decode_request(&mut request, version)?;
            reply.write(&fetch::fetch(shared, &context.waiter, &request).await)
        }
        ApiKey::ListOffsets => {
            let request: ListOffsetsRequest = decode_request(&mut request, version)?;
            reply.write(&lookup::list_offsets(&shared.store, request))
        }
        ApiKey::Metadata => {
            let request: MetadataRequest = decode_request(&mut request, version)?;
            reply.write(&topics::metadata(&shared.store, context.address, request, version))
        }
        ApiKey::FindCoordinator => {
            let request: FindCoordinatorRequest = decode_request(&mut request, version)?;
            reply.write(&lookup::find_coordinator(&request))
        }
        ApiKey::ApiVersions => reply.write(&api_versions(None)),
        ApiKey::CreateTopics => {
            let request: CreateTopicsRequest = decode_request(&mut request, version)?;
            reply.write(&topics::create(&shared.store, request))
        }
        ApiKey::DeleteTopics => {
            let request: DeleteTopicsRequest = decode_request(&mut request, version)?;
            reply.write(&topics::delete(&shared.store, request))
        }
        ApiKey::InitProducerId => {
            let request: InitProducerIdRequest = decode_request(&mut request, version)?;
            reply.write(&lookup::init_producer_id(&shared.store, &request))
        }
        ApiKey::DescribeConfigs => {
            let request: DescribeConfigsRequest = decode_request(&mut request, version)?;
            reply.write(&topics::describe_configs(&shared.store, request))
        }
        _ => Err(unsupported),
    }
}

fn supports(key: ApiKey, version: i16) -> bool {
    SUPPORTED_VERSIONS
        .iter()
        .any(|(supported, min, max)| *supported == key && (*min..=*max).contains(&version))
}

fn api_versions(error: Option<ErrorCode>) -> ApiVersionsResponse {
    let supported = SUPPORTED_VERSIONS.iter().map(|(key, min, max)| {
        ApiVersion::default()
            .with_api_key(*key as i16)
            .with_min_version(*min)
            .with_max_version(*max)
    });
    ApiVersionsResponse::default()
        .with_error_code(error.map_or(0, |error| error.code()))
        .with_api_keys(supported.collect())
}

fn decode_request<R: Decodable>(request: &mut Bytes, version: i16) -> Result<R, ProtocolError> {
    R::decode(request, version).map_err(malformed)
}

struct ResponseWriter<'a> {
    header: &'a RequestHeader,
    version: i16,
    output: &'a mut BytesMut,
}

impl ResponseWriter<'_> {
    fn write<R: Encodable + HeaderVersion>(&mut self, response: &R) -> Result<(), ProtocolError> {
        encode_response(self.output, self.header, self.version, response)
    }
}

fn encode_response<R: Encodable + HeaderVersion>(
    output: &mut BytesMut,
    header: &RequestHeader,
    version: i16,
    response: &R,
) -> Result<(), ProtocolError> {
    ResponseHeader::default()
        .with_correlation_id(header.correlation_id)
        .encode(output, R::header_version(version))
        .and_then(|()| response.encode(output, version))
        .map_err(malformed)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn malformed(error: impl ToString) -> ProtocolError {
    ProtocolError::Malformed(error.to_string())
}
