//! Contexts of repetitions, for tests that use a backend without a run.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use hubmark::{
    backend::RepetitionContext,
    plan::{
        ArrivalDistribution, BackendChoice, Durability, LatencyWorkload, PayloadSource, Point,
        Workload,
    },
    server::{HubKind, ResourceLimits, RunningServer},
    units::Bytes,
};

/// A repetition of `workload` on the docker hub: default settings, no limits, no password.
pub fn repetition_context(
    backend: &str,
    version: Option<&str>,
    workload: Workload,
) -> RepetitionContext {
    RepetitionContext {
        point: Point {
            backend: BackendChoice { name: backend.into(), version: version.map(Into::into) },
            workload,
            durability: Durability::Default,
        },
        settings: serde_json::Map::new(),
        hub: HubKind::Docker,
        limits: ResourceLimits::default(),
        password: String::new(),
    }
}

/// One message per user with `payload` bytes.
pub fn latency_workload(users: u32, payload: u64) -> Workload {
    Workload::Latency(LatencyWorkload {
        users,
        payload: Bytes(payload),
        payload_source: PayloadSource::Seeded,
        messages: 1,
        arrival: ArrivalDistribution::Constant { mean: Duration::from_secs(1) },
        warmup: Duration::ZERO,
        drain: Duration::from_secs(5),
    })
}

/// A server that a test has started itself: reached at `address` under the port `port` of its
/// specification.
pub fn running_server(role: &str, id: &str, address: SocketAddr, port: u16) -> RunningServer {
    RunningServer {
        role: role.into(),
        id: id.into(),
        address: address.ip(),
        ports: BTreeMap::from([(port, address.port())]),
        image: "test".into(),
        digest: None,
        data_dir: None,
        dir: None,
    }
}
