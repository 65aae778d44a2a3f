//! Servers on a hub: specifications, endpoints, resource limits and resource counters.
//!
//! These types are shared by backends and hubs: a backend specifies the servers that it needs, a hub
//! starts them and reads their resources, and neither depends on the other.

mod facts;
mod limits;
mod running;
mod spec;

use serde::{Deserialize, Serialize};

pub use facts::HubFacts;
pub use limits::{LimitKind, LimitVerification, ResourceLimits};
pub use running::{BlockSource, OUT_OF_MEMORY_REPORT, RunningServer, ServerReading, ServerState};
pub use spec::{
    ContainerSpec, Endpoint, ExternalSpec, ImageRecipe, LaunchSpec, ProcessSpec, ServerImage,
    ServerSpec, host_in_url,
};

/// Kind of hub, which decides where servers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum HubKind {
    /// Containers of a Docker engine.
    Docker,
    /// Child processes on this machine, no container.
    Local,
    /// Servers that already run: this program neither starts nor stops them.
    External,
}

impl HubKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Local, Self::External];

    /// Name of the kind in profiles and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Local => "local",
            Self::External => "external",
        }
    }
}
