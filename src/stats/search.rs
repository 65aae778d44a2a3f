//! The search for a capacity: the largest of several numbers of users at which something holds that
//! is decided anew, with chance in it, in every repetition.
//!
//! # What is searched
//! Let p(n) be the share of repetitions with n users in which the objectives hold, falling as n
//! grows. The capacity is the largest n with p(n) ≥ 1/2: up to it the objectives hold more often
//! than not. Where a server is either well or overrun, p falls from 1 to 0 within a few users, and
//! nobody needs to care for the half.
//!
//! # How
//! Single repetitions scout: the users grow by doubling until the objectives are missed, then
//! bisection closes in on two neighbours. What scouting says may be chance; only the proofs that
//! follow are relied on. Both ends are put to a sequential test with fresh repetitions: a
//! likelihood ratio of "holds in 95 of 100" against "holds in half" for the lower end, of "in 5 of
//! 100" for the upper one, multiplied up repetition by repetition.
//!
//! If the truth is that p(n) ≤ 1/2, the ratio is a supermartingale, and the chance that it *ever*
//! reaches 1/α is at most α, however and whenever one stops (Ville's inequality: J. Ville, *Étude
//! critique de la notion de collectif*, 1939; the test is A. Wald's of 1945, *Sequential tests of
//! statistical hypotheses*, with the power-one stopping of H. Robbins, 1970). Each end may be wrong
//! in 2.5 of 100 searches. Its first candidate is tested at half of that, the next, should the
//! first be given up, at half of the rest, and so on: all together at most 2.5 %. So the interval
//! holds the capacity in at least 95 of 100 searches, whatever p looks like.
//!
//! In numbers: seven repetitions that all hold prove a lower end, seven that all miss an upper one;
//! one contrary repetition costs five more. Two contrary ones give the candidate up, and
//! scouting goes on beyond it.

/// Share of searches whose interval holds the capacity, at least.
pub const CONFIDENCE: f64 = 0.95;
/// The share of agreeing repetitions that a proof bets on. The bet decides how soon a proof is
/// reached, never whether it is right.
const BET: f64 = 0.95;
/// Contrary repetitions that give a candidate up.
const CONTRARY: u32 = 2;
/// Candidates between a proven end and where scouting has come to since, that are not worth a
/// proof of their own.
const SLACK: isize = 1;
/// Repetitions after which a search ends without an answer of full confidence.
pub const MOST_REPETITIONS: usize = 120;

/// What a repetition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Finds the order of magnitude.
    Growth,
    /// Closes in.
    Bisection,
    /// Proves that the objectives hold.
    Lower,
    /// Proves that they are missed.
    Upper,
}

/// Where scouting goes from its bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hunt {
    /// Twice the users each time.
    Doubling,
    /// Away from an end that was given up, by a stride that doubles.
    Up(isize),
    Down(isize),
    Bisection,
}

/// A candidate that was put to the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proof {
    /// Its place among the candidates.
    pub candidate: usize,
    /// Whether it is to be shown that the objectives hold, rather than that they are missed.
    pub lower: bool,
    /// Repetitions in which they held.
    pub held: u32,
    /// And in which they did not.
    pub missed: u32,
    /// The largest chance that such a proof succeeds although the contrary is true.
    pub error: f64,
    /// Proven, given up, or neither so far.
    pub proven: Option<bool>,
}

impl Proof {
    /// The likelihood ratio's logarithm.
    fn evidence(&self) -> f64 {
        let (agreeing, contrary) = self.sides();
        f64::from(agreeing) * (BET / 0.5).ln() + f64::from(contrary) * ((1.0 - BET) / 0.5).ln()
    }

    const fn sides(&self) -> (u32, u32) {
        if self.lower { (self.held, self.missed) } else { (self.missed, self.held) }
    }

    fn learn(&mut self, held: bool) {
        *(if held { &mut self.held } else { &mut self.missed }) += 1;
        if self.evidence() >= -self.error.ln() {
            self.proven = Some(true);
        } else if self.sides().1 >= CONTRARY {
            self.proven = Some(false);
        }
    }
}

