//! Figures of the latency distribution: percentile spectrum, corrected against uncorrected latency.

use super::{
    figure::{Axis, Figure, FigurePanel, PlotKind, PlotMark, PlotSeries},
    parts::{cells_at_ends, figure_without_whiskers, non_empty_series, sweep_ends},
    sweep::{Sweep, SweepSeries},
};
use crate::{
    report::{cells::ReportCell, metric::LatencyKind},
    stats::distribution::Distribution,
};

/// Points of a percentile spectrum per factor of ten in the remaining share.
const POINTS_PER_DECADE: i32 = 16;

/// Returns latency in milliseconds by the share of faster messages.
///
/// x is 1 / (share of slower messages), so that each further nine has the same width.
fn percentile_marks(distribution: &Distribution) -> Vec<PlotMark> {
    (0..)
        .map(|step| 10_f64.powf(f64::from(step) / f64::from(POINTS_PER_DECADE)))
        .map_while(|inverse| {
            let value = distribution.percentile(1.0 - 1.0 / inverse)?;
            (value > 0.0).then(|| PlotMark::at(inverse, value / 1e3))
        })
        .collect()
}

fn tail_panel(title: String, series: Vec<PlotSeries>) -> FigurePanel {
    let mut x = Axis::log("share of messages that were faster", "");
    let nines = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"];
    x.ticks = (0..).map(|power| 10_f64.powi(power)).zip(nines.map(String::from)).collect();
    FigurePanel {
        title,
        kind: PlotKind::Curves,
        x,
        y: Axis::log("delivery latency", "ms"),
        series,
        reference_lines: Vec::new(),
    }
}

/// Returns the delivery latency by the share of faster messages, at the ends of the sweep.
pub fn percentile_spectrum(sweep: &Sweep<'_>) -> Figure {
    let panel = |(title, cells): (String, Vec<(SweepSeries<'_>, &ReportCell<'_>)>)| {
        let all = cells.into_iter().filter_map(|(line, cell)| {
            non_empty_series(
                line.label,
                line.style,
                false,
                percentile_marks(cell.merged_latency(LatencyKind::Delivery)),
            )
        });
        tail_panel(title, all.collect())
    };
    let panels = cells_at_ends(sweep).into_iter().map(panel).collect();
    let note = "messages of all repetitions merged; each line ends where fewer than ten messages \
                are slower";
    figure_without_whiskers(
        sweep,
        "spectrum",
        "Percentile spectrum of the delivery latency",
        note,
        panels,
    )
}

/// Returns the latency from the real send beside that from the due time.
pub fn corrected_latency(sweep: &Sweep<'_>) -> Figure {
    let ends = sweep_ends(sweep);
    let Some((x, text)) = ends.last() else {
        return figure_without_whiskers(sweep, "corrected", "", "", Vec::new());
    };
    let panel = |line: SweepSeries<'_>| {
        let cell = line.cells.iter().find(|c| sweep.swept.value(c).total_cmp(x).is_eq())?;
        let of = |duration: LatencyKind, label: &str, dashed| {
            non_empty_series(
                label.to_owned(),
                line.style,
                dashed,
                percentile_marks(cell.merged_latency(duration)),
            )
        };
        let all = [
            of(LatencyKind::Delivery, "delivery, from the real send", false),
            of(LatencyKind::Response, "response, from the due time", true),
        ];
        let all: Vec<_> = all.into_iter().flatten().collect();
        let mut panel =
            tail_panel(format!("{}, {}", line.label, sweep.swept.describe_text(text)), all);
        panel.y.label = "latency".into();
        (!panel.series.is_empty()).then_some(panel)
    };
    let panels = sweep.series().into_iter().filter_map(panel).collect();
    let note = "response counts from the moment a message was due, so it includes the delay of a late \
                generator (coordinated omission); where both lines meet, there was no such delay";
    figure_without_whiskers(
        sweep,
        "corrected",
        "Corrected against uncorrected latency",
        note,
        panels,
    )
}
