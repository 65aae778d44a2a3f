//! Cells that differ in one swept value, as series over that value.

use std::collections::BTreeSet;

use crate::{
    plan::{Scenario, Workload},
    report::{
        cells::{Cell, Cells, durability, scenario},
        figures::{Axis, Figure, Kind, Mark, Panel, Scale, Series},
        metric::Metric,
    },
};

/// The swept value on the horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Users of the latency workload.
    Users,
    /// Payload of the latency workload.
    Payload,
    /// Scenario of the throughput workload.
    Scenario,
}

/// The cells of a sweep over one value.
#[derive(Debug)]
pub struct Family<'a> {
    /// The value.
    pub over: Over,
    /// The cells, measured ones only.
    pub cells: Vec<&'a Cell<'a>>,
    styles: Vec<String>,
}

/// Cells of one series.
#[derive(Debug)]
pub struct Line<'a> {
    /// The series' name.
    pub label: String,
    /// Its colour and marker.
    pub style: usize,
    /// Its cells, by rising x.
    pub cells: Vec<&'a Cell<'a>>,
}

impl Over {
    /// The cell's value on the axis: users, payload in bytes, or the scenario's place.
    pub fn value(self, cell: &Cell<'_>) -> f64 {
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

    fn text(self, cell: &Cell<'_>) -> String {
        match self {
            Self::Users => crate::format::count(u64::from(cell.point.workload.users())),
            Self::Payload => cell.point.workload.payload().exact(),
            Self::Scenario => cell.scenario().map(scenario).unwrap_or_default().to_owned(),
        }
    }

    /// The cell's value in words: `400 users`.
    pub fn at(self, cell: &Cell<'_>) -> String {
        self.named(&self.text(cell))
    }

    /// A value's text in words.
    pub fn named(self, text: &str) -> String {
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

impl<'a> Family<'a> {
    /// The sweep over `over` in `cells`. A record belongs to it when it sweeps that value; a
    /// latency record that sweeps neither users nor payload belongs to users.
    pub fn of(cells: &'a Cells<'a>, over: Over) -> Self {
        let mut chosen = Vec::new();
        for source in 0..cells.sources.len() {
            let own: Vec<_> = cells.measured().filter(|cell| cell.source == source).collect();
            let latency: Vec<_> = own.iter().copied().filter(|c| c.scenario().is_none()).collect();
            let distinct = |over: Over| {
                latency.iter().map(|c| over.value(c) as u64).collect::<BTreeSet<_>>().len()
            };
            match over {
                Over::Scenario => chosen.extend(own.into_iter().filter(|c| c.scenario().is_some())),
                Over::Payload if distinct(Over::Payload) > 1 => chosen.extend(latency),
                Over::Users if distinct(Over::Users) > 1 || distinct(Over::Payload) == 1 => {
                    chosen.extend(latency);
                }
                Over::Users | Over::Payload => {}
            }
        }
        let mut styles: Vec<_> = cells.cells.iter().map(Cell::backend).collect();
        let mut seen = BTreeSet::new();
        styles.retain(|backend| seen.insert(backend.clone()));
        Self { over, cells: chosen, styles }
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Everything but the value on the axis, as text: what varies becomes part of the label.
    fn traits(&self, cell: &Cell<'_>) -> [String; 5] {
        let workload = &cell.point.workload;
        let users = if workload.users() == 1 { "user" } else { "users" };
        [
            cell.backend(),
            if self.over == Over::Users {
                String::new()
            } else {
                format!("{} {users}", crate::format::count(u64::from(workload.users())))
            },
            if self.over == Over::Payload { String::new() } else { workload.payload().exact() },
            format!("durability {}", durability(cell.point.durability)),
            format!("record {}", letter(cell.source)),
        ]
    }

    /// The series, in the order in which their cells were planned.
    pub fn lines(&self) -> Vec<Line<'a>> {
        let mut groups: Vec<([String; 5], Vec<&'a Cell<'a>>)> = Vec::new();
        for cell in &self.cells {
            let traits = self.traits(cell);
            match groups.iter_mut().find(|(known, _)| *known == traits) {
                Some((_, cells)) => cells.push(cell),
                None => groups.push((traits, vec![cell])),
            }
        }
        let varies = |place: usize| groups.iter().any(|(t, _)| t[place] != groups[0].0[place]);
        let mut told: Vec<usize> = vec![0];
        told.extend((1..4).filter(|place| varies(*place)));
        let label = |traits: &[String; 5], told: &[usize]| {
            told.iter().map(|place| traits[*place].as_str()).collect::<Vec<_>>().join(", ")
        };
        let labels: BTreeSet<_> = groups.iter().map(|(traits, _)| label(traits, &told)).collect();
        if labels.len() < groups.len() {
            told.push(4);
        }
        let many = groups.len() > self.styles.len();
        let mut lines: Vec<_> = groups
            .iter()
            .enumerate()
            .map(|(place, (traits, cells))| {
                let backend = self.styles.iter().position(|style| *style == traits[0]);
                let style = if many { place } else { backend.unwrap_or(place) };
                Line { label: label(traits, &told), style, cells: cells.clone() }
            })
            .collect();
        for line in &mut lines {
            line.cells.sort_by(|a, b| self.over.value(a).total_cmp(&self.over.value(b)));
        }
        lines.sort_by_key(|line| line.style);
        lines
    }

    /// The distinct values on the axis, with their texts.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let mut ticks: Vec<_> =
            self.cells.iter().map(|cell| (self.over.value(cell), self.over.text(cell))).collect();
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        ticks.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
        ticks
    }

    fn axis(&self, kind: Kind) -> Axis {
        let ticks = self.ticks();
        let label = self.over.label();
        if kind == Kind::Bars {
            let ticks = ticks.into_iter().enumerate().map(|(k, (_, t))| (k as f64, t)).collect();
            return Axis { scale: Scale::Categories, ticks, ..Axis::linear(label, "") };
        }
        let scale = if self.over == Over::Payload { Scale::Log } else { Scale::Linear };
        Axis { scale, ticks, ..Axis::linear(label, "") }
    }

    /// A panel of `metric`: means, whiskers from the smallest to the largest repetition, and the
    /// mean's interval.
    pub fn panel(&self, title: &str, metric: Metric, label: &str, kind: Kind) -> Panel {
        let (unit, divisor) =
            if matches!(metric, Metric::WirePerMessage | Metric::WrittenPerMessage) {
                ("B", 1.0)
            } else {
                metric.quantity().axis()
            };
        let ticks = self.ticks();
        let place = |cell: &Cell<'_>| {
            let value = self.over.value(cell);
            if kind == Kind::Bars {
                ticks.iter().position(|(x, _)| x.total_cmp(&value).is_eq()).unwrap_or(0) as f64
            } else {
                value
            }
        };
        let mark = |cell: &&Cell<'_>| {
            let estimate = cell.estimate(metric)?;
            let interval = estimate.ci_low.zip(estimate.ci_high);
            Some(Mark {
                x: place(cell),
                y: estimate.mean / divisor,
                whiskers: Some((estimate.min / divisor, estimate.max / divisor)),
                interval: interval.map(|(low, high)| (low / divisor, high / divisor)),
                n: estimate.n as usize,
                suspect: cell.suspect(),
            })
        };
        let series = self.lines().into_iter().map(|line| Series {
            label: line.label,
            style: line.style,
            dashed: false,
            marks: line.cells.iter().filter_map(mark).collect(),
        });
        Panel {
            title: title.to_owned(),
            kind,
            x: self.axis(kind),
            y: Axis::linear(label, unit),
            series: series.filter(|series| !series.marks.is_empty()).collect(),
            guides: Vec::new(),
        }
    }

