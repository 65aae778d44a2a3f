//! Runs on a Docker engine, and what they leave on it.

use std::{path::Path, process::Command};

use nix::sys::signal::Signal;

use super::{Answer, Bench, Going, program, until};

/// A container of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub role: String,
    pub running: bool,
}

/// Every container of a run, by its label.
pub fn containers(run: &str) -> Vec<Container> {
    listed(run, &[])
}

/// The same on the engine at that socket.
pub fn containers_on(engine: &Path, run: &str) -> Vec<Container> {
    listed(run, &["--host", &format!("unix://{}", engine.display())])
}

fn listed(run: &str, engine: &[&str]) -> Vec<Container> {
    let label = format!("label=hubmark.run={run}");
    let format = "{{.ID}} {{.Label \"hubmark.role\"}} {{.State}}";
    let question = ["ps", "--all", "--no-trunc", "--filter", &label, "--format", format];
    let listed = docker(&[engine, &question].concat());
    let container = |line: &str| {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let [id, role, state] = words.try_into().expect("an id, a role and a state");
        Container { id, role, running: state == "running" }
    };
    listed.lines().map(container).collect()
}

/// Kills the container that plays `role` in a run.
pub fn kill(run: &str, role: &str) {
    let found = containers(run).into_iter().find(|container| container.role == role);
    docker(&["kill", &found.expect(role).id]);
}

pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("docker's command");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Starts a run of `backend` in a study's workload, changed by `sets`, with a `command` that finds
/// its engine; returns it and its identity once it has a record.
pub fn begin(bench: &Bench, mut command: Command, backend: &str, sets: &[&str]) -> (Going, String) {
    let backend = format!("backend=\"{backend}\"");
    let all = [&[backend.as_str(), "run.repetitions=1"], sets].concat();
    command.args(["run", "study-latency-users-quick"]);
    command.args(all.iter().flat_map(|set| ["--set", set]));
    let mut going = bench.going(command);
    until("the run has a record", || {
        let begun = bench.record_file().is_some();
        assert!(begun || !going.over(), "it has ended: {}", going.stderr());
        begun
    });
    let run = bench.record().run;
    (going, run)
}

/// A run on the engine, and the folders that it has to itself.
pub struct OnEngine {
    pub bench: Bench,
    pub going: Going,
    /// Its identity.
    pub run: String,
}

impl OnEngine {
    /// Starts a run of `backend` with one repetition, changed by `sets`.
    pub fn start(backend: &str, sets: &[&str]) -> Self {
        let bench = Bench::new();
        let mut command = bench.command(program());
        command.env_remove("DOCKER_HOST");
        let (going, run) = begin(&bench, command, backend, sets);
        Self { bench, going, run }
    }

    /// Waits until `count` of its containers run.
    pub fn until_running(&mut self, count: usize) {
        until("its containers run", || {
            assert!(!self.going.over(), "it has ended: {}", self.going.stderr());
            containers(&self.run).iter().filter(|container| container.running).count() == count
        });
    }

    /// Waits until it has any container, just made perhaps.
    pub fn until_starting(&mut self) {
        until("a container is there", || {
            assert!(!self.going.over(), "it has ended: {}", self.going.stderr());
            !containers(&self.run).is_empty()
        });
    }

    pub fn until_load(&mut self) {
        self.going.until_load();
    }

    pub fn signal(&self, signal: Signal) {
        self.going.signal(signal);
    }

    /// Waits for its end, and checks that its containers ended with it.
    #[track_caller]
    pub fn end(self) -> (Answer, Bench) {
        let answer = self.going.end();
        assert_eq!(containers(&self.run), [], "left behind; {answer:#?}");
        (answer, self.bench)
    }
}
