//! What hubmark shows beyond the study's figures: where the time goes, what it costs, and whether
//! the generator was in the way.

use std::collections::BTreeMap;

use super::{
    Axis, Figure, Kind, Mark, Panel, Series,
    family::{Family, Line, Over, durabilities, repetitions},
};
use crate::{
    measure::{Load, Second},
    record::Repetition,
    report::{
        cells::{Cell, Cells},
        metric::{Metric, Span, Stat},
    },
    stats::distribution::Distribution,
};

/// Points of a percentile spectrum for each tenth of the remaining share.
const PER_DECADE: i32 = 16;

/// The further figures that the records can fill.
pub fn figures(cells: &Cells<'_>) -> Vec<Figure> {
    let families: Vec<_> = [Over::Users, Over::Payload, Over::Scenario]
        .map(|over| Family::of(cells, over))
        .into_iter()
        .filter(|family| !family.is_empty())
        .collect();
    let Some(first) = families.first() else { return Vec::new() };
    let mut figures = Vec::new();
    if first.over != Over::Scenario {
        figures.extend([spectrum(first), corrected(first), over_time(first)]);
    }
    figures.extend([resources(first)]);
    figures.extend(families.iter().map(cost));
    figures.push(generator(cells));
    figures.retain(|figure| !figure.is_empty());
    figures
}

/// The ends of a sweep: what a reader looks at first.
fn ends(family: &Family<'_>) -> Vec<(f64, String)> {
    let ticks = family.ticks();
    let mut ends: Vec<_> = ticks.first().into_iter().chain(ticks.last()).cloned().collect();
    ends.dedup();
    ends
}

/// For each end of the sweep, the cell of each line there.
fn at_ends<'a>(family: &'a Family<'a>) -> Vec<(String, Vec<(Line<'a>, &'a Cell<'a>)>)> {
    let at = |x: f64| {
        let here = |line: Line<'a>| {
            let cell = line.cells.iter().find(|c| family.over.value(c).total_cmp(&x).is_eq());
            cell.copied().map(|cell| (line, cell))
        };
        family.lines().into_iter().filter_map(here).collect()
    };
    ends(family).into_iter().map(|(x, text)| (family.over.named(&text), at(x))).collect()
}

/// Latency in milliseconds by the share of messages that were quicker: x is 1 / (share that were
/// not), so that each further nine has as much room.
fn tail(distribution: &Distribution) -> Vec<Mark> {
    (0..)
        .map(|step| 10_f64.powf(f64::from(step) / f64::from(PER_DECADE)))
        .map_while(|inverse| {
            let value = distribution.percentile(1.0 - 1.0 / inverse)?;
            (value > 0.0).then(|| Mark::at(inverse, value / 1e3))
        })
        .collect()
}

fn tail_panel(title: String, series: Vec<Series>) -> Panel {
    let mut x = Axis::log("share of messages that were quicker", "");
    let nines = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"];
    x.ticks = (0..).map(|power| 10_f64.powi(power)).zip(nines.map(String::from)).collect();
    Panel {
        title,
        kind: Kind::Curves,
        x,
        y: Axis::log("delivery latency", "ms"),
        series,
        guides: Vec::new(),
    }
}

fn plain(family: &Family<'_>, id: &str, title: &str, note: &str, panels: Vec<Panel>) -> Figure {
    let caption = [repetitions(&family.cells), durabilities(&family.cells), note.to_owned()];
    Figure { id: id.to_owned(), title: title.to_owned(), caption: caption.join("; ") + ".", panels }
}

fn series(label: String, style: usize, dashed: bool, marks: Vec<Mark>) -> Option<Series> {
    (!marks.is_empty()).then_some(Series { label, style, dashed, marks })
}

