//! Validation of loaded records: parts that contradict each other were changed or damaged after the record was
//! saved, and nothing may be computed from them.

use std::collections::HashSet;

use hdrhistogram::Histogram;

use super::{Latency, Record, RecordStatus, Repetition, SCHEMA, histogram};
use crate::{
    format::{count, count_noun},
    measure::{Durations, Judgement, Ledger},
    plan::{Plan, ScheduledRepetition},
    stats::distribution::SIGNIFICANT_DIGITS,
};

/// Maximum number of contradictions listed; further ones are only counted.
const MAX_LISTED: usize = 8;

/// Number of messages that no run can send; sums of such counts cannot overflow.
const MAX_MESSAGES: u64 = 1 << 53;

/// Tolerance of a figure beside the histogram that it was computed from: a histogram stores values to within
/// 0.1 %, and whole microseconds.
const RELATIVE_TOLERANCE: f64 = 0.002;
const ABSOLUTE_TOLERANCE_MICROS: f64 = 1.0;

/// Contradictions found in a record.
#[derive(Debug, Default)]
pub struct Contradictions {
    listed: Vec<String>,
    more: usize,
}

impl Contradictions {
    /// Adds a contradiction.
    pub fn add(&mut self, contradiction: impl Into<String>) {
        if self.listed.len() < MAX_LISTED {
            self.listed.push(contradiction.into());
        } else {
            self.more += 1;
        }
    }

    /// Returns the sentences on all contradictions; empty if there is none.
    pub fn into_sentences(mut self) -> Vec<String> {
        if self.more > 0 {
            self.listed.push(format!("and {} more", self.more));
        }
        self.listed
    }
}

/// What a record's results are compared with: its plan, without the details.
#[derive(Debug)]
pub struct PlanShape<'a> {
    /// Schema number of the record.
    pub schema: u64,
    /// Number of points of the plan.
    pub points: usize,
    /// Repetitions of each point.
    pub repetitions: u32,
    /// Every repetition in the order of execution; empty for a capacity search.
    pub schedule: &'a [ScheduledRepetition],
    /// Whether the plan is a capacity search, which decides the number of its repetitions itself.
    pub is_search: bool,
    /// Status of the record.
    pub status: RecordStatus,
}

/// Position of a result in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResultPosition {
    /// Index of the point.
    pub point: usize,
    /// Number of the repetition.
    pub index: u32,
    /// Position in the run's schedule.
    pub order: u32,
}

/// Compares schema, plan and positions of results: `points` is the number of points with results,
/// `repetitions` are the last tries, `failed_tries` the earlier ones.
pub fn check_shape(
    plan: &PlanShape<'_>,
    points: usize,
    repetitions: &[ResultPosition],
    failed_tries: &[ResultPosition],
    found: &mut Contradictions,
) {
    if plan.schema == 0 || plan.schema > u64::from(SCHEMA) {
        found.add(format!("there is no schema {}", plan.schema));
    }
    if plan.points == 0 {
        found.add("its plan has no points");
    }
    if points != plan.points {
        let planned = count_noun(plan.points as u64, "point");
        found.add(format!("its plan has {planned}, its results have {points}"));
    }
    check_schedule(plan, found);
    let mut seen = HashSet::new();
    for position in repetitions {
        check_position(plan, position, found);
        if !seen.insert((position.point, position.index)) {
            found.add(format!("{} is there twice", describe(position)));
        }
    }
    for position in failed_tries {
        check_position(plan, position, found);
    }
    if plan.status == RecordStatus::Complete && !plan.is_search {
        let missing = plan.schedule.iter().filter(|s| !seen.contains(&(s.point, s.repetition)));
        let missing = missing.count();
        if missing > 0 {
            found.add(format!(
                "it is complete, and of its {} {missing} {} missing",
                count_noun(plan.schedule.len() as u64, "repetition"),
                if missing == 1 { "is" } else { "are" }
            ));
        }
    }
}

