//! The docker hub: each server in a clean container of a Docker engine.
//!
//! - `choose`: which engine is meant; `known`: which others can be named; [`connect`]: addresses,
//!   and what is wrong when none answers.
//! - `ssh`, `tls`: the ways to an engine of another machine; `wire` carries its calls.
//! - `image`, `recipe`, `progress`: images built from embedded recipes, or pulled.
//! - `container`, `request`, `refusal`, `placeholder`: one clean container, asked for, started and
//!   addressed, or cleared away.
//! - `state`: how a container fares, what it said, its removal.
//! - `network`: a network of the run's own, in which no address is ever given twice.
//! - `link`, `prove`, `tools`, `inside`: limits that a container alone does not have, and whether
//!   all of them hold.
//! - `way`, `path`: measurements of the way to a container, and what it costs by itself.
//! - `stats`, `cgroup`, `disk`, `data`: what a server costs, from the engine and from the kernel.
//! - `engine`: the engine that was reached; `facts`: what it says of itself.
//! - `examine`: what decides whether an engine can be measured.
//! - `fault`: what is done to a container in the middle of a load, by plan.
//! - `helper`: a container that reads a hub which is not this machine.
//! - `foreign`: a container that is not ours, looked at only.
//! - `leftovers`: whose container one is ([`crate::owner`]), and which are leftovers of dead runs.
//!
//! Every call has a limit of time ([`call`]), so that a hanging engine never hangs a run.

mod call;
mod cgroup;
mod choose;
mod connect;
mod container;
mod data;
mod disk;
mod engine;
mod examine;
mod facts;
#[cfg(test)]
mod fake;
mod fault;
mod foreign;
mod helper;
mod image;
mod inside;
mod known;
mod leftovers;
mod link;
mod network;
mod path;
mod placeholder;
mod progress;
mod prove;
mod recipe;
mod refusal;
mod request;
mod ssh;
mod state;
mod stats;
mod tls;
mod tools;
mod way;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::{
    call::{failed, words},
    engine::{Engine, Reach, Way},
};
pub use self::{
    connect::Address,
    examine::{ClockOffset, Examination, ImageState},
    foreign::Foreign,
    image::OwnImage,
    known::{Known, known},
    tools::tools,
};
use super::{
    Hub, HubError, Sampled,
    vitals::{self, Attendance},
};
use crate::{
    clock::Clock,
    event::ImageStep,
    measure::PathCost,
    owner,
    plan::{FaultKind, HubRequest},
    server::{
        BlockSource, HubFacts, HubKind, Image, Life, LimitInForce, Limits, Reading, Running,
        ServerSpec,
    },
    units::Bytes,
};

/// A Docker engine as a hub. Cheap to clone: clones share the connection.
#[derive(Debug, Clone)]
pub struct DockerHub {
    engine: Arc<Engine>,
}

impl DockerHub {
    /// Reaches the engine at `engine`, or the usual one; see [`DockerHub::reach`].
    pub async fn open(engine: Option<&str>, run: &str) -> Result<Self, HubError> {
        Self::reach(&HubRequest::docker(engine.map(str::to_owned)), run).await
    }

    /// Reaches the engine that is asked for, or the one that Docker's own tools would take.
    ///
    /// `run` is the identity of the run, which every container carries as a label.
    pub async fn reach(request: &HubRequest, run: &str) -> Result<Self, HubError> {
        let engine = Engine::reach(request, run).await?;
        Ok(Self { engine: Arc::new(engine) })
    }

    /// Every image on the hub that was built from a recipe of this program, newest first.
    pub async fn images(&self) -> Result<Vec<OwnImage>, HubError> {
        self.engine.own_images().await
    }