    /// A figure of `panels`, with what every caption must say.
    pub fn figure(&self, id: &str, title: &str, note: &str, panels: Vec<Panel>) -> Figure {
        let mut caption = vec![
            repetitions(&self.cells),
            durabilities(&self.cells),
            "whiskers: smallest and largest repetition; thick bar: 95 % interval of the mean"
                .into(),
        ];
        caption.extend(self.constants());
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

    /// What all cells have in common beside the axis.
    fn constants(&self) -> Vec<String> {
        let mut said = Vec::new();
        let one = |values: BTreeSet<String>| values.into_iter().next();
        let users: BTreeSet<_> = self.cells.iter().map(|c| Over::Users.text(c)).collect();
        let payload: BTreeSet<_> = self.cells.iter().map(|c| Over::Payload.text(c)).collect();
        if self.over != Over::Users && users.len() == 1 {
            let plural = if users.contains("1") { "user" } else { "users" };
            said.extend(one(users).map(|users| format!("{users} {plural}")));
        }
        if self.over != Over::Payload && payload.len() == 1 {
            said.extend(one(payload).map(|payload| format!("payload {payload}")));
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
            said.push(format!("{messages} messages per user"));
        }
        said
    }
}

/// Letters tell records apart: A, B, … Z, then numbers.
pub fn letter(source: usize) -> String {
    char::from_u32('A' as u32 + source as u32)
        .filter(char::is_ascii_uppercase)
        .map_or_else(|| (source + 1).to_string(), String::from)
}

/// `n = 3 repetitions per point, 2 of 18 suspect (hollow)`.
pub fn repetitions<'a>(cells: &[&'a Cell<'a>]) -> String {
    let counts: BTreeSet<_> = cells.iter().map(|cell| cell.measured.len()).collect();
    let n = match (counts.first(), counts.last()) {
        (Some(1), Some(1)) => "n = 1 repetition per point, so no interval".to_owned(),
        (Some(least), Some(most)) if least == most => format!("n = {least} repetitions per point"),
        (Some(least), Some(most)) => format!("n = {least} to {most} repetitions per point"),
        _ => "n = 0".to_owned(),
    };
    let all: usize = cells.iter().map(|cell| cell.measured.len()).sum();
    match cells.iter().map(|cell| cell.suspect()).sum::<usize>() {
        0 => n,
        suspect => format!("{n}, {suspect} of {all} suspect (hollow)"),
    }
}

/// `durability default`.
pub fn durabilities<'a>(cells: &[&'a Cell<'a>]) -> String {
    let mut names: Vec<_> = cells.iter().map(|cell| durability(cell.point.durability)).collect();
    names.sort_unstable();
    names.dedup();
    format!("durability {}", names.join(", "))
}
