//! The built-in broker, spoken to by the unchanged client library.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hubmark::{
    broker::lies::Counts,
    stamp::{Stamp, User},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
    types::RDKafkaErrorCode,
};

const TOPIC: &str = "devices";
/// Long enough for a busy machine; reached only by a failing test.
const PATIENCE: Duration = Duration::from_secs(30);

struct Broker {
    child: Child,
    address: String,
}

impl Broker {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hubmark"))
            .args(["broker", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("enable.metrics.push", "false");
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    async fn create(&self, partitions: i32) -> Result<(), RDKafkaErrorCode> {
        let topic = NewTopic::new(TOPIC, partitions, TopicReplication::Fixed(1));
        self.create_as(&topic).await
    }

    async fn create_as(&self, topic: &NewTopic<'_>) -> Result<(), RDKafkaErrorCode> {
        let results = self.admin().create_topics([topic], &AdminOptions::new()).await.unwrap();
        results.into_iter().next().unwrap().map(|_| ()).map_err(|(_, code)| code)
    }

    async fn delete(&self) -> Result<(), RDKafkaErrorCode> {
        let results = self.admin().delete_topics(&[TOPIC], &AdminOptions::new()).await.unwrap();
        results.into_iter().next().unwrap().map(|_| ()).map_err(|(_, code)| code)
    }

    fn producer(&self, settings: &[(&str, &str)]) -> Sender {
        let tally = Tally::default();
        let mut config = self.config();
        for (key, value) in settings {
            config.set(*key, *value);
        }
        Sender { producer: config.create_with_context(tally.clone()).unwrap(), tally }
    }

    fn consumer(&self, offset: Offset) -> BaseConsumer {
        // A group is named, as a consumer may well do, although the broker has none.
        let mut config = self.config();
        config
            .set("group.id", "none")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "100000")
            .set("socket.timeout.ms", "200000")
            .set("fetch.queue.backoff.ms", "1");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(TOPIC, 0, offset).unwrap();
        consumer.assign(&list).unwrap();
        consumer
    }

    /// Ends it as the hub does.
    fn stop(mut self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Default)]
struct Tally {
    acked: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl ClientContext for Tally {}

impl ProducerContext for Tally {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let count = if result.is_ok() { &self.acked } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

struct Sender {
    producer: BaseProducer<Tally>,
    tally: Tally,
}

impl Sender {
    fn send(&self, payload: &[u8]) {
        loop {
            let record = BaseRecord::<(), [u8]>::to(TOPIC).partition(0).payload(payload);
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.producer.poll(Duration::from_millis(1));
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }

    /// Waits for all outcomes; how many messages were acknowledged and refused so far.
    fn settle(&self) -> (u64, u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.producer.in_flight_count() > 0 {
            assert!(Instant::now() < deadline, "messages without an outcome");
            self.producer.poll(Duration::from_millis(1));
        }
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (count(&self.tally.acked), count(&self.tally.refused))
    }
}

/// The next `count` messages.
fn consume(consumer: &BaseConsumer, count: usize) -> Vec<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let mut values = Vec::new();
    while values.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} messages arrived", values.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            values.push(message.unwrap().payload().unwrap().to_vec());
        }
    }
    values
}

fn watermarks(broker: &Broker) -> (i64, i64) {
    let consumer: BaseConsumer = broker.config().create().unwrap();
    consumer.fetch_watermarks(TOPIC, 0, PATIENCE).unwrap()
}

#[tokio::test]
async fn messages_arrive_as_they_were_sent() {
    let broker = Broker::start(&[]);
    broker.create(1).await.unwrap();
    let producer = broker.producer(&[("linger.ms", "1")]);
    let sent: Vec<Vec<u8>> = (0..5_000_u32).map(|n| n.to_be_bytes().repeat(25)).collect();
    for value in &sent {
        producer.send(value);
    }
    assert_eq!(producer.settle(), (5_000, 0));
    assert_eq!(consume(&broker.consumer(Offset::Beginning), 5_000), sent);
    let from_the_middle = consume(&broker.consumer(Offset::Offset(4_321)), 5_000 - 4_321);
    assert_eq!(from_the_middle, sent[4_321..]);
    assert_eq!(watermarks(&broker), (0, 5_000));
    broker.stop();
}

