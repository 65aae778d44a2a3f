//! The Kafka backend, end to end through its seams: on librdkafka's mock of a broker, and on real
//! brokers in containers.
#![allow(clippy::unwrap_used, reason = "a helper that cannot help ends the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use hubmark::{
    backend::{
        self, BackendError, Bundling, Consumer, Fleet, Inbox, Receipt, Reports, SendError, Session,
        Setup,
    },
    clock::{Clock, Micros},
    plan::{Arrival, BackendChoice, Durability, LatencyWorkload, PayloadSource, Point, Workload},
    server::{HubKind, Limits, Running},
    stamp::{Stamp, User},
    units::Bytes,
};
use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);

// --- what the engine does with the seams, in its simplest form ---

#[derive(Default)]
struct Ledger {
    connected: AtomicU32,
    acked: Mutex<BTreeSet<Stamp>>,
    refused: Mutex<BTreeMap<Stamp, String>>,
    unknown: Mutex<BTreeMap<Stamp, String>>,
    notes: Mutex<Vec<String>>,
}

impl Ledger {
    fn acked(&self) -> usize {
        self.acked.lock().unwrap().len()
    }
}

impl Reports for Ledger {
    fn connected(&self, users: u32) {
        self.connected.fetch_max(users, SeqCst);
    }

    fn acked(&self, receipts: &[Receipt]) {
        self.acked.lock().unwrap().extend(receipts.iter().map(|receipt| receipt.stamp));
    }

    fn refused(&self, receipt: Receipt, reason: &str) {
        self.refused.lock().unwrap().insert(receipt.stamp, reason.into());
    }

    fn unknown(&self, receipt: Receipt, reason: &str) {
        self.unknown.lock().unwrap().insert(receipt.stamp, reason.into());
    }

    fn note(&self, text: String) {
        self.notes.lock().unwrap().push(text);
    }
}

#[derive(Clone, Default)]
struct Letterbox {
    arrived: Arc<Mutex<BTreeMap<Stamp, Vec<u8>>>>,
    stop: Arc<AtomicBool>,
}

impl Letterbox {
    fn len(&self) -> usize {
        self.arrived.lock().unwrap().len()
    }
}

impl Inbox for Letterbox {
    fn arrived(&mut self, _at: Micros, stamp: Stamp, payload: &[u8]) {
        let before = self.arrived.lock().unwrap().insert(stamp, payload.to_vec());
        assert!(before.is_none(), "{stamp} came twice");
    }

    fn foreign(&mut self) {
        panic!("nothing foreign was sent");
    }

    fn flush(&mut self) {}

    fn stopped(&self) -> bool {
        self.stop.load(SeqCst)
    }
}

fn setup(name: &str, version: Option<&str>, hub: HubKind, settings: Value) -> Setup {
    let workload = Workload::Latency(LatencyWorkload {
        users: 10,
        payload: Bytes(100),
        payload_source: PayloadSource::Seeded,
        messages: 1,
        arrival: Arrival::Constant { mean: Duration::from_secs(1) },
        warmup: Duration::ZERO,
        drain: Duration::from_secs(1),
    });
    let Value::Object(settings) = settings else { panic!("settings are a table") };
    Setup {
        point: Point {
            backend: BackendChoice { name: name.into(), version: version.map(Into::into) },
            workload,
            durability: Durability::Default,
        },
        settings,
        hub,
        limits: Limits::default(),
        password: String::new(),
    }
}

fn running(at: SocketAddr) -> Running {
    Running {
        role: "kafka".into(),
        id: "test".into(),
        address: at.ip(),
        ports: BTreeMap::from([(9092, at.port())]),
        image: String::new(),
        digest: None,
        data_dir: None,
        dir: None,
    }
}

async fn session(setup: &Setup, at: SocketAddr) -> Result<Box<dyn Session>, BackendError> {
    let backend = backend::find(&setup.point.backend.name).unwrap();
    backend.connect(setup, &[running(at)], Clock::start(), PATIENCE).await
}

fn message(stamp: Stamp, payload: usize) -> Vec<u8> {
    let mut message = stamp.to_bytes().to_vec();
    message.extend((0..payload).map(|i| (i as u64 ^ stamp.number()) as u8));
    message
}

