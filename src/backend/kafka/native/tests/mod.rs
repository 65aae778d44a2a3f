//! The client against brokers that break off, stop, trickle and announce too much, over real sockets.

mod fake_broker;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;

use super::{
    FleetPlan, NativeConsumer, NativeFleet,
    settings::{ConsumerSettings, ProducerSettings},
};
use crate::backend::kafka::{
    codec::{compression::Compression, fetch::FetchLimits},
    control::{
        broker_connection::BrokerConnection, cluster::Cluster, error::ControlError,
        readiness::wait_until_ready,
    },
    outcome_list::OutcomeList,
    target::KafkaTarget,
};
use crate::{
    backend::{Consumer, Fleet, MessageSink, SendOutcomes, SendReceipt},
    clock::{Clock, Micros},
    hot_thread::HotThread,
    stamp::Stamp,
    wire::DialSettings,
};
use fake_broker::Answer;

/// Time after which a connection without an answer counts as lost.
const SOCKET_TIMEOUT: Duration = Duration::from_millis(600);
/// Reached by failing tests only.
const LIMIT: Duration = Duration::from_secs(20);

/// Outcomes by message, notes, threads.
#[derive(Default)]
struct Log {
    list: OutcomeList,
    /// Threads on which each user's acknowledgements were reported.
    acked_on: Mutex<BTreeMap<u32, BTreeSet<String>>>,
    /// Threads that are watched.
    threads: Mutex<Vec<String>>,
    connected: AtomicU32,
}

