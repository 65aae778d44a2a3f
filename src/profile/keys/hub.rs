//! Keys of the table `[hub]`.

use super::{
    allowed::AllowedValues::{Bounded, Names, Text},
    bounds::{MIN_CPUS, MIN_DISK_WRITE, MIN_LINK_RATE, MIN_MEMORY, delay_range, hub_timeout_range},
    choices::{HUB_KINDS, names},
    profile_key::ProfileKey,
};
use crate::profile::presets;

pub(in crate::profile) const HUB_KIND: ProfileKey = ProfileKey::new(
    "hub.kind",
    Names(&names(&HUB_KINDS)),
    "Where the servers run. docker: in clean containers of a Docker engine. local: as child processes on this machine, without containers. external: they already run at the address in each backend's table.",
);
pub(in crate::profile) const HUB_ENGINE: ProfileKey = ProfileKey::new(
    "hub.engine",
    Text("the address of a Docker engine such as \"unix:///var/run/docker.sock\" or \"ssh://pi\""),
    "The Docker engine: unix://PATH, ssh://[USER@]HOST[:PORT][/PATH], tcp://HOST:PORT (TLS) or http://HOST:PORT. Default: DOCKER_HOST, Docker's context or the local socket.",
);
pub(in crate::profile) const HUB_ADDRESS: ProfileKey = ProfileKey::new(
    "hub.address",
    Text("a host name or address such as \"192.168.1.20\""),
    "Host at which this machine reaches the ports that servers publish on another machine. Default: the engine's host.",
);
pub(in crate::profile) const HUB_CERTIFICATES: ProfileKey = ProfileKey::new(
    "hub.certificates",
    Text("the path of a folder that holds ca.pem, cert.pem and key.pem"),
    "Folder with the certificates for an engine at tcp://. Default: DOCKER_CERT_PATH, the folder of the Docker context, or ~/.docker.",
);
pub(in crate::profile) const HUB_TIMEOUT: ProfileKey = ProfileKey::new(
    "hub.timeout",
    Bounded(|| format!("a duration such as \"10 min\", {}", hub_timeout_range())),
    "Longest wait for one operation of the hub and for a server to answer. Reading calls have a sixth of it, connections a twelfth. Default: 3 min.",
);
pub(in crate::profile) const LIMITS: ProfileKey = ProfileKey::new(
    "hub.limits",
    Text("a table of cpus, memory, disk_write, link and delay"),
    "Resources that each server may use, so that a large machine can imitate a small board.",
);
pub(in crate::profile) const LIMIT_CPUS: ProfileKey = ProfileKey::new(
    "hub.limits.cpus",
    Bounded(|| format!("cores such as \"2 cpus\" or \"0.5 cpus\", at least {}", MIN_CPUS.0)),
    "Cores that each server may use.",
);
pub(in crate::profile) const LIMIT_MEMORY: ProfileKey = ProfileKey::new(
    "hub.limits.memory",
    Bounded(|| format!("a size such as \"1 GiB\", at least {}", MIN_MEMORY.exact())),
    "Memory that each server may use.",
);
pub(in crate::profile) const LIMIT_DISK_WRITE: ProfileKey = ProfileKey::new(
    "hub.limits.disk_write",
    Bounded(|| {
        let least = MIN_DISK_WRITE.exact();
        format!("a rate such as \"20 MB/s\", at least {least}, in whole bytes")
    }),
    "Rate of writes that reach the disk. The kernel does not slow buffered writes.",
);
pub(in crate::profile) const LIMIT_LINK: ProfileKey = ProfileKey::new(
    "hub.limits.link",
    Bounded(|| {
        let kilobits = MIN_LINK_RATE.0 * 8.0 / 1e3;
        format!("a rate such as \"100 Mbit/s\" or \"12.5 MB/s\", at least {kilobits} kbit/s")
    }),
    "Rate of each server's link, in each direction. Traffic between servers of one hub is limited too.",
);
pub(in crate::profile) const LIMIT_DELAY: ProfileKey = ProfileKey::new(
    "hub.limits.delay",
    Bounded(|| format!("a duration such as \"5 ms\", {}", delay_range())),
    "Added delay between hubmark and a server, in each direction: a round trip takes twice the delay longer.",
);
pub(in crate::profile) const LIKE: ProfileKey = ProfileKey::new(
    "hub.like",
    Names(&presets::NAMES),
    "A small board that this hub approximates: its limits apply unless hub.limits overrides them.",
);
