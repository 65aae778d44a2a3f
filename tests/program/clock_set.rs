//! The system clock is set forward and back during a load: no duration changes.

use std::time::Duration;

use crate::support::{records::only_repetition, sandbox::Sandbox, shifted_clock::ShiftedRun};

#[test]
fn no_duration_changes_when_the_system_clock_is_set() {
    let started = jiff::Timestamp::now();
    let steady = [
        "workload.users=10",
        "workload.messages=500",
        "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
        "run.baseline=\"0 s\"",
    ];
    let mut run = ShiftedRun::start(Sandbox::new(), "first-look", &steady);
    run.set_clock_in_load(Duration::from_secs(1), &[2, 0, -1, 1, 0]);
    let record = run.finish(started);
    assert!(only_repetition(&record).seconds > 9.0);
}
