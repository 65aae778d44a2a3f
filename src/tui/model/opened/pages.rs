//! The pages of a record, as rows of text.

use super::{Row, Tone, row};
use crate::{
    format::{self, MISSING, three},
    measure::Judgement,
    record::{Latency, Record, Status},
    report::{answer, capacity, cells::Cells, findings, footprint, provenance},
};

/// What was asked and found, how sure it is, and what was left out.
pub fn summary(cells: &Cells<'_>, record: &Record) -> Vec<Row> {
    let answer = answer::answer(cells);
    let mut rows = Vec::new();
    if record.status == Status::Partial {
        let why = record.ended.as_deref().unwrap_or("it has not been ended in order");
        rows.push(row(Tone::Doubt, format!("! partial: {why}")));
    }
    rows.extend(answer.doubts.iter().map(|doubt| row(Tone::Doubt, format!("! {doubt}"))));
    for (name, lines) in [
        ("asked", &answer.asked),
        ("found", &answer.found),
        ("how sure", &answer.sure),
        ("left out", &answer.left_out),
    ] {
        let lines: Vec<&String> =
            lines.iter().filter(|line| !answer.doubts.contains(line)).collect();
        if !lines.is_empty() {
            rows.push(row(Tone::Plain, ""));
            rows.push(row(Tone::Head, name));
            rows.extend(lines.into_iter().map(|line| row(Tone::Plain, line.as_str())));
        }
    }
    // Each search for a capacity and each card is a paragraph that begins with its name.
    for line in (capacity::section(record) + &footprint::section(record)).lines() {
        let is_head = !line.is_empty() && !line.starts_with(' ');
        rows.push(row(if is_head { Tone::Head } else { Tone::Plain }, line));
    }
    rows
}

/// The names of the points in columns of the same width.
fn names(record: &Record) -> Vec<String> {
    let name = |point: &crate::record::PointResult| crate::tui::view::point(&point.point);
    let names: Vec<String> = record.points.iter().map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    names.iter().map(|name| format!("{name:<width$}")).collect()
}

fn sign(status: Judgement) -> (&'static str, Tone) {
    match status {
        Judgement::Valid => ("✓", Tone::Plain),
        Judgement::Suspect => ("!", Tone::Doubt),
        Judgement::Failed => ("✗", Tone::Doubt),
    }
}

/// One line a point.
pub fn points(record: &Record) -> Vec<Row> {
    let names = names(record);
    let width = names.first().map_or(0, |name| name.chars().count());
    let mut rows = vec![row(
        Tone::Label,
        format!(
            "{:<width$} {:>4} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
            "delivery in ms, cpu in cores", "reps", "p50", "p99", "max", "MB/s", "cpu", "suspect",
        ),
    )];
    for (name, point) in names.iter().zip(&record.points) {
        let Some(summary) = &point.summary else {
            rows.push(row(Tone::Label, format!("{name}    –  nothing was measured")));
            continue;
        };
        let delivery = summary.latency.delivery.as_ref();
        let ms = |value: Option<f64>| format::optional(value.map(|micros| micros / 1e3));
        let over = |figure: &str, divisor: f64| {
            let mean = summary.over_repetitions.get(figure).map(|estimate| estimate.mean / divisor);
            format::optional(mean)
        };
        let tone = if summary.suspect + summary.failed > 0 { Tone::Doubt } else { Tone::Plain };
        rows.push(row(
            tone,
            format!(
                "{name} {:>4} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
                summary.repetitions,
                ms(delivery.and_then(|l| l.p50)),
                ms(delivery.and_then(|l| l.p99)),
                ms(delivery.map(|l| l.max)),
                over("bytes_per_second", 1e6),
                over("server_cores", 1.0),
                summary.suspect,
            ),
        ));
    }
    rows
}

/// One line a repetition, in the order in which they were played.
pub fn repetitions(record: &Record) -> Vec<Row> {
    let names = names(record);
    let width = names.first().map_or(0, |name| name.chars().count());
    let mut rows = vec![row(
        Tone::Label,
        format!(
            "  {:<width$} {:>3} {:>7} {:>7} {:>11} {:>6}  reasons",
            "delivery in ms", "rep", "p50", "p99", "delivered", "lost",
        ),
    )];
    let mut all: Vec<_> = names
        .iter()
        .zip(&record.points)
        .flat_map(|(name, point)| point.repetitions.iter().map(move |one| (name, one)))
        .collect();
    all.sort_by_key(|(_, repetition)| repetition.order);
    for (name, repetition) in all {
        let delivery = repetition.latency.delivery.as_ref();
        let ms = |value: Option<f64>| format::optional(value.map(|micros| micros / 1e3));
        let (sign, tone) = sign(repetition.verdict.status);
        let reasons: Vec<&str> =
            repetition.verdict.reasons.iter().map(|reason| reason.text.as_str()).collect();
        rows.push(row(
            tone,
            format!(
                "{sign} {name} {:>3} {:>7} {:>7} {:>11} {:>6}  {}",
                repetition.index + 1,
                ms(delivery.and_then(|l| l.p50)),
                ms(delivery.and_then(|l| l.p99)),
                format::count(repetition.ledger.delivered),
                format::count(repetition.ledger.lost),
                reasons.join("; "),
            ),
        ));
    }
    rows
}

/// The percentiles of the four durations, point by point.
pub fn percentiles(record: &Record) -> Vec<Row> {
    let mut rows = vec![row(
        Tone::Label,
        format!(
            "{:<9}{:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "ms", "n", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max"
        ),
    )];
    for (name, point) in names(record).iter().zip(&record.points) {
        rows.push(row(Tone::Plain, ""));
        rows.push(row(Tone::Head, name.trim_end()));
        let Some(summary) = &point.summary else { continue };
        let durations = &summary.latency;
        for (name, latency) in [
            ("lag", &durations.lag),
            ("ack", &durations.ack),
            ("delivery", &durations.delivery),
            ("response", &durations.response),
        ] {
            rows.push(row(Tone::Plain, spectrum(name, latency.as_ref())));
        }
    }
    rows
}

fn spectrum(name: &str, latency: Option<&Latency>) -> String {
    let Some(latency) = latency else { return format!("{name:<9}{MISSING:>9}") };
    let values = [
        Some(latency.min),
        latency.p50,
        latency.p90,
        latency.p99,
        latency.p999,
        latency.p9999,
        Some(latency.max),
    ];
    let columns = values.map(|value| {
        let text = value.map_or_else(|| MISSING.to_owned(), |micros| three(micros / 1e3));
        format!(" {text:>8}")
    });
    format!("{name:<9}{:>9}{}", format::count(latency.count), columns.concat())
}

/// The findings, each with its ruling and its evidence.
pub fn judged(cells: &Cells<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for finding in findings::findings(cells) {
        rows.push(row(Tone::Head, format!("{}: {}", finding.ruling.text(), finding.claim)));
        rows.push(row(Tone::Label, finding.meaning));
        rows.extend(finding.evidence.iter().map(|text| row(Tone::Plain, text.as_str())));
        rows.push(row(Tone::Plain, ""));
    }
    rows
}

/// Where the record comes from, and under which settings.
pub fn origin(record: &Record) -> Vec<Row> {
    let facts = provenance::provenance(record);
    facts.into_iter().map(|(name, value)| row(Tone::Plain, format!("{name}: {value}"))).collect()
}
