//! Strategy: chooses the next repetition, by the plan's schedule or by adaptive capacity searches.
//!
//! Both depend on plan and record alone, so that a resumed run continues exactly where it stopped.

use std::collections::HashSet;

use super::cautions;
use crate::{
    engine::judge::bottleneck,
    format::count_noun,
    measure::Judgement,
    plan::{Plan, RepetitionOrder, ScheduledRepetition},
    record::{
        Capacity, PointResult, Record, Repetition,
        capacity::{CandidateProbe, CandidateTest, SearchPhase, TestOutcome},
    },
    stats::search::{CONFIDENCE, CapacitySearch, RepetitionPurpose, SequentialTest, TestDecision},
};

/// Source of the next step.
pub enum Strategy {
    /// The plan's schedule.
    Sweep,
    /// One search for each combination of backend, payload and durability.
    Searches(Vec<SearchBranch>),
}

/// One capacity search and its points.
pub struct SearchBranch {
    points: Vec<usize>,
    search: CapacitySearch,
}

impl Strategy {
    /// Creates the strategy of `plan` and replays the repetitions of `record`.
    ///
    /// # Errors
    /// The record's repetitions are not those that this version's search would have chosen.
    pub fn new(plan: &Plan, record: &Record) -> Result<Self, String> {
        if plan.capacity.is_none() {
            return Ok(Self::Sweep);
        }
        let branches = plan.searches().into_iter().map(|points| {
            let ladder = points.iter().map(|&point| plan.points[point].workload.users()).collect();
            let mut branch = SearchBranch { points, search: CapacitySearch::new(ladder) };
            branch.replay(record)?;
            Ok(branch)
        });
        branches.collect::<Result<_, String>>().map(Self::Searches)
    }

    /// Returns the next step and its position in the run, leaving out points for which `skips` is true.
    pub fn next(
        &self,
        plan: &Plan,
        record: &Record,
        skips: impl Fn(usize) -> bool,
    ) -> Option<(ScheduledRepetition, usize)> {
        match self {
            Self::Sweep => {
                let mut steps = plan.schedule.iter().enumerate();
                let done = executed_repetitions(record);
                let missing =
                    |step: ScheduledRepetition| !done.contains(&step) && !skips(step.point);
                let (position, step) = steps.find(|(_, step)| missing(**step))?;
                Some((*step, position))
            }
            Self::Searches(branches) => {
                // A search whose next point is skipped cannot continue.
                let can_continue = |branch: &&SearchBranch| {
                    let next = branch.search.next_repetition();
                    next.is_some_and(|(candidate, _)| !skips(branch.points[candidate]))
                };
                let open = branches.iter().filter(can_continue);
                // Alternate between searches, so that heat and drift affect all of them alike.
                let branch = match plan.order {
                    RepetitionOrder::Interleaved => {
                        open.min_by_key(|branch| branch.search.outcomes().len())?
                    }
                    RepetitionOrder::Blocked => open.into_iter().next()?,
                };
                let (candidate, _) = branch.search.next_repetition()?;
                let point = branch.points[candidate];
                // Not the number of repetitions: a resumed record has fewer than were executed.
                let own = record.points[point].repetitions.iter();
                let repetition = own.map(|done| done.index + 1).max().unwrap_or(0);
                let orders = record.points.iter().flat_map(|point| &point.repetitions);
                let position = orders.map(|done| done.order as usize + 1).max().unwrap_or(0);
                Some((ScheduledRepetition { point, repetition }, position))
            }
        }
    }

    /// Passes the result of the step chosen by [`Self::next`] to its search, and returns the number of
    /// that search.
    pub fn learn(&mut self, step: ScheduledRepetition, held: bool) -> Option<usize> {
        let Self::Searches(branches) = self else { return None };
        let number = branches.iter().position(|branch| branch.points.contains(&step.point))?;
        branches[number].search.record_outcome(held);
        Some(number)
    }

