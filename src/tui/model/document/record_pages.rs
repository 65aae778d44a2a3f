//! Pages of a record as rows of text.

use super::{
    row::{DocumentRow, RowStyle},
    table::{Column, DocumentTable},
};
use crate::{
    format::{self, MISSING},
    measure::Judgement,
    record::{Latency, Record, RecordStatus, repetition_figure::RepetitionFigure},
    report::{capacity, cells::ReportCells, conclusions, findings, footprint, provenance},
    tui::plan_text::{judgement_sign, point_label},
};

/// Rows of the question, the answer, its certainty, and the omissions.
pub fn summary(cells: &ReportCells<'_>, record: &Record) -> Vec<DocumentRow> {
    let answer = conclusions::draw_conclusions(cells);
    let mut rows = Vec::new();
    if record.status == RecordStatus::Partial {
        let why = record.ended.as_deref().unwrap_or("the run did not end in order");
        rows.push(DocumentRow::warning(format!("! partial: {why}")));
    }
    rows.extend(answer.warnings.iter().map(|warning| DocumentRow::warning(format!("! {warning}"))));
    for (name, lines) in [
        ("asked", &answer.questions),
        ("found", &answer.results),
        ("how sure", &answer.confidence),
        ("left out", &answer.exclusions),
    ] {
        let lines: Vec<&String> =
            lines.iter().filter(|line| !answer.warnings.contains(line)).collect();
        if !lines.is_empty() {
            rows.push(DocumentRow::empty());
            rows.push(DocumentRow::heading(name));
            rows.extend(lines.into_iter().map(|line| DocumentRow::plain(line.as_str())));
        }
    }
    // Each capacity search and each footprint card is a paragraph that begins with its name.
    for line in (capacity::section(record) + &footprint::section(record)).lines() {
        let is_head = !line.is_empty() && !line.starts_with(' ');
        rows.push(DocumentRow::new(
            if is_head { RowStyle::Heading } else { RowStyle::Plain },
            line,
        ));
    }
    rows
}

/// Formats microseconds as milliseconds.
fn milliseconds(micros: Option<f64>) -> String {
    format::optional_number(micros.map(|micros| micros / 1e3))
}

/// A table with a row for each point.
pub fn points(record: &Record) -> DocumentTable {
    let mut table = DocumentTable::with_wide_names(vec![
        Column::words("delivery in ms, cpu in cores"),
        Column::number("reps"),
        Column::number("p50"),
        Column::number("p99"),
        Column::number("max").ranked(2),
        Column::number("MB/s").ranked(1),
        Column::number("cpu").ranked(1),
        Column::number("suspect"),
    ]);
    for point in &record.points {
        let name = point_label(&point.point);
        let Some(summary) = &point.summary else {
            table.push_text(DocumentRow::label(format!("{name}: nothing was measured")));
            continue;
        };
        let delivery = summary.latency.delivery.as_ref();
        let rate = summary.estimate_of(RepetitionFigure::BytesPerSecond);
        let style =
            if summary.suspect + summary.failed > 0 { RowStyle::Warning } else { RowStyle::Plain };
        let cells = vec![
            name,
            summary.repetitions.to_string(),
            milliseconds(delivery.and_then(|l| l.p50)),
            milliseconds(delivery.and_then(|l| l.p99)),
            milliseconds(delivery.map(|l| l.max)),
            format::optional_number(rate.map(|estimate| estimate.mean / 1e6)),
            format::optional_number(summary.server_cores()),
            summary.suspect.to_string(),
        ];
        table.push_cells(style, cells, String::new());
    }
    table
}

/// A table with a row for each repetition, in the order of execution, and its reasons for doubt.
pub fn repetitions(record: &Record) -> DocumentTable {
    let mut table = DocumentTable::with_wide_names(vec![
        Column::words("delivery in ms"),
        Column::number("rep"),
        Column::number("p50"),
        Column::number("p99"),
        Column::number("delivered"),
        Column::number("lost"),
    ]);
    let points = record.points.iter();
    let mut all: Vec<_> = points
        .flat_map(|point| point.repetitions.iter().map(move |one| (&point.point, one)))
        .collect();
    all.sort_by_key(|(_, repetition)| repetition.order);
    for (point, repetition) in all {
        let delivery = repetition.latency.delivery.as_ref();
        let status = repetition.verdict.status;
        let style = if status == Judgement::Valid { RowStyle::Plain } else { RowStyle::Warning };
        let reasons = repetition.verdict.reasons.iter().map(|reason| reason.text.clone());
        let reasons: Vec<String> = reasons.chain(repetition.describe_missing()).collect();
        let cells = vec![
            format!("{} {}", judgement_sign(status), point_label(point)),
            (repetition.index + 1).to_string(),
            milliseconds(delivery.and_then(|l| l.p50)),
            milliseconds(delivery.and_then(|l| l.p99)),
            format::count(repetition.ledger.delivered),
            format::count(repetition.ledger.lost),
        ];
        table.push_cells(style, cells, reasons.join("; "));
    }
    table
}

