//! Planned faults of real servers: recovery is measured, losses are counted, the ledger is consistent
//! and agrees with an independent count, and nothing is left.
//!
//! The container tests run representative rows; `HUBMARK_FAULT_TABLE=full` runs every kind on every
//! server in every phase, as `tests/long.sh faults` does.
use std::{fmt::Write as _, path::Path, time::Duration};

use hubmark::record::{FaultResult, Record, Repetition};

use crate::support::{
    docker::{containers_of_run, docker_at},
    engine_proxy::{EngineProxy, MessageCounter},
    fault_rows::{is_full, run_rows, seed_setting},
    records::{finished, read_checked, repetitions},
    sandbox::{Sandbox, set_arguments},
    stored_count::{records_in_kafka, rows_in_mariadb},
};

/// How long a run may take.
const RUN_LIMIT: Duration = Duration::from_mins(8);

/// A load of six seconds.
const LOAD: &[&str] = &[
    "workload.users=20",
    "workload.duration=\"6 s\"",
    "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
    "workload.drain=\"2 min\"",
    "run.baseline=\"1 s\"",
    "run.repetitions=1",
];

/// A backend, with a counter of the messages that its main server stores.
type System = (&'static str, MessageCounter);

const KAFKA: System = ("kafka:4.4.0", records_in_kafka);
const OLD_KAFKA: System = ("kafka:2.8.0", records_in_kafka);
const MARIADB: System = ("mariadb", rows_in_mariadb);

/// Runs a schedule of faults and checks what must always hold; returns the record.
fn run_with_faults((backend, counter): System, faults: &[String], more: &[&str]) -> Record {
    let sandbox = Sandbox::with_engine();
    let proxy = EngineProxy::counting(&sandbox.path(""), counter);
    let mut schedule = String::from("fault=[");
    for fault in faults {
        write!(schedule, "{{ {fault} }},").unwrap();
    }
    schedule.push(']');
    let backend_set = format!("backend=\"{backend}\"");
    let engine = format!("hub.engine=\"{}\"", proxy.address());
    let mut command = sandbox.command(["run", "study-latency-users-quick"]);
    let seed = seed_setting();
    let sets = [LOAD, &[&backend_set, &engine, &schedule, &seed], more].concat();
    command.args(set_arguments(&sets));
    let output = sandbox.start(command).wait_within(RUN_LIMIT);
    let record = read_checked(&sandbox.record_file().expect("there is a record"));
    let row = format!("{backend} {faults:?}\n{}\n{}", output.stderr, output.stdout);
    assert_eq!(containers_of_run(&record.run), [], "left behind: {row}");
    let undelivered: u64 = repetitions(&record).map(|r| r.ledger.undelivered()).sum();
    assert_eq!(output.status, Some(if undelivered > 0 { 3 } else { 0 }), "{row}");
    assert_eq!(finished(&record).len(), record.points.len(), "{row}");
    let mut counts = proxy.counts_of(&record.run);
    for repetition in finished(&record) {
        for (fault, planned) in repetition.faults.iter().zip(&record.plan.faults) {
            assert!(output.stderr.contains(&format!("planned fault: {}", fault.server)), "{row}");
            check_fault(fault, &row);
            assert_eq!(fault.planned, *planned);
        }
        assert_eq!(repetition.verdict.reasons[0].code, "planned-fault", "{row}");
        let ledger = repetition.ledger;
        let stored = ledger.stored.unwrap_or_else(|| panic!("not counted: {row}"));
        let at = counts.iter().position(|count| *count == stored);
        counts.remove(at.unwrap_or_else(|| panic!("{stored} stored, {counts:?} counted: {row}")));
        // Acknowledged messages are stored. A message that was read just before a kill without being
        // acknowledged may be lost: it was visible before it was written.
        let arrivals = ledger.delivered + ledger.duplicate;
        assert!(ledger.acked <= Some(stored) && stored <= arrivals, "{ledger:?}: {row}");
        check_impacts(repetition, &row);
    }
    println!("{backend} {faults:?}: ok");
    for repetition in finished(&record) {
        repetition.faults.iter().for_each(|fault| println!("  {}", fault.describe()));
    }
    record
}

/// Checks the times of a fault.
fn check_fault(fault: &FaultResult, row: &str) {
    assert_eq!(fault.error, None, "{row}");
    let (began, ended) = (fault.began.expect(row), fault.ended.expect(row));
    assert!(fault.asked.expect(row) <= began && fault.end_asked.expect(row) <= ended, "{row}");
    assert!(began >= fault.planned.at.as_secs_f64(), "{row}");
    let lasted = fault.planned.duration.unwrap_or_default().as_secs_f64();
    assert!(ended - began >= lasted, "{row}");
    assert_eq!(fault.starts > 0, fault.planned.kind.stops_server(), "{row}");
}

/// Checks that no missing message counts for two faults; messages sent after the last fault count for
/// none.
fn check_impacts(repetition: &Repetition, row: &str) {
    let (mut lost, mut acked) = (0, 0);
    for impact in repetition.faults.iter().filter_map(|fault| fault.toll) {
        lost += impact.lost;
        acked += impact.acked_then_lost;
    }
    assert!(lost <= repetition.ledger.lost && acked <= repetition.ledger.acked_then_lost, "{row}");
}

fn assert_recovered(fault: &FaultResult) {
    assert!(fault.recovery_ack.is_some() && fault.recovery_delivery.is_some(), "{fault:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_kafka_recovers_with_what_it_acknowledged_at_every_durability() {
    let kill = "at = \"2 s\", kind = \"kill\", for = \"1 s\"".to_owned();
    let both = "run.durability=[\"memory\", \"disk\"]";
    let record = run_with_faults(KAFKA, &[kill], &[both]);
    assert_eq!(record.points.len(), 2);
    for repetition in finished(&record) {
        let fault = &repetition.faults[0];
        assert_recovered(fault);
        // A kill ends the process, but the kernel keeps what it has written.
        assert_eq!(fault.toll.unwrap().acked_then_lost, 0);
    }
}

/// Counts the rows of a MariaDB after checking the rights of hubmark's user: without them the consumer
/// waits ten minutes for a row that was rolled back.
fn rows_with_rights(engine: &Path, container: &str) -> u64 {
    let grants = "SHOW GRANTS FOR hubmark@'%'";
    let grants = docker_at(engine, &["exec", container, "mariadb", "-NB", "-e", grants]);
    assert!(String::from_utf8(grants).unwrap().contains("GRANT PROCESS"));
    rows_in_mariadb(engine, container)
}

#[test]
#[ignore = "needs a Docker engine"]
fn mariadb_recovers_from_several_faults_in_a_row() {
    let faults = [
        "at = \"500 ms\", kind = \"pause\", for = \"1 s\"",
        "at = \"2 s\", kind = \"kill\", for = \"500 ms\"",
        "at = \"4 s\", kind = \"restart\", for = \"500 ms\"",
        "at = \"7 s\", kind = \"cut\", for = \"1 s\"",
    ];
    let record = run_with_faults(
        ("mariadb", rows_with_rights),
        &faults.map(str::to_owned),
        &["workload.duration=\"20 s\""],
    );
    let repetition = finished(&record)[0];
    repetition.faults.iter().for_each(assert_recovered);
    // The server's counters restarted with it, so its total use is unknown.
    assert_eq!(repetition.resources["mariadb"].cpu.core_seconds, None);
}

#[test]
#[ignore = "needs a Docker engine"]
fn kafka_with_zookeeper_recovers_from_the_loss_of_either() {
    let faults = [
        "at = \"500 ms\", kind = \"kill\", for = \"1 s\", server = \"zookeeper\"",
        "at = \"4 s\", kind = \"kill\", for = \"1 s\"",
    ];
    // A broker that also lost its ZooKeeper needs about twenty seconds until it stays up.
    let long = ["workload.duration=\"75 s\""];
    let record = run_with_faults(OLD_KAFKA, &faults.map(str::to_owned), &long);
    finished(&record)[0].faults.iter().for_each(assert_recovered);
}

/// Every kind of fault on every server, at the start, in the load and in the drain.
#[test]
#[ignore = "needs a Docker engine"]
fn every_fault_on_every_server() {
    // Without full tables: the two kinds that no other test uses, one after the other.
    if !is_full() {
        let slow =
            "at = \"6100 ms\", kind = \"slow-disk\", disk_write = \"1 MB/s\", for = \"500 ms\"";
        let limit = "at = \"1 s\", kind = \"limit\", cpus = \"0.5 cpus\", for = \"1 s\"";
        run_with_faults(MARIADB, &[limit.to_owned(), slow.to_owned()], &[]);
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
    run_rows("faults by plan", rows, 0, |(system, fault)| {
        drop(run_with_faults(system, &[fault], &[]));
    });
}
