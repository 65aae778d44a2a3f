//! A real Kafka whose settings would make a result wrong or impossible: hubmark refuses it before the load,
//! with the setting and what to do, and the doctor says the same; or obeys its limit.

use std::time::Duration;

use crate::support::{
    external_kafka::ExternalKafka,
    external_servers::{start_external_run, topics},
    process::ProgramOutput,
    records::{only_repetition, read_checked},
    sandbox::{Sandbox, set_arguments},
};

/// How long a run on an engine that other tests use may take.
const RUN_LIMIT: Duration = Duration::from_mins(3);

fn measure(sandbox: &Sandbox, sets: &[&str]) -> ProgramOutput {
    start_external_run(sandbox, "kafka", sets).wait_within(RUN_LIMIT)
}

/// Checks that a run (with the exit status `status`) and the doctor refuse `kafka` with `words`, and that nothing
/// was measured or is left.
#[track_caller]
fn check_refused(kafka: &ExternalKafka, sets: &[&str], status: i32, words: &[&str]) {
    let sandbox = Sandbox::with_engine();
    let address = format!("kafka.address={}", kafka.address());
    let sets = [&[address.as_str()], sets].concat();
    measure(&sandbox, &sets).reports(status, words);
    assert!(sandbox.record_file().is_none(), "nothing was measured");
    let fixed = ["hub.kind=external", "backend=kafka", "workload.users=20"];
    let mut doctor = sandbox.program();
    doctor.args(["doctor", "first-look"]).args(set_arguments(&[&fixed[..], &sets].concat()));
    let examined = ProgramOutput::of(&mut doctor);
    assert_eq!(examined.status, Some(1), "{examined:#?}");
    for word in words {
        assert!(examined.stdout.contains(word), "{word}: {}", examined.stdout);
    }
    assert_eq!(topics(&kafka.admin()), [], "left behind");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_retention_shorter_than_a_repetition_is_refused_before_the_load() {
    let kafka = ExternalKafka::start("retention", &[("KAFKA_LOG_RETENTION_MS", "1500")]);
    check_refused(&kafka, &[], 2, &["topic.retention.ms = 1500", "\"retention.ms\" = -1"]);
    let small = ExternalKafka::start("retention-size", &[("KAFKA_LOG_RETENTION_BYTES", "1000")]);
    check_refused(&small, &[], 2, &["topic.retention.bytes = 1000", "\"retention.bytes\" = -1"]);
    // What the message advises makes the same broker usable.
    let sandbox = Sandbox::with_engine();
    let address = format!("kafka.address={}", kafka.address());
    measure(&sandbox, &[&address, "kafka.topic={ \"retention.ms\" = -1 }"]).reports(0, &[]);
    let ledger = only_repetition(&read_checked(&sandbox.record_file().unwrap())).ledger;
    assert_eq!((ledger.planned, ledger.delivered, ledger.stored), (800, 800, Some(800)));
}

#[test]
#[ignore = "needs a Docker engine"]
fn compaction_and_missing_copies_are_refused_before_the_load() {
    let compacting = ExternalKafka::start("compaction", &[("KAFKA_LOG_CLEANUP_POLICY", "compact")]);
    check_refused(
        &compacting,
        &[],
        2,
        &["topic.cleanup.policy = compact", "messages without a key"],
    );
    let copies = ["kafka.topic={ \"cleanup.policy\" = \"delete\" }", "kafka.replication=3"];
    check_refused(&compacting, &copies, 1, &["replication = 3", "set replication to 1 at most"]);
    let strict = ExternalKafka::start("insync", &[("KAFKA_MIN_INSYNC_REPLICAS", "2")]);
    let words = ["topic.min.insync.replicas = 2", "every message with acks = all"];
    check_refused(&strict, &["run.durability=disk"], 2, &words);
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_limit_on_messages_is_obeyed_by_batches_and_refuses_payloads() {
    let kafka = ExternalKafka::start("batches", &[("KAFKA_MESSAGE_MAX_BYTES", "20000")]);
    check_refused(&kafka, &["workload.payload=\"30 kB\""], 2, &["workload.payload", "20000"]);
    let sandbox = Sandbox::with_engine();
    let address = format!("kafka.address={}", kafka.address());
    let volume = [
        address.as_str(),
        "hub.kind=external",
        "backend=kafka",
        "workload.scenario=both",
        "workload.volume=\"2 MB\"",
        "workload.payload=\"100 B\"",
        "run.repetitions=1",
    ];
    let run = sandbox.start_run("study-throughput-quick", &volume);
    run.wait_within(RUN_LIMIT).reports(0, &[]);
    let record = read_checked(&sandbox.record_file().unwrap());
    let ledger = only_repetition(&record).ledger;
    assert_eq!((ledger.delivered, ledger.failed, ledger.stored), (20_000, 0, Some(20_000)));
    let batch = &record.provenance.servers["kafka"].client["bulk.batch.size"];
    assert_eq!(batch, "20000");
}
