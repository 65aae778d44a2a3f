//! What nobody planned, on real servers: each time the message says what happened, on what, and
//! what to do; the exit status tells; nothing is left on the hub; the record is valid, and its
//! ledger agrees with what a second reader counts in what is left of the server.
//!
//! The representative rows are part of the container tests; `HUBMARK_FAULT_TABLE=full` plays every
//! row on every server at every moment (tests/long.sh does).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod common;
mod gate;
mod support_faults;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread::sleep,
    time::Duration,
};

use gate::{
    Change, Gate,
    look::{records_left_in_kafka, rows_left_in_mariadb},
};
use hubmark::record::{Record, Repetition};
use nix::sys::signal::Signal;
use support_faults::{
    Bench,
    engine::{begin, containers},
    program,
    strike::{self, Others, SmallDisk},
    until,
};

const FULL: &str = "HUBMARK_FAULT_TABLE";
const SEED: &str = "HUBMARK_FAULT_SEED";

/// A load that lasts for more than one line of progress.
const LOAD: &[&str] = &[
    "workload.users=20",
    "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
    "workload.drain=\"12 s\"",
    "run.baseline=\"1 s\"",
    "run.retries=0",
];

/// A fault that nobody notices, and for whose end the drain waits.
const LONG_DRAIN: &str =
    "fault=[{ at = \"12 s\", kind = \"limit\", cpus = \"1 cpus\", for = \"9 s\" }]";

/// A system under test.
#[derive(Debug, Clone, Copy)]
struct System {
    backend: &'static str,
    /// Its main server.
    role: &'static str,
    port: u16,
    data: &'static str,
    /// The second reader.
    look: fn(&str) -> u64,
}

const OLD_KAFKA: System = System { backend: "kafka:2.8.0", ..KAFKA };
const KAFKA: System = System {
    backend: "kafka:4.4.0",
    role: "kafka",
    port: 9092,
    data: "/data/kafka",
    look: records_left_in_kafka,
};
const MARIADB: System = System {
    backend: "mariadb",
    role: "mariadb",
    port: 3306,
    data: "/var/lib/mysql",
    look: rows_left_in_mariadb,
};
/// The last one is played where there is no time for all.
const ALL: [System; 3] = [OLD_KAFKA, KAFKA, MARIADB];

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// As soon as the main server runs.
    Start,
    /// A second into the load.
    Load,
    Drain,
}

const EVERY_MOMENT: [Moment; 3] = [Moment::Start, Moment::Load, Moment::Drain];

/// A run to which something happens.
struct Scene {
    bench: Bench,
    gate: Gate,
    going: support_faults::Going,
    run: String,
    what: String,
    system: System,
}

/// What came of it.
struct Outcome {
    record: Record,
    /// What the second reader counted, where there was a server to look into.
    seen: Option<u64>,
    row: String,
}

impl Scene {
    fn start(what: &str, system: System, sets: &[&str], change: Option<Change>) -> Self {
        let bench = Bench::new();
        Self::on(bench, what, system, sets, change)
    }

    fn on(bench: Bench, what: &str, system: System, sets: &[&str], change: Option<Change>) -> Self {
        let gate = Gate::open_to_the_dead(&bench.path(""), system.look, change);
        let mut command = bench.command(program());
        command.env_remove("DOCKER_HOST");
        let engine = format!("hub.engine=\"{}\"", gate.engine());
        // A line of progress every five seconds tells the middle of the load.
        let length =
            if full() { "workload.duration=\"12 s\"" } else { "workload.duration=\"6 s\"" };
        let seed = format!("run.seed={}", seed());
        let sets = [LOAD, &[&engine, length, &seed], sets].concat();
        let (going, run) = begin(&bench, command, system.backend, &sets);
        Self { bench, gate, going, run, what: what.to_owned(), system }
    }

    /// Waits for a moment of the run.
    fn wait_for(&mut self, moment: Moment) {
        match moment {
            Moment::Start => {
                until("the server runs", || {
                    assert!(!self.going.over(), "it has ended: {}", self.going.stderr());
                    self.server().is_some()
                });
            }
            Moment::Load => {
                self.going.until_load();
                sleep(Duration::from_secs(1));
            }
            Moment::Drain => self.going.until_said(": drain "),
        }
    }

