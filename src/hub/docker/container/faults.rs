//! Injects faults into containers and clears them.

use std::{collections::HashMap, time::Duration};

use bollard::{
    errors::Error as EngineError,
    models::{ContainerUpdateBody, NetworkConnectRequest, NetworkDisconnectRequest},
    query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder},
};
use parking_lot::MutexGuard;
use tokio::time::sleep;

use super::{create_request::nano_cpus, network::NetworkAttachment};
use crate::{
    hub::{
        HubError,
        docker::{
            api_call::{error_text, http_status, operation_error},
            engine::DockerEngine,
            limits::disk_writes::limit_writes,
        },
    },
    plan::FaultKind,
    server::{ResourceLimits, RunningServer},
    units::{ByteRate, Cpus},
};

/// Seconds that a server may take to stop before it is killed.
const STOP_TIMEOUT_SECS: i32 = 30;

/// Attempts to pause a container, and the time between two of them.
const PAUSE_ATTEMPTS: u32 = 5;
const PAUSE_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Whether the engine reports that the kernel's freezer missed some of the container's processes.
fn is_freeze_failure(error: &EngineError) -> bool {
    http_status(error) == Some(500) && error_text(error).contains("unable to freeze")
}

impl DockerEngine {
    /// Injects `fault` into a container; returns when it is in force.
    pub async fn inject_fault(
        &self,
        server: &RunningServer,
        fault: &FaultKind,
        limits: &ResourceLimits,
    ) -> Result<(), HubError> {
        let (id, client) = (server.id.as_str(), &self.client);
        let what = || operation_error(format!("{} of {}", fault.name(), server.role));
        match fault {
            FaultKind::Pause => self.pause_container(id).await.map_err(what()),
            FaultKind::Kill => {
                let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
                self.operation("killing a container", client.kill_container(id, Some(options)))
                    .await
                    .map_err(what())
            }
            FaultKind::Restart => {
                let options = StopContainerOptionsBuilder::default().t(STOP_TIMEOUT_SECS).build();
                self.operation("stopping a container", client.stop_container(id, Some(options)))
                    .await
                    .map_err(what())
            }
            FaultKind::Cut => self.disconnect_networks(server).await,
            FaultKind::SlowDisk { disk_write } => {
                self.throttle_disk(server, Some(*disk_write)).await
            }
            FaultKind::Limit { cpus, memory } => {
                let requested = ResourceLimits {
                    cpus: cpus.or(limits.cpus),
                    memory: memory.or(limits.memory),
                    ..*limits
                };
                self.update_limits(server, &requested).await
            }
        }
    }

    /// Clears `fault`, and starts the container if it does not run.
    ///
    /// Each call may be made twice: an engine that becomes unreachable in the middle must not leave
    /// its servers limited, disconnected or down.
    pub async fn clear_fault(
        &self,
        server: &RunningServer,
        fault: &FaultKind,
        limits: &ResourceLimits,
    ) -> Result<(), HubError> {
        let (id, client) = (server.id.as_str(), &self.client);
        let what = || operation_error(format!("ending the {} of {}", fault.name(), server.role));
        match fault {
            FaultKind::Pause => {
                let resume =
                    || self.operation("resuming a container", client.unpause_container(id));
                match self.retry_when_reachable(resume).await {
                    // Cleared by the first call, whose answer was lost.
                    Err(error) if error_text(&error).contains("is not paused") => Ok(()),
                    other => other.map_err(what()),
                }
            }
            FaultKind::Kill | FaultKind::Restart => {
                let start =
                    || self.operation("starting a container", client.start_container(id, None));
                match self.retry_when_reachable(start).await {
                    // 304: the container runs already.
                    Err(error) if http_status(&error) == Some(304) => Ok(()),
                    other => {
                        other.map_err(operation_error(format!("starting {} again", server.role)))
                    }
                }
            }
            FaultKind::Cut => self.reconnect_networks(server).await,
            FaultKind::SlowDisk { .. } => self.throttle_disk(server, limits.disk_write).await,
            FaultKind::Limit { .. } => self.update_limits(server, limits).await,
        }
    }

