//! Backends: the systems under test, behind one small seam.
//!
//! A [`Backend`] says which servers it needs and opens a [`Session`] on them once they answer by
//! protocol. A session hands the engine a [`Fleet`] (all users' producers behind one object, whose
//! `send` never blocks) and a [`Consumer`] (runs on a thread of its own). Both tell the engine what
//! happens through [`Reports`] and [`Inbox`], with the time at which they knew it; what is done
//! with that (ledger, histograms) they do not know.
//!
//! On servers that run already, [`external`] has what all of them share.
//!
//! A new backend is one folder here, one image recipe under `assets/images/`, and one line in
//! [`registry`].

mod external;
pub mod kafka;
pub mod mariadb;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{
    clock::{Clock, Micros},
    plan::{Durability, Point},
    profile::catalogue::Catalogue,
    server::{HubKind, Image, Limits, Running, ServerSpec},
    stamp::{Stamp, User},
    units::Bytes,
};

pub use crate::profile::catalogue::{BackendInfo, SettingKey, SettingKind};

/// Every backend that this program knows.
pub fn registry() -> Vec<Arc<dyn Backend>> {
    let mut backends: Vec<Arc<dyn Backend>> = kafka::backends().into();
    backends.push(Arc::new(mariadb::MariaDb));
    backends
}

/// What the profiles may say about the backends of [`registry`].
pub fn catalogue() -> Catalogue {
    Catalogue::new(registry().iter().map(|backend| backend.info()))
}

/// The backend called `name`.
pub fn find(name: &str) -> Option<Arc<dyn Backend>> {
    registry().into_iter().find(|backend| backend.info().name == name)
}

/// The image that this program would build under the name `reference`, for example
/// `hubmark/kafka:2.8.0`, if any.
pub fn own_image(reference: &str) -> Option<Image> {
    let (name, version) = reference.strip_prefix(OWN_IMAGES)?.split_once(':')?;
    find(name)?.recipe(version).filter(|image| image.reference() == reference)
}

/// Before the name of every image that is built from a recipe of this program.
const OWN_IMAGES: &str = "hubmark/";

/// What went wrong between this program and a server, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The backend cannot run on that kind of hub.
    #[error("{backend} cannot run on the {hub} hub: {reason}")]
    WrongHub {
        /// The backend's title.
        backend: String,
        /// The kind of hub.
        hub: String,
        /// Why, and what to do instead.
        reason: String,
    },
    /// A setting that the client library or the server refuses.
    #[error("{backend}: the setting {key} = {value} was refused: {reason}")]
    Setting {
        /// The backend's title.
        backend: String,
        /// The key as in the profile.
        key: String,
        /// Its value.
        value: String,
        /// What the library said.
        reason: String,
    },
    /// The server did not answer by protocol in time.
    #[error("{server} at {address} did not become ready within {waited:.0?}: {last}")]
    NotReady {
        /// The server's role.
        server: String,
        /// Where it was tried.
        address: String,
        /// For how long.
        waited: Duration,
        /// The last error seen.
        last: String,
    },
    /// The server refused the user name or password.
    #[error(
        "{server} at {address} refused user {user:?}: {reason}\n  see that this account is there, with the password that hubmark was given, and that nobody changes accounts while it measures"
    )]
    Refused {
        /// The server's role.
        server: String,
        /// Where it was tried.
        address: String,
        /// The user name (never the password).
        user: String,
        /// What the server said.
        reason: String,
    },
    /// An operation failed.
    #[error("{what} failed on {server}: {reason}")]
    Operation {
        /// What was tried.
        what: String,
        /// On which server.
        server: String,
        /// What the client library said.
        reason: String,
    },
}

/// Everything a backend needs to know about one repetition.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The point to measure.
    pub point: Point,
    /// The backend's table of the profile: only keys of [`BackendInfo::settings`], defaults filled in.
    pub settings: Map<String, Value>,
    /// The kind of hub.
    pub hub: HubKind,
    /// Limits that the servers will run under.
    pub limits: Limits,
    /// Password for servers that need one: random, made anew for each repetition; of a server that
    /// runs already, its account's.
    pub password: String,
}

impl Setup {
    /// The point's durability.
    pub const fn durability(&self) -> Durability {
        self.point.durability
    }
}

/// A system under test.
#[async_trait]
pub trait Backend: Send + Sync {
    /// What it is.
    fn info(&self) -> &'static BackendInfo;

    /// Checks what only the client library can check (unknown or impossible client settings),
    /// without any server. All problems at once.
    fn check(&self, setup: &Setup) -> Vec<BackendError>;

    /// The servers to start, in this order.
    fn servers(&self, setup: &Setup) -> Result<Vec<ServerSpec>, BackendError>;

    /// The image that its own recipe makes of `version`, if it does.
    fn recipe(&self, version: &str) -> Option<Image> {
        let _ = version;
        None
    }

    /// What keeps a server that is not this program's from taking the load of `setup`, by what it
    /// says of itself: nothing of it is changed for a measurement.
    fn misfits(&self, setup: &Setup, facts: &ServerFacts) -> Vec<BackendError> {
        let _ = (setup, facts);
        Vec::new()
    }

    /// File descriptors and threads that `users` users take on this side.
    fn needs(&self, users: u32) -> ClientNeeds;

