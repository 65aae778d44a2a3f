//! The connections of a session to its cluster, shared by calls that may wait.

use std::sync::Arc;

use parking_lot::Mutex;

use super::cluster::Cluster;
use crate::backend::{BackendError, kafka::target::KafkaTarget};

/// The connections of a session to its cluster, for one call after the other.
#[derive(Debug, Clone)]
pub struct SharedCluster(Arc<Mutex<Cluster>>);

impl SharedCluster {
    pub fn new(cluster: Cluster) -> Self {
        Self(Arc::new(Mutex::new(cluster)))
    }

    /// Asks the cluster something that blocks, on a thread that may.
    pub async fn ask<T: Send + 'static>(
        &self,
        target: &KafkaTarget,
        call: impl FnOnce(&mut Cluster) -> T + Send + 'static,
    ) -> Result<T, BackendError> {
        let cluster = Arc::clone(&self.0);
        target.run_blocking(move || call(&mut cluster.lock())).await
    }
}
