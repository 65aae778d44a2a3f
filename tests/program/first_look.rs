//! The profile `first-look`, and every command that needs no container.

use std::{collections::BTreeSet, fs, process::Stdio};

use hubmark::{
    measure::Judgement,
    record::{Record, RecordStatus, histogram},
};
use nix::sys::signal::Signal;

use crate::support::{
    loads::QUICK,
    process::{ProgramOutput, send_signal},
    records::{only_repetition, read_checked, reason_codes, repetitions},
    sandbox::{Sandbox, set_arguments},
    wait::until_some,
};

const CAUTION: &str = "not Apache Kafka";

#[test]
fn first_look_measures_and_accounts_for_every_message() {
    let sandbox = Sandbox::new();
    // Only the length of the profile's load is changed.
    let output =
        ProgramOutput::of(&mut sandbox.run_command("first-look", &[QUICK], &[])).exits_with(0);

    let record = sandbox.out_record();
    let repetition = only_repetition(&record);
    let ledger = repetition.ledger;
    assert_eq!(ledger.planned, 200);
    assert_eq!([Some(ledger.sent), ledger.acked, Some(ledger.delivered)], [Some(200); 3]);
    assert_eq!(ledger.stored, Some(200));
    assert_eq!([ledger.lost, ledger.unsent, ledger.failed, ledger.late], [0; 4]);
    assert_eq!([ledger.duplicate, ledger.corrupt, ledger.out_of_order], [0; 3]);
    assert_eq!(reason_codes(repetition), [""; 0]);
    assert_ne!(repetition.verdict.status, Judgement::Failed);
    assert_eq!(record.status, RecordStatus::Complete);

    for latency in [
        &repetition.latency.lag,
        &repetition.latency.ack,
        &repetition.latency.delivery,
        &repetition.latency.response,
    ] {
        let latency = latency.as_ref().unwrap();
        assert_eq!(latency.count, 200);
        assert_eq!((latency.negative, latency.overflow), (0, 0));
        let stored = histogram::decode_latency(latency).unwrap();
        assert_eq!(stored.histogram().len(), 200);
        assert_eq!(stored.percentile(0.5), latency.p50);
        assert!(latency.min <= latency.mean && latency.mean <= latency.max);
        // 200 messages are enough for a median and a 90th percentile, not for more.
        assert!(latency.p50 <= latency.p90 && latency.p90.is_some());
        assert_eq!([latency.p99, latency.p999, latency.p9999], [None; 3]);
    }
    check_timeline_and_samples(&record);

    let server = &record.provenance.servers["builtin"];
    assert!(server.caution.as_ref().unwrap().contains(CAUTION));
    assert!(output.stdout.contains(CAUTION), "{}", output.stdout);
    let parts = [
        "complete",
        "planned 200",
        "delivered 200",
        "lost 0",
        "record.json",
        "built-in",
        "the client by itself: timer late by p50",
        "loopback round trip",
        "hottest thread",
        "this machine: timer late",
    ];
    for part in parts {
        assert!(
            output.stdout.contains(part) || output.stderr.contains(part),
            "{part}:\n{}",
            output.stdout
        );
    }
    assert!(output.stdout.lines().all(|line| line.chars().count() <= 100), "{}", output.stdout);
    assert!(record.provenance.client.cores.is_some() && record.provenance.hub.cores.is_some());
}

fn check_timeline_and_samples(record: &Record) {
    let repetition = only_repetition(record);
    let sum = |count: fn(&hubmark::measure::TimelineSecond) -> u64| {
        repetition.timeline.iter().map(count).sum::<u64>()
    };
    assert_eq!([sum(|s| s.due), sum(|s| s.sent), sum(|s| s.acked.unwrap())], [200; 3]);
    assert_eq!(sum(|s| s.delivered), 200);
    assert_eq!(sum(|s| s.bytes), 200 * 100);
    let seconds: Vec<_> = repetition.timeline.iter().map(|s| s.second).collect();
    assert_eq!(seconds, (0..seconds.len() as u32).collect::<Vec<_>>());
    let broker = &repetition.resources["broker"];
    assert!(broker.cpu.core_seconds.is_some() && broker.memory.max.is_some());
    assert!(!repetition.samples["broker"].is_empty());
    assert!(repetition.generator.threads > 0 && repetition.generator.resident.0 > 0);
    check_client(record, &["consumer", "kafka-loop", "sender"]);
    assert_eq!(only_repetition(record).generator.ack_delay, None, "each answer's time is known");
}

