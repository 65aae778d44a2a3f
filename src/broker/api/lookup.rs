//! Small questions: which offset, which coordinator, which producer number.

use kafka_protocol::{
    messages::{
        BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest,
        InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse, ProducerId,
        list_offsets_request::ListOffsetsPartition,
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    },
    protocol::StrBytes,
};

use super::Refusal;
use crate::broker::store::{Partition, Store};

/// Asks for the end of a log.
const LATEST: i64 = -1;
/// Asks for its start.
const EARLIEST: i64 = -2;

/// Offsets by time.
pub fn offsets(store: &Store, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let partition = store.partition(&topic.name, asked.partition_index);
            offset(partition.as_deref(), asked)
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn offset(
    partition: Option<&Partition>,
    asked: &ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default()
        .with_partition_index(asked.partition_index)
        .with_timestamp(-1)
        .with_offset(-1);
    let Some(partition) = partition else {
        return response.with_error_code(Refusal::UnknownTopicOrPartition.code());
    };
    let log = partition.log();
    let found = match asked.timestamp {
        LATEST => Some((log.end(), -1)),
        EARLIEST => Some((log.start(), -1)),
        time => log.at_time(time),
    };
    match found {
        Some((offset, timestamp)) => {
            response.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(0)
        }
        None => response,
    }
}

/// There are no consumer groups. The request is spoken all the same: client libraries take its
/// absence for a server older than compression.
pub fn coordinator(request: &FindCoordinatorRequest) -> FindCoordinatorResponse {
    tracing::debug!(key = %request.key, "the built-in broker has no consumer groups");
    FindCoordinatorResponse::default()
        .with_error_code(Refusal::CoordinatorNotAvailable.code())
        .with_error_message(Some(StrBytes::from_static_str(
            "the built-in broker has no consumer groups",
        )))
        .with_node_id(BrokerId(-1))
        .with_port(-1)
}

/// A number for an idempotent producer; transactions are not spoken.
pub fn producer(store: &Store, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    if request.transactional_id.is_some() {
        return InitProducerIdResponse::default()
            .with_error_code(Refusal::TransactionalIdAuthorizationFailed.code())
            .with_producer_id(ProducerId(-1));
    }
    InitProducerIdResponse::default()
        .with_producer_id(ProducerId(store.new_producer()))
        .with_producer_epoch(0)
}
