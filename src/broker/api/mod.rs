//! Requests and their answers: one function for each kind, chosen by its key.

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

use super::Shared;

mod fetch;
mod lookup;
mod produce;
mod topics;

pub use kafka_protocol::error::ResponseError as Refusal;
pub use produce::refusal;

/// Bytes of the shortest request: key, version, correlation.
pub const LEAST_REQUEST: usize = 8;

/// What is spoken, in which versions. Below those that name topics by identifiers, which this
/// broker does not give.
const SPOKEN: &[(ApiKey, i16, i16)] = &[
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

/// What an answer depends on beside the request.
pub struct Context<'a> {
    /// The broker.
    pub shared: &'a Shared,
    /// The address by which this client came.
    pub address: SocketAddr,
    /// Notified when something arrives that this connection waits for.
    pub waiter: Arc<Notify>,
}

/// Why a connection is closed instead of answered.
#[derive(Debug, thiserror::Error)]
pub enum Nonsense {
    /// A request that this broker does not know, or not in that version.
    #[error("request {key} in version {version} is not spoken here")]
    Unknown {
        /// The request's key.
        key: i16,
        /// Its version.
        version: i16,
    },
    /// Bytes that do not follow the protocol.
    #[error("{0}")]
    Malformed(String),
}

/// Appends the answer to `request` to `output`; nothing when it asks for none.
pub async fn answer(
    context: &mut Context<'_>,
    mut request: Bytes,
    output: &mut BytesMut,
) -> Result<(), Nonsense> {
    let header = decode_request_header_from_buffer(&mut request).map_err(malformed)?;
    let version = header.request_api_version;
    let nonsense = Nonsense::Unknown { key: header.request_api_key, version };
    let Ok(key) = ApiKey::try_from(header.request_api_key) else { return Err(nonsense) };
    if !speaks(key, version) {
        // How a client learns that it must ask in an older version.
        return match key {
            ApiKey::ApiVersions => {
                put(output, &header, 0, &versions(Some(Refusal::UnsupportedVersion)))
            }
            _ => Err(nonsense),
        };
    }
    let mut reply = Reply { header: &header, version, output };
    let shared = context.shared;
    match key {
        ApiKey::Produce => {
            let request: ProduceRequest = read(&mut request, version)?;
            let acknowledged = request.acks != 0;
            let response = produce::produce(shared, request);
            if acknowledged { reply.with(&response) } else { Ok(()) }
        }
        ApiKey::Fetch => {
            let request: FetchRequest = read(&mut request, version)?;
            reply.with(&fetch::fetch(shared, &context.waiter, &request).await)
        }
        ApiKey::ListOffsets => {
            let request: ListOffsetsRequest = read(&mut request, version)?;
            reply.with(&lookup::offsets(&shared.store, request))
        }
        ApiKey::Metadata => {
            let request: MetadataRequest = read(&mut request, version)?;
            reply.with(&topics::metadata(&shared.store, context.address, request, version))
        }
        ApiKey::FindCoordinator => {
            let request: FindCoordinatorRequest = read(&mut request, version)?;
            reply.with(&lookup::coordinator(&request))
        }
        ApiKey::ApiVersions => reply.with(&versions(None)),
        ApiKey::CreateTopics => {
            let request: CreateTopicsRequest = read(&mut request, version)?;
            reply.with(&topics::create(&shared.store, request))
        }
        ApiKey::DeleteTopics => {
            let request: DeleteTopicsRequest = read(&mut request, version)?;
            reply.with(&topics::delete(&shared.store, request))
        }
        ApiKey::InitProducerId => {
            let request: InitProducerIdRequest = read(&mut request, version)?;
            reply.with(&lookup::producer(&shared.store, &request))
        }
        ApiKey::DescribeConfigs => {
            let request: DescribeConfigsRequest = read(&mut request, version)?;
            reply.with(&topics::settings(&shared.store, request))
        }
        _ => Err(nonsense),
    }
}

fn speaks(key: ApiKey, version: i16) -> bool {
    SPOKEN.iter().any(|(spoken, min, max)| *spoken == key && (*min..=*max).contains(&version))
}

fn versions(refusal: Option<Refusal>) -> ApiVersionsResponse {
    let spoken = SPOKEN.iter().map(|(key, min, max)| {
        ApiVersion::default()
            .with_api_key(*key as i16)
            .with_min_version(*min)
            .with_max_version(*max)
    });
    ApiVersionsResponse::default()
        .with_error_code(refusal.map_or(0, |refusal| refusal.code()))
        .with_api_keys(spoken.collect())
}

fn read<R: Decodable>(request: &mut Bytes, version: i16) -> Result<R, Nonsense> {
    R::decode(request, version).map_err(malformed)
}

struct Reply<'a> {
    header: &'a RequestHeader,
    version: i16,
    output: &'a mut BytesMut,
}

impl Reply<'_> {
    fn with<R: Encodable + HeaderVersion>(&mut self, response: &R) -> Result<(), Nonsense> {
        put(self.output, self.header, self.version, response)
    }
}

fn put<R: Encodable + HeaderVersion>(
    output: &mut BytesMut,
    header: &RequestHeader,
    version: i16,
    response: &R,
) -> Result<(), Nonsense> {
    ResponseHeader::default()
        .with_correlation_id(header.correlation_id)
        .encode(output, R::header_version(version))
        .and_then(|()| response.encode(output, version))
        .map_err(malformed)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn malformed(error: impl ToString) -> Nonsense {
    Nonsense::Malformed(error.to_string())
}
