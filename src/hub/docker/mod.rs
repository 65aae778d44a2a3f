//! The Docker hub: each server in a clean container of a Docker engine.
//!
//! - [`reach`] connects to an engine; [`engine`] is the connected engine.
//! - [`facts`] parses the engine's description of itself; [`examine`] checks whether it is ready.
//! - [`image`] builds, pulls, lists and removes server images.
//! - [`container`] starts and removes containers, and injects faults into them.
//! - [`limits`] limits the rate of links, and verifies all limits.
//! - [`observe`] reads resources and measures the network path; [`control_group`] locates the
//!   kernel's files of a container.
//!
//! Every call has a time limit ([`api_call`]), so that a hanging engine never hangs a run.

mod api_call;
mod container;
mod control_group;
mod engine;
mod examine;
mod facts;
#[cfg(test)]
mod fake_engine;
mod image;
mod limits;
mod observe;
mod reach;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Hub, HubError, TimedReading,
    delay_proxy::DelayProxy,
    host::{self, HostReader},
};
use crate::{
    clock::Clock,
    event::ImageProgress,
    hot_thread::HotThread,
    measure::PathCost,
    plan::{FaultKind, HubRequest},
    server::{
        BlockSource, HubFacts, HubKind, LimitVerification, ResourceLimits, RunningServer,
        ServerImage, ServerReading, ServerSpec, ServerState,
    },
    units::Bytes,
};
use {
    api_call::{error_text, operation_error},
    engine::DockerEngine,
};
pub use {
    container::{external::ExternalContainer, start_failure::APPARMOR_ADVICE},
    examine::{ClockOffset, Examination, ExaminationStep, HostReading, ImageState},
    image::{store::OwnImage, tools::tools_image},
    reach::{
        connect::EngineAddress,
        known_engines::{KnownEngine, connection_caution, known_engines},
    },
};

/// A Docker engine as a hub; clones share the connection.
#[derive(Debug, Clone)]
pub struct DockerHub {
    engine: Arc<DockerEngine>,
}

impl DockerHub {
    /// Connects to the engine at `engine`, or to the default one; see [`DockerHub::connect`].
    pub async fn open(engine: Option<&str>, run: Option<&str>) -> Result<Self, HubError> {
        Self::connect(&HubRequest::docker(engine.map(str::to_owned)), run).await
    }

    /// Connects to the requested engine, or to the one that Docker's own tools would take.
    ///
    /// `run` is the identity of the run, which every container carries as a label; `None` for
    /// maintenance outside a run.
    pub async fn connect(request: &HubRequest, run: Option<&str>) -> Result<Self, HubError> {
        let engine = DockerEngine::connect(request, run).await?;
        Ok(Self { engine: Arc::new(engine) })
    }

    /// Reads the host as [`Hub::monitor_host`]; a reader in a container ends by itself after `seconds`.
    async fn monitor_host_for(
        &self,
        image: Option<&ServerImage>,
        seconds: Option<u32>,
    ) -> Result<Option<HostReader>, HubError> {
        if self.engine.address.is_local() && !self.engine.port_access.is_published() {
            let here = host::files::SystemFiles::Folder("/".into());
            return Ok(Some(host::read_local(here, self.engine.data_root.clone()).await));
        }
        let Some(image) = image else { return Ok(None) };
        Arc::clone(&self.engine).monitor_host(image.reference(), seconds).await.map(Some)
    }

    /// Lists every image on the hub that was built from a recipe of this program, newest first.
    pub async fn images(&self) -> Result<Vec<OwnImage>, HubError> {
        self.engine.own_images().await
    }

    /// Finds a running container that this program did not start, by its name or identity.
    pub async fn find_container(&self, name: &str) -> Result<ExternalContainer, HubError> {
        self.engine.find_container(name).await
    }

    /// Removes an image that was built from a recipe of this program; refuses any other.
    pub async fn remove_image(&self, reference: &str) -> Result<(), HubError> {
        self.engine.remove_image(reference).await
    }
}

#[async_trait]
impl Hub for DockerHub {
    fn kind(&self) -> HubKind {
        HubKind::Docker
    }

    fn location(&self) -> String {
        self.engine.address.to_string()
    }

    async fn facts(&self) -> Result<HubFacts, HubError> {
        self.engine.facts().await
    }

    async fn explain_closed_port(&self, server: &RunningServer) -> Option<String> {
        self.engine.explain_closed_port(server).await
    }

    async fn other_runs(&self) -> Vec<String> {
        match self.engine.other_runs().await {
            Ok(others) => others,
            Err(error) => {
                tracing::warn!("looking for other runs: {}", error_text(&error));
                Vec::new()
            }
        }
    }

