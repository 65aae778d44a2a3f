//! All users' producers: connecting, sending, shutting down.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::{BaseRecord, Producer, PurgeConfig},
};

use super::{
    error::describe_error,
    poller::{self, FleetState, UserProducer},
};
use crate::{
    backend::{BackendError, Fleet, Handover, SendError, kafka::target::KafkaTarget},
    stamp::{Stamp, UserId},
};

/// Longest time for one user to connect, in times of one request.
const CONNECT_REQUESTS: u32 = 6;
/// Attempts in the time of one request; between them the fleet's shutdown flag is checked.
const ATTEMPTS_PER_REQUEST: u32 = 5;
/// Longest time for reporting the outcome of purged messages.
const PURGE_TIMEOUT: Duration = Duration::from_secs(2);
/// Threads that connect or destroy producers in parallel: they mostly wait.
const WORKER_THREADS: u32 = 16;

/// The producers of all users, and the thread that polls them.
pub struct RdkafkaFleet {
    producers: Arc<Vec<UserProducer>>,
    topic: Arc<str>,
    partitions: i32,
    state: Arc<FleetState>,
    poller: Option<JoinHandle<()>>,
}

impl RdkafkaFleet {
    /// Connects `users` producers to the leaders of the topic; blocks.
    ///
    /// Fails early when `state` is closed meanwhile.
    pub fn connect(
        target: &KafkaTarget,
        config: &ClientConfig,
        users: u32,
        partitions: i32,
        state: Arc<FleetState>,
    ) -> Result<Self, BackendError> {
        let producers = Arc::new(connect_all(target, config, users, partitions, &state)?);
        let poller = thread::Builder::new()
            .name(poller::POLLER_NAME.into())
            .spawn({
                let (state, producers) = (Arc::clone(&state), Arc::clone(&producers));
                move || poller::run_poller(&state, &producers)
            })
            .map_err(|error| target.operation_error("starting the polling thread", error))?;
        let topic = Arc::clone(&target.topic);
        Ok(Self { producers, topic, partitions, state, poller: Some(poller) })
    }
}

impl Fleet for RdkafkaFleet {
    fn send(&mut self, user: UserId, _stamp: Stamp, message: &[u8]) -> Result<Handover, SendError> {
        let Some(producer) = self.producers.get(user as usize) else {
            return Err(SendError::Refused(format!("there is no user {user}")));
        };
        let record = BaseRecord::<(), [u8]>::to(&self.topic)
            .partition(partition(user, self.partitions))
            .payload(message);
        match producer.send(record) {
            Ok(()) => {
                producer.context().mark_busy();
                Ok(Handover::Taken)
            }
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => Err(SendError::Full),
            Err((error, _)) => Err(SendError::Refused(describe_refusal(&error, message.len()))),
        }
    }

    /// Does nothing: librdkafka sends an incomplete batch by itself after `linger.ms`.
    fn flush(&mut self) {}
}

impl Drop for RdkafkaFleet {
    fn drop(&mut self) {
        self.state.close();
        if let Some(poller) = self.poller.take()
            && poller.join().is_err()
        {
            tracing::error!(target: "hubmark::kafka", "the polling thread had panicked");
        }
        let producers = Arc::into_inner(std::mem::take(&mut self.producers)).unwrap_or_default();
        purge_in_flight(&self.state, &producers);
        self.state.report_acked();
        // Destroying a producer waits for its threads to end.
        let producers = Mutex::new(producers.into_iter());
        run_in_parallel(|| {
            while let Some(producer) = take_next(&producers) {
                drop(producer);
            }
        });
    }
}

/// Describes why librdkafka itself did not take a message of `bytes` bytes.
///
/// Where its own limit has the meaning of a server's error, librdkafka uses the code of that error, whose
/// text begins with "Broker".
fn describe_refusal(error: &KafkaError, bytes: usize) -> String {
    let reason = match error.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge) => {
            format!("it has {bytes} bytes, more than the producer's message.max.bytes")
        }
        Some(code) => {
            let text = code.to_string();
            let own = text.strip_prefix("Broker: ").or(text.strip_prefix("Local: "));
            own.unwrap_or(&text).to_lowercase()
        }
        None => error.to_string(),
    };
    format!("the client library did not take the message, and did not ask the server: {reason}")
}

