//! Compares two records or two backends, point by point.

use super::{
    cells::{ReportCell, ReportCells, SourceRecord},
    difference_limit::{DifferenceLimit, LimitStatus},
    figures::sweep::SweptValue,
    metric::{LatencyKind, LatencyStat, Metric, ResourceMetric},
};
use crate::{
    plan::BackendChoice,
    stats::difference::{self, Difference},
};

mod provenance;
mod text;

pub use text::{P_VALUE_NOTE, changes, csv, difference_label, format_change, json, text};

/// One side of a comparison.
#[derive(Debug, Clone)]
pub struct ComparisonSide<'a> {
    /// Display name.
    pub name: String,
    /// Record of this side.
    pub source: SourceRecord<'a>,
    /// Backend to compare; all backends of the record if `None`.
    pub backend: Option<String>,
}

/// Result of a comparison.
#[derive(Debug)]
pub struct Comparison {
    /// Names of side A and side B.
    pub names: (String, String),
    /// Provenance facts that differ: name, value of A, value of B.
    pub provenance_differences: Vec<(String, String, String)>,
    /// Points that both sides have.
    pub points: Vec<PointComparison>,
    /// Descriptions of points that only one side has.
    pub unmatched: Vec<String>,
    /// Cautions to show before any number.
    pub notes: Vec<String>,
    /// Result of each limit at each point.
    pub limits: Vec<LimitResult>,
}

/// Comparison of a point that both sides have.
#[derive(Debug)]
pub struct PointComparison {
    /// Description of the point.
    pub point: String,
    /// Number of counted repetitions, and of suspect ones among them, on each side.
    pub repetitions: [(usize, usize); 2],
    /// Number of repetitions on each side that are left out because the operator changed their load.
    pub steered: [usize; 2],
    /// Difference of every metric that both sides have.
    pub differences: Vec<MetricDifference>,
    /// Percentiles of all messages merged, for metrics that single repetitions have too few messages for:
    /// metric, value of A, value of B.
    pub merged_percentiles: Vec<(Metric, f64, f64)>,
}

/// Difference of a metric at a point.
#[derive(Debug)]
pub struct MetricDifference {
    /// Metric compared.
    pub metric: Metric,
    /// B minus A.
    pub difference: Difference,
}

/// Result of a limit at a point.
#[derive(Debug)]
pub struct LimitResult {
    /// Limit that was evaluated.
    pub limit: DifferenceLimit,
    /// Description of the point.
    pub point: String,
    /// Status of the limit.
    pub status: LimitStatus,
    /// Difference, if both sides have the metric.
    pub difference: Option<Difference>,
}

/// Error of a comparison.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CompareError {
    /// The record does not have the backend.
    #[error("{record} has no backend {backend:?}; it has {has}")]
    UnknownBackend {
        /// Name of the record.
        record: String,
        /// Requested backend.
        backend: String,
        /// Backends of the record, comma separated.
        has: String,
    },
    /// The sides have no point in common.
    #[error(
        "no point is the same on both sides, so there is nothing to compare\n  {a}: {points_a}\n  \
         {b}: {points_b}"
    )]
    NoCommonPoint {
        /// Name of side A.
        a: String,
        /// Name of side B.
        b: String,
        /// Points of side A.
        points_a: String,
        /// Points of side B.
        points_b: String,
    },
}

/// Metrics that are always compared, in display order; a limit can add others.
const COMPARED_METRICS: [Metric; 13] = [
    Metric::Latency(LatencyKind::Delivery, LatencyStat::Mean),
    Metric::Latency(LatencyKind::Delivery, LatencyStat::P50),
    Metric::Latency(LatencyKind::Delivery, LatencyStat::P99),
    Metric::Latency(LatencyKind::Ack, LatencyStat::P50),
    Metric::Latency(LatencyKind::Response, LatencyStat::P99),
    Metric::Throughput,
    Metric::Resource(ResourceMetric::Cpu),
    Metric::Resource(ResourceMetric::MemoryGrowth),
    Metric::Resource(ResourceMetric::BlockWritten),
    Metric::Resource(ResourceMetric::NetworkReceived),
    Metric::Resource(ResourceMetric::NetworkSent),
    Metric::Lost,
    Metric::Latency(LatencyKind::Lag, LatencyStat::P99),
];

