//! `hubmark compare` on synthetic records with known differences.

use hubmark::record::Record;
use serde_json::Value;

use crate::support::{
    process::ProgramOutput,
    sandbox::Sandbox,
    synthetic::{SyntheticRepetition, jitter, record, save, study_like},
};

fn save_as(sandbox: &Sandbox, name: &str, record: &Record) -> String {
    let path = sandbox.path(name);
    save(record, &path);
    path.display().to_string()
}

/// Five repetitions of `first-look` with about this delivery latency in microseconds.
fn record_with_latency(delivery: f64) -> Record {
    record("first-look", &["run.repetitions=5"], |_, k| {
        Some(SyntheticRepetition {
            delivery: delivery * jitter(k),
            ..SyntheticRepetition::default()
        })
    })
}

fn compare(sandbox: &Sandbox, arguments: &[&str]) -> ProgramOutput {
    let mut all = vec!["compare"];
    all.extend(arguments);
    sandbox.run(all)
}

#[test]
fn equal_records_are_not_called_equal_and_differences_are_reported() {
    let sandbox = Sandbox::new();
    let a = save_as(&sandbox, "a.json", &record_with_latency(1_000.0));
    let same = compare(&sandbox, &[&a, &a]).exits_with(0);
    assert!(
        same.stdout.contains("not seen") && !same.stdout.contains("are equal"),
        "{}",
        same.stdout
    );
    assert!(same.stdout.contains("the same in everything"), "{}", same.stdout);

    let mut other = record_with_latency(1_300.0);
    other.provenance.hub.kernel = Some("6.6".into());
    other.plan.seed = 7;
    let b = save_as(&sandbox, "b.json", &other);
    let output = compare(&sandbox, &[&a, &b]).exits_with(0);
    let origin =
        output.stdout.find("hub.kernel: 6.1 → 6.6").unwrap_or_else(|| panic!("{}", output.stdout));
    assert!(output.stdout.contains("plan.seed"), "{}", output.stdout);
    let first = output.stdout.find("delivery.mean").unwrap();
    assert!(origin < first, "possible causes come first");
    let line = output.stdout.lines().find(|line| line.contains("delivery.mean")).unwrap();
    assert!(
        (line.contains("+30.") || line.contains("+29.9")) && line.ends_with("higher"),
        "{line}"
    );
    assert!(output.stdout.lines().all(|line| line.chars().count() <= 100), "{}", output.stdout);

    let json = compare(&sandbox, &[&a, &b, "--format", "json"]).exits_with(0);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let mean = &json["points"][0]["metrics"][0];
    assert_eq!(
        (mean["metric"].as_str(), mean["seen"].as_str()),
        (Some("delivery.mean"), Some("higher"))
    );
    assert!(mean["interval"][0].as_f64().unwrap() > 0.0);
    let csv = compare(&sandbox, &[&a, &b, "--format", "csv"]).exits_with(0);
    assert!(
        csv.stdout.lines().next().unwrap().starts_with("point,metric")
            && csv.stdout.lines().count() > 5
    );
}

#[test]
fn a_crossed_limit_ends_with_status_3() {
    let sandbox = Sandbox::new();
    let a = save_as(&sandbox, "a.json", &record_with_latency(1_000.0));
    let b = save_as(&sandbox, "b.json", &record_with_latency(1_300.0));
    let fails = |limits: &[&str], status: i32| {
        let mut arguments = vec![a.as_str(), b.as_str()];
        for limit in limits {
            arguments.extend(["--fail-if", limit]);
        }
        compare(&sandbox, &arguments).exits_with(status)
    };
    let output = fails(&["delivery.p99 > +10%"], 3);
    assert!(output.stdout.contains("CROSSED, with the whole interval"), "{}", output.stdout);
    fails(&["delivery.p99 > +50%"], 0);
    fails(&["lost > 0", "delivery.mean > +200 us surely"], 3);
    let output = fails(&["lost > 0", "throughput < -5%"], 1);
    assert!(
        output.stderr.contains("throughput < -5%") && output.stderr.contains("cannot be judged"),
        "{}",
        output.stderr
    );
    let output = fails(&["delivery.p98 > 1%"], 2);
    assert!(
        output.stderr.contains("delivery.p98") && output.stderr.contains("p999"),
        "{}",
        output.stderr
    );
    // In the other direction the latency falls.
    compare(&sandbox, &[&b, &a, "--fail-if", "delivery.p99 > +10%"]).exits_with(0);
}

#[test]
fn two_backends_of_one_record_are_compared() {
    let sandbox = Sandbox::new();
    let study = record("study-latency-users-quick", &[], |point, k| Some(study_like(point, k)));
    let path = save_as(&sandbox, "study.json", &study);
    let output = compare(&sandbox, &[&path, "--backend", "kafka,mariadb"]).exits_with(0);
    for point in ["100 users", "400 users", "1,000 users"] {
        assert!(output.stdout.contains(point), "{}", output.stdout);
    }
    assert!(
        output.stdout.contains("kafka in study") && output.stdout.contains("lower"),
        "{}",
        output.stdout
    );
    let output = compare(&sandbox, &[&path, "--backend", "kafka,postgres"]).exits_with(1);
    assert!(
        output.stderr.contains("postgres") && output.stderr.contains("mariadb"),
        "{}",
        output.stderr
    );
    compare(&sandbox, &[&path]).exits_with(2);
    compare(&sandbox, &[&path, "--backend", "kafka"]).exits_with(2);
}

