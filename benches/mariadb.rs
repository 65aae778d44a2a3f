//! Speed of the MariaDB backend, compared with the server's own tools in the same minutes:
//! `cargo bench --bench mariadb` (needs a Docker engine, and the `mariadb` client on `PATH`;
//! `HUBMARK_BENCH_HUB=local` uses `mariadbd` on `PATH` instead of a container).
//!
//! Prints latency and client CPU of paced users, then the rates of bulk load and bulk read as
//! ratios to `LOAD DATA INFILE` and `mariadb --quick`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on must fail")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use hubmark::{
    backend::{
        Batching, Consumer, Fleet, MessageSink, SendError, SendOutcomes, SendReceipt, Session,
    },
    clock::{Clock, Micros},
    server::HubKind,
    stamp::Stamp,
};
use nix::sys::resource::{UsageWho, getrusage};
use support::mariadb_server::{MariaDbServer, PASSWORD, mariadb_context};

const SECONDS: u64 = 10;
const ROWS: u64 = 100_000;
const ROW: usize = 1_000;
const ROUNDS: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for users in [100, 1_000] {
        latency(users).await;
    }
    throughput().await;
}

/// Counts of outcomes, and durations of acknowledgements.
struct OutcomeCounts {
    acked: AtomicU64,
    other: AtomicU64,
    ack: Mutex<Histogram<u64>>,
    measured_from: AtomicU64,
}

impl OutcomeCounts {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            acked: AtomicU64::new(0),
            other: AtomicU64::new(0),
            ack: Mutex::new(Histogram::new(3).unwrap()),
            measured_from: AtomicU64::new(0),
        })
    }
}

impl SendOutcomes for OutcomeCounts {
    fn connected(&self, _users: u32) {}
    fn acked(&self, receipts: &[SendReceipt]) {
        self.acked.fetch_add(receipts.len() as u64, Ordering::Relaxed);
        let mut ack = self.ack.lock().unwrap();
        for receipt in receipts {
            if receipt.stamp.tick() >= self.measured_from.load(Ordering::Relaxed) {
                ack.record(
                    receipt.at.since(Micros(receipt.stamp.tick().cast_signed())).max(0) as u64
                )
                .unwrap();
            }
        }
    }
    fn refused(&self, _receipt: SendReceipt, _reason: &str) {
        self.other.fetch_add(1, Ordering::Relaxed);
    }
    fn unknown(&self, _receipt: SendReceipt, _reason: &str) {
        self.other.fetch_add(1, Ordering::Relaxed);
    }
    fn note(&self, text: String) {
        eprintln!("{text}");
    }
}

/// Counts and a histogram of arrivals.
struct ArrivalSink {
    count: Arc<AtomicU64>,
    bytes: u64,
    stop: Arc<AtomicBool>,
    delivery: Histogram<u64>,
    measured_from: u64,
}

impl ArrivalSink {
    /// A sink that measures messages sent at `measured_from` or later.
    fn new(measured_from: u64) -> Self {
        Self {
            count: Arc::new(AtomicU64::new(0)),
            bytes: 0,
            stop: Arc::new(AtomicBool::new(false)),
            delivery: Histogram::new(3).unwrap(),
            measured_from,
        }
    }
}

impl MessageSink for ArrivalSink {
    fn arrived(&mut self, at: Micros, stamp: Stamp, payload: &[u8]) {
        self.bytes += payload.len() as u64;
        self.count.fetch_add(1, Ordering::Relaxed);
        if stamp.tick() >= self.measured_from {
            self.delivery
                .record(at.since(Micros(stamp.tick().cast_signed())).max(0) as u64)
                .unwrap();
        }
    }
    fn foreign(&mut self) {}
    fn flush(&mut self) {}
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Processor time of this process with all threads.
fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|t| Duration::new(t.tv_sec() as u64, t.tv_usec() as u32 * 1_000))
        .sum()
}

/// Processor seconds of each thread, by name.
fn thread_times() -> Vec<(String, f64)> {
    let ticks = procfs::ticks_per_second() as f64;
    procfs::process::Process::myself()
        .unwrap()
        .tasks()
        .unwrap()
        .flatten()
        .filter_map(|task| task.stat().ok())
        .map(|stat| (stat.comm.clone(), (stat.utime + stat.stime) as f64 / ticks))
        .collect()
}

fn hub() -> HubKind {
    match std::env::var("HUBMARK_BENCH_HUB").as_deref() {
        Ok("local") => HubKind::Local,
        _ => HubKind::Docker,
    }
}

