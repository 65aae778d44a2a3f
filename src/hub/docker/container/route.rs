//! Routes from this program to the ports of a container.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use crate::{hub::delay_proxy::DelayProxy, units::ByteRate};

/// How this program reaches a container's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortAccess {
    /// At the container's address, without docker-proxy, which costs a third of a millisecond and
    /// half of the throughput.
    Direct,
    /// At ports published on this address.
    Published(IpAddr),
}

impl PortAccess {
    pub const fn is_published(self) -> bool {
        matches!(self, Self::Published(_))
    }

    /// Returns the value of `{host}`. A directly reached container gets its address only when it
    /// starts, and has to find it out itself; nothing is published, so this is its loopback
    /// address.
    pub const fn host_placeholder(self) -> IpAddr {
        match self {
            Self::Direct => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Self::Published(host) => host,
        }
    }
}

/// Rates of a link that the kernel has in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkRates {
    /// From the server.
    pub outbound: ByteRate,
    /// To the server.
    pub inbound: ByteRate,
}

/// The route to a container whose link is limited or that is reached through a proxy.
#[derive(Debug)]
pub struct ContainerRoute {
    /// Rates of the link that are in force.
    pub link: Option<LinkRates>,
    /// Addresses of the container's ports without the proxy.
    pub direct: BTreeMap<u16, SocketAddr>,
    /// Forwards with a delay until the container is removed.
    pub proxy: Option<DelayProxy>,
}