fn spectrum(family: &Family<'_>) -> Figure {
    let panel = |(title, cells): (String, Vec<(Line<'_>, &Cell<'_>)>)| {
        let all = cells.into_iter().filter_map(|(line, cell)| {
            series(line.label, line.style, false, tail(cell.merged(Span::Delivery)))
        });
        tail_panel(title, all.collect())
    };
    let panels = at_ends(family).into_iter().map(panel).collect();
    let note = "messages of all repetitions merged; each line ends where fewer than ten messages \
                lie beyond";
    plain(family, "spectrum", "Percentile spectrum of the delivery latency", note, panels)
}

fn corrected(family: &Family<'_>) -> Figure {
    let ends = ends(family);
    let Some((x, text)) = ends.last() else {
        return plain(family, "corrected", "", "", Vec::new());
    };
    let panel = |line: Line<'_>| {
        let cell = line.cells.iter().find(|c| family.over.value(c).total_cmp(x).is_eq())?;
        let of = |span: Span, label: &str, dashed| {
            series(label.to_owned(), line.style, dashed, tail(cell.merged(span)))
        };
        let all = [
            of(Span::Delivery, "delivery, from the real send", false),
            of(Span::Response, "response, from the due time", true),
        ];
        let all: Vec<_> = all.into_iter().flatten().collect();
        let mut panel = tail_panel(format!("{}, {}", line.label, family.over.named(text)), all);
        panel.y.label = "latency".into();
        (!panel.series.is_empty()).then_some(panel)
    };
    let panels = family.lines().into_iter().filter_map(panel).collect();
    let note = "response counts from the moment a message was due, so a late generator cannot hide \
                in it (coordinated omission); where both lines meet, nothing was hidden";
    plain(family, "corrected", "Corrected against uncorrected latency", note, panels)
}

/// The median over repetitions of a value in each second.
fn by_second<T>(
    cell: &Cell<'_>,
    entries: impl Fn(&Repetition) -> Vec<T>,
    value: impl Fn(&T) -> Option<(f64, f64)>,
) -> Vec<Mark> {
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
    let mark = |(second, values): (i64, Vec<f64>)| Mark {
        n: values.len(),
        ..Mark::at(second as f64, median(values))
    };
    seconds.into_iter().map(mark).collect()
}

fn over_time(family: &Family<'_>) -> Figure {
    let panel = |(title, cells): (String, Vec<(Line<'_>, &Cell<'_>)>)| {
        let mut all = Vec::new();
        for (line, cell) in cells {
            let of = |value: fn(&Second) -> Option<f64>| {
                by_second(
                    cell,
                    |repetition| repetition.timeline.clone(),
                    |second| Some((f64::from(second.second), value(second)? / 1e3)),
                )
            };
            let label = &line.label;
            all.extend(series(format!("{label}, p50"), line.style, false, of(|s| s.delivery_p50)));
            all.extend(series(format!("{label}, max"), line.style, true, of(|s| s.delivery_max)));
        }
        let (x, y) = (Axis::linear("time since the load began", "s"), Axis::log("delivery", "ms"));
        Panel { title, kind: Kind::Curves, x, y, series: all, guides: Vec::new() }
    };
    let panels = at_ends(family).into_iter().map(panel).collect();
    let note = "each second's median and largest latency; of several repetitions their median";
    plain(family, "over-time", "Delivery latency over time", note, panels)
}

