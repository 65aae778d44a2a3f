//! Child processes that cannot outlive us: servers of the local hub, and the operator's `ssh`.
//!
//! - [`guard`]: a child asks the kernel to die with its parent, then becomes its program.
//! - `nursery`: the thread that starts children, and lives as long as they do.
//! - `folder`: a temporary folder, found again by a later run when this one dies.
//! - `program`: where a program is.

pub mod folder;
pub mod guard;
pub mod nursery;
pub mod program;

use std::{ffi::OsString, path::Path, process::Command};

/// A command that runs `line` under the guard, which `own_program` brings.
pub fn guarded(own_program: &Path, line: impl IntoIterator<Item = OsString>) -> Command {
    let mut command = Command::new(own_program);
    command.args(["guard", "--parent", &std::process::id().to_string(), "--"]).args(line);
    command
}
