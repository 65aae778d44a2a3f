//! Runs on the built-in broker that are interrupted, killed, or lose their server: one clear message,
//! the right exit status, a valid partial record, and nothing left behind.

use std::{fs, thread::sleep, time::Duration};

use hubmark::record::RecordStatus;
use nix::sys::signal::Signal;

use crate::support::{
    loads::{ENDLESS, MANY_REPETITIONS, QUICK},
    process::{RunningProgram, is_running, program, send_signal},
    records::{failure_reasons, finished},
    sandbox::{Sandbox, set_arguments},
    wait::until,
};

/// Pause between two presses of Ctrl-C, longer than the echo of a signal.
const KEY_INTERVAL: Duration = Duration::from_millis(250);

/// Ends a run in its load by a signal and checks that it ends in order.
fn check_orderly_end(signal: Signal) {
    let sandbox = Sandbox::new();
    // SIGHUP may be ignored where the tests run, as under nohup; hubmark would inherit and respect that.
    let mut command = sandbox.other_command("env");
    command.args(["--default-signal=HUP", program(), "run", "first-look"]);
    command.args(set_arguments(ENDLESS));
    let mut run = sandbox.start(command);
    run.wait_for_load();
    let server = sandbox.wait_for_server();
    run.signal(signal);
    let output = run.wait();
    output.reports(130, &["ending in order"]);
    assert!(output.stdout.contains("ended early: stopped"), "{}", output.stdout);
    let record = sandbox.record();
    assert_eq!(record.status, RecordStatus::Partial);
    assert_eq!(record.ended.as_deref(), Some("stopped by the operator"));
    assert!(record.finished.is_some());
    let repetition = &record.points[0].repetitions[0];
    assert_eq!(failure_reasons(&record), ["stopped by the operator"]);
    assert!(repetition.ledger.sent > 0, "what was measured is saved");
    assert_eq!(
        repetition.ledger.planned,
        repetition.ledger.sent + repetition.ledger.unsent,
        "{:?}",
        repetition.ledger
    );
    assert_eq!(repetition.ledger.contradictions(), [""; 0]);
    assert_eq!(repetition.ledger.lost, 0, "messages on the way count as not lost");
    assert!(!is_running(server));
    assert_eq!(sandbox.server_folders().len(), 0);
}

#[test]
fn ctrl_c_ends_in_order() {
    check_orderly_end(Signal::SIGINT);
}

#[test]
fn a_terminate_signal_ends_in_order() {
    check_orderly_end(Signal::SIGTERM);
}

#[test]
fn a_hangup_signal_ends_in_order() {
    check_orderly_end(Signal::SIGHUP);
}

#[test]
fn an_ignored_hangup_signal_stays_ignored() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.other_command("nohup");
    command.args([program(), "run", "first-look"]);
    command.args(set_arguments(ENDLESS));
    let mut run = sandbox.start(command);
    run.wait_for_load();
    run.signal(Signal::SIGHUP);
    sleep(KEY_INTERVAL);
    assert!(!run.has_ended(), "{}", run.stderr());
    run.signal(Signal::SIGTERM);
    run.wait().reports(130, &[]);
}

#[test]
fn ctrl_c_in_the_baseline_ends_in_order() {
    let sandbox = Sandbox::new();
    let run = sandbox.start_run("first-look", &["run.baseline=\"1 h\""]);
    sandbox.wait_for_server();
    run.signal(Signal::SIGINT);
    run.wait().reports(130, &["ending in order"]);
    assert_eq!(sandbox.record().status, RecordStatus::Partial);
    assert_eq!(sandbox.server_folders().len(), 0);
}

#[test]
fn ctrl_c_twice_ends_at_once() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.start_run("first-look", ENDLESS);
    run.wait_for_load();
    let server = sandbox.wait_for_server();
    // A stopped server does not react to its signal, so the orderly end takes long.
    send_signal(server, Signal::SIGSTOP);
    run.signal(Signal::SIGINT);
    run.wait_for_stderr("a second signal ends at once");
    sleep(KEY_INTERVAL);
    run.signal(Signal::SIGINT);
    run.wait().reports(130, &[]);
    assert_eq!(sandbox.record().status, RecordStatus::Partial);
    assert!(!is_running(server));
    assert_eq!(sandbox.server_folders().len(), 0);
}

#[test]
fn the_echo_of_a_signal_is_not_a_second_one() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.start_run("first-look", ENDLESS);
    run.wait_for_load();
    // As a shell's timeout does: to the process, and to its group.
    run.signal(Signal::SIGTERM);
    run.signal(Signal::SIGINT);
    let output = run.wait();
    output.reports(130, &["ending in order"]);
    assert!(output.stdout.contains("ended early: stopped"), "{}", output.stdout);
}

