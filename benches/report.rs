//! How long a report of 1,000 repetitions takes, and how much memory: `cargo bench --bench report`.
//! The record is made up (20 points × 50 repetitions of a minute, each with its histograms, its
//! timeline and its samples); reading, reckoning and writing are the program's own. It fails above ten
//! seconds or 300 MB.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on must fail")]

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::{
    fs,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use procfs::process::Process;
use synthetic::{Made, as_the_study, record, save};

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thousand.json");
    let sweep = ["workload.users=100..1000 step 100", "run.repetitions=50"];
    let made = record("study-latency-users", &sweep, |point, k| {
        let messages = u64::from(point.workload.users()) * 60;
        Some(Made { messages, seconds: 60, ..as_the_study(point, k) })
    });
    let count: usize = made.points.iter().map(|point| point.repetitions.len()).sum();
    save(&made, &path);
    drop(made);
    let size = fs::metadata(&path).unwrap().len();
    let began = Instant::now();
    let mut report = Command::new(env!("CARGO_BIN_EXE_hubmark"))
        .arg("report")
        .arg(&path)
        .arg("--out")
        .arg(folder.path().join("out"))
        .spawn()
        .unwrap();
    // Its own high-water mark: what the system says of ended children counts this process's
    // memory, too, in which the record was made.
    let of_report = Process::new(report.id().cast_signed()).unwrap();
    let mut peak = 0;
    let status = loop {
        if let Some(status) = report.try_wait().unwrap() {
            break status;
        }
        let now = of_report.status().ok().and_then(|status| status.vmhwm);
        peak = peak.max(now.unwrap_or_default());
        sleep(Duration::from_millis(2));
    };
    let seconds = began.elapsed().as_secs_f64();
    assert!(status.success());
    println!(
        "{count} repetitions, a record of {} MB: report in {seconds:.2} s, {} MB at most",
        size / 1_000_000,
        peak * 1_024 / 1_000_000
    );
    assert!(seconds <= 10.0 && peak * 1_024 <= 300_000_000, "a report may take 10 s and 300 MB");
}
