//! Produce: appends batches unchanged, or passes them to the fault injector.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    ProduceRequest, ProduceResponse,
    produce_request::PartitionProduceData,
    produce_response::{PartitionProduceResponse, TopicProduceResponse},
};

use crate::broker::{
    batch::{BatchHeader, MalformedBatch},
    context::BrokerContext,
    error_code::{ErrorCode, error_code},
    store::Partition,
};

/// Appends a producer's batches, and answers with their offsets.
pub fn produce(shared: &BrokerContext, request: ProduceRequest) -> ProduceResponse {
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.into_iter().map(|data| {
            let partition = shared.store.partition(&topic.name, data.index);
            produce_to_partition(shared, partition, data)
        });
        let partitions = partitions.collect();
        TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions)
    });
    ProduceResponse::default().with_responses(topics.collect())
}

fn produce_to_partition(
    shared: &BrokerContext,
    partition: Option<Arc<Partition>>,
    data: PartitionProduceData,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(data.index);
    let appended = partition
        .ok_or(ErrorCode::UnknownTopicOrPartition)
        .and_then(|partition| append(shared, &partition, data.records.unwrap_or_default()));
    match appended {
        Ok(base) => response.with_base_offset(base).with_log_append_time_ms(-1),
        Err(error) => {
            response.with_base_offset(-1).with_log_append_time_ms(-1).with_error_code(error.code())
        }
    }
}

fn append(
    shared: &BrokerContext,
    partition: &Arc<Partition>,
    records: Bytes,
) -> Result<i64, ErrorCode> {
    let headers = BatchHeader::read_all(&records).map_err(|malformed| match malformed {
        MalformedBatch::Broken => ErrorCode::InvalidRecord,
        MalformedBatch::OldFormat => ErrorCode::UnsupportedForMessageFormat,
    })?;
    if let Some(injector) = &shared.injector {
        return injector.produce(partition, &headers, records);
    }
    partition
        .check_sequences(&headers)
        .and_then(|()| partition.append(&headers, &records))
        .map_err(error_code)
}
