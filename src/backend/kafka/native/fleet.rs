//! All users: their connections on the event loops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    addresses::AddressBook,
    loop_thread::{self, FleetProgress, LoopThread, TICK},
    loops::place,
    producer::{FleetShared, Producer, Versions},
    settings::ProducerSettings,
};
use crate::backend::kafka::{
    codec::{metadata, produce},
    control::{
        broker_connection::{ApiVersions, common_version},
        cluster::{Cluster, Recipient},
        error::ControlError,
    },
    target::KafkaTarget,
};
use crate::{
    backend::{BackendError, Fleet, Handover, SendError, SendOutcomes},
    clock::Clock,
    stamp::{Stamp, UserId},
    wire::{Connection, DialSettings, EventLoop, LoopSettings, LoopShare, LoopWaker},
};

/// [`TICK`] where messages are sent without an answer: their memory is given back then.
const UNANSWERED_TICK: Duration = Duration::from_millis(10);
/// Shortest such interval.
const SHORTEST_TICK: Duration = Duration::from_millis(1);
/// Longest time for all users to connect, in times of one request, beside a share for each.
const CONNECT_REQUESTS: u32 = 6;
/// The share of one user: a broker on a slow box answers to a few hundred in a second.
const CONNECT_SHARE: Duration = Duration::from_millis(20);

/// What a fleet needs to be opened.
pub struct FleetPlan {
    pub target: KafkaTarget,
    pub settings: ProducerSettings,
    pub users: u32,
    pub dial: DialSettings,
    /// Event loops that share the users.
    pub loops: usize,
    pub clock: Clock,
    pub outcomes: Arc<dyn SendOutcomes>,
}

/// A loop, as the sending thread sees it.
struct FleetLoop {
    connections: Arc<[Connection<Producer>]>,
    waker: LoopWaker,
    thread: Option<JoinHandle<()>>,
}

/// All users' connections, and the threads of their loops.
pub struct NativeFleet {
    /// User `n` is on loop `n` modulo their number ([`place`]).
    loops: Vec<FleetLoop>,
    clock: Clock,
    is_closing: Arc<AtomicBool>,
}

impl NativeFleet {
    /// Connects all users; blocks until each could send at once, or `is_closing` is set.
    pub fn connect(
        plan: FleetPlan,
        cluster: &mut Cluster,
        is_closing: Arc<AtomicBool>,
    ) -> Result<Self, BackendError> {
        let FleetPlan { target, settings, users, dial, loops, clock, outcomes } = plan;
        let failed = |reason: String| target.operation_error("connecting the users", reason);
        let (shared, leaders) =
            share(&target, settings, clock, cluster).map_err(|error| failed(error.to_string()))?;
        let tick = match settings.linger {
            Duration::ZERO if settings.acks == 0 => UNANSWERED_TICK,
            Duration::ZERO => TICK,
            linger => (linger / 4).clamp(SHORTEST_TICK, TICK),
        };
        let progress = Arc::new(FleetProgress::new(loops));
        // From here on dropping the fleet ends the threads.
        let mut fleet = Self { loops: Vec::with_capacity(loops), clock, is_closing };
        for index in 0..loops {
            let share = LoopShare { index, loops };
            let connections: Arc<[_]> = (0..)
                .map(|connection| share.number(connection))
                .take_while(|user| *user < users as usize)
                .map(|user| {
                    let partition = user % leaders.len();
                    let leader = leaders[partition];
                    let address = shared.addresses.get(leader).unwrap_or(target.broker);
                    Connection::new(address, Producer::new(Arc::clone(&shared), partition, leader))
                })
                .collect();
            let settings = LoopSettings { dial, share, tick, keep_room: false };
            let event_loop = EventLoop::new(clock, settings, Arc::clone(&connections))
                .map_err(|error| failed(error.to_string()))?;
            let waker = event_loop.waker();
            let worker = LoopThread {
                share,
                event_loop,
                connections: Arc::clone(&connections),
                outcomes: Arc::clone(&outcomes),
                is_closing: Arc::clone(&fleet.is_closing),
                progress: Arc::clone(&progress),
            };
            let thread = thread::Builder::new()
                .name(loop_thread::name(share))
                .spawn(move || worker.run())
                .map_err(|error| failed(error.to_string()))?;
            fleet.loops.push(FleetLoop { connections, waker, thread: Some(thread) });
        }
        fleet
            .wait_until_ready(users, target.request_timeout * CONNECT_REQUESTS, &progress)
            .map_err(failed)?;
        Ok(fleet)
    }

    fn wait_until_ready(
        &self,
        users: u32,
        timeout: Duration,
        progress: &FleetProgress,
    ) -> Result<(), String> {
        let limit = timeout + CONNECT_SHARE * users;
        let started = Instant::now();
        loop {
            if progress.connected() == users as usize {
                return Ok(());
            }
            let has_ended =
                |one: &FleetLoop| one.thread.as_ref().is_none_or(JoinHandle::is_finished);
            let reason = if self.is_closing.load(Relaxed) {
                Some("the run was stopped".to_owned())
            } else if self.loops.iter().any(has_ended) {
                Some(self.first_error())
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
                self.connections().next().and_then(|user| user.look(ended)).flatten()
            };
            if let Some(reason) = reason {
                return Err(reason);
            }
            thread::sleep(SHORTEST_TICK);
        }
    }

    fn connections(&self) -> impl Iterator<Item = &Connection<Producer>> {
        self.loops.iter().flat_map(|one| &*one.connections)
    }

    /// Why a user is not connected.
    fn first_error(&self) -> String {
        let error = |user: &Connection<Producer>| {
            user.look(|producer| producer.last_error().map(str::to_owned))
        };
        let found = self.connections().find_map(error);
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
    let topic = cluster.topic(&target.topic, target.request_timeout)?;
    let leaders: Vec<i32> =
        topic.partitions.iter().map(|partition| partition.leader_id.0).collect();
    let addresses = AddressBook::default();
    for leader in &leaders {
        addresses.insert(*leader, cluster.broker_address(*leader)?);
    }
    let connection = cluster.open(Recipient::Broker(leaders[0]), target.request_timeout)?;
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
        let (number, connection) = place(user as usize, self.loops.len());
        let Some(connection) = self.loops[number].connections.get(connection) else {
            return Err(SendError::Refused(format!("there is no user {user}")));
        };
        let timestamp = unix_millis();
        connection.with(self.clock, |producer, out| producer.send(timestamp, stamp, message, out))
    }

    fn flush(&mut self) {
        for connection in self.connections() {
            connection.with(self.clock, Producer::flush);
        }
    }
}

impl Drop for NativeFleet {
    fn drop(&mut self) {
        self.is_closing.store(true, Relaxed);
        self.loops.iter().for_each(|one| one.waker.wake());
        for thread in self.loops.iter_mut().filter_map(|one| one.thread.take()) {
            if thread.join().is_err() {
                tracing::error!(target: "hubmark::kafka", "a loop's thread had panicked");
            }
        }
    }
}

/// The time of records, in milliseconds since 1970.
fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
