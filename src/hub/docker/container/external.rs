//! Looks up containers that this program did not start, without changing them.

use super::lifecycle::parse_state;
use crate::{
    hub::{
        HubError,
        docker::{
            api_call::{http_status, operation_error},
            engine::DockerEngine,
        },
    },
    server::ServerState,
};

/// A running container that this program did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalContainer {
    /// Identity on the engine.
    pub id: String,
    /// Image of the container.
    pub image: String,
    /// Content digest of the image.
    pub digest: Option<String>,
}

impl DockerEngine {
    /// Finds a running container by its name or identity.
    pub async fn find_container(&self, name: &str) -> Result<ExternalContainer, HubError> {
        let what = format!("looking for the container {name}");
        let inspect = match self
            .query("inspecting a container", self.client.inspect_container(name, None))
            .await
        {
            Ok(inspect) => inspect,
            Err(error) if http_status(&error) == Some(404) => {
                let reason = format!(
                    "{} has no container of that name (docker ps lists them)",
                    self.address
                );
                return Err(HubError::Operation { what, reason });
            }
            Err(error) => return Err(operation_error(what)(error)),
        };
        if parse_state(&inspect) != ServerState::Running {
            let reason = "it does not run (docker start starts it)".to_owned();
            return Err(HubError::Operation { what, reason });
        }
        let digest = match &inspect.image {
            Some(id) => Some(self.pulled_digest(id).await.unwrap_or_else(|| id.clone())),
            None => None,
        };
        let image = inspect.config.and_then(|config| config.image);
        Ok(ExternalContainer {
            id: inspect.id.unwrap_or_else(|| name.to_owned()),
            image: image.unwrap_or_else(|| "not known".to_owned()),
            digest,
        })
    }
}
