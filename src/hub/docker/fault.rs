//! Planned faults on containers: what the engine can do to one in the middle of a load.

use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use bollard::{
    errors::Error as EngineError,
    models::{
        ContainerUpdateBody, EndpointIpamConfig, EndpointSettings, NetworkConnectRequest,
        NetworkDisconnectRequest,
    },
    query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder},
};
use tokio::time::sleep;

use super::{
    Engine,
    call::{ASK, WORK, failed, status, within, words},
    cgroup,
    request::nano_cpus,
};
use crate::{
    hub::HubError,
    plan::FaultKind,
    server::{Limits, Running},
    units::{ByteRate, Cpus},
};

/// How long a server that is stopped in order may take before it is killed, in seconds.
const FAREWELL: i32 = 30;

/// How often a pause is tried, and the time between two tries.
const PAUSES: u32 = 5;
const BREATH: Duration = Duration::from_millis(50);

/// Whether an engine says that a container's processes slipped away from the kernel's freezer.
fn slipped(error: &EngineError) -> bool {
    status(error) == Some(500) && words(error).contains("unable to freeze")
}

/// Where a container that was cut off comes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plug {
    network: String,
    /// Its address there; `None` where the engine does not let anybody choose one.
    address: Option<String>,
}

impl Engine {
    /// Brings `fault` over a container; returns when it is in force.
    pub(super) async fn inflict(
        &self,
        server: &Running,
        fault: &FaultKind,
        limits: &Limits,
    ) -> Result<(), HubError> {
        let (id, client) = (server.id.as_str(), &self.client);
        let what = || failed(format!("{} of {}", fault.word(), server.role));
        match fault {
            FaultKind::Pause => self.pause(id).await.map_err(what()),
            FaultKind::Kill => {
                let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
                within(WORK, client.kill_container(id, Some(options))).await.map_err(what())
            }
            FaultKind::Restart => {
                let options = StopContainerOptionsBuilder::default().t(FAREWELL).build();
                within(WORK, client.stop_container(id, Some(options))).await.map_err(what())
            }
            FaultKind::Cut => self.cut(server).await,
            FaultKind::SlowDisk { disk_write } => self.slow_disk(server, Some(*disk_write)).await,
            FaultKind::Limit { cpus, memory } => {
                let asked = Limits {
                    cpus: cpus.or(limits.cpus),
                    memory: memory.or(limits.memory),
                    ..*limits
                };
                self.limit(server, &asked).await
            }
        }
    }

    /// Ends `fault`; a container that does not run is started. Each call may be made twice: an
    /// engine that goes away in the middle must not leave its servers limited, cut off or down.
    pub(super) async fn relieve(
        &self,
        server: &Running,
        fault: &FaultKind,
        limits: &Limits,
    ) -> Result<(), HubError> {
        let (id, client) = (server.id.as_str(), &self.client);
        let what = || failed(format!("ending the {} of {}", fault.word(), server.role));
        match fault {
            FaultKind::Pause => {
                let go_on = || within(WORK, client.unpause_container(id));
                match self.persist(go_on).await {
                    // Done already: an answer was lost.
                    Err(error) if words(&error).contains("is not paused") => Ok(()),
                    other => other.map_err(what()),
                }
            }
            FaultKind::Kill | FaultKind::Restart => {
                let start = || within(WORK, client.start_container(id, None));
                match self.persist(start).await {
                    // 304: it runs already.
                    Err(error) if status(&error) == Some(304) => Ok(()),
                    other => other.map_err(failed(format!("starting {} again", server.role))),
                }
            }
            FaultKind::Cut => self.plug_in(server).await,
            FaultKind::SlowDisk { .. } => self.slow_disk(server, limits.disk_write).await,
            FaultKind::Limit { .. } => self.limit(server, limits).await,
        }
    }