impl ComparisonSide<'_> {
    fn includes(&self, choice: &BackendChoice) -> bool {
        let Some(wanted) = &self.backend else { return true };
        let (name, version) = match wanted.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None => (wanted.as_str(), None),
        };
        choice.name == name && (version.is_none() || choice.version.as_deref() == version)
    }
}

/// Compares side `b` with side `a`.
///
/// # Errors
/// When a side lacks its backend, or no point is on both sides.
pub fn compare(
    a: &ComparisonSide<'_>,
    b: &ComparisonSide<'_>,
    without_suspect: bool,
    limits: &[DifferenceLimit],
) -> Result<Comparison, CompareError> {
    for side in [a, b] {
        check_backend(side)?;
    }
    // When backends are compared, points match across backends; otherwise the backend must be equal.
    let across = a.backend.is_some() || b.backend.is_some();
    let (cells_a, cells_b) = (
        ReportCells::from_sources(vec![a.source], without_suspect),
        ReportCells::from_sources(vec![b.source], without_suspect),
    );
    let own = |side: &ComparisonSide<'_>, cells: &ReportCells<'_>| -> Vec<(String, usize)> {
        let mine =
            cells.cells.iter().enumerate().filter(|(_, cell)| side.includes(&cell.point.backend));
        mine.map(|(place, cell)| (point_key(cell, across), place)).collect()
    };
    let (keys_a, keys_b) = (own(a, &cells_a), own(b, &cells_b));
    let mut comparison = Comparison {
        names: (a.name.clone(), b.name.clone()),
        provenance_differences: provenance::provenance_differences(
            a.source.record,
            b.source.record,
        ),
        points: Vec::new(),
        unmatched: Vec::new(),
        notes: notes(a, b),
        limits: Vec::new(),
    };
    for (key, place) in &keys_a {
        match keys_b.iter().find(|(other, _)| other == key) {
            Some((_, other)) => {
                let (one, other) = (&cells_a.cells[*place], &cells_b.cells[*other]);
                comparison.points.push(compare_point(key, one, other, limits));
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
        return Err(CompareError::NoCommonPoint {
            a: a.name.clone(),
            b: b.name.clone(),
            points_a: list(&keys_a),
            points_b: list(&keys_b),
        });
    }
    correct_p_values(&mut comparison.points);
    comparison.limits = evaluate_limits(&comparison.points, limits);
    Ok(comparison)
}

/// Corrects the p-values of each metric for the number of compared points; each metric is a separate
/// question.
fn correct_p_values(points: &mut [PointComparison]) {
    let mut metrics: Vec<_> =
        points.iter().flat_map(|pair| pair.differences.iter().map(|row| row.metric)).collect();
    metrics.sort_unstable();
    metrics.dedup();
    for metric in metrics {
        let rows = points.iter_mut().flat_map(|pair| &mut pair.differences);
        let mut differences: Vec<_> =
            rows.filter(|row| row.metric == metric).map(|row| &mut row.difference).collect();
        difference::apply_holm(&mut differences);
    }
}

fn check_backend(side: &ComparisonSide<'_>) -> Result<(), CompareError> {
    let points = &side.source.record.points;
    if points.iter().any(|point| side.includes(&point.point.backend)) {
        return Ok(());
    }
    let mut has: Vec<_> = points.iter().map(|point| point.point.backend.to_string()).collect();
    has.dedup();
    Err(CompareError::UnknownBackend {
        record: side.source.name.to_owned(),
        backend: side.backend.clone().unwrap_or_default(),
        has: has.join(", "),
    })
}

/// Returns the key by which points match: all parts of the point, without the backend if `across`.
fn point_key(cell: &ReportCell<'_>, across: bool) -> String {
    let workload = &cell.point.workload;
    let mut parts = Vec::new();
    if !across {
        // Without the version: a comparison is often about a newer version of the same backend.
        parts.push(cell.point.backend.name.clone());
    }
    parts.extend(cell.scenario().map(|s| s.name().to_owned()));
    parts.push(SweptValue::Users.describe(cell));
    parts.push(workload.payload().exact());
    parts.push(format!("durability {}", cell.point.durability.name()));
    parts.join(", ")
}

fn notes(a: &ComparisonSide<'_>, b: &ComparisonSide<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let plans = (&a.source.record.plan, &b.source.record.plan);
    let loads = |side: &ComparisonSide<'_>| -> Vec<String> {
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
                let cautions = server.all_cautions();
                notes.extend(cautions.map(|caution| format!("{}: {caution}", side.name)));
            }
        }
    }
    notes
}

