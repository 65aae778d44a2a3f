//! Sweeps and searches on the built-in broker that are killed and resumed several times: they end like
//! those that were never interrupted.

use std::{fs, os::unix::fs::MetadataExt, path::Path, thread::sleep, time::Duration};

use hubmark::record::{Record, RecordStatus, Repetition, capacity::SearchPhase, store};
use nix::sys::signal::Signal;

use crate::support::{
    process::{RunningProgram, send_signal},
    records::{finished, schema_violations},
    sandbox::{Sandbox, set_arguments},
    wait::until,
};

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

/// Starts a run that saves its record in `file`.
fn start_run_to(sandbox: &Sandbox, file: &Path, sets: &[&str]) -> RunningProgram {
    let mut command = sandbox.command(["run", "first-look", "--out"]);
    command.arg(file);
    command.args(set_arguments(sets));
    sandbox.start(command)
}

/// Resumes a record with the plan that it contains.
fn resume(sandbox: &Sandbox, file: &Path) -> RunningProgram {
    let mut command = sandbox.command(["run", "--resume"]);
    command.arg(file);
    sandbox.start(command)
}

/// Order, point, index and planned messages of every repetition, in order.
fn executed_steps(record: &Record) -> Vec<(u32, usize, u32, u64)> {
    let mut steps: Vec<_> = record
        .points
        .iter()
        .enumerate()
        .flat_map(|(point, result)| {
            let step = move |r: &Repetition| (r.order, point, r.index, r.ledger.planned);
            result.repetitions.iter().map(step)
        })
        .collect();
    steps.sort_unstable();
    steps
}

/// Kills and resumes a run three times, each time a little later after a repetition has finished;
/// returns the final record.
fn kill_and_resume(sandbox: &Sandbox, file: &Path, sets: &[&str]) -> Record {
    let mut running = start_run_to(sandbox, file, sets);
    let mut saved: Vec<Repetition> = Vec::new();
    for round in 1..=3 {
        let more = |saved: &[Repetition]| {
            store::load(file).is_ok_and(|record| finished(&record).len() > saved.len())
        };
        until("another repetition is finished", || more(&saved));
        sleep(Duration::from_millis(round * 70));
        running.kill();
        let record = store::load(file).unwrap();
        assert!(record.resumed.len() < round as usize, "{:?}", record.resumed);
        for repetition in &saved {
            assert!(finished(&record).contains(&repetition), "lost: {}", repetition.order);
        }
        saved = finished(&record).into_iter().cloned().collect();
        running = resume(sandbox, file);
    }
    let output = running.wait();
    output.reports(0, &["repetitions are already in the record"]);
    let record = store::load(file).unwrap();
    for repetition in &saved {
        assert!(finished(&record).contains(&repetition), "lost: {}", repetition.order);
    }
    assert_eq!((record.status, record.resumed.len()), (RecordStatus::Complete, 3));
    record
}

