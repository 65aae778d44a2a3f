//! MariaDB: each user is a connection with a prepared `INSERT`, the consumer polls with `SELECT`,
//! as in the study; but rows that commit out of order are not lost (see `gaps`).
//!
//! | file | content |
//! |---|---|
//! | `info`, `setting_keys` | the backend's description and its keys in a profile |
//! | `settings` | the profile's table and the server's arguments |
//! | `launch`, `image` | how the server is started |
//! | `login` | connections, and the server's refusals |
//! | `session_variables` | variables that hubmark sets on each connection and reads back |
//! | `readiness` | waiting for a server that starts |
//! | `session`, `facts` | the table, counts, settings in force |
//! | `user_sessions` | the users' sessions on the server |
//! | `compatibility` | whether a server can take a load, and what it adds to the load |
//! | `fleet` | the users |
//! | `backoff` | pauses between attempts to reconnect |
//! | `consumer`, `page_reader` | the consumer |
//! | `gaps`, `epoch` | skipped rows, and the proof that they will never arrive |
//! | `recent` | rows that a server lost when it died |

mod backoff;
mod compatibility;
mod consumer;
mod epoch;
mod facts;
mod fleet;
mod gaps;
mod image;
mod info;
mod launch;
mod login;
mod page_reader;
mod readiness;
mod recent;
mod session;
mod session_variables;
mod setting_keys;
mod settings;
mod user_sessions;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    Backend, BackendError, BackendInfo, ClientNeeds, RepetitionContext, ServerFacts, Session,
    external as external_servers,
};
use crate::{
    clock::Clock,
    server::{HubKind, RunningServer, ServerImage, ServerSpec},
    units::Bytes,
};
use {
    info::{INFO, PORT, ROLE, TITLE, VERSIONS},
    settings::MariaDbSettings,
};

/// The MariaDB backend.
#[derive(Debug, Default, Clone, Copy)]
pub struct MariaDb;

#[async_trait]
impl Backend for MariaDb {
    fn info(&self) -> &'static BackendInfo {
        &INFO
    }

    fn check(&self, context: &RepetitionContext) -> Vec<BackendError> {
        MariaDbSettings::read(context).1
    }

    fn servers(&self, context: &RepetitionContext) -> Result<Vec<ServerSpec>, BackendError> {
        let (settings, problems) = MariaDbSettings::read(context);
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem);
        }
        let server = match context.hub {
            HubKind::Docker => {
                launch::container(context, &settings, version_to_start(context, &settings)?)
            }
            HubKind::Local => launch::process(context, &settings),
            HubKind::External => {
                let named =
                    external_servers::configured_server(TITLE, context)?.unwrap_or_default();
                external_servers::server_spec(TITLE, ROLE, &named, PORT)?
            }
        };
        Ok(vec![server])
    }

    fn recipe(&self, version: &str) -> Option<ServerImage> {
        INFO.builds(version).then(|| image::recipe_image(version))
    }

    fn incompatibilities(
        &self,
        context: &RepetitionContext,
        facts: &ServerFacts,
    ) -> Vec<BackendError> {
        compatibility::incompatibilities(context, facts)
    }

    fn cautions(&self, context: &RepetitionContext, facts: &ServerFacts) -> Vec<String> {
        compatibility::cautions(context, facts)
    }

    fn client_needs(&self, _settings: &Map<String, Value>, users: u32) -> ClientNeeds {
        // One connection per user; besides, the consumer, short-lived queries and the runtimes.
        ClientNeeds {
            descriptors: u64::from(users) + 24,
            threads: 2 + fleet::max_threads() as u64,
            // 12 KiB per user were measured; twice that is allowed for.
            memory: Bytes(u64::from(users) * (24 << 10)),
        }
    }

    async fn connect(
        &self,
        context: &RepetitionContext,
        servers: &[RunningServer],
        clock: Clock,
        timeout: Duration,
    ) -> Result<Box<dyn Session>, BackendError> {
        let server = servers.first().ok_or_else(|| BackendError::no_server(ROLE))?;
        let (settings, _) = MariaDbSettings::read(context);
        let session =
            session::connect(context, settings, server.endpoint(PORT), clock, timeout).await?;
        Ok(Box::new(session))
    }
}

/// Returns the version of the recipe to start, by default the first of [`VERSIONS`].
fn version_to_start<'a>(
    context: &'a RepetitionContext,
    settings: &MariaDbSettings,
) -> Result<&'a str, BackendError> {
    let requested = context.point.backend.version.as_deref().unwrap_or(VERSIONS[0]);
    if settings.image.is_some() || VERSIONS.contains(&requested) {
        return Ok(requested);
    }
    let reason = format!(
        "hubmark has recipes for {}; for another version name an image, for example image = \"mariadb:{requested}\"",
        VERSIONS.join(", ")
    );
    Err(BackendError::setting(TITLE, "version", requested, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::fixture::repetition_context, server::LaunchSpec};

    #[test]
    fn each_hub_gets_its_kind_of_server() {
        let mut context = repetition_context("mariadb", 10, 100);
        let docker = MariaDb.servers(&context).unwrap();
        assert!(matches!(docker[0].launch, LaunchSpec::Container(_)));
        assert_eq!((docker.len(), docker[0].ports[0]), (1, 3306));
        context.hub = HubKind::Local;
        let local = MariaDb.servers(&context).unwrap();
        assert!(matches!(local[0].launch, LaunchSpec::Process(_)));
    }

    #[test]
    fn a_version_without_a_recipe_needs_an_image() {
        let mut context = repetition_context("mariadb", 10, 100);
        context.point.backend.version = Some("10.4.17".into());
        let refused = MariaDb.servers(&context).unwrap_err().to_string();
        assert!(refused.contains("image = \"mariadb:10.4.17\""), "{refused}");
        context.settings.insert("image".into(), "mariadb:10.4.17".into());
        assert!(MariaDb.servers(&context).is_ok());
    }

    #[test]
    fn a_user_takes_a_descriptor() {
        let (few, many) = {
            let none = Map::new();
            (MariaDb.client_needs(&none, 10), MariaDb.client_needs(&none, 1_010))
        };
        assert_eq!(many.descriptors - few.descriptors, 1_000);
        assert_eq!(many.threads, few.threads);
    }
}
