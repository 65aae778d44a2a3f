//! The Kafka backend through its interface: on librdkafka's mock broker, and on real brokers in
//! containers.
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use hubmark::{
    backend::{self, BackendError, Batching, Fleet, RepetitionContext, SendError, Session},
    clock::Clock,
    plan::Durability,
    server::HubKind,
    stamp::{Stamp, UserId},
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    mocking::MockCluster,
    producer::DefaultProducerContext,
};
use serde_json::{Value, json};

use crate::support::{
    backend_probe::{ConsumerThread, OutcomeLog},
    docker::docker,
    repetition::{latency_workload, repetition_context, running_server},
    wait::WAIT_LIMIT,
};

/// A repetition with `settings` of the backend.
fn context(
    backend: &str,
    version: Option<&str>,
    hub: HubKind,
    settings: Value,
) -> RepetitionContext {
    let Value::Object(settings) = settings else { panic!("settings are a table") };
    let context = repetition_context(backend, version, latency_workload(10, 100));
    RepetitionContext { settings, hub, ..context }
}

/// A repetition on a mock broker, as if it were the built-in one.
fn mock_context(settings: Value) -> RepetitionContext {
    context("builtin", None, HubKind::Local, settings)
}

/// Opens a session on a broker.
async fn open_session(
    context: &RepetitionContext,
    address: SocketAddr,
) -> Result<Box<dyn Session>, BackendError> {
    let backend = backend::find(&context.point.backend.name).unwrap();
    let server = running_server("kafka", "test", address, 9092);
    backend.connect(context, &[server], Clock::start(), WAIT_LIMIT).await
}

fn message(stamp: Stamp, payload: usize) -> Vec<u8> {
    let mut message = stamp.to_bytes().to_vec();
    message.extend((0..payload).map(|i| (i as u64 ^ stamp.number()) as u8));
    message
}

/// Sends `messages` of each of `users` and waits for their acknowledgements.
async fn send_all(
    fleet: &mut dyn Fleet,
    log: &OutcomeLog,
    users: UserId,
    messages: u64,
    payload: usize,
) {
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
    let total = messages * u64::from(users);
    log.wait_for(usize::try_from(total).unwrap()).await;
    assert_eq!(log.outcomes().acked.len() as u64, total);
}

/// Opens a fleet with the log of its outcomes.
async fn open_fleet(
    session: &dyn Session,
    users: UserId,
    batching: Batching,
) -> (Box<dyn Fleet>, Arc<OutcomeLog>) {
    let log = Arc::new(OutcomeLog::default());
    (session.open_fleet(users, batching, log.clone()).await.unwrap(), log)
}

/// Starts a consumer.
async fn start_consumer(session: &dyn Session, batching: Batching) -> ConsumerThread {
    ConsumerThread::start(session.open_consumer(batching).await.unwrap())
}

/// Sends messages; checks that the consumer receives every byte once, and that the session counts them.
async fn check_delivery(session: &dyn Session, users: UserId, messages: u64, batching: Batching) {
    let total = users as usize * messages as usize;
    let consumer = start_consumer(session, batching).await;
    let (mut fleet, log) = open_fleet(session, users, batching).await;
    assert_eq!(log.outcomes().connected, users);
    send_all(&mut *fleet, &log, users, messages, 100).await;
    consumer.log.wait_for(total).await;
    let arrivals = consumer.log.arrivals.clone();
    consumer.stop().1.unwrap();
    drop(fleet);
    assert_eq!(session.count_messages().await.unwrap(), total as u64);

    let arrivals = arrivals.lock().unwrap();
    assert_eq!(arrivals.len(), total, "no message arrives twice");
    for (number, payload) in arrivals.iter() {
        let stamp = Stamp::from_number(*number);
        assert_eq!(message(stamp, 100)[Stamp::LEN..], payload[..], "{stamp}");
    }
    let outcomes = log.outcomes();
    let stamps = |numbers: &mut dyn Iterator<Item = u64>| numbers.collect::<BTreeSet<_>>();
    let arrived = stamps(&mut arrivals.iter().map(|(number, _)| *number));
    assert_eq!(arrived.len(), total);
    assert_eq!(arrived, stamps(&mut outcomes.acked.iter().copied()));
    assert!(outcomes.refused.is_empty() && outcomes.unknown.is_empty());
}

