//! One line for each repetition: tidy, with units in the names.

use crate::{
    measure::Judgement,
    plan::Workload,
    record::{Latency, PointResult, Record, Repetition},
};

const DURATIONS: [&str; 4] = ["lag", "ack", "delivery", "response"];
const FIGURES: [&str; 6] = ["count", "mean_us", "p50_us", "p99_us", "p999_us", "max_us"];

/// All repetitions of `record` as comma-separated values; what was not measured is empty.
pub fn repetitions(record: &Record) -> String {
    let mut text = header(record);
    for point in &record.points {
        for repetition in &point.repetitions {
            text.push_str(&line(record, point, repetition));
        }
    }
    text
}

/// The roles of all servers, sorted: each has its own columns.
fn roles(record: &Record) -> Vec<&str> {
    let all = record.points.iter().flat_map(|point| &point.repetitions);
    let mut roles: Vec<_> = all.flat_map(|r| r.resources.keys().map(String::as_str)).collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

fn header(record: &Record) -> String {
    let mut names: Vec<String> = [
        "backend",
        "version",
        "workload",
        "scenario",
        "users",
        "payload_bytes",
        "durability",
        "repetition",
        "order",
        "started",
        "verdict",
        "reasons",
        "planned",
        "sent",
        "acked",
        "delivered",
        "lost",
        "failed",
        "duplicate",
        "corrupt",
        "bytes_per_second",
    ]
    .map(str::to_owned)
    .into();
    for duration in DURATIONS {
        names.extend(FIGURES.iter().map(|figure| format!("{duration}_{figure}")));
    }
    for role in roles(record) {
        let figures = [
            "cpu_cores",
            "memory_growth_bytes",
            "block_written_bytes",
            "network_received_bytes",
            "network_sent_bytes",
        ];
        names.extend(figures.iter().map(|figure| format!("{role}_{figure}")));
    }
    names.extend(["generator_cpu_cores".to_owned(), "generator_resident_bytes".to_owned()]);
    names.join(",") + "\n"
}

fn line(record: &Record, point: &PointResult, repetition: &Repetition) -> String {
    let workload = &point.point.workload;
    let (kind, scenario) = match workload {
        Workload::Latency(_) => ("latency", String::new()),
        Workload::Throughput(w) => ("throughput", format!("{:?}", w.scenario).to_lowercase()),
    };
    let verdict = match repetition.verdict.status {
        Judgement::Valid => "valid",
        Judgement::Suspect => "suspect",
        Judgement::Failed => "failed",
    };
    let reasons: Vec<_> = repetition.verdict.reasons.iter().map(|r| r.code.as_str()).collect();
    let ledger = &repetition.ledger;
    let mut fields = vec![
        point.point.backend.name.clone(),
        point.point.backend.version.clone().unwrap_or_default(),
        kind.to_owned(),
        scenario,
        workload.users().to_string(),
        workload.payload().0.to_string(),
        format!("{:?}", point.point.durability).to_lowercase(),
        repetition.index.to_string(),
        repetition.order.to_string(),
        repetition.started.to_string(),
        verdict.to_owned(),
        reasons.join(" "),
    ];
    let counts = [
        ledger.planned,
        ledger.sent,
        ledger.acked,
        ledger.delivered,
        ledger.lost,
        ledger.failed,
        ledger.duplicate,
        ledger.corrupt,
    ];
    fields.extend(counts.map(|count| count.to_string()));
    fields.push(number(repetition.throughput.map(|t| t.bytes_per_second)));
    let latency = &repetition.latency;
    for duration in [&latency.lag, &latency.ack, &latency.delivery, &latency.response] {
        fields.extend(figures(duration.as_ref()));
    }
    for role in roles(record) {
        let resources = repetition.resources.get(role).cloned().unwrap_or_default();
        let bytes = |value: Option<crate::units::Bytes>| number(value.map(|bytes| bytes.0 as f64));
        fields.extend([
            number(resources.cpu.mean),
            number(resources.memory.growth.map(|growth| growth as f64)),
            bytes(resources.block.written),
            bytes(resources.network.received),
            bytes(resources.network.sent),
        ]);
    }
    fields.push(number(Some(repetition.generator.cpu_cores)));
    fields.push(repetition.generator.resident.0.to_string());
    fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",") + "\n"
}

fn figures(latency: Option<&Latency>) -> [String; 6] {
    let of = |value: fn(&Latency) -> Option<f64>| number(latency.and_then(value));
    [
        of(|l| Some(l.count as f64)),
        of(|l| Some(l.mean)),
        of(|l| l.p50),
        of(|l| l.p99),
        of(|l| l.p999),
        of(|l| Some(l.max)),
    ]
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// RFC 4180: a field with a comma, a quote or a line break stands in quotes.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_that_would_break_a_line_are_quoted() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
