//! Time and memory of reading a large record: `cargo bench --bench records`. The record is synthetic (20 points × 375
//! repetitions of a minute, each with its histograms, its timeline and its samples). Fails if showing or listing it
//! takes more than ten seconds or a third of its size in memory.
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
    let records = folder.path().join("records");
    fs::create_dir(&records).unwrap();
    let path = records.join("large.json");
    let sweep = ["workload.users=100..1000 step 100", "run.repetitions=375"];
    let record = record("study-latency-users", &sweep, |point, k| {
        Some(SyntheticRepetition { seconds: 60, ..study_like(point, k) })
    });
    let count: usize = record.points.iter().map(|point| point.repetitions.len()).sum();
    save(&record, &path);
    drop(record);
    let size = fs::metadata(&path).unwrap().len();
    println!("{count} repetitions, a record of {} MB", size / 1_000_000);
    let file = path.to_str().unwrap();
    let mut exceeded = Vec::new();
    for (arguments, is_limited) in [
        (vec!["records", "show", file], true),
        (vec!["records", "show", file, "--format", "csv"], true),
        (vec!["records", "show", file, "--format", "json"], false),
        (vec!["records", "list"], true),
    ] {
        let (seconds, peak) = run_with_peak(folder.path(), &arguments);
        let name = arguments.iter().filter(|argument| **argument != file).copied();
        let name = name.collect::<Vec<_>>().join(" ");
        println!("{name}: {seconds:.2} s, {} MB at most", peak / 1_000_000);
        if is_limited && (seconds > 10.0 || peak > size / 3) {
            exceeded.push(name);
        }
    }
    assert!(exceeded.is_empty(), "more than 10 s or a third of the record: {exceeded:?}");
}
