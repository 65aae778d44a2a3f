//! Cells of the study's two systems, and evidence for and against its findings.

use super::finding::{Ruling, StudyFinding};
use crate::{
    format::probability,
    plan::Scenario,
    report::{
        cells::{ReportCell, ReportCells},
        figures::sweep::{Sweep, SweptValue},
        metric::Metric,
    },
    stats::{
        ALPHA,
        band::BandTest,
        difference::{Difference, DifferenceVerdict, apply_holm_among},
        ratio::{Ratio, ratio},
        trend::{Trend, slope},
    },
};

/// Cells of the study's two systems.
pub struct StudyCells<'a> {
    cells: &'a ReportCells<'a>,
}

/// One of the study's two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StudySystem {
    /// The event-streaming platform.
    Kafka,
    /// The database.
    Sql,
}

impl StudySystem {
    /// Both systems.
    pub const BOTH: [Self; 2] = [Self::Kafka, Self::Sql];

    const fn backend(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Sql => "mariadb",
        }
    }

    /// Returns the display name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "Kafka",
            Self::Sql => "MariaDB",
        }
    }
}

impl<'a> StudyCells<'a> {
    /// Wraps `cells`.
    pub const fn new(cells: &'a ReportCells<'a>) -> Self {
        Self { cells }
    }

    /// Returns a system's cells in a sweep, ordered by the swept value.
    ///
    /// When a report has several versions, durabilities or records of a system, only the first planned
    /// series is used.
    pub fn sweep(&self, system: StudySystem, swept: SweptValue) -> Vec<&'a ReportCell<'a>> {
        let family = Sweep::from_cells(self.cells, swept);
        let lines = family.series();
        let own = lines.into_iter().find(|line| {
            line.cells.first().is_some_and(|c| c.point.backend.name == system.backend())
        });
        own.map(|line| line.cells).unwrap_or_default()
    }

    /// Returns a system's cell of a scenario.
    pub fn scenario(&self, system: StudySystem, scenario: Scenario) -> Option<&'a ReportCell<'a>> {
        self.sweep(system, SweptValue::Scenario)
            .into_iter()
            .find(|cell| cell.scenario() == Some(scenario))
    }

    /// Returns both systems' cells at the values that both have.
    pub fn pairs(&self, swept: SweptValue) -> Vec<(f64, &'a ReportCell<'a>, &'a ReportCell<'a>)> {
        let sql = self.sweep(StudySystem::Sql, swept);
        let matched = |kafka: &'a ReportCell<'a>| {
            let x = swept.value(kafka);
            let sql = sql.iter().copied().find(|cell| swept.value(cell).total_cmp(&x).is_eq());
            sql.map(|sql| (x, kafka, sql))
        };
        self.sweep(StudySystem::Kafka, swept).into_iter().filter_map(matched).collect()
    }

    /// Returns the number of the hub's cores, if known.
    pub fn cores(&self) -> Option<f64> {
        let source = self.cells.sources.first()?;
        source.record.provenance.hub.cores.map(f64::from)
    }
}

/// Test behind a piece of evidence.
enum EvidenceTest {
    /// No test: the evidence agrees, disagrees, or neither.
    None(Option<bool>),
    /// A value that agrees if it lies in a band and `condition` holds.
    Band { test: BandTest, condition: bool },
    /// Two points that agree if they differ in the direction `expected`.
    Difference { difference: Difference, expected: DifferenceVerdict },
}

/// Builds a finding from pieces of evidence.
///
/// The finding is confirmed when all evidence agrees, and contradicted when any evidence disagrees. Evidence
/// with a test does either only if the test decides, once corrected for all tests of all findings.
pub struct FindingBuilder {
    evidence: Vec<(EvidenceTest, String)>,
}

/// A finding whose tests are not corrected yet.
pub struct FindingDraft {
    claim: &'static str,
    meaning: &'static str,
    evidence: Vec<(EvidenceTest, String)>,
    /// Remarks without influence on the ruling.
    notes: Vec<String>,
}

impl FindingBuilder {
    /// Creates a builder without evidence.
    pub const fn new() -> Self {
        Self { evidence: Vec::new() }
    }

