//! Throughput of the Kafka backend through the whole engine (payloads generated and stamped, every
//! message accounted for, every byte verified), compared with librdkafka's load tool and Kafka's
//! producer-perf-test with the same settings on the same broker in the same minutes:
//! `cargo bench --bench kafka [-- builtin] [librdkafka]`. Without `librdkafka`, hubmark's own client is measured.
//!
//! Needs `benches/rdkafka_performance.sh` and `benches/producer_perf_test.sh` run once, Java, and a Docker engine with
//! the image `hubmark/kafka:4.4.0`; with `builtin`, the built-in broker takes its place. `HUBMARK_BENCH_ROUNDS` is
//! the number of rounds that are counted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on must fail")]

#[path = "broker/container.rs"]
mod container;
#[path = "floor/paced.rs"]
mod floor;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    net::SocketAddr,
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
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use support::{
    builtin_broker::BuiltinBroker,
    repetition::{repetition_context, running_server},
};

const CONTAINER: &str = "hubmark-bench-kafka";
const TOPIC: &str = "hubmark";
const PAYLOAD: u64 = 992;
/// Size of a message with its stamp, as the other tools send it.
const MESSAGE: u64 = 1_000;
const MESSAGES: u64 = 1_000_000;
const WARM_UP: usize = 2;
const ROUNDS: usize = 8;

/// What a client reached.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// MB/s.
    rate: f64,
    /// Processor time of the client, in µs per message.
    cpu: f64,
}

/// The figures of all rounds: hubmark's, and those of another tool.
type Pair<'a> = (&'a [Figures], &'a [Figures]);

