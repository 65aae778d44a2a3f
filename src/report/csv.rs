//! One line for each repetition: tidy, with units in the names.

use std::collections::BTreeMap;

use super::{cells::Source, figures::Figure, findings::Finding, versus::Versus};
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

/// All repetitions of several records, each with its record's name in front.
pub fn of_records(sources: &[Source<'_>]) -> String {
    // Records may have other servers, and so other columns: all of them are in the head.
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<BTreeMap<String, String>> = Vec::new();
    for source in sources {
        let names: Vec<String> =
            header(source.record).trim_end().split(',').map(str::to_owned).collect();
        for name in &names {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        for point in &source.record.points {
            for repetition in &point.repetitions {
                let fields = fields(source.record, point, repetition);
                let mut row: BTreeMap<_, _> = names.iter().cloned().zip(fields).collect();
                row.insert("record".into(), source.name.to_owned());
                rows.push(row);
            }
        }
    }
    columns.insert(0, "record".into());
    let mut text = columns.join(",") + "\n";
    for mut row in rows {
        let fields: Vec<_> =
            columns.iter().map(|name| quoted(&row.remove(name).unwrap_or_default())).collect();
        text.push_str(&(fields.join(",") + "\n"));
    }
    text
}

/// A figure's own numbers, in the units of its axes.
pub fn figure(figure: &Figure) -> String {
    let mut text = String::from(
        "panel,series,x_axis,x,x_label,y_axis,y,whisker_low,whisker_high,ci_low,ci_high,n,suspect\n",
    );
    for panel in &figure.panels {
        for series in &panel.series {
            for mark in &series.marks {
                let at = |(x, _): &&(f64, String)| x.total_cmp(&mark.x).is_eq();
                let label = panel.x.ticks.iter().find(at).map(|(_, text)| text.clone());
                let fields = [
                    panel.title.clone(),
                    series.label.clone(),
                    panel.x.name(),
                    mark.x.to_string(),
                    label.unwrap_or_default(),
                    panel.y.name(),
                    mark.y.to_string(),
                    number(mark.whiskers.map(|w| w.0)),
                    number(mark.whiskers.map(|w| w.1)),
                    number(mark.interval.map(|i| i.0)),
                    number(mark.interval.map(|i| i.1)),
                    mark.n.to_string(),
                    mark.suspect.to_string(),
                ];
                text.push_str(&joined(&fields));
            }
        }
        for guide in &panel.guides {
            let (x, y) =
                if guide.upright { (Some(guide.at), None) } else { (None, Some(guide.at)) };
            let mut fields = [const { String::new() }; 13];
            fields[..3].clone_from_slice(&[
                panel.title.clone(),
                format!("line: {}", guide.label),
                panel.x.name(),
            ]);
            (fields[3], fields[5], fields[6]) = (number(x), panel.y.name(), number(y));
            text.push_str(&joined(&fields));
        }
    }
    text
}

/// Every number of users that searches for a capacity tried; `None` without a search.
pub fn capacity(sources: &[Source<'_>]) -> Option<String> {
    let mut text = String::from(
        "record,backend,payload_bytes,durability,objectives,lower,upper,confidence,stage,limited_by,\
         users,held,missed,tested_held,tested_missed,outcome,error_at_most\n",
    );
    let whole = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut any = false;
    for source in sources {
        for capacity in &source.record.capacity {
            any = true;
            let objectives: Vec<_> = capacity.objectives.iter().map(ToString::to_string).collect();
            for probe in &capacity.probes {
                let decided = capacity.decisions.iter().find(|one| one.users == probe.users);
                text.push_str(&joined(&[
                    source.name.to_owned(),
                    capacity.backend.to_string(),
                    capacity.payload.0.to_string(),
                    capacity.durability.word().to_owned(),
                    objectives.join("; "),
                    whole(capacity.lower),
                    whole(capacity.upper),
                    capacity.confidence.to_string(),
                    capacity.stage.title().to_owned(),
                    capacity.limit().unwrap_or_default(),
                    probe.users.to_string(),
                    probe.held.to_string(),
                    probe.missed.to_string(),
                    whole(decided.map(|one| one.held)),
                    whole(decided.map(|one| one.missed)),
                    decided.and_then(|one| one.outcome).map_or("", |o| o.title()).to_owned(),
                    number(decided.map(|one| one.error_at_most)),
                ]));
            }
        }
    }
    any.then_some(text)
}

/// Every footprint card, one figure a line, in base units; `None` without a card.
pub fn footprints(sources: &[Source<'_>]) -> Option<String> {
    let mut text = String::from("record,backend,figure,value\n");
    let mut any = false;
    for source in sources {
        for (backend, card) in &source.record.footprints {
            any = true;
            // The record's own names, which carry the units in their documentation.
            let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(card) else {
                continue;
            };
            for (name, value) in fields {
                let value = match value {
                    serde_json::Value::Null => String::new(),
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                text.push_str(&joined(&[source.name.to_owned(), backend.clone(), name, value]));
            }
        }
    }
    any.then_some(text)
}

/// The study's findings.
pub fn findings(findings: &[Finding]) -> String {
    let mut text = String::from("finding,meaning,ruling,evidence\n");
    for finding in findings {
        text.push_str(&joined(&[
            finding.claim.to_owned(),
            finding.meaning.to_owned(),
            finding.ruling.text().to_owned(),
            finding.evidence.join("; "),
        ]));
    }
    text
}

/// Comparisons at equal points, in microseconds, bytes per second and the like: base units.
pub fn versus(all: &[Versus]) -> String {
    let mut text = String::from(
        "at,metric,first,second,n_first,n_second,mean_first,mean_second,difference,ci_low,ci_high,\
         welch_p,rank_p,p_corrected,seen\n",
    );
    for versus in all {
        let difference = &versus.difference;
        text.push_str(&joined(&[
            versus.at.clone(),
            versus.metric.to_string(),
            versus.labels.0.clone(),
            versus.labels.1.clone(),
            difference.n.0.to_string(),
            difference.n.1.to_string(),
            difference.means.0.to_string(),
            difference.means.1.to_string(),
            difference.difference.to_string(),
            number(difference.interval.map(|i| i.0)),
            number(difference.interval.map(|i| i.1)),
            number(difference.welch_p),
            number(difference.rank_p),
            number(difference.p),
            format!("{:?}", difference.seen).to_lowercase(),
        ]));
    }
    text
}

/// One line of fields.
pub fn joined(fields: &[String]) -> String {
    fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",") + "\n"
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
        "on_the_way",
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
    joined(&fields(record, point, repetition))
}

fn fields(record: &Record, point: &PointResult, repetition: &Repetition) -> Vec<String> {
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
        ledger.on_the_way,
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
    fields
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
