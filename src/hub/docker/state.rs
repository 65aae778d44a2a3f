//! How a container that was started fares, what it said, and its removal.

use std::net::IpAddr;

use bollard::{
    errors::Error as EngineError,
    models::ContainerInspectResponse,
    query_parameters::{LogsOptionsBuilder, RemoveContainerOptionsBuilder},
};
use futures_util::StreamExt;

use super::{
    Engine,
    call::{ASK, WORK, plain, status, within, words},
};
use crate::server::Life;

impl Engine {
    /// Whether a container still runs. An engine that does not answer says nothing about its
    /// containers: they are taken to run until it does.
    pub(super) async fn life(&self, id: &str) -> Life {
        match within(ASK, self.client.inspect_container(id, None)).await {
            Ok(inspect) => life_of(&inspect),
            Err(error) if status(&error) == Some(404) => Life::Gone,
            Err(error) => {
                tracing::warn!("asking for the state of {id}: {}", words(&error));
                Life::Running
            }
        }
    }

    /// The last lines of a container's output; those that came before an error are returned.
    pub(super) async fn log(&self, id: &str, lines: usize) -> Vec<String> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let mut output = Box::pin(self.client.logs(id, Some(options)));
        let mut text = Vec::new();
        while let Ok(Some(piece)) = within(ASK, async { output.next().await.transpose() }).await {
            text.extend_from_slice(&piece.into_bytes());
        }
        let text = String::from_utf8_lossy(&text);
        let all: Vec<_> = text.lines().map(plain).filter(|line| !line.trim().is_empty()).collect();
        all[all.len().saturating_sub(lines)..].to_vec()
    }

    /// Removes a container with its anonymous volumes; succeeds when it is already gone. Where the
    /// engine went away meanwhile, it is asked once more when it is back.
    pub(super) async fn remove(&self, id: &str) -> Result<(), EngineError> {
        self.ways().remove(id);
        self.persist(|| self.remove_once(id)).await
    }

    async fn remove_once(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match within(WORK, self.client.remove_container(id, Some(options))).await {
            // 409: somebody else is at it.
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            other => other,
        }
    }

    pub(super) async fn discard(&self, id: &str) {
        if let Err(error) = self.remove(id).await {
            tracing::warn!("the container {id} could not be removed: {}", words(&error));
        }
    }
}

pub(super) fn life_of(inspect: &ContainerInspectResponse) -> Life {
    let Some(state) = &inspect.state else { return Life::Running };
    if state.running != Some(false) {
        return Life::Running;
    }
    Life::Ended { code: state.exit_code, out_of_memory: state.oom_killed == Some(true) }
}

/// The container's own address, on the first network that gives it one.
pub(super) fn bridge_address(inspect: &ContainerInspectResponse) -> Option<IpAddr> {
    let networks = inspect.network_settings.as_ref()?.networks.as_ref()?;
    networks.values().find_map(|network| network.ip_address.as_ref()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read() {
        let of = |state: serde_json::Value| {
            life_of(&serde_json::from_value(serde_json::json!({ "State": state })).unwrap())
        };
        let running = serde_json::json!({"Status": "running", "Running": true, "OOMKilled": false, "ExitCode": 0});
        assert_eq!(of(running), Life::Running);
        let killed = serde_json::json!({"Status": "exited", "Running": false, "OOMKilled": true, "ExitCode": 137});
        assert_eq!(of(killed), Life::Ended { code: Some(137), out_of_memory: true });
        let paused = serde_json::json!({"Status": "paused", "Running": true, "Paused": true});
        assert_eq!(of(paused), Life::Running);
    }

    #[test]
    fn the_first_address_is_taken() {
        let inspect = serde_json::from_value(serde_json::json!({"NetworkSettings": {"Networks": {
            "none": {"IPAddress": ""}, "bridge": {"IPAddress": "172.17.0.4"}}}}))
        .unwrap();
        assert_eq!(bridge_address(&inspect), Some(IpAddr::from([172, 17, 0, 4])));
        assert_eq!(bridge_address(&ContainerInspectResponse::default()), None);
    }
}
