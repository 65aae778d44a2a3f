//! Throughput of the Kafka backend through the whole engine (payloads generated and stamped, every
//! message accounted for, every byte verified), compared with librdkafka's load tool and Kafka's
//! producer-perf-test with the same settings on the same broker in the same minutes:
//! `cargo bench --bench kafka`.
//!
//! Needs a Docker engine with the image `hubmark/kafka:4.4.0`, Java, and
//! `benches/rdkafka_performance.sh` and `benches/producer_perf_test.sh` run once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on must fail")]

#[path = "broker/container.rs"]
mod container;
#[path = "floor/paced.rs"]
mod floor;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use container::BrokerContainer;
use hubmark::{
    backend::{self, Batching, RepetitionContext, Session},
    clock::Clock,
    engine::{
        Recorder,
        load::sender::{LoadSender, PreparedLoad},
        measure::message_sink::RecorderSink,
    },
    hot_thread::{HotThread, ThreadRole},
    plan::{PayloadSource, Scenario, ThroughputWorkload, Workload},
    server::RunningServer,
    units::Bytes,
    workload::payload::PayloadGenerator,
};
use support::repetition::{repetition_context, running_server};

const CONTAINER: &str = "hubmark-bench-kafka";
const TOPIC: &str = "hubmark";
const PAYLOAD: u64 = 992;
/// Size of a message with its stamp, as the other tools send it.
const MESSAGE: u64 = 1_000;
const MESSAGES: u64 = 1_000_000;
const WARM_UP: usize = 2;
const ROUNDS: usize = 8;

fn main() {
    floor::Floor::measure().print();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let broker = Broker(BrokerContainer::start(CONTAINER));
    let context = context();
    let session = runtime.block_on(async {
        let kafka = backend::find("kafka").unwrap();
        let limit = Duration::from_mins(1);
        kafka.connect(&context, &[broker.server()], Clock::start(), limit).await.unwrap()
    });
    let mut rows: [Vec<f64>; 6] = Default::default();
    for round in 0..WARM_UP + ROUNDS {
        let own = || {
            runtime.block_on(session.reset()).unwrap();
            [produce(&runtime, session.as_ref()), consume(&runtime, session.as_ref())]
        };
        let other = || {
            runtime.block_on(session.reset()).unwrap();
            [
                broker.produce(&[
                    "-X",
                    "batch.size=400000",
                    "-X",
                    "queue.buffering.max.kbytes=8192",
                ]),
                broker.tool(&[
                    "-C",
                    "-p",
                    "0",
                    "-o",
                    "beginning",
                    "-X",
                    "fetch.queue.backoff.ms=1",
                ]),
            ]
        };
        // The broker becomes faster with every message for minutes, which favours the second tool.
        let (own, other) = if round % 2 == 0 {
            let first = own();
            (first, other())
        } else {
            let first = other();
            (own(), first)
        };
        runtime.block_on(session.reset()).unwrap();
        let java = broker.perf_test();
        runtime.block_on(session.reset()).unwrap();
        let plain = broker.produce(&[]);
        let warm_up = round < WARM_UP;
        println!(
            "round {round}: produce {:.0} against {:.0}, {plain:.0} and {java:.0} MB/s, consume {:.0} against {:.0} MB/s{}",
            own[0],
            other[0],
            own[1],
            other[1],
            if warm_up { " (warm-up, not counted)" } else { "" }
        );
        if !warm_up {
            let values = [own[0], other[0], plain, java, own[1], other[1]];
            for (row, value) in rows.iter_mut().zip(values) {
                row.push(value);
            }
        }
    }
    let [own, other, plain, java, own_read, other_read] = rows;
    summary("produce", "rdkafka_performance", &own, &other);
    summary("produce", "rdkafka_performance with librdkafka's own batch.size", &own, &plain);
    summary("produce", "kafka-producer-perf-test", &own, &java);
    summary("consume", "rdkafka_performance", &own_read, &other_read);
}