    /// A running container that is not ours, by its name or identity.
    pub async fn foreign(&self, name: &str) -> Result<Foreign, HubError> {
        self.engine.foreign(name).await
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

    fn place(&self) -> String {
        self.engine.address.to_string()
    }

    async fn facts(&self) -> Result<HubFacts, HubError> {
        self.engine.facts().await
    }

    async fn others(&self) -> Vec<String> {
        match self.engine.others().await {
            Ok(others) => others,
            Err(error) => {
                tracing::warn!("looking for other runs: {}", words(&error));
                Vec::new()
            }
        }
    }

    async fn digest(&self, image: &Image) -> Option<String> {
        let id = self.engine.image(image.reference()).await.ok()??.id?;
        Some(self.engine.content_digest(&id, image).await)
    }

    async fn image_size(&self, image: &Image) -> Option<Bytes> {
        let size = self.engine.image(image.reference()).await.ok()??.size?;
        u64::try_from(size).ok().map(Bytes)
    }

    async fn attend(&self, image: Option<&Image>) -> Result<Option<Attendance>, HubError> {
        if self.engine.address.is_local() && !self.engine.reach.publishes() {
            let here = vitals::tree::Tree::Folder("/".into());
            return Ok(Some(vitals::follow(here, self.engine.root.clone()).await));
        }
        let Some(image) = image else { return Ok(None) };
        Arc::clone(&self.engine).attend(image.reference()).await.map(Some)
    }

    async fn provide(
        &self,
        image: &Image,
        progress: mpsc::UnboundedSender<ImageStep>,
        cancel: CancellationToken,
    ) -> Result<(), HubError> {
        tokio::select! {
            biased;
            // Dropping the other branch closes its connection, at which the engine stops working.
            () = cancel.cancelled() => Err(HubError::Cancelled),
            provided = self.engine.provide(image, &progress) => provided,
        }
    }

    async fn prove(&self, limits: &Limits) -> Result<Vec<LimitInForce>, HubError> {
        self.engine.prove(limits).await
    }

    async fn path(&self, images: &[Image], limits: &Limits) -> Result<Option<PathCost>, HubError> {
        self.engine.path(images, limits).await
    }

    async fn start(
        &self,
        spec: &ServerSpec,
        limits: &Limits,
        earlier: &[Running],
    ) -> Result<Running, HubError> {
        Arc::clone(&self.engine).start(spec.clone(), *limits, earlier.to_vec()).await
    }

    fn watch(&self, server: &Running, clock: Clock) -> mpsc::Receiver<Sampled> {
        stats::watch(Arc::clone(&self.engine), server.id.clone(), clock)
    }

    async fn read(&self, server: &Running) -> Result<Reading, HubError> {
        if let Some(pid) = self.engine.first_process(&server.id).await {
            let id = server.id.clone();
            let files = tokio::task::spawn_blocking(move || cgroup::read(pid, &id)).await;
            if let Ok(Some(reading)) = files {
                return Ok(reading);
            }
        }
        stats::read(&self.engine, &server.id, &server.role).await
    }

    async fn data_size(&self, server: &Running) -> Option<Bytes> {
        self.engine.folder_size(&server.id, server.data_dir.as_deref()?).await
    }

    async fn disk_written(&self, _server: &Running) -> Option<Bytes> {
        self.engine.disk.as_ref()?.written()
    }

    fn block_source(&self, _server: &Running) -> BlockSource {
        BlockSource::Engine
    }

    async fn life(&self, server: &Running) -> Life {
        self.engine.life(&server.id).await
    }

    async fn log(&self, server: &Running, lines: usize) -> Vec<String> {
        self.engine.log(&server.id, lines).await
    }

    async fn inflict(
        &self,
        server: &Running,
        fault: &FaultKind,
        limits: &Limits,
    ) -> Result<(), HubError> {
        self.engine.inflict(server, fault, limits).await
    }

    async fn relieve(
        &self,
        server: &Running,
        fault: &FaultKind,
        limits: &Limits,
    ) -> Result<(), HubError> {
        self.engine.relieve(server, fault, limits).await
    }

    async fn remove(&self, server: &Running) -> Result<(), HubError> {
        let what = format!("removing the container of {}", server.role);
        self.engine.remove(&server.id).await.map_err(failed(what))
    }

    async fn abandon(&self) -> Result<(), HubError> {
        self.engine.abandon().await
    }

    async fn sweep(&self) -> Result<Vec<String>, HubError> {
        self.engine.sweep().await
    }
}