    /// Pauses a container. The kernel may fail to catch all its processes at once while they start
    /// others on a busy machine: then it is tried again.
    async fn pause(&self, id: &str) -> Result<(), EngineError> {
        let mut tries = 1;
        loop {
            match within(WORK, self.client.pause_container(id)).await {
                Err(error) if tries < PAUSES && slipped(&error) => tries += 1,
                other => return other,
            }
            sleep(BREATH).await;
        }
    }

    /// Takes the container off all its networks, which are remembered.
    async fn cut(&self, server: &Running) -> Result<(), HubError> {
        let what = || failed(format!("cutting the network of {}", server.role));
        let inspect =
            within(ASK, self.client.inspect_container(&server.id, None)).await.map_err(what())?;
        let networks = inspect.network_settings.and_then(|settings| settings.networks);
        let plugs: Vec<Plug> = networks.unwrap_or_default().into_iter().map(plug).collect();
        for plug in &plugs {
            let request =
                NetworkDisconnectRequest { container: server.id.clone(), force: Some(true) };
            within(WORK, self.client.disconnect_network(&plug.network, request))
                .await
                .map_err(what())?;
        }
        self.plugs().insert(server.id.clone(), plugs);
        Ok(())
    }

    /// Puts the container back on its networks, at the addresses that it had.
    async fn plug_in(&self, server: &Running) -> Result<(), HubError> {
        let what = || failed(format!("connecting the network of {} again", server.role));
        let plugs = self.plugs().get(&server.id).cloned().unwrap_or_default();
        for plug in plugs {
            let endpoint = EndpointSettings {
                ipam_config: plug.address.map(|address| EndpointIpamConfig {
                    ipv4_address: Some(address),
                    ..EndpointIpamConfig::default()
                }),
                ..EndpointSettings::default()
            };
            let request = NetworkConnectRequest {
                container: server.id.clone(),
                endpoint_config: Some(endpoint),
            };
            let connect =
                || within(WORK, self.client.connect_network(&plug.network, request.clone()));
            match self.persist(connect).await {
                // Done already: an answer was lost.
                Err(error) if words(&error).contains("already exists in network") => {}
                other => other.map_err(what())?,
            }
        }
        self.plugs().remove(&server.id);
        Ok(())
    }

    fn plugs(&self) -> MutexGuard<'_, HashMap<String, Vec<Plug>>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Slows the container's writes, or gives them free again.
    async fn slow_disk(&self, server: &Running, rate: Option<ByteRate>) -> Result<(), HubError> {
        let refused = |reason: String| HubError::Operation {
            what: format!("slowing the disk of {}", server.role),
            reason,
        };
        let elsewhere = || {
            refused(
                "an engine can do it only when it makes a container, and the kernel's own files \
                 can be written only on the hub itself, as root"
                    .to_owned(),
            )
        };
        let pid = self.first_process(&server.id).await.ok_or_else(elsewhere)?;
        let disk = self.disk.as_ref().ok_or_else(elsewhere)?;
        let (id, number) = (server.id.clone(), disk.number.clone());
        let rate = rate.map(|rate| rate.0.max(1.0) as u64);
        tokio::task::spawn_blocking(move || cgroup::limit_writes(pid, &id, &number, rate))
            .await
            .map_err(|error| refused(error.to_string()))?
            .map_err(refused)
    }

    /// Changes the limits of a running container. What is not limited gets all that there is: an
    /// engine takes no limit for "as it was".
    async fn limit(&self, server: &Running, limits: &Limits) -> Result<(), HubError> {
        let all = f64::from(self.cores.unwrap_or(1));
        let memory = limits.memory.or(self.memory).and_then(|bytes| i64::try_from(bytes.0).ok());
        let update = ContainerUpdateBody {
            nano_cpus: Some(nano_cpus(limits.cpus.unwrap_or(Cpus(all)))),
            memory: memory.filter(|_| self.memory_cgroup != Some(false)),
            memory_swap: memory.filter(|_| self.memory_cgroup != Some(false)),
            ..ContainerUpdateBody::default()
        };
        let change = || within(WORK, self.client.update_container(&server.id, update.clone()));
        let changed: Result<(), EngineError> = self.persist(change).await;
        changed.map_err(failed(format!("changing the limits of {}", server.role)))
    }
}

