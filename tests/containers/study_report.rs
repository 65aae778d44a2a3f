//! A study profile on real servers, and its report: every figure by users, the page, the findings and a
//! comparison of the two backends.
use std::fs;

use crate::support::{process::ProgramOutput, sandbox::Sandbox};

/// Overrides that shorten the study of latency by users to a minute.
const ONE_MINUTE: &[&str] = &[
    "workload.users=[5, 20]",
    "workload.messages=4",
    "workload.arrival={ distribution = \"normal\", mean = \"500 ms\", deviation = \"125 ms\" }",
    "run.repetitions=2",
    "run.baseline=\"3 s\"",
];

#[test]
#[ignore = "needs a Docker engine"]
fn a_study_on_real_servers_gives_figures_and_findings() {
    let sandbox = Sandbox::with_engine();
    ProgramOutput::of(&mut sandbox.run_command("study-latency-users-quick", &[ONE_MINUTE], &[]))
        .exits_with(0);
    let record = sandbox.out_path().display().to_string();
    let out = sandbox.path("out");
    sandbox.run(["report", &record, "--out", out.to_str().unwrap()]).exits_with(0);
    for figure in ["figure-11", "figure-12", "figure-13", "figure-14", "spectrum", "corrected"] {
        let numbers = fs::read_to_string(out.join(format!("{figure}.csv"))).unwrap();
        assert!(numbers.contains("kafka 2.8.0") && numbers.contains("mariadb"), "{figure}");
        assert!(out.join(format!("{figure}.svg")).exists(), "{figure}");
    }
    let figure = fs::read_to_string(out.join("figure-11.csv")).unwrap();
    assert_eq!(figure.lines().count(), 1 + 4, "two backends at two numbers of users: {figure}");
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("mean delivery latency at 20 users") && page.contains("not decidable"));

    let output = sandbox.run(["compare", &record, "--backend", "kafka,mariadb"]).exits_with(0);
    assert!(
        output.stdout.contains("5 users") && output.stdout.contains("delivery.mean"),
        "{}",
        output.stdout
    );
    // No backend is a hundred thousand times slower than the other; both take more than no time.
    let compare = ["compare", &record, "--backend", "kafka,mariadb", "--fail-if"];
    sandbox.run([&compare[..], &["delivery.p50 > +10000000%"]].concat()).exits_with(0);
    sandbox.run([&compare[..], &["delivery.p50 > -99.99%"]].concat()).exits_with(3);
}