fn check_schedule(plan: &PlanShape<'_>, found: &mut Contradictions) {
    let planned = if plan.is_search { 0 } else { plan.points as u64 * u64::from(plan.repetitions) };
    if plan.schedule.len() as u64 != planned {
        found.add(format!(
            "its schedule has {}, its plan {planned}",
            count_noun(plan.schedule.len() as u64, "repetition")
        ));
    }
    let mut seen = HashSet::new();
    for step in plan.schedule {
        if step.point >= plan.points || step.repetition >= plan.repetitions {
            found.add(format!(
                "its schedule names repetition {} of point {}; there are {} of each of {}",
                step.repetition,
                step.point,
                plan.repetitions,
                count_noun(plan.points as u64, "point")
            ));
        } else if !seen.insert((step.point, step.repetition)) {
            found.add(format!(
                "its schedule names repetition {} of point {} twice",
                step.repetition, step.point
            ));
        }
    }
}

fn check_position(plan: &PlanShape<'_>, position: &ResultPosition, found: &mut Contradictions) {
    if position.point >= plan.points {
        let points = count_noun(plan.points as u64, "point");
        found.add(format!("{}: the plan has {points}", describe(position)));
    }
    if plan.is_search {
        return;
    }
    if position.index >= plan.repetitions {
        found.add(format!("{}: the plan has {} of each", describe(position), plan.repetitions));
    }
    if position.order as usize >= plan.schedule.len() {
        let steps = plan.schedule.len();
        found.add(format!("{} is step {} of {steps}", describe(position), position.order));
    }
}

fn describe(position: &ResultPosition) -> String {
    format!("repetition {} of point {}", position.index, position.point)
}

/// Compares all parts of a record but its histograms, which [`check_repetition`] compares one by one.
pub fn check_record(record: &Record, found: &mut Contradictions) {
    let Plan { points, repetitions, schedule, capacity, .. } = &record.plan;
    let plan = PlanShape {
        schema: record.schema.into(),
        points: points.len(),
        repetitions: *repetitions,
        schedule,
        is_search: capacity.is_some(),
        status: record.status,
    };
    let positions = |results: fn(&super::PointResult) -> &[Repetition]| -> Vec<ResultPosition> {
        let all = record.points.iter().enumerate().flat_map(|(point, result)| {
            results(result).iter().map(move |repetition| position_of(point, repetition))
        });
        all.collect()
    };
    let last_tries = positions(|result| &result.repetitions);
    let failed_tries = positions(|result| &result.failed_tries);
    check_shape(&plan, record.points.len(), &last_tries, &failed_tries, found);
    for (number, (planned, result)) in points.iter().zip(&record.points).enumerate() {
        if *planned != result.point {
            found.add(format!("point {number} is not that of its plan"));
        }
        check_summary(number, result, found);
    }
    let searches = record.plan.searches().len();
    if record.capacity.len() > searches {
        found.add(format!(
            "its plan has {searches} capacity searches, its results {}",
            record.capacity.len()
        ));
    }
}

/// Position of a repetition of the point with the index `point`.
pub const fn position_of(point: usize, repetition: &Repetition) -> ResultPosition {
    ResultPosition { point, index: repetition.index, order: repetition.order }
}

fn check_summary(point: usize, result: &super::PointResult, found: &mut Contradictions) {
    let Some(summary) = &result.summary else { return };
    let count = |status| {
        let of = |one: &&Repetition| one.verdict.status == status;
        result.repetitions.iter().filter(of).count()
    };
    let measured = count(Judgement::Valid) + count(Judgement::Suspect);
    for (what, summarised, there) in [
        ("measured", summary.repetitions, measured),
        ("suspect", summary.suspect, count(Judgement::Suspect)),
        ("failed", summary.failed, count(Judgement::Failed)),
        ("steered", summary.steered, count(Judgement::Steered)),
    ] {
        if summarised as usize != there {
            found.add(format!(
                "the summary of point {point} counts {summarised} as {what}, of its results {there} are"
            ));
        }
    }
    check_durations(&format!("summary of point {point}"), &summary.latency, found);
}

/// Compares the figures of a repetition of the point with the index `point` with its histograms.
pub fn check_repetition(point: usize, repetition: &Repetition, found: &mut Contradictions) {
    let what = describe(&position_of(point, repetition));
    let Ledger { planned, sent, unsent, not_due, acked, failed, delivered, lost, .. } =
        repetition.ledger;
    if [planned, sent, unsent, not_due, acked.unwrap_or(0), failed, delivered, lost]
        .iter()
        .any(|&n| n > MAX_MESSAGES)
    {
        found.add(format!("{what} counts more messages than a run can send"));
    }
    if !repetition.steered.is_empty() && repetition.is_measured() {
        found.add(format!("{what} was steered, and its verdict counts it as a measurement"));
    }
    check_durations(&what, &repetition.latency, found);
}

