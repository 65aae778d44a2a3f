//! Time and peak memory of the program.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use procfs::process::Process;

use super::process::program;

/// Runs the program with `arguments`, with the records in `folder/records`, to a successful end; returns its
/// seconds and the most bytes of memory that it used.
///
/// The child's own peak is read: the kernel's value for ended children includes the memory of this process,
/// which may have held the record.
#[track_caller]
pub fn run_with_peak(folder: &Path, arguments: &[&str]) -> (f64, u64) {
    let started = Instant::now();
    let mut child = Command::new(program())
        .args(arguments)
        .env("HUBMARK_RECORDS_DIR", folder.join("records"))
        .env("HUBMARK_STATE_DIR", folder.join("state"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let process = Process::new(child.id().cast_signed()).unwrap();
    let mut peak = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let now = process.status().ok().and_then(|status| status.vmhwm);
        peak = peak.max(now.unwrap_or_default());
        sleep(Duration::from_millis(2));
    };
    assert!(status.success(), "{arguments:?}: {status}");
    (started.elapsed().as_secs_f64(), peak * 1_024)
}
