//! The servers of one repetition: started clean, watched, removed whatever happens.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{
    hub::{Hub, HubError},
    server::{Life, Limits, Running, ServerSpec},
};

/// How often servers that may have died are asked.
const GLANCE: Duration = Duration::from_millis(100);

/// The servers of one repetition.
pub struct Servers {
    hub: Arc<dyn Hub>,
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
        specs: &[ServerSpec],
        limits: &Limits,
    ) -> Result<Self, HubError> {
        let mut servers = Self { hub: Arc::clone(hub), running: Vec::new() };
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
