//! Signals: the first asks a run to end in order, the second ends it at once.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the next SIGINT, SIGTERM or SIGHUP.
pub struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// From now on these signals are ours. One that cannot be taken keeps its default, which ends
    /// the program.
    pub fn take() -> Self {
        let take = |kind| signal(kind).ok();
        Self {
            interrupt: take(SignalKind::interrupt()),
            terminate: take(SignalKind::terminate()),
            hangup: take(SignalKind::hangup()),
        }
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
