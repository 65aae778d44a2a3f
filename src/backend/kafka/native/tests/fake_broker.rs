//! A broker with one partition whose answers leave as a test wants.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsResponse, FetchRequest, FetchResponse, ListOffsetsRequest,
        ListOffsetsResponse, MetadataResponse, ProduceRequest, ProduceResponse, ResponseHeader,
        TopicName,
        api_versions_response::ApiVersion,
        fetch_response::{FetchableTopicResponse, PartitionData},
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes, decode_request_header_from_buffer},
};
use parking_lot::Mutex;

const VERSIONS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 8),
    (ApiKey::Fetch, 4, 11),
    (ApiKey::ListOffsets, 1, 5),
    (ApiKey::Metadata, 4, 8),
    (ApiKey::ApiVersions, 0, 0),
];
/// How long a fetch waits for records.
const FETCH_WAIT: Duration = Duration::from_millis(10);

/// An answer that is about to leave.
pub struct Answer {
    /// Kind of the request.
    pub key: ApiKey,
    /// Number of the answers of that kind before it, on all connections.
    pub before: usize,
    /// Whether it carries records.
    pub has_records: bool,
    /// The bytes, with their length.
    pub frame: Vec<u8>,
}

impl Answer {
    /// Sends it whole.
    pub fn send(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(&self.frame)
    }

    /// Sends half of it, and resets the connection.
    pub fn send_half_and_reset(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(&self.frame[..self.frame.len() / 2])?;
        // What was sent must arrive before the reset discards it.
        thread::sleep(Duration::from_millis(50));
        socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

struct Shared {
    address: SocketAddr,
    /// Batches with the offsets of their first records.
    log: Mutex<Vec<(i64, Bytes)>>,
    answers: Mutex<Vec<ApiKey>>,
}

/// Starts a broker; `deliver` sends each answer, an error closes its connection.
pub fn start(
    deliver: impl Fn(&mut TcpStream, &Answer) -> io::Result<()> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new(Shared { address, log: Mutex::default(), answers: Mutex::default() });
    let deliver = Arc::new(deliver);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (shared, deliver) = (Arc::clone(&shared), Arc::clone(&deliver));
            thread::spawn(move || serve(&shared, stream.unwrap(), &*deliver));
        }
    });
    address
}

fn serve(
    shared: &Shared,
    mut stream: TcpStream,
    deliver: &dyn Fn(&mut TcpStream, &Answer) -> io::Result<()>,
) {
    let mut length = [0; 4];
    while stream.read_exact(&mut length).is_ok() {
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        if stream.read_exact(&mut request).is_err() {
            return;
        }
        let (key, has_records, frame) = shared.answer(request.into());
        let before = {
            let mut answers = shared.answers.lock();
            answers.push(key);
            answers.iter().filter(|other| **other == key).count() - 1
        };
        let answer = Answer { key, before, has_records, frame };
        if deliver(&mut stream, &answer).is_err() {
            return;
        }
    }
}

impl Shared {
    fn answer(&self, mut request: Bytes) -> (ApiKey, bool, Vec<u8>) {
        let header = decode_request_header_from_buffer(&mut request).unwrap();
        let (number, version) = (header.correlation_id, header.request_api_version);
        let key = ApiKey::try_from(header.request_api_key).unwrap();
        let mut has_records = false;
        let frame = match key {
            ApiKey::ApiVersions => frame(number, 0, &api_versions()),
            ApiKey::Metadata => frame(number, version, &self.metadata()),
            ApiKey::Produce => {
                let request = ProduceRequest::decode(&mut request, version).unwrap();
                frame(number, version, &self.produce(&request))
            }
            ApiKey::ListOffsets => {
                let request = ListOffsetsRequest::decode(&mut request, version).unwrap();
                let time = request.topics[0].partitions[0].timestamp;
                let offset = if time == -1 { self.end() } else { 0 };
                let partition = ListOffsetsPartitionResponse::default().with_offset(offset);
                let topic = ListOffsetsTopicResponse::default()
                    .with_name(topic_name())
                    .with_partitions(vec![partition]);
                frame(number, version, &ListOffsetsResponse::default().with_topics(vec![topic]))
            }
            ApiKey::Fetch => {
                let request = FetchRequest::decode(&mut request, version).unwrap();
                let records = self.read(request.topics[0].partitions[0].fetch_offset);
                has_records = !records.is_empty();
                let data = PartitionData::default().with_records(Some(records.into()));
                let topic = FetchableTopicResponse::default()
                    .with_topic(topic_name())
                    .with_partitions(vec![data]);
                frame(number, version, &FetchResponse::default().with_responses(vec![topic]))
            }
            other => panic!("{other:?} is not expected"),
        };
        (key, has_records, frame)
    }

    fn metadata(&self) -> MetadataResponse {
        let broker = MetadataResponseBroker::default()
            .with_node_id(1.into())
            .with_host(self.address.ip().to_string().into())
            .with_port(self.address.port().into());
        let partition = MetadataResponsePartition::default().with_leader_id(1.into());
        let topic = MetadataResponseTopic::default()
            .with_name(Some(topic_name()))
            .with_partitions(vec![partition]);
        MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic])
    }

    fn end(&self) -> i64 {
        // Each batch of these tests has one record.
        i64::try_from(self.log.lock().len()).unwrap()
    }

    fn produce(&self, request: &ProduceRequest) -> ProduceResponse {
        let data = &request.topic_data[0].partition_data[0];
        let base = self.end();
        self.log.lock().push((base, data.records.clone().unwrap()));
        let partition = PartitionProduceResponse::default().with_base_offset(base);
        let topic = TopicProduceResponse::default()
            .with_name(topic_name())
            .with_partition_responses(vec![partition]);
        ProduceResponse::default().with_responses(vec![topic])
    }

    fn read(&self, from: i64) -> Vec<u8> {
        if from >= self.end() {
            thread::sleep(FETCH_WAIT);
        }
        let log = self.log.lock();
        let batches = log.iter().filter(|(base, _)| *base >= from);
        batches.flat_map(|(base, batch)| [&base.to_be_bytes()[..], &batch[8..]].concat()).collect()
    }
}

fn topic_name() -> TopicName {
    TopicName(StrBytes::from_static_str("hubmark"))
}

fn api_versions() -> ApiVersionsResponse {
    let api = |(key, min, max): &(ApiKey, i16, i16)| {
        ApiVersion::default()
            .with_api_key(*key as i16)
            .with_min_version(*min)
            .with_max_version(*max)
    };
    ApiVersionsResponse::default().with_api_keys(VERSIONS.iter().map(api).collect())
}

fn frame<R: Encodable + HeaderVersion>(number: i32, version: i16, answer: &R) -> Vec<u8> {
    let mut frame = vec![0; 4];
    let header = ResponseHeader::default().with_correlation_id(number);
    header.encode(&mut frame, R::header_version(version)).unwrap();
    answer.encode(&mut frame, version).unwrap();
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}
