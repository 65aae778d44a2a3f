//! The table of repetitions holds what the record holds.

use serde_json::json;

use super::*;
use crate::plan::tests::latency_point;

/// A repetition with a value of every kind.
fn repetition() -> Value {
    let duration = json!({
        "count": 1, "min": 1, "max": 1, "mean": 1, "stdev": 1, "p50": 1, "p90": 1, "p99": 1,
        "p999": 1, "p9999": 1, "negative": 1, "overflow": 1, "histogram": "AAAA",
    });
    let reading = json!({
        "cpu": 1, "memory": 1, "resident": 1, "cache": 1, "block_read": 1, "block_written": 1,
        "network_received": 1, "network_sent": 1, "tasks": 1, "throttled": 1,
    });
    json!({
        "index": 0, "order": 0, "started": "2026-11-22T14:02:00Z", "seconds": 1,
        "phases": { "load": 1, "server-warmup": 1 },
        "server_age_seconds": 1, "server_ready_seconds": 1,
        "warmup": { "server_seconds": 1, "server_messages": 1, "load_seconds": 1 },
        "verdict": { "status": "suspect", "reasons": [{ "code": "a-code", "text": "a, text" }] },
        "ledger": {
            "planned": 1, "sent": 1, "unsent": 1, "not_due": 1, "acked": 1, "failed": 1, "delivered": 1,
            "duplicate": 1, "out_of_order": 1, "corrupt": 1, "late": 1, "lost": 1,
            "acked_then_lost": 1, "on_the_way": 1, "stored": 1,
        },
        "latency": {
            "lag": duration, "ack": duration, "delivery": duration, "response": duration,
        },
        "throughput": {
            "bytes": 1, "seconds": 1, "bytes_per_second": 1, "messages_per_second": 1,
        },
        "missing": { "something": "was not there" },
        "resources": { "server": {
            "cpu": { "mean": 1, "max": 1, "core_seconds": 1 },
            "memory": {
                "idle": 1, "mean": 1, "max": 1, "growth": 1, "resident": 1, "cache": 1,
            },
            "block": {
                "read": 1, "written": 1, "source": "engine", "data_growth": 1,
                "host_written": 1,
            },
            "network": { "received": 1, "sent": 1 },
            "idle_cpu_cores": 1, "before": reading, "after": reading,
        } },
        "samples": {}, "hub": [],
        "cooled": { "seconds": 1, "from": 1, "to": 1, "reached": true },
        "generator": {
            "cpu_cores": 1, "resident": 1, "threads": 1, "descriptors": 1, "lag_p99": 1,
            "dropped_snapshots": 1, "machine_busy": 1,
        },
        "timeline": [],
        "events": [{ "second": 0.5, "text": "an event" }],
        "faults": [], "crossed": ["a threshold"], "missed": ["an objective"],
    })
}

/// Replaces one number or missing value after the other by a number that occurs only once, where
/// the record accepts one; returns these numbers with their paths.
fn number_all(repetition: &mut Value) -> Vec<(String, u64)> {
    let mut paths = Vec::new();
    paths_below(repetition, String::new(), &mut paths);
    let mut numbers = Vec::new();
    for (place, path) in paths.into_iter().enumerate() {
        let number = 1_001 + place as u64;
        let before = repetition.pointer(&path).cloned().unwrap();
        *repetition.pointer_mut(&path).unwrap() = json!(number);
        if serde_json::from_value::<Repetition>(repetition.clone()).is_ok() {
            numbers.push((path, number));
        } else {
            *repetition.pointer_mut(&path).unwrap() = before;
        }
    }
    numbers
}

fn paths_below(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                paths_below(value, format!("{path}/{name}"), found);
            }
        }
        Value::Number(_) | Value::Null => found.push(path),
        _ => {}
    }
}

fn table_of(repetition: Value, retried: bool) -> (Vec<String>, String) {
    let repetition: Repetition = serde_json::from_value(repetition).unwrap();
    let point = PointResult {
        point: latency_point("stream", 7, 100),
        repetitions: Vec::new(),
        failed_tries: Vec::new(),
        summary: None,
    };
    let roles = BTreeSet::from(["server"]);
    let text = table(|| std::iter::once(row(&point, &repetition, retried, &roles)));
    let (header, line) = text.split_once('\n').unwrap();
    (header.split(',').map(str::to_owned).collect(), line.trim_end().to_owned())
}

#[test]
fn every_number_of_a_repetition_is_in_its_line() {
    // Read and written once, so that fields with defaults are there, too.
    let read: Repetition = serde_json::from_value(repetition()).unwrap();
    let mut whole = serde_json::to_value(read).unwrap();
    let numbers = number_all(&mut whole);
    assert!(numbers.len() > 110, "{}", numbers.len());
    let (_, line) = table_of(whole, false);
    for (path, number) in numbers {
        let is_there = line.split(',').any(|field| field == number.to_string());
        assert!(is_there, "{path} is not in {line}");
    }
    for text in ["a-code", "\"a, text\"", "0.500 s: an event", "a threshold", "an objective"] {
        assert!(line.contains(text), "{text}: {line}");
    }
    assert!(line.contains("was not there"), "{line}");
}

#[test]
fn columns_have_unique_names_with_their_units() {
    let (columns, _) = table_of(repetition(), true);
    let unique: BTreeSet<_> = columns.iter().collect();
    assert_eq!(unique.len(), columns.len(), "{columns:?}");
    for name in [
        "unsent",
        "not_due",
        "late",
        "out_of_order",
        "acked_then_lost",
        "stored",
        "messages_per_second",
        "delivery_p90_us",
        "delivery_p95_us",
        "lag_p9999_us",
        "delivery_stdev_us",
        "ack_negative",
        "server_cpu_max_cores",
        "server_memory_idle_bytes",
        "server_block_host_written_bytes",
        "server_before_cpu_seconds",
        "phase_server_warmup_seconds",
        "warmup_server_seconds",
        "generator_machine_busy",
        "cooled_reached",
        "attempt",
        "retried",
        "load_seconds",
        "missing_something",
        "generator_lag_p99_us",
        "throughput_seconds",
    ] {
        assert!(columns.iter().any(|column| column == name), "{name}: {columns:?}");
    }
    // Scripts that read the first columns by place still find them there.
    let first = ["backend", "version", "workload", "scenario", "users", "payload_bytes"];
    assert_eq!(columns[..first.len()], first);
    assert_eq!(columns[13..18], ["planned", "sent", "acked", "delivered", "lost"]);
}

#[test]
fn a_repetition_that_measured_nothing_has_empty_fields() {
    let mut nothing = repetition();
    nothing["latency"]["ack"] = Value::Null;
    nothing["throughput"] = Value::Null;
    let (columns, line) = table_of(nothing, false);
    let fields: Vec<&str> = line.split(',').collect();
    let value = |name: &str| fields[columns.iter().position(|column| column == name).unwrap()];
    assert_eq!((value("ack_p50_us"), value("messages_per_second")), ("", ""));
    assert_eq!(table(std::iter::empty::<Row>), FIRST_COLUMNS.join(",") + "\n");
}
