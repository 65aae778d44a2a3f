//! Failed tries that were repeated: a mean says of how many tries it is.

use std::fs;

use hubmark::record::{Record, summary::summarise};

use crate::support::{
    sandbox::Sandbox,
    synthetic::{SyntheticRepetition, record, save},
};

/// Three repetitions of one point, the second of which failed once before.
fn record_with_failed_try() -> Record {
    let mut record = record("first-look", &["run.repetitions=3"], |_, k| {
        let verdict = if k == 1 { "failed" } else { "valid" };
        Some(SyntheticRepetition { verdict, ..SyntheticRepetition::default() })
    });
    let point = &mut record.points[0];
    let mut good = point.repetitions[0].clone();
    (good.index, good.order, good.attempt) = (1, 1, 2);
    let mut tried = std::mem::replace(&mut point.repetitions[1], good);
    tried.verdict.reasons[0].code = "error".into();
    tried.verdict.reasons[0].text = "server broker ended by itself or was killed".into();
    point.failed_tries.push(tried);
    point.summary = summarise(&point.repetitions);
    record
}

#[test]
fn means_say_of_how_many_tries_they_are() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("record.json");
    save(&record_with_failed_try(), &path);
    let path = path.to_str().unwrap();
    let text = sandbox.run(["records", "show", path]).exits_with(0).stdout;
    for part in [
        "mean: of 3 repetitions",
        "3 of 4 tries",
        "failed and tried again: builtin, 100 users, repetition 2, try 1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");

    let out = sandbox.path("out").display().to_string();
    sandbox.run(["report", "--out", &out, path]).exits_with(0);
    let page = fs::read_to_string(sandbox.path("out").join("index.html")).unwrap();
    let tries = page.find("id=\"failed-tries\"").expect("the page shows failed tries");
    assert!(page[tries..].contains("server broker ended by itself or was killed"));
    for part in ["<td class=\"n\">3 of 4 tries</td>", "1 more try failed and had to be repeated"] {
        assert!(page.contains(part), "{part}");
    }
    let rows = fs::read_to_string(sandbox.path("out").join("repetitions.csv")).unwrap();
    let lines: Vec<Vec<_>> = rows.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| lines[0].iter().position(|head| *head == name).unwrap();
    let (verdict, attempt) = (column("verdict"), column("attempt"));
    let tries: Vec<_> = lines[1..].iter().map(|row| (row[verdict], row[attempt])).collect();
    assert_eq!(tries, [("valid", "1"), ("valid", "2"), ("valid", "1"), ("failed", "1")]);
}
