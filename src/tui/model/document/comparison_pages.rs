//! Differences of a comparison as text and a table.

use super::{
    page::DocumentBlock,
    row::{DocumentRow, RowStyle},
    table::{Column, DocumentTable},
};
use crate::{
    format::{MISSING, probability},
    report::compare::{
        Comparison, MetricDifference, P_VALUE_NOTE, PointComparison, difference_label,
        format_change,
    },
    stats::difference::DifferenceVerdict,
};

/// Returns what differs: the records, their origins, and each metric of each point.
pub fn differences(comparison: &Comparison) -> Vec<DocumentBlock> {
    let (a, b) = &comparison.names;
    let mut rows =
        vec![DocumentRow::heading(format!("A  {a}")), DocumentRow::heading(format!("B  {b}"))];
    rows.extend(comparison.notes.iter().map(|note| DocumentRow::warning(format!("! {note}"))));
    rows.push(DocumentRow::empty());
    if comparison.provenance_differences.is_empty() {
        let text = "provenance: the same in everything that is recorded";
        rows.push(DocumentRow::heading(text));
    } else {
        let text = "provenance that differs, and may be the cause of the differences below:";
        rows.push(DocumentRow::heading(text));
    }
    for (name, a, b) in &comparison.provenance_differences {
        rows.push(DocumentRow::plain(format!("  {name}: {a} → {b}")));
    }
    rows.push(DocumentRow::empty());
    let mut blocks: Vec<_> = rows.into_iter().map(DocumentBlock::Row).collect();
    blocks.push(DocumentBlock::Table(table(&comparison.points)));
    let mut rows = vec![DocumentRow::empty()];
    if !comparison.unmatched.is_empty() {
        rows.push(DocumentRow::heading("not compared:"));
        rows.extend(comparison.unmatched.iter().map(|it| DocumentRow::plain(format!("  {it}"))));
        rows.push(DocumentRow::empty());
    }
    rows.push(DocumentRow::label(P_VALUE_NOTE));
    blocks.extend(rows.into_iter().map(DocumentBlock::Row));
    blocks
}

/// A table of all points, each with its metrics. The verdict is beside its metric at every width.
fn table(points: &[PointComparison]) -> DocumentTable {
    let mut table = DocumentTable::new(vec![
        Column::words("metric"),
        Column::number("A").ranked(1),
        Column::number("B").ranked(1),
        Column::number("change").ranked(2),
        Column::words("B − A"),
        Column::number("p").ranked(3),
        Column::words("95 % interval").ranked(4),
    ]);
    for (place, pair) in points.iter().enumerate() {
        if place > 0 {
            table.push_text(DocumentRow::empty());
        }
        let count = |(n, suspect): (usize, usize)| match suspect {
            0 => n.to_string(),
            suspect => format!("{n}, {suspect} suspect"),
        };
        let [a, b] = pair.repetitions;
        table.push_text(DocumentRow::heading(pair.point.as_str()));
        table.push_text(DocumentRow::label(format!(
            "repetitions: A {} · B {}",
            count(a),
            count(b)
        )));
        if pair.differences.is_empty() && pair.merged_percentiles.is_empty() {
            table.push_text(DocumentRow::plain("nothing was measured on both sides"));
        }
        for row in &pair.differences {
            push_difference(&mut table, row);
        }
        for (metric, a, b) in &pair.merged_percentiles {
            let quantity = metric.quantity();
            let cells = vec![
                metric.to_string(),
                quantity.format(*a),
                quantity.format(*b),
                format_change((b - a) / a.abs()),
                difference_label(DifferenceVerdict::Undecidable).to_owned(),
                MISSING.to_owned(),
                MISSING.to_owned(),
            ];
            let note = "all messages merged, so no interval".to_owned();
            table.push_cells(RowStyle::Plain, cells, note);
        }
    }
    table
}

fn push_difference(table: &mut DocumentTable, row: &MetricDifference) {
    let MetricDifference { metric, difference } = row;
    let quantity = metric.quantity();
    let missing = || MISSING.to_owned();
    let cells = vec![
        metric.to_string(),
        quantity.format(difference.means.0),
        quantity.format(difference.means.1),
        difference.relative().map_or_else(missing, format_change),
        difference_label(difference.verdict).to_owned(),
        difference.p.map_or_else(missing, probability),
        difference.interval.map_or_else(missing, |(low, high)| quantity.format_interval(low, high)),
    ];
    let style = match difference.verdict {
        DifferenceVerdict::Higher | DifferenceVerdict::Lower => RowStyle::Heading,
        DifferenceVerdict::NotSeen | DifferenceVerdict::Undecidable => RowStyle::Plain,
    };
    table.push_cells(style, cells, String::new());
}
