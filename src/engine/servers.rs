//! The servers of one repetition: started clean, watched, removed whatever happens.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    hub::{Hub, HubError},
    server::{Life, Limits, Running, ServerSpec},
};

/// Every server of the run that is up, so that an end at once can still remove them.
#[derive(Debug, Clone, Default)]
pub struct Alive(Arc<Mutex<Vec<Running>>>);

impl Alive {
    fn add(&self, server: &Running) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(server.clone());
    }

    fn forget(&self, server: &Running) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other.id != server.id);
    }

    /// Those that are up now.
    pub fn list(&self) -> Vec<Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The servers of one repetition.
pub struct Servers {
    hub: Arc<dyn Hub>,
    alive: Alive,
    /// Those that were started, in the order of their start.
    pub running: Vec<Running>,
}

impl Servers {
    /// Starts all of `specs`, one after the other. When one does not start, those before it are
    /// removed again.
    ///
    /// # Errors
    /// What the hub says.
    pub async fn start(
        hub: &Arc<dyn Hub>,
        alive: &Alive,
        specs: &[ServerSpec],
        limits: &Limits,
    ) -> Result<Self, HubError> {
        let mut servers = Self { hub: Arc::clone(hub), alive: alive.clone(), running: Vec::new() };
        for spec in specs {
            match hub.start(spec, limits, &servers.running).await {
                Ok(running) => {
                    alive.add(&running);
                    servers.running.push(running);
                }
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
            for line in self.hub.log(server, 8).await {
                text.push_str("\n  | ");
                text.push_str(&line);
            }
            return Some(text);
        }
        None
    }

    /// Removes all servers, the last started first. Tries all of them before it reports a failure.
    ///
    /// # Errors
    /// What the hub said of the first that could not be removed.
    pub async fn remove(self) -> Result<(), HubError> {
        let mut result = Ok(());
        for server in self.running.iter().rev() {
            match self.hub.remove(server).await {
                Ok(()) => self.alive.forget(server),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }
}
