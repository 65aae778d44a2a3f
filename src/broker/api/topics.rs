//! Topics: metadata, creation, deletion, and the settings in force.

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

use crate::broker::{error_code::ErrorCode, store::TopicStore};

/// The only node of the cluster.
const NODE_ID: BrokerId = BrokerId(1);
const CLUSTER_ID: &str = "hubmark-built-in-broker";
/// Longest topic name, as in Kafka.
const MAX_NAME_LENGTH: usize = 249;
/// Partitions of a topic created without a number of partitions.
const DEFAULT_PARTITIONS: u32 = 1;
/// Most partitions of a topic: a larger number is taken for a typing error.
const MAX_PARTITIONS: u32 = 10_000;
/// Settings that promise durability, which a server without disk and replicas cannot provide. Other
/// topic settings have no meaning here and are ignored.
const DURABILITY_SETTINGS: &[&str] = &["flush.messages", "flush.ms", "min.insync.replicas"];

/// Kinds of configuration resources, by Kafka's numbers.
const TOPIC_RESOURCE: i8 = 2;
const BROKER_RESOURCE: i8 = 4;
/// Source of a setting's value, by Kafka's numbers: the server's defaults.
const DEFAULT_CONFIG_SOURCE: i8 = 5;

/// Answers `Metadata`: the node and its topics.
pub fn metadata(
    store: &TopicStore,
    address: SocketAddr,
    request: MetadataRequest,
    version: i16,
) -> MetadataResponse {
    let broker = MetadataResponseBroker::default()
        .with_node_id(NODE_ID)
        .with_host(address.ip().to_string().into())
        .with_port(i32::from(address.port()));
    // In version 0 an empty list asks for all topics; in later versions, a missing list does.
    let requested = request.topics.filter(|topics| version > 0 || !topics.is_empty());
    let names: Vec<TopicName> = match requested {
        Some(topics) => topics.into_iter().filter_map(|topic| topic.name).collect(),
        None => store.names().into_iter().map(|name| TopicName(name.into())).collect(),
    };
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(StrBytes::from_static_str(CLUSTER_ID)))
        .with_controller_id(NODE_ID)
        .with_topics(names.into_iter().map(|name| describe_topic(store, name)).collect())
}

fn describe_topic(store: &TopicStore, name: TopicName) -> MetadataResponseTopic {
    let topic = store.topic(&name);
    let described = MetadataResponseTopic::default().with_name(Some(name));
    let Some(topic) = topic else {
        return described.with_error_code(ErrorCode::UnknownTopicOrPartition.code());
    };
    let partitions = (0..).zip(&topic.partitions).map(|(index, _)| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(NODE_ID)
            .with_leader_epoch(0)
            .with_replica_nodes(vec![NODE_ID])
            .with_isr_nodes(vec![NODE_ID])
    });
    described.with_partitions(partitions.collect())
}

/// Answers `CreateTopics`.
pub fn create(store: &TopicStore, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let dry = request.validate_only;
    let results = request.topics.into_iter().map(|topic| {
        let created = create_one(store, &topic, dry);
        let result = CreatableTopicResult::default().with_name(topic.name);
        match created {
            Ok(partitions) => result
                .with_num_partitions(partitions.cast_signed())
                .with_replication_factor(1)
                .with_error_message(None),
            Err((error, reason)) => {
                result.with_error_code(error.code()).with_error_message(Some(reason.into()))
            }
        }
    });
    CreateTopicsResponse::default().with_topics(results.collect())
}

fn create_one(
    store: &TopicStore,
    topic: &CreatableTopic,
    dry: bool,
) -> Result<u32, (ErrorCode, String)> {
    let name: &str = &topic.name;
    if !is_valid_name(name) {
        let reason = format!("a topic's name must be 1 to {MAX_NAME_LENGTH} of [a-zA-Z0-9._-]");
        return Err((ErrorCode::InvalidTopicException, reason));
    }
    let partitions = match topic.num_partitions {
        -1 => DEFAULT_PARTITIONS,
        n => {
            u32::try_from(n).ok().filter(|n| (1..=MAX_PARTITIONS).contains(n)).ok_or_else(|| {
                (ErrorCode::InvalidPartitions, format!("partitions must be 1 to {MAX_PARTITIONS}"))
            })?
        }
    };
    if !matches!(topic.replication_factor, -1 | 1) {
        let reason = "the built-in broker is one node: the replication factor can only be 1";
        return Err((ErrorCode::InvalidReplicationFactor, reason.into()));
    }
    if let Some(setting) =
        topic.configs.iter().find(|setting| DURABILITY_SETTINGS.contains(&&*setting.name))
    {
        let reason = format!(
            "{} promises durability, and the built-in broker stores everything in memory",
            setting.name
        );
        return Err((ErrorCode::InvalidConfig, reason));
    }
    if dry && store.topic(name).is_none() {
        return Ok(partitions);
    }
    store
        .create(name, partitions)
        .map(|()| partitions)
        .map_err(|_| (ErrorCode::TopicAlreadyExists, format!("topic {name} already exists")))
}

fn is_valid_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name.bytes().all(legal)
        && !matches!(name, "." | "..")
}

/// Answers `DeleteTopics`.
pub fn delete(store: &TopicStore, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let results = request.topic_names.into_iter().map(|name| {
        let code = if store.delete(&name) { 0 } else { ErrorCode::UnknownTopicOrPartition.code() };
        DeletableTopicResult::default().with_name(Some(name)).with_error_code(code)
    });
    DeleteTopicsResponse::default().with_responses(results.collect())
}

/// Answers `DescribeConfigs` with the few settings that are in force.
pub fn describe_configs(
    store: &TopicStore,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| describe_resource(store, resource));
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn describe_resource(
    store: &TopicStore,
    resource: DescribeConfigsResource,
) -> DescribeConfigsResult {
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
    let requested = |name: &str| match &resource.configuration_keys {
        Some(keys) => keys.iter().any(|key| &**key == name),
        None => true,
    };
    let configs = known.into_iter().filter(|(name, _)| requested(name)).map(|(name, value)| {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(value.into()))
            .with_read_only(true)
            .with_config_source(DEFAULT_CONFIG_SOURCE)
    });
    let configs = configs.collect();
    let missing =
        resource.resource_type == TOPIC_RESOURCE && store.topic(&resource.resource_name).is_none();
    DescribeConfigsResult::default()
        .with_error_code(if missing { ErrorCode::UnknownTopicOrPartition.code() } else { 0 })
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name)
        .with_configs(configs)
}
