//! The consumer: all partitions, from their beginning, assigned by hand.

use std::{
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use super::{
    notes::{Listener, Notes},
    place::{Place, reason},
    topic,
};
use crate::{
    backend::{BackendError, Consumer, Inbox},
    clock::Clock,
    stamp::Stamp,
};

/// Longest wait for a message before the inbox is asked whether to stop.
const NAP: Duration = Duration::from_millis(20);
/// How long a topic may be unknown to a server that had it: a broker that has just come back may
/// know none for a moment; one that does not know it for longer has lost it.
const COMEBACK: Duration = Duration::from_secs(15);
/// Longest wait for an answer meanwhile.
const ANSWER: Duration = Duration::from_millis(500);
/// How often a server must say that it does not know the topic until that is believed.
const QUESTIONS: u32 = 4;
/// Messages after which the inbox is flushed though more are at hand.
const BATCH: u32 = 256;

/// A consumer connected to the topic's leaders.
pub(super) struct KafkaConsumer {
    place: Place,
    consumer: BaseConsumer<Listener>,
    /// Partitions still to be assigned.
    start: Option<TopicPartitionList>,
    clock: Clock,
}

impl KafkaConsumer {
    /// Connects and finds the beginning of every partition. Blocks.
    ///
    /// An empty topic is fetched from at once. A loaded one is not before [`Consumer::run`]: what
    /// librdkafka would read ahead is part of what is measured.
    pub(super) fn connect(
        place: &Place,
        config: &ClientConfig,
        clock: Clock,
        cluster: Option<&str>,
    ) -> Result<Self, BackendError> {
        let failed = |error: KafkaError| place.failed("connecting the consumer", reason(&error));
        let listener = Listener(Notes::to_log("consumer"));
        let consumer: BaseConsumer<_> = config.create_with_context(listener).map_err(failed)?;
        let held = topic::held(consumer.client(), &place.topic)
            .and_then(|held| Place::same(consumer.client(), cluster).map(|()| held))
            .map_err(|last| place.failed("connecting the consumer", last))?;
        let mut start = TopicPartitionList::new();
        for (partition, held) in (0..).zip(&held) {
            start
                .add_partition_offset(&place.topic, partition, Offset::Offset(held.low))
                .map_err(failed)?;
        }
        let empty = held.iter().all(|held| held.low == held.high);
        let mut connected = Self { place: place.clone(), consumer, start: Some(start), clock };
        if empty {
            connected.assign()?;
        }
        Ok(connected)
    }

    /// Whether the server has the topic, asked now: librdkafka by itself would look again in minutes.
    /// `None` when it does not answer.
    fn is_known(&self) -> Option<bool> {
        let name = &*self.place.topic;
        let known = self.consumer.fetch_metadata(Some(name), ANSWER).ok()?;
        let mut topics = known.topics().iter().filter(|topic| topic.name() == name);
        Some(topics.any(|topic| topic.error().is_none() && !topic.partitions().is_empty()))
    }

    /// Whether the topic is there at the end of the reading. librdkafka may keep it to itself for
    /// half a minute that the server knows it no longer, which is longer than a short load.
    fn ended(&self) -> Result<(), BackendError> {
        for _ in 0..QUESTIONS {
            if self.is_known() != Some(false) {
                return Ok(());
            }
            thread::sleep(ANSWER);
        }
        Err(self.without_topic("the server does not know it"))
    }

    /// What to say when the topic is not there any more.
    fn without_topic(&self, last: &str) -> BackendError {
        let reason = format!(
            "{last}\n  the topic {} was there and is not any more: find out who deletes topics \
             on that server, and run again",
            self.place.topic
        );
        self.place.failed("reading the topic", reason)
    }

    fn assign(&mut self) -> Result<(), BackendError> {
        let Some(start) = self.start.take() else { return Ok(()) };
        self.consumer
            .assign(&start)
            .map_err(|error| self.place.failed("assigning the partitions", reason(&error)))
    }
}

impl Consumer for KafkaConsumer {
    fn run(mut self: Box<Self>, inbox: &mut dyn Inbox) -> Result<(), BackendError> {
        self.assign()?;
        let (mut untold, mut gone) = (0, None::<(Instant, String)>);
        loop {
            let polled = self.consumer.poll(if untold == 0 { NAP } else { Duration::ZERO });
            match polled {
                Some(Ok(message)) => {
                    let at = self.clock.now();
                    match message.payload().and_then(Stamp::split) {
                        Some((stamp, payload)) => inbox.arrived(at, stamp, payload),
                        None => inbox.foreign(),
                    }
                    untold += 1;
                    if untold < BATCH {
                        continue;
                    }
                }
                Some(Err(error)) if passes(&error) => {
                    tracing::debug!(target: "hubmark::kafka", "consumer: {error}");
                }
                Some(Err(error)) if is_unknown(&error) => {
                    tracing::debug!(target: "hubmark::kafka", "consumer: {error}");
                    gone.get_or_insert((Instant::now(), reason(&error)));
                }
                Some(Err(error)) => {
                    inbox.flush();
                    return Err(self.place.failed("reading the topic", reason(&error)));
                }
                None => {}
            }
            if let Some((since, last)) = &mut gone {
                match self.is_known() {
                    Some(true) => gone = None,
                    // A server that is away says nothing about its topics.
                    None => *since = Instant::now(),
                    Some(false) if since.elapsed() > COMEBACK => {
                        inbox.flush();
                        return Err(self.without_topic(last));
                    }
                    Some(false) => {}
                }
            }
            if untold > 0 {
                inbox.flush();
                untold = 0;
            }
            if inbox.stopped() {
                return match gone {
                    Some((_, last)) => Err(self.without_topic(&last)),
                    None => self.ended(),
                };
            }
        }
    }
}

/// Whether the server said that it has no such topic or partition.
fn is_unknown(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumption(
            Code::UnknownPartition | Code::UnknownTopic | Code::UnknownTopicOrPartition
        )
    )
}

/// Whether librdkafka goes on by itself after that error.
fn passes(error: &KafkaError) -> bool {
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
    fn a_broker_that_is_away_is_waited_for_and_a_lost_position_is_not() {
        assert!(passes(&KafkaError::MessageConsumption(Code::BrokerTransportFailure)));
        assert!(passes(&KafkaError::PartitionEOF(0)));
        assert!(!passes(&KafkaError::MessageConsumption(Code::AutoOffsetReset)));
        assert!(!passes(&KafkaError::MessageConsumption(Code::UnknownTopicOrPartition)));
        assert!(!passes(&KafkaError::MessageConsumptionFatal(Code::BrokerTransportFailure)));
    }
}
