//! Explains why the published port of a running container does not accept connections.

use std::time::Duration;

use tokio::{net::TcpStream, time::timeout};

use super::route::PortAccess;
use crate::{
    hub::docker::engine::DockerEngine,
    server::{RunningServer, ServerState},
};

/// Longest wait for a connection to one port.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

impl DockerEngine {
    /// Names what to check when a running container's published port does not accept connections;
    /// `None` when it does, when nothing is published, or when the container does not run.
    pub async fn explain_closed_port(&self, server: &RunningServer) -> Option<String> {
        let PortAccess::Published(host) = self.port_access else { return None };
        if self.container_state(&server.id).await != ServerState::Running {
            return None;
        }
        for port in server.ports.keys() {
            let endpoint = server.endpoint(*port);
            let refused = match timeout(CONNECT_TIMEOUT, TcpStream::connect(endpoint)).await {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {CONNECT_TIMEOUT:?}"),
            };
            let engine = &self.address;
            let named = match &self.named_address {
                Some(named) => format!(
                    "hub.address is {named:?}: check that this machine reaches the hub {engine} \
                     there, or leave it out"
                ),
                None => format!(
                    "{host} follows from the engine's address {engine}: if that is a tunnel or \
                     another machine, name the hub in hub.address"
                ),
            };
            return Some(format!(
                "the container of {} runs, but its published port {endpoint} is not reached \
                 ({refused})\n  {named}; a firewall on the hub can close the ports, too",
                server.role
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{collections::BTreeMap, net::TcpListener};

    use serde_json::json;

    use super::*;
    use crate::hub::{Hub, docker::fake_engine::fake_engine};

    /// Facts of an engine whose containers are reached at published ports only.
    fn rootless() -> serde_json::Value {
        json!({"ApiVersion": "1.41", "SecurityOptions": ["name=rootless"]})
    }

    fn server(port: u16) -> RunningServer {
        RunningServer {
            role: "broker".into(),
            id: "c".into(),
            address: [127, 0, 0, 1].into(),
            ports: BTreeMap::from([(9_092, port)]),
            image: String::new(),
            digest: None,
            data_dir: None,
            dir: None,
        }
    }

    #[tokio::test]
    async fn a_running_container_with_a_closed_port_points_at_the_two_addresses() {
        let running = json!({"State": {"Running": true, "Status": "running"}});
        let (hub, _) =
            fake_engine("/containers/", rootless(), move |_| Some((200, running.clone()))).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(hub.explain_closed_port(&server(port)).await, None, "the port is open");
        drop(listener);
        let said = hub.explain_closed_port(&server(port)).await.unwrap();
        for part in ["broker runs", &format!("127.0.0.1:{port}"), "hub.address", "unix:///"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[tokio::test]
    async fn a_container_that_has_ended_is_not_explained_by_addresses() {
        let ended = json!({"State": {"Running": false, "Status": "exited", "ExitCode": 1}});
        let (hub, _) =
            fake_engine("/containers/", rootless(), move |_| Some((200, ended.clone()))).await;
        assert_eq!(hub.explain_closed_port(&server(1)).await, None);
    }
}
