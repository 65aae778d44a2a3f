//! The record's schema: the one published in `assets/` matches what the program writes, and what is
//! not a record is refused with a clear message.

use std::fs;

use hubmark::record::SCHEMA;
use serde_json::{Value, json};

use crate::support::{loads::QUICK, records::schema_violations, sandbox::Sandbox};

/// A record that the program has written.
fn written_record(sandbox: &Sandbox) -> Value {
    sandbox.run_command("first-look", &[QUICK], &["--format", "json", "--quiet"]).output().unwrap();
    serde_json::from_slice(&fs::read(sandbox.out_path()).unwrap()).unwrap()
}

#[test]
fn the_schema_and_the_program_refuse_invalid_records() {
    let sandbox = Sandbox::new();
    let record = written_record(&sandbox);
    assert_eq!(schema_violations(&record), [""; 0]);

    let repetition = "/points/0/repetitions/0";
    let changed = |pointer: &str, to: Value| {
        let mut record = record.clone();
        *record.pointer_mut(pointer).unwrap() = to;
        schema_violations(&record)
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
    // A percentile is null if there are too few messages for it.
    assert_eq!(changed(&format!("{repetition}/latency/delivery/p9999"), json!(null)), [""; 0]);

    let save = |name: &str, record: &Value| {
        let path = sandbox.path(name);
        fs::write(&path, record.to_string()).unwrap();
        path.display().to_string()
    };
    let show = |path: &str| sandbox.run(["records", "show", path]);

    let mut newer = record.clone();
    newer["schema"] = json!(SCHEMA + 1);
    let path = save("newer.json", &newer);
    let output = show(&path).exits_with(1);
    assert!(
        output.stderr.contains(&path) && output.stderr.contains(&(SCHEMA + 1).to_string()),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("newer"), "{}", output.stderr);
    let output = sandbox.run(["run", "first-look", "--resume", &path]).exits_with(1);
    assert!(output.stderr.contains("newer"), "{}", output.stderr);

    let mut unnumbered = record.clone();
    unnumbered.as_object_mut().unwrap().remove("schema");
    let output = show(&save("unnumbered.json", &unnumbered)).exits_with(1);
    assert!(output.stderr.contains("no schema number"), "{}", output.stderr);

    let mut incomplete = record.clone();
    incomplete.as_object_mut().unwrap().remove("plan");
    let output = show(&save("incomplete.json", &incomplete)).exits_with(1);
    assert!(output.stderr.contains("plan"), "{}", output.stderr);

    let path = sandbox.path("half.json");
    let text = record.to_string();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    let output = show(path.to_str().unwrap()).exits_with(1);
    assert!(output.stderr.contains("half.json"), "{}", output.stderr);

    // Older schemas stay readable; there is none before the first.
    show(&save("own.json", &record)).exits_with(0);
}
