//! A run to which something happens, on this machine's engine or on another, and what must hold
//! whatever it was: the message, the exit status, the terminal, nothing left on the hub, a valid
//! record whose ledger agrees with what a second reader counts in what is left of the server.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use std::{path::PathBuf, process::Command, thread::sleep, time::Duration};

use hubmark::{
    measure::Ledger,
    record::{Record, Repetition},
};

use crate::{
    common,
    gate::{
        self, Change, Gate, Look,
        look::{records_left_in_kafka, rows_left_in_mariadb},
    },
    support_faults::{
        Bench, Going,
        engine::{begin, containers_on},
        program,
        table::{self, full, seed},
        until,
    },
};

const LOAD: &[&str] = &[
    "workload.users=20",
    "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
    "run.baseline=\"1 s\"",
];

/// How long a hub may take to play the load, and then to end.
const TO_LOAD: Duration = Duration::from_mins(3);
const TO_END: Duration = Duration::from_mins(5);

/// A system under test.
#[derive(Debug, Clone, Copy)]
pub struct System {
    pub backend: &'static str,
    /// Its main server.
    pub role: &'static str,
    pub image: &'static str,
    pub port: u16,
    pub data: &'static str,
    /// The second reader.
    look: Look,
}

pub const OLD_KAFKA: System =
    System { backend: "kafka:2.8.0", image: "hubmark/kafka:2.8.0", ..KAFKA };
pub const KAFKA: System = System {
    backend: "kafka:4.4.0",
    role: "kafka",
    image: "hubmark/kafka:4.4.0",
    port: 9092,
    data: "/data/kafka",
    look: records_left_in_kafka,
};
pub const MARIADB: System = System {
    backend: "mariadb",
    role: "mariadb",
    image: "hubmark/mariadb:10.11",
    port: 3306,
    data: "/var/lib/mysql",
    look: rows_left_in_mariadb,
};
/// The last one is played where there is no time for all.
pub const ALL: [System; 3] = [OLD_KAFKA, KAFKA, MARIADB];

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// As soon as the main server runs.
    Start,
    /// A second into the load.
    Load,
    Drain,
}

pub const EVERY_MOMENT: [Moment; 3] = [Moment::Start, Moment::Load, Moment::Drain];

/// Plays the rows of one accident: on every system and at every moment, or on the last of them in
/// the middle of the load.
pub fn table(
    what: &str,
    systems: &[System],
    moments: &[Moment],
    row: impl Fn(&str, System, Moment),
) {
    let rows = systems.iter().flat_map(|&system| {
        let name = move |at: Moment| format!("{what} on {} at {at:?}", system.backend);
        moments.iter().map(move |&at| (name(at), (name(at), system, at)))
    });
    let middle = moments.iter().position(|&at| at == Moment::Load).unwrap_or(0);
    let representative = (systems.len() - 1) * moments.len() + middle;
    table::play(what, rows, representative, |(name, system, moment)| row(&name, system, moment));
}

/// Where a run takes place.
pub struct Place {
    pub bench: Bench,
    /// The program, which finds its way there.
    pub command: Command,
    /// The engine's socket, as this machine sees it.
    pub engine: PathBuf,
    /// Where a gate before that engine opens.
    pub gate: PathBuf,
    /// What hubmark calls the gate.
    pub address: String,
    /// How long the load lasts. A line of progress every five seconds tells its middle.
    pub seconds: u32,
}

impl Place {
    /// This machine's engine.
    pub fn here() -> Self {
        let bench = Bench::new();
        let mut command = bench.command(program());
        command.env_remove("DOCKER_HOST");
        let gate = bench.path("gate.sock");
        let address = format!("unix://{}", gate.display());
        let seconds = if full() { 12 } else { 6 };
        Self { bench, command, engine: gate::ENGINE.into(), gate, address, seconds }
    }
}

/// A run to which something happens.
pub struct Scene {
    pub bench: Bench,
    pub going: Going,
    gate: Gate,
    engine: PathBuf,
    run: String,
    row: String,
    system: System,
}

/// What came of it.
pub struct Outcome {
    pub record: Record,
    /// What the second reader counted in each server that was there to be looked into.
    pub seen: Vec<u64>,
    pub row: String,
}

