//! `hubmark compare`: two sides whose differences are known.

use hubmark::record::Record;
use serde_json::Value;

use crate::common::{Home, Said};
use crate::synthetic::{Made, as_the_study, jitter, record, save};

fn keep(home: &Home, name: &str, record: &Record) -> String {
    let path = home.path(name);
    save(record, &path);
    path.display().to_string()
}

/// Five repetitions of a first look at about this latency.
fn look(delivery: f64) -> Record {
    record("first-look", &["run.repetitions=5"], |_, k| {
        Some(Made { delivery: delivery * jitter(k), ..Made::default() })
    })
}

fn compare(home: &Home, arguments: &[&str]) -> Said {
    let mut all = vec!["compare"];
    all.extend(arguments);
    home.hubmark(all)
}

#[test]
fn what_is_the_same_is_not_called_equal_and_what_differs_is_seen() {
    let home = Home::new();
    let a = keep(&home, "a.json", &look(1_000.0));
    let same = compare(&home, &[&a, &a]).ends(0);
    assert!(same.out.contains("not seen") && !same.out.contains("are equal"), "{}", same.out);
    assert!(same.out.contains("the same in everything"), "{}", same.out);

    let mut other = look(1_300.0);
    other.provenance.hub.kernel = Some("6.6".into());
    other.plan.seed = 7;
    let b = keep(&home, "b.json", &other);
    let said = compare(&home, &[&a, &b]).ends(0);
    let origin = said.out.find("hub.kernel: 6.1 → 6.6").unwrap_or_else(|| panic!("{}", said.out));
    assert!(said.out.contains("plan.seed"), "{}", said.out);
    let first = said.out.find("delivery.mean").unwrap();
    assert!(origin < first, "what may be the cause comes first");
    let line = said.out.lines().find(|line| line.contains("delivery.mean")).unwrap();
    assert!(
        (line.contains("+30.") || line.contains("+29.9")) && line.ends_with("higher"),
        "{line}"
    );
    assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{}", said.out);

    let json = compare(&home, &[&a, &b, "--format", "json"]).ends(0);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let mean = &json["points"][0]["metrics"][0];
    assert_eq!(
        (mean["metric"].as_str(), mean["seen"].as_str()),
        (Some("delivery.mean"), Some("higher"))
    );
    assert!(mean["interval"][0].as_f64().unwrap() > 0.0);
    let csv = compare(&home, &[&a, &b, "--format", "csv"]).ends(0);
    assert!(
        csv.out.lines().next().unwrap().starts_with("point,metric") && csv.out.lines().count() > 5
    );
}

#[test]
fn a_limit_that_is_crossed_ends_with_three() {
    let home = Home::new();
    let a = keep(&home, "a.json", &look(1_000.0));
    let b = keep(&home, "b.json", &look(1_300.0));
    let fails = |limits: &[&str], status: i32| {
        let mut arguments = vec![a.as_str(), b.as_str()];
        for limit in limits {
            arguments.extend(["--fail-if", limit]);
        }
        compare(&home, &arguments).ends(status)
    };
    let said = fails(&["delivery.p99 > +10%"], 3);
    assert!(said.out.contains("CROSSED, with the whole interval"), "{}", said.out);
    fails(&["delivery.p99 > +50%"], 0);
    fails(&["lost > 0", "delivery.mean > +200 us surely"], 3);
    let said = fails(&["lost > 0", "throughput < -5%"], 1);
    assert!(
        said.err.contains("throughput < -5%") && said.err.contains("cannot be judged"),
        "{}",
        said.err
    );
    let said = fails(&["delivery.p98 > 1%"], 2);
    assert!(said.err.contains("delivery.p98") && said.err.contains("p999"), "{}", said.err);
    // The other way round it became quicker.
    compare(&home, &[&b, &a, "--fail-if", "delivery.p99 > +10%"]).ends(0);
}