#[test]
fn a_run_stopped_before_its_first_repetition_has_no_verdict() {
    let sandbox = Sandbox::new();
    sandbox.run_command("first-look", &[QUICK], &["--quiet"]).output().unwrap();
    let mut record: serde_json::Value =
        serde_json::from_slice(&fs::read(sandbox.out_path()).unwrap()).unwrap();
    record["status"] = "partial".into();
    record["ended"] = "stopped by the operator".into();
    for point in record["points"].as_array_mut().unwrap() {
        point["repetitions"] = serde_json::json!([]);
        point["summary"] = serde_json::Value::Null;
    }
    let path = sandbox.path("stopped.json");
    fs::write(&path, record.to_string()).unwrap();
    let shown = sandbox.run(["records", "show", path.to_str().unwrap()]).exits_with(0).stdout;
    assert!(shown.contains("verdict: none, no repetition was finished"), "{shown}");
    assert!(!shown.contains("all repetitions valid"), "{shown}");
}

#[test]
fn ctrl_c_twice_leaves_nothing_at_any_moment_of_the_start() {
    let sandbox = Sandbox::new();
    for delay in [0, 15, 40, 90, 200, 400] {
        let mut run = sandbox.start_run("first-look", ENDLESS);
        run.wait_for_stderr("record: ");
        sleep(Duration::from_millis(delay));
        run.signal(Signal::SIGINT);
        sleep(KEY_INTERVAL);
        if !run.has_ended() {
            run.signal(Signal::SIGINT);
        }
        run.wait().reports(130, &[]);
        assert_eq!(sandbox.server_folders().len(), 0, "after {delay} ms");
        fs::remove_file(sandbox.record_file().unwrap()).unwrap();
    }
}

#[test]
fn a_killed_server_fails_the_repetition_by_name() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.start_run("first-look", ENDLESS);
    run.wait_for_load();
    send_signal(sandbox.wait_for_server(), Signal::SIGKILL);
    let output = run.wait();
    output.reports(1, &["server broker ended by itself or was killed (exit code 137)"]);
    let record = sandbox.record();
    assert_eq!(record.status, RecordStatus::Partial);
    assert!(failure_reasons(&record)[0].contains("broker"), "{:?}", failure_reasons(&record));
    assert!(record.points[0].repetitions[0].ledger.sent > 0, "what was measured is saved");
    assert_eq!(sandbox.server_folders().len(), 0);
}

#[test]
fn a_killed_server_fails_only_one_repetition() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.start_run("first-look", &[ENDLESS, &["run.repetitions=2"]].concat());
    run.wait_for_load();
    let first = sandbox.wait_for_server();
    send_signal(first, Signal::SIGKILL);
    until("the next repetition's server runs", || {
        sandbox.servers().first().is_some_and(|&server| server != first)
    });
    run.signal(Signal::SIGTERM);
    run.wait().reports(130, &["broker"]);
    assert_eq!(failure_reasons(&sandbox.record()).len(), 2);
}

/// Kills a run after some repetitions, while a server runs; returns its servers.
fn kill_run_after(sandbox: &Sandbox, repetitions: usize) -> Vec<i32> {
    let run = sandbox.start_run("first-look", MANY_REPETITIONS);
    let done =
        || sandbox.record_file().is_some() && finished(&sandbox.record()).len() >= repetitions;
    until("some repetitions are finished", done);
    // A running server can be left behind.
    sandbox.wait_for_server();
    let servers = sandbox.servers();
    run.kill();
    servers
}

#[test]
fn a_killed_run_saves_its_finished_repetitions_and_its_servers_die() {
    let sandbox = Sandbox::new();
    let servers = kill_run_after(&sandbox, 3);
    let record = sandbox.record();
    assert!(finished(&record).len() >= 3);
    assert_eq!((record.status, record.finished), (RecordStatus::Partial, None));
    until("the servers die with the run", || !servers.iter().any(|&server| is_running(server)));
}

#[test]
fn a_killed_run_can_be_resumed() {
    let sandbox = Sandbox::new();
    kill_run_after(&sandbox, 2);
    let before = sandbox.record();
    let file = sandbox.record_file().unwrap();
    let mut command = sandbox.command(["run", "first-look", "--resume", file.to_str().unwrap()]);
    command.args(set_arguments(MANY_REPETITIONS));
    let run = sandbox.start(command);
    let count = finished(&before).len();
    until("it has resumed", || finished(&sandbox.record()).len() > count);
    run.signal(Signal::SIGINT);
    run.wait().reports(130, &["repetitions are already in the record"]);
    let after = sandbox.record();
    assert_eq!((after.run.as_str(), after.started), (before.run.as_str(), before.started));
    assert_eq!(finished(&after)[..count], finished(&before)[..]);
}

