//! The built-in broker as a process, and clients of it that use librdkafka unchanged.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
    types::RDKafkaErrorCode,
};

use super::{
    process::{program, send_signal},
    wait::WAIT_LIMIT,
};

/// The topic of tests with one topic.
pub const TOPIC: &str = "devices";

/// A client that manages topics.
pub type Admin = AdminClient<DefaultClientContext>;

/// Connects a client that manages topics.
pub fn kafka_admin(address: &str) -> Admin {
    ClientConfig::new().set("bootstrap.servers", address).create().unwrap()
}

/// A running built-in broker; killed when dropped.
pub struct BuiltinBroker {
    child: Child,
    pub address: String,
}

impl BuiltinBroker {
    /// Starts a broker on a free port.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(program())
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

    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("enable.metrics.push", "false");
        config
    }

    pub fn admin(&self) -> Admin {
        self.config().create().unwrap()
    }

    /// Creates [`TOPIC`].
    pub async fn create_topic(&self, partitions: i32) -> Result<(), RDKafkaErrorCode> {
        self.create(&NewTopic::new(TOPIC, partitions, TopicReplication::Fixed(1))).await
    }

    pub async fn create(&self, topic: &NewTopic<'_>) -> Result<(), RDKafkaErrorCode> {
        let results = self.admin().create_topics([topic], &AdminOptions::new()).await.unwrap();
        results.into_iter().next().unwrap().map(|_| ()).map_err(|(_, code)| code)
    }

    /// Deletes [`TOPIC`].
    pub async fn delete_topic(&self) -> Result<(), RDKafkaErrorCode> {
        let results = self.admin().delete_topics(&[TOPIC], &AdminOptions::new()).await.unwrap();
        results.into_iter().next().unwrap().map(|_| ()).map_err(|(_, code)| code)
    }

    pub fn producer(&self, settings: &[(&str, &str)]) -> CountingProducer {
        let counts = DeliveryCounts::default();
        let mut config = self.config();
        for (key, value) in settings {
            config.set(*key, *value);
        }
        CountingProducer { producer: config.create_with_context(counts.clone()).unwrap(), counts }
    }

    /// A consumer of [`TOPIC`] from `offset` on.
    pub fn consumer(&self, offset: Offset) -> BaseConsumer {
        // Clients may name a group, although the broker has none.
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

    /// First and next offset of [`TOPIC`].
    pub fn watermarks(&self) -> (i64, i64) {
        let consumer: BaseConsumer = self.config().create().unwrap();
        consumer.fetch_watermarks(TOPIC, 0, WAIT_LIMIT).unwrap()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it in order, as the local hub does.
    pub fn stop(mut self) {
        send_signal(self.child.id().cast_signed(), Signal::SIGTERM);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for BuiltinBroker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Counts of a producer's outcomes.
#[derive(Clone, Default)]
struct DeliveryCounts {
    acked: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl ClientContext for DeliveryCounts {}

impl ProducerContext for DeliveryCounts {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let count = if result.is_ok() { &self.acked } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A producer that counts its outcomes.
pub struct CountingProducer {
    producer: BaseProducer<DeliveryCounts>,
    counts: DeliveryCounts,
}

impl CountingProducer {
    /// Sends a message to [`TOPIC`]; waits while the queue is full.
    pub fn send(&self, payload: &[u8]) {
        loop {
            let record = BaseRecord::<(), [u8]>::to(TOPIC).partition(0).payload(payload);
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.poll();
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }

    /// Takes the outcomes that are known, and sleeps: a poll of less than two milliseconds does not wait, it spins.
    fn poll(&self) {
        self.producer.poll(Duration::ZERO);
        thread::sleep(Duration::from_millis(1));
    }

    /// Waits for all outcomes; returns how many messages were acknowledged and refused so far.
    pub fn wait_for_outcomes(&self) -> (u64, u64) {
        let deadline = Instant::now() + WAIT_LIMIT;
        while self.producer.in_flight_count() > 0 {
            assert!(Instant::now() < deadline, "messages without an outcome");
            self.poll();
        }
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (count(&self.counts.acked), count(&self.counts.refused))
    }
}

/// Receives the next `count` messages.
pub fn consume(consumer: &BaseConsumer, count: usize) -> Vec<Vec<u8>> {
    let deadline = Instant::now() + WAIT_LIMIT;
    let mut values = Vec::new();
    while values.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} messages arrived", values.len());
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            values.push(message.unwrap().payload().unwrap().to_vec());
        }
    }
    values
}
