//! The study's profiles, made short, on the real servers in containers: nothing is lost, nothing
//! is left, everything that must be in a record is in it, and what it says is confirmed by a
//! reader that shares nothing with hubmark.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod common;
mod gate;

use std::path::Path;

use common::{Home, Said};
use gate::{
    ENGINE, Gate, Look, docker,
    look::{records_in_kafka, rows_in_mariadb},
};
use hubmark::{
    measure::Judgement,
    plan::{Scenario, Workload},
    record::{PointResult, Record, Repetition, Resources, Status},
};

const BACKENDS: &str = "backend=[\"kafka:2.8.0\", \"kafka:4.4.0\", \"mariadb\"]";
/// A baseline of three samples: the first that an engine gives is dropped.
const ONCE: &[&str] = &["run.repetitions=1", "run.baseline=\"3 s\"", "workload.drain=\"60 s\""];
const PACED: &[&str] = &[
    "workload.messages=5",
    "workload.arrival={ distribution = \"normal\", mean = \"500 ms\", deviation = \"125 ms\" }",
];

/// The servers of a backend, the main one first.
fn roles(point: &PointResult) -> &'static [&'static str] {
    match (point.point.backend.name.as_str(), point.point.backend.version.as_deref()) {
        ("kafka", Some("2.8.0")) => &["kafka", "zookeeper"],
        ("kafka", _) => &["kafka"],
        _ => &["mariadb"],
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_doctor_finds_this_engine_well() {
    let said = Home::new().hubmark(["doctor", "study-latency-users-quick"]).ends(0);
    for words in ["engine", "docker ", "API 1.", "memory cgroup", "ours, ±", "image hubmark/"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
}

/// Runs to the end; the record of a run in which all went well.
fn measured(home: &Home, profile: &str, set: &[&[&str]]) -> Record {
    let said: Said = home.run(profile, set, &[]).output().unwrap().into();
    let said = said.ends(0);
    let record = home.record();
    assert_eq!(record.status, Status::Complete);
    let label = format!("label=hubmark.run={}", record.run);
    let left = docker(Path::new(ENGINE), &["ps", "-aq", "--filter", &label]);
    assert_eq!(left, b"", "containers are left");
    for point in &record.points {
        assert_eq!(point.repetitions.len(), 1);
        for repetition in &point.repetitions {
            whole(point, repetition);
            for role in roles(point) {
                resources(role, &repetition.resources[*role]);
            }
            worked(point, &repetition.resources[roles(point)[0]]);
        }
        provenance(&record, point);
    }
    assert!(said.out.contains("lost 0"), "{}", said.out);
    record
}

/// Nothing was lost, and server and consumer agree.
fn whole(point: &PointResult, repetition: &Repetition) {
    let (ledger, planned) = (repetition.ledger, point.point.workload.messages());
    assert_eq!([ledger.planned, ledger.sent, ledger.acked, ledger.delivered], [planned; 4]);
    assert_eq!(ledger.stored, Some(planned));
    assert_eq!([ledger.lost, ledger.failed, ledger.unsent, ledger.late], [0; 4]);
    assert_eq!([ledger.duplicate, ledger.corrupt, ledger.out_of_order], [0; 3], "{point:?}");
    assert_ne!(repetition.verdict.status, Judgement::Failed);
    assert!(repetition.server_age_seconds.unwrap() > 0.0);
    assert!(repetition.server_ready_seconds.unwrap() > 0.0);
}

/// Everything that the engine counts has been counted.
#[track_caller]
fn resources(role: &str, resources: &Resources) {
    let Resources { cpu, memory, block, network, .. } = resources;
    let known = cpu.mean.is_some()
        && cpu.core_seconds.is_some()
        && memory.idle.is_some()
        && memory.mean.is_some()
        && memory.growth.is_some()
        && memory.resident.is_some()
        && memory.cache.is_some()
        && block.written.is_some()
        && block.source.is_some()
        && network.received.is_some()
        && network.sent.is_some();
    assert!(known, "{role}: {resources:#?}");
}

/// A server that was sent messages has worked and has received at least their payload.
fn worked(point: &PointResult, resources: &Resources) {
    let workload = &point.point.workload;
    let Resources { cpu, network, .. } = resources;
    assert!(cpu.core_seconds.unwrap() > 0.0);
    let consumed = matches!(workload, Workload::Throughput(w) if w.scenario == Scenario::Consumer);
    let payload = workload.payload().0 * workload.messages();
    let over_the_network = if consumed { network.sent } else { network.received }.unwrap();
    assert!(over_the_network.0 >= payload, "{over_the_network} for {payload} bytes of payload");
}

fn provenance(record: &Record, point: &PointResult) {
    let hub = &record.provenance.hub;
    for known in [&hub.engine, &hub.api, &hub.kernel, &hub.architecture, &hub.cgroup] {
        assert!(known.is_some(), "{hub:?}");
    }
    assert!(hub.cores.is_some() && hub.memory.is_some() && hub.storage_driver.is_some());
    assert!(hub.shared_with_client && hub.cpu.is_some());
    assert!(record.provenance.client.cpu.is_some() && record.provenance.client.kernel.is_some());
    let backend = &point.point.backend;
    let server = &record.provenance.servers[&backend.to_string()];
    if let Some(version) = &backend.version {
        assert!(server.version.starts_with(version.as_str()), "{}", server.version);
    }
    assert_eq!(server.caution, None);
    let images: Vec<_> = server.images.keys().map(String::as_str).collect();
    assert_eq!(images, roles(point));
    for image in server.images.values() {
        assert!(image.digest.as_ref().unwrap().starts_with("sha256:"), "{image:?}");
    }
    let durability = format!("{:?}", point.point.durability).to_lowercase();
    let settings = &server.settings[&durability];
    let decisive: &[&str] = match backend.name.as_str() {
        "mariadb" => &["innodb_flush_log_at_trx_commit", "sync_binlog", "table_engine"],
        _ => &["topic.flush.messages", "topic.min.insync.replicas", "server.log.dirs"],
    };
    for key in decisive {
        assert!(settings.contains_key(*key), "{key} is not among {settings:#?}");
    }
    assert!(!server.client.is_empty());
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_study_of_latency_by_users() {
    let home = Home::new();
    let set: &[&[&str]] = &[ONCE, PACED, &[BACKENDS, "workload.users=100"]];
    let record = measured(&home, "study-latency-users-quick", set);
    assert_eq!(record.points.len(), 3);
    for repetition in common::repetitions(&record) {
        let latency = &repetition.latency;
        for latency in [&latency.lag, &latency.ack, &latency.delivery, &latency.response] {
            assert_eq!(latency.as_ref().unwrap().count, repetition.ledger.planned);
        }
        assert!(repetition.samples.values().all(|samples| !samples.is_empty()));
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_study_of_latency_by_payload() {
    let home = Home::new();
    let payloads = "workload.payload=[\"1 B\", \"10 kB\"]";
    let set: &[&[&str]] = &[ONCE, PACED, &[BACKENDS, payloads]];
    let record = measured(&home, "study-latency-payload-quick", set);
    assert_eq!(record.points.len(), 6);
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_study_of_throughput() {
    let home = Home::new();
    let set: &[&[&str]] = &[ONCE, &[BACKENDS, "workload.volume=\"20 MB\""]];
    let record = measured(&home, "study-throughput-quick", set);
    assert_eq!(record.points.len(), 9);
    for repetition in common::repetitions(&record) {
        let throughput = repetition.throughput.unwrap();
        assert_eq!(throughput.bytes.0, 20_000_000);
        assert!(throughput.bytes_per_second > 0.0 && throughput.seconds > 0.0);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn durability_is_in_force_and_in_the_record() {
    let home = Home::new();
    let few: &[&str] = &[
        "backend=[\"kafka:4.4.0\", \"mariadb\"]",
        "run.durability=[\"memory\", \"disk\"]",
        "workload.users=20",
    ];
    let record = measured(&home, "study-latency-users-quick", &[ONCE, PACED, few]);
    let in_force = |backend: &str, durability: &str, key: &str| {
        let mut servers = record.provenance.servers.iter();
        let server = servers.find(|(name, _)| name.starts_with(backend)).unwrap().1;
        server.settings[durability][key].clone()
    };
    assert_eq!(in_force("mariadb", "disk", "innodb_flush_log_at_trx_commit"), "1");
    assert_eq!(in_force("mariadb", "memory", "innodb_flush_log_at_trx_commit"), "2");
    assert_eq!(in_force("kafka", "disk", "topic.flush.messages"), "1");
    assert_ne!(in_force("kafka", "memory", "topic.flush.messages"), "1");
}

/// A thousand users on `backend`, confirmed by `look`.
fn a_thousand_users(backend: &str, look: Look) {
    let home = Home::new();
    let gate = Gate::open(&home.path(""), look);
    let engine = format!("hub.engine=\"{}\"", gate.engine());
    let backend = format!("backend=\"{backend}\"");
    let many: &[&str] = &[&backend, &engine, "workload.users=1000"];
    let record = measured(&home, "study-latency-users-quick", &[ONCE, PACED, many]);
    let ledger = common::only(&record).ledger;
    assert_eq!(ledger.delivered, 5_000);
    assert_eq!(gate.seen(&record.run), [ledger.delivered], "the second reader");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_thousand_users_on_mariadb_are_all_there() {
    a_thousand_users("mariadb", rows_in_mariadb);
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_thousand_users_on_kafka_are_all_there() {
    a_thousand_users("kafka:4.4.0", records_in_kafka);
}