    /// Pauses a container, with retries. The kernel may fail to freeze all processes at once while
    /// they start others on a busy machine.
    async fn pause_container(&self, id: &str) -> Result<(), EngineError> {
        let mut tries = 1;
        loop {
            match self.operation("pausing a container", self.client.pause_container(id)).await {
                Err(error) if tries < PAUSE_ATTEMPTS && is_freeze_failure(&error) => tries += 1,
                other => return other,
            }
            sleep(PAUSE_RETRY_INTERVAL).await;
        }
    }

    /// Disconnects the container from all its networks, and stores them for reconnecting.
    async fn disconnect_networks(&self, server: &RunningServer) -> Result<(), HubError> {
        let what = || operation_error(format!("cutting the network of {}", server.role));
        let inspect = self
            .query("inspecting a container", self.client.inspect_container(&server.id, None))
            .await
            .map_err(what())?;
        let networks = inspect.network_settings.and_then(|settings| settings.networks);
        let attachments: Vec<NetworkAttachment> =
            networks.unwrap_or_default().into_iter().map(NetworkAttachment::new).collect();
        for attachment in &attachments {
            let request =
                NetworkDisconnectRequest { container: server.id.clone(), force: Some(true) };
            self.operation(
                "disconnecting a network",
                self.client.disconnect_network(&attachment.network, request),
            )
            .await
            .map_err(what())?;
        }
        self.detached_networks().insert(server.id.clone(), attachments);
        Ok(())
    }

    /// Connects the container to its networks again, with its former addresses.
    async fn reconnect_networks(&self, server: &RunningServer) -> Result<(), HubError> {
        let what = || operation_error(format!("connecting the network of {} again", server.role));
        let attachments = self.detached_networks().get(&server.id).cloned().unwrap_or_default();
        for attachment in attachments {
            let request = NetworkConnectRequest {
                container: server.id.clone(),
                endpoint_config: Some(attachment.endpoint_settings()),
            };
            let connect = || {
                self.operation(
                    "connecting a network",
                    self.client.connect_network(&attachment.network, request.clone()),
                )
            };
            match self.retry_when_reachable(connect).await {
                // Connected by the first call, whose answer was lost.
                Err(error) if error_text(&error).contains("already exists in network") => {}
                other => other.map_err(what())?,
            }
        }
        self.detached_networks().remove(&server.id);
        Ok(())
    }