fn check_durations(what: &str, durations: &Durations<Option<Latency>>, found: &mut Contradictions) {
    let Durations { lag, ack, delivery, response } = durations;
    for (name, latency) in
        [("lag", lag), ("ack", ack), ("delivery", delivery), ("response", response)]
    {
        if let Some(Err(problem)) = latency.as_ref().map(check_latency) {
            found.add(format!("{what}, {name}: {problem}"));
        }
    }
}

/// Compares the figures of a distribution with its histogram.
fn check_latency(latency: &Latency) -> Result<(), String> {
    let stored =
        histogram::decode_histogram(&latency.histogram).map_err(|error| error.to_string())?;
    if stored.sigfig() != SIGNIFICANT_DIGITS {
        return Err(format!("its histogram has {} significant digits", stored.sigfig()));
    }
    let parts = [stored.len(), latency.negative, latency.overflow];
    let sum = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(*part));
    if sum != Some(latency.count) || latency.count == 0 {
        return Err(format!(
            "its count is {}; samples in its histogram: {}, negative: {}, beyond its range: {}",
            count(latency.count),
            count(stored.len()),
            count(latency.negative),
            count(latency.overflow),
        ));
    }
    if let Some(text) = &latency.negative_histogram {
        let magnitudes =
            histogram::decode_histogram(text).map_err(|error| error.to_string())?.len();
        if magnitudes != latency.negative {
            return Err(format!(
                "negative samples: {}, in their histogram: {magnitudes}",
                count(latency.negative)
            ));
        }
    }
    check_figures(latency, &stored)
}

