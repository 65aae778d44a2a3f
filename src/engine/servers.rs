//! The servers of one repetition: started clean, watched, removed whatever happens.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use crate::{
    hub::{Hub, HubError},
    server::{Life, Limits, Running, ServerSpec},
};

/// Lines of a dead server's log that are read.
pub const LOG_LINES: usize = 60;
/// And that are shown.
const LAST_WORDS: usize = 8;

/// How often servers that may have died are asked.
const GLANCE: Duration = Duration::from_millis(100);

/// The servers of one repetition.
pub struct Servers {
    hub: Arc<dyn Hub>,
    /// Those that were started, in the order of their start.
    pub running: Vec<Running>,
    /// What planned faults are doing to them just now.
    pub struck: Arc<Struck>,
}

/// Which servers are in the hands of planned faults: that they end is then no surprise, and if
/// they end all the same, the fault is named.
#[derive(Debug, Default)]
pub struct Struck(Mutex<BTreeMap<usize, Blow>>);

/// What strikes one server.
#[derive(Debug, Clone)]
struct Blow {
    role: String,
    fault: String,
    ends: bool,
}

impl Struck {
    fn blows(&self) -> MutexGuard<'_, BTreeMap<usize, Blow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault `number` is about to strike the server `role`; `ends` when the server ends by it.
    pub fn begin(&self, number: usize, role: &str, fault: String, ends: bool) {
        self.blows().insert(number, Blow { role: role.to_owned(), fault, ends });
    }

    /// It is over, and the server stands.
    pub fn end(&self, number: usize) {
        self.blows().remove(&number);
    }

    fn expected_to_end(&self, role: &str) -> bool {
        self.blows().values().any(|blow| blow.ends && blow.role == role)
    }

    /// What strikes a server that does not end by it.
    fn fault(&self, role: &str) -> Option<String> {
        let blows = self.blows();
        blows.values().find(|blow| blow.role == role).map(|blow| blow.fault.clone())
    }
}

impl Servers {
    /// Starts all of `specs`, one after the other. When one does not start, those before it are
    /// removed again.
    ///
    /// # Errors
    /// What the hub says.
    pub async fn start(
        hub: &Arc<dyn Hub>,
        specs: &[ServerSpec],
        limits: &Limits,
    ) -> Result<Self, HubError> {
        let struck = Arc::default();
        let mut servers = Self { hub: Arc::clone(hub), running: Vec::new(), struck };
        for spec in specs {
            match hub.start(spec, limits, &servers.running).await {
                Ok(running) => servers.running.push(running),
                Err(error) => {
                    if let Err(left) = servers.remove().await {
                        tracing::error!(%left, "a server was left behind");
                    }
                    return Err(error);
                }
            }
        }
        Ok(servers)
    }

    /// What became of the first server that no longer runs, with the last lines of its log.
    pub async fn obituary(&self) -> Option<String> {
        for server in &self.running {
            if self.struck.expected_to_end(&server.role) {
                continue;
            }
            let end = match self.hub.life(server).await {
                Life::Running => continue,
                Life::Gone => "is gone".to_owned(),
                Life::Ended { out_of_memory: true, .. } => {
                    "was killed for want of memory: raise hub.limits.memory or its heap".to_owned()
                }
                Life::Ended { code, .. } => {
                    let code =
                        code.map_or("no exit code".to_owned(), |code| format!("exit code {code}"));
                    format!("ended by itself or was killed ({code})")
                }
            };
            let mut text = format!("server {} {end}", server.role);
            if let Some(fault) = self.struck.fault(&server.role) {
                text.push_str("; the planned fault was in force: ");
                text.push_str(&fault);
            }
            for line in last_words(self.hub.log(server, LOG_LINES).await) {
                text.push_str("\n  | ");
                text.push_str(&line);
            }
            return Some(text);
        }
        None
    }

    /// The same, for a failure whose cause may become known only a moment later.
    pub async fn obituary_within(&self, patience: Duration) -> Option<String> {
        let news = async {
            loop {
                if let Some(obituary) = self.obituary().await {
                    return obituary;
                }
                sleep(GLANCE).await;
            }
        };
        timeout(patience, news).await.ok()
    }

    /// Removes all servers, the last started first. Tries all of them before it reports a failure.
    ///
    /// # Errors
    /// What the hub said of the first that could not be removed.
    pub async fn remove(self) -> Result<(), HubError> {
        let mut result = Ok(());
        for server in self.running.iter().rev() {
            result = result.and(self.hub.remove(server).await);
        }
        result
    }
}

/// The last lines of a log that say something: the frames of a Java stack, which follow what went
/// wrong and push it out of sight, do not.
pub fn last_words(log: Vec<String>) -> Vec<String> {
    let frame = |line: &String| {
        let text = line.trim_start();
        let indented = text.len() < line.len();
        indented && (text.starts_with("at ") || text.starts_with("... "))
    };
    let mut words: Vec<_> = log.into_iter().filter(|line| !frame(line)).collect();
    words.drain(..words.len().saturating_sub(LAST_WORDS));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_not_a_stack() {
        let mut log: Vec<_> = (0..9).map(|number| format!("line {number}")).collect();
        log.push("ConfigException: Invalid value -1".into());
        log.extend((0..40).map(|number| format!(" at org.example.Config({number})")));
        log.push("Caused by: nothing".into());
        log.push(" ... 12 more".into());
        log.push("at the end".into());
        let words = last_words(log);
        assert_eq!(words.len(), LAST_WORDS);
        assert_eq!(
            words[4..],
            ["line 8", "ConfigException: Invalid value -1", "Caused by: nothing", "at the end"]
        );
    }
}
