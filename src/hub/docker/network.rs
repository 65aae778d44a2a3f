//! A network of the run's own, in which no address is ever given twice.
//!
//! On an engine's common bridge the address of a server that died is given to whoever starts next:
//! to the server of another run beside this one, say, to which clients would then reconnect and
//! take its word for that of the dead one. And a server that is started again may come back at
//! another address.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use bollard::{
    errors::Error as EngineError,
    models::{
        EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkCreateRequest,
        NetworkInspect, NetworkingConfig,
    },
    query_parameters::ListNetworksOptionsBuilder,
};

use super::{
    Engine,
    call::{ASK, WORK, status, within, words},
    owner::{self, Fate, Owner},
};

/// Attempts to make a network: between two requests somebody else may take the addresses.
const ATTEMPTS: u32 = 3;

/// The network of a run.
#[derive(Debug)]
pub struct Network {
    name: String,
    addresses: Addresses,
}

/// The addresses of a network, each given once.
#[derive(Debug)]
struct Addresses {
    gateway: Ipv4Addr,
    first: u32,
    /// The broadcast address, which is nobody's.
    end: u32,
    given: AtomicU32,
}

impl Addresses {
    /// Those of `subnet`, written `172.20.0.0/16`.
    fn of(subnet: &str, gateway: &str) -> Option<Self> {
        let (base, length) = subnet.split_once('/')?;
        let base: Ipv4Addr = base.parse().ok()?;
        let length: u32 = length.parse().ok().filter(|length| (1..=30).contains(length))?;
        let base = base.to_bits();
        let end = base.checked_add((1 << (32 - length)) - 1)?;
        let gateway = gateway.split('/').next()?.parse().ok()?;
        Some(Self { gateway, first: base + 1, end, given: AtomicU32::new(0) })
    }

    /// The next one; `None` when all have been given.
    fn next(&self) -> Option<Ipv4Addr> {
        loop {
            let next = self.first.checked_add(self.given.fetch_add(1, Relaxed))?;
            let next = (next < self.end).then(|| Ipv4Addr::from_bits(next))?;
            if next != self.gateway {
                return Some(next);
            }
        }
    }
}

impl Network {
    /// What a container's creation says to join it, at an address that nobody else had.
    pub fn joined(&self) -> NetworkingConfig {
        // When all have been given, the engine chooses.
        let address = self.addresses.next().map(|address| EndpointIpamConfig {
            ipv4_address: Some(address.to_string()),
            ..EndpointIpamConfig::default()
        });
        let endpoint = EndpointSettings { ipam_config: address, ..EndpointSettings::default() };
        NetworkingConfig { endpoints_config: Some(HashMap::from([(self.name.clone(), endpoint)])) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Engine {
    /// The run's own network, made when it is first asked for; `None` where the engine has none
    /// left to give: servers then live on its common bridge.
    pub(super) async fn network(&self) -> Option<&Network> {
        let made = self.network.get_or_init(|| async {
            match self.make_network().await {
                Ok(network) => Some(network),
                Err(reason) => {
                    tracing::warn!("no network of the run's own, going on without: {reason}");
                    None
                }
            }
        });
        made.await.as_ref()
    }

    /// The engine gives fixed addresses only where the range was named when the network was made,
    /// and knows itself which ranges are free: so it is asked first, and then taken at its word.
    async fn make_network(&self) -> Result<Network, String> {
        let name = format!("hubmark-{}", self.run);
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            self.create_network(&name, None).await.map_err(|error| words(&error))?;
            let found = self.range_of(&name).await;
            self.remove_network(&name).await.map_err(|error| words(&error))?;
            let (subnet, gateway) = found?;
            let Some(addresses) = Addresses::of(&subnet, &gateway) else {
                return Err(format!(
                    "its range {subnet} with the gateway {gateway} is not understood"
                ));
            };
            let range = IpamConfig {
                subnet: Some(subnet),
                gateway: Some(addresses.gateway.to_string()),
                ..IpamConfig::default()
            };
            match self.create_network(&name, Some(range)).await {
                Ok(()) => return Ok(Network { name, addresses }),
                Err(error) => last = words(&error),
            }
        }
        Err(last)
    }

    async fn create_network(
        &self,
        name: &str,
        range: Option<IpamConfig>,
    ) -> Result<(), EngineError> {
        let mut labels: HashMap<_, _> = self.owner.iter().flat_map(Owner::labels).collect();
        labels.insert(owner::RUN.to_owned(), self.run.clone());
        let ipam = range.map(|range| Ipam { config: Some(vec![range]), ..Ipam::default() });
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            labels: Some(labels),
            ipam,
            ..NetworkCreateRequest::default()
        };
        within(WORK, self.client.create_network(request)).await.map(drop)
    }

    async fn range_of(&self, name: &str) -> Result<(String, String), String> {
        let network = within(ASK, self.client.inspect_network(name, None))
            .await
            .map_err(|error| words(&error))?;
        range(network).ok_or_else(|| "the engine does not say which range it has".to_owned())
    }

    /// Removes a network; succeeds when it is already gone.
    async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        match within(WORK, self.client.remove_network(name)).await {
            Err(error) if status(&error) == Some(404) => Ok(()),
            other => other,
        }
    }

