//! Tests of plans, and a point for the tests of other modules.

use super::*;
use crate::server::HubKind;

fn plan(workload: Workload, kind: HubKind) -> Plan {
    let backend = BackendChoice { name: "stream".into(), version: Some("2.8.0".into()) };
    let points = vec![Point { backend, workload, durability: Durability::Default }];
    Plan {
        profile: "trial".into(),
        seed: 42,
        order: RepetitionOrder::Interleaved,
        repetitions: 3,
        retries: 1,
        baseline: Duration::from_secs(5),
        server_warmup: Duration::ZERO,
        cooldown: None,
        hub: HubRequest { kind, ..HubRequest::local() },
        schedule: schedule(points.len(), 3, RepetitionOrder::Interleaved, 42),
        capacity: None,
        footprint: false,
        steering: false,
        points,
        settings: BTreeMap::new(),
        thresholds: vec![
            Threshold { metric: "delivery.p99".into(), at_most: 20_000.0 },
            Threshold { metric: LOST.into(), at_most: 0.0 },
        ],
        faults: Vec::new(),
    }
}

/// Returns a point of the latency workload, one message a second, for the tests of other modules.
pub fn latency_point(backend: &str, users: u32, payload: u64) -> Point {
    Point {
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
    }
}

fn latency() -> Workload {
    Workload::Latency(LatencyWorkload {
        users: 1000,
        payload: Bytes(100),
        payload_source: PayloadSource::Seeded,
        messages: 60,
        arrival: ArrivalDistribution::Normal {
            mean: Duration::from_secs(1),
            deviation: Duration::from_millis(250),
        },
        warmup: Duration::ZERO,
        drain: Duration::from_secs(10),
    })
}

fn throughput(scenario: Scenario) -> Workload {
    Workload::Throughput(ThroughputWorkload {
        users: 1,
        payload: Bytes(1_000),
        payload_source: PayloadSource::Urandom,
        volume: Bytes(100_000_000),
        scenario,
        drain: Duration::from_secs(10),
    })
}

#[test]
fn a_latency_run_is_estimated_from_its_load_baseline_and_allowance() {
    let plan = plan(latency(), HubKind::Docker);
    assert_eq!(plan.points[0].workload.nominal_load_duration(), Some(Duration::from_mins(1)));
    assert_eq!(
        plan.estimated_duration(),
        3 * (Duration::from_secs(60 + 5) + estimate::CONTAINER_OVERHEAD)
    );
    assert_eq!((plan.messages(), plan.payload_bytes()), (180_000, Bytes(18_000_000)));
}

#[test]
fn a_consumer_scenario_is_given_time_to_load_what_it_reads() {
    let load = |scenario| {
        let plan = plan(throughput(scenario), HubKind::Local);
        plan.estimated_repetition_duration(&plan.points[0])
    };
    let around = estimate::PROCESS_OVERHEAD + Duration::from_secs(5);
    assert_eq!(load(Scenario::Both), around + Duration::from_secs(5));
    assert_eq!(load(Scenario::Consumer), around + Duration::from_secs(10));
}

#[test]
fn absurd_sizes_saturate() {
    let Workload::Latency(mut workload) = latency() else { return };
    (workload.users, workload.messages, workload.payload) = (u32::MAX, u32::MAX, Bytes(u64::MAX));
    workload.arrival = ArrivalDistribution::Constant { mean: Duration::MAX };
    let plan = plan(Workload::Latency(workload), HubKind::Docker);
    assert_eq!(plan.estimated_duration(), Duration::MAX);
    assert_eq!((plan.messages(), plan.payload_bytes()), (u64::MAX, Bytes(u64::MAX)));
}

#[test]
fn the_outline_describes_the_run() {
    insta::assert_snapshot!(plan(latency(), HubKind::Docker), @r"
    profile     trial
    hub         docker
    run         1 point × 3 = 3 repetitions · 180,000 messages · 18 MB of payload · about 3 min 30 s
    conditions  durability default · cold server, as the study · idle baseline 5 s · interleaved by seed 42
    threshold   delivery.p99 ≤ 20 ms
    threshold   lost ≤ 0
    point       stream 2.8.0 · latency · 1,000 users · 100 B · 60 messages each, normal 1 s ± 250 ms
    ");
    let mut warm = plan(throughput(Scenario::Both), HubKind::Local);
    warm.server_warmup = Duration::from_secs(30);
    insta::assert_snapshot!(warm, @r"
    profile     trial
    hub         local: child processes on this machine
    run         1 point × 3 = 3 repetitions · 300,000 messages · 300 MB of payload · about 2 min 3 s
    conditions  durability default · server warm-up 30 s · idle baseline 5 s · interleaved by seed 42
    threshold   delivery.p99 ≤ 20 ms
    threshold   lost ≤ 0
    point       stream 2.8.0 · throughput, both · 100 MB in messages of 1 kB of urandom · 1 user
    ");
}

#[test]
fn a_plan_survives_json() {
    let plan = plan(latency(), HubKind::Docker);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}

#[test]
fn the_outline_lists_planned_faults() {
    let mut plan = plan(latency(), HubKind::Docker);
    plan.faults = vec![
        Fault {
            at: Duration::from_secs(20),
            duration: Some(Duration::from_secs(3)),
            server: None,
            kind: FaultKind::Kill,
        },
        Fault {
            at: Duration::from_secs(30),
            duration: None,
            server: Some("zookeeper".into()),
            kind: FaultKind::Limit {
                cpus: Some(crate::units::Cpus(0.5)),
                memory: Some(Bytes(64 << 20)),
            },
        },
    ];
    let faults: Vec<_> =
        plan.outline().into_iter().filter(|line| line.starts_with("fault")).collect();
    assert_eq!(
        faults,
        [
            "fault       20 s · kill of the main server for 3 s",
            "fault       30 s · limit to 0.5 cpus and 64 MiB of zookeeper to the end",
        ]
    );
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan, "{json}");
}
