//! Runs on real servers in containers that go wrong: one clear message, the right exit status, a
//! valid partial record, and nothing left on the engine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support_faults;

use std::{thread::sleep, time::Duration};

use hubmark::record::Status;
use nix::sys::signal::Signal;
use support_faults::{
    Answer, Bench, LONG,
    engine::{OnEngine, containers, kill},
    failures, finished, program, until,
};

/// Between two presses of Ctrl-C.
const TWICE: Duration = Duration::from_millis(50);
/// A baseline that lasts far longer than any test.
const IDLE: &[&str] = &["workload.users=5", "run.baseline=\"1 h\""];

/// Kills a server in the middle of the load.
fn loses_its_server(backend: &str, role: &str) {
    let mut run = OnEngine::start(backend, LONG);
    run.until_load();
    kill(&run.run, role);
    let (answer, bench) = run.end();
    let named = format!("server {role} ended by itself or was killed (exit code 137)");
    answer.says(1, &[&named]);
    let record = bench.record();
    assert_eq!(record.status, Status::Partial);
    assert!(failures(&record)[0].contains(&named), "{:?}", failures(&record));
    assert!(record.points[0].repetitions[0].ledger.sent > 0, "what was measured is kept");
}

#[test]
#[ignore = "needs a Docker engine"]
fn kafka_with_zookeeper_is_killed() {
    loses_its_server("kafka:2.8.0", "kafka");
}

#[test]
#[ignore = "needs a Docker engine"]
fn zookeeper_is_killed() {
    loses_its_server("kafka:2.8.0", "zookeeper");
}

#[test]
#[ignore = "needs a Docker engine"]
fn kafka_is_killed() {
    loses_its_server("kafka:4.4.0", "kafka");
}

#[test]
#[ignore = "needs a Docker engine"]
fn mariadb_is_killed() {
    loses_its_server("mariadb", "mariadb");
}

/// A server that cannot start with what the profile gives it.
fn ends_at_start(backend: &str, set: &str, words: &[&str]) {
    let (answer, bench) = OnEngine::start(backend, &["workload.users=5", set]).end();
    answer.says(1, words);
    let record = bench.record();
    assert_eq!((record.status, finished(&record).len()), (Status::Partial, 0));
    assert!(failures(&record)[0].contains(words[0]), "{:?}", failures(&record));
}

#[test]
#[ignore = "needs a Docker engine"]
fn kafka_ends_at_its_start() {
    let wrong = "kafka.server.\"num.network.threads\"=-1";
    ends_at_start(
        "kafka:4.4.0",
        wrong,
        &["server kafka", "Invalid value -1 for configuration num.network.threads"],
    );
}

#[test]
#[ignore = "needs a Docker engine"]
fn kafka_with_zookeeper_ends_at_its_start() {
    let wrong = "kafka.server.\"num.network.threads\"=-1";
    ends_at_start(
        "kafka:2.8.0",
        wrong,
        &["server kafka", "Invalid value -1 for configuration num.network.threads"],
    );
}

#[test]
#[ignore = "needs a Docker engine"]
fn mariadb_ends_at_its_start() {
    let wrong = "mariadb.server.no_such_variable=1";
    ends_at_start("mariadb", wrong, &["mariadb", "no_such_variable"]);
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_image_cannot_be_pulled() {
    let image = "no.such.registry.invalid/kafka:1";
    let set = format!("kafka.image=\"{image}\"");
    let (answer, bench) = OnEngine::start("kafka:4.4.0", &["workload.users=5", &set]).end();
    answer.says(1, &[image, "could not be pulled", "no.such.registry.invalid"]);
    let record = bench.record();
    assert_eq!(record.status, Status::Partial);
    assert!(record.ended.is_some_and(|ended| ended.contains("could not be pulled")));
}

/// How a run is interrupted.
#[derive(Debug, Clone, Copy)]
enum How {
    Once(Signal),
    Twice,
}

const EVERY_WAY: [How; 3] = [How::Once(Signal::SIGINT), How::Once(Signal::SIGTERM), How::Twice];

fn interrupted(mut run: OnEngine, how: How) {
    match how {
        How::Once(signal) => run.signal(signal),
        How::Twice => {
            run.signal(Signal::SIGINT);
            sleep(TWICE);
            if !run.going.over() {
                run.signal(Signal::SIGINT);
            }
        }
    }
    let (answer, bench) = run.end();
    answer.says(130, &[]);
    assert_eq!(bench.record().status, Status::Partial, "{how:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn interrupted_as_the_server_starts() {
    for how in EVERY_WAY {
        let mut run = OnEngine::start("mariadb", LONG);
        run.until_starting();
        interrupted(run, how);
    }
    // Two containers: between the first and the second.
    for how in EVERY_WAY {
        let mut run = OnEngine::start("kafka:2.8.0", LONG);
        run.until_starting();
        interrupted(run, how);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn interrupted_twice_whatever_the_moment_of_the_start() {
    for delay in [0, 30, 80, 150, 250, 400, 700] {
        let run = OnEngine::start("kafka:2.8.0", LONG);
        sleep(Duration::from_millis(delay));
        interrupted(run, How::Twice);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn interrupted_in_the_baseline() {
    for how in EVERY_WAY {
        let mut run = OnEngine::start("mariadb", IDLE);
        run.until_running(1);
        sleep(Duration::from_secs(3));
        interrupted(run, how);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn interrupted_in_the_load() {
    for how in EVERY_WAY {
        let mut run = OnEngine::start("mariadb", LONG);
        run.until_load();
        interrupted(run, how);
    }
    let mut run = OnEngine::start("kafka:2.8.0", LONG);
    run.until_load();
    interrupted(run, How::Once(Signal::SIGINT));
}

/// `hubmark clean` on the engine.
fn clean() {
    let bench = Bench::new();
    let mut command = bench.command(program());
    Answer::of(command.env_remove("DOCKER_HOST").arg("clean")).says(0, &[]);
}

#[test]
#[ignore = "needs a Docker engine"]
fn what_a_killed_run_left_is_removed_and_a_living_run_is_spared() {
    let mut living = OnEngine::start("mariadb", LONG);
    living.until_load();
    let spared = containers(&living.run);

    let mut dead = OnEngine::start("kafka:2.8.0", LONG);
    dead.until_load();
    assert_eq!(containers(&dead.run).len(), 2);
    dead.going.kill();
    clean();
    // Another run that starts at the same time may be at it, too.
    until("it is clean", || containers(&dead.run).is_empty());
    assert_eq!(containers(&living.run), spared);

    let mut dead = OnEngine::start("mariadb", LONG);
    dead.until_running(1);
    dead.going.kill();
    let mut next = OnEngine::start("mariadb", LONG);
    next.until_starting();
    until("the next start has swept", || containers(&dead.run).is_empty());
    next.signal(Signal::SIGINT);
    next.end().0.says(130, &[]);

    assert_eq!(containers(&living.run), spared);
    living.signal(Signal::SIGINT);
    living.end().0.says(130, &[]);
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_limit_that_would_not_be_one_is_refused_at_once() {
    let bench = Bench::new();
    let mut command = bench.command(program());
    command.env_remove("DOCKER_HOST").args(["run", "study-latency-users-quick", "--set"]);
    command.arg("fault=[{ at = \"1 s\", kind = \"limit\", cpus = \"4096 cpus\" }]");
    let words = ["4096 cpus cannot be a limit there, the hub has", "set its key cpus"];
    Answer::of(&mut command).says(2, &words);
    assert_eq!(bench.record_file(), None);
}
