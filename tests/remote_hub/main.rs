//! A hub on another machine, reached over `ssh://` and over TLS: rehearsed with an address, an
//! engine and an SSH server of its own. In one binary: the rehearsal takes its time, and is one for
//! all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../gate/mod.rs"]
mod gate;
#[path = "../rehearsal/mod.rs"]
mod rehearsal;
#[path = "../terminal/mod.rs"]
mod terminal;

mod doctor;
mod studies;
mod tls;

use std::{
    process::{Command, Stdio},
    sync::LazyLock,
};

use common::{Home, Said, eventually};
use hubmark::{
    measure::Judgement,
    record::{Record, Status},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rehearsal::{Remote, processes};

/// One for all tests; each has its own runs on it.
static REMOTE: LazyLock<Remote> = LazyLock::new(Remote::start);

/// Servers of the study, its newer broker too.
const BACKENDS: &str = "backend=[\"kafka:2.8.0\", \"kafka:4.4.0\", \"mariadb\"]";

/// Images on the rehearsed hub: built on this machine's engine where that has not been done, and
/// carried over.
static IMAGES: LazyLock<()> = LazyLock::new(|| {
    let home = Home::new();
    let profile = home.path("all.toml");
    let text = format!(
        "name = \"all\"\n{}\n[workload]\nkind = \"latency\"\nusers = 1\nmessages = 1\n",
        BACKENDS.replacen('=', " = ", 1)
    );
    std::fs::write(&profile, text).unwrap();
    Said::from(home.command(["images", "build", profile.to_str().unwrap()]).output().unwrap())
        .ends(0);
    REMOTE.load(&["hubmark/kafka:2.8.0", "hubmark/kafka:4.4.0", "hubmark/mariadb:10.11"]);
});

fn listed(home: &Home, hub: &str) -> Said {
    let mut command = home.command(["images", "list", "--hub", hub]);
    REMOTE.prepare(&mut command).output().unwrap().into()
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_engine_is_reached_by_alias_by_address_and_port_and_over_a_jump() {
    let home = Home::new();
    let address = &REMOTE.address;
    let by_port = format!("ssh://root@{address}:2222");
    let by_path = format!("ssh://{address}/run/docker.sock");
    for hub in ["ssh://pi", "ssh://jumped", &by_port, &by_path] {
        let said = listed(&home, hub).ends(0);
        assert_eq!(said.err, "", "{hub}");
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn each_reason_for_not_reaching_an_engine_has_its_own_words() {
    let home = Home::new();
    let address = &REMOTE.address;
    let cases = [
        (format!("ssh://{address}:9"), "the host does not answer", "is it switched on"),
        (format!("ssh://{address}:3"), "no SSH server at that port", "raspi-config"),
        ("ssh://no-such-host.invalid".into(), "has no address", "~/.ssh/config"),
        ("ssh://stranger".into(), "key is not known here", "log in once by hand"),
        ("ssh://changed".into(), "not the one that is known here", "ssh-keygen -R"),
        ("ssh://keyless".into(), "takes none of this user's keys", "ssh-copy-id keyless"),
        ("ssh://guest".into(), "may not open /var/run/docker.sock", "usermod -aG docker"),
        ("ssh://pi/run/no.sock".into(), "no socket /run/no.sock", "rootless"),
        ("ssh://pi/run/dead.sock".into(), "no engine answers behind it", "systemctl start docker"),
    ];
    // A socket that nobody listens on.
    drop(std::os::unix::net::UnixListener::bind(REMOTE.path("run/dead.sock")).unwrap());
    for (hub, reason, advice) in cases {
        let said = listed(&home, &hub).ends(1);
        assert!(said.err.contains(reason), "{hub}: {}", said.err);
        assert!(said.err.contains(advice), "{hub}: {}", said.err);
        assert!(said.err.contains(&hub), "{hub}: {}", said.err);
        assert!(!said.err.contains("@@@"), "raw words of ssh: {}", said.err);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn without_ssh_it_is_said_what_is_missing() {
    let home = Home::new();
    let mut command = home.command(["images", "list", "--hub", "ssh://pi"]);
    let said: Said = command.env("PATH", "/nonexistent").output().unwrap().into();
    let said = said.ends(1);
    assert!(said.err.contains("ssh is not installed here"), "{}", said.err);
    assert!(said.err.contains("apt install openssh-client"), "{}", said.err);
}

/// A run on the rehearsed hub, not yet started.
fn run(home: &Home, set: &[&[&str]]) -> Command {
    LazyLock::force(&IMAGES);
    let mut all = vec![
        &["hub.engine=\"ssh://pi\"", "run.baseline=\"3 s\"", "workload.drain=\"60 s\""][..],
        &["workload.users=50", "run.repetitions=1"],
    ];
    all.extend(set);
    let mut command = home.run("study-latency-users-quick", &all, &[]);
    REMOTE.prepare(&mut command);
    command
}

/// The record of a run to whose end all went well, on the hub that is not this machine.
fn whole(home: &Home, said: Said) -> Record {
    said.ends(0);
    let record = home.record();
    assert_eq!(record.status, Status::Complete);
    for repetition in common::repetitions(&record) {
        let ledger = repetition.ledger;
        assert_eq!([ledger.sent, ledger.acked, ledger.delivered], [ledger.planned; 3]);
        assert_eq!((ledger.stored, ledger.lost), (Some(ledger.planned), 0));
        for resources in repetition.resources.values() {
            assert!(resources.cpu.core_seconds.is_some() && resources.memory.mean.is_some());
        }
    }
    let path = record.path.expect("the path was measured");
    assert!(path.p50.is_some_and(|p50| p50 > 0.0), "{path}");
    assert!(path.from_hub > Some(1e3) && path.to_hub > Some(1e3), "{path}");
    let hub = &record.provenance.hub;
    assert!(!hub.shared_with_client, "{hub:?}");
    assert!(hub.engine.is_some() && hub.kernel.is_some() && hub.cores.is_some());
    let left = format!("label=hubmark.run={}", record.run);
    assert_eq!(REMOTE.docker(&["ps", "-aq", "--filter", &left]), "", "containers are left");
    record
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_study_runs_on_a_hub_over_ssh() {
    let home = Home::new();
    let said = run(&home, &[&[BACKENDS, "workload.messages=5"]]).output().unwrap().into();
    let record = whole(&home, said);
    assert_eq!(record.points.len(), 3);
}

/// The `ssh` processes that forward a socket of `home`.
fn tunnels(home: &Home) -> Vec<i32> {
    let word = home.path("tmp").display().to_string();
    let forwarding = |(_, line): &(i32, String)| line.contains("StreamLocalBindUnlink");
    processes(&word).into_iter().filter(forwarding).map(|(pid, _)| pid).collect()
}

/// A run on MariaDB with a load of so many seconds; returns once that has begun.
fn in_mid_run(home: &Home, seconds: u32) -> std::process::Child {
    std::fs::create_dir(home.path("tmp")).unwrap();
    let log = std::fs::File::create(home.path("told")).unwrap();
    let mut command =
        run(home, &[&["backend=\"mariadb\"", &format!("workload.messages={seconds}")]]);
    command.env("HUBMARK_TMP", home.path("tmp")).stderr(log).stdout(Stdio::null());
    let child = command.spawn().unwrap();
    eventually("the load to begin", || {
        std::fs::read_to_string(home.path("told")).unwrap().contains(": load ").then_some(())
    });
    child
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_run_goes_on_when_its_connection_is_killed() {
    let home = Home::new();
    let mut child = in_mid_run(&home, 12);
    let first = eventually("the tunnel", || tunnels(&home).first().copied());
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    eventually("another tunnel", || tunnels(&home).into_iter().find(|&pid| pid != first));
    let status = child.wait().unwrap().code();
    let err = std::fs::read_to_string(home.path("told")).unwrap();
    whole(&home, Said { status, out: String::new(), err });
    let left: Vec<_> = std::fs::read_dir(home.path("tmp")).unwrap().collect();
    assert!(left.is_empty() && tunnels(&home).is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_run_takes_its_connection_along_and_is_cleared_away_later() {
    let home = Home::new();
    let mut child = in_mid_run(&home, 12);
    assert!(!tunnels(&home).is_empty());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    eventually("the tunnel's end", || tunnels(&home).is_empty().then_some(()));
    let mut command = home.command(["clean", "--hub", "ssh://pi"]);
    REMOTE.prepare(&mut command).env("HUBMARK_TMP", home.path("tmp"));
    let said = Said::from(command.output().unwrap()).ends(0);
    assert!(said.out.contains("mariadb of run"), "{}{}", said.out, said.err);
    assert_eq!(std::fs::read_dir(home.path("tmp")).unwrap().count(), 0);
    let run = &home.record().run;
    let left = REMOTE.docker(&["ps", "-aq", "--filter", &format!("label=hubmark.run={run}")]);
    assert_eq!(left, "");
}

/// As short as a run can be.
const BRIEF: &[&str] = &["workload.messages=3", "backend=\"mariadb\""];

#[test]
#[ignore = "needs a Docker engine"]
fn two_runs_on_one_hub_leave_each_other_alone_and_say_that_they_disturb_each_other() {
    let (home, other) = (Home::new(), Home::new());
    let mut long = in_mid_run(&other, 25);
    let said: Said = run(&home, &[BRIEF]).output().unwrap().into();
    let theirs = format!("run {}", other.record().run);
    let warned = format!("another run is at work on this hub: {theirs}");
    assert!(said.err.contains(&warned), "{}", said.err);
    let record = whole(&home, said);
    let doubts = |record: &Record| -> Vec<(Judgement, String)> {
        let verdicts = common::repetitions(record).map(|repetition| &repetition.verdict);
        let of = |verdict: &hubmark::measure::Verdict| {
            let found = verdict.reasons.iter().find(|reason| reason.code == "other-run");
            (verdict.status, found.map_or_else(String::new, |reason| reason.text.clone()))
        };
        verdicts.map(of).collect()
    };
    for (judged, reason) in doubts(&record) {
        assert_eq!(judged, Judgement::Suspect);
        assert!(reason.contains(&theirs), "{reason}");
    }
    // The other came to its end all the same: with its own servers to the last message.
    assert_eq!(long.wait().unwrap().code(), Some(0));
    let ledger = common::only(&other.record()).ledger;
    assert_eq!(ledger.delivered, ledger.planned);
}
