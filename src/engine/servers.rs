//! Servers of one repetition: started clean, monitored for exits, always removed at the end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

use crate::{
    hub::{Hub, HubError},
    server::{OUT_OF_MEMORY_REPORT, ResourceLimits, RunningServer, ServerSpec, ServerState},
};

/// Number of log lines read from a server that exited.
pub const LOG_LINES_READ: usize = 60;
/// Number of log lines shown in an exit report.
const LOG_LINES_SHOWN: usize = 8;

/// Interval between two checks of servers that may have exited.
const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The servers of one repetition.
pub struct RepetitionServers {
    hub: Arc<dyn Hub>,
    /// Started servers, in the order of their start.
    pub running: Vec<RunningServer>,
    /// Planned faults in effect on these servers.
    pub active_faults: Arc<ActiveFaults>,
}

/// Planned faults in effect, by their number in the plan: an exit that a fault causes is expected; an
/// exit report of any other server under a fault names the fault.
#[derive(Debug, Default)]
pub struct ActiveFaults(Mutex<BTreeMap<usize, ActiveFault>>);

/// A planned fault in effect on one server.
#[derive(Debug, Clone)]
struct ActiveFault {
    role: String,
    text: String,
    ends_server: bool,
}

impl ActiveFaults {
    /// Adds the fault `number` on the server `role` before its injection; `ends_server` says whether the
    /// fault ends the server.
    pub fn begin(&self, number: usize, role: &str, text: String, ends_server: bool) {
        self.0.lock().insert(number, ActiveFault { role: role.to_owned(), text, ends_server });
    }

    /// Removes the fault `number` after the server has recovered.
    pub fn end(&self, number: usize) {
        self.0.lock().remove(&number);
    }

    fn is_expected_to_end(&self, role: &str) -> bool {
        self.0.lock().values().any(|fault| fault.ends_server && fault.role == role)
    }

    /// Text of a fault in effect on the server `role`.
    fn active_fault(&self, role: &str) -> Option<String> {
        let faults = self.0.lock();
        faults.values().find(|fault| fault.role == role).map(|fault| fault.text.clone())
    }
}

impl RepetitionServers {
    /// Starts all of `specs`, one after the other. If a server does not start, the earlier ones are
    /// removed.
    ///
    /// # Errors
    /// The hub cannot start a server.
    pub async fn start(
        hub: &Arc<dyn Hub>,
        specs: &[ServerSpec],
        limits: &ResourceLimits,
    ) -> Result<Self, HubError> {
        let active_faults = Arc::default();
        let mut servers = Self { hub: Arc::clone(hub), running: Vec::new(), active_faults };
        for spec in specs {
            match hub.start(spec, limits, &servers.running).await {
                Ok(running) => servers.running.push(running),
                Err(error) => {
                    if let Err(error) = servers.remove().await {
                        tracing::error!(%error, "a server was not removed");
                    }
                    return Err(error);
                }
            }
        }
        Ok(servers)
    }

    /// Returns a report of the first server that exited unexpectedly, with the last lines of its log.
    pub async fn exit_report(&self) -> Option<String> {
        for server in &self.running {
            if self.active_faults.is_expected_to_end(&server.role) {
                continue;
            }
            let end = match self.hub.server_state(server).await {
                ServerState::Running => continue,
                ServerState::NotFound => "no longer exists".to_owned(),
                ServerState::Ended { out_of_memory: true, .. } => OUT_OF_MEMORY_REPORT.to_owned(),
                ServerState::Ended { code, .. } => {
                    let code =
                        code.map_or("no exit code".to_owned(), |code| format!("exit code {code}"));
                    format!("ended by itself or was killed ({code})")
                }
            };
            let mut text = format!("server {} {end}", server.role);
            if let Some(fault) = self.active_faults.active_fault(&server.role) {
                text.push_str("; a planned fault was in effect: ");
                text.push_str(&fault);
            }
            for line in last_log_lines(self.hub.log(server, LOG_LINES_READ).await) {
                text.push_str("\n  | ");
                text.push_str(&line);
            }
            return Some(text);
        }
        None
    }

    /// Waits up to `limit` for an exit report: the exit behind a failure may become known later.
    pub async fn exit_report_within(&self, limit: Duration) -> Option<String> {
        let report = async {
            loop {
                if let Some(report) = self.exit_report().await {
                    return report;
                }
                sleep(EXIT_POLL_INTERVAL).await;
            }
        };
        timeout(limit, report).await.ok()
    }

    /// Removes all servers, the last started first, even if some removals fail.
    ///
    /// # Errors
    /// The first removal that failed.
    pub async fn remove(self) -> Result<(), HubError> {
        let mut result = Ok(());
        for server in self.running.iter().rev() {
            result = result.and(self.hub.remove(server).await);
        }
        result
    }
}

/// Returns the last lines of a log without the frames of Java stack traces, which would push the
/// error itself out of view.
pub fn last_log_lines(log: Vec<String>) -> Vec<String> {
    let frame = |line: &String| {
        let text = line.trim_start();
        let indented = text.len() < line.len();
        indented && (text.starts_with("at ") || text.starts_with("... "))
    };
    let mut lines: Vec<_> = log.into_iter().filter(|line| !frame(line)).collect();
    lines.drain(..lines.len().saturating_sub(LOG_LINES_SHOWN));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_log_lines_leave_out_a_stack_trace() {
        let mut log: Vec<_> = (0..9).map(|number| format!("line {number}")).collect();
        log.push("ConfigException: Invalid value -1".into());
        log.extend((0..40).map(|number| format!(" at org.example.Config({number})")));
        log.push("Caused by: nothing".into());
        log.push(" ... 12 more".into());
        log.push("at the end".into());
        let lines = last_log_lines(log);
        assert_eq!(lines.len(), LOG_LINES_SHOWN);
        assert_eq!(
            lines[4..],
            ["line 8", "ConfigException: Invalid value -1", "Caused by: nothing", "at the end"]
        );
    }
}