/// A table with the percentiles of the four durations for each point.
pub fn percentiles(record: &Record) -> DocumentTable {
    let mut table = DocumentTable::new(vec![
        Column::words("ms"),
        Column::number("n"),
        Column::number("min").ranked(2),
        Column::number("p50"),
        Column::number("p90").ranked(1),
        Column::number("p95").ranked(2),
        Column::number("p99"),
        Column::number("p99.9").ranked(1),
        Column::number("p99.99").ranked(1),
        Column::number("max"),
    ]);
    for point in &record.points {
        table.push_text(DocumentRow::empty());
        table.push_text(DocumentRow::heading(point_label(&point.point)));
        let Some(summary) = &point.summary else { continue };
        let durations = &summary.latency;
        for (name, latency) in [
            ("lag", &durations.lag),
            ("ack", &durations.ack),
            ("delivery", &durations.delivery),
            ("response", &durations.response),
        ] {
            let cells = percentile_cells(name, latency.as_ref());
            table.push_cells(RowStyle::Plain, cells, String::new());
        }
    }
    table
}

fn percentile_cells(name: &str, latency: Option<&Latency>) -> Vec<String> {
    let value = |of: fn(&Latency) -> Option<f64>| milliseconds(latency.and_then(of));
    vec![
        name.to_owned(),
        latency.map_or_else(|| MISSING.to_owned(), |latency| format::count(latency.count)),
        value(|latency| Some(latency.min)),
        value(|latency| latency.p50),
        value(|latency| latency.p90),
        value(|latency| latency.p95),
        value(|latency| latency.p99),
        value(|latency| latency.p999),
        value(|latency| latency.p9999),
        value(|latency| Some(latency.max)),
    ]
}

/// Findings of the study, each with its ruling and evidence; none if the record is not of the study.
pub fn finding_rows(record: &Record, cells: &ReportCells<'_>) -> Vec<DocumentRow> {
    let mut rows = Vec::new();
    for finding in findings::findings_of_study(record, cells) {
        rows.push(DocumentRow::heading(format!("{}: {}", finding.ruling.text(), finding.claim)));
        rows.push(DocumentRow::label(finding.meaning));
        rows.extend(finding.evidence.iter().map(|text| DocumentRow::plain(text.as_str())));
        rows.push(DocumentRow::empty());
    }
    rows
}

/// Provenance of the record: where it comes from, with which settings.
pub fn provenance_rows(record: &Record) -> Vec<DocumentRow> {
    let facts = provenance::provenance_facts(record);
    facts.into_iter().map(|(name, value)| DocumentRow::plain(format!("{name}: {value}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::Estimate,
        record::repetition_figure::ServerFigure,
        stats::estimate::{Domain, estimate},
        tui::fixture,
    };

    #[test]
    fn the_points_show_every_figure_that_the_record_holds() {
        let mut record = fixture::record(&fixture::sweep(), RecordStatus::Complete);
        let all = |value: f64| -> Estimate { estimate(&[value; 3], Domain::NonNegative).unwrap() };
        for point in &mut record.points {
            let summary = point.summary.as_mut().unwrap();
            summary.over_repetitions.clear();
            for (figure, value) in [
                (RepetitionFigure::BytesPerSecond, 12.3e6),
                (RepetitionFigure::Server("kafka", ServerFigure::CpuCores), 0.5),
                (RepetitionFigure::Server("zookeeper", ServerFigure::CpuCores), 0.25),
            ] {
                summary.over_repetitions.insert(figure.to_string(), all(value));
            }
        }
        let lines = points(&record).lines(100);
        for row in &lines[1..] {
            assert!(row.text.contains(" 12.3 ") && row.text.contains(" 0.750 "), "{}", row.text);
        }
    }
}
