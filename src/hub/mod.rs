//! Hubs: where the servers run. Start, watch, stop; nothing of what the servers are.
//!
//! [`docker`] runs each server in a clean container of a Docker engine; [`local`] runs child
//! processes on this machine, the built-in broker among them; [`external`] starts nothing and looks
//! at servers that run already. [`vitals`] reads how the hub itself fares.

pub mod child;
pub mod delay;
pub mod docker;
pub mod external;
pub mod local;
pub mod machine;
pub mod vitals;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, Micros},
    event::ImageStep,
    measure::PathCost,
    plan::{FaultKind, HubRequest, Plan},
    server::{
        BlockSource, HubFacts, HubKind, Image, Life, LimitInForce, Limits, Reading, Running,
        ServerSpec,
    },
    units::Bytes,
};

/// What went wrong on the way to a hub or on it, in words for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// No engine answers.
    #[error("no Docker engine answers at {engine}: {reason}\n  {advice}")]
    NoEngine {
        /// The engine's address.
        engine: String,
        /// What was seen.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// The way to an engine is barred.
    #[error("cannot reach {engine}: {reason}\n  {advice}")]
    Unreachable {
        /// The engine's address.
        engine: String,
        /// What bars it.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// The engine's socket may not be opened.
    #[error(
        "no permission to use the Docker engine at {engine}\n  add yourself to the docker group (sudo usermod -aG docker $USER, then log in again) or run as root"
    )]
    NoPermission {
        /// The engine's address.
        engine: String,
    },
    /// An address that this program cannot use.
    #[error("cannot use the engine address {engine:?}: {reason}")]
    BadAddress {
        /// The address.
        engine: String,
        /// Why.
        reason: String,
    },
    /// An image could not be built or pulled.
    #[error("the image {image} could not be {action}: {reason}")]
    Image {
        /// Its name.
        image: String,
        /// `built` or `pulled`.
        action: &'static str,
        /// The engine's words, and the last lines of the build.
        reason: String,
    },
    /// Limits that are not in force.
    #[error("the limits of the profile are not in force: {reason}")]
    Limits {
        /// Which, and what was found.
        reason: String,
    },
    /// A server did not start.
    #[error("{role} did not start: {reason}")]
    Start {
        /// The server's role.
        role: String,
        /// Why, with the last lines of its log.
        reason: String,
    },
    /// A program that is not installed.
    #[error("{program} is not installed here: {advice}")]
    NoProgram {
        /// The program.
        program: String,
        /// What to do.
        advice: String,
    },
    /// An operation failed.
    #[error("{what} failed on the hub: {reason}")]
    Operation {
        /// What was tried.
        what: String,
        /// What was seen.
        reason: String,
    },
    /// A password that is not there, or that others can read too.
    #[error("no password for {backend}: {reason}\n  {advice}")]
    Password {
        /// The backend.
        backend: String,
        /// What was seen; nothing of the password.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// The operator stopped the run meanwhile.
    #[error("stopped by the operator")]
    Cancelled,
}

/// A reading of one server at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// When it was received, on the run's clock.
    pub at: Micros,
    /// What it says.
    pub reading: Reading,
}

/// Where servers run. One value serves a whole run.
#[async_trait]
pub trait Hub: Send + Sync {
    /// Its kind.
    fn kind(&self) -> HubKind;

    /// The address or place, for the screen and for errors.
    fn place(&self) -> String;

    /// Reaches the hub and says what it is.
    async fn facts(&self) -> Result<HubFacts, HubError>;

    /// Reads the hub itself about once a second, until the beats are dropped; `None` where nobody
    /// can. `image` is one that is there: a reader on another machine runs from it.
    async fn attend(&self, image: Option<&Image>) -> Result<Option<vitals::Attendance>, HubError> {
        let _ = image;
        Ok(None)
    }