#[test]
fn clean_removes_leftovers_of_a_killed_run_and_spares_a_running_one() {
    let sandbox = Sandbox::new();
    kill_run_after(&sandbox, 1);
    let left = sandbox.server_folders();
    assert!(!left.is_empty());
    let other = Sandbox::new();
    let mut command = other.command(["run", "first-look"]);
    command.env("HUBMARK_TMP", sandbox.path("tmp")).args(set_arguments(ENDLESS));
    let mut running = other.start(command);
    running.wait_for_load();
    // The start of the other run has removed the leftovers already.
    let spared = sandbox.server_folders();
    assert!(left.iter().all(|folder| !folder.exists()), "{left:?} are removed at the next start");
    assert!(running.stderr().contains("removed a leftover of a dead run"), "{}", running.stderr());
    let output = sandbox.run(["clean"]);
    output.reports(0, &[]);
    assert_eq!(sandbox.server_folders(), spared);
    assert_eq!(sandbox.servers().len(), 1);
    assert!(is_running(sandbox.servers()[0]) && !running.has_ended());
    running.signal(Signal::SIGINT);
    running.wait().reports(130, &[]);
}

#[test]
fn clean_lists_what_it_removed() {
    let sandbox = Sandbox::new();
    kill_run_after(&sandbox, 1);
    let unfinished = sandbox.path("records/.hubmark-Ab12Cd.json.tmp");
    fs::write(&unfinished, "{").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_mins(5);
    fs::File::options().write(true).open(&unfinished).unwrap().set_modified(old).unwrap();
    let record = sandbox.record();
    let output = sandbox.run(["clean"]);
    output.reports(0, &[]);
    let hubmark_folder = sandbox.path("tmp/hubmark-");
    for removed in [&hubmark_folder, &unfinished] {
        let line = format!("removed {}", removed.display());
        assert!(output.stdout.contains(&line), "{line} is missing in {}", output.stdout);
    }
    assert_eq!(sandbox.server_folders().len(), 0);
    assert!(!unfinished.exists());
    assert_eq!(sandbox.record(), record);
}

/// A folder replaced by a file, into which even root cannot write; restored when dropped.
struct BlockedFolder {
    folder: std::path::PathBuf,
    aside: std::path::PathBuf,
}

impl BlockedFolder {
    fn new(folder: std::path::PathBuf) -> Self {
        let aside = folder.with_extension("aside");
        fs::rename(&folder, &aside).unwrap();
        fs::write(&folder, "").unwrap();
        Self { folder, aside }
    }
}

impl Drop for BlockedFolder {
    fn drop(&mut self) {
        fs::remove_file(&self.folder).unwrap();
        fs::rename(&self.aside, &self.folder).unwrap();
    }
}

fn wait_for_saved(sandbox: &Sandbox, repetitions: usize) {
    until("repetitions are saved", || {
        sandbox.record_file().is_some() && finished(&sandbox.record()).len() >= repetitions
    });
}

#[test]
fn a_record_that_cannot_be_saved_is_saved_elsewhere_until_it_can() {
    let sandbox = Sandbox::new();
    let mut run = sandbox.start_run("first-look", MANY_REPETITIONS);
    wait_for_saved(&sandbox, 1);
    let blocked = BlockedFolder::new(sandbox.path("records"));
    run.wait_for_stderr("the record could not be saved as");
    run.wait_for_stderr("it was saved as");
    let elsewhere = || {
        let files = fs::read_dir(sandbox.path("state")).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|e| e == "json")).collect::<Vec<_>>()
    };
    assert_eq!(elsewhere().len(), 1);
    assert!(!finished(&hubmark::record::store::load(&elsewhere()[0]).unwrap()).is_empty());
    drop(blocked);
    run.wait_for_stderr("is saved as");
    until("the substitute is removed", || elsewhere().is_empty());
    run.signal(Signal::SIGINT);
    run.wait().reports(130, &[]);
    assert!(sandbox.record().finished.is_some());
    assert_eq!(sandbox.server_folders().len(), 0);
}

/// Starts a run of many repetitions and, once one is saved, blocks every folder that it can save its
/// record in; returns the run, the blocked folders, and how many repetitions were saved before.
fn run_without_record_folders(sandbox: &Sandbox) -> (RunningProgram, Vec<BlockedFolder>, usize) {
    fs::create_dir(sandbox.path("temporary")).unwrap();
    let mut command = sandbox.command(["run", "first-look"]);
    command.env("TMPDIR", sandbox.path("temporary")).args(set_arguments(MANY_REPETITIONS));
    let mut run = sandbox.start(command);
    wait_for_saved(sandbox, 1);
    let saved = finished(&sandbox.record()).len();
    let folders = ["temporary", "state", "records"];
    let blocked = folders.map(|name| BlockedFolder::new(sandbox.path(name))).into();
    run.wait_for_stderr("error: the record could not be saved as");
    (run, blocked, saved)
}

