//! A stall at the server, at the hub's disk, in the network, in hubmark's sender, in its reader, and on its own
//! machine: record and verdict name the right one.

use std::{thread::sleep, time::Duration};

use hubmark::record::{Repetition, StandstillCause, StandstillKind};

use crate::support::{
    container_run::ContainerRun,
    records::{only_repetition, read_checked},
    server_faults::CpuHogs,
    stopped_thread::stop_thread,
    turns::take_turn,
};

/// A load of ten seconds with a message every 2.5 ms, each written to the disk before it is acknowledged.
const LOAD: &[&str] = &[
    "workload.users=20",
    "workload.duration=\"10 s\"",
    "workload.arrival={ distribution = \"constant\", mean = \"50 ms\" }",
    "workload.drain=\"60 s\"",
    "run.baseline=\"1 s\"",
    "run.durability=disk",
    "run.retries=0",
];
/// Length of an injected stall.
const STALL: Duration = Duration::from_millis(1_500);

/// Measures a load in which a stall is planned, or injected three seconds after its start.
fn measure(
    turn: &'static str,
    more: &[&str],
    inject: impl FnOnce(&ContainerRun),
) -> (Repetition, String) {
    // Each test alone: one stalls the whole machine.
    let _turn = take_turn(turn);
    let mut run = ContainerRun::start("mariadb", &[LOAD, more].concat());
    run.wait_for_load();
    sleep(Duration::from_secs(3));
    inject(&run);
    let (output, sandbox) = run.wait();
    let record = read_checked(&sandbox.record_file().unwrap());
    (only_repetition(&record).clone(), format!("{}\n{}", output.stderr, output.stdout))
}

/// Measures a load with a planned fault; checks that the verdict names it, and that the longest standstill has this
/// cause.
fn check_planned(fault: &'static str, words: &str, cause: StandstillCause) {
    let planned = format!("fault=[{{ at = \"3 s\", for = \"1500 ms\", {fault} }}]");
    let (repetition, row) = measure(fault, &[&planned], |_| {});
    let reason = &repetition.verdict.reasons[0];
    assert!(reason.code == "planned-fault" && reason.text.contains(words), "{reason:?}: {row}");
    check_longest(&repetition, &[StandstillKind::Answers, StandstillKind::Acks], cause, &row);
}

/// Checks kind and cause of the longest standstill.
fn check_longest(
    repetition: &Repetition,
    kinds: &[StandstillKind],
    cause: StandstillCause,
    row: &str,
) {
    let all = &repetition.standstills;
    let longest = all.iter().max_by(|a, b| a.length().total_cmp(&b.length()));
    let longest = longest.unwrap_or_else(|| panic!("no standstill: {row}"));
    assert!(kinds.contains(&longest.what) && longest.length() > 0.5, "{all:?}: {row}");
    assert_eq!(longest.cause, Some(cause), "{all:?} {:#?}: {row}", repetition.hub);
}

/// Checks that the verdict has a reason with one of these codes and with `words`.
fn check_reason(repetition: &Repetition, codes: &[&str], words: &str, row: &str) {
    let named = repetition
        .verdict
        .reasons
        .iter()
        .any(|reason| codes.contains(&reason.code.as_str()) && reason.text.contains(words));
    assert!(named, "{codes:?} {words}: {:#?} {row}", repetition.verdict.reasons);
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_stall_of_the_server_is_the_servers() {
    check_planned("kind = \"pause\"", "mariadb was paused", StandstillCause::Server);
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_stall_of_the_hubs_disk_is_the_disks() {
    let slow = "kind = \"slow-disk\", disk_write = \"1 kB/s\"";
    check_planned(slow, "mariadb", StandstillCause::Disk);
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_interrupted_network_is_the_networks() {
    check_planned("kind = \"cut\"", "mariadb", StandstillCause::Network);
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_stall_of_the_sender_is_hubmarks() {
    let (repetition, row) = measure("sender", &[], |run| {
        stop_thread(&run.sandbox, run.program.pid(), "sender", STALL);
    });
    check_longest(&repetition, &[StandstillKind::Sends], StandstillCause::Client, &row);
    check_reason(&repetition, &["client-saturated"], "hubmark itself was late", &row);
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_stall_of_the_reader_is_hubmarks() {
    let (repetition, row) = measure("consumer", &[], |run| {
        stop_thread(&run.sandbox, run.program.pid(), "consumer", STALL);
    });
    check_longest(&repetition, &[StandstillKind::Deliveries], StandstillCause::Client, &row);
    check_reason(&repetition, &["client-delayed"], "thread consumer", &row);
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_busy_machine_is_named() {
    let (repetition, row) = measure("machine", &[], |_| CpuHogs::start(4).wait());
    check_reason(&repetition, &["hub-busy"], "other processes used", &row);
}