/// Numbers of acknowledged and of other messages.
fn count_outcomes(log: &OutcomeLog) -> (usize, usize) {
    let outcomes = log.outcomes();
    (outcomes.acked.len(), outcomes.unknown.len() + outcomes.refused.len())
}

/// librdkafka's mock broker.
struct MockBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    address: SocketAddr,
}

impl MockBroker {
    fn start(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("hubmark", partitions, 1).unwrap();
        let address = cluster.bootstrap_servers().parse().unwrap();
        Self { cluster, address }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_a_mock_broker_arrive_and_are_counted() {
    let mock = MockBroker::start(3);
    // The mock broker never ends a waiting fetch early, so fetches must not wait.
    let settings = json!({ "partitions": 3, "consumer": { "fetch.wait.max.ms": 5 } });
    let context = mock_context(settings);
    let session = open_session(&context, mock.address).await.unwrap();
    check_delivery(&*session, 20, 5, Batching::Single).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_large_is_refused_at_once() {
    let mock = MockBroker::start(1);
    let context = mock_context(json!({}));
    let session = open_session(&context, mock.address).await.unwrap();
    let (mut fleet, log) = open_fleet(&*session, 1, Batching::Single).await;
    let stamp = Stamp::new(0, 1);
    let refused = fleet.send(0, stamp, &message(stamp, 2_000_000)).unwrap_err();
    assert!(
        matches!(&refused, SendError::Refused(text) if text.contains("message.max.bytes")),
        "{refused:?}"
    );
    assert!(matches!(fleet.send(1, stamp, &[0; 8]), Err(SendError::Refused(_))), "no such user");
    drop(fleet);
    assert_eq!(log.outcomes().acked.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_broker_every_message_has_an_outcome_and_few_notes_report_it() {
    let mock = MockBroker::start(1);
    let context = mock_context(json!({}));
    let session = open_session(&context, mock.address).await.unwrap();
    let (mut fleet, log) = open_fleet(&*session, 10, Batching::Single).await;
    send_all(&mut *fleet, &log, 10, 1, 100).await;

    mock.cluster.broker_down(1).unwrap();
    log.wait_for_note().await;
    for user in 0..10 {
        let stamp = Stamp::new(user, 1000);
        fleet.send(user, stamp, &message(stamp, 100)).unwrap();
    }
    drop(fleet);
    assert_eq!(count_outcomes(&log), (10, 10));
    let outcomes = log.outcomes();
    let notes = &outcomes.notes;
    assert!(notes.len() < 10, "ten users, a few notes: {notes:#?}");
}

#[tokio::test]
async fn an_unreachable_server_is_reported_with_its_address() {
    let unused = SocketAddr::from(([127, 0, 0, 1], 1));
    let context = mock_context(json!({}));
    let backend = backend::find("builtin").unwrap();
    let servers = [running_server("kafka", "test", unused, 9092)];
    let attempt = backend.connect(&context, &servers, Clock::start(), Duration::from_millis(100));
    let Err(error) = attempt.await else { panic!("nothing listens on that port") };
    let text = error.to_string();
    assert!(matches!(error, BackendError::NotReady { .. }), "{text}");
    assert!(text.contains("127.0.0.1:1") && text.contains("refused"), "{text}");
}

#[test]
fn a_backend_on_the_wrong_hub_is_refused_with_advice() {
    let kafka = context("kafka", Some("4.4.0"), HubKind::Local, json!({}));
    let error = backend::find("kafka").unwrap().servers(&kafka).unwrap_err();
    assert!(error.to_string().contains("use the docker hub"), "{error}");
}

/// The containers of a broker, removed when dropped. They have their own network: on a shared one, another
/// test's container may get the address of a killed broker.
pub struct KafkaContainers {
    network: String,
    containers: Vec<String>,
}

impl KafkaContainers {
    pub fn start(version: &str) -> (Self, SocketAddr) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let image = format!("hubmark/kafka:{version}");
        let number = NUMBER.fetch_add(1, SeqCst);
        let network = format!("hubmark-test-kafka-{}-{number}", std::process::id());
        docker(&["network", "create", &network]);
        let mut servers = Self { network, containers: Vec::new() };
        let mut environment = Vec::new();
        if version.starts_with(['2', '3']) {
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

    fn kill_broker(&self) {
        docker(&["kill", self.containers.last().unwrap()]);
    }
}

impl Drop for KafkaContainers {
    fn drop(&mut self) {
        for id in &self.containers {
            docker(&["rm", "-f", "-v", id]);
        }
        docker(&["network", "rm", &self.network]);
    }
}

/// The clients that a profile may choose.
const CLIENTS: &[&str] =
    if cfg!(feature = "librdkafka") { &["native", "librdkafka"] } else { &["native"] };

/// Checks the whole interface of the backend on a real broker, with each client, and what hubmark's own client
/// writes and reads in every way.
async fn check_real_broker(version: &str) {
    let (_containers, address) = KafkaContainers::start(version);
    for client in CLIENTS {
        check_client(version, address, client).await;
    }
    check_settings_of_the_native_client(version, address).await;
}

/// Messages arrive, every byte of them, whatever is set on the producers.
async fn check_settings_of_the_native_client(version: &str, address: SocketAddr) {
    let zstd = cfg!(feature = "zstd").then_some("zstd");
    let compressions = ["gzip", "snappy", "lz4"].into_iter().chain(zstd);
    let compressed = compressions.map(|codec| json!({ "compression.type": codec }));
    let others = [
        json!({ "acks": 1 }),
        json!({ "enable.idempotence": true }),
        json!({ "linger.ms": 5 }),
        json!({ "enable.idempotence": true, "linger.ms": 3, "compression.type": "lz4" }),
    ];
    for producer in compressed.chain(others) {
        let consumer = json!({ "check.crcs": true });
        let settings = json!({ "partitions": 3, "producer": producer, "consumer": consumer });
        let context = context("kafka", Some(version), HubKind::Docker, settings);
        let session = open_session(&context, address).await.unwrap();
        for batching in [Batching::Single, Batching::Bulk] {
            session.reset().await.unwrap();
            check_delivery(&*session, 7, 20, batching).await;
        }
    }
}

async fn check_client(version: &str, address: SocketAddr, client: &str) {
    let settings = json!({
        "client": client, "partitions": 2, "topic": { "segment.bytes": 104_857_600 },
    });
    let mut context = context("kafka", Some(version), HubKind::Docker, settings);
    context.point.durability = Durability::Disk;
    let session = open_session(&context, address).await.unwrap();
    session.reset().await.unwrap();
    check_delivery(&*session, 50, 10, Batching::Single).await;

    session.reset().await.unwrap();
    assert_eq!(session.count_messages().await.unwrap(), 0, "a new topic is empty");
    check_delivery(&*session, 3, 5_000, Batching::Bulk).await;

    // A loaded topic is read from its beginning.
    let consumer = start_consumer(&*session, Batching::Bulk).await;
    consumer.log.wait_for(15_000).await;
    consumer.stop().1.unwrap();

    let facts = session.facts().await.unwrap();
    let fact = |name: &str| {
        let mut all = facts.settings.iter().chain(&facts.client);
        all.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    assert_eq!(facts.version, version);
    assert_eq!(fact("topic.flush.messages"), Some("1"), "{facts:#?}");
    assert_eq!(fact("topic.segment.bytes"), Some("104857600"));
    assert_eq!((fact("client"), fact("producer.acks")), (Some(client), Some("-1")));
    assert!(fact("server.num.io.threads").is_some(), "{facts:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn kafka_4_works() {
    check_real_broker("4.4.0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn kafka_2_with_zookeeper_works() {
    check_real_broker("2.8.0").await;
}

/// librdkafka reads what the native client wrote: `HUBMARK_MANY_USERS` users, by default a thousand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn an_independent_client_reads_what_a_thousand_users_wrote() {
    const MESSAGES: u64 = 3;
    let users = std::env::var("HUBMARK_MANY_USERS").ok();
    let users: UserId = users.map_or(1_000, |users| users.parse().unwrap());
    let (_containers, address) = KafkaContainers::start("4.4.0");
    let context = context("kafka", Some("4.4.0"), HubKind::Docker, json!({ "partitions": 2 }));
    let session = open_session(&context, address).await.unwrap();
    session.reset().await.unwrap();
    let (mut fleet, log) = open_fleet(&*session, users, Batching::Single).await;
    send_all(&mut *fleet, &log, users, MESSAGES, 100).await;
    drop(fleet);

    let reader: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address.to_string())
        .set("group.id", "reader")
        .set("auto.offset.reset", "error")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..2 {
        partitions.add_partition_offset("hubmark", partition, Offset::Beginning).unwrap();
    }
    reader.assign(&partitions).unwrap();
    let total = usize::try_from(u64::from(users) * MESSAGES).unwrap();
    let mut read = BTreeSet::new();
    while read.len() < total {
        let record = reader.poll(WAIT_LIMIT).expect("a message is missing").unwrap();
        let (stamp, payload) = Stamp::split(record.payload().unwrap()).unwrap();
        assert_eq!(message(stamp, 100)[Stamp::LEN..], *payload, "{stamp}");
        assert_eq!(record.partition(), (stamp.user() % 2).cast_signed(), "{stamp}");
        assert!(read.insert(stamp.number()), "{stamp} is there twice");
    }
    assert!(reader.poll(Duration::from_millis(500)).is_none(), "no other messages");
    assert_eq!(session.count_messages().await.unwrap(), total as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn every_message_has_an_outcome_when_the_broker_is_killed() {
    let (containers, address) = KafkaContainers::start("4.4.0");
    let context = context("kafka", Some("4.4.0"), HubKind::Docker, json!({}));
    let session = open_session(&context, address).await.unwrap();
    session.reset().await.unwrap();
    let consumer = start_consumer(&*session, Batching::Single).await;
    let (mut fleet, log) = open_fleet(&*session, 50, Batching::Single).await;
    send_all(&mut *fleet, &log, 50, 1, 100).await;
    containers.kill_broker();
    for user in 0..50 {
        let stamp = Stamp::new(user, 1000);
        fleet.send(user, stamp, &message(stamp, 100)).unwrap();
    }
    log.wait_for_note().await;
    drop(fleet);
    assert_eq!(count_outcomes(&log), (50, 50));

    // The consumer waits for the broker until it is stopped.
    consumer.stop().1.unwrap();
    let error = session.count_messages().await.unwrap_err().to_string();
    assert!(error.contains("does the server still run?"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn batches_are_no_larger_than_the_topic_accepts() {
    let (_containers, address) = KafkaContainers::start("4.4.0");
    let settings = json!({ "topic": { "max.message.bytes": 20_000 } });
    let context = context("kafka", Some("4.4.0"), HubKind::Docker, settings);
    let session = open_session(&context, address).await.unwrap();
    session.reset().await.unwrap();
    check_delivery(&*session, 3, 2_000, Batching::Bulk).await;
    let facts = session.facts().await.unwrap();
    assert_eq!(facts.setting("topic.max.message.bytes"), Some("20000"));
    let batch = facts.client.iter().find(|(key, _)| key == "bulk.batch.size").unwrap();
    assert_eq!(batch.1, "20000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine"]
async fn a_topic_setting_that_kafka_refuses_is_reported() {
    let (_containers, address) = KafkaContainers::start("4.4.0");
    let settings = json!({ "topic": { "segment.bites": 1 } });
    let context = context("kafka", Some("4.4.0"), HubKind::Docker, settings);
    let session = open_session(&context, address).await.unwrap();
    let error = session.reset().await.unwrap_err().to_string();
    assert!(error.contains("segment.bites = 1"), "{error}");
}