/// hubmark's threads, and the self-test of its machine.
fn check_client(record: &Record, threads: &[&str]) {
    let generator = &only_repetition(record).generator;
    let named = |name: &str| generator.hot_threads.iter().any(|one| one.name.starts_with(name));
    for name in threads {
        assert!(named(name), "{name}: {:?}", generator.hot_threads);
    }
    let test = record.self_test.unwrap();
    assert!(test.sleeps > 0 && test.round_trips > 0, "{test:?}");
}

#[test]
fn the_ledger_is_the_same_for_one_loop_and_for_three() {
    let ledgers = [1, 3].map(|loops| {
        let sandbox = Sandbox::new();
        let setting = format!("builtin.loops={loops}");
        ProgramOutput::of(&mut sandbox.run_command("first-look", &[QUICK, &[&setting]], &[]))
            .exits_with(0);
        let record = sandbox.out_record();
        assert_eq!(record.provenance.servers["builtin"].client["loops"], loops.to_string());
        let repetition = only_repetition(&record);
        let threads = repetition.generator.hot_threads.iter();
        let named: BTreeSet<_> = threads.map(|thread| thread.name.as_str()).collect();
        let expected = match loops {
            1 => BTreeSet::from(["consumer", "kafka-loop", "sender"]),
            _ => BTreeSet::from([
                "consumer",
                "kafka-loop-1",
                "kafka-loop-2",
                "kafka-loop-3",
                "sender",
            ]),
        };
        assert_eq!(named, expected);
        let counted = repetition.latency.ack.as_ref().unwrap().count;
        assert_eq!(Some(counted), repetition.ledger.acked, "acknowledgements in the histogram");
        repetition.ledger
    });
    assert_eq!(ledgers[0], ledgers[1]);
    assert_eq!((ledgers[0].delivered, ledgers[0].lost), (200, 0));
}

#[test]
#[cfg(feature = "librdkafka")]
fn librdkafka_is_watched_and_the_delay_of_its_acknowledgements_is_known() {
    let sandbox = Sandbox::new();
    let client = "builtin.client=\"librdkafka\"";
    let output =
        ProgramOutput::of(&mut sandbox.run_command("first-look", &[QUICK, &[client]], &[]));
    output.exits_with(0);
    let record = sandbox.out_record();
    check_client(&record, &["consumer", "kafka-poller", "sender", "rdk:broker"]);
    let delay = only_repetition(&record).generator.ack_delay.unwrap();
    assert!(delay.max > Some(0.0), "{delay:?}");
    let client = &record.provenance.servers["builtin"].client;
    assert_eq!(client["client"], "librdkafka");
}

#[test]
fn the_hub_is_observed_during_a_run() {
    let sandbox = Sandbox::new();
    let longer = "workload.messages=24";
    let cool = "run.cooldown={ below = \"0 C\", limit = \"100 ms\" }";
    let output =
        ProgramOutput::of(&mut sandbox.run_command("first-look", &[QUICK, &[longer, cool]], &[]));
    output.exits_with(0);
    let record = sandbox.out_record();
    let facts = &record.provenance.hub;
    assert!(facts.fsync.is_some_and(|time| !time.is_zero()), "{facts:?}");
    let repetition = &record.points[0].repetitions[0];
    assert!(!repetition.hub.is_empty(), "at least one reading in six seconds");
    for line in &repetition.hub {
        let (busy, other) = (line.busy_cores.unwrap(), line.other_cores.unwrap_or(0.0));
        assert!((0.0..=busy).contains(&other), "{line:?}");
        assert!(line.memory_available.is_some() && line.disk_free.is_some(), "{line:?}");
    }
    assert!(repetition.hub.iter().any(|line| line.other_cores.is_some()), "{:?}", repetition.hub);
    // No hub is that cold; without a thermometer there is no wait.
    assert_ne!(repetition.cooled.unwrap().reached, Some(true));
}

