//! A run with an injected fault, on this machine's engine or on another, and what must hold whatever
//! the fault was: the message, the exit status, the terminal, nothing left on the hub, and a valid
//! record whose ledger agrees with an independent count of what the server stores.

use std::{path::PathBuf, process::Command, thread::sleep, time::Duration};

use hubmark::{
    measure::Ledger,
    record::{Record, Repetition},
};

use super::{
    container_run::start_study_run,
    docker::{LOCAL_SOCKET, containers_of_run_at, unix_address},
    engine_proxy::{self, AlterRequest, EngineProxy, MessageCounter},
    fault_rows::{is_full, run_rows, seed_setting},
    process::RunningProgram,
    records::{only_repetition, read_checked, repetitions},
    sandbox::Sandbox,
    stored_count::{records_left_in_kafka, rows_left_in_mariadb},
    wait::until,
};

const LOAD: &[&str] = &[
    "workload.users=20",
    "workload.arrival={ distribution = \"constant\", mean = \"100 ms\" }",
    "run.baseline=\"1 s\"",
];

/// How long a run may take until its load begins, and then until its end.
const LOAD_LIMIT: Duration = Duration::from_mins(3);
const END_LIMIT: Duration = Duration::from_mins(5);

/// A system under test.
#[derive(Debug, Clone, Copy)]
pub struct System {
    pub backend: &'static str,
    /// Role of its main server.
    pub role: &'static str,
    pub image: &'static str,
    pub port: u16,
    pub data_dir: &'static str,
    counter: MessageCounter,
}

pub const OLD_KAFKA: System =
    System { backend: "kafka:2.8.0", image: "hubmark/kafka:2.8.0", ..KAFKA };
pub const KAFKA: System = System {
    backend: "kafka:4.4.0",
    role: "kafka",
    image: "hubmark/kafka:4.4.0",
    port: 9092,
    data_dir: "/data/kafka",
    counter: records_left_in_kafka,
};
pub const MARIADB: System = System {
    backend: "mariadb",
    role: "mariadb",
    image: "hubmark/mariadb:10.11",
    port: 3306,
    data_dir: "/var/lib/mysql",
    counter: rows_left_in_mariadb,
};
/// All systems; the last one represents the others.
pub const ALL: [System; 3] = [OLD_KAFKA, KAFKA, MARIADB];

/// When a fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPhase {
    /// As soon as the main server runs.
    Start,
    /// A second into the load.
    Load,
    Drain,
}

pub const ALL_PHASES: [FaultPhase; 3] = [FaultPhase::Start, FaultPhase::Load, FaultPhase::Drain];

/// Runs the rows of one fault: on every system in every phase, or only on the last system in the
/// load.
pub fn for_each_row(
    fault: &str,
    systems: &[System],
    phases: &[FaultPhase],
    run: impl Fn(&str, System, FaultPhase),
) {
    let rows = systems.iter().flat_map(|&system| {
        let name = move |at: FaultPhase| format!("{fault} on {} at {at:?}", system.backend);
        phases.iter().map(move |&at| (name(at), (name(at), system, at)))
    });
    let load = phases.iter().position(|&at| at == FaultPhase::Load).unwrap_or(0);
    let representative = (systems.len() - 1) * phases.len() + load;
    run_rows(fault, rows, representative, |(name, system, phase)| run(&name, system, phase));
}

/// The engine of a run with a fault, and how the program reaches it.
pub struct RunSite {
    pub sandbox: Sandbox,
    /// The program, which finds the engine.
    pub command: Command,
    /// The engine's socket on this machine.
    pub engine: PathBuf,
    /// The socket of the proxy before that engine.
    pub proxy: PathBuf,
    /// The proxy's address for hubmark.
    pub address: String,
    /// Length of the load. Progress is reported every five seconds.
    pub load_seconds: u32,
}

impl RunSite {
    /// This machine's engine.
    pub fn local() -> Self {
        let sandbox = Sandbox::with_engine();
        let command = sandbox.program();
        let proxy = sandbox.path(engine_proxy::SOCKET);
        let address = unix_address(&proxy);
        let load_seconds = if is_full() { 12 } else { 6 };
        Self { sandbox, command, engine: LOCAL_SOCKET.into(), proxy, address, load_seconds }
    }
}

/// A run in progress, into which a fault is injected.
pub struct FaultedRun {
    pub sandbox: Sandbox,
    pub program: RunningProgram,
    proxy: EngineProxy,
    engine: PathBuf,
    run: String,
    row: String,
    system: System,
}

/// A run with a fault, after its end.
pub struct FaultedOutcome {
    pub record: Record,
    /// Independent counts in the servers that were removed.
    pub counts: Vec<u64>,
    /// The row with the program's output, for messages of failed tests.
    pub row: String,
}

