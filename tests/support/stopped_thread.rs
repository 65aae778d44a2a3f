//! Stops single threads of a program, whose other threads go on.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use super::sandbox::Sandbox;

/// Builds the tool that stops a thread.
fn build_tool(sandbox: &Sandbox) -> PathBuf {
    let tool = sandbox.path("stop_thread");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/stop_thread.c");
    let built =
        Command::new("cc").args(["-O2", "-Wall", "-Werror", source, "-o"]).arg(&tool).status();
    assert!(built.expect("a C compiler").success());
    tool
}

/// Stops the thread with this name of the process `pid` for `duration`.
pub fn stop_thread(sandbox: &Sandbox, pid: i32, name: &str, duration: Duration) {
    let tool = build_tool(sandbox);
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut named = threads.map(|thread| thread.unwrap().path()).filter(|thread| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    });
    let thread = named.next().unwrap_or_else(|| panic!("no thread {name}"));
    let millis = duration.as_millis().to_string();
    let stopped = Command::new(tool).arg(thread.file_name().unwrap()).arg(millis).output().unwrap();
    assert!(stopped.status.success(), "only root may stop a thread: {stopped:?}");
}
