//! The published schema of records is generated from the types.

use schemars::generate::{Contract, SchemaSettings};
use serde_json::json;

use super::{Record, Repetition, SCHEMA, journal::JournalEntry};

/// File that publishes the schema.
const SCHEMA_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/record.schema.json");

/// Variable that makes the test write the schema, after a change of the record's types.
const UPDATE: &str = "UPDATE_SCHEMA";

/// Record of a run, finished or not, as its file contains it.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct RecordFileContent {
    #[serde(flatten)]
    record: Record,
    /// Results and changes since the file was last written as a whole, in order of time: only in the record
    /// of a run in progress, or of one that was killed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    journal: Vec<JournalEntry<Repetition>>,
}

/// Generates the schema of written records, in which every key is present and `null` means not measured.
fn generate_schema() -> String {
    let mut settings = SchemaSettings::draft2020_12();
    settings.contract = Contract::Serialize;
    let mut schema = settings.into_generator().into_root_schema_for::<RecordFileContent>();
    schema.insert("title".into(), json!(format!("hubmark record, schema {SCHEMA}")));
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

#[test]
fn the_published_schema_is_the_one_of_the_types() {
    let generated = generate_schema();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(SCHEMA_FILE, &generated).unwrap();
    }
    let published = std::fs::read_to_string(SCHEMA_FILE).unwrap_or_default();
    assert!(
        published == generated,
        "{SCHEMA_FILE} is not that of the types: run this test with {UPDATE}=1; a breaking change needs a new \
         schema number, too"
    );
}
