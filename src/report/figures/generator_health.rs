//! Figure of the load generator's health: lag and processor time of each repetition.

use super::{
    figure::{Axis, Figure, FigurePanel, PlotKind, PlotMark},
    parts::non_empty_series,
    sweep::{describe_durabilities, describe_repetitions},
};
use crate::{
    measure::Judgement,
    record::Repetition,
    report::{
        cells::ReportCells,
        metric::{LatencyKind, LatencyStat, Metric},
    },
};

/// Returns the generator's lag and CPU of each repetition over time, which shows a generator that degrades.
pub fn generator_health(cells: &ReportCells<'_>) -> Figure {
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
                        let suspect = repetition.verdict.status != Judgement::Valid;
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