fn main() {
    floor::Floor::measure().print();
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    let client = if has("librdkafka") { "librdkafka" } else { "native" };
    let broker = if has("builtin") { Broker::builtin() } else { Broker::container() };
    let rounds = std::env::var("HUBMARK_BENCH_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |number| number.parse().unwrap());
    println!("hubmark's client: {client}; broker: {}", broker.name);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let context = context(client);
    let session = runtime.block_on(async {
        let kafka = backend::find("kafka").unwrap();
        let limit = Duration::from_mins(1);
        kafka.connect(&context, &[broker.server()], Clock::start(), limit).await.unwrap()
    });
    let mut rows: [Vec<Figures>; 6] = Default::default();
    for round in 0..WARM_UP + rounds {
        let own = || {
            runtime.block_on(session.reset()).unwrap();
            [produce(&runtime, session.as_ref()), consume(&runtime, session.as_ref())]
        };
        let other = || {
            runtime.block_on(session.reset()).unwrap();
            [broker.produce(&SAME_SETTINGS), broker.tool(&CONSUME)]
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
            "round {round}: produce {:.0} against {:.0}, {:.0} and {:.0} MB/s, consume {:.0} against {:.0} MB/s{}",
            own[0].rate,
            other[0].rate,
            plain.rate,
            java.rate,
            own[1].rate,
            other[1].rate,
            if warm_up { " (warm-up, not counted)" } else { "" }
        );
        if !warm_up {
            let values = [own[0], other[0], plain, java, own[1], other[1]];
            for (row, value) in rows.iter_mut().zip(values) {
                row.push(value);
            }
        }
    }
    let [own, other, plain, java, own_read, other_read] = &rows;
    summary("produce", "rdkafka_performance", (own, other));
    summary("produce", "rdkafka_performance with librdkafka's own batch.size", (own, plain));
    summary("produce", "kafka-producer-perf-test", (own, java));
    summary("consume", "rdkafka_performance", (own_read, other_read));
    floor::Floor::measure().print();
}

/// Prints the median ratios of the rounds; broker and machine drift from round to round.
fn summary(what: &str, tool: &str, (own, other): Pair<'_>) {
    let ratio = |figure: fn(&Figures) -> f64| {
        let mut ratios: Vec<f64> =
            own.iter().zip(other).map(|(own, other)| figure(own) / figure(other)).collect();
        ratios.sort_by(f64::total_cmp);
        (ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1])
    };
    let cost = |figures: &[Figures]| {
        let mut all: Vec<f64> = figures.iter().map(|figures| figures.cpu).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let (least, median, most) = ratio(|figures| figures.rate);
    let (_, median_cost, _) = ratio(|figures| figures.cpu);
    println!(
        "{what}: {median:.2} × {tool} (median of {} rounds; {least:.2} to {most:.2}); {median_cost:.2} × its processor time, {:.2} against {:.2} µs per message",
        own.len(),
        cost(own),
        cost(other),
    );
}

/// Processor time of this process, or of its children that have ended, in µs.
fn cpu_time(whose: UsageWho) -> f64 {
    let used = getrusage(whose).unwrap();
    let micros = |time: TimeVal| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64;
    micros(used.user_time()) + micros(used.system_time())
}

/// The other tool's settings that are hubmark's, too.
const SAME_SETTINGS: [&str; 4] =
    ["-X", "batch.size=400000", "-X", "queue.buffering.max.kbytes=8192"];
/// How the other tool reads the topic from its beginning.
const CONSUME: [&str; 7] = ["-C", "-p", "0", "-o", "beginning", "-X", "fetch.queue.backoff.ms=1"];

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

fn context(client: &str) -> RepetitionContext {
    let mut context = repetition_context("kafka", Some("4.4.0"), Workload::Throughput(workload()));
    context.settings.insert("client".into(), client.into());
    context
}

fn recorder() -> Arc<Recorder> {
    let payloads = PayloadGenerator::new(1, PAYLOAD as usize, PayloadSource::Seeded);
    Arc::new(Recorder::new(Clock::start(), 1, MESSAGES, payloads))
}

fn prepared_load(recorder: &Recorder) -> PreparedLoad {
    PreparedLoad::new(&Workload::Throughput(workload()), 1, 0, recorder.payloads()).unwrap()
}

/// The figures of [`MESSAGES`] messages.
fn figures(took: Duration, cpu_before: f64) -> Figures {
    Figures {
        rate: (MESSAGES * MESSAGE) as f64 / 1e6 / took.as_secs_f64(),
        cpu: (cpu_time(UsageWho::RUSAGE_SELF) - cpu_before) / MESSAGES as f64,
    }
}

/// From the first sent message to the last acknowledgement.
fn produce(runtime: &tokio::runtime::Runtime, session: &dyn Session) -> Figures {
    let recorder = recorder();
    let mut fleet =
        runtime.block_on(session.open_fleet(1, Batching::Bulk, recorder.clone())).unwrap();
    let stop = AtomicBool::new(false);
    let (since, cpu) = (Instant::now(), cpu_time(UsageWho::RUSAGE_SELF));
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
    figures(since.elapsed(), cpu)
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

/// From the first arrival to the last, as the other tool counts it; every byte is verified.
fn consume(runtime: &tokio::runtime::Runtime, session: &dyn Session) -> Figures {
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
    let cpu = cpu_time(UsageWho::RUSAGE_SELF);
    let consumer = runtime.block_on(session.open_consumer(Batching::Bulk)).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let thread = HotThread::new("consumer", ThreadRole::Receives);
    let mut sink = RecorderSink::new(Arc::clone(&recorder), Arc::clone(&ended), thread);
    let reader = thread::spawn(move || consumer.run(&mut sink));
    while recorder.delivered() < MESSAGES {
        thread::sleep(Duration::from_millis(1));
    }
    let (first, last) = recorder.arrival_span().unwrap();
    let figures = figures(Duration::from_micros(last.since(first) as u64), cpu);
    ended.store(true, Ordering::Relaxed);
    reader.join().unwrap().unwrap();
    assert_eq!(recorder.ledger().corrupt, 0);
    figures
}

/// A broker, and the tools that are compared on it.
struct Broker {
    name: &'static str,
    address: String,
    /// Ends the broker when it is dropped.
    _running: Box<dyn std::any::Any>,
}

impl Broker {
    fn container() -> Self {
        let container = BrokerContainer::start(CONTAINER);
        let address = container.address.clone();
        Self { name: "Kafka 4.4.0 in a container", address, _running: Box::new(container) }
    }

    fn builtin() -> Self {
        let broker = BuiltinBroker::start(&[]);
        Self { name: "built-in", address: broker.address.clone(), _running: Box::new(broker) }
    }

    fn server(&self) -> RunningServer {
        let address: SocketAddr = self.address.parse().unwrap();
        running_server("kafka", CONTAINER, address, 9092)
    }

    /// What librdkafka's tool reports, with its processor time.
    fn tool(&self, arguments: &[&str]) -> Figures {
        let count = MESSAGES.to_string();
        let mut command = Command::new("target/release/rdkafka_performance");
        command
            .args(arguments)
            .args(["-t", TOPIC, "-c", &count, "-b", &self.address])
            .args(["-X", "enable.metrics.push=false"]);
        run(&mut command, "benches/rdkafka_performance.sh has been run", megabytes)
    }

    /// Producing with these settings by librdkafka's tool.
    fn produce(&self, settings: &[&str]) -> Figures {
        let size = MESSAGE.to_string();
        self.tool(&[&["-P", "-p", "0", "-s", &size, "-X", "linger.ms=5"], settings].concat())
    }

    /// Producing with the same settings by Kafka's own tool.
    fn perf_test(&self) -> Figures {
        let mut command = Command::new("java");
        command
            .args(["-cp", "target/release/kafka-tools/lib/*"])
            .arg("org.apache.kafka.tools.ProducerPerformance")
            .args(["--topic", TOPIC, "--throughput", "-1"])
            .args(["--num-records", &MESSAGES.to_string(), "--record-size", &MESSAGE.to_string()])
            .arg("--producer-props")
            .arg(format!("bootstrap.servers={}", self.address))
            .args(["linger.ms=5", "batch.size=400000", "enable.idempotence=false"]);
        run(&mut command, "java, and benches/producer_perf_test.sh has been run", |text| {
            // "1000000 records sent, 250000.0 records/sec (238.42 MB/sec), …": its megabytes are MiB.
            let last = text.lines().rev().find(|line| line.contains("records/sec"))?;
            let rate: f64 = last.split("sent, ").nth(1)?.split(' ').next()?.parse().ok()?;
            Some(rate * MESSAGE as f64 / 1e6)
        })
    }
}

/// Runs a tool; `rate` finds its MB/s in what it prints.
fn run(command: &mut Command, needs: &str, rate: impl Fn(&str) -> Option<f64>) -> Figures {
    let before = cpu_time(UsageWho::RUSAGE_CHILDREN);
    let output = command.output().expect(needs);
    let cpu = (cpu_time(UsageWho::RUSAGE_CHILDREN) - before) / MESSAGES as f64;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let rate = rate(&text).unwrap_or_else(|| panic!("no rate in: {text}"));
    Figures { rate, cpu }
}

/// The last rate that the tool printed.
fn megabytes(text: &str) -> Option<f64> {
    let last = text.lines().rev().find(|line| line.contains("MB/s"))?;
    let words: Vec<&str> = last.split_whitespace().collect();
    let at = words.iter().position(|word| word.starts_with("MB/s"))?;
    words.get(at.checked_sub(1)?)?.trim_matches('(').parse().ok()
}