#[tokio::test]
async fn a_waiting_fetch_is_woken() {
    let broker = Broker::start(&[]);
    broker.create(1).await.unwrap();
    let consumer = broker.consumer(Offset::Beginning);
    let producer = broker.producer(&[("linger.ms", "0")]);
    // The consumer's fetches wait far longer than this test does, unless they are woken.
    for round in 0..50_u32 {
        producer.send(&round.to_be_bytes());
        assert_eq!(consume(&consumer, 1), [round.to_be_bytes()]);
    }
}

#[tokio::test]
async fn large_messages_pass() {
    let broker = Broker::start(&[]);
    broker.create(1).await.unwrap();
    let producer = broker.producer(&[("message.max.bytes", "2000000")]);
    let sent: Vec<Vec<u8>> = [10_000, 1_000_000, 1, 1_500_000]
        .into_iter()
        .map(|size| (0..size).map(|n: u32| (n % 251) as u8).collect())
        .collect();
    for value in &sent {
        producer.send(value);
    }
    assert_eq!(producer.settle(), (4, 0));
    let got = consume(&broker.consumer(Offset::Beginning), 4);
    assert!(got == sent, "{:?}", got.iter().map(Vec::len).collect::<Vec<_>>());
}

#[tokio::test]
async fn compression_and_idempotence_pass_through() {
    let broker = Broker::start(&[]);
    broker.create(1).await.unwrap();
    let codecs = ["none", "zstd", "gzip", "lz4", "snappy"];
    for codec in codecs {
        let producer =
            broker.producer(&[("compression.codec", codec), ("enable.idempotence", "true")]);
        for _ in 0..100 {
            producer.send(&codec.as_bytes().repeat(100));
        }
        assert_eq!(producer.settle(), (100, 0), "{codec}");
    }
    let got = consume(&broker.consumer(Offset::Beginning), 500);
    for codec in codecs {
        let expected = codec.as_bytes().repeat(100);
        assert_eq!(got.iter().filter(|value| **value == expected).count(), 100, "{codec}");
    }
}

#[tokio::test]
async fn topics_come_and_go() {
    let broker = Broker::start(&[]);
    assert_eq!(broker.delete().await, Err(RDKafkaErrorCode::UnknownTopicOrPartition));
    broker.create(3).await.unwrap();
    assert_eq!(broker.create(1).await, Err(RDKafkaErrorCode::TopicAlreadyExists));
    let admin = broker.admin();
    let metadata = admin.inner().fetch_metadata(Some(TOPIC), PATIENCE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 3);
    let producer = broker.producer(&[]);
    producer.send(b"old");
    assert_eq!(producer.settle(), (1, 0));
    broker.delete().await.unwrap();
    broker.create(1).await.unwrap();
    producer.send(b"new");
    assert_eq!(producer.settle(), (2, 0));
    assert_eq!(consume(&broker.consumer(Offset::Beginning), 1), [b"new"]);
    assert_eq!(watermarks(&broker), (0, 1));
}

#[tokio::test]
async fn promises_that_memory_cannot_keep_are_refused() {
    let broker = Broker::start(&[]);
    let flushed = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1)).set("flush.messages", "1");
    assert_eq!(broker.create_as(&flushed).await, Err(RDKafkaErrorCode::InvalidConfig));
    let three = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(3));
    assert_eq!(broker.create_as(&three).await, Err(RDKafkaErrorCode::InvalidReplicationFactor));
}

