//! The study's two systems in a report's cells, and the tests that findings are made of.

use super::{Finding, Ruling};
use crate::{
    plan::Scenario,
    report::{
        cells::{Cell, Cells},
        figures::family::{Family, Over},
        metric::Metric,
    },
    stats::{
        ratio::{Ratio, ratio},
        trend::{Trend, slope},
    },
};

/// The cells of the study's two systems.
pub struct Systems<'a> {
    cells: &'a Cells<'a>,
}

/// One of the study's two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// The event-streaming platform.
    Kafka,
    /// The database.
    Sql,
}

impl System {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Kafka, Self::Sql];

    const fn backend(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Sql => "mariadb",
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "Kafka",
            Self::Sql => "MariaDB",
        }
    }
}

impl<'a> Systems<'a> {
    /// Those in `cells`.
    pub const fn of(cells: &'a Cells<'a>) -> Self {
        Self { cells }
    }

    /// A system's cells in a sweep, by rising value. Where a report has several versions,
    /// durabilities or records of it, the first planned ones speak.
    pub fn sweep(&self, system: System, over: Over) -> Vec<&'a Cell<'a>> {
        let family = Family::of(self.cells, over);
        let lines = family.lines();
        let own = lines.into_iter().find(|line| {
            line.cells.first().is_some_and(|c| c.point.backend.name == system.backend())
        });
        own.map(|line| line.cells).unwrap_or_default()
    }

    /// A system's cell of a scenario.
    pub fn scenario(&self, system: System, scenario: Scenario) -> Option<&'a Cell<'a>> {
        self.sweep(system, Over::Scenario)
            .into_iter()
            .find(|cell| cell.scenario() == Some(scenario))
    }

    /// Both systems' cells at the values that both have.
    pub fn pairs(&self, over: Over) -> Vec<(f64, &'a Cell<'a>, &'a Cell<'a>)> {
        let sql = self.sweep(System::Sql, over);
        let matched = |kafka: &'a Cell<'a>| {
            let x = over.value(kafka);
            let sql = sql.iter().copied().find(|cell| over.value(cell).total_cmp(&x).is_eq());
            sql.map(|sql| (x, kafka, sql))
        };
        self.sweep(System::Kafka, over).into_iter().filter_map(matched).collect()
    }

    /// The cores of the hub, if known.
    pub fn cores(&self) -> Option<f64> {
        let source = self.cells.sources.first()?;
        source.record.provenance.hub.cores.map(f64::from)
    }
}

/// A ruling that grows with each piece of evidence: all must agree; one that surely disagrees
/// contradicts.
pub struct Judgement {
    rulings: Vec<Ruling>,
    evidence: Vec<String>,
}

impl Judgement {
    /// Without evidence.
    pub const fn new() -> Self {
        Self { rulings: Vec::new(), evidence: Vec::new() }
    }

    /// Adds evidence.
    pub fn add(&mut self, agrees: Option<bool>, text: String) {
        self.rulings.push(Ruling::from(agrees));
        self.evidence.push(text);
    }

    /// Adds a remark that decides nothing.
    pub fn note(&mut self, text: String) {
        self.evidence.push(text);
    }

    /// Adds that something was not measured: it cannot be decided.
    pub fn lacks(&mut self, what: &str) {
        self.add(None, format!("not in this record: {what}"));
    }

    /// The finding.
    pub fn finding(self, claim: &'static str, meaning: &'static str) -> Finding {
        let ruling = self.rulings.into_iter().reduce(Ruling::and).unwrap_or(Ruling::Undecidable);
        Finding { claim, meaning, ruling, evidence: self.evidence }
    }
}

/// `Kafka 2.10 ms [2.01, 2.19]` of a cell.
pub fn written(name: &str, cell: &Cell<'_>, metric: Metric) -> String {
    let quantity = metric.quantity();
    match cell.estimate(metric) {
        None => format!("{name} –"),
        Some(estimate) => {
            let interval = estimate.ci_low.zip(estimate.ci_high).map_or_else(
                || format!(" (n = {}, no interval)", estimate.n),
                |(low, high)| format!(" [{}, {}]", quantity.write(low), quantity.write(high)),
            );
            format!("{name} {}{interval}", quantity.write(estimate.mean))
        }
    }
}

/// The ratio of the second cell to the first, and its text.
pub fn times(metric: Metric, of: &Cell<'_>, to: &Cell<'_>) -> Option<(Ratio, String)> {
    let ratio = ratio(&to.values(metric), &of.values(metric))?;
    let three = crate::format::three;
    let interval = ratio.interval.map_or_else(
        || " (no interval)".to_owned(),
        |(low, high)| format!(" [{}, {}]", three(low), three(high)),
    );
    Some((ratio, format!("{} ×{interval}", three(ratio.ratio))))
}

/// The slope of a metric over a sweep.
pub fn line(cells: &[&Cell<'_>], over: Over, metric: Metric) -> Option<Trend> {
    let pairs: Vec<_> = cells
        .iter()
        .flat_map(|cell| cell.values(metric).into_iter().map(|y| (over.value(cell), y)))
        .collect();
    slope(&pairs)
}
