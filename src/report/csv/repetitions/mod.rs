//! Table of repetitions: one per line, with every value of the record except its series.
//!
//! The first columns are chosen by hand and keep their names and order. Every other number and text of
//! a repetition follows by its path in the record, so that a figure that is added to the record is in
//! the table, too. Left out are the series (one entry a second) and the histograms.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{format_line, format_number};
use crate::{
    plan::Workload,
    record::{Latency, PointResult, Record, Repetition, Standstill},
    report::cells::SourceRecord,
};

const DURATIONS: [&str; 4] = ["lag", "ack", "delivery", "response"];
/// Parts of a repetition that are series, or histograms of durations.
const SERIES: [&str; 6] =
    ["samples", "hub", "timeline", "intervals", "histogram", "negative_histogram"];
/// Values of a repetition that the first columns have under another name.
const NAMED: [&str; 4] = ["index", "verdict_status", "generator_resident", "seconds"];
/// Figures of a duration that are no times.
const COUNTS: [&str; 3] = ["count", "negative", "overflow"];

/// A line of the table: names of columns and their values.
type Row = Vec<(String, String)>;

/// Writes all repetitions of `record`, one per line; a value that was not measured is empty.
pub fn repetitions(record: &Record) -> String {
    table(|| rows(record))
}

/// Writes all repetitions of several records, each line with its record's name first.
pub fn repetitions_of_records(sources: &[SourceRecord<'_>]) -> String {
    table(|| sources.iter().flat_map(rows_of_source))
}

/// Rows of a record, each with the record's name first.
fn rows_of_source<'a>(source: &SourceRecord<'a>) -> impl Iterator<Item = Row> + use<'a> {
    let (record, name) = (source.record, source.name);
    rows(record).map(move |mut row| {
        row.insert(0, ("record".to_owned(), name.to_owned()));
        row
    })
}

/// Rows of a record in the order of its points: repetitions, then the tries that failed before.
fn rows(record: &Record) -> impl Iterator<Item = Row> {
    let tries = record.points.iter().flat_map(|point| {
        let tried = point.failed_tries.iter().map(|tried| (tried, true));
        let all = point.repetitions.iter().map(|one| (one, false)).chain(tried);
        all.map(move |(repetition, retried)| (point, repetition, retried))
    });
    let roles: BTreeSet<&str> = tries
        .clone()
        .flat_map(|(_, repetition, _)| repetition.resources.keys().map(String::as_str))
        .collect();
    tries.map(move |(point, repetition, retried)| row(point, repetition, retried, &roles))
}

/// Writes rows under the columns of all of them: records with different servers have different ones. `rows` makes
/// them twice, because all rows in memory would be a third of a large record.
fn table<Rows: Iterator<Item = Row>>(rows: impl Fn() -> Rows) -> String {
    let mut columns: Vec<String> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in rows().flatten() {
        if !places.contains_key(&name) {
            places.insert(name.clone(), columns.len());
            columns.push(name);
        }
    }
    if columns.is_empty() {
        columns = FIRST_COLUMNS.map(str::to_owned).to_vec();
    }
    let mut text = columns.join(",") + "\n";
    for row in rows() {
        let mut fields = vec![String::new(); columns.len()];
        for (name, value) in row {
            // One line each, also for tools that know no quotes.
            fields[places[&name]] = value.replace('\n', " ");
        }
        text.push_str(&format_line(&fields));
    }
    text
}

/// The columns of a table without a repetition.
const FIRST_COLUMNS: [&str; 9] = [
    "backend",
    "version",
    "workload",
    "scenario",
    "users",
    "payload_bytes",
    "durability",
    "repetition",
    "order",
];

