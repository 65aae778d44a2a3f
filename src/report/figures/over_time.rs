//! Figures over the time of a load: latency, messages, resources.

use std::collections::BTreeMap;

use super::{
    figure::{Axis, Figure, FigurePanel, PlotKind, PlotMark, PlotSeries},
    parts::{cells_at_ends, figure_without_whiskers, non_empty_series},
    sweep::{Sweep, SweepSeries},
};
use crate::{
    measure::{ResourceSample, TimelineSecond},
    record::{Repetition, interval_log},
    report::cells::ReportCell,
    stats::distribution::Distribution,
};

/// Returns the median over repetitions of a value in each second.
fn median_by_second<T>(
    cell: &ReportCell<'_>,
    entries: impl Fn(&Repetition) -> Vec<T>,
    value: impl Fn(&T) -> Option<(f64, f64)>,
) -> Vec<PlotMark> {
    let mut seconds: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for repetition in &cell.measured {
        for (second, value) in entries(repetition).iter().filter_map(&value) {
            seconds.entry(second.floor() as i64).or_default().push(value);
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        if values.len() % 2 == 1 {
            values[half]
        } else {
            f64::midpoint(values[half - 1], values[half])
        }
    };
    let mark = |(second, values): (i64, Vec<f64>)| PlotMark {
        n: values.len(),
        ..PlotMark::at(second as f64, median(values))
    };
    seconds.into_iter().map(mark).collect()
}

/// Returns the delivery distribution of each second, merged over the repetitions; `None` if one of them has no
/// interval log, as records of older versions.
fn merged_seconds(cell: &ReportCell<'_>) -> Option<BTreeMap<u32, Distribution>> {
    let mut merged: BTreeMap<u32, Distribution> = BTreeMap::new();
    for repetition in &cell.measured {
        if repetition.intervals.is_empty() {
            return None;
        }
        match interval_log::distributions(&repetition.intervals, "delivery") {
            Ok(seconds) => {
                for (second, distribution) in seconds {
                    merged.entry(second).or_default().merge(&distribution);
                }
            }
            Err(error) => {
                tracing::error!(%error, "figure over time without interval logs");
                return None;
            }
        }
    }
    Some(merged)
}

/// Returns the curves of one cell over time: name, whether dashed, marks in milliseconds.
fn latency_curves(cell: &ReportCell<'_>) -> Vec<(&'static str, bool, Vec<PlotMark>)> {
    let ms = |second: u32, micros: Option<f64>, n: usize| {
        let mark = PlotMark::at(f64::from(second), micros? / 1e3);
        Some(PlotMark { n, ..mark })
    };
    if let Some(seconds) = merged_seconds(cell) {
        let n = cell.measured.len();
        let of = |value: fn(&Distribution) -> Option<f64>| {
            seconds.iter().filter_map(|(second, all)| ms(*second, value(all), n)).collect()
        };
        return vec![
            ("p50", false, of(|all| all.percentile(0.5))),
            ("p99", false, of(|all| all.percentile(0.99))),
            ("max", true, of(Distribution::max)),
        ];
    }
    let of = |value: fn(&TimelineSecond) -> Option<f64>| {
        median_by_second(
            cell,
            |repetition| repetition.timeline.clone(),
            |second| Some((f64::from(second.second), value(second)? / 1e3)),
        )
    };
    vec![("p50", false, of(|s| s.delivery_p50)), ("max", true, of(|s| s.delivery_max))]
}

/// Draws the delivery latency of each second.
pub fn latency(sweep: &Sweep<'_>) -> Figure {
    let panel = |(title, cells): (String, Vec<(SweepSeries<'_>, &ReportCell<'_>)>)| {
        let mut all = Vec::new();
        for (line, cell) in cells {
            for (name, dashed, marks) in latency_curves(cell) {
                let label = format!("{}, {name}", line.label);
                all.extend(non_empty_series(label, line.style, dashed, marks));
            }
        }
        time_panel(title, Axis::log("delivery", "ms"), all)
    };
    let panels = cells_at_ends(sweep).into_iter().map(panel).collect();
    let note = "median, 99th percentile and largest latency of the messages that arrived in each second, \
                those of all repetitions merged (of records without interval logs: the repetitions' \
                median); a percentile needs ten messages beyond it";
    figure_without_whiskers(sweep, "over-time", "Delivery latency over time", note, panels)
}

/// Draws the messages due, sent and delivered in each second.
pub fn messages(sweep: &Sweep<'_>) -> Figure {
    let mut panels = Vec::new();
    for (title, cells) in cells_at_ends(sweep) {
        let (mut sent, mut delivered) = (Vec::new(), Vec::new());
        for (line, cell) in cells {
            let of = |count: fn(&TimelineSecond) -> u64| {
                median_by_second(
                    cell,
                    |repetition| repetition.timeline.clone(),
                    |second| Some((f64::from(second.second), count(second) as f64)),
                )
            };
            let curve = |name: &str, dashed, marks| {
                non_empty_series(format!("{}, {name}", line.label), line.style, dashed, marks)
            };
            sent.extend(curve("due", true, of(|second| second.due)));
            sent.extend(curve("sent", false, of(|second| second.sent)));
            delivered.extend(curve("delivered", false, of(|second| second.delivered)));
        }
        for (what, series) in [("sent", sent), ("delivered", delivered)] {
            let y = Axis::linear(&format!("messages {what}"), "1/s");
            panels.push(time_panel(format!("{title}: {what}"), y, series));
        }
    }
    let note = "where sent leaves due, hubmark fell behind; where delivered leaves sent, the server did; of \
                several repetitions their median";
    figure_without_whiskers(sweep, "messages", "Messages over time", note, panels)
}

fn time_panel(title: String, y: Axis, series: Vec<PlotSeries>) -> FigurePanel {
    FigurePanel {
        title,
        kind: PlotKind::Curves,
        x: Axis::linear("time since the load began", "s"),
        y,
        series,
        reference_lines: Vec::new(),
    }
}

/// Draws the servers' resources over the load.
pub fn resources(sweep: &Sweep<'_>) -> Figure {
    let ends = cells_at_ends(sweep);
    let Some((at, cells)) = ends.into_iter().next_back() else {
        return figure_without_whiskers(sweep, "resources", "", "", Vec::new());
    };
    let panel =
        |title: &str, label: &str, unit: &str, value: fn(&ResourceSample) -> Option<f64>| {
            let mut all = Vec::new();
            for (line, cell) in &cells {
                let mut roles: Vec<_> =
                    cell.measured.iter().flat_map(|r| r.samples.keys().cloned()).collect();
                roles.sort_unstable();
                roles.dedup();
                for (place, role) in roles.iter().enumerate() {
                    let marks = median_by_second(
                        cell,
                        |repetition| repetition.samples.get(role).cloned().unwrap_or_default(),
                        |load| Some((load.seconds, value(load)?)),
                    );
                    let name = if line.label.starts_with(role.as_str()) && roles.len() == 1 {
                        line.label.clone()
                    } else {
                        format!("{}: {role}", line.label)
                    };
                    all.extend(non_empty_series(name, line.style, place > 0, marks));
                }
            }
            let x = Axis::linear("time since the load began", "s");
            FigurePanel {
                title: title.to_owned(),
                kind: PlotKind::Curves,
                x,
                y: Axis::linear(label, unit),
                series: all,
                reference_lines: Vec::new(),
            }
        };
    let mut panels = vec![
        panel("A: processor", "cores in use", "cores", |load| load.cpu_cores),
        panel("B: memory", "growth over idle", "MB", |l| l.memory_growth.map(|b| b as f64 / 1e6)),
        panel("C: disk", "written", "MB/s", |load| load.block_written.map(|b| b / 1e6)),
        panel("D: network", "received and sent", "MB/s", |load| {
            Some((load.network_received? + load.network_sent?) / 1e6)
        }),
    ];
    panels.retain(|panel| !panel.series.is_empty());
    let note = format!("{at}; one sample a second, of several repetitions their median");
    figure_without_whiskers(sweep, "resources", "Resources each second", &note, panels)
}
