//! First and last offsets of a topic's partitions; blocks.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
};

use super::{
    cluster::{Cluster, Recipient, topic_name},
    error::ControlError,
};

/// Longest wait for one answer before the query is repeated.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
const RETRY_INTERVAL: Duration = Duration::from_millis(10);
/// Latest version of the request; later ones ask for offsets in tiered storage.
const LIST_OFFSETS_VERSION: i16 = 7;
/// Times that ask for the first offset and for the one after the last.
const FIRST: i64 = -2;
const NEXT: i64 = -1;

/// First offset and end offset of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// Offset of its first message.
    pub low: i64,
    /// Offset after its last message.
    pub high: i64,
}

/// Asks the leaders of all partitions for their offsets.
///
/// Metadata may name a broker as the leader a moment before the broker itself knows, so a failed query is repeated
/// for up to [`Cluster::request_timeout`].
pub fn fetch_offsets(
    cluster: &mut Cluster,
    topic: &str,
) -> Result<Vec<PartitionOffsets>, ControlError> {
    let started = Instant::now();
    loop {
        match try_fetch_offsets(cluster, topic) {
            Err(ControlError::Credentials(reason)) => {
                return Err(ControlError::Credentials(reason));
            }
            Err(_) if started.elapsed() < cluster.request_timeout() => {
                thread::sleep(RETRY_INTERVAL);
            }
            answer => return answer,
        }
    }
}

fn try_fetch_offsets(
    cluster: &mut Cluster,
    name: &str,
) -> Result<Vec<PartitionOffsets>, ControlError> {
    let topic = cluster.topic(name, ATTEMPT_TIMEOUT)?;
    let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for partition in &topic.partitions {
        by_leader.entry(partition.leader_id.0).or_default().push(partition.partition_index);
    }
    let mut found = BTreeMap::new();
    for (leader, partitions) in by_leader {
        let low = list(cluster, leader, name, &partitions, FIRST)?;
        let high = list(cluster, leader, name, &partitions, NEXT)?;
        for partition in partitions {
            let missing = || ControlError::Malformed("it lacks the offset of a partition".into());
            let offset = |offsets: &BTreeMap<i32, i64>| offsets.get(&partition).copied();
            let low = offset(&low).ok_or_else(missing)?;
            let high = offset(&high).ok_or_else(missing)?;
            found.insert(partition, PartitionOffsets { low, high });
        }
    }
    Ok(found.into_values().collect())
}

/// Asks the leader of `partitions` for their offsets at `time`.
fn list(
    cluster: &mut Cluster,
    leader: i32,
    topic: &str,
    partitions: &[i32],
    time: i64,
) -> Result<BTreeMap<i32, i64>, ControlError> {
    let asked = partitions.iter().map(|partition| {
        ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(time)
    });
    let topic =
        ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(asked.collect());
    let request =
        ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let recipient = Recipient::Broker(leader);
    let answer = cluster.call(recipient, LIST_OFFSETS_VERSION, &request, ATTEMPT_TIMEOUT)?;
    let mut found = BTreeMap::new();
    for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
        ControlError::check(partition.error_code)?;
        found.insert(partition.partition_index, partition.offset);
    }
    Ok(found)
}