fn row(point: &PointResult, repetition: &Repetition, retried: bool, roles: &BTreeSet<&str>) -> Row {
    let mut row = first_columns(point, repetition, roles);
    let mut put = |name: &str, value: String| row.push((name.to_owned(), value));
    put("retried", retried.to_string());
    let ledger = &repetition.ledger;
    for (name, count) in [
        ("unsent", Some(ledger.unsent)),
        ("not_due", Some(ledger.not_due)),
        ("late", Some(ledger.late)),
        ("out_of_order", Some(ledger.out_of_order)),
        ("acked_then_lost", Some(ledger.acked_then_lost)),
        ("stored", ledger.stored),
    ] {
        put(name, count.map_or_else(String::new, |count| count.to_string()));
    }
    let rate = repetition.throughput.map(|throughput| throughput.messages_per_second);
    put("messages_per_second", format_number(rate));
    let reasons: Vec<_> = repetition.verdict.reasons.iter().map(|r| r.text.as_str()).collect();
    put("reason_texts", reasons.join("; "));
    let events =
        repetition.events.iter().map(|note| format!("{:.3} s: {}", note.second, note.text));
    put("events", events.collect::<Vec<_>>().join("; "));
    let faults = repetition.faults.iter().map(crate::record::FaultResult::describe);
    put("faults", faults.collect::<Vec<_>>().join("; "));
    put("crossed", repetition.crossed.join("; "));
    put("missed", repetition.missed.join("; "));
    let mut known: BTreeSet<String> = row.iter().map(|(name, _)| name.clone()).collect();
    if let Ok(value) = serde_json::to_value(repetition) {
        add_values(&mut Vec::new(), &value, &mut |path, value| {
            let name = column_name(path);
            if !NAMED.contains(&name.as_str()) && known.insert(name.clone()) {
                row.push((name, value));
            }
        });
    }
    row
}

/// Calls `add` with each number, truth value and text below `value`, and its path.
fn add_values<'v>(
    path: &mut Vec<&'v str>,
    value: &'v Value,
    add: &mut impl FnMut(&[&str], String),
) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if !SERIES.contains(&name.as_str()) {
                    path.push(name);
                    add_values(path, value, add);
                    path.pop();
                }
            }
        }
        Value::Bool(truth) => add(path, truth.to_string()),
        Value::String(text) => add(path, text.clone()),
        Value::Number(number) => add(
            path,
            match number.as_f64() {
                Some(float) if number.is_f64() => float.to_string(),
                _ => number.to_string(),
            },
        ),
        // Lists have columns of their own, or are series; the column of a value that is missing appears
        // with the first repetition that has it.
        Value::Array(_) | Value::Null => {}
    }
}

/// Name of the column of a value by its path in the record, with its unit.
fn column_name(path: &[&str]) -> String {
    let name = |parts: &[&str]| parts.join("_");
    match *path {
        ["ledger", figure]
        | ["throughput", figure @ ("bytes_per_second" | "messages_per_second")] => {
            figure.to_owned()
        }
        ["latency", duration, figure] if COUNTS.contains(&figure) => format!("{duration}_{figure}"),
        ["latency", duration, figure] => format!("{duration}_{figure}_us"),
        ["phases", phase] => format!("phase_{phase}_seconds").replace('-', "_"),
        ["resources", role, "cpu", "mean"] => format!("{role}_cpu_cores"),
        ["resources", role, "cpu", "max"] => format!("{role}_cpu_max_cores"),
        ["resources", role, "block", "source"] => format!("{role}_block_source"),
        ["resources", role, part @ ("memory" | "block" | "network"), figure] => {
            format!("{role}_{part}_{figure}_bytes")
        }
        ["resources", role, when @ ("before" | "after"), figure @ ("cpu" | "throttled")] => {
            format!("{role}_{when}_{figure}_seconds")
        }
        ["resources", role, when @ ("before" | "after"), "tasks"] => format!("{role}_{when}_tasks"),
        ["resources", role, when @ ("before" | "after"), figure] => {
            format!("{role}_{when}_{figure}_bytes")
        }
        ["resources", ref rest @ ..] => name(rest),
        ["generator", "lag_p99"] => "generator_lag_p99_us".to_owned(),
        _ => name(path),
    }
}

