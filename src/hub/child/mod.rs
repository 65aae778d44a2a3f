//! Child processes that cannot outlive this program: servers of the local hub, and the operator's
//! `ssh`.
//!
//! - [`guard`]: requests the parent-death signal from the kernel, then executes the program.
//! - [`spawner`]: the thread that starts all children and lives as long as they do.
//! - [`server_folder`]: a temporary folder that a later run can find and remove.
//! - [`program`]: the search for a program's file.

pub mod guard;
pub mod program;
pub mod server_folder;
pub mod spawner;

use std::{ffi::OsString, path::Path, process::Command};

/// A command that runs `line` under the guard of the executable `own_program`.
pub fn guarded_command(own_program: &Path, line: impl IntoIterator<Item = OsString>) -> Command {
    let mut command = Command::new(own_program);
    command.args(["guard", "--parent", &std::process::id().to_string(), "--"]).args(line);
    command
}
