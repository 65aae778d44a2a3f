//! Sequential test of a candidate.

/// Share of agreeing repetitions that the test assumes if its hypothesis is true; it affects how
/// soon the test decides, never whether the decision is right.
const ASSUMED_AGREEMENT: f64 = 0.95;
/// Repetitions after which a test without a proof ends undecided.
pub const MAX_TEST_REPETITIONS: u32 = 20;

/// Decision of a test about its candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestDecision {
    /// The objectives hold in more than half of the repetitions.
    Holds,
    /// The objectives are missed in more than half of the repetitions.
    Fails,
    /// Neither can be shown within [`MAX_TEST_REPETITIONS`] repetitions.
    Undecided,
}

/// Sequential test of one candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequentialTest {
    /// Index of the candidate.
    pub candidate: usize,
    /// Whether the candidate is tested as the lower end of the interval, not as the upper.
    pub is_lower_end: bool,
    /// Repetitions in which the objectives held.
    pub held: u32,
    /// Repetitions in which the objectives were missed.
    pub missed: u32,
    /// Largest probability of a wrong decision.
    pub max_error: f64,
    /// Decision of the test; `None` while it is open.
    pub decision: Option<TestDecision>,
}

impl SequentialTest {
    /// Creates a test whose probability of a wrong decision is at most `max_error`.
    pub const fn new(candidate: usize, lower: bool, error: f64) -> Self {
        Self {
            candidate,
            is_lower_end: lower,
            held: 0,
            missed: 0,
            max_error: error,
            decision: None,
        }
    }

    /// Repetitions so far.
    pub const fn repetitions(&self) -> u32 {
        self.held + self.missed
    }

    /// Records the outcome of one more repetition.
    pub fn record_outcome(&mut self, held: bool) {
        *(if held { &mut self.held } else { &mut self.missed }) += 1;
        let needed = -self.max_error.ln();
        let left = MAX_TEST_REPETITIONS.saturating_sub(self.repetitions());
        let (holds, fails) = (
            log_likelihood_ratio(self.held, self.missed),
            log_likelihood_ratio(self.missed, self.held),
        );
        let within_reach = |now: f64| now + log_likelihood_ratio(left, 0) >= needed;
        self.decision = if holds >= needed {
            Some(TestDecision::Holds)
        } else if fails >= needed {
            Some(TestDecision::Fails)
        } else if within_reach(holds) || within_reach(fails) {
            None
        } else {
            Some(TestDecision::Undecided)
        };
    }
}

/// Logarithm of the likelihood ratio of "[`ASSUMED_AGREEMENT`] of all repetitions agree" against
/// "half of them".
fn log_likelihood_ratio(agreeing: u32, contrary: u32) -> f64 {
    f64::from(agreeing) * (ASSUMED_AGREEMENT / 0.5).ln()
        + f64::from(contrary) * ((1.0 - ASSUMED_AGREEMENT) / 0.5).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_test(outcomes: impl IntoIterator<Item = bool>) -> SequentialTest {
        let mut test = SequentialTest::new(0, true, 1.0 / 80.0);
        for held in outcomes {
            if test.decision.is_none() {
                test.record_outcome(held);
            }
        }
        test
    }

    #[test]
    fn seven_that_agree_decide_and_each_contrary_one_costs_four_or_five_more() {
        for (contrary, agreeing) in [(0, 7), (1, 11), (2, 15)] {
            let outcomes = |held: bool| {
                let contrary = std::iter::repeat_n(!held, contrary);
                contrary.chain(std::iter::repeat_n(held, 20))
            };
            let carried = run_test(outcomes(true));
            assert_eq!((carried.decision, carried.held), (Some(TestDecision::Holds), agreeing));
            let missed = run_test(outcomes(false));
            assert_eq!((missed.decision, missed.missed), (Some(TestDecision::Fails), agreeing));
        }
    }

    #[test]
    fn a_test_that_can_no_longer_decide_ends_undecided_at_once() {
        let split = run_test([true, false, true, false, true, false]);
        assert_eq!((split.decision, split.repetitions()), (Some(TestDecision::Undecided), 6));
        // Sixteen of twenty might still hold: undecided only after all repetitions.
        let mostly = run_test((0..40).map(|at| at % 5 != 4));
        assert_eq!(mostly.decision, Some(TestDecision::Undecided));
        assert!(mostly.repetitions() <= MAX_TEST_REPETITIONS, "{mostly:?}");
    }

    #[test]
    fn a_smaller_error_takes_more_repetitions() {
        let mut strict = SequentialTest::new(0, false, 1.0 / 400.0);
        while strict.decision.is_none() {
            strict.record_outcome(false);
        }
        assert_eq!((strict.decision, strict.missed), (Some(TestDecision::Fails), 10));
    }
}