/// Compares extremes, mean and percentiles of a distribution with its histogram.
fn check_figures(latency: &Latency, stored: &Histogram<u64>) -> Result<(), String> {
    let Latency { min, max, mean, stdev, .. } = *latency;
    let tolerance = |value: f64| value.abs() * RELATIVE_TOLERANCE + ABSOLUTE_TOLERANCE_MICROS;
    let is_close = |a: f64, b: f64| (a - b).abs() <= tolerance(b);
    let within = |value: f64| value >= min - tolerance(min) && value <= max + tolerance(max);
    if !within(mean) || stdev < 0.0 {
        return Err(format!(
            "its mean is {mean} and its standard deviation {stdev} between {min} and {max}"
        ));
    }
    if (latency.negative > 0) != (min < 0.0) {
        let negative = count(latency.negative);
        return Err(format!("negative samples: {negative}, while the smallest is {min}"));
    }
    if latency.overflow == 0 && !stored.is_empty() && !is_close(max, stored.max() as f64) {
        return Err(format!("its maximum is {max}, that of its histogram {}", stored.max()));
    }
    if latency.negative == 0 && !stored.is_empty() && !is_close(min, stored.min() as f64) {
        return Err(format!("its minimum is {min}, that of its histogram {}", stored.min()));
    }
    let percentiles = [
        ("p50", latency.p50),
        ("p90", latency.p90),
        ("p99", latency.p99),
        ("p99.9", latency.p999),
        ("p99.99", latency.p9999),
    ];
    let mut last = min;
    for (name, value) in percentiles.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        if !within(value) || value < last - tolerance(last) {
            return Err(format!("its {name} is {value} between {last} and {max}"));
        }
        last = value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::distribution::Distribution;

    fn plan(schedule: &[ScheduledRepetition]) -> PlanShape<'_> {
        PlanShape {
            schema: 1,
            points: 2,
            repetitions: 2,
            schedule,
            is_search: false,
            status: RecordStatus::Partial,
        }
    }

    fn schedule() -> Vec<ScheduledRepetition> {
        let steps = [(0, 0), (1, 0), (1, 1), (0, 1)];
        steps.map(|(point, repetition)| ScheduledRepetition { point, repetition }).to_vec()
    }

    fn shape_problems(
        plan: &PlanShape<'_>,
        points: usize,
        repetitions: &[(usize, u32, u32)],
    ) -> Vec<String> {
        let mut found = Contradictions::default();
        let position = |&(point, index, order)| ResultPosition { point, index, order };
        let positions: Vec<_> = repetitions.iter().map(position).collect();
        check_shape(plan, points, &positions, &[], &mut found);
        found.into_sentences()
    }

    #[test]
    fn results_that_fit_their_plan_have_no_contradiction() {
        let steps = schedule();
        assert_eq!(shape_problems(&plan(&steps), 2, &[]), [""; 0]);
        let all = [(0, 0, 0), (1, 0, 1), (1, 1, 2), (0, 1, 3)];
        let complete = PlanShape { status: RecordStatus::Complete, ..plan(&steps) };
        assert_eq!(shape_problems(&complete, 2, &all), [""; 0]);
        let search = PlanShape { is_search: true, ..plan(&[]) };
        assert_eq!(shape_problems(&search, 2, &[(1, 7, 30)]), [""; 0]);
    }

    #[test]
    fn each_contradiction_between_plan_and_results_is_named() {
        let steps = schedule();
        let wrong_step = |change: fn(&mut Vec<ScheduledRepetition>)| {
            let mut steps = schedule();
            change(&mut steps);
            shape_problems(&plan(&steps), 2, &[]).join("; ")
        };
        let complete = PlanShape { status: RecordStatus::Complete, ..plan(&steps) };
        let cases = [
            (shape_problems(&plan(&steps), 1, &[]).join("; "), "2 points, its results have 1"),
            (shape_problems(&PlanShape { points: 0, ..plan(&[]) }, 0, &[]).join("; "), "no points"),
            (
                shape_problems(&PlanShape { schema: 0, ..plan(&steps) }, 2, &[]).join("; "),
                "schema 0",
            ),
            (wrong_step(Vec::clear), "has 0 repetitions, its plan 4"),
            (wrong_step(|steps| steps[2].point = 7), "names repetition 1 of point 7"),
            (wrong_step(|steps| steps[2] = steps[1]), "names repetition 0 of point 1 twice"),
            (shape_problems(&plan(&steps), 2, &[(3, 0, 0)]).join("; "), "the plan has 2 points"),
            (shape_problems(&plan(&steps), 2, &[(0, 2, 0)]).join("; "), "the plan has 2 of each"),
            (shape_problems(&plan(&steps), 2, &[(0, 1, 4)]).join("; "), "step 4 of 4"),
            (shape_problems(&plan(&steps), 2, &[(0, 1, 0), (0, 1, 3)]).join("; "), "there twice"),
            (
                shape_problems(&complete, 2, &[(0, 1, 3)]).join("; "),
                "of its 4 repetitions 3 are missing",
            ),
        ];
        for (problems, expected) in cases {
            assert!(problems.contains(expected), "{expected}: {problems}");
        }
        let many: Vec<_> = (0..30).map(|order| (9, 0, order % 4)).collect();
        let problems = shape_problems(&plan(&steps), 2, &many);
        assert_eq!(
            (problems.len(), problems[MAX_LISTED].as_str()),
            (MAX_LISTED + 1, "and 51 more")
        );
    }

    #[test]
    fn figures_that_are_not_those_of_the_histogram_are_named() {
        type Change = fn(&mut Latency);
        let mut distribution = Distribution::default();
        (-3..2_000).for_each(|value| distribution.record(value * 10));
        let latency = histogram::encode_latency(&distribution).unwrap();
        assert_eq!(check_latency(&latency), Ok(()));
        let cases: [(Change, &str); 9] = [
            (
                |l| l.count = 1_000_000_000,
                "its count is 1,000,000,000; samples in its histogram: 2,000",
            ),
            (|l| l.negative = u64::MAX, "negative"),
            (|l| l.overflow = 5, "beyond its range: 5"),
            (|l| l.histogram = "AAAA".into(), "cannot be read"),
            (|l| l.max = 90_000.0, "maximum"),
            (|l| l.min = 12.0, "the smallest is 12"),
            (|l| l.mean = -5e9, "its mean"),
            (|l| l.p50 = Some(-400.0), "its p50"),
            (|l| l.p99 = Some(5_000.0), "its p99"),
        ];
        for (change, expected) in cases {
            let mut changed = latency.clone();
            change(&mut changed);
            let problem = check_latency(&changed).unwrap_err();
            assert!(problem.contains(expected), "{expected}: {problem}");
        }
    }
}
