//! The consumer: all partitions from their first message on.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    fetcher::{Arrivals, FetchShared, Fetcher, Trouble},
    settings::ConsumerSettings,
};
use crate::backend::kafka::{
    codec::fetch,
    control::{
        broker_connection::common_version,
        cluster::{Cluster, Recipient},
        error::ControlError,
        offsets::fetch_offsets,
    },
    target::KafkaTarget,
    topic_check::{METADATA_TIMEOUT, TOPIC_RECOVERY_TIMEOUT, verify_topic_exists},
};
use crate::{
    backend::{BackendError, Consumer, MessageSink},
    clock::{Clock, Micros},
    stamp::Stamp,
    wire::{Connection, DialSettings, EventLoop, LoopSettings, LoopShare},
};

/// Longest wait before the stop flag is looked at.
const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// Interval at which time-outs are looked at.
const TICK: Duration = Duration::from_millis(100);
/// Pause before the leaders are asked for again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Time after which another broker of a cluster is asked for the leaders.
const FAIL_OVER_PAUSE: Duration = Duration::from_secs(1);

/// A consumer connected to the leaders of the topic's partitions.
pub struct NativeConsumer {
    target: KafkaTarget,
    cluster: Cluster,
    shared: Arc<FetchShared>,
    clock: Clock,
    connections: Arc<[Connection<Fetcher>]>,
    event_loop: EventLoop<Fetcher>,
    is_started: bool,
}

impl NativeConsumer {
    /// Connects and finds the first offset of every partition; blocks.
    ///
    /// Fetching from an empty topic starts at once. Fetching from a loaded topic starts with [`Consumer::run`]:
    /// what is read ahead belongs to the measurement.
    pub fn connect(
        target: &KafkaTarget,
        settings: ConsumerSettings,
        clock: Clock,
    ) -> Result<Self, BackendError> {
        let failed = |error: ControlError| target.operation_error("connecting the consumer", error);
        let mut cluster = Cluster::new(target);
        let offsets = fetch_offsets(&mut cluster, &target.topic)
            .and_then(|offsets| cluster.verify(target).map(|()| offsets))
            .map_err(failed)?;
        let version = cluster
            .open(Recipient::Any, target.request_timeout)
            .and_then(|connection| {
                let common = common_version(connection.versions(), fetch::KEY, fetch::VERSIONS);
                common.ok_or(ControlError::Unsupported("Fetch"))
            })
            .map_err(failed)?;
        let is_empty = offsets.iter().all(|offsets| offsets.low == offsets.high);
        let next = (0..).zip(offsets).map(|(partition, offsets)| (partition, offsets.low));
        let next: BTreeMap<i32, i64> = next.collect();
        let shared = Arc::new(FetchShared { target: target.clone(), settings, version });
        let connections =
            open(&mut cluster, &shared, &next, is_empty, target.request_timeout).map_err(failed)?;
        let event_loop = start_loop(clock, &connections)
            .map_err(|error| target.operation_error("connecting the consumer", error))?;
        let mut consumer = Self {
            target: target.clone(),
            cluster,
            shared,
            clock,
            connections,
            event_loop,
            is_started: is_empty,
        };
        consumer.wait_until_connected()?;
        Ok(consumer)
    }

    fn wait_until_connected(&mut self) -> Result<(), BackendError> {
        let started = Instant::now();
        let mut unused = Unused;
        let mut arrivals = Arrivals { sink: &mut unused, unflushed: 0 };
        while self.event_loop.ready() < self.connections.len() {
            let turned = self.event_loop.turn(LONGEST_WAIT, None, &mut arrivals);
            let trouble = match (turned, self.trouble()) {
                (Err(error), _) => error.to_string(),
                (Ok(()), Some(Trouble::Fatal(reason))) => reason,
                (Ok(()), Some(Trouble::AskAgain(reason)))
                    if started.elapsed() > self.target.request_timeout =>
                {
                    reason
                }
                _ if started.elapsed() > self.target.request_timeout => "no answer in time".into(),
                _ => continue,
            };
            return Err(self.target.operation_error("connecting the consumer", trouble));
        }
        Ok(())
    }

    fn trouble(&self) -> Option<Trouble> {
        self.connections.iter().find_map(|connection| connection.look(Fetcher::take_trouble))
    }

    fn start(&mut self) {
        if !std::mem::replace(&mut self.is_started, true) {
            let now = self.clock.now();
            for connection in &*self.connections {
                connection.with(self.clock, |fetcher, out| fetcher.start(now, out));
            }
        }
    }

    /// Connects anew to the brokers that lead the partitions now, each from its next record on.
    fn follow_leaders(&mut self) -> Result<(), ControlError> {
        let mut next = BTreeMap::new();
        for connection in &*self.connections {
            next.extend(connection.look(|fetcher| fetcher.partitions().to_vec()));
        }
        self.connections = open(&mut self.cluster, &self.shared, &next, true, METADATA_TIMEOUT)?;
        self.event_loop = start_loop(self.clock, &self.connections)?;
        Ok(())
    }

