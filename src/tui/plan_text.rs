//! Plans, points and judgements as text.

use crate::{
    format::{self, count_noun, plural},
    measure::Judgement,
    plan::{Durability, Plan, Point, Workload},
    server::BlockSource,
    units::Bytes,
};

/// Returns the parts that identify a point: backend, users, payload, scenario, durability.
fn point_parts(point: &Point) -> [String; 5] {
    let users = u64::from(point.workload.users());
    [
        point.backend.to_string(),
        count_noun(users, "user"),
        point.workload.payload().exact(),
        match &point.workload {
            Workload::Throughput(workload) => workload.scenario.name().to_owned(),
            Workload::Latency(_) => String::new(),
        },
        match point.durability {
            Durability::Default => String::new(),
            other => other.name().to_owned(),
        },
    ]
}

fn join_parts<'a>(parts: impl Iterator<Item = &'a String>) -> String {
    let parts: Vec<&str> = parts.map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

/// Formats a point in one line: `kafka 2.8.0 · 400 users · 100 B`.
pub fn point_label(point: &Point) -> String {
    join_parts(point_parts(point).iter())
}

/// Formats the points of a plan, each with its backend and the parts that differ between points.
pub fn point_labels(plan: &Plan) -> Vec<String> {
    let all: Vec<[String; 5]> = plan.points.iter().map(point_parts).collect();
    let differs = |part: usize| all.iter().any(|parts| parts[part] != all[0][part]);
    let shown: Vec<usize> =
        (0..5).filter(|part| *part == 0 || all.len() == 1 || differs(*part)).collect();
    all.iter().map(|parts| join_parts(shown.iter().map(|part| &parts[*part]))).collect()
}

/// Returns the source of disk figures in at most six columns.
pub const fn block_source_label(source: Option<BlockSource>) -> &'static str {
    match source {
        Some(BlockSource::Engine) => "engine",
        Some(BlockSource::EngineDirect) => "direct",
        Some(BlockSource::DataDirectory) => "data",
        Some(BlockSource::HostDisk) => "host",
        Some(BlockSource::Process) => "proc",
        None => "",
    }
}

/// Returns the sign of a judgement.
pub const fn judgement_sign(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Valid => "✓",
        Judgement::Suspect => "!",
        Judgement::Steered => "◇",
        Judgement::Failed => "✗",
    }
}

/// Returns the planned messages per second; `None` for a throughput workload.
pub fn target_rate(point: &Point) -> Option<f64> {
    match &point.workload {
        Workload::Latency(workload) => {
            let mean = workload.arrival.mean().as_secs_f64();
            (mean > 0.0).then(|| f64::from(workload.users) / mean)
        }
        Workload::Throughput(_) => None,
    }
}

/// Summarizes the plan in one line: points, repetitions, messages, bytes, time.
pub fn plan_summary(plan: &Plan, seconds: f64) -> String {
    if plan.capacity.is_some() {
        let searches = plan.searches().len() as u64;
        return format!(
            "{} for a capacity among {} · about {} · about {}",
            count_noun(searches, "search"),
            count_noun(plan.points.len() as u64, "number") + " of users",
            count_noun(plan.expected_repetitions() as u64, "repetition"),
            format::time_span(seconds),
        );
    }
    let points = plan.points.len() as u64;
    let repetitions = points * u64::from(plan.repetitions);
    let messages = plan.messages();
    let Bytes(bytes) = plan.payload_bytes();
    format!(
        "{points} {} × {} = {} · {} · {} · about {}",
        plural(points, "point"),
        plan.repetitions,
        count_noun(repetitions, "repetition"),
        count_noun(messages, "message"),
        format::bytes(bytes as f64),
        format::time_span(seconds),
    )
}

/// Joins the distinct values in the order of their first occurrence.
pub fn join_distinct(values: impl Iterator<Item = String>, separator: &str) -> String {
    let mut seen: Vec<String> = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen.join(separator)
}