#[test]
fn a_sweep_killed_several_times_ends_like_an_uninterrupted_one() {
    let sandbox = Sandbox::new();
    let (whole_file, killed_file) = (sandbox.path("whole.json"), sandbox.path("killed.json"));
    let uninterrupted = start_run_to(&sandbox, &whole_file, SWEEP);
    let killed = kill_and_resume(&sandbox, &killed_file, SWEEP);
    uninterrupted.wait().reports(0, &["left"]);
    let whole = store::load(&whole_file).unwrap();
    assert_eq!((&whole.plan, whole.status), (&killed.plan, RecordStatus::Complete));
    assert_eq!(
        executed_steps(&whole),
        executed_steps(&killed),
        "the same repetitions in the same order"
    );
    let steps: Vec<_> =
        executed_steps(&killed).into_iter().map(|(_, point, index, _)| (point, index)).collect();
    let planned: Vec<_> =
        killed.plan.schedule.iter().map(|step| (step.point, step.repetition)).collect();
    assert_eq!(steps, planned);
    // The figures show the same repetitions at the same positions.
    let figure_points = |file: &Path, folder: &str| -> Vec<String> {
        let out = sandbox.path(folder);
        let mut command = sandbox.program();
        command.arg("report").arg(file).arg("--out").arg(&out);
        sandbox.start(command).wait().reports(0, &[]);
        let mut figures: Vec<_> = fs::read_dir(&out).unwrap().map(|e| e.unwrap().path()).collect();
        figures.retain(|path| path.extension().is_some_and(|end| end == "svg"));
        // Drawn only where a repetition of half a second was sampled at all, which is measured anew.
        figures.retain(|path| !path.ends_with("resources.svg"));
        figures.sort();
        let numbers = fs::read_to_string(out.join("figure-11.csv")).unwrap();
        // Panel, series, axis, x, its label, axis; y and its statistics were measured anew; n.
        let position = |line: &str| {
            let fields: Vec<_> = line.split(',').collect();
            format!("{} n {}", fields[..6].join(","), fields[11])
        };
        let names = figures.iter().map(|path| path.file_name().unwrap().display().to_string());
        names.chain(numbers.lines().map(position)).collect()
    };
    let (first, second) = (figure_points(&whole_file, "one"), figure_points(&killed_file, "two"));
    assert!(first.iter().any(|line| line.ends_with("n 6")), "{first:?}");
    assert_eq!(first, second);
}

#[test]
fn a_run_appends_to_its_record_which_every_command_can_read_meanwhile() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("records")).unwrap();
    let file = sandbox.path("records/sweep.json");
    let sets = [SWEEP, &["run.repetitions=500"]].concat();
    let run = start_run_to(&sandbox, &file, &sets);
    let saved = || store::load(&file).map_or(0, |record| finished(&record).len());
    let inode = || fs::metadata(&file).unwrap().ino();
    until("a repetition is saved", || saved() >= 1);
    let (first_inode, first_text) = (inode(), fs::read(&file).unwrap());
    until("more repetitions are saved", || saved() >= 4);
    let text = fs::read(&file).unwrap();
    assert_eq!(inode(), first_inode, "the record is not written anew");
    let unchanged = first_text.len() - 4;
    assert!(text[..unchanged] == first_text[..unchanged], "what was saved before is unchanged");
    let list = sandbox.run(["records", "list"]).exits_with(0).stdout;
    assert!(list.starts_with("sweep ") && list.contains("partial"), "{list}");
    let shown = sandbox.run(["records", "show", "sweep"]).exits_with(0).stdout;
    assert!(shown.contains("PARTIAL") && shown.contains("of 1,000 repetitions"), "{shown}");
    // Reading may meet a save in progress.
    let document = || serde_json::from_slice::<serde_json::Value>(&fs::read(&file).unwrap());
    until("the file is one JSON document", || document().is_ok());
    until("it has the published schema", || {
        document().is_ok_and(|value| schema_violations(&value).is_empty())
    });
    run.signal(Signal::SIGINT);
    run.wait().reports(130, &[]);
    let whole: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(whole.get("journal"), None, "a record whose run has ended is whole");
    assert!(saved() >= 4);
}

#[test]
fn a_stopped_run_can_be_read_as_soon_as_it_is_resumed() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("stopped.json");
    let sets = [SWEEP, &["workload.messages=500", "run.repetitions=2"]].concat();
    let mut run = start_run_to(&sandbox, &file, &sets);
    run.wait_for_load();
    run.signal(Signal::SIGINT);
    run.wait().reports(130, &[]);
    let stopped = store::load(&file).unwrap();
    let first = stopped.points.iter().flat_map(|point| &point.repetitions).count();
    assert_eq!((first, finished(&stopped).len()), (1, 0), "the stopped repetition is recorded");
    let mut run = resume(&sandbox, &file);
    run.wait_for_load();
    run.kill();
    let resumed = store::load(&file).unwrap();
    assert_eq!(resumed.resumed.len(), 1);
    assert_eq!(resumed.points.iter().map(|point| point.failed_tries.len()).sum::<usize>(), 1);
}