    /// Asks the server whether the topic exists; `None` without an answer.
    fn topic_exists(&mut self) -> Option<bool> {
        match self.cluster.topic(&self.target.topic, METADATA_TIMEOUT) {
            Ok(_) => Some(true),
            Err(ControlError::Broker(_) | ControlError::State(_)) => Some(false),
            Err(_) => None,
        }
    }
}

/// Creates a connection to each broker that leads partitions; `next` is the offset of the next record of each.
fn open(
    cluster: &mut Cluster,
    shared: &Arc<FetchShared>,
    next: &BTreeMap<i32, i64>,
    is_started: bool,
    timeout: Duration,
) -> Result<Arc<[Connection<Fetcher>]>, ControlError> {
    let topic = cluster.topic(&shared.target.topic, timeout)?;
    cluster.verify(&shared.target)?;
    let mut by_leader: BTreeMap<i32, Vec<(i32, i64)>> = BTreeMap::new();
    for partition in &topic.partitions {
        let number = partition.partition_index;
        let offset = next.get(&number).copied().unwrap_or(0);
        by_leader.entry(partition.leader_id.0).or_default().push((number, offset));
    }
    let connections = by_leader.into_iter().map(|(leader, partitions)| {
        let address = cluster.broker_address(leader)?;
        let fetcher = Fetcher::new(Arc::clone(shared), address, partitions, is_started);
        Ok(Connection::new(address, fetcher))
    });
    connections.collect()
}

fn start_loop(
    clock: Clock,
    connections: &Arc<[Connection<Fetcher>]>,
) -> std::io::Result<EventLoop<Fetcher>> {
    let settings = LoopSettings {
        dial: DialSettings::default(),
        share: LoopShare::ALONE,
        tick: TICK,
        keep_room: true,
    };
    EventLoop::new(clock, settings, Arc::clone(connections))
}

impl Consumer for NativeConsumer {
    fn run(mut self: Box<Self>, sink: &mut dyn MessageSink) -> Result<(), BackendError> {
        self.start();
        let mut missing: Option<(Instant, String)> = None;
        let mut doubt: Option<Doubt> = None;
        loop {
            let mut arrivals = Arrivals { sink: &mut *sink, unflushed: 0 };
            let turned = self.event_loop.turn(LONGEST_WAIT, None, &mut arrivals);
            if arrivals.unflushed > 0 {
                sink.flush();
            }
            let failure = match (turned, self.trouble()) {
                (Err(error), _) => Some(error.to_string()),
                (Ok(()), Some(Trouble::Fatal(reason))) => Some(reason),
                (Ok(()), Some(Trouble::AskAgain(reason))) => {
                    doubt.get_or_insert_with(|| Doubt::new(reason));
                    None
                }
                (Ok(()), None) => None,
            };
            if let Some(reason) = failure {
                return Err(self.target.operation_error("reading the topic", reason));
            }
            let are_connected = self.event_loop.ready() == self.connections.len();
            if let Some(Doubt { since, reason, .. }) =
                doubt.take_if(|doubt| doubt.is_due(are_connected, self.cluster.brokers()))
            {
                let again = match self.topic_exists() {
                    Some(true) => {
                        missing = None;
                        self.follow_leaders().err().map(|error| error.to_string())
                    }
                    // Without an answer the topic's state is unknown: the connection is tried again.
                    None => {
                        missing = None;
                        Some(reason)
                    }
                    Some(false) => {
                        let missed = missing.get_or_insert((Instant::now(), reason.clone())).0;
                        if missed.elapsed() > TOPIC_RECOVERY_TIMEOUT {
                            return Err(self.target.topic_missing_error(&reason));
                        }
                        Some(reason)
                    }
                };
                doubt = again.map(|reason| Doubt { since, ..Doubt::new(reason) });
            }
            if sink.is_stopped() {
                if let Some((_, last)) = missing {
                    return Err(self.target.topic_missing_error(&last));
                }
                let target = self.target.clone();
                return verify_topic_exists(&target, || self.topic_exists());
            }
        }
    }
}

/// The question whether the partitions still have the leaders that this consumer reads from.
struct Doubt {
    since: Instant,
    ask_at: Instant,
    reason: String,
}

impl Doubt {
    fn new(reason: String) -> Self {
        let since = Instant::now();
        Self { since, ask_at: since + RETRY_PAUSE, reason }
    }

    /// Whether to ask now. To ask a server that is down would block the thread that reads: a lost connection is
    /// opened again first, unless another broker may lead its partitions by now.
    fn is_due(&self, are_connected: bool, brokers: usize) -> bool {
        let may_have_moved = brokers > 1 && self.since.elapsed() > FAIL_OVER_PAUSE;
        self.ask_at <= Instant::now() && (are_connected || may_have_moved)
    }
}

/// A sink for the time before anything can arrive.
struct Unused;

impl MessageSink for Unused {
    fn arrived(&mut self, _: Micros, _: Stamp, _: &[u8]) {}

    fn foreign(&mut self) {}

    fn flush(&mut self) {}

    fn is_stopped(&self) -> bool {
        false
    }
}
