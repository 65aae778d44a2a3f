//! Capacity search: finds the largest of several numbers of users at which the objectives hold,
//! where the outcome of each repetition is subject to chance.
//!
//! # What is searched
//! Let p(n) be the share of repetitions with n users in which the objectives hold, falling as n
//! grows. The capacity is the largest n with p(n) ≥ 1/2: up to it the objectives hold more often
//! than not. If a server is either healthy or overloaded, p falls from 1 to 0 within a few users,
//! and the choice of 1/2 does not matter. Otherwise there is a *grey zone* in which p is neither
//! near 1 nor near 0, and the resulting interval reaches from one side of it to the other.
//!
//! # How
//! Single repetitions scout: the users grow by doubling until the objectives are missed, then
//! bisection narrows the range down to two neighbours. Scouting may be misled by chance; only the
//! tests that follow are relied on. Both ends are tested with fresh repetitions: a likelihood ratio
//! of "holds in 95 of 100" against "holds in half", another of "holds in 5 of 100" against the
//! same, multiplied up repetition by repetition until one of them decides. A candidate that neither
//! can decide within [`sequential_test::MAX_TEST_REPETITIONS`] repetitions is undecided (grey). The
//! search then continues on both sides of it, at a distance equal to the present width of the grey
//! zone, and, once an end is proven, moves back by halves. A candidate is tested once, so that the
//! search leaves a broad grey zone.
//!
//! # Why the interval is right
//! If p(n) ≤ 1/2, the first ratio is a supermartingale, and the probability that it *ever* reaches
//! 1/α is at most α, under any stopping rule (Ville's inequality: J. Ville, *Étude critique de la
//! notion de collectif*, 1939; the test is A. Wald's of 1945, *Sequential tests of statistical
//! hypotheses*, with the power-one stopping of H. Robbins, 1970); if p(n) ≥ 1/2, so is the second.
//! A candidate can therefore be misjudged in one direction only, with a probability of α. The first
//! two tests have an α of 1.25 % each, the ten that may follow 0.25 % each, fixed before their
//! first repetition: together 5 %. So in at least 95 of 100 searches the objectives hold in half of
//! the repetitions or more at the lower end and in less at the upper one, for any shape of p, and
//! where p falls the interval contains the capacity.
//!
//! In numbers: seven repetitions that all hold prove the first lower end, seven that all miss prove
//! the first upper one, ten a later end; each contrary repetition costs four or five more; a candidate
//! in the grey zone takes six to twenty.

pub use sequential_test::{SequentialTest, TestDecision};

/// Minimum share of searches whose interval contains the capacity.
pub const CONFIDENCE: f64 = 0.95;
/// Largest number of candidates tested for each end.
const MAX_TESTS_PER_END: usize = 6;
/// Largest number of candidates between a proven end and the grey zone that do not justify another
/// test; nor does a number of at most half of those in the zone.
const IGNORED_GAP: isize = 1;
/// Repetitions after which every search ends.
pub const MAX_REPETITIONS: usize = 150;

/// Purpose of a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepetitionPurpose {
    /// Find the order of magnitude.
    Growth,
    /// Narrow the range down.
    Bisection,
    /// Test whether the objectives hold.
    TestLower,
    /// Test whether the objectives are missed.
    TestUpper,
}

/// Knowledge about a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CandidateState {
    Untried,
    /// The objectives held in a scouting repetition.
    ScoutHeld,
    /// The objectives were missed in a scouting repetition.
    ScoutMissed,
    Tested(TestDecision),
}

/// A capacity search in progress; its state is a function of the recorded outcomes alone.
#[derive(Debug, Clone)]
pub struct CapacitySearch {
    candidates: Vec<u32>,
    states: Vec<CandidateState>,
    outcomes: Vec<(usize, bool)>,
    tests: Vec<SequentialTest>,
}

impl CapacitySearch {
    /// Creates a search among `candidates`, numbers of users in rising order.
    pub fn new(candidates: Vec<u32>) -> Self {
        let states = vec![CandidateState::Untried; candidates.len()];
        Self { candidates, states, outcomes: Vec::new(), tests: Vec::new() }
    }

    /// Candidate and purpose of the next repetition; `None` when the search is over.
    pub fn next_repetition(&self) -> Option<(usize, RepetitionPurpose)> {
        if self.outcomes.len() >= MAX_REPETITIONS || self.candidates.is_empty() {
            return None;
        }
        let (candidate, purpose) = self.next_scout().or_else(|| self.next_test())?;
        Some((candidate.cast_unsigned(), purpose))
    }

