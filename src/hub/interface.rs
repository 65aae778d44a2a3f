//! The interface of a hub.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{error::HubError, host::HostReader};
use crate::{
    clock::{Clock, Micros},
    event::ImageProgress,
    hot_thread::HotThread,
    measure::PathCost,
    plan::FaultKind,
    server::{
        BlockSource, HubFacts, HubKind, LimitVerification, ResourceLimits, RunningServer,
        ServerImage, ServerReading, ServerSpec, ServerState,
    },
    units::Bytes,
};

/// Longest wait until a started server answers by protocol.
pub const READY_TIMEOUT: Duration = Duration::from_secs(90);

/// A reading of one server with its time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedReading {
    /// Time of receipt, on the run's clock.
    pub at: Micros,
    /// The reading.
    pub reading: ServerReading,
}

/// A place where servers run; one value serves a whole run.
#[async_trait]
pub trait Hub: Send + Sync {
    /// The kind of this hub.
    fn kind(&self) -> HubKind;

    /// The hub's address or location, for the screen and for error messages.
    fn location(&self) -> String;

    /// Connects to the hub and returns its facts.
    async fn facts(&self) -> Result<HubFacts, HubError>;

    /// Reads the state of the hub itself about once a second until the receiver of samples is
    /// dropped; `None` when this hub cannot be read.
    ///
    /// `image` is an image present on the hub: the reader of another machine runs in a container of
    /// it.
    async fn monitor_host(
        &self,
        image: Option<&ServerImage>,
    ) -> Result<Option<HostReader>, HubError> {
        let _ = image;
        Ok(None)
    }

    /// Why a running server may not answer at the ports where this hub publishes it, and what to
    /// check; `None` if the ports accept connections, or are not published by this hub.
    async fn explain_closed_port(&self, _server: &RunningServer) -> Option<String> {
        None
    }

    /// Other runs of this program with servers on this hub now, each described in words: they and
    /// this run disturb each other's figures.
    async fn other_runs(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes an image available and current: builds or pulls it when it is missing or outdated.
    /// Does nothing where servers need no image.
    async fn ensure_image(
        &self,
        _image: &ServerImage,
        _progress: mpsc::UnboundedSender<ImageProgress>,
        _cancel: CancellationToken,
    ) -> Result<(), HubError> {
        Ok(())
    }

    /// The content digest of an image present on the hub: the later [`RunningServer::digest`].
    async fn image_digest(&self, _image: &ServerImage) -> Option<String> {
        None
    }

    /// The size of an image present on the hub: all its layers, uncompressed.
    async fn image_size(&self, _image: &ServerImage) -> Option<Bytes> {
        None
    }

    /// Puts `limits` in force on a test container that is no server; returns the limits that the
    /// kernel reports and the effect measured under a short load.
    ///
    /// The container's image is among those of [`super::tool_image_for`].
    ///
    /// # Errors
    /// A limit that cannot be put in force, or that has no effect.
    async fn verify_limits(
        &self,
        limits: &ResourceLimits,
    ) -> Result<Vec<LimitVerification>, HubError> {
        if *limits == ResourceLimits::default() {
            return Ok(Vec::new());
        }
        let reason = format!("limits need a container, and {} starts none", self.location());
        Err(HubError::Limits { reason })
    }

    /// Measures the cost of the network path from this machine to a server's port; `None` without a
    /// means to measure it. A container of one of `images`, all present on the hub, is run for it.
    async fn measure_path(
        &self,
        _images: &[ServerImage],
        _limits: &ResourceLimits,
    ) -> Result<Option<PathCost>, HubError> {
        Ok(None)
    }

    /// Starts one clean server; `earlier` are the servers of the same repetition that already run.
    ///
    /// A failed start leaves nothing of the server behind.
    async fn start(
        &self,
        spec: &ServerSpec,
        limits: &ResourceLimits,
        earlier: &[RunningServer],
    ) -> Result<RunningServer, HubError>;

    /// Streams readings of a server about every second, until the receiver is dropped or the server
    /// ends. An engine's first reading is omitted when it is known to be wrong.
    fn watch(&self, server: &RunningServer, clock: Clock) -> mpsc::Receiver<TimedReading>;

    /// Takes one reading now; the totals of a load are differences of two of these.
    async fn read(&self, server: &RunningServer) -> Result<ServerReading, HubError>;

    /// Size of the server's data folder, where it can be determined. May take a moment: do not call
    /// it during a load.
    async fn data_size(&self, server: &RunningServer) -> Option<Bytes>;

    /// Bytes written so far by the hub's disk under the servers' data, where the counter can be
    /// read.
    async fn disk_written(&self, server: &RunningServer) -> Option<Bytes>;

    /// Threads of this process that forward everything to and from a server, to delay it.
    fn forwarding_threads(&self, _server: &RunningServer) -> Vec<Arc<HotThread>> {
        Vec::new()
    }

    /// Whether the server's resources can be read.
    fn can_measure(&self, _server: &RunningServer) -> bool {
        true
    }

    /// Source of [`ServerReading::block_written`] for a server.
    fn block_source(&self, server: &RunningServer) -> BlockSource;

    /// The server's current state: running, ended or missing.
    async fn server_state(&self, server: &RunningServer) -> ServerState;

    /// The last lines of the server's log.
    async fn log(&self, server: &RunningServer, lines: usize) -> Vec<String>;

    /// Injects a planned fault into a server; returns once the fault is in force. `limits` are
    /// those under which the server was started.
    async fn inject(
        &self,
        server: &RunningServer,
        fault: &FaultKind,
        _limits: &ResourceLimits,
    ) -> Result<(), HubError> {
        Err(self.unsupported(format!("{} of {}", fault.name(), server.role)))
    }

    /// Ends a fault begun by [`Hub::inject`]; returns once it has ended.
    ///
    /// A server that had stopped has then been restarted with its data at the same address, without
    /// waiting until it answers. May be called again after the server has stopped once more.
    async fn clear(
        &self,
        server: &RunningServer,
        fault: &FaultKind,
        _limits: &ResourceLimits,
    ) -> Result<(), HubError> {
        Err(self.unsupported(format!("ending the {} of {}", fault.name(), server.role)))
    }

    /// The error for an operation `what` that this kind of hub does not support.
    fn unsupported(&self, what: String) -> HubError {
        let reason = format!("this kind of hub ({}) does not support it", self.location());
        HubError::Operation { what, reason }
    }

    /// Removes a server with its data; succeeds when the server is already removed.
    async fn remove(&self, server: &RunningServer) -> Result<(), HubError>;

    /// Removes everything that this run still has on the hub, servers being started or removed at
    /// the moment included. Called at the end of every run, also after a failure; nothing can be
    /// started afterwards.
    async fn shutdown(&self) -> Result<(), HubError>;

    /// Removes what dead runs of this program left behind, and nothing else; returns a description
    /// of each removed item.
    async fn remove_leftovers(&self) -> Result<Vec<String>, HubError>;
}
