//! Two sides against each other, point by point: two records, or two backends.

use super::{
    cells::{Cell, Cells, Source, durability, scenario},
    figures::family::Over,
    limit::{Limit, Standing},
    metric::{Metric, Resource, Span, Stat},
};
use crate::{
    plan::BackendChoice,
    stats::difference::{self, Difference},
};

mod origins;
mod text;

pub use text::{csv, json, text};

/// One side of a comparison.
#[derive(Debug, Clone)]
pub struct Side<'a> {
    /// Its name.
    pub name: String,
    /// Its record.
    pub source: Source<'a>,
    /// Only this backend of it; all of them without one.
    pub backend: Option<String>,
}

/// A comparison.
#[derive(Debug)]
pub struct Comparison {
    /// The names of the sides.
    pub names: (String, String),
    /// Origins that differ: name, A's, B's.
    pub origins: Vec<(String, String, String)>,
    /// Points that both sides have.
    pub points: Vec<Pair>,
    /// Points that only one side has, in words.
    pub unmatched: Vec<String>,
    /// What must be said before any number.
    pub notes: Vec<String>,
    /// Each limit at each point.
    pub limits: Vec<Crossing>,
}

/// A point on both sides.
#[derive(Debug)]
pub struct Pair {
    /// The point.
    pub point: String,
    /// Repetitions that count, and of those the suspect ones, on each side.
    pub repetitions: [(usize, usize); 2],
    /// Every metric that both sides have.
    pub rows: Vec<Row>,
    /// Percentiles of all messages merged, for metrics that single repetitions cannot carry:
    /// metric, A's, B's.
    pub merged: Vec<(Metric, f64, f64)>,
}

/// A metric at a point.
#[derive(Debug)]
pub struct Row {
    /// What.
    pub metric: Metric,
    /// B less A.
    pub difference: Difference,
}

/// A limit at a point.
#[derive(Debug)]
pub struct Crossing {
    /// The limit.
    pub limit: Limit,
    /// The point.
    pub point: String,
    /// How it stands.
    pub standing: Standing,
    /// The difference, where both sides have the metric.
    pub difference: Option<Difference>,
}

/// A comparison that cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CompareError {
    /// A backend that a record does not have.
    #[error("{record} has no backend {backend:?}; it has {has}")]
    NoBackend {
        /// The record.
        record: String,
        /// The backend asked for.
        backend: String,
        /// Those it has.
        has: String,
    },
    /// No point in common.
    #[error(
        "no point is the same on both sides, so there is nothing to compare\n  {a}: {points_a}\n  \
         {b}: {points_b}"
    )]
    NothingInCommon {
        /// A's name.
        a: String,
        /// B's name.
        b: String,
        /// A's points.
        points_a: String,
        /// B's points.
        points_b: String,
    },
}

/// Metrics that are compared, in their order; others only when a limit names them.
const SHOWN: [Metric; 13] = [
    Metric::Latency(Span::Delivery, Stat::Mean),
    Metric::Latency(Span::Delivery, Stat::P50),
    Metric::Latency(Span::Delivery, Stat::P99),
    Metric::Latency(Span::Ack, Stat::P50),
    Metric::Latency(Span::Response, Stat::P99),
    Metric::Throughput,
    Metric::Resource(Resource::Cpu),
    Metric::Resource(Resource::MemoryGrowth),
    Metric::Resource(Resource::BlockWritten),
    Metric::Resource(Resource::NetworkReceived),
    Metric::Resource(Resource::NetworkSent),
    Metric::Lost,
    Metric::Latency(Span::Lag, Stat::P99),
];

impl Side<'_> {
    fn has(&self, choice: &BackendChoice) -> bool {
        let Some(wanted) = &self.backend else { return true };
        let (name, version) = match wanted.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None => (wanted.as_str(), None),
        };
        choice.name == name && (version.is_none() || choice.version.as_deref() == version)
    }
}

/// Compares `b` with `a`.
///
/// # Errors
/// When a side has no such backend, or no point is on both.
pub fn compare(
    a: &Side<'_>,
    b: &Side<'_>,
    without_suspect: bool,
    limits: &[Limit],
) -> Result<Comparison, CompareError> {
    for side in [a, b] {
        known(side)?;
    }
    // Two backends are meant to differ in the backend; anything else is matched with its own.
    let across = a.backend.is_some() || b.backend.is_some();
    let (cells_a, cells_b) =
        (Cells::of(vec![a.source], without_suspect), Cells::of(vec![b.source], without_suspect));
    let own = |side: &Side<'_>, cells: &Cells<'_>| -> Vec<(String, usize)> {
        let mine = cells.cells.iter().enumerate().filter(|(_, cell)| side.has(&cell.point.backend));
        mine.map(|(place, cell)| (key(cell, across), place)).collect()
    };
    let (keys_a, keys_b) = (own(a, &cells_a), own(b, &cells_b));
    let mut comparison = Comparison {
        names: (a.name.clone(), b.name.clone()),
        origins: origins::origins(a.source.record, b.source.record),
        points: Vec::new(),
        unmatched: Vec::new(),
        notes: notes(a, b),
        limits: Vec::new(),
    };
    for (key, place) in &keys_a {
        match keys_b.iter().find(|(other, _)| other == key) {
            Some((_, other)) => {
                let (one, other) = (&cells_a.cells[*place], &cells_b.cells[*other]);
                comparison.points.push(pair(key, one, other, limits));
            }
            None => comparison.unmatched.push(format!("only in {}: {key}", a.name)),
        }
    }
    for (key, _) in &keys_b {
        if !keys_a.iter().any(|(other, _)| other == key) {
            comparison.unmatched.push(format!("only in {}: {key}", b.name));
        }
    }
    if comparison.points.is_empty() {
        let list = |keys: &[(String, usize)]| {
            let keys: Vec<_> = keys.iter().map(|(key, _)| key.as_str()).collect();
            keys.join(" · ")
        };
        return Err(CompareError::NothingInCommon {
            a: a.name.clone(),
            b: b.name.clone(),
            points_a: list(&keys_a),
            points_b: list(&keys_b),
        });
    }
    by_metric(&mut comparison.points);
    comparison.limits = crossings(&comparison.points, limits);
    Ok(comparison)
}