/// A network and the container's own place on it. Fixed addresses exist on networks that somebody
/// made with a range, not on the engine's common bridge.
fn plug((network, endpoint): (String, EndpointSettings)) -> Plug {
    let fixed = endpoint.ipam_config.as_ref().and_then(|config| config.ipv4_address.clone());
    let fixed = fixed.filter(|address| !address.is_empty());
    Plug { network, address: fixed }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::{super::fake::refusing, *};

    #[tokio::test]
    async fn a_pause_for_which_processes_slipped_away_is_tried_again() {
        let slipped = "OCI runtime pause failed: unable to freeze: unknown";
        for (refusals, words, calls, succeeds) in [
            (2, slipped, 3, true),
            (u32::MAX, slipped, PAUSES, false),
            (u32::MAX, "it is paused already", 1, false),
        ] {
            let refusal =
                move |asked| Some(if asked < refusals { (500, words) } else { (200, "") });
            let (hub, asked) = refusing("/pause", refusal).await;
            let paused = hub.engine.pause("1").await;
            assert_eq!((asked.load(Relaxed), paused.is_ok()), (calls, succeeds), "{paused:?}");
        }
    }

    #[tokio::test]
    async fn what_an_engine_that_went_away_did_not_end_is_ended_when_it_is_back() {
        let server = Running {
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
        for (kind, word) in [
            (limit, "/update"),
            (FaultKind::Pause, "/unpause"),
            (FaultKind::Kill, "/start"),
            (FaultKind::Restart, "/start"),
            (FaultKind::Cut, "/connect"),
        ] {
            let plug = || vec![Plug { network: "net".into(), address: None }];
            let (hub, asked) = refusing(word, |asked| (asked > 0).then_some((200, ""))).await;
            hub.engine.plugs().insert("1".into(), plug());
            hub.engine.relieve(&server, &kind, &Limits::default()).await.unwrap();
            assert_eq!(asked.load(Relaxed), 2, "{kind}");
            // A refusal is an answer: asking once more would change nothing.
            let (hub, asked) = refusing(word, |_| Some((500, "no"))).await;
            hub.engine.plugs().insert("1".into(), plug());
            hub.engine.relieve(&server, &kind, &Limits::default()).await.unwrap_err();
            assert_eq!(asked.load(Relaxed), 1, "{kind}");
            assert_eq!(hub.engine.plugs().len(), 1, "what is not plugged in can still be");
        }
        // What a call did whose answer was lost is done.
        for (kind, word, done) in [
            (FaultKind::Pause, "/unpause", "Container 1 is not paused"),
            (FaultKind::Cut, "/connect", "endpoint with name x already exists in network net"),
        ] {
            let (hub, _) = refusing(word, move |asked| (asked > 0).then_some((409, done))).await;
            let plug = Plug { network: "net".into(), address: None };
            hub.engine.plugs().insert("1".into(), vec![plug]);
            hub.engine.relieve(&server, &kind, &Limits::default()).await.unwrap();
        }
    }

    #[test]
    fn only_a_fixed_address_is_asked_for_again() {
        let endpoint = |fixed: Option<&str>| EndpointSettings {
            ip_address: Some("172.17.0.4".into()),
            ipam_config: fixed.map(|address| EndpointIpamConfig {
                ipv4_address: Some(address.into()),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        };
        let plugged = |fixed| plug(("net".into(), endpoint(fixed))).address;
        assert_eq!(plugged(Some("172.20.0.2")), Some("172.20.0.2".to_owned()));
        assert_eq!(plugged(Some("")), None);
        assert_eq!(plugged(None), None);
    }
}