    fn candidate_count(&self) -> isize {
        self.candidates.len().cast_signed()
    }

    /// Highest index less than `below` whose state satisfies `wanted`; −1 for none.
    fn highest_below(&self, below: isize, wanted: impl Fn(CandidateState) -> bool) -> isize {
        let known = &self.states[..below.cast_unsigned()];
        known.iter().rposition(|state| wanted(*state)).map_or(-1, usize::cast_signed)
    }

    /// Smallest candidate that is proven to fail; the number of candidates for none.
    fn proven_upper(&self) -> isize {
        let fails = |state: &CandidateState| *state == CandidateState::Tested(TestDecision::Fails);
        self.states.iter().position(fails).map_or(self.candidate_count(), usize::cast_signed)
    }

    /// Largest candidate below [`Self::proven_upper`] that is proven to hold; −1 for none.
    fn proven_lower(&self) -> isize {
        self.highest_below(self.proven_upper(), |state| {
            state == CandidateState::Tested(TestDecision::Holds)
        })
    }

    /// Highest candidate that may hold by present knowledge: the upper end is not searched below
    /// it. −1 for none.
    fn highest_that_may_hold(&self) -> isize {
        self.highest_below(self.proven_upper(), |state| {
            !matches!(state, CandidateState::Untried | CandidateState::ScoutMissed)
        })
    }

    /// Lowest candidate that may fail, above all that are proven to hold; the number of candidates
    /// for none.
    fn lowest_that_may_fail(&self) -> isize {
        let from = (self.proven_lower() + 1).cast_unsigned();
        let may = |state: &CandidateState| {
            !matches!(state, CandidateState::Untried | CandidateState::ScoutHeld)
        };
        let found = self.states[from..].iter().position(may);
        found.map_or(self.candidate_count(), |index| (from + index).cast_signed())
    }

    /// Next scouting repetition, between the highest candidate that may hold and the lowest that
    /// may fail.
    fn next_scout(&self) -> Option<(isize, RepetitionPurpose)> {
        let (low, high) = (self.highest_that_may_hold(), self.lowest_that_may_fail());
        if high - low <= 1 {
            return None;
        }
        if high == self.candidate_count() {
            Some((self.next_doubling(low), RepetitionPurpose::Growth))
        } else {
            Some((low.midpoint(high), RepetitionPurpose::Bisection))
        }
    }

    fn next_doubling(&self, low: isize) -> isize {
        let Ok(low) = usize::try_from(low) else { return 0 };
        let enough = self.candidates[low].saturating_mul(2);
        let next = self.candidates.iter().position(|users| *users >= enough);
        next.unwrap_or(self.candidates.len() - 1).cast_signed()
    }

    /// Next repetition of a test, for the end with fewer repetitions in its open test.
    fn next_test(&self) -> Option<(isize, RepetitionPurpose)> {
        let spent = |lower| self.open_test(lower).map_or(0, SequentialTest::repetitions);
        let (low, high) = (self.test_candidate(true), self.test_candidate(false));
        let lower = match (low, high) {
            (Some(_), Some(_)) => spent(true) <= spent(false),
            (low, _) => low.is_some(),
        };
        let candidate = if lower { low } else { high }?;
        let purpose = match (self.states[candidate.cast_unsigned()], lower) {
            (CandidateState::Untried, _) => RepetitionPurpose::Bisection,
            (_, true) => RepetitionPurpose::TestLower,
            (_, false) => RepetitionPurpose::TestUpper,
        };
        Some((candidate, purpose))
    }

    /// Next candidate to test for an end; `None` if the end is proven narrowly enough or its tests
    /// are used up.
    fn test_candidate(&self, lower: bool) -> Option<isize> {
        if let Some(open) = self.open_test(lower) {
            return Some(open.candidate.cast_signed());
        }
        let (low, high) = (self.highest_that_may_hold(), self.lowest_that_may_fail());
        // Continue at a distance of the width of the grey zone, which reaches from `high` to `low`,
        // but at most half of the distance to a proven end.
        let stride = (low - high + 1).max(1);
        let (proven, candidate, gap) = if lower {
            let proven = self.proven_lower();
            let half = if proven < 0 { 0 } else { proven.midpoint(high) };
            (proven >= 0, (high - stride).max(half), high - proven - 1)
        } else {
            let proven = self.proven_upper();
            let last = self.candidate_count();
            let half = if proven == last { last - 1 } else { proven - (proven - low) / 2 };
            (proven < last, (low + stride).min(half), proven - low - 1)
        };
        let worth = gap > IGNORED_GAP.max(stride / 2)
            || gap > 0 && (!proven || self.scout_agrees(candidate, lower));
        let left =
            self.tests.iter().filter(|test| test.is_lower_end == lower).count() < MAX_TESTS_PER_END;
        (worth && left).then_some(candidate)
    }

