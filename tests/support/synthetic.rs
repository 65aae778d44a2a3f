//! Synthetic records with known numbers, for tests of everything that only reads records.
use std::{fs, path::Path};

use hubmark::{
    backend,
    plan::{Plan, Point, Scenario, Workload},
    profile::{self, Override, Profile},
    record::{Record, Repetition, histogram, summary::summarise},
    stats::distribution::Distribution,
};
use serde_json::{Value, json};

/// Default number of messages in a distribution.
pub const MESSAGES: u64 = 2_000;

/// Measurements of a synthetic repetition.
#[derive(Debug, Clone)]
pub struct SyntheticRepetition {
    /// Approximate mean of the delivery latency in microseconds.
    pub delivery: f64,
    /// Messages in each distribution.
    pub messages: u64,
    /// `valid`, `suspect` or `failed`.
    pub verdict: &'static str,
    /// Messages lost.
    pub lost: u64,
    /// Factor of all other measurements.
    pub size: f64,
    /// Length of the timeline and the samples in seconds.
    pub seconds: u32,
}

impl Default for SyntheticRepetition {
    fn default() -> Self {
        Self {
            delivery: 2_500.0,
            messages: MESSAGES,
            verdict: "valid",
            lost: 0,
            size: 1.0,
            seconds: 20,
        }
    }
}

/// The plan of a built-in profile with overrides.
pub fn plan(profile: &str, set: &[&str]) -> (String, Plan) {
    let source = profile::find(profile).unwrap();
    let overrides: Vec<_> = set.iter().map(|text| Override::parse(text).unwrap()).collect();
    let parsed = Profile::parse_with(&source.text, &overrides, &backend::catalogue());
    let parsed = parsed.unwrap_or_else(|problems| panic!("{problems:?}"));
    (parsed.to_toml(), parsed.plan())
}

/// A record of `profile` in which `of` gives the measurements of each point's repetition `k`; without
/// any, the repetition is missing.
pub fn record(
    profile: &str,
    set: &[&str],
    of: impl Fn(&Point, u32) -> Option<SyntheticRepetition>,
) -> Record {
    let (text, plan) = plan(profile, set);
    let mut points: Vec<Value> = plan
        .points
        .iter()
        .map(|point| {
            let mut value = serde_json::to_value(point).unwrap();
            value["repetitions"] = json!([]);
            value
        })
        .collect();
    let mut complete = true;
    for (order, step) in plan.schedule.iter().enumerate() {
        let point = &plan.points[step.point];
        match of(point, step.repetition) {
            None => complete = false,
            Some(measured) => {
                let repetition = repetition(point, step.repetition, order as u32, &measured);
                points[step.point]["repetitions"].as_array_mut().unwrap().push(repetition);
            }
        }
    }
    let servers: serde_json::Map<String, Value> =
        plan.points.iter().map(|point| (point.backend.name.clone(), server(point))).collect();
    let value = json!({
        "schema": hubmark::record::SCHEMA,
        "hubmark": { "version": "0.0.0-synthetic", "commit": null },
        "run": "synthetic",
        "started": "2026-11-22T14:02:00Z",
        "finished": "2026-11-22T15:02:00Z",
        "status": if complete { "complete" } else { "partial" },
        "ended": null,
        "profile": text,
        "plan": plan,
        "provenance": {
            "client": machine("a laptop", 8),
            "hub": machine("Raspberry Pi 4 Model B Rev 1.4", 4),
            "servers": servers,
            "clock": "monotonic",
        },
        "points": points,
    });
    let mut record: Record = serde_json::from_value(value).unwrap();
    for point in &mut record.points {
        point.summary = summarise(&point.repetitions);
    }
    record
}

fn server(point: &Point) -> Value {
    json!({
        "version": point.backend.version.clone().unwrap_or_else(|| "1.0".into()),
        "caution": null,
        "images": { (point.backend.name.clone()): { "image": point.backend.to_string(), "digest": "sha256:0" } },
        "settings": {},
        "client": { "library": "1.0" },
    })
}

fn machine(model: &str, cores: u32) -> Value {
    json!({
        "model": model, "cpu": null, "cores": cores, "memory": 4_000_000_000_u64, "kernel": "6.1",
        "os": "Debian 12", "architecture": "aarch64", "cgroup": "2", "memory_cgroup": true,
        "storage_driver": "overlay2", "engine": "docker 27.1", "api": "1.46",
        "shared_with_client": false,
    })
}

