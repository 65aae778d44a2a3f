//! The records that a report is made from, as cells: one point of one record, with the repetitions
//! that count and the word on those that do not.

use std::cell::OnceCell;

use crate::{
    measure::{Estimate, Judgement, Spread},
    plan::{Durability, Point, Scenario, Workload},
    record::{Latency, Record, Repetition, histogram},
    stats::{distribution::Distribution, estimate::estimate},
};

use super::metric::{Metric, Span};

/// A record and how a reader tells it from others.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its file's name, without folder and ending.
    pub name: &'a str,
    /// The record.
    pub record: &'a Record,
}

/// One point of one record.
#[derive(Debug)]
pub struct Cell<'a> {
    /// Which record, from 0.
    pub source: usize,
    /// The point.
    pub point: &'a Point,
    /// Its repetitions that count.
    pub measured: Vec<&'a Repetition>,
    /// Repetitions that failed: never counted.
    pub failed: usize,
    /// Suspect repetitions that the reader left out.
    pub excluded: usize,
    /// What [`Cell::merged`] came to, in the order of [`Span::ALL`]: reading histograms takes most of
    /// a report's time, and every table and figure asks for them.
    known: [OnceCell<Distribution>; Span::ALL.len()],
}

/// All cells of some records.
#[derive(Debug)]
pub struct Cells<'a> {
    /// The records.
    pub sources: Vec<Source<'a>>,
    /// Every point of every record, planned repetitions or not.
    pub cells: Vec<Cell<'a>>,
    /// Whether the reader left suspect repetitions out.
    pub without_suspect: bool,
}

impl<'a> Cells<'a> {
    /// The cells of `sources`.
    pub fn of(sources: Vec<Source<'a>>, without_suspect: bool) -> Self {
        let mut cells = Vec::new();
        for (source, Source { record, .. }) in sources.iter().enumerate() {
            for point in &record.points {
                let is = |judgement| {
                    move |repetition: &&Repetition| repetition.verdict.status == judgement
                };
                let suspect = point.repetitions.iter().filter(is(Judgement::Suspect)).count();
                let counts = |repetition: &&Repetition| match repetition.verdict.status {
                    Judgement::Valid => true,
                    Judgement::Suspect => !without_suspect,
                    Judgement::Failed => false,
                };
                cells.push(Cell {
                    measured: point.repetitions.iter().filter(counts).collect(),
                    failed: point.repetitions.iter().filter(is(Judgement::Failed)).count(),
                    excluded: if without_suspect { suspect } else { 0 },
                    ..Cell::of(source, &point.point)
                });
            }
        }
        Self { sources, cells, without_suspect }
    }

    /// Cells with at least one repetition that counts.
    pub fn measured(&self) -> impl Iterator<Item = &Cell<'a>> {
        self.cells.iter().filter(|cell| !cell.measured.is_empty())
    }
}

impl<'a> Cell<'a> {
    /// A point of which no repetition counts.
    pub fn of(source: usize, point: &'a Point) -> Self {
        Self {
            source,
            point,
            measured: Vec::new(),
            failed: 0,
            excluded: 0,
            known: Default::default(),
        }
    }

    /// The values of the repetitions that have one.
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        self.measured.iter().filter_map(|repetition| metric.of(repetition)).collect()
    }

    /// The estimate over the repetitions that have a value.
    pub fn estimate(&self, metric: Metric) -> Option<Estimate> {
        estimate(&self.values(metric))
    }

    /// Of the repetitions that count, the suspect ones.
    pub fn suspect(&self) -> usize {
        self.measured.iter().filter(|r| r.verdict.status == Judgement::Suspect).count()
    }

    /// All messages of the repetitions that count, in one distribution: percentiles cannot be
    /// averaged.
    pub fn merged(&self, span: Span) -> &Distribution {
        self.known[span as usize].get_or_init(|| self.merge(span))
    }

    fn merge(&self, span: Span) -> Distribution {
        let mut all = Distribution::default();
        for latency in self.measured.iter().filter_map(|repetition| span.of(repetition)) {
            match histogram::distribution(latency) {
                Ok(distribution) => all.merge(&distribution),
                Err(error) => tracing::error!(%error, "left out of a report"),
            }
        }
        all
    }

    /// [`Cell::merged`] in few numbers.
    pub fn spread(&self, span: Span) -> Spread {
        self.merged(span).spread()
    }

    /// [`Cell::merged`] as a record has it.
    pub fn latency(&self, span: Span) -> Option<Latency> {
        histogram::latency(self.merged(span))
    }

    /// The backend, as people write it.
    pub fn backend(&self) -> String {
        self.point.backend.to_string()
    }

    /// The scenario, of a throughput point.
    pub const fn scenario(&self) -> Option<Scenario> {
        match &self.point.workload {
            Workload::Throughput(workload) => Some(workload.scenario),
            Workload::Latency(_) => None,
        }
    }

    /// The whole point in a few words.
    pub fn describe(&self) -> String {
        let workload = &self.point.workload;
        let scenario = self.scenario().map_or_else(String::new, |s| format!("{}, ", scenario(s)));
        let users = workload.users();
        format!(
            "{}, {scenario}{} {}, {}, durability {}",
            self.backend(),
            crate::format::count(u64::from(users)),
            if users == 1 { "user" } else { "users" },
            workload.payload(),
            durability(self.point.durability),
        )
    }
}

/// The scenario's name.
pub const fn scenario(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Producer => "producer",
        Scenario::Consumer => "consumer",
        Scenario::Both => "both",
    }
}

/// The durability's name.
pub const fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Default => "default",
        Durability::Memory => "memory",
        Durability::Disk => "disk",
    }
}
