//! MariaDB: each user a connection with a prepared `INSERT`, the consumer a polling `SELECT`, as
//! the study had it, but for rows that commit out of order: none of them is lost (see [`gaps`]).
//!
//! | file | what is in it |
//! |---|---|
//! | [`settings`] | the profile's table, and the server's arguments |
//! | [`launch`], [`image`] | how the server is started |
//! | [`login`] | connections and what refusals mean |
//! | [`session`] | ready or not, the table, facts, counts |
//! | [`fit`] | whether a server that is not ours can take a load |
//! | [`fleet`] | the users |
//! | [`consumer`], [`select`] | the reader |
//! | [`gaps`], [`epoch`] | which rows may still come, and when that is known to be over |
//! | [`recent`] | which rows a server that died has forgotten |

mod consumer;
mod epoch;
mod fit;
mod fleet;
mod gaps;
mod image;
mod launch;
mod login;
mod recent;
mod select;
mod session;
mod settings;

use std::time::Duration;

use async_trait::async_trait;

use self::settings::Settings;
use super::{
    Backend, BackendError, BackendInfo, ClientNeeds, ServerFacts, Session, Setup, external as given,
};
use crate::{
    clock::Clock,
    server::{HubKind, Image, Running, ServerSpec},
    units::Bytes,
};

const TITLE: &str = "MariaDB";
const ROLE: &str = "mariadb";
const PORT: u16 = 3306;
const VERSIONS: &[&str] = &["10.11"];

static INFO: BackendInfo = BackendInfo {
    name: "mariadb",
    title: TITLE,
    caution: None,
    versions: VERSIONS,
    oldest: None,
    hubs: &[HubKind::Docker, HubKind::Local, HubKind::External],
    settings: settings::KEYS,
};

/// The MariaDB backend.
#[derive(Debug, Default, Clone, Copy)]
pub struct MariaDb;

#[async_trait]
impl Backend for MariaDb {
    fn info(&self) -> &'static BackendInfo {
        &INFO
    }

    fn check(&self, setup: &Setup) -> Vec<BackendError> {
        Settings::read(setup).1
    }

    fn servers(&self, setup: &Setup) -> Result<Vec<ServerSpec>, BackendError> {
        let (settings, problems) = Settings::read(setup);
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem);
        }
        let server = match setup.hub {
            HubKind::Docker => launch::container(setup, &settings, version(setup, &settings)?),
            HubKind::Local => launch::process(setup, &settings),
            HubKind::External => {
                let named = given::server(TITLE, setup)?.unwrap_or_default();
                given::spec(TITLE, ROLE, &named, PORT)?
            }
        };
        Ok(vec![server])
    }

    fn recipe(&self, version: &str) -> Option<Image> {
        INFO.builds(version).then(|| image::recipe(version))
    }

    fn misfits(&self, setup: &Setup, facts: &ServerFacts) -> Vec<BackendError> {
        fit::misfits(setup, facts)
    }

    fn needs(&self, users: u32) -> ClientNeeds {
        // A connection each; beside them the consumer, short-lived questions, the runtimes' own.
        ClientNeeds {
            descriptors: u64::from(users) + 24,
            threads: 2 + fleet::most_threads() as u64,
            // 12 KiB each were measured, and twice that is allowed for.
            memory: Bytes(u64::from(users) * (24 << 10)),
        }
    }

    async fn connect(
        &self,
        setup: &Setup,
        servers: &[Running],
        clock: Clock,
        patience: Duration,
    ) -> Result<Box<dyn Session>, BackendError> {
        let Some(server) = servers.first() else {
            return Err(BackendError::Operation {
                what: "connecting".into(),
                server: ROLE.into(),
                reason: "no server was started".into(),
            });
        };
        let (settings, _) = Settings::read(setup);
        let session =
            session::open(setup, settings, server.endpoint(PORT), clock, patience).await?;
        Ok(Box::new(session))
    }
}

/// The version of our own recipe to start: the asked one, or the default.
fn version<'a>(setup: &'a Setup, settings: &Settings) -> Result<&'a str, BackendError> {
    let asked = setup.point.backend.version.as_deref().unwrap_or(VERSIONS[0]);
    if settings.image.is_some() || VERSIONS.contains(&asked) {
        return Ok(asked);
    }
    Err(BackendError::Setting {
        backend: TITLE.into(),
        key: "version".into(),
        value: asked.into(),
        reason: format!(
            "recipes exist for {}; for others name an image, for example image = \"mariadb:{asked}\"",
            VERSIONS.join(", ")
        ),
    })
}

/// A repetition of the latency workload, for tests of this folder.
#[cfg(test)]
fn test_setup(users: u32, payload: u64) -> Setup {
    use crate::{
        plan::{
            Arrival, BackendChoice, Durability, LatencyWorkload, PayloadSource, Point, Workload,
        },
        server::Limits,
        units::Bytes,
    };
    Setup {
        point: Point {
            backend: BackendChoice { name: "mariadb".into(), version: None },
            workload: Workload::Latency(LatencyWorkload {
                users,
                payload: Bytes(payload),
                payload_source: PayloadSource::Seeded,
                messages: 1,
                arrival: Arrival::Constant { mean: Duration::from_secs(1) },
                warmup: Duration::ZERO,
                drain: Duration::from_secs(1),
            }),
            durability: Durability::Default,
        },
        settings: serde_json::Map::new(),
        hub: HubKind::Docker,
        limits: Limits::default(),
        password: "correct horse battery".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Launch;

    #[test]
    fn each_hub_gets_its_kind_of_server() {
        let mut setup = test_setup(10, 100);
        let docker = MariaDb.servers(&setup).unwrap();
        assert!(matches!(docker[0].launch, Launch::Container(_)));
        assert_eq!((docker.len(), docker[0].ports[0]), (1, 3306));
        setup.hub = HubKind::Local;
        let local = MariaDb.servers(&setup).unwrap();
        assert!(matches!(local[0].launch, Launch::Process(_)));
    }

    #[test]
    fn a_version_without_a_recipe_needs_an_image() {
        let mut setup = test_setup(10, 100);
        setup.point.backend.version = Some("10.4.17".into());
        let refused = MariaDb.servers(&setup).unwrap_err().to_string();
        assert!(refused.contains("image = \"mariadb:10.4.17\""), "{refused}");
        setup.settings.insert("image".into(), "mariadb:10.4.17".into());
        assert!(MariaDb.servers(&setup).is_ok());
    }

    #[test]
    fn a_user_takes_a_descriptor() {
        let (few, many) = (MariaDb.needs(10), MariaDb.needs(1_010));
        assert_eq!(many.descriptors - few.descriptors, 1_000);
        assert_eq!(many.threads, few.threads);
    }
}
