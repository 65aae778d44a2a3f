//! Networks of containers, and the addresses on them.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use bollard::models::{EndpointIpamConfig, EndpointSettings, NetworkingConfig};

/// Network of a run.
#[derive(Debug)]
pub struct RunNetwork {
    /// Name of the network.
    pub name: String,
    /// Addresses of the network.
    pub addresses: AddressPool,
}

/// Addresses of a network, each assigned at most once.
#[derive(Debug)]
pub struct AddressPool {
    /// Address of the gateway, which is never assigned.
    pub gateway: Ipv4Addr,
    first: u32,
    /// Broadcast address, which is never assigned.
    end: u32,
    allocated: AtomicU32,
}

impl AddressPool {
    /// Parses the pool of `subnet`, written `172.20.0.0/16`.
    pub fn parse(subnet: &str, gateway: &str) -> Option<Self> {
        let (base, length) = subnet.split_once('/')?;
        let base: Ipv4Addr = base.parse().ok()?;
        let length: u32 = length.parse().ok().filter(|length| (1..=30).contains(length))?;
        let base = base.to_bits();
        let end = base.checked_add((1 << (32 - length)) - 1)?;
        let gateway = gateway.split('/').next()?.parse().ok()?;
        Some(Self { gateway, first: base + 1, end, allocated: AtomicU32::new(0) })
    }

    /// Returns the next address; `None` when all are used.
    fn allocate(&self) -> Option<Ipv4Addr> {
        loop {
            let next = self.first.checked_add(self.allocated.fetch_add(1, Relaxed))?;
            let next = (next < self.end).then(|| Ipv4Addr::from_bits(next))?;
            if next != self.gateway {
                return Some(next);
            }
        }
    }
}

impl RunNetwork {
    /// Returns the configuration by which a new container joins, at an address not used before.
    pub fn endpoint_config(&self) -> NetworkingConfig {
        // When the pool is exhausted, the engine chooses.
        let address = self.addresses.allocate().map(|address| address.to_string());
        let endpoint = fixed_endpoint(address);
        NetworkingConfig { endpoints_config: Some(HashMap::from([(self.name.clone(), endpoint)])) }
    }
}

/// A network and the container's address on it, for reconnecting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAttachment {
    /// Name of the network.
    pub network: String,
    /// Fixed address; `None` where the engine assigns addresses itself.
    pub address: Option<String>,
}

impl NetworkAttachment {
    /// Extracts the network's name and the fixed address. Fixed addresses exist on networks created
    /// with a subnet, not on the engine's default bridge.
    pub fn new((network, endpoint): (String, EndpointSettings)) -> Self {
        let fixed = endpoint.ipam_config.and_then(|config| config.ipv4_address);
        Self { network, address: fixed.filter(|address| !address.is_empty()) }
    }

    /// Returns the settings by which the container joins again.
    pub fn endpoint_settings(&self) -> EndpointSettings {
        fixed_endpoint(self.address.clone())
    }
}

/// Returns the settings of an endpoint with a fixed address; the engine chooses for `None`.
fn fixed_endpoint(address: Option<String>) -> EndpointSettings {
    EndpointSettings {
        ipam_config: address.map(|address| EndpointIpamConfig {
            ipv4_address: Some(address),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_address_is_assigned_once_and_the_gateways_never() {
        let addresses = AddressPool::parse("192.168.16.0/29", "192.168.16.1").unwrap();
        let all: Vec<_> = std::iter::from_fn(|| addresses.allocate()).collect();
        let expected: Vec<_> = (2..=6).map(|last| Ipv4Addr::new(192, 168, 16, last)).collect();
        assert_eq!(all, expected);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(addresses.allocate(), None);
    }

    #[test]
    fn invalid_subnets_are_refused() {
        for (subnet, gateway) in [
            ("172.20.0.0", "172.20.0.1"),
            ("172.20.0.0/33", "172.20.0.1"),
            ("172.20.0.0/0", "172.20.0.1"),
            ("172.20.0.0/16", ""),
            ("fd00::/64", "fd00::1"),
            ("255.255.255.255/16", "172.20.0.1"),
        ] {
            assert!(AddressPool::parse(subnet, gateway).is_none(), "{subnet} {gateway}");
        }
    }

    #[test]
    fn only_fixed_addresses_are_requested_again() {
        let endpoint = |fixed: Option<&str>| EndpointSettings {
            ip_address: Some("172.17.0.4".into()),
            ipam_config: fixed.map(|address| EndpointIpamConfig {
                ipv4_address: Some(address.into()),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        };
        let requested = |fixed| NetworkAttachment::new(("net".into(), endpoint(fixed))).address;
        assert_eq!(requested(Some("172.20.0.2")), Some("172.20.0.2".to_owned()));
        assert_eq!(requested(Some("")), None);
        assert_eq!(requested(None), None);
    }
}