fn resources(family: &Family<'_>) -> Figure {
    let ends = at_ends(family);
    let Some((at, cells)) = ends.into_iter().next_back() else {
        return plain(family, "resources", "", "", Vec::new());
    };
    let panel = |title: &str, label: &str, unit: &str, value: fn(&Load) -> Option<f64>| {
        let mut all = Vec::new();
        for (line, cell) in &cells {
            let mut roles: Vec<_> =
                cell.measured.iter().flat_map(|r| r.samples.keys().cloned()).collect();
            roles.sort_unstable();
            roles.dedup();
            for (place, role) in roles.iter().enumerate() {
                let marks = by_second(
                    cell,
                    |repetition| repetition.samples.get(role).cloned().unwrap_or_default(),
                    |load| Some((load.seconds, value(load)?)),
                );
                let name = if line.label.starts_with(role.as_str()) && roles.len() == 1 {
                    line.label.clone()
                } else {
                    format!("{}: {role}", line.label)
                };
                all.extend(series(name, line.style, place > 0, marks));
            }
        }
        let x = Axis::linear("time since the load began", "s");
        Panel {
            title: title.to_owned(),
            kind: Kind::Curves,
            x,
            y: Axis::linear(label, unit),
            series: all,
            guides: Vec::new(),
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
    plain(family, "resources", "Resources each second", &note, panels)
}

fn cost(family: &Family<'_>) -> Figure {
    let kind = if family.over == Over::Scenario { Kind::Bars } else { Kind::Lines };
    let mut panels = vec![
        family.panel("A: processor", Metric::CpuPerMessage, "processor time", kind),
        family.panel("B: network", Metric::WirePerMessage, "received and sent", kind),
        family.panel("C: disk", Metric::WrittenPerMessage, "written", kind),
    ];
    panels.retain(|panel| !panel.series.is_empty());
    let by = match family.over {
        Over::Users => "users",
        Over::Payload => "payload",
        Over::Scenario => "scenario",
    };
    let note = "servers' totals over the load for each message that arrived (producer alone: was \
                acknowledged), their idle cost included";
    family.figure(&format!("cost-by-{by}"), &format!("Cost of a message by {by}"), note, panels)
}

/// Each repetition at its time: a generator that tires shows here.
fn generator(cells: &Cells<'_>) -> Figure {
    let all: Vec<_> = cells.measured().collect();
    let mut backends: Vec<String> = Vec::new();
    for cell in &cells.cells {
        if !backends.contains(&cell.backend()) {
            backends.push(cell.backend());
        }
    }
    let panel = |title: &str,
                 label: &str,
                 unit: &str,
                 value: &dyn Fn(&Repetition) -> Option<f64>| {
        let of = |(style, backend): (usize, &String)| {
            let mut marks: Vec<_> = all
                .iter()
                .filter(|cell| cell.backend() == *backend)
                .flat_map(|cell| cell.measured.iter().map(|repetition| (cell.source, *repetition)))
                .filter_map(|(source, repetition)| {
                    let started = cells.sources[source].record.started;
                    let minutes = repetition.started.duration_since(started).as_secs_f64() / 60.0;
                    let suspect = repetition.verdict.status != crate::measure::Judgement::Valid;
                    let y = value(repetition)?;
                    Some(Mark { suspect: usize::from(suspect), ..Mark::at(minutes, y) })
                })
                .collect();
            marks.sort_by(|a, b| a.x.total_cmp(&b.x));
            series(backend.clone(), style, false, marks)
        };
        let x = Axis::linear("time since the run began", "min");
        Panel {
            title: title.to_owned(),
            kind: Kind::Dots,
            x,
            y: Axis::linear(label, unit),
            series: backends.iter().enumerate().filter_map(of).collect(),
            guides: Vec::new(),
        }
    };
    let lag = Metric::Latency(Span::Lag, Stat::P99);
    let lag_or_most = move |repetition: &Repetition| {
        let most = Metric::Latency(Span::Lag, Stat::Max);
        lag.of(repetition).or_else(|| most.of(repetition)).map(|micros| micros / 1e3)
    };
    let mut panels = vec![
        panel("A: lag", "lag p99", "ms", &lag_or_most),
        panel("B: processor", "cores in use", "cores", &|r| Metric::GeneratorCpu.of(r)),
    ];
    panels.retain(|panel| !panel.series.is_empty());
    let caption = [
        "one mark for each repetition at its place in the run".to_owned(),
        repetitions(&all),
        durabilities(&all),
        "lag = sent − due, the generator's own lateness; the largest lag where the count cannot \
         carry a p99"
            .to_owned(),
    ];
    Figure {
        id: "generator".into(),
        title: "Health of the generator".into(),
        caption: caption.join("; ") + ".",
        panels,
    }
}