    /// Removes this run's network. Its containers must be gone.
    pub(super) async fn leave_network(&self) -> Result<(), EngineError> {
        match self.network.get() {
            Some(Some(network)) => self.remove_network(&network.name).await,
            _ => Ok(()),
        }
    }

    /// Removes the networks of runs whose process is dead on this machine; returns their names.
    pub(super) async fn sweep_networks(&self, judge: &Owner) -> Result<Vec<String>, EngineError> {
        let filters = HashMap::from([("label", vec![owner::RUN])]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let mut removed = Vec::new();
        for network in within(ASK, self.client.list_networks(Some(options))).await? {
            let (Some(name), Some(labels)) = (network.name, network.labels) else { continue };
            let dead = Owner::from_labels(&labels)
                .is_some_and(|owner| owner.fate(judge, owner::alive) == Fate::Dead);
            if dead {
                self.remove_network(&name).await?;
                removed.push(format!("network {name}"));
            }
        }
        Ok(removed)
    }
}

/// Range and gateway of a network.
fn range(network: NetworkInspect) -> Option<(String, String)> {
    let ranges = network.ipam?.config?;
    ranges.into_iter().find_map(|range| {
        let subnet = range.subnet.filter(|subnet| !subnet.contains(':'))?;
        Some((subnet, range.gateway?))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_address_is_given_once_and_the_gateways_never() {
        let addresses = Addresses::of("192.168.16.0/29", "192.168.16.1").unwrap();
        let given: Vec<_> = std::iter::from_fn(|| addresses.next()).collect();
        let expected: Vec<_> = (2..=6).map(|last| Ipv4Addr::new(192, 168, 16, last)).collect();
        assert_eq!(given, expected);
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len());
        assert_eq!(addresses.next(), None);
    }

    #[test]
    fn a_range_that_is_none_is_refused() {
        for (subnet, gateway) in [
            ("172.20.0.0", "172.20.0.1"),
            ("172.20.0.0/33", "172.20.0.1"),
            ("172.20.0.0/0", "172.20.0.1"),
            ("172.20.0.0/16", ""),
            ("fd00::/64", "fd00::1"),
            ("255.255.255.255/16", "172.20.0.1"),
        ] {
            assert!(Addresses::of(subnet, gateway).is_none(), "{subnet} {gateway}");
        }
    }

    #[test]
    fn the_range_is_read_from_what_the_engine_says() {
        let network = serde_json::from_value(serde_json::json!({"IPAM": {"Config": [
            {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
            {"Subnet": "172.20.0.0/16", "Gateway": "172.20.0.1"}]}}))
        .unwrap();
        assert_eq!(range(network), Some(("172.20.0.0/16".to_owned(), "172.20.0.1".to_owned())));
        assert_eq!(range(NetworkInspect::default()), None);
    }
}
