//! Runs that are interrupted, killed, or lose their server: one clear message, the right exit
//! status, a valid partial record, and nothing left behind. On the built-in broker.

use std::{fs, thread::sleep, time::Duration};

use hubmark::record::Status;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support_faults::{Bench, LONG, SHORT, failures, finished, program, runs, until};

/// Between two presses of Ctrl-C.
const TWICE: Duration = Duration::from_millis(50);

/// Stops a run in the middle of its load by a signal, in order.
fn stopped_in_order(signal: Signal) {
    let bench = Bench::new();
    // Whoever runs these tests may have it ignored, as nohup does; that is inherited, and respected.
    let mut command = bench.command("env");
    command.args(["--default-signal=HUP", program(), "run", "first-look"]);
    command.args(LONG.iter().flat_map(|set| ["--set", set]));
    let mut run = bench.going(command);
    run.until_load();
    let server = bench.server();
    run.signal(signal);
    let answer = run.end();
    answer.says(130, &["ending in order"]);
    assert!(answer.stdout.contains("ended early: stopped"), "{}", answer.stdout);
    let record = bench.record();
    assert_eq!(record.status, Status::Partial);
    assert_eq!(record.ended.as_deref(), Some("stopped by the operator"));
    assert!(record.finished.is_some());
    let repetition = &record.points[0].repetitions[0];
    assert_eq!(failures(&record), ["stopped by the operator"]);
    assert!(repetition.ledger.sent > 0, "what was measured is kept");
    assert_eq!(
        repetition.ledger.planned,
        repetition.ledger.sent + repetition.ledger.unsent,
        "{:?}",
        repetition.ledger
    );
    assert_eq!(repetition.ledger.contradictions(), [""; 0]);
    assert_eq!(repetition.ledger.lost, 0, "nobody waited for what was on the way");
    assert!(!runs(server));
    assert_eq!(bench.folders().len(), 0);
}

#[test]
fn ctrl_c_ends_in_order() {
    stopped_in_order(Signal::SIGINT);
}

#[test]
fn a_terminate_signal_ends_in_order() {
    stopped_in_order(Signal::SIGTERM);
}

#[test]
fn a_hangup_ends_in_order() {
    stopped_in_order(Signal::SIGHUP);
}

#[test]
fn a_hangup_that_is_to_be_ignored_is_ignored() {
    let bench = Bench::new();
    let mut command = bench.command("nohup");
    command.args([program(), "run", "first-look"]);
    command.args(LONG.iter().flat_map(|set| ["--set", set]));
    let mut run = bench.going(command);
    run.until_load();
    run.signal(Signal::SIGHUP);
    sleep(TWICE * 4);
    assert!(!run.over(), "{}", run.stderr());
    run.signal(Signal::SIGTERM);
    run.end().says(130, &[]);
}

#[test]
fn ctrl_c_while_nothing_is_measured_yet_ends_in_order() {
    let bench = Bench::new();
    let run = bench.run("first-look", &["run.baseline=\"1 h\""]);
    bench.server();
    run.signal(Signal::SIGINT);
    run.end().says(130, &["ending in order"]);
    assert_eq!(bench.record().status, Status::Partial);
    assert_eq!(bench.folders().len(), 0);
}

#[test]
fn ctrl_c_twice_ends_at_once() {
    let bench = Bench::new();
    let mut run = bench.run("first-look", LONG);
    run.until_load();
    let server = bench.server();
    // A server that does not end when it is asked to makes the orderly end slow.
    kill(Pid::from_raw(server), Signal::SIGSTOP).unwrap();
    run.signal(Signal::SIGINT);
    run.until_said("once more ends at once");
    run.signal(Signal::SIGINT);
    run.end().says(130, &[]);
    assert_eq!(bench.record().status, Status::Partial);
    assert!(!runs(server));
    assert_eq!(bench.folders().len(), 0);
}

