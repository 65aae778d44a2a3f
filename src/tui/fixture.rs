//! Plausible runs to draw and to replay: a planner, plans, and the events of whole runs.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{
    event::{BARS, BARS_PER_DECADE, End, Event, FIRST_BAR, Level, Phase, Snapshot},
    measure::{Durations, Generator, Judgement, Ledger, Load, Reason, Second, Spread, Verdict},
    plan::{
        Arrival, BackendChoice, Durability, HubRequest, LatencyWorkload, Order, PayloadSource,
        Plan, Point, Scenario, Step, Threshold, ThroughputWorkload, Workload,
    },
    record::{CpuUse, Latency, MemoryUse, Repetition, Resources, Throughput, Warmup},
    server::{BlockSource, HubFacts, HubKind, Limits},
    tui::{
        model::{Catalog, Finished, Live},
        outside::{BackendOption, PlanPreview, Planner, Problem, ProfileEntry, Request},
    },
    units::Bytes,
};

/// What can be chosen.
pub fn catalog() -> Catalog {
    let profile = |name: &str, description: &str| ProfileEntry {
        name: name.to_owned(),
        description: description.to_owned(),
        text: name.to_owned(),
    };
    let option = |name: &str, version: Option<&str>, title: &str, hubs: &[HubKind]| BackendOption {
        choice: BackendChoice { name: name.to_owned(), version: version.map(str::to_owned) },
        title: title.to_owned(),
        caution: None,
        hubs: hubs.to_vec(),
    };
    let both = [HubKind::Docker, HubKind::Local];
    let mut backends = vec![
        option("builtin", None, "built-in broker", &[HubKind::Local]),
        option("kafka", Some("2.8.0"), "Apache Kafka 2.8.0", &[HubKind::Docker]),
        option("kafka", Some("4.4.0"), "Apache Kafka 4.4.0", &[HubKind::Docker]),
        option("mariadb", Some("10.11"), "MariaDB 10.11", &both),
    ];
    backends[0].caution = Some("in memory, not Apache Kafka".to_owned());
    Catalog {
        profiles: vec![
            profile(
                "first-look",
                "A first look in a quarter of a minute: 100 devices on the broker that is built into hubmark, on this machine. Nothing has to be installed.",
            ),
            profile(
                "study-latency-users",
                "Latency by number of users, as the study: 100 to 1000 users, 100 B, 60 messages each, ten repetitions.",
            ),
            profile(
                "study-latency-users-quick",
                "Latency by number of users in the study's shape, finished in minutes.",
            ),
            profile("study-throughput", "100 MB in messages of 1 kB: producer, consumer, both."),
        ],
        backends,
    }
}

/// Understands users, backend, repetitions, hub and server warm-up, and nothing else.
pub struct FixturePlanner;

