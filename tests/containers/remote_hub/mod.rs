//! A hub on another machine, reached over `ssh://` and over TLS. The tests share one simulated hub,
//! because it takes long to start.

mod doctor;
mod slow_hub;
mod studies;
mod tls;

use std::{process::Command, sync::LazyLock, time::Duration};

use hubmark::{
    measure::{Judgement, Verdict},
    record::{Record, RecordStatus},
};
use nix::sys::signal::Signal;

use crate::support::{
    docker::run_filter,
    images::build_images,
    process::{ProgramOutput, RunningProgram, send_signal},
    records::{only_repetition, repetitions},
    remote_hub::{RemoteHub, processes_with},
    sandbox::Sandbox,
    wait::{until, until_some},
};

/// The simulated hub; each test has its own runs on it.
static HUB: LazyLock<RemoteHub> = LazyLock::new(RemoteHub::start);

/// How long a run with a load of some seconds may take.
const RUN_LIMIT: Duration = Duration::from_mins(5);

/// Backends with an image on the hub.
const BACKENDS: [&str; 3] = ["kafka:2.8.0", "kafka:4.4.0", "mariadb"];

/// Images on the hub: built on this machine's engine where they are missing, and copied.
static IMAGES: LazyLock<()> = LazyLock::new(|| {
    build_images(&BACKENDS);
    HUB.load_images(&["hubmark/kafka:2.8.0", "hubmark/kafka:4.4.0", "hubmark/mariadb:10.11"]);
});

