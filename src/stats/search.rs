//! The search for a capacity: the largest of several numbers of users at which something holds that
//! is decided anew, with chance in it, in every repetition.
//!
//! # What is searched
//! Let p(n) be the share of repetitions with n users in which the objectives hold, falling as n
//! grows. The capacity is the largest n with p(n) ≥ 1/2: up to it the objectives hold more often
//! than not. Where a server is either well or overrun, p falls from 1 to 0 within a few users, and
//! nobody needs to care for the half. Elsewhere there is a *grey zone* in which p is neither near 1
//! nor near 0, and the answer reaches from one side of it to the other.
//!
//! # How
//! Single repetitions scout: the users grow by doubling until the objectives are missed, then
//! bisection closes in on two neighbours. What scouting says may be chance; only the tests that
//! follow are relied on. Both ends are put to one, with fresh repetitions: a likelihood ratio of
//! "holds in 95 of 100" against "holds in half", another of "holds in 5 of 100" against the same,
//! multiplied up repetition by repetition until one of them decides. A candidate that neither can
//! decide within [`trial::MOST`] repetitions is grey. Then the search goes on to both sides of it,
//! as far again as the grey zone is wide by now, and, once an end is proven, back by halves. A
//! candidate is tested once, so that a broad grey zone is left and not walked about in.
//!
//! # Why the interval is right
//! If p(n) ≤ 1/2, the first ratio is a supermartingale, and the chance that it *ever* reaches 1/α is
//! at most α, however and whenever one stops (Ville's inequality: J. Ville, *Étude critique de la
//! notion de collectif*, 1939; the test is A. Wald's of 1945, *Sequential tests of statistical
//! hypotheses*, with the power-one stopping of H. Robbins, 1970); if p(n) ≥ 1/2, so is the second.
//! A candidate can therefore be misjudged in one way only, with a chance of α. The first two have
//! an α of 1.25 % each, the ten that may follow 0.25 % each, decided before their first repetition:
//! together 5 %. So in at least 95 of 100 searches the objectives hold in half of the repetitions
//! or more at the lower end and in less at the upper one, whatever p looks like, and where p falls
//! the interval holds the capacity.
//!
//! In numbers: seven repetitions that all hold prove a lower end, seven that all miss an upper one;
//! each contrary one costs four or five more; a candidate between takes six to twenty.

mod trial;

pub use trial::{Shown, Trial};

/// Share of searches whose interval holds the capacity, at least.
pub const CONFIDENCE: f64 = 0.95;
/// Candidates that may be put to the test for each end.
const TRIALS: usize = 6;
/// Candidates between a proven end and the grey zone that are not worth a test of their own; nor are
/// fewer than half of those in the zone.
const SLACK: isize = 1;
/// Repetitions after which every search is over.
pub const MOST_REPETITIONS: usize = 150;

/// What a repetition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Finds the order of magnitude.
    Growth,
    /// Closes in.
    Bisection,
    /// Tests whether the objectives hold.
    Lower,
    /// Tests whether they are missed.
    Upper,
}

/// What is known of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Untried,
    /// A scout saw the objectives hold.
    Held,
    /// A scout saw them missed.
    Missed,
    Tested(Shown),
}

/// A search in progress: fed with one outcome after the other, it is a function of them alone.
#[derive(Debug, Clone)]
pub struct Search {
    ladder: Vec<u32>,
    standings: Vec<Standing>,
    outcomes: Vec<(usize, bool)>,
    trials: Vec<Trial>,
}

impl Search {
    /// A search among `ladder`, numbers of users in rising order.
    pub fn new(ladder: Vec<u32>) -> Self {
        let standings = vec![Standing::Untried; ladder.len()];
        Self { ladder, standings, outcomes: Vec::new(), trials: Vec::new() }
    }

