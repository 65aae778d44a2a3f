//! The first thing that a stranger does, and every other command that needs no container.

use std::{collections::BTreeSet, fs, process::Stdio};

use hubmark::{
    measure::Judgement,
    record::{Record, Status, histogram},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::common::{Home, SHORT, Said, codes, eventually, only, read, repetitions};

const CAUTION: &str = "not Apache Kafka";

#[test]
fn a_first_look_measures_and_accounts_for_every_message() {
    let home = Home::new();
    // Nothing of the profile's shape is changed but its length.
    let said: Said = home.run("first-look", &[SHORT], &[]).output().unwrap().into();
    let said = said.ends(0);

    let record = home.record();
    let repetition = only(&record);
    let ledger = repetition.ledger;
    assert_eq!(ledger.planned, 200);
    assert_eq!([ledger.sent, ledger.acked, ledger.delivered], [200; 3]);
    assert_eq!(ledger.stored, Some(200));
    assert_eq!([ledger.lost, ledger.unsent, ledger.failed, ledger.late], [0; 4]);
    assert_eq!([ledger.duplicate, ledger.corrupt, ledger.out_of_order], [0; 3]);
    assert_eq!(codes(repetition), [""; 0]);
    assert_ne!(repetition.verdict.status, Judgement::Failed);
    assert_eq!(record.status, Status::Complete);

    for latency in [
        &repetition.latency.lag,
        &repetition.latency.ack,
        &repetition.latency.delivery,
        &repetition.latency.response,
    ] {
        let latency = latency.as_ref().unwrap();
        assert_eq!(latency.count, 200);
        assert_eq!((latency.negative, latency.overflow), (0, 0));
        let stored = histogram::distribution(latency).unwrap();
        assert_eq!(stored.histogram().len(), 200);
        assert_eq!(stored.percentile(0.5), latency.p50);
        assert!(latency.min <= latency.mean && latency.mean <= latency.max);
        // 200 messages carry a median and a 90th percentile, not more.
        assert!(latency.p50 <= latency.p90 && latency.p90.is_some());
        assert_eq!([latency.p99, latency.p999, latency.p9999], [None; 3]);
    }
    timeline_and_samples(&record);

    let server = &record.provenance.servers["builtin"];
    assert!(server.caution.as_ref().unwrap().contains(CAUTION));
    assert!(said.out.contains(CAUTION), "{}", said.out);
    for part in ["complete", "planned 200", "delivered 200", "lost 0", "record.json", "built-in"] {
        assert!(said.out.contains(part) || said.err.contains(part), "{part}:\n{}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{}", said.out);
    assert!(record.provenance.client.cores.is_some() && record.provenance.hub.cores.is_some());
}

fn timeline_and_samples(record: &Record) {
    let repetition = only(record);
    let sum = |count: fn(&hubmark::measure::Second) -> u64| {
        repetition.timeline.iter().map(count).sum::<u64>()
    };
    assert_eq!([sum(|s| s.due), sum(|s| s.sent), sum(|s| s.acked)], [200; 3]);
    assert_eq!(sum(|s| s.delivered), 200);
    assert_eq!(sum(|s| s.bytes), 200 * 100);
    let seconds: Vec<_> = repetition.timeline.iter().map(|s| s.second).collect();
    assert_eq!(seconds, (0..seconds.len() as u32).collect::<Vec<_>>());
    let broker = &repetition.resources["broker"];
    assert!(broker.cpu.core_seconds.is_some() && broker.memory.max.is_some());
    assert!(!repetition.samples["broker"].is_empty());
    assert!(repetition.generator.threads > 0 && repetition.generator.resident.0 > 0);
}

#[test]
fn the_hub_itself_is_read_while_it_is_measured() {
    let home = Home::new();
    let longer = "workload.messages=24";
    let cool = "run.cooldown={ below = \"0 C\", limit = \"100 ms\" }";
    let said: Said =
        home.run("first-look", &[SHORT, &[longer, cool]], &[]).output().unwrap().into();
    said.ends(0);
    let record = home.record();
    let facts = &record.provenance.hub;
    assert!(facts.fsync.is_some_and(|time| !time.is_zero()), "{facts:?}");
    let repetition = &record.points[0].repetitions[0];
    assert!(!repetition.hub.is_empty(), "six seconds have at least one reading");
    for line in &repetition.hub {
        let (busy, other) = (line.busy_cores.unwrap(), line.other_cores.unwrap_or(0.0));
        assert!((0.0..=busy).contains(&other), "{line:?}");
        assert!(line.memory_available.is_some() && line.disk_free.is_some(), "{line:?}");
    }
    assert!(repetition.hub.iter().any(|line| line.other_cores.is_some()), "{:?}", repetition.hub);
    // No hub is that cold; one without a thermometer is not waited for.
    assert_ne!(repetition.cooled.unwrap().reached, Some(true));
}

#[test]
fn the_result_comes_in_the_form_that_was_asked_for() {
    let home = Home::new();
    let json: Said =
        home.run("first-look", &[SHORT], &["--format", "json", "--quiet"]).output().unwrap().into();
    let json = json.ends(0);
    assert_eq!(json.err, "", "--quiet says nothing");
    let printed: Record = serde_json::from_str(&json.out).unwrap();
    assert_eq!(printed, home.record());

    let path = home.record_path();
    let path = path.to_str().unwrap();
    let shown = home.hubmark(["records", "show", path, "--format", "json"]).ends(0);
    assert_eq!(shown.out, json.out);

    let csv = home.hubmark(["records", "show", path, "--format", "csv"]).ends(0);
    let lines: Vec<Vec<_>> = csv.out.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 2, "a head and one repetition:\n{}", csv.out);
    assert_eq!(lines[0].len(), lines[1].len());
    let column = |name: &str| lines[1][lines[0].iter().position(|head| *head == name).unwrap()];
    assert_eq!((column("backend"), column("users"), column("lost")), ("builtin", "50", "0"));
    assert_eq!(column("delivered"), "200");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let home = Home::new();
    let said: Said = home.run("first-look", &[SHORT], &["--dry-run"]).output().unwrap().into();
    let said = said.ends(0);
    for part in ["first-look", "50", "200"] {
        assert!(said.out.contains(part), "{part}:\n{}", said.out);
    }
    assert!(!home.record_path().exists() && !home.path("records").exists());
}

#[test]
fn a_wrong_override_is_refused_with_everything_that_is_wrong() {
    let home = Home::new();
    let wrong: &[&str] = &["workload.user=5", "workload.messages=many", "nonsense"];
    let said: Said = home.run("first-look", &[wrong], &[]).output().unwrap().into();
    let said = said.ends(2);
    for part in ["workload.user", "users", "messages", "nonsense"] {
        assert!(said.err.contains(part), "{part}:\n{}", said.err);
    }
    assert!(!home.record_path().exists());
    let said = home.hubmark(["run", "first-lok"]).ends(2);
    assert!(said.err.contains("first-look"), "names what was meant: {}", said.err);
    home.hubmark(["run"]).ends(2);
    home.hubmark(["run", "first-look", "--resume"]).ends(2);
    home.hubmark(["run", "--set", "run.seed=1"]).ends(2);
    home.hubmark(["measure"]).ends(2);
    let said = home.hubmark([""; 0]).ends(2);
    assert!(said.err.contains("hubmark run"), "{}", said.err);
}

#[test]
fn profiles_are_listed_shown_checked_and_copied() {
    let home = Home::new();
    let list = home.hubmark(["profiles", "list"]).ends(0).out;
    for name in ["first-look", "study-latency-users", "study-throughput-quick"] {
        assert!(list.contains(name), "{list}");
    }
    let shown = home.hubmark(["profiles", "show", "first-look"]).ends(0).out;
    assert!(shown.contains("name = \"first-look\"") && shown.contains('#'), "{shown}");
    let own = home.path("own.toml");
    let own = own.to_str().unwrap();
    home.hubmark(["profiles", "copy", "first-look", own]).ends(0);
    assert_eq!(fs::read_to_string(own).unwrap(), shown);
    let said = home.hubmark(["profiles", "copy", "first-look", own]).ends(1);
    assert!(said.err.contains(own), "{}", said.err);
    let plan = home.hubmark(["profiles", "check", own]).ends(0).out;
    assert!(plan.contains("first-look"), "{plan}");

    fs::write(own, shown.replace("users = 100", "usrs = 100\nmessages = -3")).unwrap();
    let said = home.hubmark(["profiles", "check", own]).ends(2);
    for part in [own, "usrs", "users", "messages"] {
        assert!(said.err.contains(part), "{part}:\n{}", said.err);
    }
}

#[test]
fn records_are_listed_shown_and_removed() {
    let home = Home::new();
    assert!(home.hubmark(["records", "list"]).ends(0).out.contains("no records"));
    let mut run = home.command(["run", "first-look", "--quiet"]);
    for change in SHORT {
        run.args(["--set", change]);
    }
    Said::from(run.output().unwrap()).ends(0);
    let files: Vec<_> = fs::read_dir(home.path("records")).unwrap().collect();
    assert_eq!(files.len(), 1, "one file, no temporary one beside it");
    let path = files[0].as_ref().unwrap().path();
    read(&path);
    let name = path.file_stem().unwrap().to_str().unwrap();
    assert!(name.contains("first-look"), "{name}");
    let list = home.hubmark(["records", "list"]).ends(0).out;
    assert!(list.contains(name) && list.contains("complete") && list.contains("1 of"), "{list}");
    let shown = home.hubmark(["records", "show", name]).ends(0).out;
    assert!(shown.contains(CAUTION), "{shown}");

    let stranger = home.path("stranger.json");
    fs::write(&stranger, "{}").unwrap();
    home.hubmark(["records", "remove", stranger.to_str().unwrap()]).ends(1);
    assert!(stranger.exists(), "what is not a record is not removed");
    home.hubmark(["records", "remove", name]).ends(0);
    assert!(!path.exists());
    home.hubmark(["records", "show", name]).ends(1);
}

#[test]
fn packagers_get_completions_and_a_manual_page() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.hubmark(["completions", shell]).ends(0).out;
        assert!(script.contains("hubmark") && script.contains("profiles"), "{shell}");
    }
    let page = home.hubmark(["man"]).ends(0).out;
    assert!(page.starts_with(".ie") || page.contains(".TH hubmark"), "{page}");
    let version = home.hubmark(["--version"]).ends(0).out;
    assert_eq!(version.trim(), concat!("hubmark ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_run_goes_on_where_it_was_stopped_and_a_whole_one_is_left_alone() {
    let home = Home::new();
    let three: &[&str] = &["run.repetitions=3"];
    let run = |more: &[&str]| home.run("first-look", &[SHORT, three], more);
    let child = run(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    // The record is complete on disk at any time: it can be read while the run goes on.
    eventually("the first repetition", || {
        let path = home.record_path();
        path.exists().then(|| read(&path)).filter(|r| repetitions(r).count() > 0)
    });
    kill(pid, Signal::SIGINT).unwrap();
    Said::from(child.wait_with_output().unwrap()).ends(130);

    let partial = home.record();
    assert_eq!(partial.status, Status::Partial);
    assert!(partial.ended.is_some() && partial.finished.is_some());
    let whole = |record: &Record| -> Vec<_> {
        let valid = |r: &&hubmark::record::Repetition| r.verdict.status != Judgement::Failed;
        repetitions(record).filter(valid).cloned().collect()
    };
    let kept = whole(&partial);
    assert!((1..3).contains(&kept.len()), "{}", kept.len());

    let said = home.resume("first-look", &[SHORT, three, &["run.seed=7"]]).ends(1);
    assert!(said.err.contains("plan"), "another plan is refused: {}", said.err);
    assert_eq!(home.record(), partial);

    home.resume("first-look", &[SHORT, three]).ends(0);
    let complete = home.record();
    assert_eq!(complete.status, Status::Complete);
    assert_eq!((complete.started, &complete.plan), (partial.started, &partial.plan));
    assert_eq!(complete.run, partial.run);
    assert_eq!(complete.ended, None);
    let all = whole(&complete);
    assert_eq!(all[..kept.len()], kept[..], "what was measured is not measured again");
    let indices: BTreeSet<_> = all.iter().map(|repetition| repetition.index).collect();
    assert_eq!((indices, all.len()), (BTreeSet::from([0, 1, 2]), 3));
    assert_eq!(repetitions(&complete).count(), 3, "what was stopped has been replaced");

    home.hubmark(["run", "--resume", home.record_path().to_str().unwrap()]).ends(0);
    let again = home.record();
    assert_eq!(again.points, complete.points);
}