    /// Waits until the started servers answer by protocol, then returns a session.
    ///
    /// `servers` are in the order of [`Backend::servers`]. Ends with [`BackendError::NotReady`]
    /// after `patience`; the caller drops the future when a server dies meanwhile.
    async fn connect(
        &self,
        setup: &Setup,
        servers: &[Running],
        clock: Clock,
        patience: Duration,
    ) -> Result<Box<dyn Session>, BackendError>;
}

/// What a client needs on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientNeeds {
    /// File descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Resident memory of the users' clients, as measured.
    pub memory: Bytes,
}

/// Facts about the server that are read back from it, for the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// The version that the server names.
    pub version: String,
    /// Settings in force that matter for durability and speed, as the server states them.
    pub settings: Vec<(String, String)>,
    /// The client library and its version, and client settings in force.
    pub client: Vec<(String, String)>,
}

/// Whether a fleet sends each message at once or bundles many in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bundling {
    /// Each message goes out at once: the latency workload.
    Single,
    /// Many messages in one request: the throughput workload.
    Bulk,
}

/// Servers that answer.
#[async_trait]
pub trait Session: Send + Sync {
    /// Reads back version and settings in force.
    async fn facts(&self) -> Result<ServerFacts, BackendError>;

    /// Deletes the topic (table), if there is one, and creates it anew. On a server that is not
    /// this program's it has a name that nothing else there has.
    async fn reset(&self) -> Result<(), BackendError>;

    /// Removes what dead runs of this program left on a server that is not this program's, and
    /// nothing else. Returns what it removed.
    async fn sweep(&self) -> Result<Vec<String>, BackendError> {
        Ok(Vec::new())
    }

    /// Removes what was created, where the server outlives the session.
    async fn leave(&self) -> Result<(), BackendError> {
        Ok(())
    }

    /// Connects `users` users, each with a connection of its own. Returns once all are connected
    /// and could send at once; progress goes to [`Reports::connected`].
    async fn fleet(
        &self,
        users: u32,
        bundling: Bundling,
        reports: Arc<dyn Reports>,
    ) -> Result<Box<dyn Fleet>, BackendError>;

    /// A consumer that stands at the start of the (empty or loaded) topic, connected.
    async fn consumer(&self, bundling: Bundling) -> Result<Box<dyn Consumer>, BackendError>;

    /// Counts the messages that the server holds, over a connection of its own that shares
    /// nothing with fleet and consumer.
    async fn count(&self) -> Result<u64, BackendError>;
}

/// All users' producers behind one object.
///
/// Dropping a fleet closes its connections; it may block for a moment.
pub trait Fleet: Send {
    /// Hands one message over: `message` is the stamp's 8 bytes followed by the payload.
    ///
    /// Never blocks. The outcome is told to [`Reports`] from whatever thread learns it. A user's
    /// messages are sent in the order of their hand-over.
    fn send(&mut self, user: User, stamp: Stamp, message: &[u8]) -> Result<(), SendError>;

    /// With [`Bundling::Bulk`], sends what was handed over and not yet sent. Never blocks.
    fn flush(&mut self);
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// Queues are full: try the same message again a little later.
    Full,
    /// The message will certainly not be sent.
    Refused(String),
}

/// A consumer; it knows where to start reading.
pub trait Consumer: Send {
    /// Reads until [`Inbox::stopped`], telling the inbox each arrival. Blocks: it owns its thread.
    ///
    /// An error ends it: what did not arrive is then not known to be lost, and the repetition fails.
    fn run(self: Box<Self>, inbox: &mut dyn Inbox) -> Result<(), BackendError>;
}

/// Where a consumer reports arrivals. Lives on the consumer's thread.
pub trait Inbox: Send {
    /// A message arrived at `at`, which was read as close to the wire as the client allows.
    fn arrived(&mut self, at: Micros, stamp: Stamp, payload: &[u8]);

    /// Something arrived that is too short, or otherwise not of this program's making.
    fn foreign(&mut self);

    /// The end of a batch: what was told so far becomes visible to the ledger. Call it whenever
    /// nothing more is at hand, and at least once a millisecond's worth of work.
    fn flush(&mut self);

    /// Whether to stop reading. Ask at least every 50 ms.
    fn stopped(&self) -> bool;
}

/// The outcome of one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The message.
    pub stamp: Stamp,
    /// When the outcome was known.
    pub at: Micros,
}

/// Where a fleet reports what became of its sends. Called from any thread.
pub trait Reports: Send + Sync {
    /// So many users are connected now.
    fn connected(&self, users: u32);

    /// These messages were acknowledged.
    fn acked(&self, receipts: &[Receipt]);

    /// This message was certainly refused: it will never be stored.
    fn refused(&self, receipt: Receipt, reason: &str);

    /// This message's outcome will never be known (time-out, connection lost).
    fn unknown(&self, receipt: Receipt, reason: &str);

    /// Something worth a line in the log: a connection lost, a broker gone.
    fn note(&self, text: String);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_images_are_known_by_name() {
        for version in ["2.8.0", "3.9.1", "4.4.0"] {
            let name = format!("hubmark/kafka:{version}");
            assert_eq!(own_image(&name).unwrap().reference(), name);
        }
        assert_eq!(
            own_image("hubmark/mariadb:10.11").unwrap().reference(),
            "hubmark/mariadb:10.11"
        );
        for other in ["hubmark/mariadb:9", "hubmark/nothing:1", "kafka:2.8.0", "hubmark/kafka"] {
            assert_eq!(own_image(other), None, "{other}");
        }
    }
}