    async fn image_digest(&self, image: &ServerImage) -> Option<String> {
        let id = self.engine.image(image.reference()).await.ok()??.id?;
        Some(self.engine.content_digest(&id, image).await)
    }

    async fn image_size(&self, image: &ServerImage) -> Option<Bytes> {
        let size = self.engine.image(image.reference()).await.ok()??.size?;
        u64::try_from(size).ok().map(Bytes)
    }

    async fn monitor_host(
        &self,
        image: Option<&ServerImage>,
    ) -> Result<Option<HostReader>, HubError> {
        self.monitor_host_for(image, None).await
    }

    async fn ensure_image(
        &self,
        image: &ServerImage,
        progress: mpsc::UnboundedSender<ImageProgress>,
        cancel: CancellationToken,
    ) -> Result<(), HubError> {
        tokio::select! {
            biased;
            // Dropping the other branch closes its connection, which makes the engine stop.
            () = cancel.cancelled() => Err(HubError::Cancelled),
            provided = self.engine.ensure_image(image, &progress) => provided,
        }
    }

    async fn verify_limits(
        &self,
        limits: &ResourceLimits,
    ) -> Result<Vec<LimitVerification>, HubError> {
        self.engine.verify_limits(limits).await
    }

    async fn measure_path(
        &self,
        images: &[ServerImage],
        limits: &ResourceLimits,
    ) -> Result<Option<PathCost>, HubError> {
        self.engine.measure_path_cost(images, limits).await
    }

    async fn start(
        &self,
        spec: &ServerSpec,
        limits: &ResourceLimits,
        earlier: &[RunningServer],
    ) -> Result<RunningServer, HubError> {
        Arc::clone(&self.engine).start(spec.clone(), *limits, earlier.to_vec()).await
    }

    fn watch(&self, server: &RunningServer, clock: Clock) -> mpsc::Receiver<TimedReading> {
        observe::stats::watch(Arc::clone(&self.engine), server.id.clone(), clock)
    }

    async fn read(&self, server: &RunningServer) -> Result<ServerReading, HubError> {
        if let Some(pid) = self.engine.main_pid(&server.id).await {
            let id = server.id.clone();
            let files = tokio::task::spawn_blocking(move || observe::cgroup::read(pid, &id)).await;
            if let Ok(Some(reading)) = files {
                let counted = self.engine.counts_writes;
                let block_written = reading.block_written.filter(|_| counted);
                return Ok(ServerReading { block_written, ..reading });
            }
        }
        observe::stats::read(&self.engine, &server.id, &server.role).await
    }

    async fn data_size(&self, server: &RunningServer) -> Option<Bytes> {
        self.engine.folder_size(&server.id, server.data_dir.as_deref()?).await
    }

    async fn disk_written(&self, _server: &RunningServer) -> Option<Bytes> {
        self.engine.disk.as_ref()?.bytes_written()
    }

    fn forwarding_threads(&self, server: &RunningServer) -> Vec<Arc<HotThread>> {
        let routes = self.engine.routes();
        let proxy = routes.get(&server.id).and_then(|route| route.proxy.as_ref());
        proxy.map(DelayProxy::threads).unwrap_or_default()
    }

    fn block_source(&self, _server: &RunningServer) -> BlockSource {
        self.engine.block_source()
    }

    async fn server_state(&self, server: &RunningServer) -> ServerState {
        self.engine.container_state(&server.id).await
    }

    async fn log(&self, server: &RunningServer, lines: usize) -> Vec<String> {
        self.engine.log(&server.id, lines).await
    }

    async fn inject(
        &self,
        server: &RunningServer,
        fault: &FaultKind,
        limits: &ResourceLimits,
    ) -> Result<(), HubError> {
        self.engine.inject_fault(server, fault, limits).await
    }

    async fn clear(
        &self,
        server: &RunningServer,
        fault: &FaultKind,
        limits: &ResourceLimits,
    ) -> Result<(), HubError> {
        self.engine.clear_fault(server, fault, limits).await
    }

    async fn remove(&self, server: &RunningServer) -> Result<(), HubError> {
        let what = format!("removing the container of {}", server.role);
        self.engine.remove(&server.id).await.map_err(operation_error(what))
    }

    async fn shutdown(&self) -> Result<(), HubError> {
        self.engine.shutdown().await
    }

    async fn remove_leftovers(&self) -> Result<Vec<String>, HubError> {
        self.engine.remove_leftovers().await
    }
}
