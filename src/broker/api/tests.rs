//! Requests in every supported version, and requests that announce more than they contain.

use std::{fs, path::PathBuf, sync::Arc};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, FetchRequest,
        FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
        ProduceRequest, RequestHeader, TopicName,
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
        describe_configs_request::DescribeConfigsResource,
        fetch_request::{FetchPartition, FetchTopic},
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        metadata_request::MetadataRequestTopic,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::{Encodable, HeaderVersion, Request, StrBytes},
};
use tokio::sync::Notify;

use super::{RequestContext, SUPPORTED_VERSIONS, handle_request, request_shape::request_shape};
use crate::{
    broker::{context::BrokerContext, fault_injection::records::batch, store::TopicStore},
    units,
};

fn topic() -> TopicName {
    TopicName(StrBytes::from_static_str("devices"))
}

/// Lets a broker answer; whether it did.
async fn answer(shared: &BrokerContext, request: Vec<u8>) -> bool {
    let mut context = RequestContext {
        shared,
        address: ([127, 0, 0, 1], 9_092).into(),
        waiter: Arc::new(Notify::new()),
    };
    handle_request(&mut context, Bytes::from(request), &mut BytesMut::new()).await.is_ok()
}

/// Writes a seed of the fuzz target, where `UPDATE_SEEDS` asks for it.
fn write_seed(name: &str, request: &[u8]) {
    if std::env::var_os("UPDATE_SEEDS").is_some() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/broker_requests");
        fs::create_dir_all(&folder).unwrap();
        let length = u32::try_from(request.len()).unwrap();
        fs::write(folder.join(name), [&length.to_be_bytes()[..], request].concat()).unwrap();
    }
}

/// Checks a request in every supported version: it is answered, its beginnings are not, and no length in it makes
/// the decoder reserve memory that no process has, which would abort the test.
async fn check<R: Request + HeaderVersion + Encodable>(request: impl Fn(i16) -> R) {
    let shared = BrokerContext { store: TopicStore::new(units::Bytes(1 << 20)), injector: None };
    let key = ApiKey::try_from(R::KEY).unwrap();
    assert!(request_shape(key).is_some());
    let (_, min, max) = *SUPPORTED_VERSIONS.iter().find(|(other, ..)| *other == key).unwrap();
    for version in min..=max {
        let mut sent = Vec::new();
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_client_id(Some(StrBytes::from_static_str("test")));
        header.encode(&mut sent, R::header_version(version)).unwrap();
        let body = sent.len();
        request(version).encode(&mut sent, version).unwrap();
        assert!(answer(&shared, sent.clone()).await, "{key:?} {version}");
        if version == min || version == max {
            write_seed(&format!("{key:?}-v{version}"), &sent);
        }
        for end in body..sent.len() {
            assert!(!answer(&shared, sent[..end].to_vec()).await, "{key:?} {version}: {end}");
        }
        let lengths: [&[u8]; 3] =
            [&[0x7f, 0xff, 0xff, 0xff], &[0xff; 5], &[0xff, 0xff, 0xff, 0xff, 7]];
        for (at, length) in (body..sent.len()).flat_map(|at| lengths.map(|length| (at, length))) {
            let mut hostile = sent.clone();
            hostile.splice(at..(at + length.len()).min(sent.len()), length.iter().copied());
            answer(&shared, hostile).await;
        }
    }
}

#[tokio::test]
async fn requests_for_messages_are_answered_and_hostile_lengths_refused() {
    check::<ProduceRequest>(|_| {
        let data = PartitionProduceData::default().with_records(Some(batch(&[b"a value", b""])));
        let topic = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
        ProduceRequest::default().with_acks(1).with_topic_data(vec![topic])
    })
    .await;
    // An unknown topic is answered at once.
    check::<FetchRequest>(|_| {
        let topic = FetchTopic::default()
            .with_topic(topic())
            .with_partitions(vec![FetchPartition::default()]);
        FetchRequest::default().with_topics(vec![topic])
    })
    .await;
    check::<ListOffsetsRequest>(|_| {
        let partition = ListOffsetsPartition::default().with_timestamp(-1);
        let topic = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![partition]);
        ListOffsetsRequest::default().with_topics(vec![topic])
    })
    .await;
    check::<InitProducerIdRequest>(|_| InitProducerIdRequest::default()).await;
}

#[tokio::test]
async fn requests_about_topics_are_answered_and_hostile_lengths_refused() {
    check::<MetadataRequest>(|_| {
        let topic = MetadataRequestTopic::default().with_name(Some(topic()));
        MetadataRequest::default().with_topics(Some(vec![topic]))
    })
    .await;
    check::<CreateTopicsRequest>(|_| {
        let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![1.into()]);
        let config =
            CreatableTopicConfig::default().with_value(Some(StrBytes::from_static_str("v")));
        let topic = CreatableTopic::default()
            .with_name(topic())
            .with_assignments(vec![assignment])
            .with_configs(vec![config]);
        CreateTopicsRequest::default().with_topics(vec![topic])
    })
    .await;
    check::<DeleteTopicsRequest>(|_| {
        DeleteTopicsRequest::default().with_topic_names(vec![topic()])
    })
    .await;
    check::<DescribeConfigsRequest>(|_| {
        let keys = vec![StrBytes::from_static_str("k")];
        let resource = DescribeConfigsResource::default().with_configuration_keys(Some(keys));
        DescribeConfigsRequest::default().with_resources(vec![resource])
    })
    .await;
    check::<FindCoordinatorRequest>(|_| FindCoordinatorRequest::default()).await;
}
