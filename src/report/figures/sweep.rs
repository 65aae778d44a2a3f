//! Groups cells that differ in one swept value into series over that value.

use std::collections::BTreeSet;

use super::figure::{Axis, AxisScale, Figure, FigurePanel, PlotKind, PlotMark, PlotSeries};
use crate::{
    format::{count, count_noun},
    plan::{Scenario, Workload},
    report::{
        cells::{ReportCell, ReportCells},
        metric::Metric,
    },
};

/// Swept value on the horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweptValue {
    /// Users of the latency workload.
    Users,
    /// Payload of the latency workload.
    Payload,
    /// Scenario of the throughput workload.
    Scenario,
}

/// Cells of a sweep over one value.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// Value that the sweep varies.
    pub swept: SweptValue,
    /// Cells with at least one counted repetition.
    pub cells: Vec<&'a ReportCell<'a>>,
    styles: Vec<String>,
}

/// Cells of one series of a sweep.
#[derive(Debug)]
pub struct SweepSeries<'a> {
    /// Name of the series.
    pub label: String,
    /// Index of its colour and marker.
    pub style: usize,
    /// Cells, ordered by the swept value.
    pub cells: Vec<&'a ReportCell<'a>>,
}

impl SweptValue {
    /// Returns the cell's value on the axis: users, payload in bytes, or the scenario's index.
    pub fn value(self, cell: &ReportCell<'_>) -> f64 {
        let workload = &cell.point.workload;
        match self {
            Self::Users => f64::from(workload.users()),
            Self::Payload => workload.payload().0 as f64,
            Self::Scenario => match cell.scenario() {
                Some(Scenario::Consumer) => 1.0,
                Some(Scenario::Both) => 2.0,
                Some(Scenario::Producer) | None => 0.0,
            },
        }
    }

    fn text(self, cell: &ReportCell<'_>) -> String {
        match self {
            Self::Users => count(u64::from(cell.point.workload.users())),
            Self::Payload => cell.point.workload.payload().exact(),
            Self::Scenario => cell.scenario().map(Scenario::name).unwrap_or_default().to_owned(),
        }
    }

    /// Describes the cell's value: `400 users`.
    pub fn describe(self, cell: &ReportCell<'_>) -> String {
        self.describe_text(&self.text(cell))
    }

    /// Describes a value given as text.
    pub fn describe_text(self, text: &str) -> String {
        match self {
            Self::Users if text == "1" => "1 user".to_owned(),
            Self::Users => format!("{text} users"),
            Self::Payload => format!("payload {text}"),
            Self::Scenario => format!("scenario {text}"),
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Payload => "payload",
            Self::Scenario => "scenario",
        }
    }
}

impl<'a> Sweep<'a> {
    /// Collects the sweep over `swept` in `cells`.
    ///
    /// A record belongs to the sweep when it varies that value; a latency record that varies neither users
    /// nor payload belongs to the sweep over users.
    pub fn from_cells(cells: &'a ReportCells<'a>, swept: SweptValue) -> Self {
        let mut chosen = Vec::new();
        for source in 0..cells.sources.len() {
            let own: Vec<_> = cells.measured().filter(|cell| cell.record_index == source).collect();
            let latency: Vec<_> = own.iter().copied().filter(|c| c.scenario().is_none()).collect();
            let distinct = |swept: SweptValue| {
                latency.iter().map(|c| swept.value(c) as u64).collect::<BTreeSet<_>>().len()
            };
            match swept {
                SweptValue::Scenario => {
                    chosen.extend(own.into_iter().filter(|c| c.scenario().is_some()));
                }
                SweptValue::Payload if distinct(SweptValue::Payload) > 1 => chosen.extend(latency),
                SweptValue::Users
                    if distinct(SweptValue::Users) > 1 || distinct(SweptValue::Payload) == 1 =>
                {
                    chosen.extend(latency);
                }
                SweptValue::Users | SweptValue::Payload => {}
            }
        }
        let mut styles: Vec<_> = cells.cells.iter().map(ReportCell::backend).collect();
        let mut seen = BTreeSet::new();
        styles.retain(|backend| seen.insert(backend.clone()));
        Self { swept, cells: chosen, styles }
    }

