//! Answers of real brokers, recorded as `tests/recorded/kafka/VERSION/*.bin`, which quick tests decode
//! (`src/backend/kafka/tests.rs`): brokers still give the same kinds of answers. The README there says how they are
//! recorded anew.

use std::{
    collections::BTreeSet,
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, DeleteTopicsRequest,
        DescribeConfigsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
        MetadataRequest, ProduceRequest, RequestHeader, TopicName,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        describe_configs_request::DescribeConfigsResource,
        fetch_request::{FetchPartition, FetchTopic},
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        metadata_request::MetadataRequestTopic,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
    records::{
        Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record,
        RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    },
};

use crate::{
    kafka_backend::KafkaContainers,
    support::{images::build_images, wait::WAIT_LIMIT},
};

/// Number of every request.
const NUMBER: i32 = 7;
const TOPIC: &str = "hubmark";
/// Values of the records of every topic, as the quick tests expect them.
const VALUES: [&str; 3] = ["recorded 0", "recorded 1", "recorded 2"];
const COMPRESSIONS: [&str; 4] = ["gzip", "snappy", "lz4", "zstd"];
const PAUSE: Duration = Duration::from_millis(200);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A connection to a broker, and the folder of its answers.
struct Recording {
    stream: TcpStream,
    folder: PathBuf,
}

impl Recording {
    /// Connects to the broker at `address`, whose answers belong into the empty `folder`.
    fn start(folder: PathBuf, address: SocketAddr) -> Self {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let started = Instant::now();
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) => panic!("{error}"),
            }
            assert!(started.elapsed() < WAIT_LIMIT, "the broker does not start");
            std::thread::sleep(PAUSE);
        };
        stream.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
        Self { stream, folder }
    }

    /// Sends a request, and returns the answer without its length.
    fn call<R: Request + HeaderVersion + Encodable>(
        &mut self,
        version: i16,
        request: &R,
    ) -> Vec<u8> {
        let mut frame = vec![0; 4];
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(NUMBER)
            .with_client_id(Some(text("hubmark")))
            .encode(&mut frame, R::header_version(version))
            .unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = u32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).unwrap();
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer).unwrap();
        answer
    }

    /// Records the answer to a request as `name`, with its version.
    fn record<R: Request + HeaderVersion + Encodable>(
        &mut self,
        name: &str,
        version: i16,
        request: &R,
    ) {
        let answer = self.call(version, request);
        fs::write(self.folder.join(format!("{name}-v{version}.bin")), answer).unwrap();
    }
}

fn create(name: &str, compression: Option<&str>) -> CreateTopicsRequest {
    let configs = compression.into_iter().map(|compression| {
        CreatableTopicConfig::default()
            .with_name(text("compression.type"))
            .with_value(Some(text(compression)))
    });
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(2)
        .with_replication_factor(1)
        .with_configs(configs.collect());
    CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000)
}

fn produce(name: &str) -> ProduceRequest {
    let record = |(number, value): (i32, &str)| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: number.into(),
        sequence: number,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: <_>::default(),
    };
    let records: Vec<_> = (0..).zip(VALUES).map(record).collect();
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, &records, &options).unwrap();
    let data = PartitionProduceData::default().with_records(Some(batch.freeze()));
    let topic =
        TopicProduceData::default().with_name(topic_name(name)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic])
}

fn fetch(name: &str) -> FetchRequest {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic_name(name)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

fn metadata(name: &str) -> MetadataRequest {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false)
}

fn describe(kind: i8, name: &str) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    DescribeConfigsRequest::default().with_resources(vec![resource])
}

/// Creates a topic once the broker is ready for it, and waits for its leaders.
fn create_topic(recording: &mut Recording, name: &str, compression: Option<&str>) {
    let started = Instant::now();
    // Throttle time, one topic, its name, the error code.
    let error_at = 4 + 4 + 4 + 2 + name.len();
    while recording.call(2, &create(name, compression))[error_at..error_at + 2] != [0, 0] {
        assert!(started.elapsed() < WAIT_LIMIT, "topic {name} is not created");
        std::thread::sleep(PAUSE);
    }
    std::thread::sleep(Duration::from_secs(1));
}