/// Measures latency: `users` users × 1 message/s × 100 B.
async fn latency(users: u32) {
    let mut context = mariadb_context(users, 100);
    context.hub = hub();
    let server = MariaDbServer::start(&context);
    let clock = Clock::start();
    let session = server.session(&context, clock).await;
    session.reset().await.unwrap();
    let consumer = session.open_consumer(Batching::Single).await.unwrap();
    let outcomes = OutcomeCounts::new();
    let connecting = Instant::now();
    let fleet = session.open_fleet(users, Batching::Single, outcomes.clone()).await.unwrap();
    let connect = connecting.elapsed();

    let start = clock.now().after(Duration::from_millis(200));
    let measured = start.after(Duration::from_secs(2));
    outcomes.measured_from.store(measured.0 as u64, Ordering::Relaxed);
    let mut sink = ArrivalSink::new(measured.0 as u64);
    let (stop, count) = (Arc::clone(&sink.stop), Arc::clone(&sink.count));
    let consumer_thread = spawn_named("consumer", move || {
        consumer.run(&mut sink).unwrap();
        sink
    });
    let (cpu_before, started) = (cpu_time(), Instant::now());
    let sender_thread = spawn_named("scheduler", move || {
        let mut fleet = fleet;
        nix::sys::prctl::set_timerslack(1).unwrap();
        send_paced(&mut *fleet, users, clock, start);
        fleet
    });
    let planned = u64::from(users) * (SECONDS + 2);
    let fleet = tokio::task::spawn_blocking(|| sender_thread.join().unwrap()).await.unwrap();
    let used =
        cpu_time().saturating_sub(cpu_before).as_secs_f64() / started.elapsed().as_secs_f64();
    let by_thread = thread_times();
    wait_until(|| count.load(Ordering::Relaxed) >= planned, Duration::from_secs(10)).await;
    let closing = Instant::now();
    drop(fleet);
    let closed = closing.elapsed();
    stop.store(true, Ordering::Relaxed);
    let sink = consumer_thread.join().unwrap();
    let stored = session.count_messages().await.unwrap();
    let ack = outcomes.ack.lock().unwrap();
    let q = |h: &Histogram<u64>, q: f64| h.value_at_quantile(q) as f64 / 1e3;
    println!(
        "{users} users: connect {:.3} s, close {:.3} s, ack p50 {:.2} p99 {:.2} ms, delivery p50 {:.2} p99 {:.2} max {:.1} ms, \
         client {used:.3} core, planned {planned}, acked {}, other {}, arrived {}, stored {stored}",
        connect.as_secs_f64(),
        closed.as_secs_f64(),
        q(&ack, 0.5),
        q(&ack, 0.99),
        q(&sink.delivery, 0.5),
        q(&sink.delivery, 0.99),
        q(&sink.delivery, 1.0),
        outcomes.acked.load(Ordering::Relaxed),
        outcomes.other.load(Ordering::Relaxed),
        count.load(Ordering::Relaxed),
    );
    let mut parts = String::new();
    for (name, seconds) in by_thread.iter().filter(|(_, seconds)| *seconds > 0.0) {
        let _ = write!(parts, " {name} {:.3}", seconds / (SECONDS + 2) as f64);
    }
    println!("   cores by thread:{parts}");
}

/// Sends a message of each user once a second, spread evenly over the second.
fn send_paced(fleet: &mut dyn Fleet, users: u32, clock: Clock, start: Micros) {
    let mut message = vec![7; Stamp::LEN + 100];
    let gap = 1_000_000 / u64::from(users);
    for number in 0..u64::from(users) * (SECONDS + 2) {
        clock.sleep_until(start.after(Duration::from_micros(number * gap)));
        let user = (number % u64::from(users)) as u32;
        let stamp = Stamp::new(user, clock.now().0 as u64);
        message[..Stamp::LEN].copy_from_slice(&stamp.to_bytes());
        fleet.send(user, stamp, &message).unwrap();
    }
}

/// Starts a named thread.
fn spawn_named<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::Builder::new().name(name.into()).spawn(work).unwrap()
}

async fn wait_until(done: impl Fn() -> bool, limit: Duration) {
    let deadline = Instant::now() + limit;
    while !done() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A row's payload of letters, which need no escapes in a text file.
fn payload(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'a' + (state % 26) as u8
    };
    (0..ROW).map(letter).collect()
}

/// Loads the same rows by bulk fleet and by `LOAD DATA INFILE`, then reads them by both consumers.
async fn throughput() {
    let mut context = mariadb_context(1, ROW as u64);
    context.hub = hub();
    // The server reads the tool's file itself.
    context.settings.insert("server".into(), serde_json::json!({ "secure_file_priv": "" }));
    let server = MariaDbServer::start(&context);
    let session = server.session(&context, Clock::start()).await;
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("rows.tsv");
    let mut text = Vec::new();
    let rows: Arc<Vec<Vec<u8>>> = Arc::new((1..=ROWS).map(payload).collect());
    for (number, row) in (1..).zip(&*rows) {
        text.extend_from_slice(format!("{number}\t").as_bytes());
        text.extend_from_slice(row);
        text.push(b'\n');
    }
    std::fs::write(&path, &text).unwrap();
    let source = match context.hub {
        HubKind::Local | HubKind::External => path.display().to_string(),
        HubKind::Docker => copy_into_container(&server, &path),
    };

    let (mut loads, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        session.reset().await.unwrap();
        let theirs = load_data(&server, &source);
        session.reset().await.unwrap();
        let (ours, load_cpu) = bulk_load(&*session, 1, &rows).await;
        let quick = mariadb_quick(&server);
        let (read, read_cpu) = bulk_read(&*session).await;
        println!(
            "load {ours:.0} MB/s ({load_cpu:.2} s CPU) : LOAD DATA {theirs:.0} = {:.2} ×   \
             read {read:.0} MB/s ({read_cpu:.2} s CPU) : mariadb --quick {quick:.0} = {:.2} ×",
            ours / theirs,
            read / quick
        );
        loads.push(ours / theirs);
        reads.push(read / quick);
    }
    for users in [2, 4] {
        session.reset().await.unwrap();
        println!("load with {users} users: {:.0} MB/s", bulk_load(&*session, users, &rows).await.0);
    }
    loads.sort_by(f64::total_cmp);
    reads.sort_by(f64::total_cmp);
    println!("median: load {:.2} ×, read {:.2} ×", loads[ROUNDS / 2], reads[ROUNDS / 2]);
}