/// A distribution of `count` samples around `mean` with a tail to the right; always the same.
fn distribution(mean: f64, count: u64) -> Value {
    let mut distribution = Distribution::default();
    for k in 0..count {
        let share = (k as f64 + 0.5) / count as f64;
        // Between 0.6 and about 1.3 of the mean, the last hundredth up to 6 times.
        let body = 0.6 + 0.7 * share;
        let tail = if share > 0.99 { (share - 0.99) * 470.0 } else { 0.0 };
        distribution.record((mean * (body + tail)) as i64);
    }
    serde_json::to_value(histogram::encode_latency(&distribution)).unwrap()
}

fn repetition(point: &Point, index: u32, order: u32, measured: &SyntheticRepetition) -> Value {
    let sent = measured.messages;
    let users = f64::from(point.workload.users());
    let reasons = if measured.verdict == "valid" {
        json!([])
    } else {
        json!([{ "code": "made-up", "text": "this record was <made> & not measured" }])
    };
    let throughput = match &point.workload {
        Workload::Latency(_) => Value::Null,
        Workload::Throughput(workload) => {
            let reading = if workload.scenario == Scenario::Consumer { 3.0 } else { 1.0 };
            json!({
                "bytes": 100_000_000, "seconds": 2.0,
                "bytes_per_second": 50e6 * reading * measured.size,
                "messages_per_second": 50e3 * reading * measured.size,
            })
        }
    };
    let minute = i64::from(order) * 60;
    let started = jiff::Timestamp::from_second(1_795_356_120 + minute).unwrap();
    let timeline: Vec<_> = (0..measured.seconds)
        .map(|second| {
            let wave = 1.0 + 0.2 * f64::from(second % 7) / 7.0;
            json!({
                "second": second, "due": users as u64, "sent": users as u64, "acked": users as u64,
                "delivered": users as u64, "bytes": users as u64 * 100,
                "delivery_p50": measured.delivery * 0.95 * wave, "delivery_max": measured.delivery * 4.0 * wave,
                "ack_p50": measured.delivery * 0.5, "response_p50": measured.delivery,
                "response_max": measured.delivery * 4.0, "lag_max": 90.0,
            })
        })
        .collect();
    let samples: Vec<_> = (0..measured.seconds)
        .map(|second| {
            json!({
                "seconds": f64::from(second) + 0.4, "cpu_cores": 0.4 * measured.size,
                "memory": 200_000_000, "memory_growth": 5_000_000 + i64::from(second) * 10_000,
                "block_written": 1e6 * measured.size, "block_read": 0.0, "block_source": "engine",
                "network_received": 7e4 * measured.size, "network_sent": 9e4 * measured.size,
            })
        })
        .collect();
    let resources = json!({
        "cpu": { "mean": 0.3 * measured.size + users * 1e-4, "max": 0.9, "core_seconds": 6.0 * measured.size },
        "memory": {
            "idle": 200_000_000, "mean": 210_000_000, "max": 220_000_000,
            "growth": (9e6 * measured.size + users * 1e4) as i64, "resident": 200_000_000, "cache": 0,
        },
        "block": {
            "read": 0, "written": (1e7 * measured.size + users * 2e4) as u64, "source": "engine",
            "data_growth": 900_000, "host_written": null,
        },
        "network": {
            "received": (2e6 * measured.size + users * 9e3) as u64,
            "sent": (3e6 * measured.size + users * 9e3) as u64,
        },
        "idle_cpu_cores": 0.01, "before": null, "after": null,
    });
    let role = point.backend.name.clone();
    let value = json!({
        "index": index, "order": order, "started": started, "seconds": 20.0, "phases": {},
        "server_age_seconds": 9.0, "server_ready_seconds": 2.0,
        "warmup": { "server_seconds": 0.0, "server_messages": 0, "load_seconds": 0.0 },
        "verdict": { "status": measured.verdict, "reasons": reasons },
        "ledger": {
            "planned": sent, "sent": sent, "unsent": 0, "acked": sent, "failed": 0,
            "delivered": sent - measured.lost, "duplicate": 0, "out_of_order": 0, "corrupt": 0,
            "late": 0, "lost": measured.lost, "acked_then_lost": measured.lost, "stored": sent - measured.lost,
        },
        "latency": {
            "lag": distribution(60.0, measured.messages),
            "ack": distribution(measured.delivery * 0.6, measured.messages),
            "delivery": distribution(measured.delivery, measured.messages),
            "response": distribution(measured.delivery + 60.0, measured.messages),
        },
        "throughput": throughput,
        "resources": { (role.clone()): resources },
        "samples": { (role): samples },
        "generator": {
            "cpu_cores": 0.2, "resident": 50_000_000, "threads": 300, "descriptors": 500,
            "lag_p99": 90.0, "dropped_snapshots": 0, "machine_busy": 0.4,
        },
        "timeline": timeline, "events": [], "crossed": [],
    });
    // Fails if it has not the shape of a record's repetition.
    serde_json::from_value::<Repetition>(value.clone()).unwrap();
    value
}

