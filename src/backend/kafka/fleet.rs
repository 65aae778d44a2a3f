//! All users' producers: connecting them, handing messages over, taking them down.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, Producer, PurgeConfig},
};

use super::{
    place::{Place, reason},
    poller::{self, Hall, UserProducer},
};
use crate::{
    backend::{BackendError, Fleet, SendError},
    stamp::{Stamp, User},
};

/// Longest time in which one user may connect.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for one answer meanwhile; then it is asked whether anybody still waits for it.
const ANSWER: Duration = Duration::from_secs(1);
/// Longest time that a fleet takes to give up what is still in flight.
const FAREWELL: Duration = Duration::from_secs(2);
/// Threads that connect users, or take them down, side by side: most of it is waiting.
const HANDS: u32 = 16;

/// The producers of all users, and the thread that serves them.
pub(super) struct KafkaFleet {
    producers: Arc<Vec<UserProducer>>,
    topic: Arc<str>,
    partitions: i32,
    hall: Arc<Hall>,
    poller: Option<JoinHandle<()>>,
}

impl KafkaFleet {
    /// Connects `users` producers to the leaders of the topic. Blocks; gives up when the hall is
    /// closed meanwhile.
    pub(super) fn connect(
        place: &Place,
        config: &ClientConfig,
        users: u32,
        partitions: i32,
        hall: Arc<Hall>,
    ) -> Result<Self, BackendError> {
        let producers = Arc::new(connect_all(place, config, users, partitions, &hall)?);
        let served = (Arc::clone(&hall), Arc::clone(&producers));
        let poller = thread::Builder::new()
            .name("kafka-poller".into())
            .spawn(move || poller::serve(&served.0, &served.1))
            .map_err(|error| place.failed("starting the polling thread", error))?;
        let topic = Arc::clone(&place.topic);
        Ok(Self { producers, topic, partitions, hall, poller: Some(poller) })
    }
}

impl Fleet for KafkaFleet {
    fn send(&mut self, user: User, _stamp: Stamp, message: &[u8]) -> Result<(), SendError> {
        let Some(producer) = self.producers.get(user as usize) else {
            return Err(SendError::Refused(format!("there is no user {user}")));
        };
        let record = BaseRecord::<(), [u8]>::to(&self.topic)
            .partition(partition(user, self.partitions))
            .payload(message);
        match producer.send(record) {
            Ok(()) => {
                producer.context().list();
                Ok(())
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                Err(SendError::Full)
            }
            Err((error, _)) => Err(SendError::Refused(error.to_string())),
        }
    }

    /// Nothing to do: librdkafka sends an unfilled bundle by itself when `linger.ms` is over.
    fn flush(&mut self) {}
}

impl Drop for KafkaFleet {
    fn drop(&mut self) {
        self.hall.close();
        if let Some(poller) = self.poller.take()
            && poller.join().is_err()
        {
            tracing::error!(target: "hubmark::kafka", "the polling thread had panicked");
        }
        let producers = Arc::into_inner(std::mem::take(&mut self.producers)).unwrap_or_default();
        give_up(&self.hall, &producers);
        self.hall.report();
        // Destroying one waits for its threads to end.
        let producers = Mutex::new(producers.into_iter());
        side_by_side(|| {
            while let Some(producer) = next(&producers) {
                drop(producer);
            }
        });
    }
}

/// Takes what is still in flight out of librdkafka, so that its outcome is told.
fn give_up(hall: &Hall, producers: &[UserProducer]) {
    for producer in producers {
        producer.purge(PurgeConfig::default().queue().inflight().non_blocking());
    }
    let started = Instant::now();
    let mut waiting: Vec<_> = producers.iter().collect();
    while !waiting.is_empty() && started.elapsed() < FAREWELL {
        waiting.retain(|producer| {
            hall.poll(producer);
            producer.in_flight_count() > 0
        });
        if !waiting.is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Connects the users on a few threads, for connecting is mostly waiting.
fn connect_all(
    place: &Place,
    config: &ClientConfig,
    users: u32,
    partitions: i32,
    hall: &Arc<Hall>,
) -> Result<Vec<UserProducer>, BackendError> {
    let (todo, failure) = (Mutex::new(0..users), Mutex::new(None));
    let done: Mutex<Vec<(User, UserProducer)>> = Mutex::default();
    side_by_side(|| {
        while let Some(user) = next(&todo) {
            match connect_one(place, config, hall, user, partition(user, partitions)) {
                Ok(producer) => {
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((user, producer));
                    hall.reports.connected(u32::try_from(done.len()).unwrap_or(u32::MAX));
                }
                Err(error) => {
                    *todo.lock().unwrap_or_else(PoisonError::into_inner) = 0..0;
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(user, _)| *user);
    Ok(done.into_iter().map(|(_, producer)| producer).collect())
}

/// One user's producer, connected to the leader of its partition.
///
/// librdkafka connects to a leader when it first has something for it. A question about the
/// partition makes it do so now, and teaches it the topic on the way.
fn connect_one(
    place: &Place,
    config: &ClientConfig,
    hall: &Arc<Hall>,
    user: User,
    partition: i32,
) -> Result<UserProducer, BackendError> {
    let what = || format!("connecting user {}", user + 1);
    let producer: UserProducer = config
        .create_with_context(hall.line(user))
        .map_err(|error| place.failed(what(), reason(&error)))?;
    let started = Instant::now();
    loop {
        let Err(error) = producer.client().fetch_watermarks(&place.topic, partition, ANSWER) else {
            return Ok(producer);
        };
        if hall.closed() || started.elapsed() > PATIENCE {
            // Why librdkafka could not is among its events.
            (0..32).for_each(|_| producer.poll(Duration::ZERO));
            let last = hall.last_error().map(|last| format!("; {last}")).unwrap_or_default();
            return Err(place.failed(what(), reason(&error) + &last));
        }
    }
}

/// The partition to which a user always writes.
fn partition(user: User, partitions: i32) -> i32 {
    (user % partitions.unsigned_abs().max(1)).cast_signed()
}

fn next<I: Iterator>(items: &Mutex<I>) -> Option<I::Item> {
    items.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// Does the same work on several threads until it is done.
fn side_by_side(work: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 1..HANDS {
            // With fewer threads it takes longer, that is all.
            if thread::Builder::new().spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        work();
    });
}
