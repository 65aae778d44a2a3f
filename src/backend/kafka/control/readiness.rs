//! Waits until a broker is ready, and recognises a refusal of the credentials.

use std::time::{Duration, Instant};

use tokio::{net::TcpStream, time};

use super::{cluster::Cluster, error::ControlError, shared_cluster::SharedCluster};
use crate::backend::{BackendError, kafka::target::KafkaTarget};

/// Pause between two attempts to reach a server that is starting.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);
/// Longest wait for the first answer of a server that is starting; it doubles up to the time of one request.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(500);
/// Longest wait for one answer of a server that authenticates, which takes its time.
const ACCOUNT_TIMEOUT: Duration = Duration::from_secs(3);

/// A broker that has answered.
pub struct ReadyBroker {
    /// Connections to the cluster.
    pub cluster: SharedCluster,
    /// The broker's identity in its cluster.
    pub broker_id: i32,
    /// The cluster's identity, if it has one.
    pub cluster_id: Option<String>,
}

/// Waits until the broker lists itself in its metadata.
pub async fn wait_until_ready(
    target: &KafkaTarget,
    timeout: Duration,
) -> Result<ReadyBroker, BackendError> {
    let started = Instant::now();
    let not_ready = |last: String| BackendError::NotReady {
        server: target.role.clone(),
        address: target.bootstrap.clone(),
        waited: started.elapsed(),
        last,
    };
    loop {
        let last = match time::timeout(ATTEMPT_TIMEOUT, TcpStream::connect(target.broker)).await {
            Ok(Ok(_)) => break,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer to the connection attempt".to_owned(),
        };
        if started.elapsed() > timeout {
            return Err(not_ready(last));
        }
        time::sleep(RETRY_INTERVAL).await;
    }
    let cluster = SharedCluster::new(Cluster::new(target));
    let mut attempt_timeout =
        if target.account.is_some() { ACCOUNT_TIMEOUT } else { ATTEMPT_TIMEOUT };
    loop {
        let answer =
            cluster.ask(target, move |cluster| cluster.metadata(None, attempt_timeout)).await?;
        let last = match answer {
            Ok(metadata) => match metadata.brokers.first() {
                Some(broker) => {
                    let cluster_id = metadata.cluster_id.map(|id| id.to_string());
                    return Ok(ReadyBroker { cluster, broker_id: broker.node_id.0, cluster_id });
                }
                None => "its metadata lists no broker yet".to_owned(),
            },
            Err(ControlError::Credentials(reason)) if target.account.is_some() => {
                return Err(BackendError::Refused {
                    server: target.role.clone(),
                    address: target.bootstrap.clone(),
                    user: target.account.as_ref().map_or_else(String::new, |a| a.user.clone()),
                    reason,
                });
            }
            Err(error) => {
                // A slow server needs longer for each answer than a quick one; a lost answer is asked for soon.
                if matches!(error, ControlError::TimedOut) {
                    attempt_timeout = (attempt_timeout * 2).min(target.request_timeout);
                }
                error.to_string()
            }
        };
        if started.elapsed() > timeout {
            return Err(not_ready(last));
        }
        time::sleep(RETRY_INTERVAL).await;
    }
}
