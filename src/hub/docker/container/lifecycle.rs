//! Creation, state, log and removal of a container.

use std::{net::IpAddr, sync::Arc};

use bollard::{
    errors::Error as EngineError,
    models::{ContainerCreateBody, ContainerCreateResponse, ContainerInspectResponse},
    query_parameters::{
        CreateContainerOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    },
};
use futures_util::StreamExt;
use rand::RngExt;
use tokio::sync::oneshot;

use crate::{
    hub::{
        HubError,
        docker::{
            api_call::{error_text, http_status, strip_control_characters},
            engine::DockerEngine,
        },
    },
    server::ServerState,
};

impl DockerEngine {
    /// Creates a container with a unique name. On failure removes the container of that name,
    /// because a call that timed out may still have succeeded.
    pub async fn create_container(
        &self,
        role: &str,
        body: ContainerCreateBody,
    ) -> Result<ContainerCreateResponse, EngineError> {
        let name = format!("hubmark-{}-{:08x}", name_part(role), rand::rng().random::<u32>());
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let call = self.client.create_container(Some(options), body);
        let created = self.operation("creating a container", call).await;
        if created.is_err() {
            self.remove_or_warn(&name).await;
        }
        created
    }

    /// Runs a start in a separate task. When the caller is dropped meanwhile, the task still knows
    /// the started container, by `id_of`, and removes it.
    pub async fn run_start<T: Send + 'static>(
        self: &Arc<Self>,
        start: impl Future<Output = Result<T, HubError>> + Send + 'static,
        id_of: fn(&T) -> String,
    ) -> Result<T, HubError> {
        let (sender, receiver) = oneshot::channel();
        let engine = Arc::clone(self);
        self.pending_starts.spawn(async move {
            if let Err(Ok(unclaimed)) = sender.send(start.await) {
                engine.remove_or_warn(&id_of(&unclaimed)).await;
            }
        });
        receiver.await.unwrap_or(Err(HubError::Cancelled))
    }

    /// Returns the state of a container. When the engine does not answer, the container counts as
    /// running.
    pub async fn container_state(&self, id: &str) -> ServerState {
        match self.query("inspecting a container", self.client.inspect_container(id, None)).await {
            Ok(inspect) => parse_state(&inspect),
            Err(error) if http_status(&error) == Some(404) => ServerState::NotFound,
            Err(error) => {
                tracing::warn!("asking for the state of {id}: {}", error_text(&error));
                ServerState::Running
            }
        }
    }

    /// Returns the last lines of a container's output; after an error, the lines read before it.
    pub async fn log(&self, id: &str, lines: usize) -> Vec<String> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let mut output = Box::pin(self.client.logs(id, Some(options)));
        let mut text = Vec::new();
        while let Ok(Some(piece)) =
            self.query("reading a log", async { output.next().await.transpose() }).await
        {
            text.extend_from_slice(&piece.into_bytes());
        }
        let text = String::from_utf8_lossy(&text);
        let all: Vec<_> = text
            .lines()
            .map(strip_control_characters)
            .filter(|line| !line.trim().is_empty())
            .collect();
        all[all.len().saturating_sub(lines)..].to_vec()
    }

    /// Removes a container with its anonymous volumes; a missing one is no error. Where the engine
    /// became unreachable meanwhile, the call is repeated once afterwards.
    pub async fn remove(&self, id: &str) -> Result<(), EngineError> {
        self.routes().remove(id);
        self.retry_when_reachable(|| self.remove_once(id)).await
    }

    async fn remove_once(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match self
            .operation("removing a container", self.client.remove_container(id, Some(options)))
            .await
        {
            // 409: another client removes it already.
            Err(error) if matches!(http_status(&error), Some(404 | 409)) => Ok(()),
            other => other,
        }
    }

    pub async fn remove_or_warn(&self, id: &str) {
        if let Err(error) = self.remove(id).await {
            tracing::warn!("the container {id} could not be removed: {}", error_text(&error));
        }
    }
}

/// Returns a role as part of a container's name.
fn name_part(role: &str) -> String {
    role.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Returns the state in the engine's description of a container.
pub fn parse_state(inspect: &ContainerInspectResponse) -> ServerState {
    let Some(state) = &inspect.state else { return ServerState::Running };
    if state.running != Some(false) {
        return ServerState::Running;
    }
    ServerState::Ended { code: state.exit_code, out_of_memory: state.oom_killed == Some(true) }
}

/// Returns the container's address on the first network that has one.
pub fn container_address(inspect: &ContainerInspectResponse) -> Option<IpAddr> {
    let networks = inspect.network_settings.as_ref()?.networks.as_ref()?;
    networks.values().find_map(|network| network.ip_address.as_ref()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read() {
        let of = |state: serde_json::Value| {
            parse_state(&serde_json::from_value(serde_json::json!({ "State": state })).unwrap())
        };
        let running = serde_json::json!({"Status": "running", "Running": true, "OOMKilled": false, "ExitCode": 0});
        assert_eq!(of(running), ServerState::Running);
        let killed = serde_json::json!({"Status": "exited", "Running": false, "OOMKilled": true, "ExitCode": 137});
        assert_eq!(of(killed), ServerState::Ended { code: Some(137), out_of_memory: true });
        let paused = serde_json::json!({"Status": "paused", "Running": true, "Paused": true});
        assert_eq!(of(paused), ServerState::Running);
    }

    #[test]
    fn the_first_address_is_taken() {
        let inspect = serde_json::from_value(serde_json::json!({"NetworkSettings": {"Networks": {
            "none": {"IPAddress": ""}, "bridge": {"IPAddress": "172.17.0.4"}}}}))
        .unwrap();
        assert_eq!(container_address(&inspect), Some(IpAddr::from([172, 17, 0, 4])));
        assert_eq!(container_address(&ContainerInspectResponse::default()), None);
    }
}
