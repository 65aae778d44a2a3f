//! Failing runs on real servers in containers: one clear message, the right exit status, a valid partial
//! record, and nothing left on the engine.

use std::{thread::sleep, time::Duration};

use hubmark::record::RecordStatus;
use nix::sys::signal::Signal;

use crate::support::{
    container_run::ContainerRun,
    docker::{containers_of_run, kill_container},
    loads::ENDLESS,
    process::ProgramOutput,
    records::{failure_reasons, finished},
    sandbox::Sandbox,
    wait::until,
};

/// Pause between two presses of Ctrl-C, longer than the echo of a signal.
const KEY_INTERVAL: Duration = Duration::from_millis(250);
/// A baseline that lasts far longer than any test.
const ENDLESS_BASELINE: &[&str] = &["workload.users=5", "run.baseline=\"1 h\""];

/// Kills a server during the load and checks how the run fails.
fn check_killed_server(backend: &str, role: &str) {
    let mut run = ContainerRun::start(backend, ENDLESS);
    run.wait_for_load();
    kill_container(&run.run, role);
    let (output, sandbox) = run.wait();
    let named = format!("server {role} ended by itself or was killed (exit code 137)");
    output.reports(1, &[&named]);
    let record = sandbox.record();
    assert_eq!(record.status, RecordStatus::Partial);
    assert!(failure_reasons(&record)[0].contains(&named), "{:?}", failure_reasons(&record));
    assert!(record.points[0].repetitions[0].ledger.sent > 0, "what was measured is saved");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_kafka_with_zookeeper_fails_the_run() {
    check_killed_server("kafka:2.8.0", "kafka");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_zookeeper_fails_the_run() {
    check_killed_server("kafka:2.8.0", "zookeeper");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_kafka_fails_the_run() {
    check_killed_server("kafka:4.4.0", "kafka");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_mariadb_fails_the_run() {
    check_killed_server("mariadb", "mariadb");
}

/// Runs with a setting that the server refuses at its start, and checks how the run fails.
fn check_failed_start(backend: &str, set: &str, words: &[&str]) {
    let (output, sandbox) = ContainerRun::start(backend, &["workload.users=5", set]).wait();
    output.reports(1, words);
    let record = sandbox.record();
    assert_eq!((record.status, finished(&record).len()), (RecordStatus::Partial, 0));
    assert!(failure_reasons(&record)[0].contains(words[0]), "{:?}", failure_reasons(&record));
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_failed_start_of_kafka_fails_the_run() {
    let wrong = "kafka.server.\"num.network.threads\"=-1";
    check_failed_start(
        "kafka:4.4.0",
        wrong,
        &["server kafka", "Invalid value -1 for configuration num.network.threads"],
    );
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_failed_start_of_kafka_with_zookeeper_fails_the_run() {
    let wrong = "kafka.server.\"num.network.threads\"=-1";
    check_failed_start(
        "kafka:2.8.0",
        wrong,
        &["server kafka", "Invalid value -1 for configuration num.network.threads"],
    );
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_failed_start_of_mariadb_fails_the_run() {
    let wrong = "mariadb.server.no_such_variable=1";
    check_failed_start("mariadb", wrong, &["mariadb", "no_such_variable"]);
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_image_that_cannot_be_pulled_fails_the_run() {
    let image = "no.such.registry.invalid/kafka:1";
    let set = format!("kafka.image=\"{image}\"");
    let (output, sandbox) = ContainerRun::start("kafka:4.4.0", &["workload.users=5", &set]).wait();
    output.reports(1, &[image, "could not be pulled", "no.such.registry.invalid"]);
    let record = sandbox.record();
    assert_eq!(record.status, RecordStatus::Partial);
    assert!(record.ended.is_some_and(|ended| ended.contains("could not be pulled")));
}

/// How a run is interrupted.
#[derive(Debug, Clone, Copy)]
enum Interruption {
    Once(Signal),
    /// By Ctrl-C twice.
    Twice,
}

const INTERRUPTIONS: [Interruption; 3] =
    [Interruption::Once(Signal::SIGINT), Interruption::Once(Signal::SIGTERM), Interruption::Twice];

/// Interrupts a run and checks its end.
fn interrupt(mut run: ContainerRun, interruption: Interruption) {
    match interruption {
        Interruption::Once(signal) => run.signal(signal),
        Interruption::Twice => {
            run.signal(Signal::SIGINT);
            sleep(KEY_INTERVAL);
            if !run.program.has_ended() {
                run.signal(Signal::SIGINT);
            }
        }
    }
    let (output, sandbox) = run.wait();
    output.reports(130, &[]);
    assert_eq!(sandbox.record().status, RecordStatus::Partial, "{interruption:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_run_interrupted_while_servers_start_leaves_nothing() {
    for interruption in INTERRUPTIONS {
        let mut run = ContainerRun::start("mariadb", ENDLESS);
        run.wait_for_container();
        interrupt(run, interruption);
    }
    // Two containers: between the first and the second.
    for interruption in INTERRUPTIONS {
        let mut run = ContainerRun::start("kafka:2.8.0", ENDLESS);
        run.wait_for_container();
        interrupt(run, interruption);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_run_interrupted_twice_at_any_moment_of_its_start_leaves_nothing() {
    for delay in [0, 30, 80, 150, 250, 400, 700] {
        let run = ContainerRun::start("kafka:2.8.0", ENDLESS);
        sleep(Duration::from_millis(delay));
        interrupt(run, Interruption::Twice);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_run_interrupted_in_the_baseline_leaves_nothing() {
    for interruption in INTERRUPTIONS {
        let mut run = ContainerRun::start("mariadb", ENDLESS_BASELINE);
        run.wait_for_running(1);
        sleep(Duration::from_secs(3));
        interrupt(run, interruption);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_run_interrupted_in_the_load_leaves_nothing() {
    for interruption in INTERRUPTIONS {
        let mut run = ContainerRun::start("mariadb", ENDLESS);
        run.wait_for_load();
        interrupt(run, interruption);
    }
    let mut run = ContainerRun::start("kafka:2.8.0", ENDLESS);
    run.wait_for_load();
    interrupt(run, Interruption::Once(Signal::SIGINT));
}

/// Runs `hubmark clean` on the engine.
fn clean() {
    Sandbox::with_engine().run(["clean"]).reports(0, &[]);
}

#[test]
#[ignore = "needs a Docker engine"]
fn leftovers_of_a_killed_run_are_removed_and_a_running_one_is_spared() {
    let mut running = ContainerRun::start("mariadb", ENDLESS);
    running.wait_for_load();
    let spared = containers_of_run(&running.run);

    let mut killed = ContainerRun::start("kafka:2.8.0", ENDLESS);
    killed.wait_for_load();
    assert_eq!(containers_of_run(&killed.run).len(), 2);
    killed.program.kill();
    clean();
    // Another run that starts at the same time may remove them first.
    until("the leftovers are removed", || containers_of_run(&killed.run).is_empty());
    assert_eq!(containers_of_run(&running.run), spared);

    let mut killed = ContainerRun::start("mariadb", ENDLESS);
    killed.wait_for_running(1);
    killed.program.kill();
    let mut next = ContainerRun::start("mariadb", ENDLESS);
    next.wait_for_container();
    until("the next start has removed the leftovers", || containers_of_run(&killed.run).is_empty());
    next.signal(Signal::SIGINT);
    next.wait().0.reports(130, &[]);

    assert_eq!(containers_of_run(&running.run), spared);
    running.signal(Signal::SIGINT);
    running.wait().0.reports(130, &[]);
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_limit_without_effect_is_refused_at_once() {
    let sandbox = Sandbox::with_engine();
    let mut command = sandbox.command(["run", "study-latency-users-quick", "--set"]);
    command.arg("fault=[{ at = \"1 s\", kind = \"limit\", cpus = \"4096 cpus\" }]");
    let words = ["a limit of 4096 cpus has no effect, the hub has", "set its key cpus"];
    ProgramOutput::of(&mut command).reports(2, &words);
    assert_eq!(sandbox.record_file(), None);
}