    /// Returns whether the sweep has no measured cell.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Returns everything but the swept value as text: the parts that vary between series form the label.
    fn series_key(&self, cell: &ReportCell<'_>) -> [String; 5] {
        let workload = &cell.point.workload;
        [
            cell.backend(),
            if self.swept == SweptValue::Users {
                String::new()
            } else {
                count_noun(workload.users().into(), "user")
            },
            if self.swept == SweptValue::Payload {
                String::new()
            } else {
                workload.payload().exact()
            },
            format!("durability {}", cell.point.durability.name()),
            format!("record {}", record_letter(cell.record_index)),
        ]
    }

    /// Groups the cells into series, ordered by style and then by plan.
    pub fn series(&self) -> Vec<SweepSeries<'a>> {
        let mut groups: Vec<([String; 5], Vec<&'a ReportCell<'a>>)> = Vec::new();
        for cell in &self.cells {
            let key = self.series_key(cell);
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, cells)) => cells.push(cell),
                None => groups.push((key, vec![cell])),
            }
        }
        let varies = |place: usize| groups.iter().any(|(t, _)| t[place] != groups[0].0[place]);
        let mut label_parts: Vec<usize> = vec![0];
        label_parts.extend((1..4).filter(|place| varies(*place)));
        let label = |key: &[String; 5], label_parts: &[usize]| {
            label_parts.iter().map(|place| key[*place].as_str()).collect::<Vec<_>>().join(", ")
        };
        let labels: BTreeSet<_> = groups.iter().map(|(key, _)| label(key, &label_parts)).collect();
        if labels.len() < groups.len() {
            label_parts.push(4);
        }
        let many = groups.len() > self.styles.len();
        let mut lines: Vec<_> = groups
            .iter()
            .enumerate()
            .map(|(place, (key, cells))| {
                let backend = self.styles.iter().position(|style| *style == key[0]);
                let style = if many { place } else { backend.unwrap_or(place) };
                SweepSeries { label: label(key, &label_parts), style, cells: cells.clone() }
            })
            .collect();
        for line in &mut lines {
            line.cells.sort_by(|a, b| self.swept.value(a).total_cmp(&self.swept.value(b)));
        }
        lines.sort_by_key(|line| line.style);
        lines
    }

    /// Returns the distinct swept values with their texts, in rising order.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let mut ticks: Vec<_> =
            self.cells.iter().map(|cell| (self.swept.value(cell), self.swept.text(cell))).collect();
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        ticks.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
        ticks
    }

    fn axis(&self, kind: PlotKind) -> Axis {
        let ticks = self.ticks();
        let label = self.swept.label();
        if kind == PlotKind::Bars {
            let ticks = ticks.into_iter().enumerate().map(|(k, (_, t))| (k as f64, t)).collect();
            return Axis { scale: AxisScale::Categories, ticks, ..Axis::linear(label, "") };
        }
        let scale =
            if self.swept == SweptValue::Payload { AxisScale::Log } else { AxisScale::Linear };
        Axis { scale, ticks, ..Axis::linear(label, "") }
    }

    /// Builds a panel of `metric`: means, whiskers from the smallest to the largest repetition, and the
    /// mean's interval.
    pub fn panel(&self, title: &str, metric: Metric, label: &str, kind: PlotKind) -> FigurePanel {
        let (unit, divisor) =
            if matches!(metric, Metric::WirePerMessage | Metric::WrittenPerMessage) {
                ("B", 1.0)
            } else {
                metric.quantity().axis_unit()
            };
        let ticks = self.ticks();
        let place = |cell: &ReportCell<'_>| {
            let value = self.swept.value(cell);
            if kind == PlotKind::Bars {
                ticks.iter().position(|(x, _)| x.total_cmp(&value).is_eq()).unwrap_or(0) as f64
            } else {
                value
            }
        };
        let mark = |cell: &&ReportCell<'_>| {
            let estimate = cell.estimate(metric)?;
            let interval = estimate.ci_low.zip(estimate.ci_high);
            Some(PlotMark {
                x: place(cell),
                y: estimate.mean / divisor,
                whiskers: Some((estimate.min / divisor, estimate.max / divisor)),
                interval: interval.map(|(low, high)| (low / divisor, high / divisor)),
                n: estimate.n as usize,
                suspect: cell.suspect_count(),
            })
        };
        let series = self.series().into_iter().map(|line| PlotSeries {
            label: line.label,
            style: line.style,
            dashed: false,
            marks: line.cells.iter().filter_map(mark).collect(),
        });
        FigurePanel {
            title: title.to_owned(),
            kind,
            x: self.axis(kind),
            y: Axis::linear(label, unit),
            series: series.filter(|series| !series.marks.is_empty()).collect(),
            reference_lines: Vec::new(),
        }
    }

    /// Builds a figure of `panels`, with a caption on repetitions, durability, whiskers and constant values.
    pub fn figure(&self, id: &str, title: &str, note: &str, panels: Vec<FigurePanel>) -> Figure {
        let mut caption = vec![
            describe_repetitions(&self.cells),
            describe_durabilities(&self.cells),
            "whiskers: smallest and largest repetition; thick bar: 95 % interval of the mean"
                .into(),
        ];
        caption.extend(self.constant_values());
        if !note.is_empty() {
            caption.push(note.to_owned());
        }
        Figure {
            id: id.to_owned(),
            title: title.to_owned(),
            caption: caption.join("; ") + ".",
            panels,
        }
    }

    /// Returns the values that all cells have in common, as texts.
    fn constant_values(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let one = |values: BTreeSet<String>| values.into_iter().next();
        let users: BTreeSet<_> = self.cells.iter().map(|c| SweptValue::Users.text(c)).collect();
        let payload: BTreeSet<_> = self.cells.iter().map(|c| SweptValue::Payload.text(c)).collect();
        if self.swept != SweptValue::Users && users.len() == 1 {
            let plural = if users.contains("1") { "user" } else { "users" };
            texts.extend(one(users).map(|users| format!("{users} {plural}")));
        }
        if self.swept != SweptValue::Payload && payload.len() == 1 {
            texts.extend(one(payload).map(|payload| format!("payload {payload}")));
        }
        let sent: BTreeSet<u32> = self
            .cells
            .iter()
            .filter_map(|cell| match &cell.point.workload {
                Workload::Latency(workload) => Some(workload.messages),
                Workload::Throughput(_) => None,
            })
            .collect();
        if let (1, Some(messages)) = (sent.len(), sent.first()) {
            texts.push(format!("{} per user", count_noun((*messages).into(), "message")));
        }
        texts
    }
}