    fn detached_networks(&self) -> MutexGuard<'_, HashMap<String, Vec<NetworkAttachment>>> {
        self.detached_networks.lock()
    }

    /// Limits the container's disk writes, or removes the limit.
    async fn throttle_disk(
        &self,
        server: &RunningServer,
        rate: Option<ByteRate>,
    ) -> Result<(), HubError> {
        let refused = |reason: String| HubError::Operation {
            what: format!("slowing the disk of {}", server.role),
            reason,
        };
        let elsewhere = || {
            refused(
                "the engine can limit disk writes only when it creates a container, and the \
                 kernel's files can be written only on the hub itself, as root"
                    .to_owned(),
            )
        };
        let pid = self.main_pid(&server.id).await.ok_or_else(elsewhere)?;
        let disk = self.disk.as_ref().ok_or_else(elsewhere)?;
        let (id, number) = (server.id.clone(), disk.number.clone());
        let rate = rate.map(|rate| rate.0.max(1.0) as u64);
        tokio::task::spawn_blocking(move || limit_writes(pid, &id, &number, rate))
            .await
            .map_err(|error| refused(error.to_string()))?
            .map_err(refused)
    }

    /// Changes the limits of a running container. A resource without a limit gets the hub's total,
    /// because an engine cannot remove a limit.
    async fn update_limits(
        &self,
        server: &RunningServer,
        limits: &ResourceLimits,
    ) -> Result<(), HubError> {
        let all = f64::from(self.cores.unwrap_or(1));
        let memory = limits.memory.or(self.memory).and_then(|bytes| i64::try_from(bytes.0).ok());
        let update = ContainerUpdateBody {
            nano_cpus: Some(nano_cpus(limits.cpus.unwrap_or(Cpus(all)))),
            memory: memory.filter(|_| self.memory_cgroup != Some(false)),
            memory_swap: memory.filter(|_| self.memory_cgroup != Some(false)),
            ..ContainerUpdateBody::default()
        };
        let change = || {
            self.operation(
                "changing limits",
                self.client.update_container(&server.id, update.clone()),
            )
        };
        let changed: Result<(), EngineError> = self.retry_when_reachable(change).await;
        changed.map_err(operation_error(format!("changing the limits of {}", server.role)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::hub::docker::fake_engine::fake_refusing_engine;

    #[tokio::test]
    async fn a_failed_freeze_is_retried() {
        let freeze_error = "OCI runtime pause failed: unable to freeze: unknown";
        for (refusals, message, calls, succeeds) in [
            (2, freeze_error, 3, true),
            (u32::MAX, freeze_error, PAUSE_ATTEMPTS, false),
            (u32::MAX, "it is paused already", 1, false),
        ] {
            let refusal =
                move |earlier| Some(if earlier < refusals { (500, message) } else { (200, "") });
            let (hub, requests) = fake_refusing_engine("/pause", refusal).await;
            let paused = hub.engine.pause_container("1").await;
            assert_eq!((requests.load(Relaxed), paused.is_ok()), (calls, succeeds), "{paused:?}");
        }
    }

    #[tokio::test]
    async fn faults_are_cleared_after_the_engine_returns() {
        let server = RunningServer {
            role: "server".into(),
            id: "1".into(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            ports: [].into(),
            image: "none".into(),
            digest: None,
            data_dir: None,
            dir: None,
        };
        let limit = FaultKind::Limit { cpus: Some(Cpus(0.1)), memory: None };
        for (kind, path_part) in [
            (limit, "/update"),
            (FaultKind::Pause, "/unpause"),
            (FaultKind::Kill, "/start"),
            (FaultKind::Restart, "/start"),
            (FaultKind::Cut, "/connect"),
        ] {
            let attachment = || vec![NetworkAttachment { network: "net".into(), address: None }];
            let (hub, requests) =
                fake_refusing_engine(path_part, |earlier| (earlier > 0).then_some((200, ""))).await;
            hub.engine.detached_networks().insert("1".into(), attachment());
            hub.engine.clear_fault(&server, &kind, &ResourceLimits::default()).await.unwrap();
            assert_eq!(requests.load(Relaxed), 2, "{kind}");
            // A refusal is an answer: a second request would change nothing.
            let (hub, requests) = fake_refusing_engine(path_part, |_| Some((500, "no"))).await;
            hub.engine.detached_networks().insert("1".into(), attachment());
            hub.engine.clear_fault(&server, &kind, &ResourceLimits::default()).await.unwrap_err();
            assert_eq!(requests.load(Relaxed), 1, "{kind}");
            assert_eq!(hub.engine.detached_networks().len(), 1, "the networks remain stored");
        }
        // An operation that succeeded, but whose answer was lost, counts as done.
        for (kind, path_part, done) in [
            (FaultKind::Pause, "/unpause", "Container 1 is not paused"),
            (FaultKind::Cut, "/connect", "endpoint with name x already exists in network net"),
        ] {
            let (hub, _) = fake_refusing_engine(path_part, move |earlier| {
                (earlier > 0).then_some((409, done))
            })
            .await;
            let attachment = NetworkAttachment { network: "net".into(), address: None };
            hub.engine.detached_networks().insert("1".into(), vec![attachment]);
            hub.engine.clear_fault(&server, &kind, &ResourceLimits::default()).await.unwrap();
        }
    }
}
