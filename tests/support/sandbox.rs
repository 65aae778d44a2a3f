//! The program with folders of its own: configuration, records, state and temporary files.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use hubmark::{
    broker::INJECTION_VARIABLE,
    record::{Record, store},
};
use tempfile::TempDir;

use super::{
    process::{ProgramOutput, RunningProgram, program},
    records::read_checked,
    wait::until,
};

/// The address of an engine that does not exist.
pub const NO_ENGINE: &str = "unix:///nonexistent/engine.sock";

/// Environment variables of the program's folders, and the folders' names.
const FOLDERS: [(&str, &str); 4] = [
    ("HUBMARK_CONFIG_DIR", "config"),
    ("HUBMARK_RECORDS_DIR", "records"),
    ("HUBMARK_STATE_DIR", "state"),
    ("HUBMARK_TMP", "tmp"),
];

/// The arguments `--set KEY=VALUE` for each of `sets`.
pub fn set_arguments<'a>(sets: &[&'a str]) -> impl Iterator<Item = &'a str> {
    sets.iter().flat_map(|set| ["--set", *set])
}

/// Folders of the program for one test; removed when dropped.
pub struct Sandbox {
    dir: TempDir,
    engine_allowed: bool,
}

impl Sandbox {
    /// Folders for a program that finds no Docker engine.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (_, folder) in FOLDERS {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        // Not a first start: the tour would be over every screen.
        fs::write(dir.path().join("state/tour-shown"), "").unwrap();
        Self { dir, engine_allowed: false }
    }

    /// Folders for a program that uses the Docker engine of the environment.
    pub fn with_engine() -> Self {
        Self { engine_allowed: true, ..Self::new() }
    }

    /// Folders with a saved profile `mine` of five users on the built-in broker.
    pub fn with_profile(messages: u32) -> Self {
        Self::with_profile_of(5, "250 ms", "50 ms", messages)
    }

    /// Folders with a saved profile `mine`: every user sends a message each `mean`.
    pub fn with_profile_of(users: u32, mean: &str, deviation: &str, messages: u32) -> Self {
        let sandbox = Self::new();
        let profile = format!(
            r#"name = "mine"
description = "a few devices"
backend = "builtin"
[hub]
kind = "local"
[workload]
kind = "latency"
users = {users}
payload = "100 B"
messages = {messages}
arrival = {{ distribution = "normal", mean = "{mean}", deviation = "{deviation}" }}
warmup = "0 s"
drain = "2 s"
[run]
repetitions = 1
baseline = "0.3 s"
server_warmup = "0 s"
"#
        );
        sandbox.save_profile("mine", &profile);
        sandbox
    }

    /// Lets the program use the Docker engine of the environment.
    pub fn allow_engine(self) -> Self {
        Self { engine_allowed: true, ..self }
    }

    /// A path inside the sandbox.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Saves a profile where the program lists it.
    pub fn save_profile(&self, name: &str, text: &str) {
        let folder = self.path("config/profiles");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    }

    /// The environment variables that confine the program to the sandbox.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        let folders = FOLDERS.map(|(variable, folder)| (variable, self.path(folder).into()));
        let engine = (!self.engine_allowed).then(|| ("DOCKER_HOST", NO_ENGINE.into()));
        folders.into_iter().chain(engine).collect()
    }

    /// The program under test without arguments, not yet started.
    pub fn program(&self) -> Command {
        self.other_command(program())
    }

    /// The program under test with arguments, not yet started.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.program();
        command.args(arguments);
        command
    }

    /// Another program that starts the program under test.
    pub fn other_command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.envs(self.variables()).env_remove(INJECTION_VARIABLE).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> ProgramOutput {
        ProgramOutput::of(&mut self.command(arguments))
    }

    /// Starts a command.
    pub fn start(&self, command: Command) -> RunningProgram {
        RunningProgram::start(command, self.dir.path())
    }

    /// Starts `hubmark run PROFILE` with overrides.
    pub fn start_run(&self, profile: &str, sets: &[&str]) -> RunningProgram {
        let mut command = self.command(["run", profile]);
        command.args(set_arguments(sets));
        self.start(command)
    }

    /// `hubmark run PROFILE --out record.json` with overrides and further arguments, not yet
    /// started.
    pub fn run_command(&self, profile: &str, sets: &[&[&str]], arguments: &[&str]) -> Command {
        let mut command = self.command(["run", profile, "--out"]);
        command.arg(self.out_path()).args(arguments).args(set_arguments(&sets.concat()));
        command
    }

    /// Runs `hubmark run PROFILE --resume record.json` with overrides to its end.
    pub fn resume(&self, profile: &str, sets: &[&[&str]]) -> ProgramOutput {
        let mut command = self.command(["run", profile, "--resume"]);
        command.arg(self.out_path()).args(set_arguments(&sets.concat()));
        ProgramOutput::of(&mut command)
    }

    /// The file of [`Sandbox::run_command`].
    pub fn out_path(&self) -> PathBuf {
        self.path("record.json")
    }

    /// The record of [`Sandbox::run_command`], checked.
    pub fn out_record(&self) -> Record {
        read_checked(&self.out_path())
    }

    /// Files in the records folder.
    pub fn record_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("records")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect()
    }

    /// The only file in the records folder, if there is one.
    #[track_caller]
    pub fn record_file(&self) -> Option<PathBuf> {
        let mut files = self.record_files();
        assert!(files.len() < 2, "one run, one record: {files:?}");
        files.pop()
    }

    /// The only record in the records folder.
    #[track_caller]
    pub fn record(&self) -> Record {
        store::load(&self.record_file().expect("a run that has begun has a record")).unwrap()
    }

    /// Folders of servers on the local hub.
    pub fn server_folders(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.path("tmp")).unwrap();
        folders.map(|folder| folder.unwrap().path()).collect()
    }

    /// The owner files of the server folders.
    fn owners(&self) -> Vec<serde_json::Value> {
        let owners = self.server_folders().into_iter().map(|folder| fs::read(folder.join("owner")));
        owners.filter_map(|owner| serde_json::from_slice(&owner.ok()?).ok()).collect()
    }

    /// Processes of the servers on the local hub.
    pub fn servers(&self) -> Vec<i32> {
        let children = |owner: &serde_json::Value| owner["children"].as_array().unwrap().clone();
        self.owners().iter().flat_map(children).map(|child| pid(&child)).collect()
    }

    /// Waits for the only server on the local hub; returns its process.
    #[track_caller]
    pub fn wait_for_server(&self) -> i32 {
        until("a server runs", || !self.servers().is_empty());
        self.servers()[0]
    }

    /// The process that created the only server folder.
    pub fn server_owner(&self) -> i32 {
        pid(&self.owners()[0]["maker"])
    }

    /// Processes and sockets of detached runs.
    pub fn detached_runs(&self) -> Vec<(i32, PathBuf)> {
        let entries = fs::read_dir(self.path("state/runs")).into_iter().flatten();
        let sockets = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_stem()?.to_str()?.parse().ok()?, path))
        });
        sockets.collect()
    }
}

fn pid(process: &serde_json::Value) -> i32 {
    i32::try_from(process["pid"].as_i64().unwrap()).unwrap()
}
