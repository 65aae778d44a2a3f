//! What a new operator meets: the tour, and backends in the place of profiles.

use std::fs;

use crate::support::{sandbox::Sandbox, terminal::Terminal};

/// Messages of each user of the saved profile.
const FEW: u32 = 3;

#[test]
fn the_tour_is_shown_at_the_first_start_only() {
    let sandbox = Sandbox::with_profile(FEW);
    fs::remove_file(sandbox.path("state/tour-shown")).unwrap();
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    terminal.wait_for("1 of 3: set up a run");
    terminal.press("\r");
    terminal.wait_until("the step is closed", |frame| !frame.contains("1 of 3"));
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
    let mut terminal = Terminal::screen(&sandbox, 80, 24);
    assert!(!terminal.has_shown("1 of 3"));
    terminal.press("q");
    assert_eq!(terminal.wait_for_exit(), 0);
    assert!(sandbox.record_files().is_empty(), "no key of the tour starts a run");
}

#[test]
fn a_backend_is_checked_in_the_place_of_a_profile() {
    let sandbox = Sandbox::new();
    let planned =
        sandbox.run(["run", "kafka:4.4.0", "--dry-run", "--set", "workload.users=7"]).exits_with(0);
    assert!(planned.stdout.contains("kafka 4.4.0") && planned.stdout.contains('7'), "{planned:?}");
    let built = sandbox.run(["images", "build", "builtin", "--set", "run.seed=5"]).exits_with(0);
    assert!(built.stdout.contains("needs no images"), "{built:?}");
    let wrong = sandbox.run(["images", "build", "builtin", "--set", "run.sed=5"]).exits_with(2);
    assert!(wrong.stderr.contains("run.sed"), "{wrong:?}");
}

#[test]
fn resources_of_a_throughput_run_name_the_scenario() {
    let sandbox = Sandbox::new();
    let sets = ["workload.volume=60 MB", "run.repetitions=1", "run.baseline=0 s"];
    let mut arguments = vec![
        "run",
        "study-throughput-quick",
        "--set",
        "backend=builtin",
        "--hub",
        "local",
        "--quiet",
    ];
    for set in sets {
        arguments.extend(["--set", set]);
    }
    let shown = sandbox.run(arguments);
    let resources: Vec<&str> =
        shown.stdout.lines().skip_while(|line| !line.starts_with("resources over")).collect();
    assert!(resources[1].contains("scenario"), "{shown:?}");
    // Servers whose load is too short for a sample have no row.
    let rows: Vec<_> = resources.iter().filter(|line| line.starts_with("builtin")).collect();
    let is_named =
        |line: &&&str| ["producer", "consumer", "both"].iter().any(|name| line.contains(name));
    assert!(!rows.is_empty() && rows.iter().all(is_named), "{shown:?}");
    assert!(resources.iter().all(|line| line.chars().count() <= 100), "{shown:?}");
}
