//! A bench for tests of what goes wrong: the real program, with folders of its own.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

pub mod engine;
pub mod strike;
pub mod table;

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use hubmark::{
    measure::Judgement,
    record::{Record, Repetition, store},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

/// Long enough for a busy machine; reached only by a failing test.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at something that is to happen.
const GLANCE: Duration = Duration::from_millis(20);

/// An engine that nobody has.
pub const NO_ENGINE: &str = "unix:///nonexistent/engine.sock";

/// A load of five users that lasts far longer than any test.
pub const LONG: &[&str] = &[
    "workload.users=5",
    "workload.messages=100000",
    "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
    "run.baseline=\"0 s\"",
    // What fails must fail: another try would last as long.
    "run.retries=0",
];

/// Hundreds of repetitions of a fraction of a second.
pub const SHORT: &[&str] = &[
    "workload.users=5",
    "workload.messages=3",
    "workload.arrival={ distribution = \"constant\", mean = \"20 ms\" }",
    "run.baseline=\"0 s\"",
    "run.repetitions=500",
];

/// The program under test.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_hubmark")
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(GLANCE);
    }
}

/// Whether a process is there and has not ended.
pub fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Folders of one test, which nothing else uses.
pub struct Bench {
    dir: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["records", "state", "config", "tmp"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program with this bench's folders and no engine.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("HUBMARK_RECORDS_DIR", self.path("records"))
            .env("HUBMARK_STATE_DIR", self.path("state"))
            .env("HUBMARK_CONFIG_DIR", self.path("config"))
            .env("HUBMARK_TMP", self.path("tmp"))
            .env("DOCKER_HOST", NO_ENGINE)
            .stdin(Stdio::null());
        command
    }

    /// The program's answer to `arguments`.
    pub fn answer(&self, arguments: &[&str]) -> Answer {
        let mut command = self.command(program());
        Answer::of(command.args(arguments))
    }

    /// Starts a run of `profile`, changed by `sets`.
    pub fn run(&self, profile: &str, sets: &[&str]) -> Going {
        let mut command = self.command(program());
        command.args(["run", profile]).args(sets.iter().flat_map(|set| ["--set", set]));
        self.going(command)
    }

    /// Starts `command` with its output in files.
    pub fn going(&self, mut command: Command) -> Going {
        let out = tempfile::Builder::new().prefix("output-").tempdir_in(self.dir.path()).unwrap();
        let file = |name| File::create(out.path().join(name)).unwrap();
        let child = command.stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap();
        Going { child, out, ended: false }
    }

    /// The only record in this bench's folder, once there is one.
    pub fn record_file(&self) -> Option<PathBuf> {
        let mut files = store::list(&self.path("records")).unwrap().into_iter();
        let file = files.next()?.path;
        assert_eq!(files.count(), 0, "one run, one record");
        Some(file)
    }

    /// The only record in this bench's folder.
    pub fn record(&self) -> Record {
        store::load(&self.record_file().expect("a run that had begun has a record")).unwrap()
    }

    /// Folders of servers that are there.
    pub fn folders(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.path("tmp")).unwrap();
        folders.map(|folder| folder.unwrap().path()).collect()
    }

    /// What the folders of servers say of who made them.
    fn owners(&self) -> Vec<serde_json::Value> {
        let owners = self.folders().into_iter().map(|folder| fs::read(folder.join("owner")));
        owners.filter_map(|owner| serde_json::from_slice(&owner.ok()?).ok()).collect()
    }

    /// The servers that programs have noted as their children.
    pub fn servers(&self) -> Vec<i32> {
        let children = |owner: &serde_json::Value| owner["children"].as_array().unwrap().clone();
        self.owners().iter().flat_map(children).map(|child| pid(&child)).collect()
    }

    /// The program that made the only server's folder.
    pub fn maker(&self) -> i32 {
        pid(&self.owners()[0]["maker"])
    }

    /// Waits for the only server and returns its process.
    pub fn server(&self) -> i32 {
        until("a server runs", || !self.servers().is_empty());
        self.servers()[0]
    }
}

fn pid(being: &serde_json::Value) -> i32 {
    i32::try_from(being["pid"].as_i64().unwrap()).unwrap()
}

/// What a program that has ended said.
#[derive(Debug)]
pub struct Answer {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks the exit status and that each of `words` was said on stderr.
    #[track_caller]
    pub fn says(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing in {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

/// A run in progress; killed when dropped.
pub struct Going {
    child: Child,
    out: TempDir,
    ended: bool,
}

impl Going {
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    pub fn stderr(&self) -> String {
        self.output("stderr")
    }

    /// Waits until the load is being played.
    pub fn until_load(&mut self) {
        self.until_said(": load ");
    }

    /// Waits until `text` was said on stderr.
    pub fn until_said(&mut self, text: &str) {
        self.until_said_within(text, PATIENCE);
    }

    /// Waits so long until `text` was said on stderr.
    pub fn until_said_within(&mut self, text: &str, patience: Duration) {
        let deadline = Instant::now() + patience;
        while !self.stderr().contains(text) {
            assert!(!self.over(), "it has ended: {}", self.stderr());
            assert!(Instant::now() < deadline, "not within {patience:?}: {text}");
            std::thread::sleep(GLANCE);
        }
    }

    /// Whether it has ended.
    pub fn over(&mut self) -> bool {
        self.ended = self.ended || self.child.try_wait().unwrap().is_some();
        self.ended
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(self) -> Answer {
        self.end_within(PATIENCE)
    }

    /// Waits so long for its end.
    #[track_caller]
    pub fn end_within(mut self, patience: Duration) -> Answer {
        let deadline = Instant::now() + patience;
        while !self.over() {
            assert!(Instant::now() < deadline, "it does not end: {}", self.stderr());
            std::thread::sleep(GLANCE);
        }
        Answer {
            status: self.child.wait().unwrap(),
            stdout: self.output("stdout"),
            stderr: self.output("stderr"),
        }
    }

    /// Kills it and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
        self.ended = true;
    }

    fn output(&self, name: &str) -> String {
        fs::read_to_string(self.out.path().join(name)).unwrap()
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Repetitions of a record that were measured to their end.
pub fn finished(record: &Record) -> Vec<&Repetition> {
    let all = record.points.iter().flat_map(|point| &point.repetitions);
    all.filter(|repetition| repetition.verdict.status != Judgement::Failed).collect()
}

/// The reasons of a record's failed repetitions.
pub fn failures(record: &Record) -> Vec<String> {
    let all = record.points.iter().flat_map(|point| &point.repetitions);
    let failed = all.filter(|repetition| repetition.verdict.status == Judgement::Failed);
    failed.map(|repetition| repetition.verdict.reasons[0].text.clone()).collect()
}

/// Whether a file holds a whole record.
pub fn is_record(path: &Path) -> bool {
    store::load(path).is_ok()
}