impl Planner for FixturePlanner {
    fn plan(
        &self,
        text: &str,
        overrides: &[(String, String)],
    ) -> Result<PlanPreview, Vec<Problem>> {
        let mut plan = match text {
            "first-look" => first_look(),
            "study-throughput" => throughput(),
            _ => sweep(),
        };
        let mut problems = Vec::new();
        for (key, value) in overrides {
            if let Err(text) = change(&mut plan, key, value) {
                problems.push(Problem { key: Some(key.clone()), text });
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        plan.schedule = schedule(plan.points.len(), plan.repetitions);
        let seconds = 80.0 * plan.schedule.len() as f64;
        let lines = vec![
            "on local: this machine plays the devices and the hub, they share its cores".to_owned(),
        ];
        Ok(PlanPreview { plan, lines, seconds })
    }
}

fn change(plan: &mut Plan, key: &str, value: &str) -> Result<(), String> {
    match key {
        "workload.users" => {
            let template = plan.points[0].clone();
            let users: Result<Vec<u32>, _> =
                value.split(',').map(|part| part.trim().parse()).collect();
            let users = users.map_err(|_| {
                format!(
                    "{value:?} is not a number of users: 1 to 1,048,575, or a list such as 100, 400"
                )
            })?;
            plan.points = users
                .into_iter()
                .map(|users| {
                    let mut point = template.clone();
                    if let Workload::Latency(workload) = &mut point.workload {
                        workload.users = users;
                    }
                    point
                })
                .collect();
        }
        "backend" => {
            if value.is_empty() {
                return Err("no backend is chosen".to_owned());
            }
            let template = plan.points[0].clone();
            plan.points = value
                .split(',')
                .map(|part| {
                    let (name, version) = part
                        .trim()
                        .split_once(':')
                        .map_or((part.trim(), None), |(name, version)| {
                            (name, Some(version.to_owned()))
                        });
                    Point {
                        backend: BackendChoice { name: name.to_owned(), version },
                        ..template.clone()
                    }
                })
                .collect();
        }
        "run.repetitions" => {
            plan.repetitions = value
                .parse()
                .map_err(|_| format!("{value:?} is not a number of repetitions: 1 to 1,000"))?;
        }
        "hub.kind" => {
            plan.hub.kind = if value == "local" { HubKind::Local } else { HubKind::Docker }
        }
        "run.server_warmup" => {
            let seconds = value
                .trim_end_matches(" s")
                .parse()
                .map_err(|_| format!("{value:?} is not a duration such as \"10 s\""))?;
            plan.server_warmup = Duration::from_secs(seconds);
        }
        _ => {}
    }
    Ok(())
}

fn schedule(points: usize, repetitions: u32) -> Vec<Step> {
    (0..repetitions)
        .flat_map(|repetition| (0..points).map(move |point| Step { point, repetition }))
        .collect()
}

fn latency(name: &str, version: Option<&str>, users: u32) -> Point {
    Point {
        backend: BackendChoice { name: name.to_owned(), version: version.map(str::to_owned) },
        workload: Workload::Latency(LatencyWorkload {
            users,
            payload: Bytes(100),
            payload_source: PayloadSource::Seeded,
            messages: 60,
            arrival: Arrival::Normal {
                mean: Duration::from_secs(1),
                deviation: Duration::from_millis(250),
            },
            warmup: Duration::from_secs(2),
            drain: Duration::from_secs(10),
        }),
        durability: Durability::Default,
    }
}

fn plan(profile: &str, kind: HubKind, repetitions: u32, points: Vec<Point>) -> Plan {
    Plan {
        profile: profile.to_owned(),
        seed: 42,
        order: Order::Interleaved,
        repetitions,
        baseline: Duration::from_secs(5),
        server_warmup: Duration::ZERO,
        hub: HubRequest { kind, engine: None, limits: Limits::default() },
        schedule: schedule(points.len(), repetitions),
        points,
        settings: BTreeMap::new(),
        thresholds: vec![Threshold { metric: "delivery.p99".to_owned(), at_most: 20_000.0 }],
    }
}

/// One point on the built-in broker.
pub fn first_look() -> Plan {
    plan("first-look", HubKind::Local, 1, vec![latency("builtin", None, 100)])
}

/// Two backends, two numbers of users, three repetitions.
pub fn sweep() -> Plan {
    let points = vec![
        latency("kafka", Some("2.8.0"), 100),
        latency("kafka", Some("2.8.0"), 400),
        latency("mariadb", Some("10.11"), 100),
        latency("mariadb", Some("10.11"), 400),
    ];
    plan("study-latency-users-quick", HubKind::Docker, 3, points)
}

/// The three scenarios of the throughput workload.
pub fn throughput() -> Plan {
    let point = |scenario| Point {
        backend: BackendChoice { name: "kafka".to_owned(), version: Some("4.4.0".to_owned()) },
        workload: Workload::Throughput(ThroughputWorkload {
            users: 1,
            payload: Bytes(1_000),
            payload_source: PayloadSource::Seeded,
            volume: Bytes(100_000_000),
            scenario,
            drain: Duration::from_secs(10),
        }),
        durability: Durability::Disk,
    };
    let points = [Scenario::Producer, Scenario::Consumer, Scenario::Both].map(point).to_vec();
    plan("study-throughput", HubKind::Docker, 2, points)
}

/// A request for a plan.
pub fn request(plan: Plan) -> Request {
    let seconds = 80.0 * plan.schedule.len() as f64;
    Request {
        profile: ProfileEntry {
            name: plan.profile.clone(),
            description: String::new(),
            text: plan.profile.clone(),
        },
        overrides: Vec::new(),
        preview: PlanPreview { plan, lines: Vec::new(), seconds },
    }
}

fn spread(count: u64, median: f64) -> Spread {
    Spread {
        count,
        min: Some(median * 0.45),
        max: Some(median * 14.7),
        mean: Some(median * 1.12),
        p50: Some(median),
        p90: (count >= 100).then_some(median * 1.43),
        p99: (count >= 1_000).then_some(median * 2.95),
        p999: (count >= 10_000).then_some(median * 6.1),
        negative: 0,
    }
}

/// `count` samples around `median`, with a tail to the right.
fn bars(count: u64, median: f64) -> Vec<u64> {
    let centre = (median / FIRST_BAR).log10() * BARS_PER_DECADE as f64;
    let weight = |bar: usize| {
        let distance = bar as f64 - centre;
        let width = if distance < 0.0 { 2.0 } else { 4.0 };
        (-(distance / width).powi(2) / 2.0).exp()
            + if (6.0..20.0).contains(&distance) { 0.004 } else { 0.0 }
    };
    let sum: f64 = (0..BARS).map(weight).sum();
    (0..BARS).map(|bar| (weight(bar) / sum * count as f64).round() as u64).collect()
}

/// A load of a server after `seconds`, of the given size.
fn server(seconds: f64, size: f64, source: Option<BlockSource>) -> Load {
    let wave = 1.0 + 0.2 * (seconds * 0.7).sin();
    Load {
        seconds,
        cpu_cores: Some(0.61 * size * wave),
        memory: Some(Bytes((412e6 * size) as u64)),
        memory_growth: Some((9.1e6 * size + seconds * 1e5) as i64),
        resident: Some(Bytes((380e6 * size) as u64)),
        cache: None,
        block_read: Some(0.0),
        block_written: source
            .map(|_| 0.92e6 * size * if (seconds as u64).is_multiple_of(5) { 3.0 } else { 0.3 }),
        block_source: source,
        network_received: Some(71e3 * size * wave),
        network_sent: Some(93e3 * size * wave),
    }
}

/// The snapshot `seconds` into a load of `point`.
pub fn snapshot(point: &Point, seconds: u32, median: f64) -> Snapshot {
    let users = point.workload.users();
    let planned = point.workload.messages();
    let latency = matches!(point.workload, Workload::Latency(_));
    let rate = if latency { u64::from(users) } else { 25_000 };
    let sent = (rate * u64::from(seconds)).min(planned);
    let delivered = sent.saturating_sub(rate / 50);
    let measured = if latency { delivered.saturating_sub(rate * 2) } else { delivered };
    let time = f64::from(seconds);
    let mut servers = BTreeMap::new();
    match (point.backend.name.as_str(), point.backend.version.as_deref()) {
        ("kafka", Some("2.8.0")) => {
            servers.insert("kafka".to_owned(), server(time, 1.0, Some(BlockSource::DataDirectory)));
            servers.insert("zookeeper".to_owned(), server(time, 0.02, None));
        }
        (name, _) => {
            servers.insert(name.to_owned(), server(time, 0.7, Some(BlockSource::Engine)));
        }
    }
    let mut latencies = Durations {
        lag: spread(measured, 31.0),
        ack: spread(measured, median * 0.9),
        delivery: spread(measured, median),
        response: spread(measured, median * 1.03),
    };
    if measured == 0 {
        latencies = Durations::default();
    }
    Snapshot {
        seconds: time,
        planned_seconds: latency.then_some(62.0),
        progress: sent as f64 / planned as f64,
        connected: users,
        users,
        ledger: Ledger {
            planned,
            sent,
            unsent: planned - sent,
            acked: sent.saturating_sub(rate / 100),
            delivered,
            lost: sent - delivered,
            ..Ledger::default()
        },
        durations: latencies,
        bars: bars(measured, median),
        second: Second {
            second: seconds.saturating_sub(1),
            due: rate,
            sent: rate - u64::from(seconds % 3),
            acked: rate,
            delivered: rate - u64::from(seconds % 2),
            bytes: rate * point.workload.payload().0,
            delivery_p50: Some(median * (1.0 + 0.15 * (time * 0.9).sin())),
            delivery_p99: (rate >= 1_000).then_some(median * 3.0),
            delivery_max: Some(median * (3.0 + 2.0 * (time * 1.7).sin())),
            ack_p50: Some(median * 0.9),
            response_p50: Some(median * 1.03),
            response_max: Some(median * 6.0),
            lag_max: Some(80.0),
        },
        servers,
        generator: Generator {
            cpu_cores: 0.093,
            resident: Bytes(48_000_000),
            threads: 312,
            descriptors: 840,
            lag_p99: Some(61.4),
            dropped_snapshots: 0,
            machine_busy: Some(0.4),
        },
        verdict: Verdict::default(),
        dropped: 0,
    }
}

/// A snapshot with lost messages and two reasons for doubt.
pub fn suspect(point: &Point) -> Snapshot {
    let mut snapshot = snapshot(point, 62, 2_100.0);
    snapshot.ledger.lost = 12;
    snapshot.ledger.delivered = snapshot.ledger.sent - 12;
    snapshot.ledger.acked_then_lost = 12;
    snapshot.ledger.duplicate = 3;
    snapshot.verdict = Verdict {
        status: Judgement::Suspect,
        reasons: vec![
            Reason { code: "messages-lost".to_owned(), text: "12 of 24,000 messages were lost, 12 of them after the server had acknowledged them".to_owned() },
            Reason { code: "client-saturated".to_owned(), text: "hubmark was late: lag p99 is 1,940 µs".to_owned() },
        ],
    };
    snapshot
}

fn figures(median: f64, count: u64) -> Latency {
    Latency {
        count,
        min: median * 0.45,
        max: median * 14.7,
        mean: median * 1.12,
        stdev: median,
        p50: Some(median),
        p90: Some(median * 1.43),
        p99: Some(median * 2.95),
        p999: Some(median * 6.1),
        p9999: None,
        negative: 0,
        overflow: 0,
        histogram: String::new(),
    }
}

/// A finished repetition.
pub fn repetition(plan: &Plan, step: Step, order: usize, snapshot: &Snapshot) -> Repetition {
    let point = &plan.points[step.point];
    let median = snapshot.durations.delivery.p50.unwrap_or(2_000.0)
        * (1.0 + f64::from(step.repetition) * 0.03);
    let count = snapshot.durations.delivery.count;
    let throughput = matches!(point.workload, Workload::Throughput(_)).then(|| Throughput {
        bytes: Bytes(100_000_000),
        seconds: 0.31,
        bytes_per_second: 3.2e8 + f64::from(step.repetition) * 1e7,
        messages_per_second: 3.2e5,
    });
    let resources = snapshot.servers.keys().map(|role| {
        let size = if role == "zookeeper" { 0.02 } else { 1.0 };
        let used = Resources {
            cpu: CpuUse {
                mean: Some(0.6 * size),
                max: Some(size),
                core_seconds: Some(36.0 * size),
            },
            memory: MemoryUse { growth: Some((9e6 * size) as i64), ..MemoryUse::default() },
            ..Resources::default()
        };
        (role.clone(), used)
    });
    Repetition {
        index: step.repetition,
        order: order as u32,
        started: jiff::Timestamp::UNIX_EPOCH,
        seconds: 62.4,
        phases: BTreeMap::new(),
        server_age_seconds: Some(9.0),
        server_ready_seconds: Some(2.4),
        warmup: Warmup::default(),
        verdict: snapshot.verdict.clone(),
        ledger: snapshot.ledger,
        latency: Durations {
            lag: Some(figures(31.0, count)),
            ack: Some(figures(median * 0.9, count)),
            delivery: Some(figures(median, count)),
            response: Some(figures(median * 1.03, count)),
        },
        throughput,
        resources: resources.collect(),
        samples: BTreeMap::new(),
        generator: snapshot.generator,
        timeline: Vec::new(),
        events: Vec::new(),
        crossed: Vec::new(),
    }
}

/// What an engine tells before the first repetition.
pub fn beginning(plan: &Plan) -> Vec<Event> {
    let facts = HubFacts {
        model: Some("Raspberry Pi 4 Model B Rev 1.4".to_owned()),
        cores: Some(4),
        memory: Some(Bytes(4_000_000_000)),
        engine: Some("docker 27.1".to_owned()),
        ..HubFacts::default()
    };
    vec![
        Event::Started {
            plan: Box::new(plan.clone()),
            record: PathBuf::from("records/2026-11-22T14-02-study-latency-users-quick.json"),
            done: 0,
        },
        Event::Hub {
            place: "docker unix:///var/run/docker.sock".to_owned(),
            facts: Box::new(facts),
        },
    ]
}

/// What an engine tells from the start of a repetition to just before the end of its load:
/// `seconds` of it.
pub fn repetition_until(plan: &Plan, position: usize, seconds: u32, median: f64) -> Vec<Event> {
    let step = plan.schedule[position];
    let point = &plan.points[step.point];
    let phase = |phase, seconds| Event::Phase { phase, seconds };
    let mut events = vec![
        Event::Repetition { step, position },
        phase(Phase::Servers, None),
        Event::Log { level: Level::Info, text: format!("{} is ready after 2.4 s", point.backend) },
        phase(Phase::Baseline, Some(5.0)),
        phase(Phase::Connect, None),
        phase(Phase::Warmup, Some(2.0)),
    ];
    for second in 0..=seconds {
        if second == 2 {
            events.push(phase(Phase::Load, Some(60.0)));
        }
        events.push(Event::Snapshot(Box::new(snapshot(point, second, median))));
    }
    events
}

/// What an engine tells from the end of a repetition's load on.
pub fn repetition_end(plan: &Plan, position: usize, last: &Snapshot) -> Vec<Event> {
    let step = plan.schedule[position];
    let left = plan.schedule.len() - position - 1;
    vec![
        Event::Phase { phase: Phase::Drain, seconds: Some(10.0) },
        Event::Phase { phase: Phase::Collect, seconds: None },
        Event::Snapshot(Box::new(last.clone())),
        Event::Phase { phase: Phase::Cleanup, seconds: None },
        Event::Finished {
            step,
            repetition: Box::new(repetition(plan, step, position, last)),
            seconds_left: Some(75.0 * left as f64),
        },
    ]
}

/// The events of a whole run; the last repetition but one is suspect.
pub fn run(plan: &Plan, end: End) -> Vec<Event> {
    let mut events = beginning(plan);
    for position in 0..plan.schedule.len() {
        let point = &plan.points[plan.schedule[position].point];
        let last = if position + 2 == plan.schedule.len() {
            suspect(point)
        } else {
            let mut last = snapshot(point, 62, 2_100.0);
            last.ledger.delivered = last.ledger.sent;
            last.ledger.lost = 0;
            last
        };
        events.extend(repetition_until(plan, position, 61, 2_100.0));
        events.extend(repetition_end(plan, position, &last));
    }
    let record = PathBuf::from("records/2026-11-22T14-02-study-latency-users-quick.json");
    events.push(Event::Ended { end, record });
    events
}

/// A run of [`sweep`] that is over.
pub fn finished(end: End) -> Finished {
    let plan = sweep();
    let mut live = Live::new(request(plan.clone()), Duration::ZERO);
    for event in run(&plan, end.clone()) {
        live.apply(event, Duration::from_secs(3));
    }
    Finished::of(&live, end, Duration::from_secs(800))
}
