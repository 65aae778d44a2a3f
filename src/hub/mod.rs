//! Hubs: the hosts on which servers are started, observed and stopped, whatever the servers are.
//!
//! [`docker`] runs each server in a clean container of a Docker engine; [`local`] runs child
//! processes on this machine, the built-in broker among them; [`external`] starts nothing and
//! observes servers that already run. [`host`] reads the state of the hub itself.

pub mod child;
pub mod delay_proxy;
pub mod docker;
mod error;
pub mod external;
pub mod host;
mod interface;
pub mod local;
pub mod machine;
mod placeholders;

use std::sync::Arc;

pub use error::HubError;
pub use interface::{Hub, READY_TIMEOUT, TimedReading};

use crate::{
    plan::{HubRequest, Plan},
    server::{HubKind, ResourceLimits, ServerImage},
};

/// The tool image that the hub needs, beside the servers' images, to serve `request`.
pub fn tool_image_for(request: &HubRequest) -> Option<ServerImage> {
    let limited = request.kind == HubKind::Docker && request.limits != ResourceLimits::default();
    limited.then(docker::tools_image)
}

/// Opens the hub that `plan` names; `run` is the identity attached to the run's servers, `None` for
/// maintenance outside a run.
pub async fn open(plan: &Plan, run: Option<&str>) -> Result<Arc<dyn Hub>, HubError> {
    Ok(match plan.hub.kind {
        HubKind::Docker => Arc::new(docker::DockerHub::connect(&plan.hub, run).await?),
        HubKind::Local => Arc::new(local::LocalHub::open()?),
        HubKind::External => Arc::new(external::ExternalHub::open(plan, run).await?),
    })
}