/// Prints the median ratio of the rounds; broker and machine drift from round to round.
fn summary(what: &str, tool: &str, own: &[f64], other: &[f64]) {
    let ratios: Vec<f64> = own.iter().zip(other).map(|(own, other)| own / other).collect();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    let median = median(&ratios);
    println!(
        "{what}: {median:.2} × {tool} (median of {} rounds; {least:.2} to {most:.2})",
        ratios.len()
    );
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn workload() -> ThroughputWorkload {
    ThroughputWorkload {
        users: 1,
        payload: Bytes(PAYLOAD),
        payload_source: PayloadSource::Seeded,
        volume: Bytes(PAYLOAD * MESSAGES),
        scenario: Scenario::Producer,
        drain: Duration::from_secs(10),
    }
}

fn context() -> RepetitionContext {
    repetition_context("kafka", Some("4.4.0"), Workload::Throughput(workload()))
}

fn recorder() -> Arc<Recorder> {
    let payloads = PayloadGenerator::new(1, PAYLOAD as usize, PayloadSource::Seeded);
    Arc::new(Recorder::new(Clock::start(), 1, MESSAGES, payloads))
}

fn prepared_load(recorder: &Recorder) -> PreparedLoad {
    PreparedLoad::new(&Workload::Throughput(workload()), 1, 0, recorder.payloads()).unwrap()
}

fn rate(took: Duration) -> f64 {
    (MESSAGES * MESSAGE) as f64 / 1e6 / took.as_secs_f64()
}

/// Throughput from the first sent message to the last acknowledgement, in MB/s.
fn produce(runtime: &tokio::runtime::Runtime, session: &dyn Session) -> f64 {
    let recorder = recorder();
    let mut fleet =
        runtime.block_on(session.open_fleet(1, Batching::Bulk, recorder.clone())).unwrap();
    let stop = AtomicBool::new(false);
    let since = Instant::now();
    LoadSender {
        recorder: Arc::clone(&recorder),
        stop: &stop,
        fleet: fleet.as_mut(),
        steering: None,
    }
    .send(prepared_load(&recorder), recorder.clock().now())
    .unwrap();
    while recorder.acknowledged() < MESSAGES {
        thread::sleep(Duration::from_millis(1));
    }
    rate(since.elapsed())
}

/// A fleet that sends nothing: only the recorder learns of the messages.
struct NullFleet;

impl backend::Fleet for NullFleet {
    fn send(
        &mut self,
        _: u32,
        _: hubmark::stamp::Stamp,
        _: &[u8],
    ) -> Result<backend::Handover, backend::SendError> {
        Ok(backend::Handover::Taken)
    }
    fn flush(&mut self) {}
}

/// Throughput from the first arrival to the last, as the other tool counts it, in MB/s; every byte is
/// verified.
fn consume(runtime: &tokio::runtime::Runtime, session: &dyn Session) -> f64 {
    let recorder = recorder();
    // The recorder must know what was sent, or it counts every arrival as foreign.
    let stop = AtomicBool::new(false);
    LoadSender {
        recorder: Arc::clone(&recorder),
        stop: &stop,
        fleet: &mut NullFleet,
        steering: None,
    }
    .send(prepared_load(&recorder), recorder.clock().now())
    .unwrap();
    let consumer = runtime.block_on(session.open_consumer(Batching::Bulk)).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let thread = HotThread::new("consumer", ThreadRole::Receives);
    let mut sink = RecorderSink::new(Arc::clone(&recorder), Arc::clone(&ended), thread);
    let reader = thread::spawn(move || consumer.run(&mut sink));
    while recorder.delivered() < MESSAGES {
        thread::sleep(Duration::from_millis(1));
    }
    let (first, last) = recorder.arrival_span().unwrap();
    let rate = rate(Duration::from_micros(last.since(first) as u64));
    ended.store(true, Ordering::Relaxed);
    reader.join().unwrap().unwrap();
    assert_eq!(recorder.ledger().corrupt, 0);
    rate
}

/// A warm broker, and the tools that are compared on it.
struct Broker(BrokerContainer);

impl Broker {
    fn server(&self) -> RunningServer {
        running_server("kafka", CONTAINER, self.0.address.parse().unwrap(), 9092)
    }

    /// Throughput that librdkafka's tool reports, in MB/s.
    fn tool(&self, arguments: &[&str]) -> f64 {
        let count = MESSAGES.to_string();
        let output = Command::new("target/release/rdkafka_performance")
            .args(arguments)
            .args(["-t", TOPIC, "-c", &count, "-b", &self.0.address])
            .args(["-X", "enable.metrics.push=false"])
            .output()
            .expect("benches/rdkafka_performance.sh has been run");
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        megabytes(&text).unwrap_or_else(|| panic!("no rate in: {text}"))
    }

    /// Throughput of producing with these settings that librdkafka's tool reports, in MB/s.
    fn produce(&self, settings: &[&str]) -> f64 {
        let size = MESSAGE.to_string();
        self.tool(&[&["-P", "-p", "0", "-s", &size, "-X", "linger.ms=5"], settings].concat())
    }

    /// Throughput that Kafka's own tool reports with the same settings, in MB/s.
    fn perf_test(&self) -> f64 {
        let output = Command::new("java")
            .args(["-cp", "target/release/kafka-tools/lib/*"])
            .arg("org.apache.kafka.tools.ProducerPerformance")
            .args(["--topic", TOPIC, "--throughput", "-1"])
            .args(["--num-records", &MESSAGES.to_string(), "--record-size", &MESSAGE.to_string()])
            .arg("--producer-props")
            .arg(format!("bootstrap.servers={}", self.0.address))
            .args(["linger.ms=5", "batch.size=400000", "enable.idempotence=false"])
            .output()
            .expect("java, and benches/producer_perf_test.sh has been run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // "1000000 records sent, 250000.0 records/sec (238.42 MB/sec), …": its megabytes are MiB.
        let last = text.lines().rev().find(|line| line.contains("records/sec"));
        let rate =
            last.and_then(|line| line.split("sent, ").nth(1)?.split(' ').next()?.parse().ok());
        let Some(rate): Option<f64> = rate else {
            panic!("no rate in: {text}{}", String::from_utf8_lossy(&output.stderr))
        };
        rate * MESSAGE as f64 / 1e6
    }
}

/// The last rate that the tool printed.
fn megabytes(text: &str) -> Option<f64> {
    let last = text.lines().rev().find(|line| line.contains("MB/s"))?;
    let words: Vec<&str> = last.split_whitespace().collect();
    let at = words.iter().position(|word| word.starts_with("MB/s"))?;
    words.get(at.checked_sub(1)?)?.trim_matches('(').parse().ok()
}
