//! A container that is not ours: it is looked at, and nothing else.

use super::{
    Engine,
    call::{ASK, failed, status, within},
    state::life_of,
};
use crate::{hub::HubError, server::Life};

/// A running container that somebody else has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its identity on the engine.
    pub id: String,
    /// The image that it was made from.
    pub image: String,
    /// The image's content digest.
    pub digest: Option<String>,
}

impl Engine {
    /// Finds a running container by its name or identity.
    pub(super) async fn foreign(&self, name: &str) -> Result<Foreign, HubError> {
        let what = format!("looking for the container {name}");
        let inspect = match within(ASK, self.client.inspect_container(name, None)).await {
            Ok(inspect) => inspect,
            Err(error) if status(&error) == Some(404) => {
                let reason =
                    format!("{} has none of that name (docker ps lists them)", self.address);
                return Err(HubError::Operation { what, reason });
            }
            Err(error) => return Err(failed(what)(error)),
        };
        if life_of(&inspect) != Life::Running {
            let reason = "it does not run (docker start starts it)".to_owned();
            return Err(HubError::Operation { what, reason });
        }
        let digest = match &inspect.image {
            Some(id) => Some(self.pulled_digest(id).await.unwrap_or_else(|| id.clone())),
            None => None,
        };
        let image = inspect.config.and_then(|config| config.image);
        Ok(Foreign {
            id: inspect.id.unwrap_or_else(|| name.to_owned()),
            image: image.unwrap_or_else(|| "not known".to_owned()),
            digest,
        })
    }
}
