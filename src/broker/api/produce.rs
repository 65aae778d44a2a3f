//! Produce: batches are appended as they came, or given to the one who lies.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    ProduceRequest, ProduceResponse,
    produce_request::PartitionProduceData,
    produce_response::{PartitionProduceResponse, TopicProduceResponse},
};

use super::Refusal;
use crate::broker::{
    Shared,
    batch::{Head, Malformed},
    log::OutOfSequence,
    store::{NotAppended, Partition},
};

/// Appends what a producer sent, and says at which offsets.
pub fn produce(shared: &Shared, request: ProduceRequest) -> ProduceResponse {
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.into_iter().map(|data| {
            let partition = shared.store.partition(&topic.name, data.index);
            answer(shared, partition, data)
        });
        let partitions = partitions.collect();
        TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions)
    });
    ProduceResponse::default().with_responses(topics.collect())
}

fn answer(
    shared: &Shared,
    partition: Option<Arc<Partition>>,
    data: PartitionProduceData,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(data.index);
    let appended = partition
        .ok_or(Refusal::UnknownTopicOrPartition)
        .and_then(|partition| append(shared, &partition, data.records.unwrap_or_default()));
    match appended {
        Ok(base) => response.with_base_offset(base).with_log_append_time_ms(-1),
        Err(refusal) => response
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_error_code(refusal.code()),
    }
}

fn append(shared: &Shared, partition: &Arc<Partition>, records: Bytes) -> Result<i64, Refusal> {
    let heads = Head::read_all(&records).map_err(|malformed| match malformed {
        Malformed::Broken => Refusal::InvalidRecord,
        Malformed::OldFormat => Refusal::UnsupportedForMessageFormat,
    })?;
    if let Some(liar) = &shared.liar {
        return liar.produce(partition, &heads, records);
    }
    partition.follow(&heads).and_then(|()| partition.append(&heads, &records)).map_err(refusal)
}

/// The answer to a producer whose batches were not appended.
pub fn refusal(reason: NotAppended) -> Refusal {
    match reason {
        // Not one of the codes after which a client tries again: memory does not come back by
        // waiting, and a silent retry would look like a slow server.
        NotAppended::Full => Refusal::PolicyViolation,
        NotAppended::OutOfSequence(OutOfSequence::Duplicate) => Refusal::DuplicateSequenceNumber,
        NotAppended::OutOfSequence(OutOfSequence::Gap) => Refusal::OutOfOrderSequenceNumber,
    }
}
