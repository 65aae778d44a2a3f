//! Checks of a plan's requirements on a hub: limits and images.

use super::check::Check;
use crate::{
    hub::docker::{Examination, ImageState},
    server::{ResourceLimits, ServerImage},
};

/// Checks that the hub can apply the requested limits.
pub(super) fn limit_checks(limits: &ResourceLimits, found: &Examination) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(cpus) = limits.cpus {
        let subject = "limit of cores";
        checks.push(match found.facts.cores {
            _ if !found.cpu_limits_supported => Check::fail(
                subject,
                "the hub's kernel cannot limit cores (no CFS quota)",
                "leave hub.limits.cpus out",
            ),
            Some(cores) if cpus.0 > f64::from(cores) => Check::fail(
                subject,
                format!("{cpus} requested, the hub has {cores}"),
                "ask for fewer: hub.limits.cpus",
            ),
            _ => Check::ok(subject, cpus.to_string()),
        });
    }
    if let Some(memory) = limits.memory {
        let subject = "limit of memory";
        checks.push(match (found.facts.memory_cgroup, found.facts.memory) {
            (Some(false), _) => Check::fail(
                subject,
                format!("{memory} requested, and the memory cgroup is off"),
                "switch it on as advised above, or leave hub.limits.memory out",
            ),
            (_, Some(available)) if memory > available => Check::fail(
                subject,
                format!("{memory} requested, the hub has {available}"),
                "ask for less: hub.limits.memory",
            ),
            _ => Check::ok(subject, memory.to_string()),
        });
    }
    checks
}

/// Checks that a server's image is ready. A run builds or pulls a missing image, which takes minutes; the
/// command `build` does it now.
pub(super) fn image_check(image: &ServerImage, state: ImageState, build: &str) -> Check {
    let subject = format!("image {}", image.reference());
    let how = match image {
        ServerImage::Recipe { .. } => "builds",
        ServerImage::Named(_) => "pulls",
    };
    let advice =
        || format!("a run {how} it automatically, which takes minutes; to do it now: {build}");
    match state {
        ImageState::Ready => Check::ok(&subject, "ready"),
        ImageState::Outdated => {
            Check::warn(&subject, "built from another recipe than that of this version", advice())
        }
        ImageState::Missing => Check::warn(&subject, "missing", advice()),
    }
}
