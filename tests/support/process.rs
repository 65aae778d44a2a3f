//! The program under test: its output once it has ended, and control of it while it runs.

use std::{
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::wait::{WAIT_LIMIT, until_within};

/// The program under test.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_hubmark")
}

/// Whether a process exists and has not ended.
pub fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Sends a signal to a process.
pub fn send_signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Exit status and output of a program that has ended.
#[derive(Debug)]
pub struct ProgramOutput {
    /// `None` if a signal ended it.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for ProgramOutput {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl ProgramOutput {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        command.output().unwrap().into()
    }

    /// Checks the exit status; shows the output if it is another.
    #[track_caller]
    pub fn exits_with(self, status: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.status, Some(status), "\n--- stdout\n{stdout}--- stderr\n{stderr}");
        self
    }

    /// Checks the exit status and that stderr contains each of `words`.
    #[track_caller]
    pub fn reports(&self, status: i32, words: &[&str]) -> &Self {
        assert_eq!(self.status, Some(status), "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing in {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

/// A program in progress, with its output in files; killed when dropped.
pub struct RunningProgram {
    child: Child,
    output: TempDir,
    ended: bool,
}

impl RunningProgram {
    /// Starts a command with its output in a new folder inside `folder`.
    pub fn start(mut command: Command, folder: &Path) -> Self {
        let output = tempfile::Builder::new().prefix("output-").tempdir_in(folder).unwrap();
        let file = |name| File::create(output.path().join(name)).unwrap();
        let child = command.stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap();
        Self { child, output, ended: false }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        send_signal(self.pid(), signal);
    }

    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Waits until a run reports its load.
    pub fn wait_for_load(&mut self) {
        self.wait_for_stderr(": load ");
    }

    /// Waits until stderr contains `text`.
    #[track_caller]
    pub fn wait_for_stderr(&mut self, text: &str) {
        self.wait_for_stderr_within(WAIT_LIMIT, text);
    }

    /// Waits at most `limit` until stderr contains `text`.
    #[track_caller]
    pub fn wait_for_stderr_within(&mut self, limit: Duration, text: &str) {
        until_within(limit, text, || {
            let contains = self.stderr().contains(text);
            assert!(contains || !self.has_ended(), "it has ended: {}", self.stderr());
            contains
        });
    }

    pub fn has_ended(&mut self) -> bool {
        self.ended = self.ended || self.child.try_wait().unwrap().is_some();
        self.ended
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(self) -> ProgramOutput {
        self.wait_within(WAIT_LIMIT)
    }

    /// Waits at most `limit` for its end.
    #[track_caller]
    pub fn wait_within(mut self, limit: Duration) -> ProgramOutput {
        let stderr = self.output.path().join("stderr");
        let deadline = Instant::now() + limit;
        while !self.has_ended() {
            let late = Instant::now() >= deadline;
            assert!(!late, "it does not end: {}", fs::read_to_string(&stderr).unwrap());
            sleep(Duration::from_millis(20));
        }
        ProgramOutput {
            status: self.child.wait().unwrap().code(),
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
        }
    }

    /// Kills it and waits for its end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
        self.ended = true;
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.output.path().join(name)).unwrap()
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
