//! Shortened study profiles on real servers in containers: nothing is lost, nothing is left, the record
//! is complete, and an independent count confirms it.
use hubmark::{
    measure::Judgement,
    plan::{Scenario, Workload},
    record::{PointResult, Record, RecordStatus, Repetition, Resources},
};

use crate::support::{
    docker::{docker, run_filter},
    engine_proxy::{EngineProxy, MessageCounter},
    process::ProgramOutput,
    records::{only_repetition, repetitions},
    sandbox::Sandbox,
    stored_count::{records_in_kafka, rows_in_mariadb},
    turns::take_turn,
};

const BACKENDS: &str = "backend=[\"kafka:2.8.0\", \"kafka:4.4.0\", \"mariadb\"]";
/// One repetition with a baseline of three samples: an engine's first sample is dropped.
const ONE_REPETITION: &[&str] =
    &["run.repetitions=1", "run.baseline=\"3 s\"", "workload.drain=\"60 s\""];
const PACED: &[&str] = &[
    "workload.messages=5",
    "workload.arrival={ distribution = \"normal\", mean = \"500 ms\", deviation = \"125 ms\" }",
];

/// Roles of a backend's servers, the main server first.
fn roles(point: &PointResult) -> &'static [&'static str] {
    match (point.point.backend.name.as_str(), point.point.backend.version.as_deref()) {
        ("kafka", Some("2.8.0")) => &["kafka", "zookeeper"],
        ("kafka", _) => &["kafka"],
        _ => &["mariadb"],
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_doctor_finds_no_defect_of_this_engine() {
    let output = Sandbox::with_engine().run(["doctor", "study-latency-users-quick"]).exits_with(0);
    for words in
        ["engine", "docker ", "API 1.", "memory cgroup", "this machine's, ±", "image hubmark/"]
    {
        assert!(output.stdout.contains(words), "{words}: {}", output.stdout);
    }
}

/// Runs a profile and checks that everything succeeded; returns the record.
fn run_and_check(sandbox: &Sandbox, profile: &str, set: &[&[&str]]) -> Record {
    let output = ProgramOutput::of(&mut sandbox.run_command(profile, set, &[])).exits_with(0);
    let record = sandbox.out_record();
    assert_eq!(record.status, RecordStatus::Complete);
    let left = docker(&["ps", "-aq", "--filter", &run_filter(&record.run)]);
    assert_eq!(left, "", "containers are left");
    for point in &record.points {
        assert_eq!(point.repetitions.len(), 1);
        for repetition in &point.repetitions {
            check_ledger(point, repetition);
            for role in roles(point) {
                check_resources(role, &repetition.resources[*role]);
            }
            check_activity(point, &repetition.resources[roles(point)[0]]);
        }
        check_provenance(&record, point);
    }
    assert!(output.stdout.contains("lost 0"), "{}", output.stdout);
    record
}

/// Checks that nothing was lost, and that server and consumer agree.
fn check_ledger(point: &PointResult, repetition: &Repetition) {
    let (ledger, planned) = (repetition.ledger, point.point.workload.messages());
    assert_eq!([ledger.planned, ledger.sent, ledger.delivered], [planned; 3]);
    assert_eq!(ledger.acked, Some(planned));
    assert_eq!(ledger.stored, Some(planned));
    assert_eq!([ledger.lost, ledger.failed, ledger.unsent, ledger.late], [0; 4]);
    assert_eq!([ledger.duplicate, ledger.corrupt, ledger.out_of_order], [0; 3], "{point:?}");
    assert_ne!(repetition.verdict.status, Judgement::Failed);
    assert!(repetition.server_age_seconds.unwrap() > 0.0);
    assert!(repetition.server_ready_seconds.unwrap() > 0.0);
}

/// Checks that everything that the engine counts was recorded.
#[track_caller]
fn check_resources(role: &str, resources: &Resources) {
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

/// Checks that a server used its processor and transferred at least the payload.
fn check_activity(point: &PointResult, resources: &Resources) {
    let workload = &point.point.workload;
    let Resources { cpu, network, .. } = resources;
    assert!(cpu.core_seconds.unwrap() > 0.0);
    let consumed = matches!(workload, Workload::Throughput(w) if w.scenario == Scenario::Consumer);
    let payload = workload.payload().0 * workload.messages();
    let transferred = if consumed { network.sent } else { network.received }.unwrap();
    assert!(transferred.0 >= payload, "{transferred} for {payload} bytes of payload");
}

fn check_provenance(record: &Record, point: &PointResult) {
    let hub = &record.provenance.hub;
    for fact in [&hub.engine, &hub.api, &hub.kernel, &hub.architecture, &hub.cgroup] {
        assert!(fact.is_some(), "{hub:?}");
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
    let expected: &[&str] = match backend.name.as_str() {
        "mariadb" => &["innodb_flush_log_at_trx_commit", "sync_binlog", "table_engine"],
        _ => &["topic.flush.messages", "topic.min.insync.replicas", "server.log.dirs"],
    };
    for key in expected {
        assert!(settings.contains_key(*key), "{key} is not among {settings:#?}");
    }
    assert!(!server.client.is_empty());
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_study_of_latency_by_users_is_complete() {
    let sandbox = Sandbox::with_engine();
    let set: &[&[&str]] = &[ONE_REPETITION, PACED, &[BACKENDS, "workload.users=100"]];
    let record = run_and_check(&sandbox, "study-latency-users-quick", set);
    assert_eq!(record.points.len(), 3);
    for repetition in repetitions(&record) {
        let latency = &repetition.latency;
        for latency in [&latency.lag, &latency.ack, &latency.delivery, &latency.response] {
            assert_eq!(latency.as_ref().unwrap().count, repetition.ledger.planned);
        }
        assert!(repetition.samples.values().all(|samples| !samples.is_empty()));
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_study_of_latency_by_payload_is_complete() {
    let sandbox = Sandbox::with_engine();
    let payloads = "workload.payload=[\"1 B\", \"10 kB\"]";
    let set: &[&[&str]] = &[ONE_REPETITION, PACED, &[BACKENDS, payloads]];
    let record = run_and_check(&sandbox, "study-latency-payload-quick", set);
    assert_eq!(record.points.len(), 6);
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_study_of_throughput_is_complete() {
    let sandbox = Sandbox::with_engine();
    let set: &[&[&str]] = &[ONE_REPETITION, &[BACKENDS, "workload.volume=\"20 MB\""]];
    let record = run_and_check(&sandbox, "study-throughput-quick", set);
    assert_eq!(record.points.len(), 9);
    for repetition in repetitions(&record) {
        // A fast machine reads so few bytes in less time than a rate needs, and says so.
        let Some(throughput) = repetition.throughput else {
            let reason = repetition.missing.get("throughput").unwrap();
            assert!(reason.contains("a rate needs") && reason.contains("volume"), "{reason}");
            continue;
        };
        assert_eq!(throughput.bytes.0, 20_000_000);
        assert!(throughput.bytes_per_second > 0.0 && throughput.seconds > 0.0);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn durability_is_in_effect_and_in_the_record() {
    let sandbox = Sandbox::with_engine();
    let few: &[&str] = &[
        "backend=[\"kafka:4.4.0\", \"mariadb\"]",
        "run.durability=[\"memory\", \"disk\"]",
        "workload.users=20",
    ];
    let record =
        run_and_check(&sandbox, "study-latency-users-quick", &[ONE_REPETITION, PACED, few]);
    let setting = |backend: &str, durability: &str, key: &str| {
        let mut servers = record.provenance.servers.iter();
        let server = servers.find(|(name, _)| name.starts_with(backend)).unwrap().1;
        server.settings[durability][key].clone()
    };
    assert_eq!(setting("mariadb", "disk", "innodb_flush_log_at_trx_commit"), "1");
    assert_eq!(setting("mariadb", "memory", "innodb_flush_log_at_trx_commit"), "2");
    assert_eq!(setting("kafka", "disk", "topic.flush.messages"), "1");
    assert_ne!(setting("kafka", "memory", "topic.flush.messages"), "1");
}

/// Runs a thousand users on `backend` and compares the record with an independent count.
fn check_thousand_users(backend: &str, counter: MessageCounter) {
    let _turn = take_turn("studies");
    let sandbox = Sandbox::with_engine();
    let proxy = EngineProxy::counting(&sandbox.path(""), counter);
    let engine = format!("hub.engine=\"{}\"", proxy.address());
    let backend = format!("backend=\"{backend}\"");
    let many: &[&str] = &[&backend, &engine, "workload.users=1000"];
    let record =
        run_and_check(&sandbox, "study-latency-users-quick", &[ONE_REPETITION, PACED, many]);
    let ledger = only_repetition(&record).ledger;
    assert_eq!(ledger.delivered, 5_000);
    assert_eq!(proxy.counts_of(&record.run), [ledger.delivered], "the independent count");
}

#[test]
#[ignore = "needs a Docker engine"]
fn messages_of_a_thousand_users_are_in_mariadb() {
    check_thousand_users("mariadb", rows_in_mariadb);
}

#[test]
#[ignore = "needs a Docker engine"]
fn messages_of_a_thousand_users_are_in_kafka() {
    check_thousand_users("kafka:4.4.0", records_in_kafka);
}
