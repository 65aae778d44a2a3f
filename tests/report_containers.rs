//! From the study's own profile on real servers to the report: every figure by users, the page, the
//! findings and a comparison of the two backends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod common;

use std::fs;

use common::{Home, Said};

/// The study's latency by users in a minute.
const TINY: &[&str] = &[
    "workload.users=[5, 20]",
    "workload.messages=4",
    "workload.arrival={ distribution = \"normal\", mean = \"500 ms\", deviation = \"125 ms\" }",
    "run.repetitions=2",
    "run.baseline=\"3 s\"",
];

#[test]
#[ignore = "needs a Docker engine"]
fn the_study_on_real_servers_becomes_figures_and_findings() {
    let home = Home::new();
    Said::from(home.run("study-latency-users-quick", &[TINY], &[]).output().unwrap()).ends(0);
    let record = home.record_path().display().to_string();
    let out = home.path("out");
    home.hubmark(["report", &record, "--out", out.to_str().unwrap()]).ends(0);
    for figure in ["figure-11", "figure-12", "figure-13", "figure-14", "spectrum", "corrected"] {
        let numbers = fs::read_to_string(out.join(format!("{figure}.csv"))).unwrap();
        assert!(numbers.contains("kafka 2.8.0") && numbers.contains("mariadb"), "{figure}");
        assert!(out.join(format!("{figure}.svg")).exists(), "{figure}");
    }
    let figure = fs::read_to_string(out.join("figure-11.csv")).unwrap();
    assert_eq!(figure.lines().count(), 1 + 4, "two backends at two numbers of users: {figure}");
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("mean delivery latency at 20 users") && page.contains("not decidable"));

    let said = home.hubmark(["compare", &record, "--backend", "kafka,mariadb"]).ends(0);
    assert!(said.out.contains("5 users") && said.out.contains("delivery.mean"), "{}", said.out);
    // No server is a hundred thousand times slower than the other; both are slower than nothing.
    let never = ["compare", &record, "--backend", "kafka,mariadb", "--fail-if"];
    home.hubmark([&never[..], &["delivery.p50 > +10000000%"]].concat()).ends(0);
    home.hubmark([&never[..], &["delivery.p50 > -99.99%"]].concat()).ends(3);
}
