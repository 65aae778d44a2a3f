//! The guard: ties a server's process to the life of this program.
//!
//! The hub starts every child as `hubmark guard --parent PID -- PROGRAM ARGUMENTS`. The guard asks
//! the kernel to kill it when its parent dies, and then replaces itself with the program (`exec`):
//! the process stays the same, and no intermediate process costs or counts anything. The kernel's
//! setting survives `exec`, but not a program that changes its user or group: such a process is
//! found by the next removal of leftovers.

use std::{
    convert::Infallible, ffi::OsString, io, os::unix::process::CommandExt, process::Command,
};

use nix::{
    errno::Errno,
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::getppid,
};

/// Why the program was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The command line contains no program.
    #[error("no program to start")]
    NoCommand,
    /// The kernel refused the parent-death signal.
    #[error("cannot tie the program to its parent: {0}")]
    ParentDeathSignal(Errno),
    /// The parent died before the parent-death signal was set.
    #[error("the parent process {0} has ended")]
    ParentDied(i32),
    /// The program cannot be executed.
    #[error("cannot execute {program:?}: {source}")]
    Execute {
        /// The program.
        program: OsString,
        /// The system's error.
        source: io::Error,
    },
}

/// Replaces this process with `command`, killed by the kernel when the process `parent` dies
/// (strictly, when the thread of `parent` that started this process ends). Returns only on failure.
pub fn run(parent: i32, command: &[OsString]) -> Result<Infallible, GuardError> {
    let (program, arguments) = command.split_first().ok_or(GuardError::NoCommand)?;
    set_pdeathsig(Signal::SIGKILL).map_err(GuardError::ParentDeathSignal)?;
    // A parent that died before the line above sends no signal.
    if getppid().as_raw() != parent {
        return Err(GuardError::ParentDied(parent));
    }
    let source = Command::new(program).args(arguments).exec();
    Err(GuardError::Execute { program: program.clone(), source })
}