/// Returns the letter of a record: A, B, … Z, then numbers.
pub fn record_letter(source: usize) -> String {
    char::from_u32('A' as u32 + source as u32)
        .filter(char::is_ascii_uppercase)
        .map_or_else(|| (source + 1).to_string(), String::from)
}

/// Describes the number of repetitions: `n = 3 repetitions per point, 2 of 18 suspect (hollow)`.
pub fn describe_repetitions<'a>(cells: &[&'a ReportCell<'a>]) -> String {
    let counts: BTreeSet<_> = cells.iter().map(|cell| cell.measured.len()).collect();
    let n = match (counts.first(), counts.last()) {
        (Some(1), Some(1)) => "n = 1 repetition per point, so no interval".to_owned(),
        (Some(least), Some(most)) if least == most => format!("n = {least} repetitions per point"),
        (Some(least), Some(most)) => format!("n = {least} to {most} repetitions per point"),
        _ => "n = 0".to_owned(),
    };
    let all: usize = cells.iter().map(|cell| cell.measured.len()).sum();
    match cells.iter().map(|cell| cell.suspect_count()).sum::<usize>() {
        0 => n,
        suspect => format!("{n}, {suspect} of {all} suspect (hollow)"),
    }
}

/// Describes the durabilities: `durability default, disk`.
pub fn describe_durabilities<'a>(cells: &[&'a ReportCell<'a>]) -> String {
    let mut names: Vec<_> = cells.iter().map(|cell| cell.point.durability.name()).collect();
    names.sort_unstable();
    names.dedup();
    format!("durability {}", names.join(", "))
}