    /// Returns the expected number of remaining steps by point.
    pub fn remaining(&self, plan: &Plan, record: &Record) -> Vec<(usize, usize)> {
        match self {
            Self::Sweep => {
                let done = executed_repetitions(record);
                let missing = plan.schedule.iter().filter(|step| !done.contains(*step));
                missing.map(|step| (step.point, 1)).collect()
            }
            Self::Searches(branches) => branches
                .iter()
                .filter_map(|branch| {
                    let (candidate, _) = branch.search.next_repetition()?;
                    Some((branch.points[candidate], branch.search.expected_remaining()))
                })
                .collect(),
        }
    }

    /// Returns the state of each search.
    pub fn capacities(&self, plan: &Plan, record: &Record) -> Vec<Capacity> {
        match self {
            Self::Sweep => Vec::new(),
            Self::Searches(branches) => {
                branches.iter().map(|branch| branch.capacity(plan, record)).collect()
            }
        }
    }
}

/// Returns all steps that `record` has a repetition of.
fn executed_repetitions(record: &Record) -> HashSet<ScheduledRepetition> {
    let steps = record.points.iter().enumerate().flat_map(|(point, result)| {
        let step = move |done: &Repetition| ScheduledRepetition { point, repetition: done.index };
        result.repetitions.iter().map(step)
    });
    steps.collect()
}

impl SearchBranch {
    fn replay(&mut self, record: &Record) -> Result<(), String> {
        let results = self.points.iter().enumerate().flat_map(|(candidate, &point)| {
            record.points[point].repetitions.iter().map(move |done| (done.order, candidate, done))
        });
        let mut outcomes: Vec<_> = results.filter(|(.., done)| done.is_conclusive()).collect();
        outcomes.sort_by_key(|(order, ..)| *order);
        for (_, candidate, done) in outcomes {
            let expected = self.search.next_repetition().map(|(expected, _)| expected);
            if expected != Some(candidate) {
                let users = count_noun(self.search.candidates()[candidate].into(), "user");
                return Err(format!(
                    "its search differs from this version's: its repetition with {users} is \
                     not the one that this version would have chosen"
                ));
            }
            self.search.record_outcome(done.objectives_held());
        }
        Ok(())
    }

    fn capacity(&self, plan: &Plan, record: &Record) -> Capacity {
        let search = &self.search;
        let ladder = search.candidates();
        let point = &plan.points[self.points[0]];
        let (lower, upper) = search.interval();
        let next = search.next_repetition();
        let results = |users: u32| {
            let place = ladder.iter().position(|known| *known == users)?;
            Some(&record.points[self.points[place]])
        };
        let missed = self.failed_repetitions(upper.and_then(results), record);
        let limiting = bottleneck::constraints(&missed, plan, record);
        let decisions = self.decisions(record);
        Capacity {
            backend: point.backend.clone(),
            durability: point.durability,
            payload: point.workload.payload(),
            objectives: plan
                .capacity
                .as_ref()
                .map(|asked| asked.objectives.clone())
                .unwrap_or_default(),
            confidence: CONFIDENCE,
            stage: match next {
                Some((_, RepetitionPurpose::Growth)) => SearchPhase::Growth,
                Some((_, RepetitionPurpose::Bisection)) => SearchPhase::Bisection,
                Some((_, RepetitionPurpose::TestLower | RepetitionPurpose::TestUpper)) => {
                    SearchPhase::Proof
                }
                None => SearchPhase::Done,
            },
            next: next.map(|(candidate, _)| ladder[candidate]),
            lower,
            upper,
            among: (
                ladder.first().copied().unwrap_or_default(),
                ladder.last().copied().unwrap_or_default(),
            ),
            probes: self.probes(record),
            about_hub: (!missed.is_empty()).then(|| bottleneck::is_about_hub(&limiting)),
            limiting,
            cautions: cautions::cautions(&self.points, &decisions, record),
            decisions,
        }
    }