#[test]
fn the_result_has_the_requested_format() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.run_command("first-look", &[QUICK], &["--format", "json", "--quiet"]);
    let json = ProgramOutput::of(&mut command).exits_with(0);
    assert_eq!(json.stderr, "", "--quiet prints no progress");
    let printed: Record = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(printed, sandbox.out_record());

    let path = sandbox.out_path();
    let path = path.to_str().unwrap();
    let shown = sandbox.run(["records", "show", path, "--format", "json"]).exits_with(0);
    assert_eq!(shown.stdout, json.stdout);

    let csv = sandbox.run(["records", "show", path, "--format", "csv"]).exits_with(0);
    let lines: Vec<Vec<String>> = csv.stdout.lines().map(csv_fields).collect();
    assert_eq!(lines.len(), 2, "a head and one repetition:\n{}", csv.stdout);
    assert_eq!(lines[0].len(), lines[1].len());
    let column =
        |name: &str| lines[1][lines[0].iter().position(|head| *head == name).unwrap()].as_str();
    assert_eq!((column("backend"), column("users"), column("lost")), ("builtin", "50", "0"));
    assert_eq!((column("unsent"), column("stored"), column("retried")), ("0", "200", "false"));
    assert_eq!(column("delivered"), "200");
}

/// Fields of a line of CSV, in which a comma may be quoted.
fn csv_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for sign in line.chars() {
        match sign {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            sign => fields.last_mut().unwrap().push(sign),
        }
    }
    fields
}

#[test]
fn a_dry_run_shows_the_plan_and_does_nothing() {
    let sandbox = Sandbox::new();
    fs::remove_dir(sandbox.path("records")).unwrap();
    let output =
        ProgramOutput::of(&mut sandbox.run_command("first-look", &[QUICK], &["--dry-run"]));
    let output = output.exits_with(0);
    for part in ["first-look", "50", "200"] {
        assert!(output.stdout.contains(part), "{part}:\n{}", output.stdout);
    }
    assert!(!sandbox.out_path().exists() && !sandbox.path("records").exists());
}

#[test]
fn wrong_overrides_are_all_reported() {
    let sandbox = Sandbox::new();
    let wrong: &[&str] = &["workload.user=5", "workload.messages=many", "nonsense"];
    let output =
        ProgramOutput::of(&mut sandbox.run_command("first-look", &[wrong], &[])).exits_with(2);
    for part in ["workload.user", "users", "messages", "nonsense"] {
        assert!(output.stderr.contains(part), "{part}:\n{}", output.stderr);
    }
    assert!(!sandbox.out_path().exists());
    let output = sandbox.run(["run", "first-lok"]).exits_with(2);
    assert!(
        output.stderr.contains("first-look"),
        "suggests the profile that was meant: {}",
        output.stderr
    );
    sandbox.run(["run"]).exits_with(2);
    sandbox.run(["run", "first-look", "--resume"]).exits_with(2);
    sandbox.run(["run", "--set", "run.seed=1"]).exits_with(2);
    sandbox.run(["measure"]).exits_with(2);
    let output = sandbox.run([""; 0]).exits_with(2);
    assert!(output.stderr.contains("hubmark run"), "{}", output.stderr);
}

#[test]
fn profiles_are_listed_shown_checked_and_copied() {
    let sandbox = Sandbox::new();
    let list = sandbox.run(["profiles", "list"]).exits_with(0).stdout;
    for name in ["first-look", "study-latency-users", "study-throughput-quick"] {
        assert!(list.contains(name), "{list}");
    }
    let shown = sandbox.run(["profiles", "show", "first-look"]).exits_with(0).stdout;
    assert!(shown.contains("name = \"first-look\"") && shown.contains('#'), "{shown}");
    let own = sandbox.path("own.toml");
    let own = own.to_str().unwrap();
    sandbox.run(["profiles", "copy", "first-look", own]).exits_with(0);
    assert_eq!(fs::read_to_string(own).unwrap(), shown);
    let output = sandbox.run(["profiles", "copy", "first-look", own]).exits_with(1);
    assert!(output.stderr.contains(own), "{}", output.stderr);
    let plan = sandbox.run(["profiles", "check", own]).exits_with(0).stdout;
    assert!(plan.contains("first-look"), "{plan}");

    fs::write(own, shown.replace("users = 100", "usrs = 100\nmessages = -3")).unwrap();
    let output = sandbox.run(["profiles", "check", own]).exits_with(2);
    for part in [own, "usrs", "users", "messages"] {
        assert!(output.stderr.contains(part), "{part}:\n{}", output.stderr);
    }
}

