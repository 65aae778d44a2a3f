//! A network for the run, in which no address is assigned twice.
//!
//! On an engine's default bridge, the address of a dead server is assigned to the next container
//! that starts, for example a server of another run. Clients would reconnect to it and take its
//! answers for those of the dead server. And a restarted server may get another address.

use std::collections::HashMap;

use bollard::{
    errors::Error as EngineError,
    models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect},
    query_parameters::ListNetworksOptionsBuilder,
};

use super::network::{AddressPool, RunNetwork};
use crate::{
    hub::docker::{
        api_call::{error_text, http_status},
        engine::DockerEngine,
    },
    owner::{Owner, OwnerState, ProcessIdentity, RUN_LABEL},
};

/// Attempts to create a network: between two requests another client may take its subnet.
const CREATE_ATTEMPTS: u32 = 3;

impl DockerEngine {
    /// Returns the run's network, created at the first call; `None` where the engine cannot create
    /// one: servers then use its default bridge.
    pub async fn run_network(&self) -> Option<&RunNetwork> {
        let made = self.network.get_or_init(|| async {
            match self.create_run_network().await {
                Ok(network) => Some(network),
                Err(reason) => {
                    tracing::warn!(
                        "cannot create a network for this run, continuing without it: {reason}"
                    );
                    None
                }
            }
        });
        made.await.as_ref()
    }

    /// Creates the network twice: first to learn a free subnet, then with that subnet.
    ///
    /// The engine accepts fixed addresses only in a subnet that was named when the network was
    /// created, and only the engine knows which subnets are free.
    async fn create_run_network(&self) -> Result<RunNetwork, String> {
        let name = format!("hubmark-{}", self.run);
        let mut last = String::new();
        for _ in 0..CREATE_ATTEMPTS {
            self.create_network(&name, None).await.map_err(|error| error_text(&error))?;
            let found = self.network_range(&name).await;
            self.remove_network(&name).await.map_err(|error| error_text(&error))?;
            let (subnet, gateway) = found?;
            let Some(addresses) = AddressPool::parse(&subnet, &gateway) else {
                return Err(format!("its subnet {subnet} with the gateway {gateway} is invalid"));
            };
            let range = IpamConfig {
                subnet: Some(subnet),
                gateway: Some(addresses.gateway.to_string()),
                ..IpamConfig::default()
            };
            match self.create_network(&name, Some(range)).await {
                Ok(()) => return Ok(RunNetwork { name, addresses }),
                Err(error) => last = error_text(&error),
            }
        }
        Err(last)
    }

    async fn create_network(
        &self,
        name: &str,
        range: Option<IpamConfig>,
    ) -> Result<(), EngineError> {
        let ipam = range.map(|range| Ipam { config: Some(vec![range]), ..Ipam::default() });
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            labels: Some(self.run_labels()),
            ipam,
            ..NetworkCreateRequest::default()
        };
        self.operation("creating a network", self.client.create_network(request)).await.map(drop)
    }

    async fn network_range(&self, name: &str) -> Result<(String, String), String> {
        let network = self
            .query("inspecting a network", self.client.inspect_network(name, None))
            .await
            .map_err(|error| error_text(&error))?;
        subnet_and_gateway(network)
            .ok_or_else(|| "the engine does not report its subnet".to_owned())
    }

    /// Removes a network; a missing one is no error.
    async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        match self.operation("removing a network", self.client.remove_network(name)).await {
            Err(error) if http_status(&error) == Some(404) => Ok(()),
            other => other,
        }
    }

    /// Removes this run's network, after its containers.
    pub async fn remove_run_network(&self) -> Result<(), EngineError> {
        match self.network.get() {
            Some(Some(network)) => self.remove_network(&network.name).await,
            _ => Ok(()),
        }
    }

    /// Removes the networks of runs whose process is dead on this machine; returns their names.
    pub async fn remove_leftover_networks(
        &self,
        observer: &Owner,
    ) -> Result<Vec<String>, EngineError> {
        let filters = HashMap::from([("label", vec![RUN_LABEL])]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let mut removed = Vec::new();
        for network in
            self.query("listing networks", self.client.list_networks(Some(options))).await?
        {
            let (Some(id), Some(name)) = (network.id, network.name) else { continue };
            let Some(labels) = network.labels else { continue };
            let dead = Owner::from_labels(&labels).is_some_and(|owner| {
                owner.state(observer, ProcessIdentity::is_alive) == OwnerState::Dead
            });
            if dead {
                // Two networks may have the same name.
                self.remove_network(&id).await?;
                removed.push(format!("network {name}"));
            }
        }
        Ok(removed)
    }
}

/// Returns subnet and gateway of a network.
fn subnet_and_gateway(network: NetworkInspect) -> Option<(String, String)> {
    let ranges = network.ipam?.config?;
    ranges.into_iter().find_map(|range| {
        let subnet = range.subnet.filter(|subnet| !subnet.contains(':'))?;
        Some((subnet, range.gateway?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ipv4_subnet_is_parsed() {
        let network = serde_json::from_value(serde_json::json!({"IPAM": {"Config": [
            {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
            {"Subnet": "172.20.0.0/16", "Gateway": "172.20.0.1"}]}}))
        .unwrap();
        assert_eq!(
            subnet_and_gateway(network),
            Some(("172.20.0.0/16".to_owned(), "172.20.0.1".to_owned()))
        );
        assert_eq!(subnet_and_gateway(NetworkInspect::default()), None);
    }
}
