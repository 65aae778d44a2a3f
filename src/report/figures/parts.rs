//! Parts that several figures share: ends of a sweep, series, captions.

use super::{
    figure::{Figure, FigurePanel, PlotMark, PlotSeries},
    sweep::{Sweep, SweepSeries, describe_durabilities, describe_repetitions},
};
use crate::report::cells::ReportCell;

/// Returns the first and the last value of a sweep, with their texts.
pub fn sweep_ends(sweep: &Sweep<'_>) -> Vec<(f64, String)> {
    let ticks = sweep.ticks();
    let mut ends: Vec<_> = ticks.first().into_iter().chain(ticks.last()).cloned().collect();
    ends.dedup();
    ends
}

/// Returns the cell of each series at each end of the sweep.
pub fn cells_at_ends<'a>(
    sweep: &'a Sweep<'a>,
) -> Vec<(String, Vec<(SweepSeries<'a>, &'a ReportCell<'a>)>)> {
    let at = |x: f64| {
        let here = |line: SweepSeries<'a>| {
            let cell = line.cells.iter().find(|c| sweep.swept.value(c).total_cmp(&x).is_eq());
            cell.copied().map(|cell| (line, cell))
        };
        sweep.series().into_iter().filter_map(here).collect()
    };
    sweep_ends(sweep)
        .into_iter()
        .map(|(x, text)| (sweep.swept.describe_text(&text), at(x)))
        .collect()
}

/// Creates a figure of curves over a sweep, captioned with its repetitions and durabilities.
pub fn figure_without_whiskers(
    sweep: &Sweep<'_>,
    id: &str,
    title: &str,
    note: &str,
    panels: Vec<FigurePanel>,
) -> Figure {
    let caption =
        [describe_repetitions(&sweep.cells), describe_durabilities(&sweep.cells), note.to_owned()];
    Figure { id: id.to_owned(), title: title.to_owned(), caption: caption.join("; ") + ".", panels }
}

/// Creates a series; `None` without marks.
pub fn non_empty_series(
    label: String,
    style: usize,
    dashed: bool,
    marks: Vec<PlotMark>,
) -> Option<PlotSeries> {
    (!marks.is_empty()).then_some(PlotSeries { label, style, dashed, marks })
}
