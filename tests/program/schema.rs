//! The record's schema: what is published under `assets/` is what the program writes, and what is
//! not a record is refused with a clear word.

use std::fs;

use crate::common::{Home, SCHEMA_FILE, SHORT, objections};
use hubmark::record::{Record, SCHEMA};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// Set it to write the schema anew after a change of the record's types.
const UPDATE: &str = "UPDATE_SCHEMA";

fn generated() -> String {
    let mut settings = SchemaSettings::draft2020_12();
    // What is written: every key is there, `null` where nothing was measured.
    settings.contract = schemars::generate::Contract::Serialize;
    let mut schema = settings.into_generator().into_root_schema_for::<Record>();
    schema.insert("title".into(), json!(format!("hubmark record, schema {SCHEMA}")));
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

#[test]
fn the_published_schema_is_the_one_of_the_types() {
    let generated = generated();
    if std::env::var_os(UPDATE).is_some() {
        fs::write(SCHEMA_FILE, &generated).unwrap();
    }
    let published = fs::read_to_string(SCHEMA_FILE).unwrap_or_default();
    assert!(
        published == generated,
        "{SCHEMA_FILE} is not that of the types: run this test with {UPDATE}=1; a breaking change \
         needs a new schema number, too"
    );
}

/// A record as the program writes it.
fn written(home: &Home) -> Value {
    home.run("first-look", &[SHORT], &["--format", "json", "--quiet"]).output().unwrap();
    serde_json::from_slice(&fs::read(home.record_path()).unwrap()).unwrap()
}

#[test]
fn the_schema_refuses_what_is_not_a_record_and_the_program_what_it_cannot_read() {
    let home = Home::new();
    let record = written(&home);
    assert_eq!(objections(&record), [""; 0]);

    let repetition = "/points/0/repetitions/0";
    let changed = |pointer: &str, to: Value| {
        let mut record = record.clone();
        *record.pointer_mut(pointer).unwrap() = to;
        objections(&record)
    };
    for (pointer, to) in [
        (format!("{repetition}/ledger/lost"), json!(null)),
        (format!("{repetition}/ledger/sent"), json!(-1)),
        (format!("{repetition}/verdict/status"), json!("fine")),
        (format!("{repetition}/latency/delivery/p50"), json!("1 ms")),
        (format!("{repetition}/timeline"), json!({})),
        ("/status".into(), json!("done")),
        ("/plan/points/0/workload/kind".into(), json!("guess")),
    ] {
        assert!(!changed(&pointer, to.clone()).is_empty(), "{pointer} = {to} passes");
    }
    // A percentile that its count cannot carry is null, and that is well.
    assert_eq!(changed(&format!("{repetition}/latency/delivery/p9999"), json!(null)), [""; 0]);

    let keep = |name: &str, record: &Value| {
        let path = home.path(name);
        fs::write(&path, record.to_string()).unwrap();
        path.display().to_string()
    };
    let show = |path: &str| home.hubmark(["records", "show", path]);

    let mut newer = record.clone();
    newer["schema"] = json!(SCHEMA + 1);
    let path = keep("newer.json", &newer);
    let said = show(&path).ends(1);
    assert!(
        said.err.contains(&path) && said.err.contains(&(SCHEMA + 1).to_string()),
        "{}",
        said.err
    );
    assert!(said.err.contains("newer"), "{}", said.err);
    let said = home.hubmark(["run", "first-look", "--resume", &path]).ends(1);
    assert!(said.err.contains("newer"), "{}", said.err);

    let mut numberless = record.clone();
    numberless.as_object_mut().unwrap().remove("schema");
    let said = show(&keep("numberless.json", &numberless)).ends(1);
    assert!(said.err.contains("no schema number"), "{}", said.err);

    let mut mutilated = record.clone();
    mutilated.as_object_mut().unwrap().remove("plan");
    let said = show(&keep("mutilated.json", &mutilated)).ends(1);
    assert!(said.err.contains("plan"), "{}", said.err);

    let path = home.path("half.json");
    let text = record.to_string();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let said = show(path.to_str().unwrap()).ends(1);
    assert!(said.err.contains("half.json"), "{}", said.err);

    // Every older schema stays readable; the first has none before it.
    show(&keep("own.json", &record)).ends(0);
}
