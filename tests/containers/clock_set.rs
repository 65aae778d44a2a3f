//! The system clock is set back during a load on real servers: no duration changes, and no wait takes
//! longer.

use std::{thread::sleep, time::Duration};

use crate::support::{
    docker::containers_of_run,
    records::only_repetition,
    sandbox::Sandbox,
    server_faults::disconnect,
    shifted_clock::{LOAD_LIMIT, ShiftedRun},
};

/// Two users who rarely send: the run waits for servers and messages while the clock is set.
const SPARSE: &[&str] = &[
    "workload.users=2",
    "workload.messages=5",
    "workload.arrival={ distribution = \"constant\", mean = \"1500 ms\" }",
    "run.baseline=\"1 s\"",
    "run.repetitions=1",
    "run.retries=0",
];

fn start_run(sets: &[&str]) -> ShiftedRun {
    let sets = [sets, SPARSE].concat();
    ShiftedRun::start(Sandbox::with_engine(), "study-latency-users-quick", &sets)
}

#[test]
#[ignore = "needs a Docker engine"]
fn no_duration_changes_when_the_system_clock_is_set_between_messages() {
    for backend in ["backend=\"kafka:4.4.0\"", "backend=\"mariadb\""] {
        let started = jiff::Timestamp::now();
        let mut run = start_run(&[backend]);
        // Each but one is a step back. Kafka accepts nothing dated more than an hour ahead.
        run.set_clock_in_load(Duration::from_millis(700), &[0, -1, 0, -1, -2, -3, -4, -5, -6]);
        let record = run.finish(started);
        let latency = &only_repetition(&record).latency;
        let slowest = latency.delivery.as_ref().unwrap().max;
        println!("{backend}: slowest delivery {:.1} ms", slowest / 1e3);
    }
}

/// The server becomes unreachable and the clock is set back: a wait by the system clock would last
/// hours.
#[test]
#[ignore = "needs a Docker engine"]
fn a_run_ends_although_its_consumer_waits_by_a_clock_that_was_set_back() {
    let mut run = start_run(&["backend=\"kafka:4.4.0\"", "workload.drain=\"12 s\""]);
    run.set_clock(0);
    run.program.wait_for_stderr_within(LOAD_LIMIT, ": load ");
    let containers = containers_of_run(&run.sandbox.record().run);
    disconnect(&containers[0].id);
    run.program.wait_for_stderr_within(Duration::from_mins(1), ": drain ");
    for hours in 1..=5 {
        sleep(Duration::from_millis(500));
        run.set_clock(-hours);
    }
    let ShiftedRun { sandbox, program, .. } = run;
    let output = program.wait_within(Duration::from_mins(3));
    assert_ne!(output.status, Some(0), "{output:#?}");
    assert_eq!(containers_of_run(&sandbox.record().run), [], "{output:#?}");
}