/// Runs `hubmark images list` on a hub.
fn list_images(sandbox: &Sandbox, hub: &str) -> ProgramOutput {
    let mut command = sandbox.command(["images", "list", "--hub", hub]);
    HUB.prepare(&mut command).output().unwrap().into()
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_engine_is_reached_by_alias_by_address_and_port_and_by_jump_host() {
    let sandbox = Sandbox::new();
    let address = &HUB.address;
    let by_port = format!("ssh://root@{address}:2222");
    let by_path = format!("ssh://{address}/run/docker.sock");
    for hub in ["ssh://pi", "ssh://jumped", &by_port, &by_path] {
        let output = list_images(&sandbox, hub).exits_with(0);
        assert_eq!(output.stderr, "", "{hub}");
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn each_reason_for_an_unreachable_engine_has_its_own_message() {
    let sandbox = Sandbox::new();
    let address = &HUB.address;
    let cases = [
        (format!("ssh://{address}:9"), "the host does not answer", "it is switched on"),
        (format!("ssh://{address}:3"), "no SSH server at that port", "raspi-config"),
        ("ssh://no-such-host.invalid".into(), "has no address", "~/.ssh/config"),
        ("ssh://stranger".into(), "key is not known here", "log in once by hand"),
        ("ssh://changed".into(), "not the one that is known here", "ssh-keygen -R"),
        ("ssh://keyless".into(), "accepts none of this user's keys", "ssh-copy-id keyless"),
        ("ssh://guest".into(), "may not open /var/run/docker.sock", "usermod -aG docker"),
        ("ssh://pi/run/no.sock".into(), "no socket /run/no.sock", "rootless"),
        ("ssh://pi/run/dead.sock".into(), "no engine answers behind it", "systemctl start docker"),
    ];
    // A socket without a listener.
    drop(std::os::unix::net::UnixListener::bind(HUB.path("run/dead.sock")).unwrap());
    for (hub, reason, advice) in cases {
        let output = list_images(&sandbox, &hub).exits_with(1);
        assert!(output.stderr.contains(reason), "{hub}: {}", output.stderr);
        assert!(output.stderr.contains(advice), "{hub}: {}", output.stderr);
        assert!(output.stderr.contains(&hub), "{hub}: {}", output.stderr);
        assert!(!output.stderr.contains("@@@"), "unchanged output of ssh: {}", output.stderr);
    }
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_missing_ssh_program_is_reported() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["images", "list", "--hub", "ssh://pi"]);
    let output = ProgramOutput::of(command.env("PATH", "/nonexistent")).exits_with(1);
    assert!(output.stderr.contains("ssh is not installed here"), "{}", output.stderr);
    assert!(output.stderr.contains("apt install openssh-client"), "{}", output.stderr);
}

/// Containers of a run that are on the hub.
fn containers_left(run: &str) -> String {
    HUB.docker(&["ps", "-aq", "--filter", &run_filter(run)])
}

/// A short study on the hub, not yet started.
fn study_command(sandbox: &Sandbox, set: &[&[&str]]) -> Command {
    LazyLock::force(&IMAGES);
    let mut all = vec![
        &["hub.engine=\"ssh://pi\"", "run.baseline=\"3 s\"", "workload.drain=\"60 s\""][..],
        &["workload.users=50", "run.repetitions=1"],
    ];
    all.extend(set);
    let mut command = sandbox.run_command("study-latency-users-quick", &all, &[]);
    HUB.prepare(&mut command);
    command
}

/// Checks that a run on the hub succeeded and left nothing; returns its record.
fn check_complete(sandbox: &Sandbox, output: ProgramOutput) -> Record {
    output.exits_with(0);
    let record = sandbox.out_record();
    assert_eq!(record.status, RecordStatus::Complete);
    for repetition in repetitions(&record) {
        let ledger = repetition.ledger;
        assert_eq!([ledger.sent, ledger.delivered], [ledger.planned; 2]);
        assert_eq!(ledger.acked, Some(ledger.planned));
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
    assert_eq!(containers_left(&record.run), "");
    record
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_study_runs_over_ssh() {
    let sandbox = Sandbox::new();
    let backends = format!("backend={BACKENDS:?}");
    let mut command = study_command(&sandbox, &[&[&backends, "workload.messages=5"]]);
    let output = ProgramOutput::of(&mut command);
    let record = check_complete(&sandbox, output);
    assert_eq!(record.points.len(), 3);
}

/// The `ssh` processes that forward a socket of a sandbox.
fn tunnels(sandbox: &Sandbox) -> Vec<i32> {
    let folder = sandbox.path("tmp").display().to_string();
    let forwarding = |(_, line): &(i32, String)| line.contains("StreamLocalBindUnlink");
    processes_with(&folder).into_iter().filter(forwarding).map(|(pid, _)| pid).collect()
}

/// Starts a run on MariaDB with a load of `seconds`; returns in its load.
fn start_loaded_run(sandbox: &Sandbox, seconds: u32) -> RunningProgram {
    let messages = format!("workload.messages={seconds}");
    let command = study_command(sandbox, &[&["backend=\"mariadb\"", &messages]]);
    let mut run = sandbox.start(command);
    run.wait_for_load();
    run
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_run_continues_when_its_connection_is_killed() {
    let sandbox = Sandbox::new();
    let run = start_loaded_run(&sandbox, 12);
    let first = until_some("a tunnel", || tunnels(&sandbox).first().copied());
    send_signal(first, Signal::SIGKILL);
    until_some("another tunnel", || tunnels(&sandbox).into_iter().find(|&pid| pid != first));
    check_complete(&sandbox, run.wait_within(RUN_LIMIT));
    let left = sandbox.server_folders();
    assert!(left.is_empty() && tunnels(&sandbox).is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_killed_run_ends_its_connection_and_clean_removes_its_leftovers() {
    let sandbox = Sandbox::new();
    let run = start_loaded_run(&sandbox, 12);
    assert!(!tunnels(&sandbox).is_empty());
    run.kill();
    until("the tunnel has ended", || tunnels(&sandbox).is_empty());
    let mut command = sandbox.command(["clean", "--hub", "ssh://pi"]);
    let output = ProgramOutput::of(HUB.prepare(&mut command)).exits_with(0);
    assert!(output.stdout.contains("mariadb of run"), "{}{}", output.stdout, output.stderr);
    assert_eq!(sandbox.server_folders().len(), 0);
    assert_eq!(containers_left(&sandbox.out_record().run), "");
}

/// Overrides for the shortest run.
const SHORTEST: &[&str] = &["workload.messages=3", "backend=\"mariadb\""];

#[test]
#[ignore = "needs a Docker engine"]
fn two_runs_on_one_hub_do_not_interfere_but_are_suspect() {
    let (sandbox, other) = (Sandbox::new(), Sandbox::new());
    let other_run = start_loaded_run(&other, 25);
    let output = ProgramOutput::of(&mut study_command(&sandbox, &[SHORTEST]));
    let other_name = format!("run {}", other.out_record().run);
    let warned = format!("another run is active on this hub: {other_name}");
    assert!(output.stderr.contains(&warned), "{}", output.stderr);
    let record = check_complete(&sandbox, output);
    let doubts = |record: &Record| -> Vec<(Judgement, String)> {
        let verdicts = repetitions(record).map(|repetition| &repetition.verdict);
        let of = |verdict: &Verdict| {
            let found = verdict.reasons.iter().find(|reason| reason.code == "other-run");
            (verdict.status, found.map_or_else(String::new, |reason| reason.text.clone()))
        };
        verdicts.map(of).collect()
    };
    for (judged, reason) in doubts(&record) {
        assert_eq!(judged, Judgement::Suspect);
        assert!(reason.contains(&other_name), "{reason}");
    }
    // The other run completes on its own servers.
    other_run.wait_within(RUN_LIMIT).reports(0, &[]);
    let ledger = only_repetition(&other.out_record()).ledger;
    assert_eq!(ledger.delivered, ledger.planned);
}
