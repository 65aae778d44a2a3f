//! Payloads above the default limits of Kafka's client, and messages that are never sent.

use crate::support::{
    process::ProgramOutput,
    records::only_repetition,
    sandbox::Sandbox,
    synthetic::{SyntheticRepetition, record, save},
};

/// Two messages of each of two users, larger than librdkafka's default limit.
const LARGE: &[&str] = &[
    "workload.users=2",
    "workload.messages=2",
    "workload.payload=\"3 MB\"",
    "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
    "run.baseline=\"0 s\"",
];

#[test]
fn a_payload_above_the_clients_default_limit_is_measured() {
    let sandbox = Sandbox::new();
    let output = ProgramOutput::of(&mut sandbox.run_command("first-look", &[LARGE], &[]));
    let output = output.exits_with(0);
    let record = sandbox.out_record();
    let ledger = only_repetition(&record).ledger;
    assert_eq!([ledger.sent, ledger.delivered, ledger.unsent], [4, 4, 0], "{}", output.stdout);
    let client = &record.provenance.servers["builtin"].client;
    assert_eq!(client["producer.message.max.bytes"], "3000200");
}

#[test]
fn a_limit_below_the_payload_is_refused_before_the_run_with_both_numbers() {
    let sandbox = Sandbox::new();
    // Also where only a later point of a sweep does not fit.
    let set: &[&str] = &[
        "workload.payload=[\"100 B\", \"3 MB\"]",
        "builtin.producer={ \"message.max.bytes\" = 2000000 }",
    ];
    let output = ProgramOutput::of(&mut sandbox.run_command("first-look", &[LARGE, set], &[]));
    let output = output.exits_with(2);
    for part in ["producer.message.max.bytes = 2000000", "3000200 bytes", "3 MB"] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert!(!output.stderr.contains("Broker"), "{}", output.stderr);
    assert!(!sandbox.out_path().exists());
}

#[test]
fn messages_that_were_never_sent_fail_the_run() {
    let sandbox = Sandbox::new();
    let mut record = record("first-look", &[], |_, _| Some(SyntheticRepetition::default()));
    let path = sandbox.path("record.json");
    let shown = |record: &hubmark::record::Record| {
        save(record, &path);
        let path = path.to_str().unwrap();
        sandbox.run(["records", "show", path]).exits_with(0).stdout
    };
    assert!(shown(&record).contains("undelivered 0: lost 0  failed 0  unsent 0"));
    let ledger = &mut record.points[0].repetitions[0].ledger;
    let planned = ledger.planned;
    ledger.unsent = 7;
    ledger.planned += 7;
    let text = shown(&record);
    assert!(text.contains("undelivered 7: lost 0  failed 0  unsent 7"), "{text}");
    let ledger = &mut record.points[0].repetitions[0].ledger;
    (ledger.sent, ledger.acked, ledger.delivered) = (0, Some(0), 0);
    (ledger.unsent, ledger.planned, ledger.stored) = (planned, planned, Some(0));
    save(&record, &path);
    let out = sandbox.path("out").display().to_string();
    sandbox.run(["report", "--out", &out, path.to_str().unwrap()]).exits_with(0);
    let page = std::fs::read_to_string(sandbox.path("out").join("index.html")).unwrap();
    assert!(page.contains("planned messages none was sent: there is no answer."), "{page}");
}