#[test]
fn ctrl_c_twice_in_a_row_leaves_nothing_whatever_the_moment() {
    let bench = Bench::new();
    for delay in [0, 15, 40, 90, 200, 400] {
        let mut run = bench.run("first-look", LONG);
        run.until_said("record: ");
        sleep(Duration::from_millis(delay));
        run.signal(Signal::SIGINT);
        sleep(TWICE);
        if !run.over() {
            run.signal(Signal::SIGINT);
        }
        run.end().says(130, &[]);
        assert_eq!(bench.folders().len(), 0, "after {delay} ms");
        fs::remove_file(bench.record_file().unwrap()).unwrap();
    }
}

#[test]
fn a_killed_server_fails_the_repetition_by_name() {
    let bench = Bench::new();
    let mut run = bench.run("first-look", LONG);
    run.until_load();
    kill(Pid::from_raw(bench.server()), Signal::SIGKILL).unwrap();
    let answer = run.end();
    answer.says(1, &["server broker ended by itself or was killed (exit code 137)"]);
    let record = bench.record();
    assert_eq!(record.status, Status::Partial);
    assert!(failures(&record)[0].contains("broker"), "{:?}", failures(&record));
    assert!(record.points[0].repetitions[0].ledger.sent > 0, "what was measured is kept");
    assert_eq!(bench.folders().len(), 0);
}

#[test]
fn a_killed_server_costs_only_its_own_repetition() {
    let bench = Bench::new();
    let mut run = bench.run("first-look", &[LONG, &["run.repetitions=2"]].concat());
    run.until_load();
    let first = bench.server();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    until("the next repetition's server runs", || {
        bench.servers().first().is_some_and(|&server| server != first)
    });
    run.signal(Signal::SIGTERM);
    run.end().says(130, &["broker"]);
    assert_eq!(failures(&bench.record()).len(), 2);
}

/// Kills a run after some repetitions; returns the server that it may have had.
fn killed_after_repetitions(bench: &Bench, repetitions: usize) -> Vec<i32> {
    let run = bench.run("first-look", SHORT);
    let done = || bench.record_file().is_some() && finished(&bench.record()).len() >= repetitions;
    until("some repetitions are finished", done);
    // With a server up, so that there is something to be left behind.
    bench.server();
    let servers = bench.servers();
    run.kill();
    servers
}

#[test]
fn a_killed_run_keeps_its_finished_repetitions_and_its_servers_die() {
    let bench = Bench::new();
    let servers = killed_after_repetitions(&bench, 3);
    let record = bench.record();
    assert!(finished(&record).len() >= 3);
    assert_eq!((record.status, record.finished), (Status::Partial, None));
    until("the servers die with the run", || !servers.iter().any(|&server| runs(server)));
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let bench = Bench::new();
    killed_after_repetitions(&bench, 2);
    let before = bench.record();
    let file = bench.record_file().unwrap();
    let mut command = bench.command(program());
    command.args(["run", "first-look", "--resume", file.to_str().unwrap()]);
    command.args(SHORT.iter().flat_map(|set| ["--set", set]));
    let run = bench.going(command);
    let count = finished(&before).len();
    until("it goes on", || finished(&bench.record()).len() > count);
    run.signal(Signal::SIGINT);
    run.end().says(130, &["repetitions are already in it"]);
    let after = bench.record();
    assert_eq!((after.run.as_str(), after.started), (before.run.as_str(), before.started));
    assert_eq!(finished(&after)[..count], finished(&before)[..]);
}

#[test]
fn cleaning_removes_what_a_killed_run_left_and_spares_a_living_one() {
    let bench = Bench::new();
    killed_after_repetitions(&bench, 1);
    let left = bench.folders();
    assert!(!left.is_empty());
    let other = Bench::new();
    let mut command = other.command(program());
    command.env("HUBMARK_TMP", bench.path("tmp")).args(["run", "first-look"]);
    let mut living = other.going({
        command.args(LONG.iter().flat_map(|set| ["--set", set]));
        command
    });
    living.until_load();
    // The start of the living run has swept already.
    let spared = bench.folders();
    assert!(left.iter().all(|folder| !folder.exists()), "{left:?} are gone at the next start");
    assert!(living.stderr().contains("removed a leftover of a dead run"), "{}", living.stderr());
    let answer = bench.answer(&["clean"]);
    answer.says(0, &[]);
    assert_eq!(bench.folders(), spared);
    assert_eq!(bench.servers().len(), 1);
    assert!(runs(bench.servers()[0]) && !living.over());
    living.signal(Signal::SIGINT);
    living.end().says(130, &[]);
}

