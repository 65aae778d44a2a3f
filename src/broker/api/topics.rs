//! Topics: which there are, create, delete, and the settings in force.

use std::net::SocketAddr;

use kafka_protocol::{
    messages::{
        BrokerId, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
        DeleteTopicsResponse, DescribeConfigsRequest, DescribeConfigsResponse, MetadataRequest,
        MetadataResponse, TopicName,
        create_topics_request::CreatableTopic,
        create_topics_response::CreatableTopicResult,
        delete_topics_response::DeletableTopicResult,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
    protocol::StrBytes,
};

use super::Refusal;
use crate::broker::store::Store;

/// The only node of the cluster.
const NODE: BrokerId = BrokerId(1);
const CLUSTER: &str = "hubmark-built-in-broker";
/// Longest name of a topic, as Kafka's.
const LONGEST_NAME: usize = 249;
/// Partitions of a topic whose creator leaves the number to the broker.
const DEFAULT_PARTITIONS: u32 = 1;
/// Most partitions of a topic: more is a slip of the finger.
const MOST_PARTITIONS: u32 = 10_000;
/// Settings that promise what a server without a disk and without replicas cannot keep. Other
/// settings of a topic have no meaning here and are passed over.
const UNKEEPABLE: &[&str] = &["flush.messages", "flush.ms", "min.insync.replicas"];

/// What a setting describes, by Kafka's numbers.
const TOPIC_RESOURCE: i8 = 2;
const BROKER_RESOURCE: i8 = 4;
/// Where a setting's value comes from: the server's defaults.
const DEFAULT_SOURCE: i8 = 5;

/// Nodes and topics.
pub fn metadata(
    store: &Store,
    address: SocketAddr,
    request: MetadataRequest,
    version: i16,
) -> MetadataResponse {
    let broker = MetadataResponseBroker::default()
        .with_node_id(NODE)
        .with_host(address.ip().to_string().into())
        .with_port(i32::from(address.port()));
    // In version 0 an empty list asks for all topics; since then, its absence does.
    let asked = request.topics.filter(|topics| version > 0 || !topics.is_empty());
    let names: Vec<TopicName> = match asked {
        Some(topics) => topics.into_iter().filter_map(|topic| topic.name).collect(),
        None => store.names().into_iter().map(|name| TopicName(name.into())).collect(),
    };
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(StrBytes::from_static_str(CLUSTER)))
        .with_controller_id(NODE)
        .with_topics(names.into_iter().map(|name| describe(store, name)).collect())
}

fn describe(store: &Store, name: TopicName) -> MetadataResponseTopic {
    let topic = store.topic(&name);
    let described = MetadataResponseTopic::default().with_name(Some(name));
    let Some(topic) = topic else {
        return described.with_error_code(Refusal::UnknownTopicOrPartition.code());
    };
    let partitions = (0..).zip(&topic.partitions).map(|(index, _)| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(NODE)
            .with_leader_epoch(0)
            .with_replica_nodes(vec![NODE])
            .with_isr_nodes(vec![NODE])
    });
    described.with_partitions(partitions.collect())
}

/// Creates topics.
pub fn create(store: &Store, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let dry = request.validate_only;
    let results = request.topics.into_iter().map(|topic| {
        let created = create_one(store, &topic, dry);
        let result = CreatableTopicResult::default().with_name(topic.name);
        match created {
            Ok(partitions) => result
                .with_num_partitions(partitions.cast_signed())
                .with_replication_factor(1)
                .with_error_message(None),
            Err((refusal, reason)) => {
                result.with_error_code(refusal.code()).with_error_message(Some(reason.into()))
            }
        }
    });
    CreateTopicsResponse::default().with_topics(results.collect())
}

fn create_one(store: &Store, topic: &CreatableTopic, dry: bool) -> Result<u32, (Refusal, String)> {
    let name: &str = &topic.name;
    if !is_name(name) {
        let reason = format!("a topic's name is 1 to {LONGEST_NAME} of [a-zA-Z0-9._-]");
        return Err((Refusal::InvalidTopicException, reason));
    }
    let partitions = match topic.num_partitions {
        -1 => DEFAULT_PARTITIONS,
        n => u32::try_from(n).ok().filter(|n| (1..=MOST_PARTITIONS).contains(n)).ok_or_else(
            || (Refusal::InvalidPartitions, format!("partitions must be 1 to {MOST_PARTITIONS}")),
        )?,
    };
    if !matches!(topic.replication_factor, -1 | 1) {
        let reason = "the built-in broker is one node: the replication factor can only be 1";
        return Err((Refusal::InvalidReplicationFactor, reason.into()));
    }
    if let Some(setting) = topic.configs.iter().find(|setting| UNKEEPABLE.contains(&&*setting.name))
    {
        let reason = format!(
            "{} promises durability, and the built-in broker keeps everything in memory",
            setting.name
        );
        return Err((Refusal::InvalidConfig, reason));
    }
    if dry && store.topic(name).is_none() {
        return Ok(partitions);
    }
    store
        .create(name, partitions)
        .map(|()| partitions)
        .map_err(|_| (Refusal::TopicAlreadyExists, format!("there is a topic {name} already")))
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(legal)
        && !matches!(name, "." | "..")
}

/// Deletes topics.
pub fn delete(store: &Store, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let results = request.topic_names.into_iter().map(|name| {
        let code = if store.delete(&name) { 0 } else { Refusal::UnknownTopicOrPartition.code() };
        DeletableTopicResult::default().with_name(Some(name)).with_error_code(code)
    });
    DeleteTopicsResponse::default().with_responses(results.collect())
}

/// The settings in force: few, and true.
pub fn settings(store: &Store, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| describe_settings(store, resource));
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn describe_settings(store: &Store, resource: DescribeConfigsResource) -> DescribeConfigsResult {
    let known: Vec<(&'static str, String)> = match resource.resource_type {
        BROKER_RESOURCE => vec![
            ("log.retention.bytes", store.retention().0.to_string()),
            ("hubmark.storage", "memory".into()),
            ("default.replication.factor", "1".into()),
            ("num.partitions", DEFAULT_PARTITIONS.to_string()),
        ],
        TOPIC_RESOURCE => vec![("hubmark.storage", "memory".into())],
        _ => Vec::new(),
    };
    let asked = |name: &str| match &resource.configuration_keys {
        Some(keys) => keys.iter().any(|key| &**key == name),
        None => true,
    };
    let configs = known.into_iter().filter(|(name, _)| asked(name)).map(|(name, value)| {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(value.into()))
            .with_read_only(true)
            .with_config_source(DEFAULT_SOURCE)
    });
    let configs = configs.collect();
    let missing =
        resource.resource_type == TOPIC_RESOURCE && store.topic(&resource.resource_name).is_none();
    DescribeConfigsResult::default()
        .with_error_code(if missing { Refusal::UnknownTopicOrPartition.code() } else { 0 })
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name)
        .with_configs(configs)
}