fn compare_point(
    key: &str,
    a: &ReportCell<'_>,
    b: &ReportCell<'_>,
    limits: &[DifferenceLimit],
) -> PointComparison {
    let mut metrics = COMPARED_METRICS.to_vec();
    for limit in limits {
        if !metrics.contains(&limit.metric) {
            metrics.push(limit.metric);
        }
    }
    let mut rows = Vec::new();
    let mut merged = Vec::new();
    for metric in metrics {
        if let Some(difference) =
            difference::difference(&a.values(metric), &b.values(metric), metric.domain())
        {
            rows.push(MetricDifference { metric, difference });
        } else if let Metric::Latency(span, stat) = metric {
            let of = |cell: &ReportCell<'_>| {
                cell.latency(span).and_then(|latency| stat.value_in(&latency))
            };
            merged.extend(of(a).zip(of(b)).map(|(a, b)| (metric, a, b)));
        }
    }
    let count = |cell: &ReportCell<'_>| (cell.measured.len(), cell.suspect_count());
    PointComparison {
        point: key.to_owned(),
        repetitions: [count(a), count(b)],
        steered: [a.steered, b.steered],
        differences: rows,
        merged_percentiles: merged,
    }
}

fn evaluate_limits(points: &[PointComparison], limits: &[DifferenceLimit]) -> Vec<LimitResult> {
    let mut crossings = Vec::new();
    for limit in limits {
        for pair in points {
            let row = pair.differences.iter().find(|row| row.metric == limit.metric);
            // Percentiles of merged messages, where single repetitions have too few messages.
            let merged =
                pair.merged_percentiles.iter().find(|(metric, ..)| *metric == limit.metric);
            let difference = row.map(|row| row.difference.clone()).or_else(|| {
                merged.and_then(|(_, a, b)| {
                    difference::difference(&[*a], &[*b], limit.metric.domain())
                })
            });
            crossings.push(LimitResult {
                limit: limit.clone(),
                point: pair.point.clone(),
                status: difference.as_ref().map_or(LimitStatus::Undecidable, |d| limit.evaluate(d)),
                difference,
            });
        }
    }
    crossings
}

impl Comparison {
    /// Returns whether any limit fails the comparison.
    pub fn has_crossed_limit(&self) -> bool {
        self.limits.iter().any(|crossing| crossing.limit.is_failed_by(crossing.status))
    }

    /// Returns the limits that could not be evaluated at any point, which must not pass silently.
    pub fn undecidable_limits(&self) -> Vec<&DifferenceLimit> {
        let mut limits: Vec<&DifferenceLimit> = Vec::new();
        for crossing in &self.limits {
            let judged = self
                .limits
                .iter()
                .any(|c| c.limit == crossing.limit && c.status != LimitStatus::Undecidable);
            if !judged && !limits.contains(&&crossing.limit) {
                limits.push(&crossing.limit);
            }
        }
        limits
    }
}
