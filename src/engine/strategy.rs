//! Which repetition comes next: the plan's schedule, or searches that learn from what they see.
//!
//! Both are functions of plan and record alone, so that a run that is gone on with after a crash
//! takes up exactly the thread that it dropped.

use super::limiting;
use crate::{
    measure::Judgement,
    plan::{Order, Plan, Step},
    record::{
        Capacity, PointResult, Record, Repetition,
        capacity::{Decision, Outcome, Probe, Stage},
    },
    stats::search::{CONFIDENCE, Purpose, Search, Shown, Trial},
};

/// The code of a failed repetition that says nothing of the servers: it was stopped.
pub const STOPPED: &str = "stopped";

/// What decides the next step.
pub enum Strategy {
    /// The plan's schedule.
    Sweep,
    /// A search for each backend, payload and durability.
    Searches(Vec<Branch>),
}

/// One search and the points among which it searches.
pub struct Branch {
    points: Vec<usize>,
    search: Search,
}

impl Strategy {
    /// The strategy of `plan`, having learned all that is in `record`.
    ///
    /// # Errors
    /// When the record's repetitions are not those that this program's search would have made.
    pub fn new(plan: &Plan, record: &Record) -> Result<Self, String> {
        if plan.capacity.is_none() {
            return Ok(Self::Sweep);
        }
        let branches = plan.searches().into_iter().map(|points| {
            let ladder = points.iter().map(|&point| plan.points[point].workload.users()).collect();
            let mut branch = Branch { points, search: Search::new(ladder) };
            branch.replay(record)?;
            Ok(branch)
        });
        branches.collect::<Result<_, String>>().map(Self::Searches)
    }

    /// The next step, and its place in the run; points that `skips` names are passed over.
    pub fn next(
        &self,
        plan: &Plan,
        record: &Record,
        skips: impl Fn(usize) -> bool,
    ) -> Option<(Step, usize)> {
        match self {
            Self::Sweep => {
                let mut steps = plan.schedule.iter().enumerate();
                let missing = |step: Step| !has(record, step) && !skips(step.point);
                let (position, step) = steps.find(|(_, step)| missing(**step))?;
                Some((*step, position))
            }
            Self::Searches(branches) => {
                // A search that needs a point that is skipped cannot go on.
                let goes_on = |branch: &&Branch| {
                    let next = branch.search.next();
                    next.is_some_and(|(candidate, _)| !skips(branch.points[candidate]))
                };
                let open = branches.iter().filter(goes_on);
                // In turns, so that heat and drift do not look like a difference.
                let branch = match plan.order {
                    Order::Interleaved => {
                        open.min_by_key(|branch| branch.search.outcomes().len())?
                    }
                    Order::Blocked => open.into_iter().next()?,
                };
                let (candidate, _) = branch.search.next()?;
                let point = branch.points[candidate];
                let repetition = record.points[point].repetitions.len() as u32;
                let position = record.points.iter().map(|point| point.repetitions.len()).sum();
                Some((Step { point, repetition }, position))
            }
        }
    }

    /// Learns from the outcome of the repetition that [`Self::next`] named. Returns the number of
    /// the search that did.
    pub fn learn(&mut self, step: Step, held: bool) -> Option<usize> {
        let Self::Searches(branches) = self else { return None };
        let number = branches.iter().position(|branch| branch.points.contains(&step.point))?;
        branches[number].search.learn(held);
        Some(number)
    }

    /// Steps that are still to come, as far as can be foretold, by point.
    pub fn remaining(&self, plan: &Plan, record: &Record) -> Vec<(usize, usize)> {
        match self {
            Self::Sweep => plan
                .schedule
                .iter()
                .filter(|step| !has(record, **step))
                .map(|step| (step.point, 1))
                .collect(),
            Self::Searches(branches) => branches
                .iter()
                .filter_map(|branch| {
                    let (candidate, _) = branch.search.next()?;
                    Some((branch.points[candidate], branch.search.expected()))
                })
                .collect(),
        }
    }

    /// What each search knows.
    pub fn capacities(&self, plan: &Plan, record: &Record) -> Vec<Capacity> {
        match self {
            Self::Sweep => Vec::new(),
            Self::Searches(branches) => {
                branches.iter().map(|branch| branch.capacity(plan, record)).collect()
            }
        }
    }
}

