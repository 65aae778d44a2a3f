//! Records read back and checked against the published schema, and what tests ask of them.

use std::{fs, path::Path, sync::LazyLock};

use hubmark::{
    measure::Judgement,
    record::{Record, Repetition, store},
};
use serde_json::Value;

/// The committed schema of records.
pub const SCHEMA_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/record.schema.json");

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_slice(&fs::read(SCHEMA_FILE).unwrap()).unwrap();
    jsonschema::draft202012::new(&schema).expect("the committed schema is valid")
});

/// Violations of the committed schema in a record.
pub fn schema_violations(record: &Value) -> Vec<String> {
    VALIDATOR.iter_errors(record).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// Reads a record and checks its schema and the sums of its ledgers.
#[track_caller]
pub fn read_checked(path: &Path) -> Record {
    let value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(schema_violations(&value), [""; 0], "{}", path.display());
    let record = store::load(path).unwrap();
    for repetition in repetitions(&record) {
        assert_eq!(repetition.ledger.contradictions(), [""; 0]);
    }
    record
}

/// Every repetition of a record.
pub fn repetitions(record: &Record) -> impl Iterator<Item = &Repetition> {
    record.points.iter().flat_map(|point| &point.repetitions)
}

/// The only repetition of a record.
#[track_caller]
pub fn only_repetition(record: &Record) -> &Repetition {
    let all: Vec<_> = repetitions(record).collect();
    assert_eq!(all.len(), 1);
    all[0]
}

/// Repetitions of a record that did not fail.
pub fn finished(record: &Record) -> Vec<&Repetition> {
    repetitions(record)
        .filter(|repetition| repetition.verdict.status != Judgement::Failed)
        .collect()
}

/// The first reason of each failed repetition of a record.
pub fn failure_reasons(record: &Record) -> Vec<String> {
    let failed = |repetition: &&Repetition| repetition.verdict.status == Judgement::Failed;
    let reason = |repetition: &Repetition| repetition.verdict.reasons[0].text.clone();
    repetitions(record).filter(failed).map(reason).collect()
}

/// Codes of reasons for doubt that other work on this machine can add to any verdict.
const MACHINE_CODES: [&str; 6] = [
    "client-delayed",
    "client-saturated",
    "client-stolen",
    "client-timer",
    "machine-saturated",
    "samples-missing",
];

/// Prefix of the codes about the hub, which is this machine in tests without a remote hub.
const HUB_CODE_PREFIX: &str = "hub-";

/// Codes of a verdict's reasons, without those that a busy machine can add to any run.
pub fn reason_codes(repetition: &Repetition) -> Vec<&str> {
    let codes = repetition.verdict.reasons.iter().map(|reason| reason.code.as_str());
    codes
        .filter(|code| !MACHINE_CODES.contains(code) && !code.starts_with(HUB_CODE_PREFIX))
        .collect()
}
