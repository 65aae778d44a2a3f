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

use crate::support_faults::{Bench, program};

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

#[test]
fn no_duration_changes_when_the_system_clock_is_set() {
    let bench = Bench::new();
    let file = bench.path("shift");
    fs::write(&file, 0_i64.to_ne_bytes()).unwrap();
    let clock = fs::OpenOptions::new().write(true).open(&file).unwrap();
    let set = |hours: i64| clock.write_all_at(&(hours * HOUR).to_ne_bytes(), 0).unwrap();
    set(1);
    let before = jiff::Timestamp::now();
    let mut command = bench.command(program());
    command.env("LD_PRELOAD", library(&bench)).env("HUBMARK_TEST_CLOCK", &file);
    command.args(["run", "first-look"]);
    for change in [
        "workload.users=50",
        "workload.messages=500",
        "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
        "run.baseline=\"0 s\"",
    ] {
        command.args(["--set", change]);
    }
    let mut going = bench.going(command);
    going.until_load();
    for hours in [2, 0, -1, 1, 0] {
        sleep(Duration::from_secs(1));
        set(hours);
    }
    going.end_within(Duration::from_mins(4)).says(0, &[]);
    let record = crate::common::read(&bench.record_file().unwrap());
    let ahead = record.started.as_second() - before.as_second();
    assert!(ahead >= HOUR, "the clock was not set for process {}: {ahead}", process::id());
    let repetition = crate::common::only(&record);
    let ledger = repetition.ledger;
    assert_eq!((ledger.delivered, ledger.acked), (ledger.planned, ledger.planned), "{ledger:?}");
    let latency = &repetition.latency;
    for latency in [&latency.lag, &latency.ack, &latency.delivery, &latency.response] {
        let latency = latency.as_ref().unwrap();
        assert_eq!((latency.negative, latency.overflow), (0, 0));
        assert!(latency.min >= 0.0 && latency.max < SHORT * 1e6, "{}", latency.max);
    }
    assert!(repetition.seconds > 9.0 && repetition.seconds < SHORT, "{}", repetition.seconds);
    for (phase, seconds) in &repetition.phases {
        assert!((0.0..SHORT).contains(seconds), "{phase}: {seconds}");
    }
    let ready = repetition.server_ready_seconds.unwrap();
    assert!((0.0..SHORT).contains(&ready), "{ready}");
}