    /// The candidate of the next repetition and what that is for; `None` when the search is over.
    pub fn next(&self) -> Option<(usize, Purpose)> {
        if self.outcomes.len() >= MOST_REPETITIONS || self.ladder.is_empty() {
            return None;
        }
        let (candidate, purpose) = self.scout().or_else(|| self.test())?;
        Some((candidate.cast_unsigned(), purpose))
    }

    fn last(&self) -> isize {
        self.ladder.len().cast_signed()
    }

    /// The highest place of those up to `below` whose standing is one of `wanted`; −1 for none.
    fn highest(&self, below: isize, wanted: impl Fn(Standing) -> bool) -> isize {
        let known = &self.standings[..below.cast_unsigned()];
        known.iter().rposition(|standing| wanted(*standing)).map_or(-1, usize::cast_signed)
    }

    /// The smallest candidate that is proven to fail; the number of candidates for none.
    fn upper(&self) -> isize {
        let fails = |standing: &Standing| *standing == Standing::Tested(Shown::Fails);
        self.standings.iter().position(fails).map_or(self.last(), usize::cast_signed)
    }

    /// The largest below it that is proven to hold; −1 for none.
    fn lower(&self) -> isize {
        self.highest(self.upper(), |standing| standing == Standing::Tested(Shown::Holds))
    }

    /// The highest candidate that may hold as far as is known: below it nothing is to be sought
    /// for the upper end. −1 for none.
    fn may_hold(&self) -> isize {
        self.highest(self.upper(), |standing| {
            !matches!(standing, Standing::Untried | Standing::Missed)
        })
    }

    /// The lowest that may fail, above all that is proven to hold; the number of candidates for
    /// none.
    fn may_fail(&self) -> isize {
        let from = (self.lower() + 1).cast_unsigned();
        let may = |standing: &Standing| !matches!(standing, Standing::Untried | Standing::Held);
        let found = self.standings[from..].iter().position(may);
        found.map_or(self.last(), |place| (from + place).cast_signed())
    }

    /// Between what may hold and what may fail a scout goes first.
    fn scout(&self) -> Option<(isize, Purpose)> {
        let (low, high) = (self.may_hold(), self.may_fail());
        if high - low <= 1 {
            return None;
        }
        if high == self.last() {
            Some((self.doubled(low), Purpose::Growth))
        } else {
            Some((low.midpoint(high), Purpose::Bisection))
        }
    }

    fn doubled(&self, low: isize) -> isize {
        let Ok(low) = usize::try_from(low) else { return 0 };
        let enough = self.ladder[low].saturating_mul(2);
        let next = self.ladder.iter().position(|users| *users >= enough);
        next.unwrap_or(self.ladder.len() - 1).cast_signed()
    }

    /// The end that is to be worked at: the one with the fewer repetitions in its open test.
    fn test(&self) -> Option<(isize, Purpose)> {
        let spent = |lower| self.open(lower).map_or(0, Trial::repetitions);
        let (low, high) = (self.to_test(true), self.to_test(false));
        let lower = match (low, high) {
            (Some(_), Some(_)) => spent(true) <= spent(false),
            (low, _) => low.is_some(),
        };
        let candidate = if lower { low } else { high }?;
        let purpose = match (self.standings[candidate.cast_unsigned()], lower) {
            (Standing::Untried, _) => Purpose::Bisection,
            (_, true) => Purpose::Lower,
            (_, false) => Purpose::Upper,
        };
        Some((candidate, purpose))
    }