#[tokio::test]
async fn data_that_nobody_read_is_never_dropped() {
    let broker = Broker::start(&["--retention", "1 MB"]);
    broker.create(1).await.unwrap();
    let producer = broker.producer(&[("linger.ms", "0"), ("batch.num.messages", "1")]);
    for _ in 0..200 {
        producer.send(&[7; 10_000]);
    }
    let (acked, refused) = producer.settle();
    assert!((90..100).contains(&acked), "{acked} acknowledged");
    assert_eq!(refused, 200 - acked);
    let all = usize::try_from(acked).unwrap();
    assert_eq!(consume(&broker.consumer(Offset::Beginning), all).len(), all);
    // What was read makes room, and is then gone: honestly so.
    producer.send(&[8; 10_000]);
    assert_eq!(producer.settle(), (acked + 1, refused));
    let (low, high) = watermarks(&broker);
    assert!(low > 0 && high == i64::try_from(acked).unwrap() + 1);
}

#[tokio::test]
async fn settings_in_force_are_told() {
    let broker = Broker::start(&["--retention", "123456789 B"]);
    broker.create(1).await.unwrap();
    let resources = [ResourceSpecifier::Broker(1), ResourceSpecifier::Topic(TOPIC)];
    let described =
        broker.admin().describe_configs(&resources, &AdminOptions::new()).await.unwrap();
    let value = |index: usize, name: &str| {
        let entries = described[index].as_ref().unwrap().entry_map();
        entries.get(name).and_then(|entry| entry.value.clone())
    };
    assert_eq!(value(0, "log.retention.bytes").as_deref(), Some("123456789"));
    assert_eq!(value(1, "hubmark.storage").as_deref(), Some("memory"));
    assert_eq!(value(1, "flush.messages"), None);
}

#[tokio::test]
async fn many_users_connect_and_send() {
    const USERS: usize = 100;
    let broker = Broker::start(&[]);
    broker.create(1).await.unwrap();
    let users: Vec<_> = (0..USERS).map(|_| broker.producer(&[("linger.ms", "0")])).collect();
    for (user, number) in users.iter().zip(0_u32..) {
        user.send(&number.to_be_bytes());
    }
    for user in &users {
        assert_eq!(user.settle(), (1, 0));
    }
    let got: HashSet<_> = consume(&broker.consumer(Offset::Beginning), USERS).into_iter().collect();
    assert_eq!(got.len(), USERS);
}

#[test]
fn what_is_not_kafkas_protocol_is_hung_up_on() {
    use std::io::{Read, Write};
    let broker = Broker::start(&[]);
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 8, 0, 99, 0, 0, 0, 0, 0, 0]] {
        let mut stream = std::net::TcpStream::connect(&broker.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(nonsense).unwrap();
        let answer = stream.read(&mut [0; 8]);
        let waited = matches!(&answer, Err(e) if e.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!waited && !matches!(answer, Ok(1..)), "{answer:?}");
    }
    broker.stop();
}

/// What a faultless consumer makes of what arrived.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    arrived: u64,
    intact: u64,
    duplicate: u64,
    out_of_order: u64,
    corrupt: u64,
}

fn judge(values: &[Vec<u8>]) -> Seen {
    let mut seen = Seen { arrived: values.len() as u64, ..Seen::default() };
    let mut known = HashSet::new();
    let mut latest: HashMap<User, Stamp> = HashMap::new();
    for value in values {
        let (stamp, payload) = Stamp::split(value).unwrap();
        if payload != stamp.to_bytes().repeat(4) {
            seen.corrupt += 1;
            continue;
        }
        if known.insert(stamp) {
            seen.intact += 1;
        } else {
            seen.duplicate += 1;
        }
        let latest = latest.entry(stamp.user()).or_insert(stamp);
        seen.out_of_order += u64::from(stamp < *latest);
        *latest = stamp.max(*latest);
    }
    seen
}

const USERS: u32 = 50;
const MESSAGES: u64 = 40;
/// Messages of all users together.
const ALL: u64 = USERS as u64 * MESSAGES;