    /// The container of its main server, once that runs.
    fn server(&self) -> Option<String> {
        let all = containers(&self.run).into_iter();
        all.filter(|one| one.running && one.role == self.system.role).map(|one| one.id).next()
    }

    /// Lets something happen to its main server at a moment.
    fn strike(&mut self, moment: Moment, blow: impl FnOnce(&str)) {
        self.wait_for(moment);
        blow(&self.server().expect("a server"));
    }

    /// Waits for its end and checks what must hold whatever happened.
    fn end(self, code: i32, words: &[&str]) -> Outcome {
        self.end_by(&[(code, words)])
    }

    /// The same, where an accident may end in several ways: each is an exit status with its words.
    fn end_by(self, ways: &[(i32, &[&str])]) -> Outcome {
        let answer = self.going.end_within(Duration::from_mins(4));
        let row = format!(
            "{} on {}\n{}\n{}",
            self.what, self.system.backend, answer.stderr, answer.stdout
        );
        let record = common::read(&self.bench.record_file().expect("there is a record"));
        let way = ways.iter().find(|(code, _)| answer.status.code() == Some(*code));
        let (code, words) = way.unwrap_or_else(|| panic!("{:?}: {row}", answer.status));
        let told = format!("{}{}", answer.stderr, answer.stdout);
        for word in *words {
            assert!(told.contains(word), "{word:?} is missing: {row}");
        }
        assert!(!told.contains("panicked"), "{row}");
        assert!(!told.contains('\x1b') && told.ends_with('\n'), "the terminal: {row}");
        assert_eq!(containers(&self.run), [], "left behind: {row}");
        assert!(record.finished.is_some(), "{row}");
        let seen = self.gate.seen(&self.run).last().copied();
        println!("{} on {}: ok (status {code}, {seen:?} seen)", self.what, self.system.backend);
        let outcome = Outcome { record, seen, row };
        let undelivered = outcome.repetition().ledger.undelivered();
        assert!(undelivered == 0 || *code != 0, "{}", outcome.row);
        outcome
    }
}

impl Outcome {
    fn repetition(&self) -> &Repetition {
        common::only(&self.record)
    }

    /// What the server acknowledged it holds, and nothing that was never sent to it.
    fn agrees(&self) -> &Self {
        let (ledger, row) = (self.repetition().ledger, &self.row);
        let seen = self.seen.unwrap_or_else(|| panic!("not counted: {row}"));
        let most = ledger.sent - ledger.failed + ledger.duplicate;
        assert!(ledger.acked <= seen && seen <= most, "{seen} seen, {ledger:?}: {row}");
        self
    }

    fn has(&self, code: &str) -> &Self {
        let reasons = &self.repetition().verdict.reasons;
        assert!(reasons.iter().any(|one| one.code == code), "{code}: {reasons:?} {}", self.row);
        self
    }
}

/// The seed of every run's arrivals and payloads.
fn seed() -> u64 {
    std::env::var(SEED).map_or(42, |seed| seed.parse().expect("a number"))
}

fn full() -> bool {
    std::env::var(FULL).as_deref() == Ok("full")
}

/// Plays the rows of one accident: on every system and at every moment, or on one of them in the
/// middle of the load. One that fails does not keep the others from being played.
fn table(what: &str, systems: &[System], moments: &[Moment], row: impl Fn(System, Moment)) {
    let all = systems.iter().flat_map(|&system| moments.iter().map(move |&at| (system, at)));
    let rows: Vec<_> =
        if full() { all.collect() } else { vec![(systems[systems.len() - 1], Moment::Load)] };
    let played = |&&(system, moment): &&(System, Moment)| {
        println!("{what} on {} at {moment:?}", system.backend);
        catch_unwind(AssertUnwindSafe(|| row(system, moment))).is_err()
    };
    let failed: Vec<_> = rows.iter().filter(played).collect();
    println!("{what}: {} of {} rows without a fault", rows.len() - failed.len(), rows.len());
    assert!(failed.is_empty(), "{what}: {failed:?}");
}

