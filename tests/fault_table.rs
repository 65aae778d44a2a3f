//! Faults by plan on real servers: the way back is measured, what was lost is counted, the ledger
//! closes and agrees with a second reader, and nothing is left.
//!
//! The representative rows are part of the container tests; `HUBMARK_FAULT_TABLE=full` plays every
//! kind on every server at every moment (tests/long.sh does).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod common;
mod gate;
mod support_faults;

use std::{fmt::Write as _, path::Path};

use gate::{
    Gate, Look,
    look::{records_in_kafka, rows_in_mariadb},
};
use hubmark::record::{FaultResult, Record, Repetition};
use support_faults::{finished, program, table};

/// A load of six seconds.
const LOAD: &[&str] = &[
    "workload.users=20",
    "workload.duration=\"6 s\"",
    "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
    "workload.drain=\"2 min\"",
    "run.baseline=\"1 s\"",
    "run.repetitions=1",
];

/// A system under test, and the second reader of what its main server holds.
type System = (&'static str, Look);

const KAFKA: System = ("kafka:4.4.0", records_in_kafka);
const OLD_KAFKA: System = ("kafka:2.8.0", records_in_kafka);
const MARIADB: System = ("mariadb", rows_in_mariadb);

/// Plays a schedule and checks what must hold whatever was done; returns the record.
fn played((backend, look): System, faults: &[String], more: &[&str]) -> Record {
    let bench = support_faults::Bench::new();
    let gate = Gate::open(&bench.path(""), look);
    let mut schedule = String::from("fault=[");
    for fault in faults {
        write!(schedule, "{{ {fault} }},").unwrap();
    }
    schedule.push(']');
    let backend_set = format!("backend=\"{backend}\"");
    let engine = format!("hub.engine=\"{}\"", gate.engine());
    let mut command = bench.command(program());
    command.env_remove("DOCKER_HOST").args(["run", "study-latency-users-quick"]);
    let chance = table::seed();
    let sets = [LOAD, &[&backend_set, &engine, &schedule, &chance], more].concat();
    command.args(sets.iter().flat_map(|set| ["--set", set]));
    let mut going = bench.going(command);
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(8);
    while !going.over() {
        assert!(std::time::Instant::now() < deadline, "it does not end: {}", going.stderr());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let answer = going.end();
    let record = common::read(&bench.record_file().expect("there is a record"));
    let row = format!("{backend} {faults:?}\n{}\n{}", answer.stderr, answer.stdout);
    assert_eq!(support_faults::engine::containers(&record.run), [], "left behind: {row}");
    let gone: u64 = common::repetitions(&record).map(|r| r.ledger.undelivered()).sum();
    assert_eq!(answer.status.code(), Some(if gone > 0 { 3 } else { 0 }), "{row}");
    assert_eq!(finished(&record).len(), record.points.len(), "{row}");
    let mut seen = gate.seen(&record.run);
    for repetition in finished(&record) {
        for (fault, planned) in repetition.faults.iter().zip(&record.plan.faults) {
            assert!(answer.stderr.contains(&format!("planned fault: {}", fault.server)), "{row}");
            took_place(fault, &row);
            assert_eq!(fault.planned, *planned);
        }
        assert_eq!(repetition.verdict.reasons[0].code, "planned-fault", "{row}");
        let ledger = repetition.ledger;
        let stored = ledger.stored.unwrap_or_else(|| panic!("not counted: {row}"));
        let at = seen.iter().position(|seen| *seen == stored);
        seen.remove(at.unwrap_or_else(|| panic!("{stored} counted, seen {seen:?}: {row}")));
        // What was acknowledged is held. What was read just before a kill, and not acknowledged,
        // need not be: it was visible before it was written.
        let arrivals = ledger.delivered + ledger.duplicate;
        assert!(ledger.acked <= stored && stored <= arrivals, "{ledger:?}: {row}");
        books(repetition, &row);
    }
    println!("{backend} {faults:?}: ok");
    for repetition in finished(&record) {
        repetition.faults.iter().for_each(|fault| println!("  {}", fault.sentence()));
    }
    record
}

fn took_place(fault: &FaultResult, row: &str) {
    assert_eq!(fault.error, None, "{row}");
    let (began, ended) = (fault.began.expect(row), fault.ended.expect(row));
    assert!(fault.asked.expect(row) <= began && fault.end_asked.expect(row) <= ended, "{row}");
    assert!(began >= fault.planned.at.as_secs_f64(), "{row}");
    let lasted = fault.planned.lasts.unwrap_or_default().as_secs_f64();
    assert!(ended - began >= lasted, "{row}");
    assert_eq!(fault.starts > 0, fault.planned.kind.ends_the_server(), "{row}");
}

/// Every message that is missing is blamed on one fault, or was sent after the last had passed.
fn books(repetition: &Repetition, row: &str) {
    let (mut lost, mut acked) = (0, 0);
    for toll in repetition.faults.iter().filter_map(|fault| fault.toll) {
        lost += toll.lost;
        acked += toll.acked_then_lost;
    }
    assert!(lost <= repetition.ledger.lost && acked <= repetition.ledger.acked_then_lost, "{row}");
}

fn recovered(fault: &FaultResult) {
    assert!(fault.recovery_ack.is_some() && fault.recovery_delivery.is_some(), "{fault:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_kafka_comes_back_with_what_it_acknowledged_in_memory_and_on_disk() {
    let kill = "at = \"2 s\", kind = \"kill\", for = \"1 s\"".to_owned();
    let both = "run.durability=[\"memory\", \"disk\"]";
    let record = played(KAFKA, &[kill], &[both]);
    assert_eq!(record.points.len(), 2);
    for repetition in finished(&record) {
        let fault = &repetition.faults[0];
        recovered(fault);
        // A kill takes the process, not the kernel that holds what it has written.
        assert_eq!(fault.toll.unwrap().acked_then_lost, 0);
    }
}

/// What MariaDB holds, once it is clear that hubmark's user has all the rights that it had: without
/// them the reader waits ten minutes for a row that was rolled back.
fn rows_and_rights(engine: &Path, container: &str) -> u64 {
    let grants = "SHOW GRANTS FOR hubmark@'%'";
    let grants = gate::docker(engine, &["exec", container, "mariadb", "-NB", "-e", grants]);
    assert!(String::from_utf8(grants).unwrap().contains("GRANT PROCESS"));
    rows_in_mariadb(engine, container)
}

#[test]
#[ignore = "needs a Docker engine"]
fn mariadb_comes_back_from_everything_in_a_row() {
    let faults = [
        "at = \"500 ms\", kind = \"pause\", for = \"1 s\"",
        "at = \"2 s\", kind = \"kill\", for = \"500 ms\"",
        "at = \"4 s\", kind = \"restart\", for = \"500 ms\"",
        "at = \"7 s\", kind = \"cut\", for = \"1 s\"",
    ];
    let record = played(
        ("mariadb", rows_and_rights),
        &faults.map(str::to_owned),
        &["workload.duration=\"20 s\""],
    );
    let repetition = finished(&record)[0];
    repetition.faults.iter().for_each(recovered);
    // Its counters began anew with it: what it used in all is not known.
    assert_eq!(repetition.resources["mariadb"].cpu.core_seconds, None);
}

#[test]
#[ignore = "needs a Docker engine"]
fn kafka_with_zookeeper_comes_back_from_the_loss_of_either() {
    let faults = [
        "at = \"500 ms\", kind = \"kill\", for = \"1 s\", server = \"zookeeper\"",
        "at = \"4 s\", kind = \"kill\", for = \"1 s\"",
    ];
    // A broker that lost its ZooKeeper, too, needs about twenty seconds until it stays up.
    let long = ["workload.duration=\"75 s\""];
    let record = played(OLD_KAFKA, &faults.map(str::to_owned), &long);
    finished(&record)[0].faults.iter().for_each(recovered);
}

/// Every kind on every server, at the start, in the middle and in the drain.
#[test]
#[ignore = "needs a Docker engine"]
fn the_whole_table() {
    // Where not all are played, what is in no other test here: these two, one after the other.
    if !table::full() {
        let slow =
            "at = \"6100 ms\", kind = \"slow-disk\", disk_write = \"1 MB/s\", for = \"500 ms\"";
        let limit = "at = \"1 s\", kind = \"limit\", cpus = \"0.5 cpus\", for = \"1 s\"";
        played(MARIADB, &[limit.to_owned(), slow.to_owned()], &[]);
        return;
    }
    let kinds = [
        ("pause", ""),
        ("kill", ""),
        ("restart", ""),
        ("cut", ""),
        ("slow-disk", ", disk_write = \"200 kB/s\""),
        ("limit", ", cpus = \"0.3 cpus\""),
        ("kill", ", server = \"zookeeper\""),
    ];
    let mut rows = Vec::new();
    for system in [OLD_KAFKA, KAFKA, MARIADB] {
        let zookeepers = usize::from(system.0 != OLD_KAFKA.0);
        for (kind, more) in &kinds[..kinds.len() - zookeepers] {
            for at in ["0 s", "3 s", "6100 ms"] {
                let fault = format!("at = \"{at}\", kind = \"{kind}\"{more}, for = \"2 s\"");
                rows.push((format!("{kind}{more} on {} at {at}", system.0), (system, fault)));
            }
        }
    }
    table::play("faults by plan", rows, 0, |(system, fault)| drop(played(system, &[fault], &[])));
}