    /// Returns the repetitions that show the bottleneck: those at the proven upper bound that missed the
    /// objectives or, without such a bound yet, those with the fewest users that missed them.
    fn failed_repetitions<'a>(
        &self,
        upper: Option<&'a PointResult>,
        record: &'a Record,
    ) -> Vec<&'a Repetition> {
        let of = |result: &'a PointResult| -> Vec<&'a Repetition> {
            let outcomes = result.repetitions.iter().filter(|done| done.is_conclusive());
            outcomes.filter(|done| !done.objectives_held()).collect()
        };
        if let Some(upper) = upper {
            return of(upper);
        }
        let all = self.points.iter().map(|&point| of(&record.points[point]));
        all.into_iter().find(|missed| !missed.is_empty()).unwrap_or_default()
    }

    fn probes(&self, record: &Record) -> Vec<CandidateProbe> {
        let candidates = self.search.candidates().iter().zip(&self.points);
        let probe = |(&users, &point): (&u32, &usize)| {
            let result = &record.points[point];
            let outcomes = RepetitionCounts::of(conclusive(result));
            let all = result.repetitions.len() + result.failed_tries.len();
            let not_counted = all as u32 - (outcomes.held + outcomes.missed);
            (all > 0).then_some(CandidateProbe {
                users,
                held: outcomes.held,
                missed: outcomes.missed,
                failed: outcomes.failed,
                suspect: outcomes.suspect,
                not_counted,
            })
        };
        candidates.filter_map(probe).collect()
    }

    fn decisions(&self, record: &Record) -> Vec<CandidateTest> {
        let decision = |trial: &SequentialTest| {
            // The test of a candidate consists of its last repetitions: those before only scouted.
            let all: Vec<_> = conclusive(&record.points[self.points[trial.candidate]]).collect();
            let from = all.len().saturating_sub(trial.repetitions() as usize);
            let outcomes = RepetitionCounts::of(all.into_iter().skip(from));
            CandidateTest {
                users: self.search.candidates()[trial.candidate],
                held: trial.held,
                missed: trial.missed,
                failed: outcomes.failed,
                suspect: outcomes.suspect,
                outcome: trial.decision.map(|shown| match shown {
                    TestDecision::Holds => TestOutcome::Carried,
                    TestDecision::Fails => TestOutcome::TooMany,
                    TestDecision::Undecided => TestOutcome::Grey,
                }),
                error_at_most: trial.max_error,
            }
        };
        self.search.tests().iter().map(decision).collect()
    }
}

/// Repetitions of `result` that a search learned from, in the order of execution.
fn conclusive(result: &PointResult) -> impl Iterator<Item = &Repetition> {
    result.repetitions.iter().filter(|done| done.is_conclusive())
}

/// Counts of a candidate's repetitions.
#[derive(Debug, Default)]
struct RepetitionCounts {
    held: u32,
    missed: u32,
    /// Missed, and not measured to their end.
    failed: u32,
    /// Held, and suspect.
    suspect: u32,
}

impl RepetitionCounts {
    fn of<'a>(repetitions: impl Iterator<Item = &'a Repetition>) -> Self {
        let mut counts = Self::default();
        for done in repetitions {
            let held = done.objectives_held();
            *(if held { &mut counts.held } else { &mut counts.missed }) += 1;
            counts.failed += u32::from(!done.is_measured());
            counts.suspect += u32::from(held && done.verdict.status == Judgement::Suspect);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend,
        engine::run::start,
        profile::{self, Profile},
    };

    #[test]
    fn the_order_goes_on_after_a_repetition_that_a_resumed_search_draws_again() {
        let source = profile::find("capacity-quick").unwrap();
        let plan = Profile::parse_with(&source.text, &[], &backend::catalogue()).unwrap().plan();
        let mut record = start::new_record(&plan, "", "test".into());
        // The hub ended the repetitions between these: they are no longer among the repetitions.
        for order in [0, 2, 5] {
            let strategy = Strategy::new(&plan, &record).unwrap();
            let (step, _) = strategy.next(&plan, &record, |_| false).unwrap();
            let done = Repetition::unmeasured(step, order, jiff::Timestamp::UNIX_EPOCH);
            record.points[step.point].repetitions.push(done);
        }
        let strategy = Strategy::new(&plan, &record).unwrap();
        assert_eq!(strategy.next(&plan, &record, |_| false).unwrap().1, 6);
    }
}