    /// The next candidate for an end; `None` when that is proven as narrowly as it is worth, or may
    /// be sought no longer.
    fn to_test(&self, lower: bool) -> Option<isize> {
        if let Some(open) = self.open(lower) {
            return Some(open.candidate.cast_signed());
        }
        let (low, high) = (self.may_hold(), self.may_fail());
        // As far again as the grey zone is wide, which reaches from `high` to `low`; but not more
        // than half of the way to an end that is proven.
        let stride = (low - high + 1).max(1);
        let (proven, candidate, room) = if lower {
            let proven = self.lower();
            let half = if proven < 0 { 0 } else { proven.midpoint(high) };
            (proven >= 0, (high - stride).max(half), high - proven - 1)
        } else {
            let proven = self.upper();
            let last = self.last();
            let half = if proven == last { last - 1 } else { proven - (proven - low) / 2 };
            (proven < last, (low + stride).min(half), proven - low - 1)
        };
        let worth = room > SLACK.max(stride / 2)
            || room > 0 && (!proven || self.is_likely(candidate, lower));
        let left = self.trials.iter().filter(|trial| trial.lower == lower).count() < TRIALS;
        (worth && left).then_some(candidate)
    }

    /// Whether a scout saw at `candidate` what the test for that end is to show.
    fn is_likely(&self, candidate: isize, lower: bool) -> bool {
        let wanted = if lower { Standing::Held } else { Standing::Missed };
        self.standings[candidate.cast_unsigned()] == wanted
    }

    /// The test in progress for an end, unless its candidate lies beyond what was proven meanwhile.
    fn open(&self, lower: bool) -> Option<&Trial> {
        let open = |trial: &&Trial| trial.lower == lower && trial.shown.is_none();
        let trial = self.trials.iter().rfind(open)?;
        let at = trial.candidate.cast_signed();
        (self.lower() < at && at < self.upper()).then_some(trial)
    }

    /// The outcome of the repetition that [`Self::next`] asked for.
    pub fn learn(&mut self, held: bool) {
        let Some((candidate, purpose)) = self.next() else { return };
        self.outcomes.push((candidate, held));
        match purpose {
            Purpose::Growth | Purpose::Bisection => {
                self.standings[candidate] = if held { Standing::Held } else { Standing::Missed };
            }
            Purpose::Lower | Purpose::Upper => {
                self.tested(candidate, purpose == Purpose::Lower, held);
            }
        }
    }

    fn tested(&mut self, candidate: usize, lower: bool, held: bool) {
        let known = self.trials.iter().position(|trial| trial.candidate == candidate);
        let number = known.unwrap_or_else(|| {
            let whole = 1.0 - CONFIDENCE;
            let error = if self.trials.len() < 2 {
                whole / 4.0
            } else {
                whole / 2.0 / (2 * TRIALS - 2) as f64
            };
            self.trials.push(Trial::new(candidate, lower, error));
            self.trials.len() - 1
        });
        self.trials[number].learn(held);
        if let Some(shown) = self.trials[number].shown {
            self.standings[candidate] = Standing::Tested(shown);
        }
    }

    /// The candidates: numbers of users in rising order.
    pub fn ladder(&self) -> &[u32] {
        &self.ladder
    }

    /// Every outcome so far: the candidate, and whether the objectives held.
    pub fn outcomes(&self) -> &[(usize, bool)] {
        &self.outcomes
    }

    /// Every candidate that was put to the test, in the order of testing.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The proven interval: the objectives hold up to the one and not from the other on. An end is
    /// `None` while it is not proven, and for good when it lies beyond all candidates.
    pub fn interval(&self) -> (Option<u32>, Option<u32>) {
        let users = |at: isize| self.ladder.get(at.cast_unsigned()).copied();
        (users(self.lower()), users(self.upper()))
    }

    /// Repetitions that the search may still take, if nothing contrary happens: for the time left.
    pub fn expected(&self) -> usize {
        let mut ahead = self.clone();
        let before = ahead.outcomes.len();
        // As if the capacity lay in the middle of what is still open.
        let (low, high) = (self.may_hold(), self.may_fail());
        let top = if high == self.last() && low < high - 1 {
            (self.doubled(low) * 2).min(high)
        } else {
            high
        };
        let middle = low.min(top).midpoint(low.max(top));
        while let Some((candidate, _)) = ahead.next() {
            ahead.learn(candidate.cast_signed() <= middle);
        }
        ahead.outcomes.len() - before
    }
}

#[cfg(test)]
mod tests;
