//! Figures beyond the study's: latency distribution, course over time, cost, health of the load generator.

use super::{
    figure::{Axis, Figure, FigurePanel, PlotKind, PlotMark, PlotSeries},
    over_time,
    parts::{cells_at_ends, figure_without_whiskers, non_empty_series, sweep_ends},
    sweep::{Sweep, SweepSeries, SweptValue, describe_durabilities, describe_repetitions},
};
use crate::{
    record::Repetition,
    report::{
        cells::{ReportCell, ReportCells},
        metric::{LatencyKind, LatencyStat, Metric},
    },
    stats::distribution::Distribution,
};

/// Points of a percentile spectrum per factor of ten in the remaining share.
const POINTS_PER_DECADE: i32 = 16;

/// Returns the diagnostic figures that the records have data for.
pub fn figures(cells: &ReportCells<'_>) -> Vec<Figure> {
    let families: Vec<_> = [SweptValue::Users, SweptValue::Payload, SweptValue::Scenario]
        .map(|over| Sweep::from_cells(cells, over))
        .into_iter()
        .filter(|sweep| !sweep.is_empty())
        .collect();
    let Some(first) = families.first() else { return Vec::new() };
    let mut figures = Vec::new();
    if first.swept != SweptValue::Scenario {
        figures.extend([
            percentile_spectrum(first),
            corrected_latency(first),
            over_time::latency(first),
            over_time::messages(first),
        ]);
    }
    figures.push(over_time::resources(first));
    figures.extend(families.iter().map(message_cost));
    figures.push(generator_health(cells));
    figures.retain(|figure| !figure.is_empty());
    figures
}

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

fn percentile_spectrum(sweep: &Sweep<'_>) -> Figure {
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

fn corrected_latency(sweep: &Sweep<'_>) -> Figure {
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

fn message_cost(sweep: &Sweep<'_>) -> Figure {
    let kind = if sweep.swept == SweptValue::Scenario { PlotKind::Bars } else { PlotKind::Lines };
    let mut panels = vec![
        sweep.panel("A: processor", Metric::CpuPerMessage, "processor time", kind),
        sweep.panel("B: network", Metric::WirePerMessage, "received and sent", kind),
        sweep.panel("C: disk", Metric::WrittenPerMessage, "written", kind),
    ];
    panels.retain(|panel| !panel.series.is_empty());
    let by = match sweep.swept {
        SweptValue::Users => "users",
        SweptValue::Payload => "payload",
        SweptValue::Scenario => "scenario",
    };
    let note = "servers' totals over the load for each message that arrived (producer alone: was \
                acknowledged), their idle cost included";
    sweep.figure(&format!("cost-by-{by}"), &format!("Cost of a message by {by}"), note, panels)
}

/// Returns the generator's lag and CPU of each repetition over time, which shows a generator that degrades.
fn generator_health(cells: &ReportCells<'_>) -> Figure {
    let all: Vec<_> = cells.measured().collect();
    let mut backends: Vec<String> = Vec::new();
    for cell in &cells.cells {
        if !backends.contains(&cell.backend()) {
            backends.push(cell.backend());
        }
    }
    let panel =
        |title: &str, label: &str, unit: &str, value: &dyn Fn(&Repetition) -> Option<f64>| {
            let of = |(style, backend): (usize, &String)| {
                let mut marks: Vec<_> = all
                    .iter()
                    .filter(|cell| cell.backend() == *backend)
                    .flat_map(|cell| {
                        cell.measured.iter().map(|repetition| (cell.record_index, *repetition))
                    })
                    .filter_map(|(source, repetition)| {
                        let started = cells.sources[source].record.started;
                        let minutes =
                            repetition.started.duration_since(started).as_secs_f64() / 60.0;
                        let suspect = repetition.verdict.status != crate::measure::Judgement::Valid;
                        let y = value(repetition)?;
                        Some(PlotMark { suspect: usize::from(suspect), ..PlotMark::at(minutes, y) })
                    })
                    .collect();
                marks.sort_by(|a, b| a.x.total_cmp(&b.x));
                non_empty_series(backend.clone(), style, false, marks)
            };
            let x = Axis::linear("time since the run began", "min");
            FigurePanel {
                title: title.to_owned(),
                kind: PlotKind::Dots,
                x,
                y: Axis::linear(label, unit),
                series: backends.iter().enumerate().filter_map(of).collect(),
                reference_lines: Vec::new(),
            }
        };
    let lag = Metric::Latency(LatencyKind::Lag, LatencyStat::P99);
    let lag_or_most = move |repetition: &Repetition| {
        let most = Metric::Latency(LatencyKind::Lag, LatencyStat::Max);
        lag.value_in(repetition).or_else(|| most.value_in(repetition)).map(|micros| micros / 1e3)
    };
    let mut panels = vec![
        panel("A: lag", "lag p99", "ms", &lag_or_most),
        panel("B: processor", "cores in use", "cores", &|r| Metric::GeneratorCpu.value_in(r)),
        panel("C: hottest thread", "share of a core", "cores", &|r| {
            r.generator.hottest_thread().map(|thread| thread.cores)
        }),
    ];
    panels.retain(|panel| !panel.series.is_empty());
    let caption = [
        "one mark for each repetition at its time in the run".to_owned(),
        describe_repetitions(&all),
        describe_durabilities(&all),
        "lag = sent − due, the generator's own lateness; the largest lag where there are too few \
         messages for a p99; hottest thread = the fullest of the threads that all messages pass \
         through"
            .to_owned(),
    ];
    Figure {
        id: "generator".into(),
        title: "Health of the generator".into(),
        caption: caption.join("; ") + ".",
        panels,
    }
}
