//! Reading a large record: repetition by repetition, and not the whole file at once.

use std::fs;

use crate::support::{
    peak_memory::run_with_peak,
    sandbox::Sandbox,
    synthetic::{SyntheticRepetition, record, save, study_like},
};

/// `benches/records.rs` measures time and memory with a record of 300 MB.
#[test]
fn memory_of_reading_does_not_grow_with_the_repetitions_of_a_record() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("large");
    fs::create_dir_all(folder.join("records")).unwrap();
    let file = |name: &str, repetitions: u32| {
        let sweep = format!("run.repetitions={repetitions}");
        let made = record("study-latency-users", &["workload.users=100", &sweep], |point, k| {
            Some(SyntheticRepetition { seconds: 60, ..study_like(point, k) })
        });
        let path = folder.join(name);
        save(&made, &path);
        (fs::metadata(&path).unwrap().len(), path)
    };
    let ((small, first), (large, second)) = (file("small.json", 2), file("large.json", 300));
    assert!(large > 50 * small, "precondition: {large} and {small} bytes");
    for command in [&["records", "show"][..], &["records", "show", "--format", "csv"]] {
        let peak = |path: &std::path::Path| {
            let mut arguments = command.to_vec();
            arguments.insert(2, path.to_str().unwrap());
            run_with_peak(&folder, &arguments).1
        };
        let (of_small, of_large) = (peak(&first), peak(&second));
        let more = of_large.saturating_sub(of_small);
        assert!(more < large / 2, "{command:?}: {more} bytes more for a record of {large} bytes");
    }
}