    /// Adds evidence without a test; `None` when it neither agrees nor disagrees.
    pub fn add_untested(&mut self, agrees: Option<bool>, text: String) {
        self.evidence.push((EvidenceTest::None(agrees), text));
    }

    /// Adds a value that must lie in a band, by the band's test; without a test, nothing is decided.
    pub fn add_band(&mut self, band: Option<BandTest>, text: String) {
        self.add_band_if(band, true, text);
    }

    /// Adds a value that must lie in a band, by the band's test, and for which `condition` must hold, too.
    pub fn add_band_if(&mut self, band: Option<BandTest>, condition: bool, text: String) {
        let proof =
            band.map_or(EvidenceTest::None(None), |test| EvidenceTest::Band { test, condition });
        self.evidence.push((proof, text));
    }

    /// Adds two points that must differ in the direction `expected`.
    pub fn add_difference(
        &mut self,
        difference: Option<Difference>,
        expected: DifferenceVerdict,
        text: String,
    ) {
        let proof = difference.map_or(EvidenceTest::None(None), |difference| {
            EvidenceTest::Difference { difference, expected }
        });
        self.evidence.push((proof, text));
    }

    /// Adds a missing measurement, which makes the finding undecidable.
    pub fn add_missing(&mut self, what: &str) {
        self.add_untested(None, format!("not in this record: {what}"));
    }

    /// Builds the finding; undecidable without evidence.
    pub fn build(self, claim: &'static str, meaning: &'static str) -> FindingDraft {
        self.build_with_notes(claim, meaning, Vec::new())
    }

    /// Builds the finding with remarks that have no influence on the ruling.
    pub fn build_with_notes(
        self,
        claim: &'static str,
        meaning: &'static str,
        notes: Vec<String>,
    ) -> FindingDraft {
        FindingDraft { claim, meaning, evidence: self.evidence, notes }
    }
}

/// Rules on all findings, with every test corrected for the number of tests (Holm).
pub fn rule(mut drafts: Vec<FindingDraft>) -> Vec<StudyFinding> {
    let bands: Vec<f64> = drafts
        .iter()
        .flat_map(|draft| &draft.evidence)
        .filter_map(|(test, _)| match test {
            EvidenceTest::Band { test, .. } => Some(test.p),
            EvidenceTest::None(_) | EvidenceTest::Difference { .. } => None,
        })
        .collect();
    let mut differences: Vec<&mut Difference> = drafts
        .iter_mut()
        .flat_map(|draft| &mut draft.evidence)
        .filter_map(|(test, _)| match test {
            EvidenceTest::Difference { difference, .. } => Some(difference),
            EvidenceTest::None(_) | EvidenceTest::Band { .. } => None,
        })
        .collect();
    let mut corrected = apply_holm_among(&mut differences, &bands).into_iter();
    drafts.into_iter().map(|draft| draft.rule(&mut corrected)).collect()
}

impl FindingDraft {
    /// Rules on the finding, with the `corrected` p of its tests of bands next.
    fn rule(self, corrected: &mut impl Iterator<Item = f64>) -> StudyFinding {
        let (mut rulings, mut evidence) = (Vec::new(), Vec::new());
        for (proof, text) in self.evidence {
            let (agrees, p) = match proof {
                EvidenceTest::None(agrees) => (agrees, None),
                EvidenceTest::Band { test, condition } => {
                    let p = corrected.next().unwrap_or(1.0);
                    ((p < ALPHA).then_some(test.within && condition), Some(p))
                }
                EvidenceTest::Difference { difference, expected } => {
                    let seen = difference.verdict;
                    let decided =
                        matches!(seen, DifferenceVerdict::Higher | DifferenceVerdict::Lower);
                    (decided.then_some(seen == expected), difference.p)
                }
            };
            rulings.push(Ruling::from_agreement(agrees));
            evidence.push(match p {
                Some(p) => format!("{text}; corrected p {}", probability(p)),
                None => text,
            });
        }
        let ruling = rulings.into_iter().reduce(Ruling::and).unwrap_or(Ruling::Undecidable);
        evidence.extend(self.notes);
        StudyFinding { claim: self.claim, meaning: self.meaning, ruling, evidence }
    }
}

