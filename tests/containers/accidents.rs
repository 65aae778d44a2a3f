//! Unplanned faults of real servers: the message says what happened, on what, and what to do; the exit
//! status shows it; nothing is left on the hub; the record is valid, and its ledger agrees with an
//! independent count of what the server stores.
//!
//! The container tests run one representative row of each table; `HUBMARK_FAULT_TABLE=full` runs every
//! row on every server in every phase, as `tests/long.sh faults` does.
use std::{thread::sleep, time::Duration};

use nix::sys::signal::Signal;

use crate::support::{
    engine_proxy::AlterRequest,
    fault_rows::run_tables,
    faulted_run::{
        ALL, ALL_PHASES, FaultPhase, FaultedRun, MARIADB, RunSite, System, for_each_row,
    },
    server_faults::{self, CpuHogs},
    tmpfs::SmallVolume,
    turns::take_turn,
};

/// No retries, and a short wait for missing messages.
const SHORT_DRAIN: &[&str] = &["run.retries=0", "workload.drain=\"12 s\""];
/// No retries, and a wait that is long enough for a busy machine.
const LONG_DRAIN: &[&str] = &["run.retries=0", "workload.drain=\"60 s\""];

/// Starts a run on this machine's engine.
fn start_run(row: &str, system: System, phase: FaultPhase) -> FaultedRun {
    FaultedRun::start(RunSite::local(), row, system, phase, SHORT_DRAIN, None)
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_server_runs_out_of_memory() {
    for_each_row("out of memory", &ALL, &ALL_PHASES, |row, system, phase| {
        let mut run = start_run(row, system, phase);
        run.inject(phase, server_faults::exhaust_memory);
        let words = [
            "ran out of memory and was killed",
            "raise hub.limits.memory or lower its heap",
            system.role,
        ];
        let outcome = run.finish(1, &words);
        outcome.assert_reason("error");
        if phase != FaultPhase::Start {
            outcome.assert_counts_agree();
        }
    });
}

/// Puts the data of a container on a small volume.
fn data_on(volume: &SmallVolume, data_dir: &'static str) -> AlterRequest {
    let bind = format!("{}:{data_dir}", volume.name);
    Box::new(move |body| body["HostConfig"]["Binds"] = serde_json::json!([bind]))
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_servers_disk_is_full() {
    for_each_row("disk full", &ALL, &ALL_PHASES, |row, system, phase| {
        let site = RunSite::local();
        let disk = SmallVolume::new(&site.sandbox.path(""), "400m");
        let alter = data_on(&disk, system.data_dir);
        let mut run = FaultedRun::start(site, row, system, phase, SHORT_DRAIN, Some(alter));
        run.inject(phase, |_| disk.fill());
        let full = ["full, make room on the hub"];
        let ended = ["server kafka ended by itself", "No space left on device"];
        let ends: &[(i32, &[&str])] = match (system.role, phase) {
            ("mariadb", FaultPhase::Start) => &[(3, &full), (1, &[])],
            ("mariadb", FaultPhase::Load) => &[(3, &full)],
            // No data remain to be written.
            (_, FaultPhase::Drain) => &[(0, &[]), (1, &ended)],
            _ => &[(1, &ended)],
        };
        let outcome = run.finish_as_any(ends);
        if phase != FaultPhase::Start {
            outcome.assert_counts_agree();
        }
    });
}

fn the_network_is_cut_permanently() {
    for_each_row("cut for good", &ALL, &ALL_PHASES, |row, system, phase| {
        let mut run = start_run(row, system, phase);
        run.inject(phase, server_faults::disconnect);
        let unreachable = ["check the hub's network"];
        let ends: &[(i32, &[&str])] = match phase {
            FaultPhase::Start => &[(1, &[])],
            FaultPhase::Load => &[(1, &unreachable), (3, &unreachable)],
            // Messages on the way may not have arrived.
            FaultPhase::Drain => &[(0, &[]), (1, &unreachable), (3, &unreachable)],
        };
        let outcome = run.finish_as_any(ends);
        if phase != FaultPhase::Start {
            outcome.assert_counts_agree();
        }
    });
}

fn connections_are_reset() {
    for_each_row("connections reset", &ALL, &ALL_PHASES, |row, system, phase| {
        let mut run = FaultedRun::start(RunSite::local(), row, system, phase, LONG_DRAIN, None);
        run.inject(phase, |server| {
            server_faults::reset_connections(server, system.port, Duration::from_secs(2));
        });
        // MariaDB's clients cannot know whether the row that they were writing was stored.
        run.finish_as_any(&[(0, &[]), (3, &["Connection reset by peer"])]).assert_counts_agree();
    });
}

/// Gives a server another password than hubmark uses.
fn change_password(body: &mut serde_json::Value) {
    for variable in body["Env"].as_array_mut().unwrap() {
        let text = variable.as_str().unwrap().to_owned();
        if text.contains("_PASSWORD=") {
            *variable = format!("{text}x").into();
        }
    }
}

/// hubmark's Kafka uses no password.
#[test]
#[ignore = "needs a Docker engine"]
fn the_password_is_wrong() {
    for_each_row("wrong password", &[MARIADB], &[FaultPhase::Start], |row, system, phase| {
        let alter: AlterRequest = Box::new(change_password);
        let run = FaultedRun::start(RunSite::local(), row, system, phase, SHORT_DRAIN, Some(alter));
        let outcome = run.finish(1, &["Access denied"]);
        assert_eq!(outcome.repetition().ledger.sent, 0);
    });
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_account_is_changed_during_the_run() {
    let phases = [FaultPhase::Load, FaultPhase::Drain];
    for_each_row("authentication taken", &[MARIADB], &phases, |row, system, phase| {
        let mut run = start_run(row, system, phase);
        run.inject(phase, |server| {
            server_faults::run_sql(server, "ALTER USER hubmark@'%' IDENTIFIED BY 'another'");
            server_faults::run_sql(server, "KILL USER hubmark");
        });
        run.finish(1, &["Access denied"]).assert_counts_agree();
    });
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_topic_or_table_is_deleted() {
    let phases = [FaultPhase::Load, FaultPhase::Drain];
    for_each_row("topic or table deleted", &ALL, &phases, |row, system, phase| {
        let mut run = start_run(row, system, phase);
        run.inject(phase, |server| match system.role {
            "mariadb" => server_faults::run_sql(server, "DROP TABLE messages"),
            _ => server_faults::delete_topic(server),
        });
        let expected = match system.role {
            "mariadb" => "Table 'hubmark.messages' doesn't exist",
            _ => "the topic hubmark disappeared during the run",
        };
        run.finish(1, &[expected]);
    });
}

fn hubmark_is_stopped_and_continued() {
    for_each_row("hubmark stopped", &ALL, &[FaultPhase::Load], |row, system, phase| {
        let mut run = FaultedRun::start(RunSite::local(), row, system, phase, LONG_DRAIN, None);
        run.wait_for(FaultPhase::Load);
        run.program.signal(Signal::SIGSTOP);
        sleep(Duration::from_secs(2));
        run.program.signal(Signal::SIGCONT);
        let outcome = run.finish(0, &[]);
        outcome.assert_counts_agree().assert_reason("client-saturated");
        let lag = outcome.repetition().latency.lag.as_ref().unwrap();
        assert!(lag.max >= 1.9e6, "{}", lag.max);
    });
}

fn other_processes_take_the_processor() {
    for_each_row("processor taken", &ALL, &[FaultPhase::Load], |row, system, phase| {
        let mut run = FaultedRun::start(RunSite::local(), row, system, phase, LONG_DRAIN, None);
        run.wait_for(FaultPhase::Load);
        CpuHogs::start(4).wait();
        let outcome = run.finish(0, &[]);
        let reasons = &outcome.assert_counts_agree().repetition().verdict.reasons;
        let has_reason = |code: &str| reasons.iter().any(|reason| reason.code == code);
        assert!(
            has_reason("client-saturated") || has_reason("machine-saturated"),
            "{}",
            outcome.row
        );
    });
}

/// Tables of longer faults: without full tables, one row of the first.
#[test]
#[ignore = "needs a Docker engine"]
fn longer_faults() {
    let _turn = take_turn("accidents");
    run_tables(&[
        connections_are_reset,
        the_network_is_cut_permanently,
        hubmark_is_stopped_and_continued,
        other_processes_take_the_processor,
    ]);
}
