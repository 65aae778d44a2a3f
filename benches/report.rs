//! Time and memory of a report of 1,000 repetitions: `cargo bench --bench report`. The record is
//! synthetic (20 points × 50 repetitions of a minute, each with its histograms, its timeline and its
//! samples); the program reads it, computes and writes the report. Fails above ten seconds or 300 MB.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on must fail")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;

use support::{
    peak_memory::run_with_peak,
    synthetic::{SyntheticRepetition, record, save, study_like},
};

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thousand.json");
    let sweep = ["workload.users=100..1000 step 100", "run.repetitions=50"];
    let record = record("study-latency-users", &sweep, |point, k| {
        let messages = u64::from(point.workload.users()) * 60;
        Some(SyntheticRepetition { messages, seconds: 60, ..study_like(point, k) })
    });
    let count: usize = record.points.iter().map(|point| point.repetitions.len()).sum();
    save(&record, &path);
    drop(record);
    let size = fs::metadata(&path).unwrap().len();
    let out = folder.path().join("out");
    let arguments = ["report", path.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let (seconds, peak) = run_with_peak(folder.path(), &arguments);
    println!(
        "{count} repetitions, a record of {} MB: report in {seconds:.2} s, {} MB at most",
        size / 1_000_000,
        peak / 1_000_000
    );
    assert!(seconds <= 10.0 && peak <= 300_000_000, "a report may take 10 s and 300 MB");
}