#[test]
fn records_are_listed_shown_and_removed() {
    let sandbox = Sandbox::new();
    assert!(sandbox.run(["records", "list"]).exits_with(0).stdout.contains("no records"));
    let mut run = sandbox.command(["run", "first-look", "--quiet"]);
    ProgramOutput::of(run.args(set_arguments(QUICK))).exits_with(0);
    let files: Vec<_> = fs::read_dir(sandbox.path("records")).unwrap().collect();
    assert_eq!(files.len(), 1, "one file, and no temporary file");
    let path = files[0].as_ref().unwrap().path();
    read_checked(&path);
    let name = path.file_stem().unwrap().to_str().unwrap();
    assert!(name.contains("first-look"), "{name}");
    let list = sandbox.run(["records", "list"]).exits_with(0).stdout;
    assert!(list.contains(name) && list.contains("complete") && list.contains("1 of"), "{list}");
    let shown = sandbox.run(["records", "show", name]).exits_with(0).stdout;
    assert!(shown.contains(CAUTION), "{shown}");

    let foreign = sandbox.path("foreign.json");
    fs::write(&foreign, "{}").unwrap();
    sandbox.run(["records", "remove", foreign.to_str().unwrap()]).exits_with(1);
    assert!(foreign.exists(), "a file that is not a record is not removed");
    sandbox.run(["records", "remove", name]).exits_with(0);
    assert!(!path.exists());
    sandbox.run(["records", "show", name]).exits_with(1);
}

#[test]
fn completions_and_a_manual_page_are_printed() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.run(["completions", shell]).exits_with(0).stdout;
        assert!(script.contains("hubmark") && script.contains("profiles"), "{shell}");
    }
    let page = sandbox.run(["man"]).exits_with(0).stdout;
    assert!(page.starts_with(".ie") || page.contains(".TH hubmark"), "{page}");
    let version = sandbox.run(["--version"]).exits_with(0).stdout;
    assert_eq!(version.trim(), concat!("hubmark ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_stopped_run_is_resumed_and_a_complete_one_is_not_repeated() {
    let sandbox = Sandbox::new();
    let three: &[&str] = &["run.repetitions=3"];
    let run = |more: &[&str]| sandbox.run_command("first-look", &[QUICK, three], more);
    let child = run(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = child.id().cast_signed();
    // The record on disk is valid at any time, also during the run.
    until_some("the first repetition", || {
        let path = sandbox.out_path();
        path.exists().then(|| read_checked(&path)).filter(|r| repetitions(r).count() > 0)
    });
    send_signal(pid, Signal::SIGINT);
    ProgramOutput::from(child.wait_with_output().unwrap()).exits_with(130);

    let partial = sandbox.out_record();
    assert_eq!(partial.status, RecordStatus::Partial);
    assert!(partial.ended.is_some() && partial.finished.is_some());
    let measured = |record: &Record| -> Vec<_> {
        let valid = |r: &&hubmark::record::Repetition| r.verdict.status != Judgement::Failed;
        repetitions(record).filter(valid).cloned().collect()
    };
    let saved = measured(&partial);
    assert!((1..3).contains(&saved.len()), "{}", saved.len());

    let output = sandbox.resume("first-look", &[QUICK, three, &["run.seed=7"]]).exits_with(1);
    assert!(output.stderr.contains("plan"), "another plan is refused: {}", output.stderr);
    assert_eq!(sandbox.out_record(), partial);

    sandbox.resume("first-look", &[QUICK, three]).exits_with(0);
    let complete = sandbox.out_record();
    assert_eq!(complete.status, RecordStatus::Complete);
    assert_eq!((complete.started, &complete.plan), (partial.started, &partial.plan));
    assert_eq!(complete.run, partial.run);
    assert_eq!(complete.ended, None);
    let all = measured(&complete);
    assert_eq!(all[..saved.len()], saved[..], "what was measured is not measured again");
    let indices: BTreeSet<_> = all.iter().map(|repetition| repetition.index).collect();
    assert_eq!((indices, all.len()), (BTreeSet::from([0, 1, 2]), 3));
    assert_eq!(repetitions(&complete).count(), 3, "the stopped repetition has been replaced");

    sandbox.run(["run", "--resume", sandbox.out_path().to_str().unwrap()]).exits_with(0);
    let again = sandbox.out_record();
    assert_eq!(again.points, complete.points);
}
