//! Answers of a server that is right, and of one that announces more than it sends.

use std::fmt::Debug;

use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse,
        DeleteTopicsRequest, DeleteTopicsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
        InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse,
        MetadataRequest, MetadataResponse, ResponseHeader, SaslAuthenticateRequest,
        SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse, TopicName,
        api_versions_response::ApiVersion,
        create_topics_response::{CreatableTopicConfigs, CreatableTopicResult},
        delete_topics_response::DeletableTopicResult,
        describe_configs_response::{
            DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
        },
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
    protocol::{Encodable, HeaderVersion, Request, StrBytes},
};

use super::{answer_shape::answer_shape, broker_connection::decode, error::ControlError};

const NUMBER: i32 = 77;

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

fn frame<R: Request>(version: i16, answer: &R::Response) -> Vec<u8>
where
    R::Response: Encodable + HeaderVersion,
{
    let mut frame = Vec::new();
    let header = ResponseHeader::default().with_correlation_id(NUMBER);
    header.encode(&mut frame, R::Response::header_version(version)).unwrap();
    answer.encode(&mut frame, version).unwrap();
    frame
}

/// Checks an answer in every version that is asked for: it is decoded, its beginnings are not, and no length in it
/// makes the decoder reserve memory that no process has, which would abort the test.
fn check<R: Request>(answer: impl Fn(i16) -> R::Response)
where
    R::Response: Encodable + HeaderVersion + Debug,
{
    let (_, latest) = answer_shape(ApiKey::try_from(R::KEY).unwrap()).unwrap();
    for version in R::VERSIONS.min..=R::VERSIONS.max.min(latest) {
        let sent = frame::<R>(version, &answer(version));
        let read = decode::<R>(NUMBER, version, sent.clone().into()).unwrap();
        assert_eq!(frame::<R>(version, &read), sent, "version {version}");
        for end in 0..sent.len() {
            let cut = sent[..end].to_vec();
            assert!(decode::<R>(NUMBER, version, cut.into()).is_err(), "{version}: {end}");
        }
        let lengths: [&[u8]; 4] =
            [&[0x7f, 0xff, 0xff, 0xff], &[0x80, 0, 0, 0], &[0xff; 5], &[0xff, 0xff, 0xff, 0xff, 7]];
        for (at, length) in (0..sent.len()).flat_map(|at| lengths.map(|length| (at, length))) {
            let mut hostile = sent.clone();
            hostile.splice(at..(at + length.len()).min(sent.len()), length.iter().copied());
            let _ = decode::<R>(NUMBER, version, hostile.into());
            let mut longer = sent.clone();
            longer.splice(at..at, length.iter().copied());
            let _ = decode::<R>(NUMBER, version, longer.into());
        }
    }
    let unknown = decode::<R>(NUMBER, latest + 1, frame::<R>(latest, &answer(latest)).into());
    assert!(matches!(unknown, Err(ControlError::Unsupported(_))), "{unknown:?}");
}

#[test]
fn versions_and_credentials_are_read_and_hostile_lengths_refused() {
    check::<ApiVersionsRequest>(|_| {
        let api = |key| ApiVersion::default().with_api_key(key).with_max_version(9);
        ApiVersionsResponse::default().with_api_keys(vec![api(0), api(1)])
    });
    check::<SaslHandshakeRequest>(|_| {
        SaslHandshakeResponse::default().with_mechanisms(vec![text("PLAIN"), text("SCRAM")])
    });
    check::<SaslAuthenticateRequest>(|_| {
        SaslAuthenticateResponse::default().with_error_code(58).with_error_message(Some(text("no")))
    });
    check::<InitProducerIdRequest>(|_| {
        InitProducerIdResponse::default().with_producer_id(9.into()).with_producer_epoch(1)
    });
}

#[test]
fn metadata_and_offsets_are_read_and_hostile_lengths_refused() {
    check::<MetadataRequest>(|version| {
        let broker = MetadataResponseBroker::default().with_host(text("a")).with_port(9_092);
        let partition = MetadataResponsePartition::default()
            .with_replica_nodes(vec![1.into(), 2.into()])
            .with_isr_nodes(vec![2.into()]);
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(text("devices"))))
            .with_partitions(vec![partition.clone(), partition]);
        let answer =
            MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic]);
        if version < 2 { answer } else { answer.with_cluster_id(Some(text("c"))) }
    });
    check::<ListOffsetsRequest>(|_| {
        let partition = ListOffsetsPartitionResponse::default().with_offset(5).with_timestamp(-1);
        let topic = ListOffsetsTopicResponse::default()
            .with_name(TopicName(text("devices")))
            .with_partitions(vec![partition.clone(), partition]);
        ListOffsetsResponse::default().with_topics(vec![topic])
    });
}

#[test]
fn topics_and_settings_are_read_and_hostile_lengths_refused() {
    check::<CreateTopicsRequest>(|version| {
        let config = CreatableTopicConfigs::default().with_name(text("k"));
        let topic = CreatableTopicResult::default()
            .with_name(TopicName(text("devices")))
            .with_error_message(Some(text("no")));
        let topic = if version < 5 { topic } else { topic.with_configs(Some(vec![config])) };
        CreateTopicsResponse::default().with_topics(vec![topic])
    });
    check::<DeleteTopicsRequest>(|_| {
        let topic = DeletableTopicResult::default().with_name(Some(TopicName(text("devices"))));
        DeleteTopicsResponse::default().with_responses(vec![topic])
    });
    check::<DescribeConfigsRequest>(|_| {
        let synonym = DescribeConfigsSynonym::default().with_name(text("s"));
        let config = DescribeConfigsResourceResult::default()
            .with_name(text("k"))
            .with_value(Some(text("v")))
            .with_synonyms(vec![synonym]);
        let result = DescribeConfigsResult::default()
            .with_resource_name(text("1"))
            .with_configs(vec![config.clone(), config]);
        DescribeConfigsResponse::default().with_results(vec![result])
    });
}