fn drained(moment: Moment) -> &'static [&'static str] {
    if moment == Moment::Drain { &[LONG_DRAIN] } else { &[] }
}

#[test]
#[ignore = "needs a Docker engine"]
fn a_server_runs_out_of_memory() {
    table("out of memory", &ALL, &EVERY_MOMENT, |system, moment| {
        let mut scene = Scene::start("out of memory", system, drained(moment), None);
        scene.strike(moment, strike::want_of_memory);
        let named = format!("server {} was killed for want of memory", system.role);
        let outcome = scene.end(1, &[&named, "raise hub.limits.memory or its heap"]);
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
    table("disk full", &ALL, &EVERY_MOMENT, |system, moment| {
        let bench = Bench::new();
        let disk = SmallDisk::new(&bench.path(""), 400);
        let change = on_disk(&disk, system.data);
        let mut scene = Scene::on(bench, "disk full", system, drained(moment), Some(change));
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
    table("cut for good", &ALL, &EVERY_MOMENT, |system, moment| {
        let mut scene = Scene::start("cut for good", system, drained(moment), None);
        scene.strike(moment, strike::cut);
        let away = ["look at the hub's network"];
        let ways: &[(i32, &[&str])] = match moment {
            Moment::Start => &[(1, &[])],
            Moment::Load => &[(1, &away), (3, &away)],
            Moment::Drain => &[(0, &[]), (1, &away)],
        };
        let outcome = scene.end_by(ways);
        if moment != Moment::Start {
            outcome.agrees();
        }
    });
}

fn connections_are_reset() {
    table("connections reset", &ALL, &EVERY_MOMENT, |system, moment| {
        let mut scene = Scene::start("connections reset", system, drained(moment), None);
        scene.strike(moment, |server| strike::reset(server, system.port, Duration::from_secs(2)));
        // MariaDB's clients cannot know what became of a row that they were writing.
        scene.end_by(&[(0, &[]), (3, &["Connection reset by peer"])]).agrees();
    });
}

#[test]
#[ignore = "needs a Docker engine"]
fn the_password_is_wrong() {
    // The server gets another one than hubmark knows.
    let change: Change = Box::new(|body| {
        for variable in body["Env"].as_array_mut().unwrap() {
            let text = variable.as_str().unwrap().to_owned();
            if text.contains("_PASSWORD=") {
                *variable = format!("{text}x").into();
            }
        }
    });
    let scene = Scene::start("wrong password", MARIADB, &[], Some(change));
    let outcome = scene.end(1, &["Access denied"]);
    assert_eq!(outcome.repetition().ledger.sent, 0);
}

#[test]
#[ignore = "needs a Docker engine"]
fn authentication_is_taken_away() {
    let moments = [Moment::Load, Moment::Drain];
    table("authentication taken", &[MARIADB], &moments, |_, moment| {
        let mut scene = Scene::start("authentication taken", MARIADB, drained(moment), None);
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
    table("topic or table deleted", &ALL, &moments, |system, moment| {
        let mut scene = Scene::start("topic or table deleted", system, drained(moment), None);
        scene.strike(moment, |server| match system.role {
            "mariadb" => strike::sql(server, "DROP TABLE messages"),
            _ => strike::delete_topic(server),
        });
        scene.end(1, &[]);
    });
}

fn hubmark_stands_still() {
    table("hubmark stopped", &ALL, &[Moment::Load], |system, _| {
        let mut scene = Scene::start("hubmark stopped for 2 s", system, &[], None);
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
    table("processor taken", &ALL, &[Moment::Load], |system, _| {
        let mut scene = Scene::start("processor taken", system, &[], None);
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
    let rest = [
        connections_are_reset as fn(),
        the_network_is_cut_for_good,
        hubmark_stands_still,
        others_take_the_processor,
    ];
    let wanted = if full() { &rest[..] } else { &rest[..1] };
    let failed = wanted.iter().filter(|accident| catch_unwind(**accident).is_err()).count();
    assert_eq!(failed, 0, "accidents of which some row failed");
}
