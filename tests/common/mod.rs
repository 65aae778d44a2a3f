//! What tests of the real program share: a home of its own for each, and records that are checked
//! against the published schema before anybody looks at them.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
    time::Duration,
};

use hubmark::{
    broker::LIES_VARIABLE,
    record::{Record, Repetition, store},
};
use serde_json::Value;

/// The committed schema of records.
pub const SCHEMA_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/record.schema.json");

/// A first look of a second: as short as it can be and still have every phase.
pub const SHORT: &[&str] = &[
    "workload.users=50",
    "workload.messages=4",
    "workload.arrival={ distribution = \"normal\", mean = \"250 ms\", deviation = \"60 ms\" }",
    "run.baseline=\"200 ms\"",
];

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_slice(&fs::read(SCHEMA_FILE).unwrap()).unwrap();
    jsonschema::draft202012::new(&schema).expect("the committed schema is one")
});

/// What the schema has to say against `record`.
pub fn objections(record: &Value) -> Vec<String> {
    VALIDATOR.iter_errors(record).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// A place where hubmark keeps nothing but what one test made it keep.
pub struct Home {
    folder: tempfile::TempDir,
}

/// How a command ended and what it said.
pub struct Said {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Said {
    /// Demands an exit status; shows everything that was said when it is another.
    #[track_caller]
    pub fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "\n--- out\n{}--- err\n{}", self.out, self.err);
        self
    }
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, not yet started.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubmark"));
        command
            .args(arguments)
            .env("HUBMARK_CONFIG_DIR", self.path("config"))
            .env("HUBMARK_RECORDS_DIR", self.path("records"))
            .env("HUBMARK_STATE_DIR", self.path("state"))
            .env_remove(LIES_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Executes the program to its end.
    pub fn hubmark<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// `hubmark run PROFILE --out record.json` with overrides and further arguments, not yet
    /// started.
    pub fn run(&self, profile: &str, set: &[&[&str]], more: &[&str]) -> Command {
        let mut command = self.command(["run", profile, "--out"]);
        command.arg(self.record_path()).args(more);
        for change in set.iter().copied().flatten() {
            command.args(["--set", change]);
        }
        command
    }

    /// `hubmark run PROFILE --resume record.json` with overrides, to its end.
    pub fn resume(&self, profile: &str, set: &[&[&str]]) -> Said {
        let mut command = self.command(["run", profile, "--resume"]);
        command.arg(self.record_path());
        for change in set.iter().copied().flatten() {
            command.args(["--set", change]);
        }
        command.output().unwrap().into()
    }

    pub fn record_path(&self) -> PathBuf {
        self.path("record.json")
    }

    /// The record of [`Home::run`].
    pub fn record(&self) -> Record {
        read(&self.record_path())
    }
}

/// The record at `path`, after the schema and the books have been checked.
#[track_caller]
pub fn read(path: &Path) -> Record {
    let value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(objections(&value), [""; 0], "{}", path.display());
    let record = store::load(path).unwrap();
    for repetition in repetitions(&record) {
        assert_eq!(repetition.ledger.contradictions(), [""; 0]);
    }
    record
}

/// Every repetition of a record.
pub fn repetitions(record: &Record) -> impl Iterator<Item = &Repetition> {
    record.points.iter().flat_map(|point| &point.repetitions)
}

/// The only repetition of a record.
#[track_caller]
pub fn only(record: &Record) -> &Repetition {
    let all: Vec<_> = repetitions(record).collect();
    assert_eq!(all.len(), 1);
    all[0]
}

/// Reasons for doubt that speak of this machine's other work, not of the messages.
const ABOUT_THE_MACHINE: [&str; 3] = ["client-saturated", "machine-saturated", "samples-missing"];

/// The same of a hub, which in tests is this machine.
const ABOUT_THE_HUB: &str = "hub-";

/// Codes of the verdict's reasons, but for those that a busy machine adds to any run.
pub fn codes(repetition: &Repetition) -> Vec<&str> {
    let codes = repetition.verdict.reasons.iter().map(|reason| reason.code.as_str());
    codes
        .filter(|code| !ABOUT_THE_MACHINE.contains(code) && !code.starts_with(ABOUT_THE_HUB))
        .collect()
}

/// Waits until `what` is there; a test that waits in vain fails.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_200 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited in vain for {what}");
}
