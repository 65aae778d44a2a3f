//! The sequential test that a candidate is put to.

/// The share of agreeing repetitions that a proof bets on. The bet decides how soon a proof is
/// reached, never whether it is right.
const BET: f64 = 0.95;
/// Repetitions after which a candidate that nothing was proven of is grey.
pub const MOST: u32 = 20;

/// What a test has shown of its candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The objectives hold in more than half of the repetitions.
    Holds,
    /// They are missed in more than half.
    Fails,
    /// Neither can be shown within [`MOST`] repetitions.
    Grey,
}

/// A candidate that was put to the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Its place among the candidates.
    pub candidate: usize,
    /// Whether it was tested as the lower end of the answer, rather than as the upper.
    pub lower: bool,
    /// Repetitions in which the objectives held.
    pub held: u32,
    /// And in which they did not.
    pub missed: u32,
    /// The largest chance that the test shows something that is not so.
    pub error: f64,
    /// What it has shown; `None` so far.
    pub shown: Option<Shown>,
}

impl Trial {
    /// A test that may err with a chance of `error`.
    pub const fn new(candidate: usize, lower: bool, error: f64) -> Self {
        Self { candidate, lower, held: 0, missed: 0, error, shown: None }
    }

    /// Repetitions so far.
    pub const fn repetitions(&self) -> u32 {
        self.held + self.missed
    }

    /// One more repetition.
    pub fn learn(&mut self, held: bool) {
        *(if held { &mut self.held } else { &mut self.missed }) += 1;
        let needed = -self.error.ln();
        let left = MOST.saturating_sub(self.repetitions());
        let (holds, fails) = (evidence(self.held, self.missed), evidence(self.missed, self.held));
        let within_reach = |now: f64| now + evidence(left, 0) >= needed;
        self.shown = if holds >= needed {
            Some(Shown::Holds)
        } else if fails >= needed {
            Some(Shown::Fails)
        } else if within_reach(holds) || within_reach(fails) {
            None
        } else {
            Some(Shown::Grey)
        };
    }
}

/// Logarithm of the likelihood ratio of "[`BET`] of all repetitions agree" against "half of them".
fn evidence(agreeing: u32, contrary: u32) -> f64 {
    f64::from(agreeing) * (BET / 0.5).ln() + f64::from(contrary) * ((1.0 - BET) / 0.5).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(outcomes: impl IntoIterator<Item = bool>) -> Trial {
        let mut trial = Trial::new(0, true, 1.0 / 80.0);
        for held in outcomes {
            if trial.shown.is_none() {
                trial.learn(held);
            }
        }
        trial
    }

    #[test]
    fn seven_that_agree_decide_and_each_contrary_one_costs_four_or_five_more() {
        for (contrary, agreeing) in [(0, 7), (1, 11), (2, 15)] {
            let outcomes = |held: bool| {
                let contrary = std::iter::repeat_n(!held, contrary);
                contrary.chain(std::iter::repeat_n(held, 20))
            };
            let carried = tried(outcomes(true));
            assert_eq!((carried.shown, carried.held), (Some(Shown::Holds), agreeing));
            let missed = tried(outcomes(false));
            assert_eq!((missed.shown, missed.missed), (Some(Shown::Fails), agreeing));
        }
    }

    #[test]
    fn what_can_no_longer_be_decided_is_grey_at_once() {
        let split = tried([true, false, true, false, true, false]);
        assert_eq!((split.shown, split.repetitions()), (Some(Shown::Grey), 6));
        // Sixteen of twenty might still hold: only then is it grey.
        let mostly = tried((0..40).map(|at| at % 5 != 4));
        assert_eq!(mostly.shown, Some(Shown::Grey));
        assert!(mostly.repetitions() <= MOST, "{mostly:?}");
    }

    #[test]
    fn a_smaller_error_takes_more_repetitions() {
        let mut strict = Trial::new(0, false, 1.0 / 400.0);
        while strict.shown.is_none() {
            strict.learn(false);
        }
        assert_eq!((strict.shown, strict.missed), (Some(Shown::Fails), 10));
    }
}