#[test]
fn two_backends_of_one_record_are_two_sides() {
    let home = Home::new();
    let made = record("study-latency-users-quick", &[], |point, k| Some(as_the_study(point, k)));
    let path = keep(&home, "study.json", &made);
    let said = compare(&home, &[&path, "--backend", "kafka,mariadb"]).ends(0);
    for point in ["100 users", "400 users", "1,000 users"] {
        assert!(said.out.contains(point), "{}", said.out);
    }
    assert!(said.out.contains("kafka in study") && said.out.contains("lower"), "{}", said.out);
    let said = compare(&home, &[&path, "--backend", "kafka,postgres"]).ends(1);
    assert!(said.err.contains("postgres") && said.err.contains("mariadb"), "{}", said.err);
    compare(&home, &[&path]).ends(2);
    compare(&home, &[&path, "--backend", "kafka"]).ends(2);
}

#[test]
fn points_that_one_side_lacks_are_named() {
    let home = Home::new();
    let of = |users: &str, profile: &str| {
        record(profile, &[users], |_, k| {
            Some(Made { delivery: 900.0 * jitter(k), ..Made::default() })
        })
    };
    let a = keep(&home, "a.json", &of("workload.users=100, 200", "first-look"));
    let b = keep(&home, "b.json", &of("workload.users=200, 300", "first-look"));
    let said = compare(&home, &[&a, &b]).ends(0);
    assert!(said.out.contains("only in a: ") && said.out.contains("100 users"), "{}", said.out);
    assert!(said.out.contains("only in b: ") && said.out.contains("300 users"), "{}", said.out);
    assert!(said.out.contains("different plans"), "{}", said.out);
    assert!(said.out.contains("no interval"), "one repetition carries none: {}", said.out);

    let c = keep(&home, "c.json", &of("workload.users=700", "first-look"));
    let said = compare(&home, &[&a, &c]).ends(1);
    assert!(
        said.err.contains("nothing to compare") && said.err.contains("700 users"),
        "{}",
        said.err
    );
}

#[test]
fn what_single_repetitions_cannot_carry_is_merged_or_not_shown() {
    let home = Home::new();
    let few = |messages: u64, delivery: f64| {
        record("first-look", &["run.repetitions=4"], move |_, k| {
            Some(Made { messages, delivery: delivery * jitter(k), ..Made::default() })
        })
    };
    let a = keep(&home, "a.json", &few(300, 1_000.0));
    let b = keep(&home, "b.json", &few(300, 1_500.0));
    let limit = ["--fail-if", "delivery.p99 > +10%"];
    let said = compare(&home, &[&[a.as_str(), b.as_str()], &limit[..]].concat()).ends(3);
    assert!(said.out.contains("all messages merged"), "{}", said.out);
    assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{}", said.out);
    assert!(said.out.contains("CROSSED by the means"), "{}", said.out);
    let a = keep(&home, "a.json", &few(60, 1_000.0));
    let b = keep(&home, "b.json", &few(60, 1_500.0));
    let said = compare(&home, &[&[a.as_str(), b.as_str()], &limit[..]].concat()).ends(1);
    assert!(said.err.contains("cannot be judged"), "{}", said.err);

    // Nothing on one side counts.
    let none = record("first-look", &[], |_, _| None);
    let none = keep(&home, "none.json", &none);
    let said = compare(&home, &[&a, &none]).ends(0);
    assert!(said.out.contains("nothing was measured on both sides"), "{}", said.out);

    // Nor does anything when all are suspect and the reader leaves those out.
    let doubted = record("first-look", &["run.repetitions=4"], |_, _| {
        Some(Made { verdict: "suspect", ..Made::default() })
    });
    let doubted = keep(&home, "doubted.json", &doubted);
    compare(&home, &[&doubted, &doubted]).ends(0);
    let said = compare(&home, &[&doubted, &doubted, "--exclude-suspect"]).ends(0);
    assert!(said.out.contains("nothing was measured on both sides"), "{}", said.out);
    let judged = [&doubted, &doubted, "--exclude-suspect", "--fail-if", "lost > 0"];
    compare(&home, &judged).ends(1);
}
