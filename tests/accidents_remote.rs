//! What nobody planned, on a hub on another machine: its engine is restarted, its power is cut, the
//! connection to it dies, its image goes away, its ports are taken. Rehearsed with an engine of its
//! own, reached over `ssh://`.
//!
//! The representative rows are part of the container tests; `HUBMARK_FAULT_TABLE=full` plays every
//! row on every server at every moment (tests/long.sh does).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod common;
mod gate;
mod rehearsal;
mod scene;
mod support_faults;

use std::{
    process::Command,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use gate::Change;
use hubmark::{
    measure::Judgement,
    record::{Repetition, Status},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rehearsal::{Remote, processes};
use scene::{ALL, EVERY_MOMENT, Moment, Outcome, Place, Scene, System, table};
use support_faults::{
    Bench, program,
    table::{full, play_all},
    until,
};

static REMOTE: LazyLock<Remote> = LazyLock::new(|| {
    let remote = Remote::start();
    let bench = Bench::new();
    let profile = bench.path("all.toml");
    let systems = if full() { &ALL[..] } else { &ALL[ALL.len() - 1..] };
    let backends: Vec<_> = systems.iter().map(|system| system.backend).collect();
    let text = format!(
        "name = \"all\"\nbackend = {backends:?}\n[workload]\nkind = \"latency\"\nusers = 1\n\
         messages = 1\n"
    );
    std::fs::write(&profile, text).unwrap();
    let built = Command::new(program())
        .env("HUBMARK_STATE_DIR", bench.path("state"))
        .args(["images", "build", profile.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    remote.load(&systems.iter().map(|system| system.image).collect::<Vec<_>>());
    remote
});

/// The rehearsed hub, behind a gate that it has to itself.
fn there() -> Place {
    static GATES: AtomicU32 = AtomicU32::new(0);
    let bench = Bench::new();
    let mut command = bench.command(program());
    REMOTE.prepare(&mut command);
    let gate = format!("gate{}.sock", GATES.fetch_add(1, Relaxed));
    Place {
        bench,
        command,
        engine: REMOTE.path("run/docker.sock"),
        gate: REMOTE.path("run").join(&gate),
        address: format!("ssh://pi/run/{gate}"),
        // A broker that is ended in order may take its time.
        seconds: if full() { 20 } else { 6 },
    }
}

/// A run there, changed by `sets`.
fn run(row: &str, system: System, moment: Moment, sets: &[&str], change: Option<Change>) -> Scene {
    let sets = [&["workload.drain=\"60 s\""], sets].concat();
    Scene::start(there(), row, system, moment, &sets, change)
}

/// A hub whose engine ends with all its containers, and comes back: the repetition has failed by
/// the server's name, and the next try is measured.
fn comes_back(what: &str, accident: fn(&Remote)) {
    table(what, &ALL, &EVERY_MOMENT, |row, system, moment| {
        let mut scene = run(row, system, moment, &["run.retries=1"], None);
        scene.wait_for(moment);
        accident(&REMOTE);
        let outcome = scene.end(0, &["it is tried again"]);
        assert_eq!(outcome.record.status, Status::Complete);
        assert_eq!(outcome.agrees().repetition().attempt, 2);
        let [failed] = &outcome.record.points[0].failed_tries[..] else { panic!("one failed try") };
        assert_eq!(failed.verdict.status, Judgement::Failed);
        // Of two servers that end together either may be seen first.
        let named = if system.backend == "kafka:2.8.0" { "" } else { system.role };
        let reason = &failed.verdict.reasons[0].text;
        let has = |words: &str| reason.contains(words);
        let ended = has(&format!("server {named}")) && has("exit code");
        // It may not have been said yet that the server runs, or by nobody.
        let unstarted = moment == Moment::Start
            && has("did not start")
            && (has("exit code") || has("the engine, or the way to it"));
        assert!(ended || unstarted, "{reason}: {}", outcome.row);
        had_come_to(moment, failed, &outcome);
    });
}

/// What a try that failed at a moment had done.
fn had_come_to(moment: Moment, failed: &Repetition, outcome: &Outcome) {
    let ledger = failed.ledger;
    match moment {
        Moment::Start => assert_eq!(ledger.sent, 0, "{}", outcome.row),
        // The open loop goes on while the engine takes its time: all may have been handed over.
        Moment::Load => {
            assert!(ledger.sent > 0 && ledger.delivered < ledger.planned, "{}", outcome.row);
        }
        Moment::Drain => assert_eq!(ledger.sent, ledger.planned, "{}", outcome.row),
    }
    if moment != Moment::Start {
        let [seen, _] = outcome.seen[..] else { panic!("{:?}: {}", outcome.seen, outcome.row) };
        outcome.agree(&ledger, seen);
    }
}

fn the_engine_is_restarted() {
    comes_back("engine restarted", Remote::restart_engine);
}

fn the_hub_is_rebooted() {
    comes_back("hub rebooted", Remote::reboot);
}

/// The load does not travel through it: nothing happens to the run.
fn the_connection_is_killed() {
    table("tunnel killed", &ALL, &EVERY_MOMENT, |row, system, moment| {
        let mut scene = run(row, system, moment, &["run.retries=0"], None);
        scene.wait_for(moment);
        let ours = scene.bench.path("tmp").display().to_string();
        let tunnel = || {
            let forwards = |(_, line): &(i32, String)| line.contains("StreamLocalBindUnlink");
            processes(&ours).into_iter().find(forwards).map(|(pid, _)| pid)
        };
        let first = tunnel().expect("a tunnel");
        kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
        until("there is another", || tunnel().is_some_and(|pid| pid != first));
        scene.end(0, &[]).agrees();
        assert_eq!(tunnel(), None);
    });
}

/// At the start: just before the main server's container is asked for. In the load: between two
/// repetitions, for a server that runs keeps its files; the drain would be the same once more.
fn the_image_is_removed() {
    table("image removed", &ALL, &[Moment::Start, Moment::Load], |row, system, moment| {
        let remove = move || REMOTE.docker(&["rmi", "--force", system.image]);
        let twice = ["run.repetitions=2", "run.retries=0"];
        let failed = format!("{} did not start", system.role);
        let words = [failed.as_str(), system.image, "hubmark images build"];
        let outcome = if moment == Moment::Start {
            let change: Change = Box::new(move |body| {
                if body["Labels"]["hubmark.role"] == system.role {
                    remove();
                }
            });
            run(row, system, moment, &twice, Some(change)).end(1, &words)
        } else {
            let mut scene = run(row, system, moment, &twice, None);
            scene.wait_for(moment);
            remove();
            // Whichever of its servers is the first.
            scene.end(1, &["did not start", system.image, "hubmark images build"])
        };
        REMOTE.load(&[system.image]);
        let all: Vec<_> = common::repetitions(&outcome.record).collect();
        assert_eq!(all.len(), 2);
        let whole = usize::from(moment == Moment::Load);
        for (index, repetition) in all.iter().enumerate() {
            let failed = repetition.verdict.status == Judgement::Failed;
            assert_eq!(failed, index >= whole, "{}", outcome.row);
            assert!(!failed || repetition.ledger.sent == 0, "{}", outcome.row);
        }
        if whole == 1 {
            outcome.agree(&all[0].ledger, outcome.seen[0]);
        }
    });
}

/// Only at the start, as the next: a server that runs holds its port, and nobody else can take it.
fn all_ports_are_taken() {
    table("all ports taken", &ALL, &[Moment::Start], |row, system, moment| {
        let _others = REMOTE.take_ports(12_768);
        // Whichever of its servers is the first.
        let words = ["did not start", "address already in use", "end what holds its ports"];
        run(row, system, moment, &["run.retries=0"], None).end(1, &words);
    });
}

fn a_quarter_of_the_ports_is_taken() {
    table("a quarter of the ports taken", &ALL, &[Moment::Start], |row, system, moment| {
        let _others = REMOTE.take_ports(3_192);
        run(row, system, moment, &["run.retries=0"], None).end(0, &[]).agrees();
    });
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_hub_on_another_machine_suffers() {
    play_all(&[
        the_engine_is_restarted,
        the_hub_is_rebooted,
        the_connection_is_killed,
        the_image_is_removed,
        all_ports_are_taken,
        a_quarter_of_the_ports_is_taken,
    ]);
}