/// Corrects each metric for the number of points at which it is compared: each metric is a
/// question of its own.
fn by_metric(points: &mut [Pair]) {
    let mut metrics: Vec<_> =
        points.iter().flat_map(|pair| pair.rows.iter().map(|row| row.metric)).collect();
    metrics.sort_unstable();
    metrics.dedup();
    for metric in metrics {
        let rows = points.iter_mut().flat_map(|pair| &mut pair.rows);
        let mut differences: Vec<_> =
            rows.filter(|row| row.metric == metric).map(|row| &mut row.difference).collect();
        difference::correct(&mut differences);
    }
}

fn known(side: &Side<'_>) -> Result<(), CompareError> {
    let points = &side.source.record.points;
    if points.iter().any(|point| side.has(&point.point.backend)) {
        return Ok(());
    }
    let mut has: Vec<_> = points.iter().map(|point| point.point.backend.to_string()).collect();
    has.dedup();
    Err(CompareError::NoBackend {
        record: side.source.name.to_owned(),
        backend: side.backend.clone().unwrap_or_default(),
        has: has.join(", "),
    })
}

/// What makes two points the same: everything but the backend, when backends are compared.
fn key(cell: &Cell<'_>, across: bool) -> String {
    let workload = &cell.point.workload;
    let mut parts = Vec::new();
    if !across {
        // A newer version of the same backend is what a comparison is often about.
        parts.push(cell.point.backend.name.clone());
    }
    parts.extend(cell.scenario().map(|s| scenario(s).to_owned()));
    parts.push(Over::Users.at(cell));
    parts.push(workload.payload().exact());
    parts.push(format!("durability {}", durability(cell.point.durability)));
    parts.join(", ")
}

fn notes(a: &Side<'_>, b: &Side<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let plans = (&a.source.record.plan, &b.source.record.plan);
    let loads = |side: &Side<'_>| -> Vec<String> {
        let points = side.source.record.points.iter();
        points.filter_map(|p| serde_json::to_string(&p.point.workload).ok()).collect()
    };
    if plans.0.profile != plans.1.profile || loads(a) != loads(b) {
        notes.push(
            "the records come from different plans: only points that both have are compared, and \
             their loads may differ in what a point's name does not say"
                .to_owned(),
        );
    }
    for side in [a, b] {
        let servers = &side.source.record.provenance.servers;
        for (backend, server) in servers {
            if side.backend.as_ref().is_none_or(|wanted| wanted.starts_with(backend.as_str())) {
                let caution = server.caution.as_ref();
                notes.extend(caution.map(|caution| format!("{}: {caution}", side.name)));
            }
        }
    }
    notes
}

fn pair(key: &str, a: &Cell<'_>, b: &Cell<'_>, limits: &[Limit]) -> Pair {
    let mut metrics = SHOWN.to_vec();
    for limit in limits {
        if !metrics.contains(&limit.metric) {
            metrics.push(limit.metric);
        }
    }
    let mut rows = Vec::new();
    let mut merged = Vec::new();
    for metric in metrics {
        if let Some(difference) = difference::difference(&a.values(metric), &b.values(metric)) {
            rows.push(Row { metric, difference });
        } else if let Metric::Latency(span, stat) = metric {
            let of = |cell: &Cell<'_>| cell.latency(span).and_then(|latency| stat.of(&latency));
            merged.extend(of(a).zip(of(b)).map(|(a, b)| (metric, a, b)));
        }
    }
    let count = |cell: &Cell<'_>| (cell.measured.len(), cell.suspect());
    Pair { point: key.to_owned(), repetitions: [count(a), count(b)], rows, merged }
}

fn crossings(points: &[Pair], limits: &[Limit]) -> Vec<Crossing> {
    let mut crossings = Vec::new();
    for limit in limits {
        for pair in points {
            let row = pair.rows.iter().find(|row| row.metric == limit.metric);
            // What single repetitions cannot carry, all of their messages together may.
            let merged = pair.merged.iter().find(|(metric, ..)| *metric == limit.metric);
            let difference = row
                .map(|row| row.difference.clone())
                .or_else(|| merged.and_then(|(_, a, b)| difference::difference(&[*a], &[*b])));
            crossings.push(Crossing {
                limit: limit.clone(),
                point: pair.point.clone(),
                standing: difference.as_ref().map_or(Standing::Unknown, |d| limit.judge(d)),
                difference,
            });
        }
    }
    crossings
}

impl Comparison {
    /// Whether any limit is crossed.
    pub fn fails(&self) -> bool {
        self.limits.iter().any(|crossing| crossing.limit.fails(crossing.standing))
    }

    /// Limits that could not be judged at any point: they must not pass in silence.
    pub fn unjudged(&self) -> Vec<&Limit> {
        let mut limits: Vec<&Limit> = Vec::new();
        for crossing in &self.limits {
            let judged = self
                .limits
                .iter()
                .any(|c| c.limit == crossing.limit && c.standing != Standing::Unknown);
            if !judged && !limits.contains(&&crossing.limit) {
                limits.push(&crossing.limit);
            }
        }
        limits
    }
}
