//! The consumer, assigned to all partitions from their first message.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use super::{
    error::describe_error,
    error_reporter::{ErrorReporter, LoggingContext},
};
use crate::{
    backend::{
        BackendError, Consumer, MessageSink,
        kafka::{
            control::offsets::PartitionOffsets,
            target::KafkaTarget,
            topic_check::{METADATA_TIMEOUT, TOPIC_RECOVERY_TIMEOUT, verify_topic_exists},
        },
    },
    clock::Clock,
    hot_thread::{self, HotThread, ThreadRole},
    stamp::Stamp,
};

/// Longest wait for a message before the stop flag is checked.
const POLL_TIMEOUT: Duration = Duration::from_millis(20);
/// Messages after which the sink is flushed while more are available.
const FLUSH_MESSAGES: u32 = 256;

/// A consumer connected to the leaders of the topic's partitions.
pub struct RdkafkaConsumer {
    target: KafkaTarget,
    consumer: BaseConsumer<LoggingContext>,
    /// Partitions with their start offsets; `None` once they are assigned.
    start_offsets: Option<TopicPartitionList>,
    clock: Clock,
    /// librdkafka's threads that receive for this consumer.
    receiving_threads: Vec<Arc<HotThread>>,
}

impl RdkafkaConsumer {
    /// Connects to the partitions, each of which has its first and last offset in `offsets`; blocks.
    ///
    /// Fetching from an empty topic starts at once. Fetching from a loaded topic starts with
    /// [`Consumer::run`]: messages that librdkafka reads ahead belong to the measurement.
    pub fn connect(
        target: &KafkaTarget,
        config: &ClientConfig,
        offsets: &[PartitionOffsets],
        clock: Clock,
    ) -> Result<Self, BackendError> {
        let failed = |error: KafkaError| {
            target.operation_error("connecting the consumer", describe_error(&error))
        };
        let threads_before = hot_thread::thread_ids();
        let context = LoggingContext(ErrorReporter::to_log("consumer"));
        let consumer: BaseConsumer<_> = config.create_with_context(context).map_err(failed)?;
        let mut start = TopicPartitionList::new();
        for (partition, offsets) in (0..).zip(offsets) {
            start
                .add_partition_offset(&target.topic, partition, Offset::Offset(offsets.low))
                .map_err(failed)?;
        }
        let empty = offsets.iter().all(|offsets| offsets.low == offsets.high);
        let mut connected = Self {
            target: target.clone(),
            consumer,
            start_offsets: Some(start),
            clock,
            receiving_threads: receiving_threads(&threads_before),
        };
        if empty {
            connected.assign_partitions()?;
        }
        Ok(connected)
    }

    /// Asks the server whether the topic exists; `None` without an answer.
    ///
    /// librdkafka by itself would refresh its metadata only after minutes.
    fn topic_exists(&self) -> Option<bool> {
        let name = &*self.target.topic;
        let metadata = self.consumer.fetch_metadata(Some(name), METADATA_TIMEOUT).ok()?;
        let mut topics = metadata.topics().iter().filter(|topic| topic.name() == name);
        Some(topics.any(|topic| topic.error().is_none() && !topic.partitions().is_empty()))
    }

    fn assign_partitions(&mut self) -> Result<(), BackendError> {
        let Some(start) = self.start_offsets.take() else { return Ok(()) };
        self.consumer.assign(&start).map_err(|error| {
            self.target.operation_error("assigning the partitions", describe_error(&error))
        })
    }
}

impl Consumer for RdkafkaConsumer {
    fn run(mut self: Box<Self>, sink: &mut dyn MessageSink) -> Result<(), BackendError> {
        self.assign_partitions()?;
        self.receiving_threads.iter().for_each(|thread| sink.watch_thread(thread));
        let (mut unflushed, mut missing) = (0, None::<(Instant, String)>);
        loop {
            let polled =
                self.consumer.poll(if unflushed == 0 { POLL_TIMEOUT } else { Duration::ZERO });
            match polled {
                Some(Ok(message)) => {
                    let at = self.clock.now();
                    match message.payload().and_then(Stamp::split) {
                        Some((stamp, payload)) => sink.arrived(at, stamp, payload),
                        None => sink.foreign(),
                    }
                    unflushed += 1;
                    if unflushed < FLUSH_MESSAGES {
                        continue;
                    }
                }
                Some(Err(error)) if is_transient(&error) => {
                    tracing::debug!(target: "hubmark::kafka", "consumer: {error}");
                }
                Some(Err(error)) if is_unknown_topic(&error) => {
                    tracing::debug!(target: "hubmark::kafka", "consumer: {error}");
                    missing.get_or_insert((Instant::now(), describe_error(&error)));
                }
                Some(Err(error)) => {
                    sink.flush();
                    return Err(self
                        .target
                        .operation_error("reading the topic", describe_error(&error)));
                }
                None => {}
            }
            if let Some((since, last)) = &mut missing {
                match self.topic_exists() {
                    Some(true) => missing = None,
                    // Without an answer the topic's state is unknown: restart the timeout.
                    None => *since = Instant::now(),
                    Some(false) if since.elapsed() > TOPIC_RECOVERY_TIMEOUT => {
                        sink.flush();
                        return Err(self.target.topic_missing_error(last));
                    }
                    Some(false) => {}
                }
            }
            if unflushed > 0 {
                sink.flush();
                unflushed = 0;
            }
            if sink.is_stopped() {
                return match missing {
                    Some((_, last)) => Err(self.target.topic_missing_error(&last)),
                    // librdkafka may hide for half a minute that the server no longer has the topic, which is
                    // longer than a short load.
                    None => verify_topic_exists(&self.target, || self.topic_exists()),
                };
            }
        }
    }
}

/// Returns librdkafka's threads for brokers among those that were started since `before`: one of them
/// receives all messages of a broker, and verifies and unpacks them.
fn receiving_threads(before: &BTreeSet<i32>) -> Vec<Arc<HotThread>> {
    let new = hot_thread::thread_ids();
    let brokers = new.difference(before).filter_map(|id| {
        let name = hot_thread::thread_name(*id)?;
        name.starts_with("rdk:broker")
            .then(|| HotThread::of_library(*id, name, ThreadRole::Receives))
    });
    brokers.collect()
}

/// Whether the server reported that the topic or partition does not exist.
fn is_unknown_topic(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumption(
            Code::UnknownPartition | Code::UnknownTopic | Code::UnknownTopicOrPartition
        )
    )
}

/// Whether librdkafka recovers from the error by itself.
fn is_transient(error: &KafkaError) -> bool {
    let KafkaError::MessageConsumption(code) = error else {
        return matches!(error, KafkaError::PartitionEOF(_));
    };
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::ReplicaNotAvailable
            | Code::BrokerNotAvailable
            | Code::NetworkException
            | Code::KafkaStorageError
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::GroupAuthorizationFailed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreachable_broker_is_transient_and_a_lost_offset_is_not() {
        assert!(is_transient(&KafkaError::MessageConsumption(Code::BrokerTransportFailure)));
        assert!(is_transient(&KafkaError::PartitionEOF(0)));
        assert!(!is_transient(&KafkaError::MessageConsumption(Code::AutoOffsetReset)));
        assert!(!is_transient(&KafkaError::MessageConsumption(Code::UnknownTopicOrPartition)));
        assert!(!is_transient(&KafkaError::MessageConsumptionFatal(Code::BrokerTransportFailure)));
    }
}