/// Sends every user's messages over several connections to a lying broker, consumes what is
/// stored, checks that what was counted is what was seen, and returns both.
async fn lied_to(lies: &str) -> (Counts, Seen) {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report.json");
    let lies = format!("{lies},seed=11,report={}", report.display());
    let broker = Broker::start(&["--lie", &lies]);
    broker.create(1).await.unwrap();
    let producers: Vec<_> = (0..5)
        .map(|_| broker.producer(&[("linger.ms", "1"), ("batch.num.messages", "7")]))
        .collect();
    for number in 0..MESSAGES {
        for user in 0..USERS {
            let message = Stamp::new(user, number).to_bytes().repeat(5);
            producers[user as usize % producers.len()].send(&message);
        }
    }
    let outcomes = producers.iter().map(Sender::settle);
    let (acked, refused) = outcomes.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let read = || -> Counts { serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap() };
    let deadline = Instant::now() + PATIENCE;
    while read().received < ALL || read().held > 0 {
        assert!(Instant::now() < deadline, "{:?}", read());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stored = read().stored;
    let values = consume(&broker.consumer(Offset::Beginning), usize::try_from(stored).unwrap());
    let seen = judge(&values);
    assert_eq!(watermarks(&broker), (0, i64::try_from(stored).unwrap()), "nothing else is there");
    broker.stop();
    let told = read();
    assert_eq!(told.received, ALL);
    assert_eq!((acked, refused), (ALL - told.refused, told.refused));
    assert_eq!(seen.duplicate, told.duplicated);
    assert_eq!(seen.out_of_order, told.out_of_order);
    assert_eq!(seen.corrupt, told.corrupted);
    assert_eq!(seen.intact, ALL - told.dropped - told.corrupted - told.refused);
    (told, seen)
}

/// Far less often than the lies below are told.
const SOME: u64 = 40;

#[tokio::test]
async fn a_liar_without_lies_is_honest() {
    let (told, seen) = lied_to("drop=0").await;
    assert_eq!(seen, Seen { arrived: ALL, intact: ALL, ..Seen::default() });
    assert_eq!((told.delayed, told.reordered, told.given_up), (0, 0, 0));
}

#[tokio::test]
async fn drops_are_counted_exactly() {
    let (told, seen) = lied_to("drop=0.05").await;
    assert!(told.dropped > SOME);
    assert_eq!((seen.arrived, seen.out_of_order), (ALL - told.dropped, 0));
}

#[tokio::test]
async fn duplicates_are_counted_exactly() {
    let (told, seen) = lied_to("duplicate=0.05").await;
    assert!(told.duplicated > SOME);
    assert_eq!((seen.intact, seen.out_of_order), (ALL, 0));
}

#[tokio::test]
async fn swaps_are_counted_exactly() {
    let (told, seen) = lied_to("reorder=0.05:500ms").await;
    assert!(told.reordered > SOME);
    assert_eq!((seen.intact, seen.out_of_order), (ALL, told.reordered));
}

#[tokio::test]
async fn corruption_is_counted_exactly() {
    let (told, seen) = lied_to("corrupt=0.05").await;
    assert!(told.corrupted > SOME);
    assert_eq!((seen.arrived, seen.out_of_order), (ALL, 0));
}

#[tokio::test]
async fn delays_are_counted_exactly() {
    let (told, seen) = lied_to("delay=0.05:300ms").await;
    assert!(told.delayed > SOME);
    assert!(seen.intact == ALL && seen.out_of_order <= told.delayed);
}

#[tokio::test]
async fn refusals_are_counted_exactly() {
    let (told, seen) = lied_to("refuse=0.2").await;
    assert!(told.refused > SOME);
    assert_eq!((seen.arrived, seen.out_of_order), (ALL - told.refused, 0));
}

#[tokio::test]
async fn all_lies_together_are_counted_exactly() {
    let lies = "drop=0.03,duplicate=0.03,reorder=0.03:200ms,corrupt=0.03,delay=0.03:100ms,\
                refuse=0.03";
    let (told, _) = lied_to(lies).await;
    assert!(told.dropped * told.duplicated * told.reordered * told.corrupted * told.delayed > 0);
}