#[test]
fn a_search_killed_several_times_ends_like_an_uninterrupted_one() {
    let sandbox = Sandbox::new();
    let (whole, killed) = (sandbox.path("whole.json"), sandbox.path("killed.json"));
    let uninterrupted = start_run_to(&sandbox, &whole, SEARCH);
    let killed = kill_and_resume(&sandbox, &killed, SEARCH);
    let output = uninterrupted.wait();
    output.reports(0, &["growth, next 2 users", "proof, next 8 users"]);
    let expected = "at least 8 users (95 %): no more were tried";
    assert!(output.stdout.contains(expected), "{}", output.stdout);
    let whole = store::load(&whole).unwrap();
    // Growth to the largest number of users, and seven repetitions that prove it.
    assert_eq!(executed_steps(&whole).len(), 3 + 7);
    assert_eq!(executed_steps(&whole), executed_steps(&killed));
    // How busy the machine was differs between the two.
    let undisturbed = |record: &Record| {
        let mut searches = record.capacity.clone();
        for search in &mut searches {
            search.cautions.clear();
            search.probes.iter_mut().for_each(|probe| probe.suspect = 0);
            search.decisions.iter_mut().for_each(|test| test.suspect = 0);
        }
        searches
    };
    assert_eq!(undisturbed(&whole), undisturbed(&killed));
    let capacity = &killed.capacity[0];
    assert_eq!(
        (capacity.stage, capacity.lower, capacity.upper),
        (SearchPhase::Done, Some(8), None)
    );
    assert_eq!(capacity.about_hub, None, "nothing was missed");
}

#[test]
fn a_search_without_a_carried_number_of_users_reports_it() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("none.json");
    let sets = [SEARCH, &["workload.objectives={ \"delivery.max\" = \"1 us\" }"]].concat();
    let output = start_run_to(&sandbox, &file, &sets).wait();
    output.reports(0, &[]);
    let expected = "fewer than 2 users (95 %): no fewer were tried";
    assert!(output.stdout.contains(expected), "{}", output.stdout);
    assert!(output.stdout.contains("limited by:"), "{}", output.stdout);
    let record = store::load(&file).unwrap();
    let capacity = &record.capacity[0];
    assert_eq!(
        (capacity.lower, capacity.upper, capacity.stage),
        (None, Some(2), SearchPhase::Done)
    );
    assert!(capacity.about_hub.is_some());
    // On a busy machine a repetition may fail, which also counts as missed.
    let missed = &finished(&record).first().unwrap().missed;
    assert!(missed[0].starts_with("delivery.max is"), "{missed:?}");
}

#[test]
fn a_failed_repetition_is_retried_and_every_try_is_recorded() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("tried.json");
    let sets = [
        "workload.users=5",
        "workload.messages=400",
        "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
        "run.baseline=\"0 s\"",
    ];
    let mut run = start_run_to(&sandbox, &file, &sets);
    run.wait_for_load();
    send_signal(sandbox.wait_for_server(), Signal::SIGKILL);
    let output = run.wait();
    output.reports(0, &["the repetition is retried", "try 2", "1 retried"]);
    assert!(output.stdout.contains("failed and tried again"), "{}", output.stdout);
    let record = store::load(&file).unwrap();
    let point = &record.points[0];
    assert_eq!((record.status, point.repetitions.len()), (RecordStatus::Complete, 1));
    assert_eq!((point.repetitions[0].attempt, point.failed_tries[0].attempt), (2, 1));
    let failed = &point.failed_tries[0];
    assert!(!failed.is_measured() && failed.ledger.sent > 0, "what was measured is saved");
    assert!(failed.verdict.reasons[0].text.contains("server broker"), "{:?}", failed.verdict);
    assert_eq!(point.summary.as_ref().map(|summary| summary.repetitions), Some(1));
}
