//! Signals: the first asks a run to end in order, the second ends it at once.

use nix::libc::SIGHUP;
use procfs::process::Process;
use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the next SIGINT, SIGTERM or SIGHUP.
pub struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// From now on these signals are ours. One that cannot be taken keeps its default, which ends
    /// the program. A hangup that whoever started us wants ignored (nohup) stays ignored.
    pub fn take() -> Self {
        let take = |kind| signal(kind).ok();
        Self {
            interrupt: take(SignalKind::interrupt()),
            terminate: take(SignalKind::terminate()),
            hangup: if is_ignored(SIGHUP) { None } else { take(SignalKind::hangup()) },
        }
    }

    /// As [`Signals::take`], but a hangup means nothing.
    pub fn without_hangup() -> Self {
        let signals = Self::take();
        // Taken and never asked about, which is not inherited as an ignored one would be.
        Self { hangup: None, ..signals }
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.terminate) => {}
            () = one(&mut self.hangup) => {}
        }
    }
}

/// Whether this process ignores a signal. One that cannot be found out about is not ignored.
fn is_ignored(signal: i32) -> bool {
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign >> (signal - 1) & 1 == 1)
}
