//! Unplanned faults of a remote hub: its engine is restarted, its power is cut, the connection to it is
//! killed, an image is removed, its ports are taken. On a simulated hub over `ssh://`, which no other
//! tests use.
//!
//! The container tests run one representative row; `HUBMARK_FAULT_TABLE=full` runs every row on every
//! server in every phase, as `tests/long.sh faults` does.
use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use hubmark::{
    measure::Judgement,
    record::{RecordStatus, Repetition},
};
use nix::sys::signal::Signal;

use crate::support::{
    engine_proxy::AlterRequest,
    fault_rows::{is_full, run_tables},
    faulted_run::{
        ALL, ALL_PHASES, FaultPhase, FaultedOutcome, FaultedRun, RunSite, System, for_each_row,
    },
    images::build_images,
    process::send_signal,
    records::repetitions,
    remote_hub::{RemoteHub, processes_with},
    sandbox::Sandbox,
    turns::take_turn,
    wait::until,
};

static HUB: LazyLock<RemoteHub> = LazyLock::new(|| {
    let hub = RemoteHub::start();
    let systems = if is_full() { &ALL[..] } else { &ALL[ALL.len() - 1..] };
    build_images(&systems.iter().map(|system| system.backend).collect::<Vec<_>>());
    hub.load_images(&systems.iter().map(|system| system.image).collect::<Vec<_>>());
    hub
});

/// The simulated hub behind a new proxy.
fn remote_site() -> RunSite {
    static PROXIES: AtomicU32 = AtomicU32::new(0);
    let sandbox = Sandbox::new();
    let mut command = sandbox.program();
    HUB.prepare(&mut command);
    let proxy = format!("proxy{}.sock", PROXIES.fetch_add(1, Relaxed));
    RunSite {
        sandbox,
        command,
        engine: HUB.path("run/docker.sock"),
        proxy: HUB.path("run").join(&proxy),
        address: format!("ssh://pi/run/{proxy}"),
        // An orderly end of a broker may take long.
        load_seconds: if is_full() { 20 } else { 6 },
    }
}

/// Starts a run on the hub.
fn start_run(
    row: &str,
    system: System,
    phase: FaultPhase,
    sets: &[&str],
    alter: Option<AlterRequest>,
) -> FaultedRun {
    let sets = [&["workload.drain=\"60 s\""], sets].concat();
    FaultedRun::start(remote_site(), row, system, phase, &sets, alter)
}

/// The hub's engine ends with all its containers and starts again: the repetition fails and names the
/// server, and the next try is measured.
fn check_engine_loss(fault_name: &str, fault: fn(&RemoteHub)) {
    for_each_row(fault_name, &ALL, &ALL_PHASES, |row, system, phase| {
        let mut run = start_run(row, system, phase, &["run.retries=1"], None);
        run.wait_for(phase);
        fault(&HUB);
        let outcome = run.finish(0, &["the repetition is retried"]);
        assert_eq!(outcome.record.status, RecordStatus::Complete);
        assert_eq!(outcome.assert_counts_agree().repetition().attempt, 2);
        let [failed] = &outcome.record.points[0].failed_tries[..] else { panic!("one failed try") };
        assert_eq!(failed.verdict.status, Judgement::Failed);
        // With two servers, either may be seen to end first.
        let role = if system.backend == "kafka:2.8.0" { "" } else { system.role };
        let reason = &failed.verdict.reasons[0].text;
        let has = |words: &str| reason.contains(words);
        let ended = has(&format!("server {role}")) && has("exit code");
        // The engine may not have confirmed yet that the server runs.
        let unstarted = phase == FaultPhase::Start
            && has("did not start")
            && (has("exit code") || has("the engine or the connection to it"));
        assert!(ended || unstarted, "{reason}: {}", outcome.row);
        check_failed_try(phase, failed, &outcome);
    });
}

/// Checks what a try had done when it failed in `phase`.
fn check_failed_try(phase: FaultPhase, failed: &Repetition, outcome: &FaultedOutcome) {
    let ledger = failed.ledger;
    match phase {
        FaultPhase::Start => assert_eq!(ledger.sent, 0, "{}", outcome.row),
        // The open loop continues until the engine ends: all messages may have been sent.
        FaultPhase::Load => {
            assert!(ledger.sent > 0 && ledger.delivered < ledger.planned, "{}", outcome.row);
        }
        FaultPhase::Drain => assert_eq!(ledger.sent, ledger.planned, "{}", outcome.row),
    }
    if phase != FaultPhase::Start {
        let [count, _] = outcome.counts[..] else {
            panic!("{:?}: {}", outcome.counts, outcome.row)
        };
        outcome.assert_count_agrees(&ledger, count);
    }
}

