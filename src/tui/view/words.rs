//! Plans and points in words.

use crate::format;
use crate::{
    plan::{Order, Plan, Point, Scenario, Workload},
    server::BlockSource,
    tui::{
        model::{Field, durability, exact_bytes},
        outside::PlanPreview,
    },
    units::Bytes,
};

/// What tells a point from others: backend, users, payload, scenario, durability.
fn parts(point: &Point) -> [String; 5] {
    let users = u64::from(point.workload.users());
    [
        point.backend.to_string(),
        format!("{} {}", format::count(users), plural(users, "user")),
        exact_bytes(point.workload.payload().0),
        match &point.workload {
            Workload::Throughput(workload) => scenario(workload.scenario).to_owned(),
            Workload::Latency(_) => String::new(),
        },
        match point.durability {
            crate::plan::Durability::Default => String::new(),
            other => durability(other).to_owned(),
        },
    ]
}

fn joined<'a>(parts: impl Iterator<Item = &'a String>) -> String {
    let parts: Vec<&str> = parts.map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

/// A point in one line: `kafka 2.8.0 · 400 users · 100 B`.
pub fn point(point: &Point) -> String {
    joined(parts(point).iter())
}

/// The points of a plan, each with its backend and what differs between them.
pub fn points(plan: &Plan) -> Vec<String> {
    let all: Vec<[String; 5]> = plan.points.iter().map(parts).collect();
    let differs = |part: usize| all.iter().any(|parts| parts[part] != all[0][part]);
    let kept: Vec<usize> =
        (0..5).filter(|part| *part == 0 || all.len() == 1 || differs(*part)).collect();
    all.iter().map(|parts| joined(kept.iter().map(|part| &parts[*part]))).collect()
}

/// `word`, or its plural.
pub fn plural(count: u64, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// `1 repetition`, `2 repetitions`.
pub fn counted(count: u64, word: &str) -> String {
    format!("{} {}", format::count(count), plural(count, word))
}

/// The word for a scenario.
pub const fn scenario(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Producer => "producer",
        Scenario::Consumer => "consumer",
        Scenario::Both => "both",
    }
}

/// Where disk figures come from, in a column of six.
pub const fn source(source: Option<BlockSource>) -> &'static str {
    match source {
        Some(BlockSource::Engine) => "engine",
        Some(BlockSource::DataDirectory) => "data",
        Some(BlockSource::HostDisk) => "host",
        Some(BlockSource::Process) => "proc",
        None => "",
    }
}

/// Messages that a second should bring, by plan.
pub fn target(point: &Point) -> Option<f64> {
    match &point.workload {
        Workload::Latency(workload) => {
            let mean = workload.arrival.mean().as_secs_f64();
            (mean > 0.0).then(|| f64::from(workload.users) / mean)
        }
        Workload::Throughput(_) => None,
    }
}

/// What the plan comes to, in one line.
pub fn summary(plan: &Plan, seconds: f64) -> String {
    if plan.capacity.is_some() {
        let searches = plan.searches().len() as u64;
        return format!(
            "{} for a capacity among {} · about {} · about {}",
            if searches == 1 { "1 search".to_owned() } else { format!("{searches} searches") },
            counted(plan.points.len() as u64, "number") + " of users",
            counted(plan.expected_repetitions() as u64, "repetition"),
            format::span(seconds),
        );
    }
    let points = plan.points.len() as u64;
    let repetitions = points * u64::from(plan.repetitions);
    let messages = plan.messages();
    let Bytes(bytes) = plan.payload_bytes();
    format!(
        "{points} {} × {} = {} {} · {} {} · {} · about {}",
        plural(points, "point"),
        plan.repetitions,
        format::count(repetitions),
        plural(repetitions, "repetition"),
        format::count(messages),
        plural(messages, "message"),
        format::bytes(bytes as f64),
        format::span(seconds),
    )
}

fn time(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds > 0.0 && seconds < 1.0 {
        format!("{} ms", seconds * 1_000.0)
    } else {
        format!("{seconds} s")
    }
}

fn different(values: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen.join("; ")
}

/// What the form does not change, most important first: label and value.
pub fn fixed(preview: &PlanPreview) -> Vec<(String, String)> {
    let plan = &preview.plan;
    // As people write them where the profile is known: `1 ms`, not a number of seconds.
    let written = |backend: &str, key: &str| {
        let key = format!("{backend}.{key}");
        preview.values.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone())
    };
    let phases = different(plan.points.iter().map(|point| {
        format!("idle {}, drain {}", time(plan.baseline), time(point.workload.drain()))
    }));
    let order = match plan.order {
        Order::Interleaved => "interleaved",
        Order::Blocked => "blocked",
    };
    let mut lines = vec![("Phases".to_owned(), phases)];
    lines.push(("Order".to_owned(), format!("{order}, seed {}", plan.seed)));
    for (name, settings) in &plan.settings {
        let text: Vec<String> = settings
            .iter()
            .map(|(key, value)| {
                let value = written(name, key).unwrap_or_else(|| value.to_string());
                format!("{key} = {value}")
            })
            .collect();
        if !text.is_empty() {
            lines.push((name.clone(), text.join(", ")));
        }
    }
    lines
}

/// What a value of the form means, where the value alone does not say it.
pub fn remark(field: Field, value: &str, plan: &Plan) -> String {
    match (field, plan.points.first().map(|point| &point.workload)) {
        (Field::ServerWarmup, _) if plan.server_warmup.is_zero() => "cold, as the study".to_owned(),
        (Field::ServerWarmup, _) => "warm".to_owned(),
        (Field::Users, _) if plan.capacity.is_some() => {
            let users = plan.points.iter().map(|point| point.workload.users());
            let users = users.collect::<std::collections::BTreeSet<_>>().len() as u64;
            counted(users, "number") + " to try"
        }
        (Field::Length, Some(Workload::Latency(load))) => {
            let seconds = load.arrival.mean().as_secs_f64() * f64::from(load.messages);
            if value.contains("message") || value.parse::<u64>().is_ok() {
                format!("each, {}", format::span(seconds))
            } else {
                counted(load.messages.into(), "message") + " each"
            }
        }
        (Field::Arrival, Some(Workload::Latency(load))) => {
            let mean = load.arrival.mean().as_secs_f64();
            if mean > 0.0 {
                format!("{} msg/s each", format::three(1.0 / mean))
            } else {
                String::new()
            }
        }
        (Field::Volume, Some(workload @ Workload::Throughput(_))) => {
            counted(workload.messages(), "message")
        }
        _ => String::new(),
    }
}
