//! Fetch: answers at once when there is enough, otherwise as soon as enough arrives.

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

use super::Refusal;
use crate::broker::{Shared, store::Partition};

/// Waits until `min_bytes` are there, one partition cannot be read, or `max_wait` is over, and
/// answers with what there is.
pub async fn fetch(shared: &Shared, waiter: &Arc<Notify>, request: &FetchRequest) -> FetchResponse {
    let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
    while !enough(shared, waiter, request) {
        if timeout_at(deadline, waiter.notified()).await.is_err() {
            break;
        }
    }
    respond(shared, request)
}

fn enough(shared: &Shared, waiter: &Arc<Notify>, request: &FetchRequest) -> bool {
    let wanted = u64::try_from(request.min_bytes).unwrap_or(0);
    let mut available = 0;
    for topic in &request.topics {
        for asked in &topic.partitions {
            let Some(partition) = shared.store.partition(&topic.topic, asked.partition) else {
                return true;
            };
            partition.watch(waiter);
            match partition.log().available(asked.fetch_offset) {
                Ok(bytes) => available += bytes,
                Err(_) => return true,
            }
        }
    }
    available >= wanted
}

fn respond(shared: &Shared, request: &FetchRequest) -> FetchResponse {
    let mut room = Room { left: usize::try_from(request.max_bytes).unwrap_or(0), empty: true };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let partition = shared.store.partition(&topic.topic, asked.partition);
            read(partition.as_deref(), asked, &mut room)
        });
        let partitions = partitions.collect();
        FetchableTopicResponse::default()
            .with_topic(topic.topic.clone())
            .with_partitions(partitions)
    });
    let topics = topics.collect();
    FetchResponse::default().with_responses(topics)
}

/// What an answer may still hold. The first batch is given whatever its size, lest a client with
/// small limits never gets past it.
struct Room {
    left: usize,
    empty: bool,
}

fn read(partition: Option<&Partition>, asked: &FetchPartition, room: &mut Room) -> PartitionData {
    let data = PartitionData::default()
        .with_partition_index(asked.partition)
        .with_aborted_transactions(None)
        .with_records(Some(Bytes::new()));
    let Some(partition) = partition else {
        return data
            .with_error_code(Refusal::UnknownTopicOrPartition.code())
            .with_high_watermark(-1);
    };
    let most = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(room.left);
    let mut log = partition.log();
    let data = data
        .with_high_watermark(log.end())
        .with_last_stable_offset(log.end())
        .with_log_start_offset(log.start());
    match log.read(asked.fetch_offset, most, room.empty) {
        Ok(records) => {
            room.left = room.left.saturating_sub(records.len());
            room.empty &= records.is_empty();
            data.with_records(Some(records))
        }
        Err(_) => data.with_error_code(Refusal::OffsetOutOfRange.code()),
    }
}