/// Formats a cell's estimate: `Kafka 2.10 ms [2.01, 2.19]`.
pub fn format_estimate(name: &str, cell: &ReportCell<'_>, metric: Metric) -> String {
    let quantity = metric.quantity();
    match cell.estimate(metric) {
        None => format!("{name} –"),
        Some(estimate) => {
            let interval = estimate.ci_low.zip(estimate.ci_high).map_or_else(
                || format!(" (n = {}, no interval)", estimate.n),
                |(low, high)| {
                    let n = estimate.n;
                    format!(" [{}, {}] (n = {n})", quantity.format(low), quantity.format(high))
                },
            );
            format!("{name} {}{interval}", quantity.format(estimate.mean))
        }
    }
}

/// Returns the ratio of the cell `of` to the cell `to`, and its text.
pub fn cell_ratio(
    metric: Metric,
    of: &ReportCell<'_>,
    to: &ReportCell<'_>,
) -> Option<(Ratio, String)> {
    let ratio = ratio(&to.values(metric), &of.values(metric))?;
    let three = crate::format::three_significant;
    let interval = ratio.interval.map_or_else(
        || " (no interval)".to_owned(),
        |(low, high)| format!(" [{}, {}]", three(low), three(high)),
    );
    Some((ratio, format!("{} ×{interval}", three(ratio.ratio))))
}

/// Fits the slope of a metric over a sweep.
pub fn sweep_trend(cells: &[&ReportCell<'_>], swept: SweptValue, metric: Metric) -> Option<Trend> {
    let pairs: Vec<_> = cells
        .iter()
        .flat_map(|cell| cell.values(metric).into_iter().map(|y| (swept.value(cell), y)))
        .collect();
    slope(&pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{difference::difference, estimate::Domain};

    fn ruling_among(others: usize, add: impl Fn(&mut FindingBuilder)) -> (Ruling, String) {
        let draft = |add: &dyn Fn(&mut FindingBuilder)| {
            let mut finding = FindingBuilder::new();
            add(&mut finding);
            finding.build("claim", "meaning")
        };
        let undecided = |finding: &mut FindingBuilder| {
            finding.add_band(Some(BandTest { within: true, p: 0.8 }), "other".into());
        };
        let mut drafts = vec![draft(&add)];
        drafts.extend((0..others).map(|_| draft(&undecided)));
        let mut ruled = rule(drafts);
        let first = ruled.swap_remove(0);
        (first.ruling, first.evidence[0].clone())
    }

    #[test]
    fn findings_are_judged_with_correction_for_their_number() {
        for within in [true, false] {
            let add = |finding: &mut FindingBuilder| {
                finding.add_band(Some(BandTest { within, p: 0.02 }), "a value".into());
            };
            let alone = if within { Ruling::Confirmed } else { Ruling::Contradicted };
            assert_eq!(ruling_among(0, add), (alone, "a value; corrected p 0.020".into()));
            let among = (Ruling::Undecidable, "a value; corrected p 0.060".to_owned());
            assert_eq!(ruling_among(2, add), among);
        }
        let add = |finding: &mut FindingBuilder| {
            let compared = difference(
                &[2.1, 2.3, 2.2, 2.6, 2.4],
                &[2.9, 3.4, 2.8, 5.1, 3.0, 3.3],
                Domain::NonNegative,
            );
            finding.add_difference(compared, DifferenceVerdict::Higher, "a difference".into());
        };
        assert_eq!(ruling_among(0, add).0, Ruling::Confirmed, "p = 0.025 alone");
        assert_eq!(ruling_among(2, add).0, Ruling::Undecidable);
    }

    #[test]
    fn missing_and_untested_evidence_is_not_corrected() {
        let missing = |finding: &mut FindingBuilder| finding.add_missing("a figure");
        let text = "not in this record: a figure".to_owned();
        assert_eq!(ruling_among(0, missing), (Ruling::Undecidable, text));
        let untested = |finding: &mut FindingBuilder| finding.add_untested(Some(true), "x".into());
        assert_eq!(ruling_among(9, untested), (Ruling::Confirmed, "x".into()));
        let condition = |finding: &mut FindingBuilder| {
            finding.add_band_if(Some(BandTest { within: true, p: 0.001 }), false, "x".into());
        };
        assert_eq!(ruling_among(0, condition).0, Ruling::Contradicted);
    }
}
