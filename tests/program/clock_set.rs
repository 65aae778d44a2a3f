//! The system clock is set forward and back by an hour in the middle of a load: no duration
//! changes. It is set for hubmark alone, by a library that is loaded before the C library.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::PathBuf,
    process::{self, Command},
    thread::sleep,
    time::Duration,
};

use hubmark::record::Record;

use crate::{
    common,
    support_faults::{Bench, Going, engine::containers, program, strike},
};

const HOUR: i64 = 3_600;
/// Longer than anything here takes, and far shorter than an hour.
const SHORT: f64 = 300.0;

/// The library, built by the compiler that has built librdkafka.
fn library(bench: &Bench) -> PathBuf {
    let library = bench.path("shift.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clock/shift.c");
    let built = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-Wall", "-Werror", source, "-ldl", "-o"])
        .arg(&library)
        .status();
    assert!(built.expect("a C compiler").success());
    library
}

/// A run of `profile` for which the clock can be set.
struct Watched {
    bench: Bench,
    clock: fs::File,
    going: Going,
}

impl Watched {
    /// Starts one that believes it is an hour later.
    fn start(profile: &str, sets: &[&str], engine: bool) -> Self {
        let bench = Bench::new();
        let file = bench.path("shift");
        fs::write(&file, 0_i64.to_ne_bytes()).unwrap();
        let clock = fs::OpenOptions::new().write(true).open(&file).unwrap();
        set(&clock, 1);
        let mut command = bench.command(program());
        command.env("LD_PRELOAD", library(&bench)).env("HUBMARK_TEST_CLOCK", &file);
        if engine {
            command.env_remove("DOCKER_HOST");
        }
        command.args(["run", profile]).args(sets.iter().flat_map(|change| ["--set", change]));
        let going = bench.going(command);
        Self { bench, clock, going }
    }

    /// Sets the clock again and again while the load is played.
    fn set_each(&mut self, pause: Duration, hours: &[i64]) {
        self.going.until_said_within(": load ", Duration::from_mins(3));
        for hours in hours {
            sleep(pause);
            set(&self.clock, *hours);
        }
    }

    /// Waits for its end; no duration of it may show that the clock was set.
    fn end(self, before: jiff::Timestamp) -> Record {
        self.going.end_within(Duration::from_mins(4)).says(0, &[]);
        let record = common::read(&self.bench.record_file().unwrap());
        let ahead = record.started.as_second() - before.as_second();
        assert!(ahead >= HOUR, "the clock was not set for process {}: {ahead}", process::id());
        let repetition = common::only(&record);
        let ledger = repetition.ledger;
        assert_eq!(
            (ledger.delivered, ledger.acked),
            (ledger.planned, ledger.planned),
            "{ledger:?}"
        );
        let latency = &repetition.latency;
        for latency in [&latency.lag, &latency.ack, &latency.delivery, &latency.response] {
            let latency = latency.as_ref().unwrap();
            assert_eq!((latency.negative, latency.overflow), (0, 0));
            assert!(latency.min >= 0.0 && latency.max < SHORT * 1e6, "{}", latency.max);
        }
        assert!(repetition.seconds < SHORT, "{}", repetition.seconds);
        for (phase, seconds) in &repetition.phases {
            assert!((0.0..SHORT).contains(seconds), "{phase}: {seconds}");
        }
        let ready = repetition.server_ready_seconds.unwrap();
        assert!((0.0..SHORT).contains(&ready), "{ready}");
        record
    }
}

fn set(clock: &fs::File, hours: i64) {
    clock.write_all_at(&(hours * HOUR).to_ne_bytes(), 0).unwrap();
}

#[test]
fn no_duration_changes_when_the_system_clock_is_set() {
    let before = jiff::Timestamp::now();
    let steady = [
        "workload.users=50",
        "workload.messages=500",
        "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
        "run.baseline=\"0 s\"",
    ];
    let mut run = Watched::start("first-look", &steady, false);
    run.set_each(Duration::from_secs(1), &[2, 0, -1, 1, 0]);
    let record = run.end(before);
    assert!(common::only(&record).seconds > 9.0);
}

/// Two users who are silent most of the time, so that everybody who waits for something waits while
/// the clock is set: a server is looked at, a message is waited for, nothing comes.
const SPARSE: &[&str] = &[
    "workload.users=2",
    "workload.messages=5",
    "workload.arrival={ distribution = \"constant\", mean = \"1500 ms\" }",
    "run.baseline=\"1 s\"",
    "run.repetitions=1",
    "run.retries=0",
];

#[test]
#[ignore = "needs a Docker engine"]
fn nor_on_real_servers_though_nothing_arrives_while_it_is_set() {
    for backend in ["backend=\"kafka:4.4.0\"", "backend=\"mariadb\""] {
        let before = jiff::Timestamp::now();
        let sets = [&[backend], SPARSE].concat();
        let mut run = Watched::start("study-latency-users-quick", &sets, true);
        // Each but one is a step back. A Kafka takes nothing that is dated more than an hour ahead.
        run.set_each(Duration::from_millis(700), &[0, -1, 0, -1, -2, -3, -4, -5, -6]);
        let record = run.end(before);
        let latency = &common::only(&record).latency;
        let slowest = latency.delivery.as_ref().unwrap().max;
        println!("{backend}: slowest delivery {:.1} ms", slowest / 1e3);
    }
}

/// A server says no more, and the clock is set back: who waits for a message waits for an hour.
#[test]
#[ignore = "needs a Docker engine"]
fn a_consumer_that_waits_an_hour_is_left_behind() {
    let sets = ["backend=\"kafka:4.4.0\"", "workload.drain=\"12 s\""];
    let sets = [&sets, SPARSE].concat();
    let mut run = Watched::start("study-latency-users-quick", &sets, true);
    set(&run.clock, 0);
    run.going.until_said_within(": load ", Duration::from_mins(3));
    let all = containers(&run.bench.record().run);
    strike::cut(&all[0].id);
    run.going.until_said_within(": drain ", Duration::from_mins(1));
    for hours in 1..=5 {
        sleep(Duration::from_millis(500));
        set(&run.clock, -hours);
    }
    let answer = run.going.end_within(Duration::from_mins(3));
    assert_ne!(answer.status.code(), Some(0), "{answer:#?}");
    assert_eq!(containers(&run.bench.record().run), [], "{answer:#?}");
}
