//! A repetition for the tests of the backends.

use std::time::Duration;

use super::RepetitionContext;
use crate::{
    plan::{
        ArrivalDistribution, BackendChoice, Durability, LatencyWorkload, PayloadSource, Point,
        Workload,
    },
    server::{HubKind, ResourceLimits},
    units::Bytes,
};

/// Returns a repetition of the latency workload on the Docker hub, with default settings.
pub(super) fn repetition_context(backend: &str, users: u32, payload: u64) -> RepetitionContext {
    RepetitionContext {
        point: Point {
            backend: BackendChoice { name: backend.into(), version: None },
            workload: Workload::Latency(LatencyWorkload {
                users,
                payload: Bytes(payload),
                payload_source: PayloadSource::Seeded,
                messages: 1,
                arrival: ArrivalDistribution::Constant { mean: Duration::from_secs(1) },
                warmup: Duration::ZERO,
                drain: Duration::from_secs(1),
            }),
            durability: Durability::Default,
        },
        settings: serde_json::Map::new(),
        hub: HubKind::Docker,
        limits: ResourceLimits::default(),
        password: "correct horse battery".into(),
    }
}
