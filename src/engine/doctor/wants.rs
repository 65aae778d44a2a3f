//! Checks of what a plan wants of a hub: its limits and its images.

use super::Check;
use crate::{
    hub::{
        HubError,
        docker::{Examination, ImageState},
    },
    server::{Image, Limits},
};

/// Whether the limits asked for can be held.
pub(super) fn limits(limits: &Limits, found: &Examination) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(cpus) = limits.cpus {
        let subject = "limit of cores";
        checks.push(match found.facts.cores {
            _ if !found.limits_cpus => Check::fail(
                subject,
                "the hub's kernel cannot limit cores (no CFS quota)",
                "leave hub.limits.cpus out",
            ),
            Some(cores) if cpus.0 > f64::from(cores) => Check::fail(
                subject,
                format!("{cpus} asked for, {cores} there"),
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
                format!("{memory} asked for, and the memory cgroup is off"),
                "switch it on as said above, or leave hub.limits.memory out",
            ),
            (_, Some(there)) if memory > there => Check::fail(
                subject,
                format!("{memory} asked for, {there} there"),
                "ask for less: hub.limits.memory",
            ),
            _ => Check::ok(subject, memory.to_string()),
        });
    }
    checks
}

/// Whether a server's image is ready. A run makes it by itself, which takes minutes.
pub(super) fn image(image: &Image, state: Result<&ImageState, &HubError>, profile: &str) -> Check {
    let subject = format!("image {}", image.reference());
    let how = match image {
        Image::Recipe { .. } => "builds",
        Image::Named(_) => "pulls",
    };
    let advice = || {
        format!(
            "a run {how} it by itself, which takes minutes; at once: hubmark images build {profile}"
        )
    };
    match state {
        Ok(ImageState::Ready) => Check::ok(&subject, "ready"),
        Ok(ImageState::Outdated) => {
            Check::warn(&subject, "built from another recipe than this program's", advice())
        }
        Ok(ImageState::Missing) => Check::warn(&subject, "not there", advice()),
        Err(error) => Check::error(&subject, error),
    }
}