/// Sends `messages` of each of `users`, and waits for the outcome of all.
fn send_all(fleet: &mut dyn Fleet, ledger: &Ledger, users: User, messages: u64, payload: usize) {
    for tick in 0..messages {
        for user in 0..users {
            let stamp = Stamp::new(user, tick);
            while let Err(error) = fleet.send(user, stamp, &message(stamp, payload)) {
                assert_eq!(error, SendError::Full);
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
    fleet.flush();
    until("every message is acknowledged", || ledger.acked() as u64 == messages * u64::from(users));
}

fn until(what: &str, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn read(consumer: Box<dyn Consumer>) -> (Letterbox, thread::JoinHandle<Result<(), BackendError>>) {
    let letterbox = Letterbox::default();
    let mut inbox = letterbox.clone();
    (letterbox, thread::spawn(move || consumer.run(&mut inbox)))
}

/// Users send, the consumer receives every byte, an independent count agrees.
async fn everything_arrives(session: &dyn Session, users: User, messages: u64, bundling: Bundling) {
    let total = users as usize * messages as usize;
    let consumer = session.consumer(bundling).await.unwrap();
    let (letterbox, reader) = read(consumer);
    let ledger = Arc::new(Ledger::default());
    let mut fleet = session.fleet(users, bundling, ledger.clone()).await.unwrap();
    assert_eq!(ledger.connected.load(SeqCst), users);
    send_all(&mut *fleet, &ledger, users, messages, 100);
    until("every message has arrived", || letterbox.len() == total);
    letterbox.stop.store(true, SeqCst);
    reader.join().unwrap().unwrap();
    drop(fleet);
    assert_eq!(session.count().await.unwrap(), total as u64);

    let arrived = letterbox.arrived.lock().unwrap();
    for (stamp, payload) in arrived.iter() {
        assert_eq!(message(*stamp, 100)[Stamp::LEN..], payload[..], "{stamp}");
    }
    assert_eq!(arrived.keys().copied().collect::<BTreeSet<_>>(), *ledger.acked.lock().unwrap());
    assert!(ledger.refused.lock().unwrap().is_empty() && ledger.unknown.lock().unwrap().is_empty());
}

// --- on librdkafka's mock of a broker ---

struct Mock {
    cluster: MockCluster<'static, DefaultProducerContext>,
    at: SocketAddr,
}

impl Mock {
    fn start(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("hubmark", partitions, 1).unwrap();
        let at = cluster.bootstrap_servers().parse().unwrap();
        Self { cluster, at }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_users_send_to_a_mock_arrives_and_is_counted() {
    let mock = Mock::start(3);
    // The mock never wakes a waiting fetch: do not let it wait.
    let settings = json!({ "partitions": 3, "consumer": { "fetch.wait.max.ms": 5 } });
    let setup = setup("builtin", None, HubKind::Local, settings);
    let session = session(&setup, mock.at).await.unwrap();
    everything_arrives(&*session, 20, 5, Bundling::Single).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_large_is_refused_at_once() {
    let mock = Mock::start(1);
    let setup = setup("builtin", None, HubKind::Local, json!({}));
    let session = session(&setup, mock.at).await.unwrap();
    let ledger = Arc::new(Ledger::default());
    let mut fleet = session.fleet(1, Bundling::Single, ledger.clone()).await.unwrap();
    let stamp = Stamp::new(0, 1);
    let refused = fleet.send(0, stamp, &message(stamp, 2_000_000)).unwrap_err();
    assert!(
        matches!(&refused, SendError::Refused(text) if text.contains("too large")),
        "{refused:?}"
    );
    assert!(matches!(fleet.send(1, stamp, &[0; 8]), Err(SendError::Refused(_))), "no such user");
    drop(fleet);
    assert_eq!(ledger.acked(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_broker_is_gone_every_message_still_has_an_outcome_and_one_note_says_so() {
    let mock = Mock::start(1);
    let setup = setup("builtin", None, HubKind::Local, json!({}));
    let session = session(&setup, mock.at).await.unwrap();
    let ledger = Arc::new(Ledger::default());
    let mut fleet = session.fleet(10, Bundling::Single, ledger.clone()).await.unwrap();
    send_all(&mut *fleet, &ledger, 10, 1, 100);

    mock.cluster.broker_down(1).unwrap();
    until("the loss is noted", || !ledger.notes.lock().unwrap().is_empty());
    for user in 0..10 {
        let stamp = Stamp::new(user, 1000);
        fleet.send(user, stamp, &message(stamp, 100)).unwrap();
    }
    drop(fleet);
    let unknown = ledger.unknown.lock().unwrap().len();
    assert_eq!((ledger.acked(), unknown + ledger.refused.lock().unwrap().len()), (10, 10));
    let notes = ledger.notes.lock().unwrap();
    assert!(notes.len() < 10, "ten users, a few notes: {notes:#?}");
}

#[tokio::test]
async fn a_server_that_never_comes_is_named_with_its_address() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    let setup = setup("builtin", None, HubKind::Local, json!({}));
    let backend = backend::find("builtin").unwrap();
    let servers = [running(nobody)];
    let attempt = backend.connect(&setup, &servers, Clock::start(), Duration::from_millis(100));
    let Err(error) = attempt.await else { panic!("nobody listens there") };
    let text = error.to_string();
    assert!(matches!(error, BackendError::NotReady { .. }), "{text}");
    assert!(text.contains("127.0.0.1:1") && text.contains("refused"), "{text}");
}

#[test]
fn a_backend_on_the_wrong_hub_is_refused_with_advice() {
    let kafka = setup("kafka", Some("4.4.0"), HubKind::Local, json!({}));
    let error = backend::find("kafka").unwrap().servers(&kafka).unwrap_err();
    assert!(error.to_string().contains("use the docker hub"), "{error}");
}

// --- on real brokers ---

/// Containers, on a network of their own, that are removed with their data when dropped: on the
/// common one the address of a broker that was killed may be another test's a moment later.
struct Servers {
    network: String,
    containers: Vec<String>,
}

impl Servers {
    fn start(version: &str) -> (Self, SocketAddr) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let image = format!("hubmark/kafka:{version}");
        let number = NUMBER.fetch_add(1, SeqCst);
        let network = format!("hubmark-test-kafka-{}-{number}", std::process::id());
        docker(&["network", "create", &network]);
        let mut servers = Self { network, containers: Vec::new() };
        let mut environment = Vec::new();
        if version.starts_with('2') {
            let zookeeper = servers.run(&image, "zookeeper", &[]);
            environment.push(format!("KAFKA_ZOOKEEPER_CONNECT={zookeeper}:2181"));
        }
        let broker = servers.run(&image, "kafka", &environment);
        (servers, (broker, 9092).into())
    }

    fn run(&mut self, image: &str, role: &str, environment: &[String]) -> IpAddr {
        let mut arguments = vec!["run", "-d", "--network", &self.network];
        for variable in environment {
            arguments.extend(["-e", variable]);
        }
        arguments.extend([image, role]);
        let id = docker(&arguments);
        self.containers.push(id.clone());
        let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        docker(&["inspect", "-f", address, &id]).parse().unwrap()
    }

    fn kill(&self) {
        docker(&["kill", self.containers.last().unwrap()]);
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for id in &self.containers {
            docker(&["rm", "-f", "-v", id]);
        }
        docker(&["network", "rm", &self.network]);
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "docker {arguments:?}: {output:?}");
    text
}

async fn the_whole_way(version: &str) {
    let (_servers, at) = Servers::start(version);
    let settings = json!({ "partitions": 2, "topic": { "segment.bytes": 104_857_600 } });
    let mut setup = setup("kafka", Some(version), HubKind::Docker, settings);
    setup.point.durability = Durability::Disk;
    let session = session(&setup, at).await.unwrap();
    session.reset().await.unwrap();
    everything_arrives(&*session, 50, 10, Bundling::Single).await;

    session.reset().await.unwrap();
    assert_eq!(session.count().await.unwrap(), 0, "a topic made anew is empty");
    everything_arrives(&*session, 3, 5_000, Bundling::Bulk).await;

    // A loaded topic is read from its beginning.
    let (letterbox, reader) = read(session.consumer(Bundling::Bulk).await.unwrap());
    until("the loaded topic is read", || letterbox.len() == 15_000);
    letterbox.stop.store(true, SeqCst);
    reader.join().unwrap().unwrap();

    let facts = session.facts().await.unwrap();
    let fact = |name: &str| {
        let mut all = facts.settings.iter().chain(&facts.client);
        all.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    assert_eq!(facts.version, version);
    assert_eq!(fact("topic.flush.messages"), Some("1"), "{facts:#?}");
    assert_eq!(fact("topic.segment.bytes"), Some("104857600"));
    assert_eq!(fact("producer.acks"), Some("-1"));
    assert!(fact("server.num.io.threads").is_some(), "{facts:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn kafka_4_the_whole_way() {
    the_whole_way("4.4.0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn kafka_2_with_zookeeper_the_whole_way() {
    the_whole_way("2.8.0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn a_broker_that_is_killed_leaves_no_message_without_an_outcome() {
    let (servers, at) = Servers::start("4.4.0");
    let setup = setup("kafka", Some("4.4.0"), HubKind::Docker, json!({}));
    let session = session(&setup, at).await.unwrap();
    session.reset().await.unwrap();
    let (letterbox, reader) = read(session.consumer(Bundling::Single).await.unwrap());
    let ledger = Arc::new(Ledger::default());
    let mut fleet = session.fleet(50, Bundling::Single, ledger.clone()).await.unwrap();
    send_all(&mut *fleet, &ledger, 50, 1, 100);
    servers.kill();
    for user in 0..50 {
        let stamp = Stamp::new(user, 1000);
        fleet.send(user, stamp, &message(stamp, 100)).unwrap();
    }
    until("the loss is noted", || !ledger.notes.lock().unwrap().is_empty());
    drop(fleet);
    let without = ledger.unknown.lock().unwrap().len() + ledger.refused.lock().unwrap().len();
    assert_eq!((ledger.acked(), without), (50, 50));

    // The consumer waits for the broker to come back: it is the operator who stops it.
    letterbox.stop.store(true, SeqCst);
    reader.join().unwrap().unwrap();
    let error = session.count().await.unwrap_err().to_string();
    assert!(error.contains("does the server still run?"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn a_topic_setting_that_kafka_refuses_is_named() {
    let (_servers, at) = Servers::start("4.4.0");
    let settings = json!({ "topic": { "segment.bites": 1 } });
    let setup = setup("kafka", Some("4.4.0"), HubKind::Docker, settings);
    let session = session(&setup, at).await.unwrap();
    let error = session.reset().await.unwrap_err().to_string();
    assert!(error.contains("segment.bites = 1"), "{error}");
}
