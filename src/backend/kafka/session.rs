//! A session on a broker that is ready: all operations on it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use async_trait::async_trait;

use super::{
    client::{FleetRequest, UserClient},
    control::{
        cluster::Cluster,
        facts,
        offsets::fetch_offsets,
        shared_cluster::SharedCluster,
        topic::{self, TopicSpec},
    },
    target::KafkaTarget,
    topic_settings::TopicSettings,
};
use crate::{
    backend::{BackendError, Batching, Consumer, Fleet, SendOutcomes, ServerFacts, Session},
    clock::Clock,
};

/// A session on a broker that is ready.
pub(super) struct KafkaSession {
    pub target: KafkaTarget,
    pub client: UserClient,
    pub topic_spec: TopicSpec,
    /// The server's version for the record; a broker does not report its own.
    pub version: String,
    pub clock: Clock,
    pub cluster: SharedCluster,
    /// The broker's identity in its cluster.
    pub broker_id: i32,
}

#[async_trait]
impl Session for KafkaSession {
    async fn facts(&self) -> Result<ServerFacts, BackendError> {
        let (broker, topic) = (self.broker_id, self.target.topic.clone());
        let settings = self
            .cluster
            .ask(&self.target, move |cluster| facts::settings_in_force(cluster, broker, &topic))
            .await?
            .map_err(|error| self.target.operation_error("reading the settings back", error))?;
        let reported = ServerFacts { settings, ..ServerFacts::default() };
        let limit = TopicSettings::in_force(&reported).max_batch_bytes;
        let client = self.client.facts(&self.target, limit)?;
        Ok(ServerFacts { version: self.version.clone(), client, ..reported })
    }

    async fn reset(&self) -> Result<(), BackendError> {
        topic::recreate(&self.cluster, &self.target, &self.topic_spec).await
    }

    async fn remove_leftovers(&self) -> Result<Vec<String>, BackendError> {
        if self.target.managed {
            return Ok(Vec::new());
        }
        topic::remove_leftovers(&self.cluster, &self.target).await
    }

    async fn cleanup(&self) -> Result<(), BackendError> {
        if self.target.managed {
            return Ok(());
        }
        topic::remove(&self.cluster, &self.target).await
    }

    async fn open_fleet(
        &self,
        users: u32,
        batching: Batching,
        outcomes: Arc<dyn SendOutcomes>,
    ) -> Result<Box<dyn Fleet>, BackendError> {
        let (broker, topic) = (self.broker_id, self.target.topic.clone());
        let limit = self
            .cluster
            .ask(&self.target, move |cluster| facts::max_batch_bytes(cluster, broker, &topic))
            .await?;
        // A server that does not report its limits can still be measured.
        let max_batch_bytes = limit.unwrap_or_else(|error| {
            tracing::debug!(target: "hubmark::kafka", "largest batch: {error}");
            None
        });
        let (target, clock) = (self.target.clone(), self.clock);
        let request = FleetRequest { target, users, batching, max_batch_bytes, clock, outcomes };
        let (client, partitions) = (self.client.clone(), self.topic_spec.partitions);
        let close_on_drop = CloseOnDrop(Arc::default());
        let is_closing = Arc::clone(&close_on_drop.0);
        let target = self.target.clone();
        let connect = move || {
            let mut cluster = Cluster::new(&request.target);
            client.open_fleet(request, partitions, &mut cluster, is_closing)
        };
        let fleet = target.run_blocking(connect).await??;
        close_on_drop.disarm();
        Ok(fleet)
    }

    async fn open_consumer(&self, _batching: Batching) -> Result<Box<dyn Consumer>, BackendError> {
        let (client, target, clock) = (self.client.clone(), self.target.clone(), self.clock);
        self.target.run_blocking(move || client.open_consumer(&target, clock)).await?
    }

    /// Counts the messages by the topic's offsets, over connections of their own.
    async fn count_messages(&self) -> Result<u64, BackendError> {
        let target = self.target.clone();
        let counted = self.target.run_blocking(move || {
            let mut cluster = Cluster::new(&target);
            let offsets = fetch_offsets(&mut cluster, &target.topic)?;
            cluster.verify(&target)?;
            Ok(offsets.iter().map(|offsets| (offsets.high - offsets.low).unsigned_abs()).sum())
        });
        counted.await?.map_err(|last: super::control::error::ControlError| {
            self.target.operation_error("counting the messages", last)
        })
    }
}

/// Ends the fleet's threads when the future that connects a fleet is dropped.
struct CloseOnDrop(Arc<AtomicBool>);

impl CloseOnDrop {
    fn disarm(mut self) {
        self.0 = Arc::default();
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}
