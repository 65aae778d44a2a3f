//! What the record of a finished run says: the answer in sentences, the distribution of each point, the
//! figures of the sweep, and what changed since the last comparable run.

use std::path::PathBuf;

use crate::{
    event::{BAR_COUNT, BARS_PER_DECADE, FIRST_BAR_MICROS},
    format,
    record::Record,
    report::{
        cells::{ReportCell, ReportCells, SourceRecord},
        compare::{self, Comparison},
        conclusions,
        figures::{self, Figure},
        metric::{LatencyKind, Metric},
    },
    stats::difference::DifferenceVerdict,
};

/// Number of changes since the last comparable run that its sentence tells; the comparison has all.
const MAX_CHANGES: usize = 2;

/// Results of a finished run, read from its record.
#[derive(Debug, Clone)]
pub struct RunResults {
    /// Results in sentences, with their intervals, the most important first.
    pub sentences: Vec<String>,
    /// How certain the results are.
    pub confidence: Vec<String>,
    /// What is shown of each point of the plan; `None` for a point without a measured repetition.
    pub distributions: Vec<Option<PointDistribution>>,
    /// Figures of the record, those of the sweep first.
    pub figures: Vec<Figure>,
    /// The last comparable run, if there is one.
    pub previous: Option<PreviousRun>,
}

/// Distribution of a point's main figure.
#[derive(Debug, Clone, PartialEq)]
pub enum PointDistribution {
    /// A duration of all messages of the point.
    Latency(LatencyBars),
    /// The payload bytes per second of each repetition.
    Rates(Vec<f64>),
}

/// A duration of all messages of a point, as counts over logarithmic bars.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyBars {
    /// The duration.
    pub kind: LatencyKind,
    /// Counts of the bars, as in [`crate::event::Snapshot::bars`].
    pub bars: Vec<u64>,
    /// Median in microseconds; `None` with too few messages.
    pub p50: Option<f64>,
    /// 99th percentile in microseconds; `None` with too few messages.
    pub p99: Option<f64>,
}

/// The last run that measured a point of this one, with the same profile.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviousRun {
    /// File of its record.
    pub path: PathBuf,
    /// Start of that run.
    pub started: jiff::Timestamp,
    /// Number of figures that were compared.
    pub compared: usize,
    /// Number of figures with too few repetitions for an interval.
    pub undecided: usize,
    /// Figures that differ, in the words of `hubmark compare`.
    pub changes: Vec<String>,
    /// What differs in the provenance of the two records: name, then value there and here.
    pub provenance: Vec<String>,
}

impl PreviousRun {
    /// Describes what changed since that run.
    pub fn new(path: PathBuf, started: jiff::Timestamp, comparison: &Comparison) -> Self {
        let rows = || comparison.points.iter().flat_map(|point| &point.differences);
        let is_undecided = |row: &&compare::MetricDifference| {
            row.difference.verdict == DifferenceVerdict::Undecidable
        };
        let provenance = comparison.provenance_differences.iter();
        Self {
            path,
            started,
            compared: rows().count(),
            undecided: rows().filter(is_undecided).count(),
            changes: compare::changes(comparison),
            provenance: provenance.map(|(name, a, b)| format!("{name}: {a} → {b}")).collect(),
        }
    }

    /// Says in one sentence what changed.
    pub fn sentence(&self) -> String {
        let compared = format::count_noun(self.compared as u64, "figure");
        let mut parts = match (self.changes.as_slice(), self.undecided) {
            ([], 0) => vec![format!("no difference seen in {compared}")],
            ([], all) if all == self.compared => {
                vec![format!("{compared} compared; too few repetitions for an interval")]
            }
            ([], some) => {
                vec![format!("no difference seen in {compared}, {some} without interval")]
            }
            (changes, _) => {
                let verb = if changes.len() == 1 { "differs" } else { "differ" };
                let mut parts = vec![format!("{} of {compared} {verb}", changes.len())];
                parts.extend(changes.iter().take(MAX_CHANGES).cloned());
                if changes.len() > MAX_CHANGES {
                    parts.push(format!("and {} more", changes.len() - MAX_CHANGES));
                }
                parts
            }
        };
        if let [first, others @ ..] = self.provenance.as_slice() {
            let more = match others.len() {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            parts.push(format!("provenance differs in {first}{more}"));
        }
        parts.join("; ")
    }
}

impl RunResults {
    /// Reads the results from a record.
    pub fn from_record(name: &str, record: &Record, previous: Option<PreviousRun>) -> Self {
        let cells = ReportCells::from_sources(vec![SourceRecord { name, record }], false);
        let conclusions = conclusions::draw_conclusions(&cells);
        let is_new = |sentence: &&String| !conclusions.warnings.contains(sentence);
        // The screen counts the losses itself, also without a record.
        let is_result = |sentence: &&String| Some(*sentence) != conclusions.losses.as_ref();
        let mut sentences: Vec<String> =
            conclusions.results.iter().filter(is_result).cloned().collect();
        if conclusions.comparisons.is_empty() {
            // A trend alone does not say how large a figure is.
            let figures = conclusions::single_series_results(&cells);
            let new: Vec<_> = figures.into_iter().filter(|it| !sentences.contains(it)).collect();
            sentences.splice(0..0, new);
        }
        Self {
            confidence: conclusions.confidence.iter().filter(is_new).cloned().collect(),
            distributions: cells.cells.iter().map(distribution).collect(),
            figures: figures::all_figures(&cells),
            sentences,
            previous,
        }
    }
}

fn distribution(cell: &ReportCell<'_>) -> Option<PointDistribution> {
    if cell.scenario().is_some() {
        let rates = cell.values(Metric::Throughput);
        return (!rates.is_empty()).then_some(PointDistribution::Rates(rates));
    }
    // A producer that nothing reads has acknowledgements only.
    let kind = [LatencyKind::Delivery, LatencyKind::Ack]
        .into_iter()
        .find(|kind| !cell.merged_latency(*kind).is_empty())?;
    let merged = cell.merged_latency(kind);
    Some(PointDistribution::Latency(LatencyBars {
        kind,
        bars: merged.bars(FIRST_BAR_MICROS, BARS_PER_DECADE, BAR_COUNT),
        p50: merged.percentile(0.5),
        p99: merged.percentile(0.99),
    }))
}
