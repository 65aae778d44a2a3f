//! Records that were changed or damaged after they were saved: refused by every command, with the reason.

use std::{fs, panic, path::Path, sync::LazyLock};

use hubmark::{
    measure::Judgement,
    record::{Record, store},
    report::{
        cells::{ReportCells, SourceRecord},
        compare::{self, ComparisonSide},
        conclusions, csv, findings, text,
    },
    tui::Document,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    process::ProgramOutput,
    sandbox::{Sandbox, set_arguments},
    synthetic::{self, SyntheticRepetition},
};

/// Two points, two repetitions each, on the built-in broker.
const SWEEP: &[&str] = &[
    "workload.users=[2, 3]",
    "workload.messages=2",
    "workload.arrival={ distribution = \"constant\", mean = \"10 ms\" }",
    "run.baseline=\"0 s\"",
    "run.repetitions=2",
];

/// A record that the program has written.
fn written_record(sandbox: &Sandbox) -> Value {
    let mut command = sandbox.command(["run", "first-look", "-q", "--out"]);
    command.arg(sandbox.path("intact.json")).args(set_arguments(SWEEP));
    ProgramOutput::of(&mut command).exits_with(0);
    serde_json::from_slice(&fs::read(sandbox.path("intact.json")).unwrap()).unwrap()
}

/// A change of a record, and words of the reason for which the changed record is refused.
type Case = (&'static str, fn(&mut Value), &'static str);

const CONTRADICTIONS: &[Case] = &[
    ("points", |r| drop(r["points"].as_array_mut().unwrap().pop()), "2 points, its results have 1"),
    ("plan-points", |r| drop(r["plan"]["points"].as_array_mut().unwrap().pop()), "results have 2"),
    ("schedule-point", |r| r["plan"]["schedule"][1]["point"] = json!(7), "of point 7"),
    ("no-schedule", |r| r["plan"]["schedule"] = json!([]), "its schedule has 0 repetitions"),
    ("schema", |r| r["schema"] = json!(0), "there is no schema 0"),
    (
        "count",
        |r| r["points"][0]["repetitions"][0]["latency"]["lag"]["count"] = json!(1_000_000_000),
        "its count is 1,000,000,000; samples in its histogram",
    ),
    (
        "histogram",
        |r| r["points"][1]["repetitions"][0]["latency"]["ack"]["histogram"] = json!("AAAA"),
        "a stored histogram cannot be read",
    ),
    (
        "missing",
        |r| drop(r["points"][0]["repetitions"].as_array_mut().unwrap().pop()),
        "repetitions 1 is missing",
    ),
    ("twice", |r| r["points"][0]["repetitions"][1]["index"] = json!(0), "is there twice"),
    ("other-point", |r| r["points"][1]["workload"]["users"] = json!(9), "is not that of its plan"),
    (
        "steered",
        |r| {
            r["points"][0]["repetitions"][0]["steered"] =
                json!([{"second": 0.1, "change": "pause"}]);
        },
        "was steered, and its verdict counts it",
    ),
    ("summary", |r| r["points"][1]["summary"]["repetitions"] = json!(40), "the summary of point 1"),
];