fn has(record: &Record, step: Step) -> bool {
    record.points[step.point].repetitions.iter().any(|done| done.index == step.repetition)
}

/// Whether a repetition says something of the servers.
pub fn is_outcome(repetition: &Repetition) -> bool {
    let stopped = |repetition: &Repetition| {
        repetition.verdict.reasons.iter().any(|reason| reason.code == STOPPED)
    };
    repetition.verdict.status != Judgement::Failed || !stopped(repetition)
}

impl Branch {
    fn replay(&mut self, record: &Record) -> Result<(), String> {
        let results = self.points.iter().enumerate().flat_map(|(candidate, &point)| {
            record.points[point].repetitions.iter().map(move |done| (done.order, candidate, done))
        });
        let mut outcomes: Vec<_> = results.filter(|(.., done)| is_outcome(done)).collect();
        outcomes.sort_by_key(|(order, ..)| *order);
        for (_, candidate, done) in outcomes {
            let expected = self.search.next().map(|(expected, _)| expected);
            if expected != Some(candidate) {
                let users = self.search.ladder()[candidate];
                return Err(format!(
                    "its search went another way than this version's: it has a repetition of \
                     {users} users out of turn"
                ));
            }
            self.search.learn(done.held());
        }
        Ok(())
    }

    fn capacity(&self, plan: &Plan, record: &Record) -> Capacity {
        let search = &self.search;
        let ladder = search.ladder();
        let point = &plan.points[self.points[0]];
        let (lower, upper) = search.interval();
        let next = search.next();
        let results = |users: u32| {
            let place = ladder.iter().position(|known| *known == users)?;
            Some(&record.points[self.points[place]])
        };
        let missed = self.missed(upper.and_then(results), record);
        let limiting = limiting::constraints(&missed, plan, record);
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
                Some((_, Purpose::Growth)) => Stage::Growth,
                Some((_, Purpose::Bisection)) => Stage::Bisection,
                Some((_, Purpose::Lower | Purpose::Upper)) => Stage::Proof,
                None => Stage::Done,
            },
            next: next.map(|(candidate, _)| ladder[candidate]),
            lower,
            upper,
            among: (
                ladder.first().copied().unwrap_or_default(),
                ladder.last().copied().unwrap_or_default(),
            ),
            probes: self.probes(),
            decisions: self.decisions(),
            about_hub: (!missed.is_empty()).then(|| limiting::is_about_hub(&limiting)),
            limiting,
        }
    }

    /// The repetitions that tell what is used up: those of the proven upper end in which the
    /// objectives were missed; until there is one, those of the fewest users that missed them.
    fn missed<'a>(
        &self,
        upper: Option<&'a PointResult>,
        record: &'a Record,
    ) -> Vec<&'a Repetition> {
        let of = |result: &'a PointResult| -> Vec<&'a Repetition> {
            let outcomes = result.repetitions.iter().filter(|done| is_outcome(done));
            outcomes.filter(|done| !done.held()).collect()
        };
        if let Some(upper) = upper {
            return of(upper);
        }
        let all = self.points.iter().map(|&point| of(&record.points[point]));
        all.into_iter().find(|missed| !missed.is_empty()).unwrap_or_default()
    }

    fn probes(&self) -> Vec<Probe> {
        let ladder = self.search.ladder().iter().enumerate();
        let probe = |(candidate, &users): (usize, &u32)| {
            let count = |wanted: bool| {
                let outcomes = self.search.outcomes().iter();
                outcomes.filter(|(tried, held)| (*tried, *held) == (candidate, wanted)).count()
                    as u32
            };
            let (held, missed) = (count(true), count(false));
            (held + missed > 0).then_some(Probe { users, held, missed })
        };
        ladder.filter_map(probe).collect()
    }

    fn decisions(&self) -> Vec<Decision> {
        let decision = |trial: &Trial| Decision {
            users: self.search.ladder()[trial.candidate],
            held: trial.held,
            missed: trial.missed,
            outcome: trial.shown.map(|shown| match shown {
                Shown::Holds => Outcome::Carried,
                Shown::Fails => Outcome::TooMany,
                Shown::Grey => Outcome::Grey,
            }),
            error_at_most: trial.error,
        };
        self.search.trials().iter().map(decision).collect()
    }
}