fn rate(seconds: f64) -> f64 {
    ROWS as f64 * ROW as f64 / 1e6 / seconds
}

async fn bulk_load(session: &dyn Session, users: u32, rows: &Arc<Vec<Vec<u8>>>) -> (f64, f64) {
    let outcomes = OutcomeCounts::new();
    outcomes.measured_from.store(u64::MAX, Ordering::Relaxed);
    let mut fleet = session.open_fleet(users, Batching::Bulk, outcomes.clone()).await.unwrap();
    let (cpu_before, started) = (cpu_time(), Instant::now());
    let rows = Arc::clone(rows);
    let sender_thread = std::thread::spawn(move || {
        let mut message = vec![0; Stamp::LEN + ROW];
        for (number, row) in (1..).zip(&*rows) {
            let user = (number % u64::from(users)) as u32;
            let stamp = Stamp::new(user, number);
            message[..Stamp::LEN].copy_from_slice(&stamp.to_bytes());
            message[Stamp::LEN..].copy_from_slice(row);
            while fleet.send(user, stamp, &message) == Err(SendError::Full) {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        fleet.flush();
        fleet
    });
    wait_until(|| outcomes.acked.load(Ordering::Relaxed) >= ROWS, Duration::from_mins(1)).await;
    let rate = rate(started.elapsed().as_secs_f64());
    let used = cpu_time().saturating_sub(cpu_before).as_secs_f64();
    drop(sender_thread.join().unwrap());
    assert_eq!(outcomes.acked.load(Ordering::Relaxed), ROWS);
    (rate, used)
}

async fn bulk_read(session: &dyn Session) -> (f64, f64) {
    let consumer: Box<dyn Consumer> = session.open_consumer(Batching::Bulk).await.unwrap();
    let mut sink = ArrivalSink::new(u64::MAX);
    let (stop, count) = (Arc::clone(&sink.stop), Arc::clone(&sink.count));
    let (cpu_before, started) = (cpu_time(), Instant::now());
    let consumer_thread = std::thread::spawn(move || {
        consumer.run(&mut sink).unwrap();
        sink.bytes
    });
    wait_until(|| count.load(Ordering::Relaxed) >= ROWS, Duration::from_mins(1)).await;
    let rate = rate(started.elapsed().as_secs_f64());
    let used = cpu_time().saturating_sub(cpu_before).as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    assert_eq!(consumer_thread.join().unwrap(), ROWS * ROW as u64);
    (rate, used)
}

fn client(server: &MariaDbServer, user: &str, sql: &str) -> Command {
    let address = server.running.endpoint(3306);
    let mut command = Command::new("mariadb");
    match &server.running.dir {
        // The administrator of a local server connects by its socket.
        Some(dir) if user == "root" => command.arg("--socket").arg(dir.join("mariadb.sock")),
        _ => command.args(["-h", &address.ip().to_string(), "-P", &address.port().to_string()]),
    };
    command
        .env("MYSQL_PWD", PASSWORD)
        .args(["-u", user, "--quick", "-N", "hubmark", "-e", sql])
        .stdout(Stdio::null());
    command
}

fn load_data(server: &MariaDbServer, source: &str) -> f64 {
    let sql = format!("LOAD DATA INFILE '{source}' INTO TABLE messages (stamp, payload)");
    let started = Instant::now();
    assert!(client(server, "root", &sql).status().unwrap().success());
    rate(started.elapsed().as_secs_f64())
}

fn mariadb_quick(server: &MariaDbServer) -> f64 {
    let started = Instant::now();
    let sql = "SELECT id, stamp, payload FROM messages";
    assert!(client(server, "hubmark", sql).status().unwrap().success());
    rate(started.elapsed().as_secs_f64())
}

/// Copies a file into the server's container; returns its path there.
fn copy_into_container(server: &MariaDbServer, path: &Path) -> String {
    let (inside, id) = ("/tmp/rows.tsv", &server.running.id);
    let docker = |arguments: &[&str]| {
        assert!(Command::new("docker").args(arguments).output().unwrap().status.success());
    };
    docker(&["cp", path.to_str().unwrap(), &format!("{id}:{inside}")]);
    docker(&["exec", id, "chmod", "644", inside]);
    inside.to_owned()
}
