//! The guard: how a server of somebody else's making is kept from outliving us.
//!
//! The hub starts every child as `hubmark guard --parent PID -- PROGRAM ARGUMENTS`. The guard asks
//! the kernel to kill it when its parent dies, and becomes the program: same process, no layer in
//! between that would cost or count anything. The request survives the change of program, but not
//! a program that changes its user or group: what gets away then is found by the next sweep.

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
    /// Nothing was asked for.
    #[error("no program to start")]
    NoCommand,
    /// The kernel refused to tie this process to its parent.
    #[error("cannot tie the program to its parent: {0}")]
    Tie(Errno),
    /// The parent died before this process could be tied to it.
    #[error("the parent {0} is gone")]
    Orphan(i32),
    /// The program cannot be executed.
    #[error("cannot execute {program:?}: {source}")]
    Execute {
        /// The program.
        program: OsString,
        /// The system's answer.
        source: io::Error,
    },
}

/// Becomes `command`, tied to the life of the process `parent` (in fact to that of the thread in
/// it that started this process). Returns only when that fails.
pub fn run(parent: i32, command: &[OsString]) -> Result<Infallible, GuardError> {
    let (program, arguments) = command.split_first().ok_or(GuardError::NoCommand)?;
    set_pdeathsig(Signal::SIGKILL).map_err(GuardError::Tie)?;
    // A parent that died before the line above will send no signal.
    if getppid().as_raw() != parent {
        return Err(GuardError::Orphan(parent));
    }
    let source = Command::new(program).args(arguments).exec();
    Err(GuardError::Execute { program: program.clone(), source })
}
