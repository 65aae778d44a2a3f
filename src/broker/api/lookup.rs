//! Small lookups: offsets, coordinator, producer IDs.

use kafka_protocol::{
    messages::{
        BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest,
        InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse, ProducerId,
        list_offsets_request::ListOffsetsPartition,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    },
    protocol::StrBytes,
};

use crate::broker::{
    error_code::ErrorCode,
    store::{Partition, TopicStore},
};

/// Timestamp that asks for the end of a log.
const LATEST_TIMESTAMP: i64 = -1;
/// Timestamp that asks for the start of a log.
const EARLIEST_TIMESTAMP: i64 = -2;

/// Answers `ListOffsets`: offsets by timestamp.
pub fn list_offsets(store: &TopicStore, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|requested| {
            let partition = store.partition(&topic.name, requested.partition_index);
            list_offset(partition.as_deref(), requested)
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn list_offset(
    partition: Option<&Partition>,
    requested: &ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(requested.partition_index)
        .with_timestamp(-1)
        .with_offset(-1);
    let Some(partition) = partition else {
        return response.with_error_code(ErrorCode::UnknownTopicOrPartition.code());
    };
    let log = partition.log();
    let found = match requested.timestamp {
        LATEST_TIMESTAMP => Some((log.end(), -1)),
        EARLIEST_TIMESTAMP => Some((log.start(), -1)),
        time => log.find_by_time(time),
    };
    match found {
        Some((offset, timestamp)) => {
            response.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(0)
        }
        None => response,
    }
}

/// Answers `FindCoordinator` with an error: there are no consumer groups.
///
/// The request is supported all the same, because client libraries take its absence as the sign of
/// a server too old for compression.
pub fn find_coordinator(request: &FindCoordinatorRequest) -> FindCoordinatorResponse {
    tracing::debug!(key = %request.key, "the built-in broker has no consumer groups");
    FindCoordinatorResponse::default()
        .with_error_code(ErrorCode::CoordinatorNotAvailable.code())
        .with_error_message(Some(StrBytes::from_static_str(
            "the built-in broker has no consumer groups",
        )))
        .with_node_id(BrokerId(-1))
        .with_port(-1)
}

/// Answers `InitProducerId` with a new producer ID; transactions are not supported.
pub fn init_producer_id(
    store: &TopicStore,
    request: &InitProducerIdRequest,
) -> InitProducerIdResponse {
    if request.transactional_id.is_some() {
        return InitProducerIdResponse::default()
            .with_error_code(ErrorCode::TransactionalIdAuthorizationFailed.code())
            .with_producer_id(ProducerId(-1));
    }
    InitProducerIdResponse::default()
        .with_producer_id(ProducerId(store.next_producer_id()))
        .with_producer_epoch(0)
}
