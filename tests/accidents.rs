//! What nobody planned, on real servers: each time the message says what happened, on what, and
//! what to do; the exit status tells; nothing is left on the hub; the record is valid, and its
//! ledger agrees with what a second reader counts in what is left of the server.
//!
//! The representative rows are part of the container tests; `HUBMARK_FAULT_TABLE=full` plays every
//! row on every server at every moment (tests/long.sh does).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod common;
mod gate;
mod scene;
mod support_faults;

use std::{thread::sleep, time::Duration};

use gate::Change;
use nix::sys::signal::Signal;
use scene::{ALL, EVERY_MOMENT, MARIADB, Moment, Place, Scene, System, table};
use support_faults::{
    strike::{self, Others, SmallDisk},
    table::play_all,
};

/// What fails fails, and what does not arrive is not waited for long.
const BRIEF: &[&str] = &["run.retries=0", "workload.drain=\"12 s\""];
/// Everything arrives, however busy the machine is.
const PATIENT: &[&str] = &["run.retries=0", "workload.drain=\"60 s\""];

/// A run on this machine's engine.
fn run(row: &str, system: System, moment: Moment) -> Scene {
    Scene::start(Place::here(), row, system, moment, BRIEF, None)
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_server_runs_out_of_memory() {
    table("out of memory", &ALL, &EVERY_MOMENT, |row, system, moment| {
        let mut scene = run(row, system, moment);
        scene.strike(moment, strike::want_of_memory);
        // At its start it is either gone before it ever answered, or as it does.
        let words =
            ["killed for want of memory", "raise hub.limits.memory or its heap", system.role];
        let outcome = scene.end(1, &words);
        outcome.has("error");
        if moment != Moment::Start {
            outcome.agrees();
        }
    });
}

/// A container whose data lie on `disk`.
fn on_disk(disk: &SmallDisk, data: &'static str) -> Change {
    let bind = format!("{}:{data}", disk.name);
    Box::new(move |body| body["HostConfig"]["Binds"] = serde_json::json!([bind]))
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_servers_disk_is_full() {
    table("disk full", &ALL, &EVERY_MOMENT, |row, system, moment| {
        let place = Place::here();
        let disk = SmallDisk::new(&place.bench.path(""), 400);
        let change = on_disk(&disk, system.data);
        let mut scene = Scene::start(place, row, system, moment, BRIEF, Some(change));
        scene.strike(moment, |_| disk.fill());
        let full = ["full, make room on the hub"];
        let ended = ["server kafka ended by itself", "No space left on device"];
        let ways: &[(i32, &[&str])] = match (system.role, moment) {
            ("mariadb", Moment::Start) => &[(3, &full), (1, &[])],
            ("mariadb", Moment::Load) => &[(3, &full)],
            // Nothing is left to be written.
            (_, Moment::Drain) => &[(0, &[]), (1, &ended)],
            _ => &[(1, &ended)],
        };
        let outcome = scene.end_by(ways);
        if moment != Moment::Start {
            outcome.agrees();
        }
    });
}

fn the_network_is_cut_for_good() {
    table("cut for good", &ALL, &EVERY_MOMENT, |row, system, moment| {
        let mut scene = run(row, system, moment);
        scene.strike(moment, strike::cut);
        let away = ["look at the hub's network"];
        let ways: &[(i32, &[&str])] = match moment {
            Moment::Start => &[(1, &[])],
            Moment::Load => &[(1, &away), (3, &away)],
            // What was on its way may not have arrived.
            Moment::Drain => &[(0, &[]), (1, &away), (3, &away)],
        };
        let outcome = scene.end_by(ways);
        if moment != Moment::Start {
            outcome.agrees();
        }
    });
}

fn connections_are_reset() {
    table("connections reset", &ALL, &EVERY_MOMENT, |row, system, moment| {
        let mut scene = Scene::start(Place::here(), row, system, moment, PATIENT, None);
        scene.strike(moment, |server| strike::reset(server, system.port, Duration::from_secs(2)));
        // MariaDB's clients cannot know what became of a row that they were writing.
        scene.end_by(&[(0, &[]), (3, &["Connection reset by peer"])]).agrees();
    });
}

/// Gives a server another password than hubmark knows.
fn another_password(body: &mut serde_json::Value) {
    for variable in body["Env"].as_array_mut().unwrap() {
        let text = variable.as_str().unwrap().to_owned();
        if text.contains("_PASSWORD=") {
            *variable = format!("{text}x").into();
        }
    }
}

/// A Kafka of ours asks for none.
#[test]
#[ignore = "needs a Docker engine"]
fn the_password_is_wrong() {
    table("wrong password", &[MARIADB], &[Moment::Start], |row, system, moment| {
        let change: Change = Box::new(another_password);
        let scene = Scene::start(Place::here(), row, system, moment, BRIEF, Some(change));
        let outcome = scene.end(1, &["Access denied"]);
        assert_eq!(outcome.repetition().ledger.sent, 0);
    });
}

#[test]
#[ignore = "needs a Docker engine"]
fn authentication_is_taken_away() {
    let moments = [Moment::Load, Moment::Drain];
    table("authentication taken", &[MARIADB], &moments, |row, system, moment| {
        let mut scene = run(row, system, moment);
        scene.strike(moment, |server| {
            strike::sql(server, "ALTER USER hubmark@'%' IDENTIFIED BY 'another'");
            strike::sql(server, "KILL USER hubmark");
        });
        scene.end(1, &["Access denied"]).agrees();
    });
}

#[test]
#[ignore = "needs a Docker engine"]
fn what_is_written_to_is_deleted() {
    let moments = [Moment::Load, Moment::Drain];
    table("topic or table deleted", &ALL, &moments, |row, system, moment| {
        let mut scene = run(row, system, moment);
        scene.strike(moment, |server| match system.role {
            "mariadb" => strike::sql(server, "DROP TABLE messages"),
            _ => strike::delete_topic(server),
        });
        let told = match system.role {
            "mariadb" => "Table 'hubmark.messages' doesn't exist",
            _ => "the topic hubmark was there and is not any more",
        };
        scene.end(1, &[told]);
    });
}

fn hubmark_stands_still() {
    table("hubmark stopped", &ALL, &[Moment::Load], |row, system, moment| {
        let mut scene = Scene::start(Place::here(), row, system, moment, PATIENT, None);
        scene.wait_for(Moment::Load);
        scene.going.signal(Signal::SIGSTOP);
        sleep(Duration::from_secs(2));
        scene.going.signal(Signal::SIGCONT);
        let outcome = scene.end(0, &[]);
        outcome.agrees().has("client-saturated");
        let lag = outcome.repetition().latency.lag.as_ref().unwrap();
        assert!(lag.max >= 1.9e6, "{}", lag.max);
    });
}

fn others_take_the_processor() {
    table("processor taken", &ALL, &[Moment::Load], |row, system, moment| {
        let mut scene = Scene::start(Place::here(), row, system, moment, PATIENT, None);
        scene.wait_for(Moment::Load);
        let others = Others::crowd();
        sleep(Duration::from_secs(4));
        drop(others);
        let outcome = scene.end(0, &[]);
        let reasons = &outcome.agrees().repetition().verdict.reasons;
        let blamed = |code: &str| reasons.iter().any(|reason| reason.code == code);
        assert!(blamed("client-saturated") || blamed("machine-saturated"), "{}", outcome.row);
    });
}

/// What takes longer, but for one row of it.
#[test]
#[ignore = "needs a Docker engine"]
fn the_rest_of_the_table() {
    play_all(&[
        connections_are_reset,
        the_network_is_cut_for_good,
        hubmark_stands_still,
        others_take_the_processor,
    ]);
}