    /// Whether the scouting repetition at `candidate` had the outcome that the test for this end is
    /// to prove.
    fn scout_agrees(&self, candidate: isize, lower: bool) -> bool {
        let wanted = if lower { CandidateState::ScoutHeld } else { CandidateState::ScoutMissed };
        self.states[candidate.cast_unsigned()] == wanted
    }

    /// Test in progress for an end, unless its candidate is now outside the proven interval.
    fn open_test(&self, lower: bool) -> Option<&SequentialTest> {
        let open = |test: &&SequentialTest| test.is_lower_end == lower && test.decision.is_none();
        let test = self.tests.iter().rfind(open)?;
        let at = test.candidate.cast_signed();
        (self.proven_lower() < at && at < self.proven_upper()).then_some(test)
    }

    /// Records the outcome of the repetition that [`Self::next_repetition`] requested.
    pub fn record_outcome(&mut self, held: bool) {
        let Some((candidate, purpose)) = self.next_repetition() else { return };
        self.outcomes.push((candidate, held));
        match purpose {
            RepetitionPurpose::Growth | RepetitionPurpose::Bisection => {
                self.states[candidate] =
                    if held { CandidateState::ScoutHeld } else { CandidateState::ScoutMissed };
            }
            RepetitionPurpose::TestLower | RepetitionPurpose::TestUpper => {
                self.record_test_outcome(candidate, purpose == RepetitionPurpose::TestLower, held);
            }
        }
    }

    fn record_test_outcome(&mut self, candidate: usize, lower: bool, held: bool) {
        let known = self.tests.iter().position(|test| test.candidate == candidate);
        let number = known.unwrap_or_else(|| {
            let whole = 1.0 - CONFIDENCE;
            let error = if self.tests.len() < 2 {
                whole / 4.0
            } else {
                whole / 2.0 / (2 * MAX_TESTS_PER_END - 2) as f64
            };
            self.tests.push(SequentialTest::new(candidate, lower, error));
            self.tests.len() - 1
        });
        self.tests[number].record_outcome(held);
        if let Some(shown) = self.tests[number].decision {
            self.states[candidate] = CandidateState::Tested(shown);
        }
    }

    /// Candidates: numbers of users in rising order.
    pub fn candidates(&self) -> &[u32] {
        &self.candidates
    }

    /// All outcomes so far: the candidate, and whether the objectives held.
    pub fn outcomes(&self) -> &[(usize, bool)] {
        &self.outcomes
    }

    /// All tests so far, in the order of testing.
    pub fn tests(&self) -> &[SequentialTest] {
        &self.tests
    }

    /// Proven interval: the objectives hold up to the first number of users and not from the second
    /// on.
    ///
    /// An end is `None` while it is not proven, and finally if it is beyond all candidates.
    pub fn interval(&self) -> (Option<u32>, Option<u32>) {
        let users = |at: isize| self.candidates.get(at.cast_unsigned()).copied();
        (users(self.proven_lower()), users(self.proven_upper()))
    }

    /// Expected number of remaining repetitions if no outcome disagrees, for the estimate of the
    /// remaining time.
    pub fn expected_remaining(&self) -> usize {
        let mut ahead = self.clone();
        let before = ahead.outcomes.len();
        // Assume the capacity in the middle of the range that is still open.
        let (low, high) = (self.highest_that_may_hold(), self.lowest_that_may_fail());
        let top = if high == self.candidate_count() && low < high - 1 {
            (self.next_doubling(low) * 2).min(high)
        } else {
            high
        };
        let middle = low.min(top).midpoint(low.max(top));
        while let Some((candidate, _)) = ahead.next_repetition() {
            ahead.record_outcome(candidate.cast_signed() <= middle);
        }
        ahead.outcomes.len() - before
    }
}

mod sequential_test;
#[cfg(test)]
mod tests;
