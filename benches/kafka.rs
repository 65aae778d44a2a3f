//! Throughput of the Kafka backend through the whole engine (payloads generated and stamped, every
//! message on the books, every byte verified), beside librdkafka's own load tool and Kafka's
//! producer-perf-test with the same settings on the same broker in the same minutes:
//! `cargo bench --bench kafka`.
//!
//! Needs a Docker engine with the image `hubmark/kafka:4.4.0`, Java, and
//! `benches/rdkafka_performance.sh` and `benches/producer_perf_test.sh` run once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on must fail")]

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hubmark::{
    backend::{self, Bundling, Session, Setup},
    clock::Clock,
    engine::{Recorder, inbox::RecorderInbox, load::Load},
    plan::{
        BackendChoice, Durability, PayloadSource, Point, Scenario, ThroughputWorkload, Workload,
    },
    server::{HubKind, Limits, Running},
    units::Bytes,
    workload::payload::Payloads,
};

const IMAGE: &str = "hubmark/kafka:4.4.0";
const CONTAINER: &str = "hubmark-bench-kafka";
const TOPIC: &str = "hubmark";
const PAYLOAD: u64 = 992;
/// A message with its stamp: what the other tool sends.
const MESSAGE: u64 = 1_000;
const MESSAGES: u64 = 1_000_000;
const WARM_UP: usize = 2;
const ROUNDS: usize = 8;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let broker = Broker::start();
    let setup = setup();
    let session = runtime.block_on(async {
        let kafka = backend::find("kafka").unwrap();
        let patience = Duration::from_mins(1);
        kafka.connect(&setup, &[broker.running()], Clock::start(), patience).await.unwrap()
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
        // The broker quickens with every message for minutes: whoever goes second has it easier.
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

/// The ratio of each round, since broker and machine drift from round to round.
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

fn setup() -> Setup {
    Setup {
        point: Point {
            backend: BackendChoice { name: "kafka".into(), version: Some("4.4.0".into()) },
            workload: Workload::Throughput(workload()),
            durability: Durability::Default,
        },
        settings: serde_json::Map::new(),
        hub: HubKind::Docker,
        limits: Limits::default(),
        password: String::new(),
    }
}

fn recorder() -> Arc<Recorder> {
    let payloads = Payloads::new(1, PAYLOAD as usize, PayloadSource::Seeded);
    Arc::new(Recorder::new(Clock::start(), 1, MESSAGES, payloads))
}

fn rate(took: Duration) -> f64 {
    (MESSAGES * MESSAGE) as f64 / 1e6 / took.as_secs_f64()
}

/// From the first hand-over to the last acknowledgement, in MB/s.
fn produce(runtime: &tokio::runtime::Runtime, session: &dyn Session) -> f64 {
    let recorder = recorder();
    let mut fleet = runtime.block_on(session.fleet(1, Bundling::Bulk, recorder.clone())).unwrap();
    let stop = AtomicBool::new(false);
    let since = Instant::now();
    Load { recorder: Arc::clone(&recorder), stop: &stop, fleet: fleet.as_mut() }
        .unpaced(&workload())
        .unwrap();
    while recorder.acknowledged() < MESSAGES {
        thread::sleep(Duration::from_millis(1));
    }
    rate(since.elapsed())
}

/// A fleet that sends nothing: the books alone learn of the messages.
struct Nothing;

impl backend::Fleet for Nothing {
    fn send(
        &mut self,
        _: u32,
        _: hubmark::stamp::Stamp,
        _: &[u8],
    ) -> Result<(), backend::SendError> {
        Ok(())
    }
    fn flush(&mut self) {}
}

/// From the first arrival to the last, as the other tool counts it, in MB/s; every byte verified.
fn consume(runtime: &tokio::runtime::Runtime, session: &dyn Session) -> f64 {
    let recorder = recorder();
    // The books must know what was sent, or every arrival is foreign to them.
    let stop = AtomicBool::new(false);
    Load { recorder: Arc::clone(&recorder), stop: &stop, fleet: &mut Nothing }
        .unpaced(&workload())
        .unwrap();
    let consumer = runtime.block_on(session.consumer(Bundling::Bulk)).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let mut inbox = RecorderInbox::new(Arc::clone(&recorder), Arc::clone(&ended));
    let reader = thread::spawn(move || consumer.run(&mut inbox));
    while recorder.delivered() < MESSAGES {
        thread::sleep(Duration::from_millis(1));
    }
    let (first, last) = recorder.arrivals().unwrap();
    let rate = rate(Duration::from_micros(last.since(first) as u64));
    ended.store(true, Ordering::Relaxed);
    reader.join().unwrap().unwrap();
    assert_eq!(recorder.ledger().corrupt, 0);
    rate
}

/// A warm broker in a container, removed at the end.
struct Broker {
    address: String,
}

impl Broker {
    fn start() -> Self {
        let _ = docker(&["rm", "-f", "-v", CONTAINER]);
        docker(&["run", "-d", "--name", CONTAINER, IMAGE]);
        let format = "{{.NetworkSettings.IPAddress}}";
        Self { address: docker(&["inspect", "-f", format, CONTAINER]) }
    }

    fn running(&self) -> Running {
        Running {
            role: "kafka".into(),
            id: CONTAINER.into(),
            address: self.address.parse().unwrap(),
            ports: [(9092, 9092)].into(),
            image: IMAGE.into(),
            digest: None,
            data_dir: None,
            dir: None,
        }
    }

    /// What librdkafka's tool says of itself, in MB/s.
    fn tool(&self, arguments: &[&str]) -> f64 {
        let broker = format!("{}:9092", self.address);
        let count = MESSAGES.to_string();
        let output = Command::new("target/release/rdkafka_performance")
            .args(arguments)
            .args(["-t", TOPIC, "-c", &count, "-b", &broker])
            .args(["-X", "enable.metrics.push=false"])
            .output()
            .expect("benches/rdkafka_performance.sh has been run");
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        megabytes(&text).unwrap_or_else(|| panic!("no rate in: {text}"))
    }

    /// What librdkafka's tool says of its producing with these settings, in MB/s.
    fn produce(&self, settings: &[&str]) -> f64 {
        let size = MESSAGE.to_string();
        self.tool(&[&["-P", "-p", "0", "-s", &size, "-X", "linger.ms=5"], settings].concat())
    }

    /// What Kafka's own tool says of itself, in MB/s, with the same settings.
    fn perf_test(&self) -> f64 {
        let output = Command::new("java")
            .args(["-cp", "target/release/kafka-tools/lib/*"])
            .arg("org.apache.kafka.tools.ProducerPerformance")
            .args(["--topic", TOPIC, "--throughput", "-1"])
            .args(["--num-records", &MESSAGES.to_string(), "--record-size", &MESSAGE.to_string()])
            .arg("--producer-props")
            .arg(format!("bootstrap.servers={}:9092", self.address))
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

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = docker(&["rm", "-f", "-v", CONTAINER]);
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("a docker client");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