/// The columns that are chosen by hand: the point, the verdict, counts, durations, resources.
fn first_columns(point: &PointResult, repetition: &Repetition, roles: &BTreeSet<&str>) -> Row {
    let workload = &point.point.workload;
    let (kind, scenario) = match workload {
        Workload::Latency(_) => ("latency", ""),
        Workload::Throughput(w) => ("throughput", w.scenario.name()),
    };
    let reasons: Vec<_> = repetition.verdict.reasons.iter().map(|r| r.code.as_str()).collect();
    let ledger = &repetition.ledger;
    let mut row: Row = Vec::new();
    let mut put = |name: &str, value: String| row.push((name.to_owned(), value));
    put("backend", point.point.backend.name.clone());
    put("version", point.point.backend.version.clone().unwrap_or_default());
    put("workload", kind.to_owned());
    put("scenario", scenario.to_owned());
    put("users", workload.users().to_string());
    put("payload_bytes", workload.payload().0.to_string());
    put("durability", point.point.durability.name().to_owned());
    put("repetition", repetition.index.to_string());
    put("attempt", repetition.attempt.to_string());
    put("order", repetition.order.to_string());
    put("started", repetition.started.to_string());
    put("verdict", repetition.verdict.status.name().to_owned());
    put("reasons", reasons.join(" "));
    for (name, count) in [
        ("planned", Some(ledger.planned)),
        ("sent", Some(ledger.sent)),
        ("acked", ledger.acked),
        ("delivered", Some(ledger.delivered)),
        ("lost", Some(ledger.lost)),
        ("undelivered", Some(ledger.undelivered())),
        ("on_the_way", Some(ledger.on_the_way)),
        ("failed", Some(ledger.failed)),
        ("duplicate", Some(ledger.duplicate)),
        ("corrupt", Some(ledger.corrupt)),
    ] {
        put(name, count.map_or_else(String::new, |count| count.to_string()));
    }
    let throughput = repetition.throughput;
    put("bytes_per_second", format_number(throughput.map(|t| t.bytes_per_second)));
    let latency = &repetition.latency;
    let durations = [&latency.lag, &latency.ack, &latency.delivery, &latency.response];
    for (duration, latency) in DURATIONS.iter().zip(durations) {
        for (figure, value) in latency_fields(latency.as_ref()) {
            put(&format!("{duration}_{figure}"), value);
        }
    }
    for role in roles {
        let resources = repetition.resources.get(*role).cloned().unwrap_or_default();
        let bytes =
            |value: Option<crate::units::Bytes>| format_number(value.map(|bytes| bytes.0 as f64));
        let growth = resources.memory.growth.map(|growth| growth as f64);
        for (figure, value) in [
            ("cpu_cores", format_number(resources.cpu.mean)),
            ("memory_growth_bytes", format_number(growth)),
            ("block_written_bytes", bytes(resources.block.written)),
            ("network_received_bytes", bytes(resources.network.received)),
            ("network_sent_bytes", bytes(resources.network.sent)),
        ] {
            put(&format!("{role}_{figure}"), value);
        }
    }
    put("generator_cpu_cores", format_number(Some(repetition.generator.cpu_cores)));
    put("generator_resident_bytes", repetition.generator.resident.0.to_string());
    let still = &repetition.standstills;
    let standing = still.iter().map(Standstill::length).fold(0.0, |all, length| all + length);
    put("load_seconds", repetition.seconds.to_string());
    put("drain_seconds", format_number(repetition.drain_seconds));
    put("standstills", still.len().to_string());
    put("standstill_seconds", standing.to_string());
    let generator = &repetition.generator;
    let hottest = generator.hottest_thread();
    put("generator_stolen_share", format_number(generator.stolen));
    put("hottest_thread", hottest.map(|thread| thread.name.clone()).unwrap_or_default());
    put("hottest_thread_cores", format_number(hottest.map(|thread| thread.cores)));
    put("hottest_thread_waiting_share", format_number(hottest.and_then(|one| one.waiting)));
    put("hottest_thread_longest_pass_us", format_number(hottest.and_then(|one| one.longest_pass)));
    put("ack_delay_p99_us", format_number(generator.ack_delay.and_then(|delay| delay.p99)));
    row
}

/// All figures of a duration; the values of one that was not measured are empty.
fn latency_fields(latency: Option<&Latency>) -> [(&'static str, String); 13] {
    let of = |value: fn(&Latency) -> Option<f64>| format_number(latency.and_then(value));
    [
        ("count", of(|l| Some(l.count as f64))),
        ("mean_us", of(|l| Some(l.mean))),
        ("p50_us", of(|l| l.p50)),
        ("p99_us", of(|l| l.p99)),
        ("p999_us", of(|l| l.p999)),
        ("max_us", of(|l| Some(l.max))),
        ("min_us", of(|l| Some(l.min))),
        ("stdev_us", of(|l| Some(l.stdev))),
        ("p90_us", of(|l| l.p90)),
        ("p95_us", of(|l| l.p95)),
        ("p9999_us", of(|l| l.p9999)),
        ("negative", of(|l| Some(l.negative as f64))),
        ("overflow", of(|l| Some(l.overflow as f64))),
    ]
}

#[cfg(test)]
mod tests;