/// A search in progress: fed with one outcome after the other, it is a function of them alone.
#[derive(Debug, Clone)]
pub struct Search {
    ladder: Vec<u32>,
    /// The highest candidate that seems to hold; −1 for none.
    low: isize,
    /// The lowest that seems not to; the number of candidates for none.
    high: isize,
    hunt: Hunt,
    outcomes: Vec<(usize, bool)>,
    proofs: Vec<Proof>,
}

impl Search {
    /// A search among `ladder`, numbers of users in rising order.
    pub fn new(ladder: Vec<u32>) -> Self {
        let high = ladder.len().cast_signed();
        Self {
            ladder,
            low: -1,
            high,
            hunt: Hunt::Doubling,
            outcomes: Vec::new(),
            proofs: Vec::new(),
        }
    }

    /// The candidate of the next repetition and what that is for; `None` when the search is over.
    pub fn next(&self) -> Option<(usize, Purpose)> {
        if self.outcomes.len() >= MOST_REPETITIONS {
            return None;
        }
        if self.high - self.low > 1 {
            let (candidate, purpose) = match self.hunt {
                Hunt::Doubling => (self.doubled(), Purpose::Growth),
                Hunt::Up(stride) => ((self.low + stride).min(self.high - 1), Purpose::Growth),
                Hunt::Down(stride) => ((self.high - stride).max(self.low + 1), Purpose::Growth),
                Hunt::Bisection => (self.low.midpoint(self.high), Purpose::Bisection),
            };
            return Some((candidate.cast_unsigned(), purpose));
        }
        self.proof_due().map(|lower| {
            let candidate = if lower { self.low } else { self.high };
            (candidate.cast_unsigned(), if lower { Purpose::Lower } else { Purpose::Upper })
        })
    }

    fn doubled(&self) -> isize {
        let Ok(low) = usize::try_from(self.low) else { return 0 };
        let enough = self.ladder[low].saturating_mul(2);
        let next = self.ladder.iter().position(|users| *users >= enough);
        next.unwrap_or(self.ladder.len() - 1).cast_signed()
    }

    /// Whether a proof is due, and of which end: the one with the fewer repetitions so far.
    fn proof_due(&self) -> Option<bool> {
        let lower = self.low >= 0 && self.lower().is_none_or(|at| self.low > at + SLACK);
        let last = self.ladder.len().cast_signed();
        let upper = self.high < last && self.upper().is_none_or(|at| self.high + SLACK < at);
        let spent = |lower| self.open(lower).map_or(0, |proof| proof.held + proof.missed);
        match (lower, upper) {
            (true, true) => Some(spent(true) <= spent(false)),
            (true, false) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }

    fn open(&self, lower: bool) -> Option<&Proof> {
        self.proofs.iter().find(|proof| proof.lower == lower && proof.proven.is_none())
    }

    fn proven(&self, lower: bool) -> impl Iterator<Item = isize> + '_ {
        let proven = move |proof: &&Proof| proof.lower == lower && proof.proven == Some(true);
        self.proofs.iter().filter(proven).map(|proof| proof.candidate.cast_signed())
    }

    fn lower(&self) -> Option<isize> {
        self.proven(true).max()
    }

    fn upper(&self) -> Option<isize> {
        self.proven(false).min()
    }

    /// The outcome of the repetition that [`Self::next`] asked for.
    pub fn learn(&mut self, held: bool) {
        let Some((candidate, purpose)) = self.next() else { return };
        self.outcomes.push((candidate, held));
        match purpose {
            Purpose::Growth | Purpose::Bisection => self.scouted(candidate.cast_signed(), held),
            Purpose::Lower => self.tested(candidate, true, held),
            Purpose::Upper => self.tested(candidate, false, held),
        }
    }