#[test]
fn a_record_that_can_be_saved_nowhere_stays_in_memory_and_is_saved_later() {
    let sandbox = Sandbox::new();
    let (run, blocked, before) = run_without_record_folders(&sandbox);
    drop(blocked);
    // The repetition that could not be saved is saved together with the next one.
    wait_for_saved(&sandbox, before + 2);
    run.signal(Signal::SIGINT);
    run.wait().reports(130, &[]);
    let record = sandbox.record();
    let numbers: Vec<_> = finished(&record).iter().map(|repetition| repetition.index).collect();
    assert_eq!(numbers, (0..numbers.len() as u32).collect::<Vec<_>>(), "none is missing");
}

#[test]
fn a_record_that_can_be_saved_nowhere_at_the_end_is_reported_and_printed() {
    let sandbox = Sandbox::new();
    let (run, blocked, _) = run_without_record_folders(&sandbox);
    run.signal(Signal::SIGTERM);
    let output = run.wait();
    output.reports(130, &["the record could not be saved as", "--out FILE"]);
    assert!(output.stdout.contains("delivery"), "the result is still printed: {}", output.stdout);
    drop(blocked);
    assert!(!finished(&sandbox.record()).is_empty());
    assert_eq!(sandbox.server_folders().len(), 0);
}

/// Fifty users for eight seconds: enough messages for a 99th percentile.
const PACED: &[&str] = &[
    "workload.users=10",
    "workload.messages=400",
    "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
    "workload.drain=\"30 s\"",
    "run.baseline=\"0 s\"",
];

#[test]
fn a_stopped_and_continued_run_is_suspect() {
    let pause = Duration::from_secs(2);
    let sandbox = Sandbox::new();
    let mut run = sandbox.start_run("first-look", PACED);
    run.wait_for_load();
    run.signal(Signal::SIGSTOP);
    sleep(pause);
    run.signal(Signal::SIGCONT);
    run.wait().reports(0, &[]);
    let record = sandbox.record();
    let repetition = finished(&record)[0];
    let least = pause.as_micros() as f64 * 0.95;
    let latency = &repetition.latency;
    let (lag, response) = (latency.lag.as_ref().unwrap(), latency.response.as_ref().unwrap());
    assert!(lag.max >= least && response.max >= least, "{} and {}", lag.max, response.max);
    let reasons = &repetition.verdict.reasons;
    assert!(reasons.iter().any(|reason| reason.code == "client-saturated"), "{reasons:?}");
    assert_eq!(repetition.ledger.delivered, repetition.ledger.planned);
}

#[test]
fn a_planned_pause_is_recorded_and_no_failure() {
    let sandbox = Sandbox::new();
    let schedule = "fault=[{ at = \"1 s\", kind = \"pause\", for = \"2 s\" }]";
    let output = sandbox.start_run("first-look", &[PACED, &[schedule]].concat()).wait();
    output.reports(0, &["planned fault: broker: pause", "acknowledges again after"]);
    assert!(output.stdout.contains("by plan broker was paused at"), "{}", output.stdout);
    let record = sandbox.record();
    let repetition = finished(&record)[0];
    let fault = &repetition.faults[0];
    let (began, ended) = (fault.began.unwrap(), fault.ended.unwrap());
    assert!(began >= 1.0 && ended - began >= 2.0 && fault.error.is_none(), "{fault:?}");
    assert!(fault.recovery_ack.unwrap() >= 0.0 && fault.recovery_delivery.unwrap() >= 0.0);
    assert_eq!(fault.toll.unwrap(), hubmark::record::Impact::default());
    let ledger = repetition.ledger;
    assert_eq!((ledger.delivered, ledger.stored), (ledger.planned, Some(ledger.planned)));
    // Responses count from the due time, so they show the whole pause; the client was not late.
    let response = repetition.latency.response.as_ref().unwrap();
    assert!(response.max >= 1.9e6, "{}", response.max);
    assert_eq!(repetition.verdict.reasons[0].code, "planned-fault");
    assert!(repetition.events.iter().any(|note| note.text.contains("pause ended")));
}

#[test]
fn a_fault_for_an_unknown_server_is_refused_at_once() {
    let sandbox = Sandbox::new();
    let schedule = "fault=[{ at = \"1 s\", kind = \"pause\", server = \"zookeeper\" }]";
    let output = sandbox.start_run("first-look", &[PACED, &[schedule]].concat()).wait();
    output.reports(2, &["builtin has no server \"zookeeper\", only broker"]);
    assert_eq!(sandbox.record_file(), None);
}
