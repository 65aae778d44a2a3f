//! Sweeps and searches that survive: killed again and again and gone on with, they end as those
//! that were never interrupted. On the built-in broker.

use std::{fs, path::Path, thread::sleep, time::Duration};

use hubmark::record::{Record, Repetition, Status, capacity::Stage, store};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support_faults::{Bench, Going, finished, program, until};

/// Two points, six times each, of a fraction of a second.
const SWEEP: &[&str] = &[
    "workload.users=[3, 5]",
    "workload.messages=3",
    "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
    "run.baseline=\"0 s\"",
    "run.repetitions=6",
];

/// A search that every number of users passes.
const SEARCH: &[&str] = &[
    "workload.kind=\"capacity\"",
    "workload.users=[2, 4, 8]",
    "workload.objectives={ lost = 0 }",
    "workload.messages=3",
    "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
    "workload.warmup=\"0 s\"",
    "run.baseline=\"0 s\"",
];

fn run(bench: &Bench, place: &str, file: &Path, sets: &[&str]) -> Going {
    let mut command = bench.command(program());
    command.args(["run", "first-look", place]).arg(file);
    command.args(sets.iter().flat_map(|set| ["--set", set]));
    bench.going(command)
}

/// Goes on with a record, whose own plan is all that is needed.
fn resumed(bench: &Bench, file: &Path) -> Going {
    let mut command = bench.command(program());
    command.args(["run", "--resume"]).arg(file);
    bench.going(command)
}

/// Every repetition's place in the run, and what it was asked to send.
fn course(record: &Record) -> Vec<(u32, usize, u32, u64)> {
    let mut course: Vec<_> = record
        .points
        .iter()
        .enumerate()
        .flat_map(|(point, result)| {
            let place = move |r: &Repetition| (r.order, point, r.index, r.ledger.planned);
            result.repetitions.iter().map(place)
        })
        .collect();
    course.sort_unstable();
    course
}

/// Kills a run a few times, each time a little later after a repetition was finished, and goes on
/// with it. Returns the record at its end.
fn killed_again_and_again(bench: &Bench, file: &Path, sets: &[&str]) -> Record {
    let mut going = run(bench, "--out", file, sets);
    let mut kept: Vec<Repetition> = Vec::new();
    for round in 1..=3 {
        let more = |kept: &[Repetition]| {
            store::load(file).is_ok_and(|record| finished(&record).len() > kept.len())
        };
        until("another repetition is finished", || more(&kept));
        sleep(Duration::from_millis(round * 70));
        going.kill();
        let record = store::load(file).unwrap();
        assert!(record.resumed.len() < round as usize, "{:?}", record.resumed);
        for repetition in &kept {
            assert!(finished(&record).contains(&repetition), "lost: {}", repetition.order);
        }
        kept = finished(&record).into_iter().cloned().collect();
        going = resumed(bench, file);
    }
    let answer = going.end();
    answer.says(0, &["repetitions are already in it"]);
    let record = store::load(file).unwrap();
    for repetition in &kept {
        assert!(finished(&record).contains(&repetition), "lost: {}", repetition.order);
    }
    assert_eq!((record.status, record.resumed.len()), (Status::Complete, 3));
    record
}

#[test]
fn a_sweep_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let bench = Bench::new();
    let (whole_file, killed_file) = (bench.path("whole.json"), bench.path("killed.json"));
    run(&bench, "--out", &whole_file, SWEEP).end().says(0, &["left"]);
    let killed = killed_again_and_again(&bench, &killed_file, SWEEP);
    let whole = store::load(&whole_file).unwrap();
    assert_eq!((&whole.plan, whole.status), (&killed.plan, Status::Complete));
    assert_eq!(course(&whole), course(&killed), "the same repetitions in the same places");
    let steps: Vec<_> =
        course(&killed).into_iter().map(|(_, point, index, _)| (point, index)).collect();
    let planned: Vec<_> =
        killed.plan.schedule.iter().map(|step| (step.point, step.repetition)).collect();
    assert_eq!(steps, planned);
    // And the same figures: of the same repetitions, at the same places.
    let marks = |file: &Path, folder: &str| -> Vec<String> {
        let out = bench.path(folder);
        let mut command = bench.command(program());
        command.arg("report").arg(file).arg("--out").arg(&out);
        bench.going(command).end().says(0, &[]);
        let mut figures: Vec<_> = fs::read_dir(&out).unwrap().map(|e| e.unwrap().path()).collect();
        figures.retain(|path| path.extension().is_some_and(|end| end == "svg"));
        figures.sort();
        let numbers = fs::read_to_string(out.join("figure-11.csv")).unwrap();
        // Panel, series, axis, x, its label, axis; y and what follows was measured anew; n.
        let place = |line: &str| {
            let fields: Vec<_> = line.split(',').collect();
            format!("{} n {}", fields[..6].join(","), fields[11])
        };
        let names = figures.iter().map(|path| path.file_name().unwrap().display().to_string());
        names.chain(numbers.lines().map(place)).collect()
    };
    let (first, second) = (marks(&whole_file, "one"), marks(&killed_file, "two"));
    assert!(first.iter().any(|line| line.ends_with("n 6")), "{first:?}");
    assert_eq!(first, second);
}

