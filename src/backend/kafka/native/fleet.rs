//! All users: their connections on one event loop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    addresses::AddressBook,
    outcomes::Outcomes,
    producer::{FleetShared, Producer, Versions},
    settings::ProducerSettings,
};
use crate::backend::kafka::{
    codec::{metadata, produce},
    control::{
        broker_connection::{ApiVersions, common_version},
        cluster::{Cluster, REQUEST_TIMEOUT, Recipient},
        error::ControlError,
    },
    note_limiter::NoteLimiter,
    target::KafkaTarget,
};
use crate::{
    backend::{BackendError, Fleet, Handover, SendError, SendOutcomes},
    clock::Clock,
    hot_thread::{HotThread, ThreadRole},
    stamp::{Stamp, UserId},
    wire::{Connection, DialSettings, EventLoop, LoopSettings, LoopWaker},
};

/// Name of the loop's thread.
const LOOP_NAME: &str = "kafka-loop";
/// Interval at which users are looked at though nothing happened: time-outs, repeated requests.
const TICK: Duration = Duration::from_millis(100);
/// The same where messages are sent without an answer: their memory is given back then.
const UNANSWERED_TICK: Duration = Duration::from_millis(10);
/// Shortest such interval.
const SHORTEST_TICK: Duration = Duration::from_millis(1);
/// Longest time for all users to connect, beside a share for each.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The share of one user: a broker on a slow box answers to a few hundred in a second.
const CONNECT_SHARE: Duration = Duration::from_millis(20);

/// What a fleet needs to be opened.
pub struct FleetPlan {
    pub target: KafkaTarget,
    pub settings: ProducerSettings,
    pub users: u32,
    pub dial: DialSettings,
    pub clock: Clock,
    pub outcomes: Arc<dyn SendOutcomes>,
}

/// All users' connections, and the thread of their loop.
pub struct NativeFleet {
    connections: Arc<[Connection<Producer>]>,
    clock: Clock,
    waker: LoopWaker,
    is_closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NativeFleet {
    /// Connects all users; blocks until each could send at once, or `is_closing` is set.
    pub fn connect(
        plan: FleetPlan,
        cluster: &mut Cluster,
        is_closing: Arc<AtomicBool>,
    ) -> Result<Self, BackendError> {
        let FleetPlan { target, settings, users, dial, clock, outcomes } = plan;
        let failed = |reason: String| target.operation_error("connecting the users", reason);
        let (shared, leaders) =
            share(&target, settings, clock, cluster).map_err(|error| failed(error.to_string()))?;
        let connections: Vec<_> = (0..users as usize)
            .map(|user| {
                let partition = user % leaders.len();
                let leader = leaders[partition];
                let address = shared.addresses.get(leader).unwrap_or(target.broker);
                Connection::new(address, Producer::new(Arc::clone(&shared), partition, leader))
            })
            .collect();
        let connections: Arc<[_]> = connections.into();
        let tick = match settings.linger {
            Duration::ZERO if settings.acks == 0 => UNANSWERED_TICK,
            Duration::ZERO => TICK,
            linger => (linger / 4).clamp(SHORTEST_TICK, TICK),
        };
        let settings = LoopSettings { dial, tick, keep_room: false };
        let event_loop = EventLoop::new(clock, settings, Arc::clone(&connections))
            .map_err(|error| failed(error.to_string()))?;
        let waker = event_loop.waker();
        let (ready, progress) = channel();
        let worker = LoopThread {
            event_loop,
            connections: Arc::clone(&connections),
            outcomes,
            is_closing: Arc::clone(&is_closing),
            ready: Some(ready),
        };
        let thread = thread::Builder::new()
            .name(LOOP_NAME.into())
            .spawn(move || worker.run())
            .map_err(|error| failed(error.to_string()))?;
        // From here on dropping the fleet ends the thread.
        let fleet = Self { connections, clock, waker, is_closing, thread: Some(thread) };
        fleet.wait_until_ready(users, &progress).map_err(failed)?;
        Ok(fleet)
    }

    fn wait_until_ready(&self, users: u32, progress: &Receiver<()>) -> Result<(), String> {
        let limit = CONNECT_TIMEOUT + CONNECT_SHARE * users;
        let started = std::time::Instant::now();
        loop {
            match progress.try_recv() {
                Ok(()) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(self.first_error()),
                Err(TryRecvError::Empty) => {}
            }
            let reason = if self.is_closing.load(Relaxed) {
                Some("the run was stopped".to_owned())
            } else if started.elapsed() > limit {
                Some(format!(
                    "not all were connected within {} s: {}",
                    limit.as_secs(),
                    self.first_error()
                ))
            } else {
                // Credentials that are refused to one user are refused to all.
                let ended = |producer: &mut Producer| {
                    producer.has_ended().then(|| producer.last_error().map(str::to_owned))
                };
                self.connections.first().and_then(|user| user.look(ended)).flatten()
            };
            if let Some(reason) = reason {
                return Err(reason);
            }
            thread::sleep(SHORTEST_TICK);
        }
    }

    /// Why a user is not connected.
    fn first_error(&self) -> String {
        let error = |user: &Connection<Producer>| {
            user.look(|producer| producer.last_error().map(str::to_owned))
        };
        let found = self.connections.iter().find_map(error);
        found.unwrap_or_else(|| "the server does not answer".into())
    }
}

/// Asks the cluster for what all users need: leaders, addresses, versions.
fn share(
    target: &KafkaTarget,
    settings: ProducerSettings,
    clock: Clock,
    cluster: &mut Cluster,
) -> Result<(Arc<FleetShared>, Vec<i32>), ControlError> {
    let topic = cluster.topic(&target.topic, REQUEST_TIMEOUT)?;
    let leaders: Vec<i32> =
        topic.partitions.iter().map(|partition| partition.leader_id.0).collect();
    let addresses = AddressBook::default();
    for leader in &leaders {
        addresses.insert(*leader, cluster.broker_address(*leader)?);
    }
    let connection = cluster.open(Recipient::Broker(leaders[0]), REQUEST_TIMEOUT)?;
    let versions = versions(connection.versions())?;
    let timeout = i32::try_from(settings.request_timeout.as_millis()).unwrap_or(i32::MAX);
    let prefixes = (0..).zip(&leaders).map(|(partition, _)| {
        produce::ProducePrefix::new(
            versions.produce,
            &target.topic,
            partition,
            settings.acks,
            timeout,
        )
    });
    let prefixes = prefixes.collect();
    let target = target.clone();
    Ok((Arc::new(FleetShared { clock, target, versions, prefixes, settings, addresses }), leaders))
}

fn versions(supported: &ApiVersions) -> Result<Versions, ControlError> {
    let common =
        |key, own, name| common_version(supported, key, own).ok_or(ControlError::Unsupported(name));
    Ok(Versions {
        produce: common(produce::KEY, produce::VERSIONS, "Produce")?,
        metadata: common(metadata::KEY, metadata::VERSIONS, "Metadata")?,
    })
}

impl Fleet for NativeFleet {
    fn send(&mut self, user: UserId, stamp: Stamp, message: &[u8]) -> Result<Handover, SendError> {
        let Some(connection) = self.connections.get(user as usize) else {
            return Err(SendError::Refused(format!("there is no user {user}")));
        };
        let timestamp = unix_millis();
        connection.with(self.clock, |producer, out| producer.send(timestamp, stamp, message, out))
    }