#[test]
fn cleaning_says_what_it_removed() {
    let bench = Bench::new();
    killed_after_repetitions(&bench, 1);
    let unfinished = bench.path("records/.hubmark-Ab12Cd.json.tmp");
    fs::write(&unfinished, "{").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_mins(5);
    fs::File::options().write(true).open(&unfinished).unwrap().set_modified(old).unwrap();
    let record = bench.record();
    let answer = bench.answer(&["clean"]);
    answer.says(0, &[]);
    let hubmark_folder = bench.path("tmp/hubmark-");
    for removed in [&hubmark_folder, &unfinished] {
        let line = format!("removed {}", removed.display());
        assert!(answer.stdout.contains(&line), "{line} is missing in {}", answer.stdout);
    }
    assert_eq!(bench.folders().len(), 0);
    assert!(!unfinished.exists());
    assert_eq!(bench.record(), record);
}

/// Makes a folder a file's name, which cannot be written to, not even by root; put back when
/// dropped.
struct Blocked {
    folder: std::path::PathBuf,
    aside: std::path::PathBuf,
}

impl Blocked {
    fn new(folder: std::path::PathBuf) -> Self {
        let aside = folder.with_extension("aside");
        fs::rename(&folder, &aside).unwrap();
        fs::write(&folder, "").unwrap();
        Self { folder, aside }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        fs::remove_file(&self.folder).unwrap();
        fs::rename(&self.aside, &self.folder).unwrap();
    }
}

fn until_kept(bench: &Bench, repetitions: usize) {
    until("repetitions are kept", || {
        bench.record_file().is_some() && finished(&bench.record()).len() >= repetitions
    });
}

#[test]
fn a_record_that_cannot_be_kept_is_kept_elsewhere_and_comes_back() {
    let bench = Bench::new();
    let mut run = bench.run("first-look", SHORT);
    until_kept(&bench, 1);
    let blocked = Blocked::new(bench.path("records"));
    run.until_said("the record could not be saved as");
    run.until_said("it was saved as");
    let elsewhere = || {
        let files = fs::read_dir(bench.path("state")).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|e| e == "json")).collect::<Vec<_>>()
    };
    assert_eq!(elsewhere().len(), 1);
    assert!(!finished(&hubmark::record::store::load(&elsewhere()[0]).unwrap()).is_empty());
    drop(blocked);
    run.until_said("is saved as");
    until("the substitute is gone", || elsewhere().is_empty());
    run.signal(Signal::SIGINT);
    run.end().says(130, &[]);
    assert!(bench.record().finished.is_some());
    assert_eq!(bench.folders().len(), 0);
}

#[test]
fn a_record_that_can_be_kept_nowhere_stays_in_memory_and_is_offered_again() {
    let bench = Bench::new();
    let mut command = bench.command(program());
    fs::create_dir(bench.path("temporary")).unwrap();
    command.env("TMPDIR", bench.path("temporary")).args(["run", "first-look"]);
    command.args(SHORT.iter().flat_map(|set| ["--set", set]));
    let mut run = bench.going(command);
    until_kept(&bench, 1);
    let before = finished(&bench.record()).len();
    let blocked: Vec<_> =
        ["temporary", "state", "records"].map(|name| Blocked::new(bench.path(name))).into();
    run.until_said("error: the record could not be saved as");
    drop(blocked);
    // The repetition that could not be saved is there together with the next.
    until_kept(&bench, before + 2);
    run.signal(Signal::SIGINT);
    run.end().says(130, &[]);
    let record = bench.record();
    let numbers: Vec<_> = finished(&record).iter().map(|repetition| repetition.index).collect();
    assert_eq!(numbers, (0..numbers.len() as u32).collect::<Vec<_>>(), "none is missing");
}