impl Log {
    #[track_caller]
    fn wait_for(&self, messages: usize) {
        let started = Instant::now();
        while self.list.len() < messages {
            assert!(started.elapsed() < LIMIT, "{:?}", self.list);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl SendOutcomes for Log {
    fn connected(&self, users: u32) {
        self.connected.fetch_max(users, SeqCst);
    }

    fn watch_thread(&self, thread: &Arc<HotThread>) {
        self.threads.lock().push(thread.name().to_owned());
    }

    fn acked(&self, receipts: &[SendReceipt]) {
        let thread = thread::current().name().unwrap_or_default().to_owned();
        let mut acked_on = self.acked_on.lock();
        for receipt in receipts {
            acked_on.entry(receipt.stamp.user()).or_default().insert(thread.clone());
        }
        drop(acked_on);
        self.list.acked(receipts);
    }

    fn refused(&self, receipt: SendReceipt, reason: &str) {
        self.list.refused(receipt, reason);
    }

    fn unknown(&self, receipt: SendReceipt, reason: &str) {
        self.list.unknown(receipt, reason);
    }

    fn note(&self, text: String) {
        self.list.note(text);
    }
}

/// A fleet, whose first user sends.
struct User {
    fleet: NativeFleet,
    log: Arc<Log>,
    sent: u64,
}

impl User {
    fn connect(address: SocketAddr) -> Self {
        Self::connect_all(address, 1, 1)
    }

    /// A fleet of `users` users on `loops` loops.
    fn connect_all(address: SocketAddr, users: u32, loops: usize) -> Self {
        let target = KafkaTarget::new("kafka", address);
        let settings = ProducerSettings {
            acks: -1,
            idempotent: false,
            linger: Duration::ZERO,
            batch_bytes: 1_000_000,
            compression: Compression::None,
            max_in_flight: 1_000,
            message_timeout: LIMIT,
            request_timeout: LIMIT,
            socket_timeout: SOCKET_TIMEOUT,
            max_message_bytes: 1_000,
            queue_bytes: 1 << 20,
        };
        let log = Arc::new(Log::default());
        let mut cluster = Cluster::new(&target);
        let plan = FleetPlan {
            target,
            settings,
            users,
            dial: DialSettings::default(),
            loops,
            clock: Clock::start(),
            outcomes: Arc::clone(&log) as Arc<dyn SendOutcomes>,
        };
        let fleet = NativeFleet::connect(plan, &mut cluster, Arc::new(AtomicBool::new(false)));
        Self { fleet: fleet.unwrap(), log, sent: 0 }
    }

    /// Sends a message, and waits for its outcome.
    #[track_caller]
    fn send(&mut self) {
        let stamp = Stamp::new(0, self.sent);
        self.sent += 1;
        self.fleet.send(0, stamp, &[&stamp.to_bytes()[..], b"payload"].concat()).unwrap();
        self.log.wait_for(usize::try_from(self.sent).unwrap());
    }
}

/// Arrivals of a consumer.
#[derive(Clone, Default)]
struct Arrivals {
    ticks: Arc<Mutex<Vec<u64>>>,
    is_stopped: Arc<AtomicBool>,
}

impl MessageSink for Arrivals {
    fn arrived(&mut self, _: Micros, stamp: Stamp, payload: &[u8]) {
        assert_eq!(payload, b"payload");
        self.ticks.lock().push(stamp.tick());
    }

    fn foreign(&mut self) {
        panic!("a message that no user sent");
    }

    fn flush(&mut self) {}

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(SeqCst)
    }
}

/// Sends `messages`, and checks that a consumer of the same broker gets each of them once, in order.
#[track_caller]
fn check_arrivals(address: SocketAddr, messages: u64) -> Vec<&'static str> {
    let limits = FetchLimits {
        max_wait_ms: 100,
        min_bytes: 1,
        max_bytes: 1 << 20,
        partition_bytes: 1 << 20,
    };
    let settings = ConsumerSettings { limits, check_crcs: true, socket_timeout: SOCKET_TIMEOUT };
    let target = KafkaTarget::new("kafka", address);
    let consumer = NativeConsumer::connect(&target, settings, Clock::start()).unwrap();
    let arrivals = Arrivals::default();
    let mut sink = arrivals.clone();
    let reader = thread::spawn(move || Box::new(consumer).run(&mut sink));
    let mut user = User::connect(address);
    for _ in 0..messages {
        user.send();
    }
    let started = Instant::now();
    while (arrivals.ticks.lock().len() as u64) < messages {
        assert!(started.elapsed() < LIMIT && !reader.is_finished(), "{:?}", arrivals.ticks);
        thread::sleep(Duration::from_millis(5));
    }
    arrivals.is_stopped.store(true, SeqCst);
    reader.join().unwrap().unwrap();
    assert_eq!(*arrivals.ticks.lock(), (0..messages).collect::<Vec<_>>());
    let User { fleet, log, .. } = user;
    drop(fleet);
    log.list.single()
}

#[test]
fn answers_that_trickle_byte_by_byte_are_whole() {
    let address = fake_broker::start(|stream, answer| {
        stream.set_nodelay(true)?;
        for byte in &answer.frame {
            stream.write_all(&[*byte])?;
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    });
    assert_eq!(check_arrivals(address, 5), ["acked"; 5]);
}

/// On a hub that is slow every answer takes longer than the first wait for one.
#[tokio::test]
async fn a_server_that_answers_slowly_is_ready_after_longer_waits() {
    let address = fake_broker::start(|stream, answer| {
        thread::sleep(Duration::from_millis(700));
        answer.send(stream)
    });
    let target = KafkaTarget::new("kafka", address);
    let ready = wait_until_ready(&target, Duration::from_secs(8)).await.map(|_| ());
    assert!(ready.is_ok(), "{:?}", ready.err());
}

#[test]
fn requests_may_take_as_long_as_the_hub_is_slow() {
    let target = KafkaTarget::new("kafka", ([127, 0, 0, 1], 9092).into());
    let timeout = |hub| Cluster::new(&target.clone().with_patience(hub)).request_timeout();
    assert_eq!(timeout(Duration::from_secs(90)), Duration::from_secs(5));
    assert_eq!(timeout(Duration::from_secs(9)), Duration::from_secs(5));
    assert_eq!(timeout(Duration::from_mins(18)), Duration::from_mins(1));
}

#[test]
fn each_user_is_served_by_one_of_three_named_loops() {
    const USERS: u32 = 7;
    let address = fake_broker::start(|stream, answer| answer.send(stream));
    let User { mut fleet, log, .. } = User::connect_all(address, USERS, 3);
    for tick in 0..4 {
        for user in 0..USERS {
            let stamp = Stamp::new(user, u64::from(tick * USERS + user));
            fleet.send(user, stamp, &stamp.to_bytes()).unwrap();
        }
    }
    assert!(fleet.send(USERS, Stamp::new(USERS, 0), &[0; 8]).is_err(), "no such user");
    log.wait_for(4 * USERS as usize);
    drop(fleet);
    assert_eq!(log.list.single(), ["acked"; 4 * USERS as usize]);
    let mut threads = log.threads.lock().clone();
    threads.sort();
    assert_eq!(threads, ["kafka-loop-1", "kafka-loop-2", "kafka-loop-3"]);
    assert_eq!(log.connected.load(SeqCst), USERS);
    for (user, served) in &*log.acked_on.lock() {
        let name = threads[*user as usize % 3].clone();
        assert_eq!(*served, BTreeSet::from([name]), "user {user}");
    }
}

#[test]
fn a_reset_in_the_middle_of_an_answer_leaves_one_message_unknown_and_loses_none_to_the_consumer() {
    let address = fake_broker::start(|stream, answer| match (answer.key, answer.before) {
        (ApiKey::Produce, 1) => answer.send_half_and_reset(stream),
        _ => answer.send(stream),
    });
    assert_eq!(check_arrivals(address, 4), ["acked", "unknown", "acked", "acked"]);
}

#[test]
fn a_consumer_whose_connection_is_reset_in_the_middle_of_an_answer_reads_on_from_there() {
    let resets = Mutex::new(0);
    let address = fake_broker::start(move |stream, answer| {
        if answer.has_records && *resets.lock() < 3 {
            *resets.lock() += 1;
            return answer.send_half_and_reset(stream);
        }
        answer.send(stream)
    });
    assert_eq!(check_arrivals(address, 6), ["acked"; 6]);
}

/// The peer has vanished without closing: its machine lost power, or a firewall dropped the connection.
#[test]
fn a_half_open_connection_is_noticed_after_the_socket_timeout() {
    let vanished = AtomicBool::new(false);
    let address = fake_broker::start(move |stream, answer: &Answer| {
        if answer.key == ApiKey::Produce && answer.before == 1 {
            vanished.store(true, SeqCst);
        }
        let is_user = answer.key == ApiKey::Produce;
        if is_user && vanished.load(SeqCst) && answer.before < 3 {
            // Neither answers nor closes.
            thread::sleep(LIMIT);
            return Err(io::ErrorKind::TimedOut.into());
        }
        answer.send(stream)
    });
    let mut user = User::connect(address);
    let mut durations = Vec::new();
    for _ in 0..4 {
        let started = Instant::now();
        user.send();
        durations.push(started.elapsed());
    }
    assert_eq!(user.log.list.single(), ["acked", "unknown", "unknown", "acked"]);
    assert!(durations[1] >= SOCKET_TIMEOUT, "{durations:?}");
    let notes = user.log.list.notes.lock();
    assert!(notes.iter().any(|note| note.contains("no answer within")), "{notes:?}");
}

/// What a control connection reports of a server that sends `bytes` and then `pause`s after each.
fn control_error(bytes: &'static [u8], pause: Duration) -> ControlError {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
        for byte in bytes {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(pause);
        }
        thread::sleep(LIMIT);
    });
    let started = Instant::now();
    let error = BrokerConnection::open(address, None, Duration::from_millis(500)).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "it waited for {:?}", started.elapsed());
    error
}

#[test]
fn hostile_answers_to_control_requests_end_in_time_with_a_reason() {
    // A frame of 100 bytes, a byte each 100 ms; one that stops in the middle.
    let slow =
        control_error(&[0, 0, 0, 100, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], Duration::from_millis(100));
    assert!(matches!(slow, ControlError::TimedOut), "{slow}");
    let half = control_error(&[0, 0, 0, 100, 0, 0], Duration::ZERO);
    assert!(matches!(half, ControlError::TimedOut), "{half}");
    // Two gigabytes; the answer to another request; a billion versions.
    for bytes in [
        &[0x7f, 0xff, 0xff, 0xff][..],
        &[0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let error = control_error(bytes, Duration::ZERO);
        assert!(matches!(error, ControlError::Malformed(_)), "{bytes:?}: {error}");
    }
}