    /// Other runs of this program whose servers are up there now, each in words: they and this run
    /// disturb each other's figures.
    async fn others(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes sure that an image is there and up to date: builds or pulls it when it is not. Where
    /// servers need none there is nothing to do.
    async fn provide(
        &self,
        _image: &Image,
        _progress: mpsc::UnboundedSender<ImageStep>,
        _cancel: CancellationToken,
    ) -> Result<(), HubError> {
        Ok(())
    }

    /// The content digest of an image that is there: what [`Running::digest`] will be.
    async fn digest(&self, _image: &Image) -> Option<String> {
        None
    }

    /// The size of an image that is there: all its layers, uncompressed.
    async fn image_size(&self, _image: &Image) -> Option<Bytes> {
        None
    }

    /// Puts `limits` in force on something that is no server, and says what the kernel then has and
    /// what a short load came to. Its image is among those of [`tools_for`].
    ///
    /// # Errors
    /// A limit that cannot be put in force, or that does not hold.
    async fn prove(&self, limits: &Limits) -> Result<Vec<LimitInForce>, HubError> {
        if *limits == Limits::default() {
            return Ok(Vec::new());
        }
        let reason = format!("only a container has limits, and {} starts none", self.place());
        Err(HubError::Limits { reason })
    }

    /// Measures what the way from here to a server's port costs by itself; `None` where there is
    /// nothing to measure it with. One of `images`, which are there, is run for it.
    async fn path(
        &self,
        _images: &[Image],
        _limits: &Limits,
    ) -> Result<Option<PathCost>, HubError> {
        Ok(None)
    }

    /// Starts one clean server. `earlier` are those of the same repetition already started.
    ///
    /// When it fails, nothing of the server is left.
    async fn start(
        &self,
        spec: &ServerSpec,
        limits: &Limits,
        earlier: &[Running],
    ) -> Result<Running, HubError>;

    /// Readings of a server about every second, until the receiver is dropped or the server ends.
    /// The first reading of an engine that is known to be wrong is not sent.
    fn watch(&self, server: &Running, clock: Clock) -> mpsc::Receiver<Sampled>;

    /// One reading now: the totals of a load are differences of two of these.
    async fn read(&self, server: &Running) -> Result<Reading, HubError>;

    /// Size of the server's data folder, where it can be found. May take a moment: not during a load.
    async fn data_size(&self, server: &Running) -> Option<Bytes>;

    /// Sectors written by the hub's disk under the servers' data, where it can be read.
    async fn disk_written(&self, server: &Running) -> Option<Bytes>;

    /// Whether there is anything to read a server's resources from.
    fn measures(&self, _server: &Running) -> bool {
        true
    }

    /// Where [`Reading::block_written`] of a server comes from.
    fn block_source(&self, server: &Running) -> BlockSource;

    /// Whether the server still runs.
    async fn life(&self, server: &Running) -> Life;

    /// The last lines that the server wrote.
    async fn log(&self, server: &Running, lines: usize) -> Vec<String>;

    /// Brings a planned fault over a server; returns when it is in force. `limits` are those under
    /// which the server was started.
    async fn inflict(
        &self,
        server: &Running,
        fault: &FaultKind,
        _limits: &Limits,
    ) -> Result<(), HubError> {
        Err(self.beyond(format!("{} of {}", fault.word(), server.role)))
    }

    /// Ends what [`Hub::inflict`] began; returns when it is over. A server that had ended has then
    /// been started again with its data and at the same address; that it answers is not waited
    /// for. May be called again when it has ended once more.
    async fn relieve(
        &self,
        server: &Running,
        fault: &FaultKind,
        _limits: &Limits,
    ) -> Result<(), HubError> {
        Err(self.beyond(format!("ending the {} of {}", fault.word(), server.role)))
    }

    /// The answer to `what`, which this kind of hub has no means for.
    fn beyond(&self, what: String) -> HubError {
        let reason = format!("this kind of hub ({}) cannot do it", self.place());
        HubError::Operation { what, reason }
    }

    /// Removes a server with its data. Succeeds when it is already gone.
    async fn remove(&self, server: &Running) -> Result<(), HubError>;

    /// Removes whatever this run still has here, servers that are just being started or removed
    /// included: for the end of a run, in order or not. Nothing can be started afterwards.
    async fn abandon(&self) -> Result<(), HubError>;

    /// Removes what dead runs of this program left behind, and nothing else. Returns what it removed.
    async fn sweep(&self) -> Result<Vec<String>, HubError>;
}

/// The images that a hub needs beside its servers' for what `request` asks of it.
pub fn tools_for(request: &HubRequest) -> Option<Image> {
    let limited = request.kind == HubKind::Docker && request.limits != Limits::default();
    limited.then(docker::tools)
}

/// The hub that `plan` names; `run` is the identity that the run's servers carry.
pub async fn open(plan: &Plan, run: &str) -> Result<Arc<dyn Hub>, HubError> {
    Ok(match plan.hub.kind {
        HubKind::Docker => Arc::new(docker::DockerHub::reach(&plan.hub, run).await?),
        HubKind::Local => Arc::new(local::LocalHub::open()?),
        HubKind::External => Arc::new(external::ExternalHub::open(plan, run).await?),
    })
}

/// How long a server may take until it answers by protocol.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The program that [`local`] starts for the built-in broker: this one.
pub fn own_program() -> Result<PathBuf, HubError> {
    std::env::current_exe().map_err(|error| HubError::Operation {
        what: "finding this program's own file".into(),
        reason: error.to_string(),
    })
}
