//! Runs whose system clock is set while they run. A library that is loaded before the C library
//! shifts the clock for hubmark alone.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::PathBuf,
    process::{self, Command},
    thread::sleep,
    time::Duration,
};

use hubmark::record::Record;

use super::{
    process::RunningProgram,
    records::{only_repetition, read_checked},
    sandbox::{Sandbox, set_arguments},
};

const HOUR: i64 = 3_600;
/// Seconds: longer than any duration of these tests, far shorter than an hour.
const LONGEST: f64 = 300.0;
/// How long a run may take until its load begins.
pub const LOAD_LIMIT: Duration = Duration::from_mins(3);

/// Builds the library with the compiler that librdkafka was built with.
fn build_library(sandbox: &Sandbox) -> PathBuf {
    let library = sandbox.path("shift.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock_shift.c");
    let built = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-Wall", "-Werror", source, "-ldl", "-o"])
        .arg(&library)
        .status();
    assert!(built.expect("a C compiler").success());
    library
}

/// A run whose clock can be set.
pub struct ShiftedRun {
    pub sandbox: Sandbox,
    clock: fs::File,
    pub program: RunningProgram,
}

impl ShiftedRun {
    /// Starts a run whose clock is an hour ahead.
    pub fn start(sandbox: Sandbox, profile: &str, sets: &[&str]) -> Self {
        let file = sandbox.path("shift");
        fs::write(&file, 0_i64.to_ne_bytes()).unwrap();
        let clock = fs::OpenOptions::new().write(true).open(&file).unwrap();
        let mut command = sandbox.command(["run", profile]);
        command.env("LD_PRELOAD", build_library(&sandbox)).env("HUBMARK_TEST_CLOCK", &file);
        command.args(set_arguments(sets));
        set_clock(&clock, 1);
        let program = sandbox.start(command);
        Self { sandbox, clock, program }
    }

    /// Sets the clock `hours` ahead of the machine's.
    pub fn set_clock(&self, hours: i64) {
        set_clock(&self.clock, hours);
    }

    /// Sets the clock to each of `hours` during the load, after a pause each.
    pub fn set_clock_in_load(&mut self, pause: Duration, hours: &[i64]) {
        self.program.wait_for_stderr_within(LOAD_LIMIT, ": load ");
        for hours in hours {
            sleep(pause);
            self.set_clock(*hours);
        }
    }

    /// Waits for the end and checks that no duration shows the changes of the clock.
    pub fn finish(self, started: jiff::Timestamp) -> Record {
        self.program.wait_within(Duration::from_mins(4)).reports(0, &[]);
        let record = read_checked(&self.sandbox.record_file().unwrap());
        let ahead = record.started.as_second() - started.as_second();
        assert!(ahead >= HOUR, "the clock was not set for process {}: {ahead}", process::id());
        let repetition = only_repetition(&record);
        let ledger = repetition.ledger;
        assert_eq!(
            (ledger.delivered, ledger.acked),
            (ledger.planned, Some(ledger.planned)),
            "{ledger:?}"
        );
        let latency = &repetition.latency;
        for latency in [&latency.lag, &latency.ack, &latency.delivery, &latency.response] {
            let latency = latency.as_ref().unwrap();
            assert_eq!((latency.negative, latency.overflow), (0, 0));
            assert!(latency.min >= 0.0 && latency.max < LONGEST * 1e6, "{}", latency.max);
        }
        assert!(repetition.seconds < LONGEST, "{}", repetition.seconds);
        for (phase, seconds) in &repetition.phases {
            assert!((0.0..LONGEST).contains(seconds), "{phase}: {seconds}");
        }
        let ready = repetition.server_ready_seconds.unwrap();
        assert!((0.0..LONGEST).contains(&ready), "{ready}");
        record
    }
}

fn set_clock(clock: &fs::File, hours: i64) {
    clock.write_all_at(&(hours * HOUR).to_ne_bytes(), 0).unwrap();
}