#[test]
fn a_record_that_can_be_kept_nowhere_at_the_end_is_told_and_printed() {
    let bench = Bench::new();
    let mut command = bench.command(program());
    fs::create_dir(bench.path("temporary")).unwrap();
    command.env("TMPDIR", bench.path("temporary")).args(["run", "first-look"]);
    command.args(SHORT.iter().flat_map(|set| ["--set", set]));
    let mut run = bench.going(command);
    until_kept(&bench, 1);
    let blocked: Vec<_> =
        ["temporary", "state", "records"].map(|name| Blocked::new(bench.path(name))).into();
    run.until_said("error: the record could not be saved as");
    run.signal(Signal::SIGTERM);
    let answer = run.end();
    answer.says(130, &["the record could not be saved as", "--out FILE"]);
    assert!(answer.stdout.contains("delivery"), "the result is still told: {}", answer.stdout);
    drop(blocked);
    assert!(!finished(&bench.record()).is_empty());
    assert_eq!(bench.folders().len(), 0);
}

/// Fifty users for eight seconds: enough messages for a 99th percentile.
const PACED: &[&str] = &[
    "workload.users=50",
    "workload.messages=400",
    "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
    "workload.drain=\"30 s\"",
    "run.baseline=\"0 s\"",
];

#[test]
fn a_run_that_stood_still_says_so() {
    let still = Duration::from_secs(2);
    let bench = Bench::new();
    let mut run = bench.run("first-look", PACED);
    run.until_load();
    run.signal(Signal::SIGSTOP);
    sleep(still);
    run.signal(Signal::SIGCONT);
    run.end().says(0, &[]);
    let record = bench.record();
    let repetition = finished(&record)[0];
    let least = still.as_micros() as f64 * 0.95;
    let latency = &repetition.latency;
    let (lag, response) = (latency.lag.as_ref().unwrap(), latency.response.as_ref().unwrap());
    assert!(lag.max >= least && response.max >= least, "{} and {}", lag.max, response.max);
    let reasons = &repetition.verdict.reasons;
    assert!(reasons.iter().any(|reason| reason.code == "client-saturated"), "{reasons:?}");
    assert_eq!(repetition.ledger.delivered, repetition.ledger.planned);
}

#[test]
fn a_planned_pause_is_on_the_books_and_no_failure() {
    let bench = Bench::new();
    let schedule = "fault=[{ at = \"1 s\", kind = \"pause\", for = \"2 s\" }]";
    let answer = bench.run("first-look", &[PACED, &[schedule]].concat()).end();
    answer.says(0, &["planned fault: broker: pause", "acknowledges again after"]);
    assert!(answer.stdout.contains("by plan broker was paused at"), "{}", answer.stdout);
    let record = bench.record();
    let repetition = finished(&record)[0];
    let fault = &repetition.faults[0];
    let (began, ended) = (fault.began.unwrap(), fault.ended.unwrap());
    assert!(began >= 1.0 && ended - began >= 2.0 && fault.error.is_none(), "{fault:?}");
    assert!(fault.recovery_ack.unwrap() >= 0.0 && fault.recovery_delivery.unwrap() >= 0.0);
    assert_eq!(fault.toll.unwrap(), hubmark::record::Toll::default());
    let ledger = repetition.ledger;
    assert_eq!((ledger.delivered, ledger.stored), (ledger.planned, Some(ledger.planned)));
    // From the due time on it is seen in full; our own lateness is none of it.
    let response = repetition.latency.response.as_ref().unwrap();
    assert!(response.max >= 1.9e6, "{}", response.max);
    assert_eq!(repetition.verdict.reasons[0].code, "planned-fault");
    assert!(repetition.events.iter().any(|note| note.text.contains("pause goes on")));
}

#[test]
fn a_fault_for_a_server_that_is_not_there_is_refused_at_once() {
    let bench = Bench::new();
    let schedule = "fault=[{ at = \"1 s\", kind = \"pause\", server = \"zookeeper\" }]";
    let answer = bench.run("first-look", &[PACED, &[schedule]].concat()).end();
    answer.says(2, &["it has no server \"zookeeper\", only broker"]);
    assert_eq!(bench.record_file(), None);
}