#[test]
fn a_search_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let bench = Bench::new();
    let (whole, killed) = (bench.path("whole.json"), bench.path("killed.json"));
    let answer = run(&bench, "--out", &whole, SEARCH).end();
    answer.says(0, &["growth, next 2 users", "proof, next 8 users"]);
    let said = "at least 8 users (95 %): no more were tried";
    assert!(answer.stdout.contains(said), "{}", answer.stdout);
    let killed = killed_again_and_again(&bench, &killed, SEARCH);
    let whole = store::load(&whole).unwrap();
    // Growth to the largest number of users, and seven repetitions that prove it.
    assert_eq!(course(&whole).len(), 3 + 7);
    assert_eq!(course(&whole), course(&killed));
    assert_eq!(whole.capacity, killed.capacity);
    let capacity = &killed.capacity[0];
    assert_eq!((capacity.stage, capacity.lower, capacity.upper), (Stage::Done, Some(8), None));
    assert_eq!(capacity.about_hub, None, "nothing was missed");
}

#[test]
fn a_search_in_which_no_number_of_users_is_carried_says_so() {
    let bench = Bench::new();
    let file = bench.path("none.json");
    let sets = [SEARCH, &["workload.objectives={ \"delivery.max\" = \"1 us\" }"]].concat();
    let answer = run(&bench, "--out", &file, &sets).end();
    answer.says(0, &[]);
    let said = "fewer than 2 users (95 %): no fewer were tried";
    assert!(answer.stdout.contains(said), "{}", answer.stdout);
    assert!(answer.stdout.contains("limited by:"), "{}", answer.stdout);
    let record = store::load(&file).unwrap();
    let capacity = &record.capacity[0];
    assert_eq!((capacity.lower, capacity.upper, capacity.stage), (None, Some(2), Stage::Done));
    assert!(capacity.about_hub.is_some());
    let missed = &record.points[0].repetitions[0].missed;
    assert!(missed[0].starts_with("delivery.max is"), "{missed:?}");
}

#[test]
fn a_repetition_that_failed_is_tried_again_and_every_try_is_kept() {
    let bench = Bench::new();
    let file = bench.path("tried.json");
    let sets = [
        "workload.users=5",
        "workload.messages=400",
        "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
        "run.baseline=\"0 s\"",
    ];
    let mut run = run(&bench, "--out", &file, &sets);
    run.until_load();
    kill(Pid::from_raw(bench.server()), Signal::SIGKILL).unwrap();
    let answer = run.end();
    answer.says(0, &["it is tried again", "try 2", "1 retried"]);
    assert!(answer.stdout.contains("failed and tried again"), "{}", answer.stdout);
    let record = store::load(&file).unwrap();
    let point = &record.points[0];
    assert_eq!((record.status, point.repetitions.len()), (Status::Complete, 1));
    assert_eq!((point.repetitions[0].attempt, point.failed_tries[0].attempt), (2, 1));
    let failed = &point.failed_tries[0];
    assert!(!failed.measured() && failed.ledger.sent > 0, "what was measured is kept");
    assert!(failed.verdict.reasons[0].text.contains("server broker"), "{:?}", failed.verdict);
    assert_eq!(point.summary.as_ref().map(|summary| summary.repetitions), Some(1));
}
