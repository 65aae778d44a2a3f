//! Signals: the first asks a run to end in order, the second ends it at once.

use std::time::{Duration, Instant};

use nix::libc::SIGHUP;
use procfs::process::Process;
use tokio::signal::unix::{SignalKind, signal};

/// Handlers for SIGINT, SIGTERM and SIGHUP.
pub struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
    echoes: EchoFilter,
}

/// Time after a signal within which another one is its echo: a shell's `timeout` signals the process and
/// its group, and a terminal's hangup is passed on by the shell.
const ECHO_WINDOW: Duration = Duration::from_millis(200);

/// Tells a signal from the echo of the one before.
#[derive(Debug, Default)]
struct EchoFilter(Option<Instant>);

impl EchoFilter {
    /// Whether a signal received at `now` counts.
    fn accepts(&mut self, now: Instant) -> bool {
        let is_echo = self.0.is_some_and(|last| now.saturating_duration_since(last) < ECHO_WINDOW);
        if !is_echo {
            self.0 = Some(now);
        }
        !is_echo
    }
}

impl Signals {
    /// Installs the handlers. A signal whose handler cannot be installed keeps its default, which
    /// ends the program. A hangup ignored at the start (nohup) stays ignored.
    pub fn install() -> Self {
        let take = |kind| signal(kind).ok();
        Self {
            interrupt: take(SignalKind::interrupt()),
            terminate: take(SignalKind::terminate()),
            hangup: if is_ignored(SIGHUP) { None } else { take(SignalKind::hangup()) },
            echoes: EchoFilter::default(),
        }
    }

    /// Installs the handlers as [`Signals::install`], but discards hangups.
    pub fn without_hangup() -> Self {
        let signals = Self::install();
        // Handled but never awaited: unlike an ignored signal, this is not inherited by child
        // processes.
        Self { hangup: None, ..signals }
    }

    /// Waits for the next of the signals that is not the echo of the last one.
    pub async fn next(&mut self) {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        }
        loop {
            tokio::select! {
                () = one(&mut self.interrupt) => {}
                () = one(&mut self.terminate) => {}
                () = one(&mut self.hangup) => {}
            }
            if self.echoes.accepts(Instant::now()) {
                return;
            }
        }
    }
}

/// Whether this process ignores a signal; `false` when that cannot be determined.
fn is_ignored(signal: i32) -> bool {
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_signal_within_a_fifth_of_a_second_is_the_echo_of_the_first() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut echoes = EchoFilter::default();
        assert!(echoes.accepts(at(0)));
        assert!(!echoes.accepts(at(1)), "timeout(1) signals the process and its group");
        assert!(!echoes.accepts(at(199)));
        assert!(echoes.accepts(at(250)), "the operator's second signal");
        assert!(!echoes.accepts(at(300)));
    }
}