    fn flush(&mut self) {
        for connection in &*self.connections {
            connection.with(self.clock, Producer::flush);
        }
    }
}

impl Drop for NativeFleet {
    fn drop(&mut self) {
        self.is_closing.store(true, Relaxed);
        self.waker.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "hubmark::kafka", "the loop's thread had panicked");
        }
    }
}

/// The time of records, in milliseconds since 1970.
fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The thread on which the loop turns.
struct LoopThread {
    event_loop: EventLoop<Producer>,
    connections: Arc<[Connection<Producer>]>,
    outcomes: Arc<dyn SendOutcomes>,
    is_closing: Arc<AtomicBool>,
    /// Reports once that all users are connected.
    ready: Option<Sender<()>>,
}

impl LoopThread {
    fn run(mut self) {
        let thread = HotThread::new(LOOP_NAME, ThreadRole::Acknowledges);
        self.outcomes.watch_thread(&thread);
        let thread = thread.enter();
        let limiter = NoteLimiter::default();
        let mut collected = Outcomes::default();
        let mut connected = 0;
        while !self.is_closing.load(Relaxed) {
            if let Err(error) = self.event_loop.turn(TICK, Some(&thread), &mut collected) {
                collected.note(format!("waiting for the users' sockets failed: {error}"));
                break;
            }
            self.report(&mut collected, &limiter);
            if self.event_loop.ready() != connected {
                connected = self.event_loop.ready();
                self.outcomes.connected(u32::try_from(connected).unwrap_or(u32::MAX));
                if connected == self.connections.len()
                    && let Some(ready) = self.ready.take()
                {
                    // No one receives it if the fleet was given up meanwhile.
                    let _ = ready.send(());
                }
            }
        }
        for connection in &*self.connections {
            connection.look(|producer| producer.give_up(&mut collected));
        }
        self.report(&mut collected, &limiter);
    }

    fn report(&self, collected: &mut Outcomes, limiter: &NoteLimiter) {
        collected.report(&*self.outcomes, |text| {
            if let Some(text) = limiter.admit(text) {
                self.outcomes.note(text);
            }
        });
    }
}