/// A finished search of `capacity-quick`: 25 users were carried (7 of 7, 18 ms), 50 are undecided, 98
/// were too many (0 of 7, 900 ms), 200 was not tried; the server's CPU was the limit.
pub fn capacity_search() -> Record {
    let mut record = record("capacity-quick", &["workload.users=[25, 50, 98, 200]"], |_, _| None);
    let held = [(25, 8, 0), (50, 3, 3), (98, 0, 8)];
    let mut order = 0;
    for (result, (_, held, missed)) in record.points.iter_mut().zip(held) {
        for index in 0..held + missed {
            let fine = index < held;
            let delivery = if fine { 3_000.0 } else { 150_000.0 } * jitter(index);
            let measured = SyntheticRepetition { delivery, ..SyntheticRepetition::default() };
            let mut value = repetition(&result.point, index, order, &measured);
            value["missed"] = if fine { json!([]) } else { json!(["delivery.p99 is above"]) };
            result.repetitions.push(serde_json::from_value(value).unwrap());
            order += 1;
        }
        result.summary = summarise(&result.repetitions);
    }
    let test = |users: u32, held: u32, missed: u32, outcome: &str| {
        json!({ "users": users, "held": held, "missed": missed, "outcome": outcome,
                "error_at_most": 0.0125 })
    };
    let capacity = json!({
        "backend": record.points[0].point.backend, "durability": "default", "payload": 100,
        "objectives": record.plan.capacity.as_ref().unwrap().objectives,
        "confidence": 0.95, "stage": "done", "next": null, "lower": 25, "upper": 98,
        "among": [25, 200],
        "probes": held.map(|(users, held, missed)|
            json!({ "users": users, "held": held, "missed": missed })),
        "decisions": [test(25, 7, 0, "carried"), test(50, 3, 3, "grey"),
                      test(98, 0, 7, "too-many")],
        "limiting": [{ "resource": "cpu", "server": "mariadb", "text": "0.99 of 1 cores in use",
                       "seen": 8, "of": 8 }],
        "about_hub": true,
    });
    record.capacity = vec![serde_json::from_value(capacity).unwrap()];
    record.status = hubmark::record::RecordStatus::Complete;
    record
}

/// A factor that differs a little between repetitions; always the same.
pub fn jitter(repetition: u32) -> f64 {
    1.0 + 0.02 * (f64::from(repetition * 7 % 5) - 2.0)
}

/// Measurements of Kafka and MariaDB that resemble the study's results.
pub fn study_like(point: &Point, repetition: u32) -> SyntheticRepetition {
    let kafka = point.backend.name == "kafka";
    let large = point.workload.payload().0 >= 10_000;
    let delivery = match (kafka, large) {
        (true, false) => 3_000.0,
        (false, false) => 2_600.0,
        (true, true) => 20_000.0,
        (false, true) => 12_000.0,
    };
    SyntheticRepetition {
        delivery: delivery * jitter(repetition),
        size: if kafka { 2.0 } else { 1.0 } * jitter(repetition + 2),
        ..SyntheticRepetition::default()
    }
}

/// Saves a record.
pub fn save(record: &Record, path: &Path) {
    fs::write(path, serde_json::to_vec(record).unwrap()).unwrap();
}
