//! Cells of a report: one point of one record, with the repetitions that count and the number of those
//! that do not.

use std::cell::OnceCell;

use crate::{
    format::count_noun,
    measure::{Estimate, Judgement, LatencySummary},
    plan::{Point, Scenario, Workload},
    record::{Latency, Record, Repetition, histogram, summary::TryCounts},
    stats::{distribution::Distribution, estimate::estimate},
};

use super::metric::{LatencyKind, Metric};

/// A record with its display name.
#[derive(Debug, Clone, Copy)]
pub struct SourceRecord<'a> {
    /// File name without folder and extension.
    pub name: &'a str,
    /// Content of the record.
    pub record: &'a Record,
}

/// One point of one record, with its counted repetitions.
#[derive(Debug)]
pub struct ReportCell<'a> {
    /// Index of the record in [`ReportCells::sources`].
    pub record_index: usize,
    /// Point of the plan.
    pub point: &'a Point,
    /// Repetitions that count: valid ones, and suspect ones unless excluded.
    pub measured: Vec<&'a Repetition>,
    /// Number of failed repetitions, which never count.
    pub failed: usize,
    /// Number of failed tries that were repeated.
    pub failed_tries: usize,
    /// Number of tries that failed, for good or until they were repeated, and that the operator did not stop.
    all_failed: usize,
    /// Number of repetitions whose load the operator changed, which never count.
    pub steered: usize,
    /// Number of suspect repetitions excluded on request.
    pub excluded: usize,
    /// Cached results of [`ReportCell::merged_latency`], in the order of [`LatencyKind::ALL`].
    ///
    /// Decoding histograms takes most of a report's time, and every table and figure needs them.
    merged_cache: [OnceCell<Distribution>; LatencyKind::ALL.len()],
}

/// All cells of the records of a report.
#[derive(Debug)]
pub struct ReportCells<'a> {
    /// Records of the report.
    pub sources: Vec<SourceRecord<'a>>,
    /// Every point of every record, even without repetitions.
    pub cells: Vec<ReportCell<'a>>,
    /// Whether suspect repetitions are excluded.
    pub exclude_suspect: bool,
}

impl<'a> ReportCells<'a> {
    /// Builds the cells of `sources`.
    pub fn from_sources(sources: Vec<SourceRecord<'a>>, without_suspect: bool) -> Self {
        let mut cells = Vec::new();
        for (source, SourceRecord { record, .. }) in sources.iter().enumerate() {
            for point in &record.points {
                let is = |judgement| {
                    move |repetition: &&Repetition| repetition.verdict.status == judgement
                };
                let suspect = point.repetitions.iter().filter(is(Judgement::Suspect)).count();
                let counts = |repetition: &&Repetition| match repetition.verdict.status {
                    Judgement::Valid => true,
                    Judgement::Suspect => !without_suspect,
                    Judgement::Steered | Judgement::Failed => false,
                };
                cells.push(ReportCell {
                    measured: point.repetitions.iter().filter(counts).collect(),
                    failed: point.repetitions.iter().filter(is(Judgement::Failed)).count(),
                    steered: point.steered(),
                    failed_tries: point.failed_tries.len(),
                    all_failed: point.failed_tries(),
                    excluded: if without_suspect { suspect } else { 0 },
                    ..ReportCell::without_repetitions(source, &point.point)
                });
            }
        }
        Self { sources, cells, exclude_suspect: without_suspect }
    }

    /// Returns the cells with at least one counted repetition.
    pub fn measured(&self) -> impl Iterator<Item = &ReportCell<'a>> {
        self.cells.iter().filter(|cell| !cell.measured.is_empty())
    }
}

impl<'a> ReportCell<'a> {
    /// Creates a cell without repetitions.
    pub fn without_repetitions(source: usize, point: &'a Point) -> Self {
        Self {
            record_index: source,
            point,
            measured: Vec::new(),
            failed: 0,
            steered: 0,
            failed_tries: 0,
            all_failed: 0,
            excluded: 0,
            merged_cache: Default::default(),
        }
    }

    /// Returns the metric's values, of the repetitions that have one.
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        self.measured.iter().filter_map(|repetition| metric.value_in(repetition)).collect()
    }

    /// Estimates the metric's mean over the repetitions that have a value.
    pub fn estimate(&self, metric: Metric) -> Option<Estimate> {
        estimate(&self.values(metric), metric.domain())
    }

    /// Returns the tries behind the means of the counted repetitions.
    pub const fn tries(&self) -> TryCounts {
        TryCounts { counted: self.measured.len(), failed: self.all_failed }
    }

    /// Returns the number of counted repetitions that are suspect.
    pub fn suspect_count(&self) -> usize {
        self.measured.iter().filter(|r| r.verdict.status == Judgement::Suspect).count()
    }

    /// Merges the latencies of all counted repetitions into one distribution, because percentiles cannot be
    /// averaged.
    pub fn merged_latency(&self, kind: LatencyKind) -> &Distribution {
        self.merged_cache[kind as usize].get_or_init(|| self.merge_histograms(kind))
    }

    fn merge_histograms(&self, kind: LatencyKind) -> Distribution {
        let mut all = Distribution::default();
        for latency in self.measured.iter().filter_map(|repetition| kind.latency_in(repetition)) {
            match histogram::decode_latency(latency) {
                Ok(distribution) => all.merge(&distribution),
                Err(error) => tracing::error!(%error, "latency histogram left out of the report"),
            }
        }
        all
    }

    /// Summarizes [`ReportCell::merged_latency`] as mean and percentiles.
    pub fn latency_summary(&self, kind: LatencyKind) -> LatencySummary {
        self.merged_latency(kind).summary()
    }

    /// Returns [`ReportCell::merged_latency`] in the form of a record; `None` without messages.
    pub fn latency(&self, kind: LatencyKind) -> Option<Latency> {
        histogram::encode_latency(self.merged_latency(kind))
    }

    /// Returns the backend with its version, as in a profile.
    pub fn backend(&self) -> String {
        self.point.backend.to_string()
    }

    /// Returns the scenario; `None` for a latency point.
    pub const fn scenario(&self) -> Option<Scenario> {
        match &self.point.workload {
            Workload::Throughput(workload) => Some(workload.scenario),
            Workload::Latency(_) => None,
        }
    }

    /// Describes the point: backend, scenario, users, payload, durability.
    pub fn describe(&self) -> String {
        let workload = &self.point.workload;
        let scenario = self.scenario().map_or_else(String::new, |s| format!("{}, ", s.name()));
        format!(
            "{}, {scenario}{}, {}, durability {}",
            self.backend(),
            count_noun(workload.users().into(), "user"),
            workload.payload(),
            self.point.durability.name(),
        )
    }
}