#[test]
fn a_record_that_contradicts_itself_is_refused_by_every_command() {
    let sandbox = Sandbox::new();
    let intact = written_record(&sandbox);
    let whole = sandbox.path("intact.json").display().to_string();
    let intact_status = sandbox.run(["records", "show", &whole]).exits_with(0);
    assert!(intact_status.stdout.contains("4 of 4 repetitions"), "{}", intact_status.stdout);
    for (number, (name, change, reason)) in CONTRADICTIONS.iter().enumerate() {
        let mut record = intact.clone();
        change(&mut record);
        let file = sandbox.path(&format!("records/{name}.json"));
        fs::create_dir_all(sandbox.path("records")).unwrap();
        fs::write(&file, record.to_string()).unwrap();
        let path = file.to_str().unwrap();
        let report = sandbox.path(&format!("{name}-report"));
        let commands = [
            vec!["run", "-q", "--resume", path],
            vec!["records", "show", path],
            vec!["records", "show", path, "--format", "csv"],
            vec!["records", "show", path, "--format", "json"],
            vec!["records", "remove", path],
            vec!["report", path, "--out", report.to_str().unwrap()],
            vec!["compare", &whole, path],
        ];
        // All commands read a record in the same way: the first contradiction by each of them, the others by one.
        let chosen =
            |command: &usize| number == 0 || command % commands.len() == number % commands.len();
        for arguments in (0..commands.len()).filter(chosen).map(|command| &commands[command]) {
            let output = sandbox.run(arguments);
            output.reports(1, &[path, "contradicts itself", reason, "use an intact copy"]);
            assert!(!output.stderr.contains("panicked"), "{arguments:?}: {}", output.stderr);
            assert_eq!(output.stdout, "", "{arguments:?}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), record.to_string(), "it is unchanged");
    }
    let list = sandbox.run(["records", "list"]).exits_with(0).stdout;
    for name in ["points", "schedule-point", "no-schedule", "schema", "missing", "twice"] {
        let line = list.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        assert!(line.contains("contradicts itself"), "{line}");
    }
}

#[test]
fn a_damaged_label_is_reported_and_stays_with_its_record() {
    let sandbox = Sandbox::new();
    let record = sandbox.path("records/mine.json");
    fs::write(&record, written_record(&sandbox).to_string()).unwrap();
    let label = sandbox.path("records/mine.label.toml");
    let damaged = "tags = [\"sd-card\", \"fa";
    fs::write(&label, damaged).unwrap();
    let list = sandbox.run(["records", "list"]).exits_with(0).stdout;
    let line = list.lines().nth(1).unwrap_or_default();
    assert!(line.contains("mine.label.toml is no label: ") && line.contains("remove"), "{list}");
    let refused = sandbox.run(["records", "remove", "mine"]);
    refused.reports(1, &["mine.json was not removed", "mine.label.toml is no label"]);
    assert!(record.exists());
    assert_eq!(fs::read_to_string(&label).unwrap(), damaged);
    fs::write(&label, "note = \"fan on\"\n").unwrap();
    sandbox.run(["records", "remove", "mine"]).exits_with(0);
    assert_eq!((record.exists(), label.exists()), (false, false));
}

#[test]
fn a_plan_that_is_not_that_of_its_profile_is_not_resumed() {
    let sandbox = Sandbox::new();
    let mut record = written_record(&sandbox);
    for part in ["plan", "results"] {
        let points =
            if part == "plan" { &mut record["plan"]["points"] } else { &mut record["points"] };
        for point in points.as_array_mut().unwrap() {
            point["workload"]["messages"] = json!(u32::MAX);
        }
    }
    record["status"] = json!("partial");
    for point in record["points"].as_array_mut().unwrap() {
        point["repetitions"].as_array_mut().unwrap().pop();
        point["summary"] = Value::Null;
    }
    let file = sandbox.path("endless.json");
    fs::write(&file, record.to_string()).unwrap();
    let output = sandbox.run(["run", "-q", "--resume", file.to_str().unwrap()]);
    output.reports(
        1,
        &[
            "its plan is not that of its profile",
            "plan.points[0].workload.messages: 4294967295 in the record, 2 by its profile",
            "start a new run",
        ],
    );
}

/// Everything that is computed from a loaded record.
fn evaluate(record: &Record, path: &Path) {
    text::summary(record, path, true);
    csv::repetitions(record);
    let source = || SourceRecord { name: "it", record };
    let cells = ReportCells::from_sources(vec![source()], false);
    conclusions::draw_conclusions(&cells);
    findings::study_findings(&cells);
    Document::from_record("it", path, record);
    let side = || ComparisonSide { name: "it".into(), source: source(), backend: None };
    let _ = compare::compare(&side(), &side(), false, &[]);
}

/// The JSON pointer to the node of a tree that `choices` lead to.
fn find_node(value: &Value, choices: &[prop::sample::Index]) -> String {
    let (mut node, mut pointer) = (value, String::new());
    for choice in choices {
        let (key, next) = match node {
            Value::Object(map) if !map.is_empty() => {
                let (key, next) = map.iter().nth(choice.index(map.len())).unwrap();
                (key.replace('~', "~0").replace('/', "~1"), next)
            }
            Value::Array(list) if !list.is_empty() => {
                let place = choice.index(list.len());
                (place.to_string(), &list[place])
            }
            _ => break,
        };
        pointer = format!("{pointer}/{key}");
        node = next;
    }
    pointer
}

/// Damages a node in the way with the number `way`.
fn damage(node: &mut Value, way: usize) {
    const NUMBERS: [f64; 7] = [0.0, -1.0, 7.0, 4_294_967_295.0, 1e9, 1e19, 1.5];
    match node {
        Value::Array(list) if way.is_multiple_of(2) => drop(list.pop()),
        Value::Array(list) => list.extend(list.first().cloned()),
        Value::Object(map) if way.is_multiple_of(2) => {
            let key = map.keys().nth(way / 2 % map.len().max(1)).cloned();
            drop(key.map(|key| map.remove(&key)));
        }
        Value::Number(_) => {
            let number = NUMBERS[way % NUMBERS.len()];
            *node = if number.fract() == 0.0 && number >= 0.0 {
                json!(number as u64)
            } else {
                json!(number)
            };
        }
        Value::String(text) if way.is_multiple_of(3) => text.clear(),
        Value::String(text) => drop(text.pop()),
        other => *other = Value::Null,
    }
}

/// A record of two points, not damaged.
static INTACT: LazyLock<Value> = LazyLock::new(|| {
    let sweep = ["workload.users=[3, 5]", "run.repetitions=2"];
    let record = synthetic::record("first-look", &sweep, |_, index| {
        let verdict = if index == 1 { "suspect" } else { "valid" };
        let messages =
            SyntheticRepetition { messages: 60, seconds: 2, ..SyntheticRepetition::default() };
        Some(SyntheticRepetition { verdict, ..messages })
    });
    serde_json::to_value(&record).unwrap()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_damaged_record_is_refused_or_evaluated_without_a_panic(
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
        way in 0_usize..42,
    ) {
        let mut value = INTACT.clone();
        let pointer = find_node(&value, &choices);
        damage(value.pointer_mut(&pointer).unwrap(), way);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.json");
        fs::write(&path, value.to_string()).unwrap();
        let full = store::load(&path);
        let without_seconds = store::load_detail(&path, store::RecordDetail::WithoutSeconds);
        prop_assert_eq!(full.is_ok(), without_seconds.is_ok());
        for loaded in [full, without_seconds].into_iter().flatten() {
            let evaluated = panic::catch_unwind(|| evaluate(&loaded, &path));
            prop_assert!(evaluated.is_ok(), "{}", value);
            let measured = loaded.points.iter().flat_map(|point| &point.repetitions);
            prop_assert!(measured.filter(|r| r.verdict.status != Judgement::Failed).count() <= 4);
        }
    }
}