impl FaultedRun {
    /// Starts a run for a fault in `phase`; `alter_request` is applied to every container's request.
    pub fn start(
        site: RunSite,
        row: &str,
        system: System,
        phase: FaultPhase,
        sets: &[&str],
        alter_request: Option<AlterRequest>,
    ) -> Self {
        let RunSite { sandbox, command, engine, proxy, address, load_seconds } = site;
        let proxy = EngineProxy::counting_ended(&proxy, &engine, system.counter, alter_request);
        let mut all: Vec<String> = LOAD.iter().copied().map(str::to_owned).collect();
        all.push(format!("hub.engine=\"{address}\""));
        all.push(format!("workload.duration=\"{load_seconds} s\""));
        all.push(seed_setting());
        if phase == FaultPhase::Drain {
            // A fault without effect, for whose end the drain waits.
            all.push(format!(
                "fault=[{{ at = \"{load_seconds} s\", kind = \"limit\", cpus = \"1 cpus\", \
                 for = \"9 s\" }}]"
            ));
        }
        let all: Vec<_> = all.iter().map(String::as_str).chain(sets.iter().copied()).collect();
        let (program, run) = start_study_run(&sandbox, command, system.backend, &all);
        Self { sandbox, program, proxy, engine, run, row: row.to_owned(), system }
    }

    /// Waits for a phase of the run.
    pub fn wait_for(&mut self, phase: FaultPhase) {
        match phase {
            FaultPhase::Start => until("the server runs", || {
                assert!(!self.program.has_ended(), "it has ended: {}", self.program.stderr());
                self.main_server().is_some()
            }),
            FaultPhase::Load => {
                self.program.wait_for_stderr_within(LOAD_LIMIT, ": load ");
                sleep(Duration::from_secs(1));
            }
            FaultPhase::Drain => self.program.wait_for_stderr_within(LOAD_LIMIT, ": drain "),
        }
    }

    /// The container of the main server, if it runs.
    pub fn main_server(&self) -> Option<String> {
        let containers = containers_of_run_at(&self.engine, &self.run).into_iter();
        let mut main = containers.filter(|one| one.running && one.role == self.system.role);
        main.next().map(|one| one.id)
    }

    /// Waits for a phase and injects a fault into the main server.
    pub fn inject(&mut self, phase: FaultPhase, fault: impl FnOnce(&str)) {
        self.wait_for(phase);
        fault(&self.main_server().expect("a server"));
    }

    /// Waits for the end; checks exit status, words of the output, and what must always hold.
    pub fn finish(self, status: i32, words: &[&str]) -> FaultedOutcome {
        self.finish_as_any(&[(status, words)])
    }

    /// Like [`FaultedRun::finish`] for a fault with several possible ends: exit statuses with words
    /// of the output.
    pub fn finish_as_any(self, ends: &[(i32, &[&str])]) -> FaultedOutcome {
        let answer = self.program.wait_within(END_LIMIT);
        let row = format!("{}\n{}\n{}", self.row, answer.stderr, answer.stdout);
        let record = read_checked(&self.sandbox.record_file().expect("there is a record"));
        let end = ends.iter().find(|(status, _)| answer.status == Some(*status));
        let (status, words) = end.unwrap_or_else(|| panic!("{:?}: {row}", answer.status));
        let output = format!("{}{}", answer.stderr, answer.stdout);
        for word in *words {
            assert!(output.contains(word), "{word:?} is missing: {row}");
        }
        assert!(!output.contains("panicked"), "{row}");
        assert!(!output.contains('\x1b') && output.ends_with('\n'), "the terminal: {row}");
        assert_eq!(containers_of_run_at(&self.engine, &self.run), [], "left on the hub: {row}");
        assert_eq!(self.sandbox.server_folders().len(), 0, "left on this machine: {row}");
        assert!(record.finished.is_some(), "{row}");
        for attempt in record.points.iter().flat_map(|point| &point.failed_tries) {
            assert_eq!(attempt.ledger.contradictions(), [""; 0], "{row}");
        }
        let undelivered = |repetition: &Repetition| repetition.ledger.undelivered();
        assert!(*status != 0 || repetitions(&record).all(|r| undelivered(r) == 0), "{row}");
        let counts = self.proxy.counts_of(&self.run);
        println!("{}: ok (status {status}, {counts:?} counted)", self.row);
        FaultedOutcome { record, counts, row }
    }
}

impl FaultedOutcome {
    /// The only repetition.
    pub fn repetition(&self) -> &Repetition {
        only_repetition(&self.record)
    }

    /// Checks that the server of the only repetition stores what it acknowledged, and nothing that
    /// was not sent.
    pub fn assert_counts_agree(&self) -> &Self {
        let count = *self.counts.last().unwrap_or_else(|| panic!("not counted: {}", self.row));
        self.assert_count_agrees(&self.repetition().ledger, count);
        self
    }

    /// Checks a count in a server against a ledger.
    pub fn assert_count_agrees(&self, ledger: &Ledger, count: u64) {
        let most = ledger.sent - ledger.failed + ledger.duplicate;
        assert!(
            ledger.acked <= Some(count) && count <= most,
            "{count} counted, {ledger:?}: {}",
            self.row
        );
    }

    /// Checks that the verdict has a reason with `code`.
    pub fn assert_reason(&self, code: &str) -> &Self {
        let reasons = &self.repetition().verdict.reasons;
        assert!(reasons.iter().any(|one| one.code == code), "{code}: {reasons:?} {}", self.row);
        self
    }
}