/// Purges all messages that librdkafka still holds, so that their outcome is reported.
fn purge_in_flight(state: &FleetState, producers: &[UserProducer]) {
    for producer in producers {
        producer.purge(PurgeConfig::default().queue().inflight().non_blocking());
    }
    let started = Instant::now();
    let mut waiting: Vec<_> = producers.iter().collect();
    while !waiting.is_empty() && started.elapsed() < PURGE_TIMEOUT {
        waiting.retain(|producer| {
            state.poll(producer);
            producer.in_flight_count() > 0
        });
        if !waiting.is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Connects all users on a few threads, since connecting is mostly waiting.
fn connect_all(
    target: &KafkaTarget,
    config: &ClientConfig,
    users: u32,
    partitions: i32,
    state: &Arc<FleetState>,
) -> Result<Vec<UserProducer>, BackendError> {
    let (todo, failure) = (Mutex::new(0..users), Mutex::new(None));
    let done: Mutex<Vec<(UserId, UserProducer)>> = Mutex::default();
    run_in_parallel(|| {
        while let Some(user) = take_next(&todo) {
            match connect_user(target, config, state, user, partition(user, partitions)) {
                Ok(producer) => {
                    let mut done = done.lock();
                    done.push((user, producer));
                    state.outcomes.connected(u32::try_from(done.len()).unwrap_or(u32::MAX));
                }
                Err(error) => {
                    *todo.lock() = 0..0;
                    failure.lock().get_or_insert(error);
                }
            }
        }
    });
    if let Some(error) = failure.into_inner() {
        return Err(error);
    }
    let mut done = done.into_inner();
    done.sort_unstable_by_key(|(user, _)| *user);
    Ok(done.into_iter().map(|(_, producer)| producer).collect())
}

/// Creates one user's producer and connects it to the leader of its partition.
///
/// librdkafka connects to a leader only when it has a request for it. Querying the partition's
/// offsets makes it connect now, and fetches the topic's metadata on the way.
fn connect_user(
    target: &KafkaTarget,
    config: &ClientConfig,
    state: &Arc<FleetState>,
    user: UserId,
    partition: i32,
) -> Result<UserProducer, BackendError> {
    let what = || format!("connecting user {}", user + 1);
    let producer: UserProducer = config
        .create_with_context(state.user_context(user))
        .map_err(|error| target.operation_error(what(), describe_error(&error)))?;
    let (attempt_timeout, connect_timeout) =
        (target.request_timeout / ATTEMPTS_PER_REQUEST, target.request_timeout * CONNECT_REQUESTS);
    let started = Instant::now();
    loop {
        let Err(error) =
            producer.client().fetch_watermarks(&target.topic, partition, attempt_timeout)
        else {
            return Ok(producer);
        };
        if state.is_closing() || started.elapsed() > connect_timeout {
            // librdkafka reports the cause of the failure as an event.
            (0..32).for_each(|_| producer.poll(Duration::ZERO));
            let last = state.last_error().map(|last| format!("; {last}")).unwrap_or_default();
            return Err(target.operation_error(what(), describe_error(&error) + &last));
        }
    }
}

/// Returns the partition that a user always writes to.
fn partition(user: UserId, partitions: i32) -> i32 {
    (user % partitions.unsigned_abs().max(1)).cast_signed()
}

fn take_next<I: Iterator>(items: &Mutex<I>) -> Option<I::Item> {
    items.lock().next()
}

/// Runs `work` on several threads and waits for all of them.
fn run_in_parallel(work: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 1..WORKER_THREADS {
            // Fewer threads only take longer.
            if thread::Builder::new().spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_the_library_is_not_said_to_be_the_brokers() {
        for code in [Code::MessageSizeTooLarge, Code::UnknownPartition, Code::InvalidMessage] {
            let text = describe_refusal(&KafkaError::MessageProduction(code), 1_000_008);
            assert!(!text.contains("Broker") && text.contains("client library"), "{text}");
        }
        let large = KafkaError::MessageProduction(Code::MessageSizeTooLarge);
        assert!(describe_refusal(&large, 1_000_008).contains("1000008 bytes"));
    }
}