impl Scene {
    /// Starts a run to which something will happen at that moment; `change` is made to every
    /// container asked for.
    pub fn start(
        place: Place,
        row: &str,
        system: System,
        moment: Moment,
        sets: &[&str],
        change: Option<Change>,
    ) -> Self {
        let Place { bench, command, engine, gate, address, seconds } = place;
        let gate = Gate::open_elsewhere(&gate, &engine, system.look, change);
        let mut all: Vec<String> = LOAD.iter().copied().map(str::to_owned).collect();
        all.push(format!("hub.engine=\"{address}\""));
        all.push(format!("workload.duration=\"{seconds} s\""));
        all.push(seed());
        if moment == Moment::Drain {
            // A fault that nobody notices, and for whose end the drain waits.
            all.push(format!(
                "fault=[{{ at = \"{seconds} s\", kind = \"limit\", cpus = \"1 cpus\", for = \"9 s\" }}]"
            ));
        }
        let all: Vec<_> = all.iter().map(String::as_str).chain(sets.iter().copied()).collect();
        let (going, run) = begin(&bench, command, system.backend, &all);
        Self { bench, going, gate, engine, run, row: row.to_owned(), system }
    }

    /// Waits for a moment of the run.
    pub fn wait_for(&mut self, moment: Moment) {
        match moment {
            Moment::Start => {
                until("the server runs", || {
                    assert!(!self.going.over(), "it has ended: {}", self.going.stderr());
                    self.server().is_some()
                });
            }
            Moment::Load => {
                self.going.until_said_within(": load ", TO_LOAD);
                sleep(Duration::from_secs(1));
            }
            Moment::Drain => self.going.until_said_within(": drain ", TO_LOAD),
        }
    }

    /// The container of its main server, once that runs.
    pub fn server(&self) -> Option<String> {
        let all = containers_on(&self.engine, &self.run).into_iter();
        all.filter(|one| one.running && one.role == self.system.role).map(|one| one.id).next()
    }

    /// Lets something happen to its main server at a moment.
    pub fn strike(&mut self, moment: Moment, blow: impl FnOnce(&str)) {
        self.wait_for(moment);
        blow(&self.server().expect("a server"));
    }

    /// Waits for its end and checks what must hold whatever happened.
    pub fn end(self, code: i32, words: &[&str]) -> Outcome {
        self.end_by(&[(code, words)])
    }

    /// The same, where an accident may end in several ways: each is an exit status with its words.
    pub fn end_by(self, ways: &[(i32, &[&str])]) -> Outcome {
        let answer = self.going.end_within(TO_END);
        let row = format!("{}\n{}\n{}", self.row, answer.stderr, answer.stdout);
        let record = common::read(&self.bench.record_file().expect("there is a record"));
        let way = ways.iter().find(|(code, _)| answer.status.code() == Some(*code));
        let (code, words) = way.unwrap_or_else(|| panic!("{:?}: {row}", answer.status));
        let told = format!("{}{}", answer.stderr, answer.stdout);
        for word in *words {
            assert!(told.contains(word), "{word:?} is missing: {row}");
        }
        assert!(!told.contains("panicked"), "{row}");
        assert!(!told.contains('\x1b') && told.ends_with('\n'), "the terminal: {row}");
        assert_eq!(containers_on(&self.engine, &self.run), [], "left behind: {row}");
        assert_eq!(self.bench.folders().len(), 0, "left behind here: {row}");
        assert!(record.finished.is_some(), "{row}");
        for tried in record.points.iter().flat_map(|point| &point.failed_tries) {
            assert_eq!(tried.ledger.contradictions(), [""; 0], "{row}");
        }
        let undelivered = |repetition: &Repetition| repetition.ledger.undelivered();
        assert!(*code != 0 || common::repetitions(&record).all(|r| undelivered(r) == 0), "{row}");
        let seen = self.gate.seen(&self.run);
        println!("{}: ok (status {code}, {seen:?} seen)", self.row);
        Outcome { record, seen, row }
    }
}

impl Outcome {
    /// The only repetition.
    pub fn repetition(&self) -> &Repetition {
        common::only(&self.record)
    }

    /// The server of the only repetition holds what it acknowledged, and nothing that was never
    /// sent to it.
    pub fn agrees(&self) -> &Self {
        let seen = *self.seen.last().unwrap_or_else(|| panic!("not counted: {}", self.row));
        self.agree(&self.repetition().ledger, seen);
        self
    }

    /// The same of a server and its ledger.
    pub fn agree(&self, ledger: &Ledger, seen: u64) {
        let most = ledger.sent - ledger.failed + ledger.duplicate;
        assert!(ledger.acked <= seen && seen <= most, "{seen} seen, {ledger:?}: {}", self.row);
    }

    pub fn has(&self, code: &str) -> &Self {
        let reasons = &self.repetition().verdict.reasons;
        assert!(reasons.iter().any(|one| one.code == code), "{code}: {reasons:?} {}", self.row);
        self
    }
}
