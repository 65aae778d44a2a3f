//! Plans and points in words.

use crate::format;
use crate::{
    plan::{Arrival, Order, Plan, Point, Scenario, Workload},
    server::{BlockSource, Limits},
    tui::model::{Field, durability, exact_bytes},
    units::Bytes,
};

/// A point in one line: `kafka 2.8.0 · 400 users · 100 B`.
pub fn point(point: &Point) -> String {
    let users = point.workload.users();
    let users = format!("{} {}", format::count(users.into()), plural(users.into(), "user"));
    let payload = exact_bytes(point.workload.payload().0);
    let scenario = match &point.workload {
        Workload::Throughput(workload) => format!(" · {}", scenario(workload.scenario)),
        Workload::Latency(_) => String::new(),
    };
    let promise = match point.durability {
        crate::plan::Durability::Default => String::new(),
        other => format!(" · {}", durability(other)),
    };
    format!("{} · {users} · {payload}{scenario}{promise}", point.backend)
}

/// `word`, or its plural.
pub fn plural(count: u64, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
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

fn arrival(arrival: Arrival) -> String {
    match arrival {
        Arrival::Normal { mean, deviation } => {
            format!("every {} ± {}, normal", time(mean), time(deviation))
        }
        Arrival::Constant { mean } => format!("every {}, constant", time(mean)),
        Arrival::Poisson { mean } => format!("every {}, poisson", time(mean)),
    }
}

fn limits(limits: &Limits) -> String {
    let mut words = Vec::new();
    words.extend(limits.cpus.map(|cpus| format!("{} cpus", cpus.0)));
    words.extend(limits.memory.map(|memory| format!("{} memory", exact_bytes(memory.0))));
    words.extend(limits.disk_write.map(|rate| format!("{} writes", format::rate(Some(rate.0)))));
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
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
pub fn fixed(plan: &Plan) -> Vec<(String, String)> {
    let workload = different(plan.points.iter().map(|point| match &point.workload {
        Workload::Latency(w) => {
            format!("latency, {} messages a user", format::count(w.messages.into()))
        }
        Workload::Throughput(w) => {
            format!("throughput, {}, {}", exact_bytes(w.volume.0), scenario(w.scenario))
        }
    }));
    let arrivals = different(plan.points.iter().filter_map(|point| match &point.workload {
        Workload::Latency(w) => Some(arrival(w.arrival)),
        Workload::Throughput(_) => None,
    }));
    let phases = different(plan.points.iter().map(|point| {
        let warmup = match &point.workload {
            Workload::Latency(w) => format!("warm-up {}, ", time(w.warmup)),
            Workload::Throughput(_) => String::new(),
        };
        format!("idle {}, {warmup}drain {}", time(plan.baseline), time(point.workload.drain()))
    }));
    let order = match plan.order {
        Order::Interleaved => "interleaved",
        Order::Blocked => "blocked",
    };
    let mut lines = vec![("Workload".to_owned(), workload)];
    if !arrivals.is_empty() {
        lines.push(("Messages".to_owned(), arrivals));
    }
    lines.push(("Phases".to_owned(), phases));
    lines.push(("Order".to_owned(), format!("{order}, seed {}", plan.seed)));
    lines.push(("Limits".to_owned(), limits(&plan.hub.limits)));
    let thresholds: Vec<String> = plan
        .thresholds
        .iter()
        .map(|threshold| {
            let limit = if threshold.metric == "lost" {
                format::three(threshold.at_most)
            } else {
                format!("{} ms", format::three(threshold.at_most / 1_000.0))
            };
            format!("{} ≤ {limit}", threshold.metric)
        })
        .collect();
    let thresholds = if thresholds.is_empty() { "none".to_owned() } else { thresholds.join(", ") };
    lines.push(("Thresholds".to_owned(), thresholds));
    for (name, settings) in &plan.settings {
        let text: Vec<String> =
            settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        if !text.is_empty() {
            lines.push((name.clone(), text.join(", ")));
        }
    }
    lines
}

/// What a value of the form means, where the value alone does not say it.
pub fn remark(field: Field, plan: Option<&Plan>) -> &'static str {
    match (field, plan) {
        (Field::ServerWarmup, Some(plan)) if plan.server_warmup.is_zero() => "cold, as the study",
        (Field::ServerWarmup, Some(_)) => "warm",
        _ => "",
    }
}