    fn scouted(&mut self, candidate: isize, held: bool) {
        *(if held { &mut self.low } else { &mut self.high }) = candidate;
        self.hunt = match (self.hunt, held) {
            (Hunt::Doubling, true) => Hunt::Doubling,
            (Hunt::Up(stride), true) => Hunt::Up(stride * 2),
            (Hunt::Down(stride), false) => Hunt::Down(stride * 2),
            _ => Hunt::Bisection,
        };
    }

    fn tested(&mut self, candidate: usize, lower: bool, held: bool) {
        let open = |proof: &Proof| proof.lower == lower && proof.proven.is_none();
        let number = self.proofs.iter().position(open).unwrap_or_else(|| {
            let earlier = self.proofs.iter().filter(|proof| proof.lower == lower).count();
            // Half of what is left, each time.
            let error = (0..=earlier).fold((1.0 - CONFIDENCE) / 2.0, |left, _| left / 2.0);
            let proof = Proof { candidate, lower, held: 0, missed: 0, error, proven: None };
            self.proofs.push(proof);
            self.proofs.len() - 1
        });
        self.proofs[number].learn(held);
        if self.proofs[number].proven == Some(false) {
            // What was thought of it was chance: scouting goes on beyond it.
            if lower {
                self.high = self.low;
                self.low = self.lower().unwrap_or(-1);
                self.hunt = Hunt::Down(1);
            } else {
                self.low = self.high;
                self.high = self.upper().unwrap_or(self.ladder.len().cast_signed());
                self.hunt = Hunt::Up(1);
            }
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

    /// Every candidate that was put to the test.
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    /// The proven interval: the objectives hold up to the one and not from the other on. An end is
    /// `None` while it is not proven, and for good when it lies beyond all candidates.
    pub fn interval(&self) -> (Option<u32>, Option<u32>) {
        let users = |at: isize| self.ladder.get(at.cast_unsigned()).copied();
        (self.lower().and_then(users), self.upper().and_then(users))
    }

    /// Repetitions that the search may still take, if nothing contrary happens: for the time left.
    pub fn expected(&self) -> usize {
        if self.next().is_none() {
            return 0;
        }
        let mut ahead = self.clone();
        let before = ahead.outcomes.len();
        // As if the capacity lay in the middle of what is still open.
        let top = if self.hunt == Hunt::Doubling {
            (self.doubled() * 2).min(self.high)
        } else {
            self.high
        };
        let middle = self.low.midpoint(top);
        while let Some((candidate, _)) = ahead.next() {
            ahead.learn(candidate.cast_signed() <= middle);
        }
        ahead.outcomes.len() - before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn ladder() -> Vec<u32> {
        (1..=60).map(|step| step * 10).collect()
    }

    /// Searches where `holds` decides each repetition.
    fn searched(ladder: Vec<u32>, mut holds: impl FnMut(u32) -> bool) -> Search {
        let mut search = Search::new(ladder);
        while let Some((candidate, _)) = search.next() {
            let users = search.ladder()[candidate];
            search.learn(holds(users));
        }
        search
    }

    proptest! {
        #[test]
        fn a_sharp_capacity_is_found_between_two_neighbours(capacity in 0_u32..700) {
            let search = searched(ladder(), |users| users <= capacity);
            let lower = ladder().into_iter().rfind(|users| *users <= capacity);
            let upper = ladder().into_iter().find(|users| *users > capacity);
            prop_assert_eq!(search.interval(), (lower, upper));
            // Growth and bisection over sixty candidates, and seven repetitions for each end.
            prop_assert!(search.outcomes().len() <= 7 + 6 + 14, "{}", search.outcomes().len());
        }

        #[test]
        fn a_search_ends_whatever_happens(outcomes in proptest::collection::vec(any::<bool>(), 1..64)) {
            let mut outcomes = outcomes.into_iter().cycle();
            let search = searched(ladder(), |_| outcomes.next().unwrap_or_default());
            prop_assert!(search.outcomes().len() <= MOST_REPETITIONS);
            if let (Some(lower), Some(upper)) = search.interval() {
                prop_assert!(lower != upper);
            }
        }

        #[test]
        fn the_same_outcomes_make_the_same_search(seed in any::<u64>()) {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let first = searched(ladder(), |users| random.random_bool(share(users, 300.0, 60.0)));
            let mut again = Search::new(ladder());
            for (candidate, held) in first.outcomes() {
                prop_assert_eq!(again.next().map(|(next, _)| next), Some(*candidate));
                again.learn(*held);
            }
            prop_assert_eq!(again.interval(), first.interval());
        }
    }

    /// A response that falls smoothly around `middle`.
    fn share(users: u32, middle: f64, width: f64) -> f64 {
        1.0 / (1.0 + ((f64::from(users) - middle) / width).exp())
    }

    /// The interval's promise, on responses from a step to one that is noise almost everywhere. The
    /// seeds are fixed: 1,000 searches for each of them hold the truth in 950, less three standard
    /// deviations of such a count.
    #[test]
    fn the_interval_holds_the_capacity_as_often_as_it_says() {
        const SEARCHES: u64 = 1_000;
        for (middle, width) in [(304.0, 1.0), (304.0, 10.0), (304.0, 40.0), (128.0, 90.0)] {
            let truth = ladder().into_iter().rfind(|users| share(*users, middle, width) >= 0.5);
            let (mut right, mut repetitions) = (0_u64, 0);
            for seed in 0..SEARCHES {
                let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
                let search =
                    searched(ladder(), |users| random.random_bool(share(users, middle, width)));
                let (lower, upper) = search.interval();
                let above = lower.is_none_or(|lower| truth.is_some_and(|truth| lower <= truth));
                let below = upper.is_none_or(|upper| truth.is_none_or(|truth| truth < upper));
                right += u64::from(above && below);
                repetitions += search.outcomes().len() as u64;
            }
            println!("width {width}: {right} right, {} repetitions", repetitions / SEARCHES);
            let expected = SEARCHES as f64 * CONFIDENCE;
            let deviation = (expected * (1.0 - CONFIDENCE)).sqrt();
            assert!(right as f64 >= expected - 3.0 * deviation, "width {width}: {right}");
        }
    }

    /// A step with a few repetitions that go wrong by themselves is still found, and narrowly.
    #[test]
    fn a_server_that_sometimes_stumbles_has_a_narrow_answer() {
        let mut narrow = 0;
        for seed in 0..200 {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let search = searched(ladder(), |users| users <= 300 && random.random_bool(0.95));
            if let (Some(lower), Some(upper)) = search.interval() {
                assert!(upper > 300, "seed {seed}: {upper}");
                narrow += u32::from(lower >= 270 && upper <= 330);
            }
        }
        assert!(narrow >= 160, "{narrow} of 200");
    }

    #[test]
    fn all_or_none_has_one_end_only() {
        assert_eq!(searched(ladder(), |_| true).interval(), (Some(600), None));
        assert_eq!(searched(ladder(), |_| false).interval(), (None, Some(10)));
        assert_eq!(searched(vec![5], |_| true).interval(), (Some(5), None));
    }

    #[test]
    fn seven_repetitions_prove_and_a_contrary_one_costs_five_more() {
        let proof = |contrary: bool| {
            let error = (1.0 - CONFIDENCE) / 4.0;
            let mut proof =
                Proof { candidate: 0, lower: true, held: 0, missed: 0, error, proven: None };
            if contrary {
                proof.learn(false);
            }
            while proof.proven.is_none() {
                proof.learn(true);
            }
            (proof.held, proof.missed)
        };
        assert_eq!(proof(false), (7, 0));
        assert_eq!(proof(true), (11, 1));
    }

    #[test]
    fn what_is_expected_is_what_comes_when_nothing_is_contrary() {
        let search = Search::new(ladder());
        let expected = search.expected();
        assert!((15..=30).contains(&expected), "{expected}");
        let done = searched(ladder(), |users| users <= 300);
        assert_eq!(done.expected(), 0);
    }
}