#[test]
fn points_missing_on_one_side_are_named() {
    let sandbox = Sandbox::new();
    let of = |users: &str, profile: &str| {
        record(profile, &[users], |_, k| {
            Some(SyntheticRepetition {
                delivery: 900.0 * jitter(k),
                ..SyntheticRepetition::default()
            })
        })
    };
    let a = save_as(&sandbox, "a.json", &of("workload.users=100, 200", "first-look"));
    let b = save_as(&sandbox, "b.json", &of("workload.users=200, 300", "first-look"));
    let output = compare(&sandbox, &[&a, &b]).exits_with(0);
    assert!(
        output.stdout.contains("only in a: ") && output.stdout.contains("100 users"),
        "{}",
        output.stdout
    );
    assert!(
        output.stdout.contains("only in b: ") && output.stdout.contains("300 users"),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("different plans"), "{}", output.stdout);
    assert!(
        output.stdout.contains("no interval"),
        "one repetition gives no interval: {}",
        output.stdout
    );

    let c = save_as(&sandbox, "c.json", &of("workload.users=700", "first-look"));
    let output = compare(&sandbox, &[&a, &c]).exits_with(1);
    assert!(
        output.stderr.contains("nothing to compare") && output.stderr.contains("700 users"),
        "{}",
        output.stderr
    );
}

#[test]
fn percentiles_of_few_messages_are_merged_or_not_shown() {
    let sandbox = Sandbox::new();
    let few = |messages: u64, delivery: f64| {
        record("first-look", &["run.repetitions=4"], move |_, k| {
            Some(SyntheticRepetition {
                messages,
                delivery: delivery * jitter(k),
                ..SyntheticRepetition::default()
            })
        })
    };
    let a = save_as(&sandbox, "a.json", &few(300, 1_000.0));
    let b = save_as(&sandbox, "b.json", &few(300, 1_500.0));
    let limit = ["--fail-if", "delivery.p99 > +10%"];
    let output = compare(&sandbox, &[&[a.as_str(), b.as_str()], &limit[..]].concat()).exits_with(3);
    assert!(output.stdout.contains("all messages merged"), "{}", output.stdout);
    assert!(output.stdout.lines().all(|line| line.chars().count() <= 100), "{}", output.stdout);
    assert!(output.stdout.contains("CROSSED by the means"), "{}", output.stdout);
    let a = save_as(&sandbox, "a.json", &few(60, 1_000.0));
    let b = save_as(&sandbox, "b.json", &few(60, 1_500.0));
    let output = compare(&sandbox, &[&[a.as_str(), b.as_str()], &limit[..]].concat()).exits_with(1);
    assert!(output.stderr.contains("cannot be judged"), "{}", output.stderr);

    // No repetition on one side counts.
    let none = record("first-look", &[], |_, _| None);
    let none = save_as(&sandbox, "none.json", &none);
    let output = compare(&sandbox, &[&a, &none]).exits_with(0);
    assert!(output.stdout.contains("nothing was measured on both sides"), "{}", output.stdout);

    // All repetitions are suspect and excluded.
    let suspect = record("first-look", &["run.repetitions=4"], |_, _| {
        Some(SyntheticRepetition { verdict: "suspect", ..SyntheticRepetition::default() })
    });
    let suspect = save_as(&sandbox, "suspect.json", &suspect);
    compare(&sandbox, &[&suspect, &suspect]).exits_with(0);
    let output = compare(&sandbox, &[&suspect, &suspect, "--exclude-suspect"]).exits_with(0);
    assert!(output.stdout.contains("nothing was measured on both sides"), "{}", output.stdout);
    let judged = [&suspect, &suspect, "--exclude-suspect", "--fail-if", "lost > 0"];
    compare(&sandbox, &judged).exits_with(1);
}

/// Sets the terminal's title, clears the screen, reverses the order of writing.
const HOSTILE: &str = "x\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}1m\u{202e}y";

#[test]
fn text_in_a_record_never_commands_the_terminal() {
    let sandbox = Sandbox::new();
    let mut hostile = record_with_latency(1_000.0);
    hostile.plan.profile = HOSTILE.into();
    hostile.provenance.hub.kernel = Some(HOSTILE.into());
    let path = save_as(&sandbox, "a.json", &hostile);
    let plain = save_as(&sandbox, "b.json", &record_with_latency(1_000.0));
    for arguments in [
        vec!["records", "show", &path],
        vec!["compare", &plain, &path],
        vec!["run", "--resume", &path],
        vec!["records", "list", &path],
    ] {
        let output = sandbox.run(arguments.iter().copied());
        for text in [&output.stdout, &output.stderr] {
            let found =
                text.chars().find(|c| matches!(c, '\u{1b}' | '\u{7}' | '\u{9b}' | '\u{202e}'));
            assert_eq!(found, None, "{arguments:?}: {text:?}");
        }
    }
    let shown = sandbox.run(["records", "show", &path]).exits_with(0);
    assert!(shown.stdout.contains(r"\u001b]0;owned\u0007"), "{}", shown.stdout);
}