/// Records the answers of a broker of `version` into its folder below `folder`.
fn record(version: &str, folder: &Path) {
    let (_containers, address) = KafkaContainers::start(version);
    let mut recording = Recording::start(folder.join(version), address);
    create_topic(&mut recording, TOPIC, None);
    recording.record("api_versions", 0, &ApiVersionsRequest::default());
    let answer = recording.call(0, &ApiVersionsRequest::default());
    let supported = ApiVersionsResponse::decode(&mut Bytes::from(answer).slice(4..), 0).unwrap();
    // The latest version, up to `own`, that the broker supports.
    let latest = |key: i16, own: i16| {
        let api = supported.api_keys.iter().find(|api| api.api_key == key);
        api.unwrap().max_version.min(own)
    };
    for version in 4..=9 {
        recording.record("metadata", version, &metadata(TOPIC));
    }
    recording.record("metadata_unknown", 8, &metadata("unknown"));
    for version in 3..=8 {
        recording.record("produce", version, &produce(TOPIC));
    }
    recording.record("produce_unknown", 8, &produce("unknown"));
    for version in 4..=11 {
        recording.record("fetch", version, &fetch(TOPIC));
    }
    for compression in COMPRESSIONS {
        let name = format!("{TOPIC}-{compression}");
        create_topic(&mut recording, &name, Some(compression));
        recording.call(8, &produce(&name));
        recording.record(&format!("fetch_{compression}"), 11, &fetch(&name));
    }
    for version in 1..=latest(ListOffsetsRequest::KEY, 7) {
        let partition = ListOffsetsPartition::default().with_timestamp(-1);
        let topic = ListOffsetsTopic::default()
            .with_name(topic_name(TOPIC))
            .with_partitions(vec![partition]);
        let request =
            ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        recording.record("list_offsets", version, &request);
    }
    for version in 2..=6 {
        recording.record("create_topics", version, &create(&format!("{TOPIC}-{version}"), None));
    }
    recording.record("create_topics_exists", 6, &create(TOPIC, None));
    for version in 1..=4 {
        recording.record("describe_topic", version, &describe(2, TOPIC));
    }
    recording.record("describe_broker", 4, &describe(4, "1"));
    let idempotent = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX);
    // The coordinator of a broker that has just started is still loading. Number, throttle time, error code.
    let started = Instant::now();
    while recording.call(1, &idempotent)[8..10] != [0, 0] {
        assert!(started.elapsed() < WAIT_LIMIT, "no ID is given");
        std::thread::sleep(PAUSE);
    }
    recording.record("init_producer_id", 1, &idempotent);
    for version in 1..=5 {
        let name = vec![topic_name(&format!("{TOPIC}-{}", version + 1))];
        let request = DeleteTopicsRequest::default().with_topic_names(name).with_timeout_ms(5_000);
        recording.record("delete_topics", version, &request);
    }
}

/// Versions of the brokers.
const VERSIONS: [&str; 3] = ["2.8.0", "3.9.1", "4.4.0"];
/// Set to record the committed answers anew.
const UPDATE: &str = "UPDATE_RECORDED";

/// Names and versions of the answers in `folder`.
fn recorded_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
#[ignore = "needs a Docker engine"]
fn brokers_of_all_versions_give_the_recorded_answers() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/kafka");
    let temporary = tempfile::tempdir().unwrap();
    let is_update = std::env::var_os(UPDATE).is_some();
    let folder = if is_update { &committed } else { temporary.path() };
    build_images(&VERSIONS.map(|version| format!("kafka:{version}")));
    for version in VERSIONS {
        record(version, folder);
        let [new, known] = [folder, &committed].map(|root| recorded_in(&root.join(version)));
        assert_eq!(new, known, "{version}: record them again with {UPDATE}=1");
    }
}
