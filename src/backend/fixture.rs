//! A repetition for the tests of the backends.

use super::RepetitionContext;
use crate::{
    plan::tests::latency_point,
    server::{HubKind, ResourceLimits},
};

/// Returns a repetition of the latency workload on the Docker hub, with default settings.
pub(super) fn repetition_context(backend: &str, users: u32, payload: u64) -> RepetitionContext {
    RepetitionContext {
        point: latency_point(backend, users, payload),
        settings: serde_json::Map::new(),
        hub: HubKind::Docker,
        limits: ResourceLimits::default(),
        password: "correct horse battery".into(),
    }
}
