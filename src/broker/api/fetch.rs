//! Fetch: answers at once when enough data is available, otherwise as soon as enough arrives.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::messages::{
    FetchRequest, FetchResponse,
    fetch_request::FetchPartition,
    fetch_response::{FetchableTopicResponse, PartitionData},
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::broker::{context::BrokerContext, error_code::ErrorCode, store::Partition};

/// Waits until `min_bytes` are available, a partition cannot be read, or `max_wait` has passed;
/// returns the data available then.
pub async fn fetch(
    shared: &BrokerContext,
    waiter: &Arc<Notify>,
    request: &FetchRequest,
) -> FetchResponse {
    let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
    while !is_satisfied(shared, waiter, request) {
        if timeout_at(deadline, waiter.notified()).await.is_err() {
            break;
        }
    }
    build_response(shared, request)
}

fn is_satisfied(shared: &BrokerContext, waiter: &Arc<Notify>, request: &FetchRequest) -> bool {
    let needed = u64::try_from(request.min_bytes).unwrap_or(0);
    let mut available = 0;
    for topic in &request.topics {
        for requested in &topic.partitions {
            let Some(partition) = shared.store.partition(&topic.topic, requested.partition) else {
                return true;
            };
            partition.add_waiter(waiter);
            match partition.log().available_bytes(requested.fetch_offset) {
                Ok(bytes) => available += bytes,
                Err(_) => return true,
            }
        }
    }
    available >= needed
}

fn build_response(shared: &BrokerContext, request: &FetchRequest) -> FetchResponse {
    let mut budget =
        ResponseBudget { left: usize::try_from(request.max_bytes).unwrap_or(0), empty: true };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|requested| {
            let partition = shared.store.partition(&topic.topic, requested.partition);
            read_partition(partition.as_deref(), requested, &mut budget)
        });
        let partitions = partitions.collect();
        FetchableTopicResponse::default()
            .with_topic(topic.topic.clone())
            .with_partitions(partitions)
    });
    let topics = topics.collect();
    FetchResponse::default().with_responses(topics)
}

/// The bytes that a response may still take. The first batch is returned whatever its size, because
/// a client with small limits would otherwise never get past it.
struct ResponseBudget {
    left: usize,
    empty: bool,
}

fn read_partition(
    partition: Option<&Partition>,
    requested: &FetchPartition,
    budget: &mut ResponseBudget,
) -> PartitionData {
    let data = PartitionData::default()
        .with_partition_index(requested.partition)
        .with_aborted_transactions(None)
        .with_records(Some(Bytes::new()));
    let Some(partition) = partition else {
        return data
            .with_error_code(ErrorCode::UnknownTopicOrPartition.code())
            .with_high_watermark(-1);
    };
    let most = usize::try_from(requested.partition_max_bytes).unwrap_or(0).min(budget.left);
    let mut log = partition.log();
    let data = data
        .with_high_watermark(log.end())
        .with_last_stable_offset(log.end())
        .with_log_start_offset(log.start());
    match log.read(requested.fetch_offset, most, budget.empty) {
        Ok(records) => {
            budget.left = budget.left.saturating_sub(records.len());
            budget.empty &= records.is_empty();
            data.with_records(Some(records))
        }
        Err(_) => data.with_error_code(ErrorCode::OffsetOutOfRange.code()),
    }
}