fn the_engine_is_restarted() {
    check_engine_loss("engine restarted", RemoteHub::restart_engine);
}

fn the_hub_is_rebooted() {
    check_engine_loss("hub rebooted", RemoteHub::reboot);
}

/// The load does not use the tunnel, so the run is not affected.
fn the_connection_is_killed() {
    for_each_row("tunnel killed", &ALL, &ALL_PHASES, |row, system, phase| {
        let mut run = start_run(row, system, phase, &["run.retries=0"], None);
        run.wait_for(phase);
        let folder = run.sandbox.path("tmp").display().to_string();
        let tunnel = || {
            let forwards = |(_, line): &(i32, String)| line.contains("StreamLocalBindUnlink");
            processes_with(&folder).into_iter().find(forwards).map(|(pid, _)| pid)
        };
        let first = tunnel().expect("a tunnel");
        send_signal(first, Signal::SIGKILL);
        until("there is another tunnel", || tunnel().is_some_and(|pid| pid != first));
        run.finish(0, &[]).assert_counts_agree();
        assert_eq!(tunnel(), None);
    });
}

/// At the start: just before the main server's container is created. In the load: takes effect in the
/// next repetition, because a running server keeps its files; in the drain it would be the same.
fn the_image_is_removed() {
    for_each_row(
        "image removed",
        &ALL,
        &[FaultPhase::Start, FaultPhase::Load],
        |row, system, phase| {
            let remove = move || HUB.docker(&["rmi", "--force", system.image]);
            let twice = ["run.repetitions=2", "run.retries=0"];
            let failed = format!("{} did not start", system.role);
            let words = [failed.as_str(), system.image, "hubmark images build"];
            let outcome = if phase == FaultPhase::Start {
                let alter: AlterRequest = Box::new(move |body| {
                    if body["Labels"]["hubmark.role"] == system.role {
                        remove();
                    }
                });
                start_run(row, system, phase, &twice, Some(alter)).finish(1, &words)
            } else {
                let mut run = start_run(row, system, phase, &twice, None);
                run.wait_for(phase);
                remove();
                // Whichever server starts first.
                run.finish(1, &["did not start", system.image, "hubmark images build"])
            };
            HUB.load_images(&[system.image]);
            let all: Vec<_> = repetitions(&outcome.record).collect();
            assert_eq!(all.len(), 2);
            let unaffected = usize::from(phase == FaultPhase::Load);
            for (index, repetition) in all.iter().enumerate() {
                let failed = repetition.verdict.status == Judgement::Failed;
                assert_eq!(failed, index >= unaffected, "{}", outcome.row);
                assert!(!failed || repetition.ledger.sent == 0, "{}", outcome.row);
            }
            if unaffected == 1 {
                outcome.assert_count_agrees(&all[0].ledger, outcome.counts[0]);
            }
        },
    );
}

/// Only at the start: no other process can take the port of a running server.
fn all_ports_are_taken() {
    for_each_row("all ports taken", &ALL, &[FaultPhase::Start], |row, system, phase| {
        let _taken = HUB.take_ports(12_768);
        // Whichever server starts first.
        let words = ["did not start", "address already in use", "free some of its ports"];
        start_run(row, system, phase, &["run.retries=0"], None).finish(1, &words);
    });
}

fn a_quarter_of_the_ports_is_taken() {
    for_each_row(
        "a quarter of the ports taken",
        &ALL,
        &[FaultPhase::Start],
        |row, system, phase| {
            let _taken = HUB.take_ports(3_192);
            start_run(row, system, phase, &["run.retries=0"], None)
                .finish(0, &[])
                .assert_counts_agree();
        },
    );
}

#[test]
#[ignore = "needs a Docker engine"]
fn faults_of_a_remote_hub() {
    let _turn = take_turn("accidents_remote");
    run_tables(&[
        the_engine_is_restarted,
        the_hub_is_rebooted,
        the_connection_is_killed,
        the_image_is_removed,
        all_ports_are_taken,
        a_quarter_of_the_ports_is_taken,
    ]);
}
