//! A run of one repetition on a Docker engine.

use std::process::Command;

use nix::sys::signal::Signal;

use super::{
    docker::containers_of_run,
    process::{ProgramOutput, RunningProgram},
    sandbox::{Sandbox, set_arguments},
    wait::until,
};

/// Starts a run of `backend` with a study's workload and overrides, by a `command` that finds its
/// engine; returns it with its identity once it has a record.
pub fn start_study_run(
    sandbox: &Sandbox,
    mut command: Command,
    backend: &str,
    sets: &[&str],
) -> (RunningProgram, String) {
    let backend = format!("backend=\"{backend}\"");
    let sets = [&[backend.as_str(), "run.repetitions=1"], sets].concat();
    command.args(["run", "study-latency-users-quick"]).args(set_arguments(&sets));
    let mut program = sandbox.start(command);
    until("the run has a record", || {
        let begun = sandbox.record_file().is_some();
        assert!(begun || !program.has_ended(), "it has ended: {}", program.stderr());
        begun
    });
    let run = sandbox.record().run;
    (program, run)
}

/// A run on the engine, with its folders.
pub struct ContainerRun {
    pub sandbox: Sandbox,
    pub program: RunningProgram,
    /// The run's identity.
    pub run: String,
}

impl ContainerRun {
    /// Starts a run of `backend` with one repetition and overrides.
    pub fn start(backend: &str, sets: &[&str]) -> Self {
        let sandbox = Sandbox::with_engine();
        let command = sandbox.program();
        let (program, run) = start_study_run(&sandbox, command, backend, sets);
        Self { sandbox, program, run }
    }

    /// Waits until `count` of its containers run.
    pub fn wait_for_running(&mut self, count: usize) {
        until("its containers run", || {
            assert!(!self.program.has_ended(), "it has ended: {}", self.program.stderr());
            containers_of_run(&self.run).iter().filter(|one| one.running).count() == count
        });
    }

    /// Waits until it has a container, which may not have started yet.
    pub fn wait_for_container(&mut self) {
        until("a container exists", || {
            assert!(!self.program.has_ended(), "it has ended: {}", self.program.stderr());
            !containers_of_run(&self.run).is_empty()
        });
    }

    pub fn wait_for_load(&mut self) {
        self.program.wait_for_load();
    }

    pub fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// Waits for its end and checks that it left no container.
    #[track_caller]
    pub fn wait(self) -> (ProgramOutput, Sandbox) {
        let output = self.program.wait();
        assert_eq!(containers_of_run(&self.run), [], "containers left behind; {output:#?}");
        (output, self.sandbox)
    }
}
