//! Two points over their repetitions: what differs, how surely, and in which words.

use super::{
    ALPHA, holm,
    rank::{rank_sum, smallest_p},
    sample::{mean, skewness},
    welch::welch,
};

/// Repetitions on a side below which the rank test stands beside Welch's.
const SMALL: usize = 8;
/// Skewness above which Welch's test is not left alone with the decision.
const SKEWED: f64 = 1.0;

/// `b − a`, over the repetitions of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Repetitions on either side.
    pub n: (usize, usize),
    /// Means.
    pub means: (f64, f64),
    /// `b − a` of the means.
    pub difference: f64,
    /// 95 % interval of the difference (Welch); `None` where the repetitions carry none.
    pub interval: Option<(f64, f64)>,
    /// Welch's two-sided p, not corrected for the number of comparisons.
    pub welch_p: Option<f64>,
    /// The rank-sum test's two-sided p, where a sample is small or skewed *and* the test could
    /// decide at these sizes (and, after [`correct`], among that many) at all.
    pub rank_p: Option<f64>,
    /// The larger of the two, corrected for the number of comparisons; by itself until
    /// [`correct`] is called.
    pub p: Option<f64>,
    /// What may be said.
    pub seen: Seen,
}

/// What may be said of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// `b` is higher than `a`.
    Higher,
    /// `b` is lower than `a`.
    Lower,
    /// None seen: there may still be one, within the interval.
    Nothing,
    /// Too few repetitions, or no variation in them, to say anything.
    Undecidable,
}

impl Difference {
    /// `b − a` as a share of `a`, with the interval as the same share; `None` at `a` = 0.
    pub fn relative(&self) -> Option<(f64, Option<(f64, f64)>)> {
        let base = self.means.0.abs();
        (base > 0.0).then(|| {
            (self.difference / base, self.interval.map(|(low, high)| (low / base, high / base)))
        })
    }

    fn judge(&mut self) {
        self.seen = match (self.interval, self.p) {
            (Some((low, _)), Some(p)) if p < ALPHA && low > 0.0 => Seen::Higher,
            (Some((_, high)), Some(p)) if p < ALPHA && high < 0.0 => Seen::Lower,
            (Some(_), Some(_)) => Seen::Nothing,
            _ => Seen::Undecidable,
        };
    }
}

/// Compares the repetitions of two points; `None` when a side has none.
///
/// Welch's test decides alone where both samples are large and not skewed. Elsewhere the rank test
/// must agree, if it can decide at these sizes (three against three never can: its smallest p is
/// 0.1).
pub fn difference(a: &[f64], b: &[f64]) -> Option<Difference> {
    let test = welch(a, b)?;
    let small = a.len() < SMALL || b.len() < SMALL;
    let skewed = [a, b].iter().any(|side| skewness(side).is_some_and(|g| g.abs() > SKEWED));
    let able = smallest_p(a.len(), b.len()) < ALPHA;
    let rank_p = if (small || skewed) && able { rank_sum(a, b) } else { None };
    let mut difference = Difference {
        n: (a.len(), b.len()),
        means: (mean(a)?, mean(b)?),
        difference: test.difference,
        interval: test.interval,
        welch_p: test.p,
        rank_p,
        p: test.p.map(|p| p.max(rank_p.unwrap_or(0.0))),
        seen: Seen::Undecidable,
    };
    difference.judge();
    Some(difference)
}

/// Corrects the p of differences that are looked at together (Holm), and with them the words. A
/// rank test that could not decide among so many takes no part any more.
pub fn correct(differences: &mut [&mut Difference]) {
    let tests = differences.iter().filter(|difference| difference.welch_p.is_some()).count();
    for difference in differences.iter_mut() {
        let (a, b) = difference.n;
        if smallest_p(a, b) * tests as f64 >= ALPHA {
            difference.rank_p = None;
        }
    }
    let raw: Vec<_> = differences
        .iter()
        .map(|difference| difference.welch_p.map(|p| p.max(difference.rank_p.unwrap_or(0.0))))
        .collect();
    for (difference, p) in differences.iter_mut().zip(holm::adjust(&raw)) {
        difference.p = p;
        difference.judge();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_need_the_interval() {
        let apart = difference(&[1.0, 1.1, 0.9, 1.0], &[2.0, 2.1, 1.9, 2.05]).unwrap();
        assert_eq!(apart.seen, Seen::Higher);
        assert!(apart.rank_p.is_some());
        let back = difference(&[2.0, 2.1, 1.9, 2.05], &[1.0, 1.1, 0.9, 1.0]).unwrap();
        assert_eq!(back.seen, Seen::Lower);
        let near = difference(&[1.0, 1.3, 0.8, 1.1], &[1.2, 0.9, 1.1, 1.0]).unwrap();
        assert_eq!(near.seen, Seen::Nothing);
        let one = difference(&[1.0], &[9.0, 9.1]).unwrap();
        assert_eq!((one.seen, one.interval), (Seen::Undecidable, None));
        assert_eq!(difference(&[], &[1.0]), None);
    }

    #[test]
    fn three_against_three_is_left_to_welch_and_ten_alike_too() {
        let three = difference(&[1.0, 1.1, 0.9], &[2.0, 2.1, 1.9]).unwrap();
        assert_eq!((three.rank_p, three.seen), (None, Seen::Higher));
        let even: Vec<f64> = (0..10).map(f64::from).collect();
        assert_eq!(difference(&even, &even).unwrap().rank_p, None);
        let mut skewed = even.clone();
        skewed[9] = 90.0;
        assert!(difference(&even, &skewed).unwrap().rank_p.is_some());
    }

    #[test]
    fn many_comparisons_need_more_than_one() {
        // p = 0.025: seen alone, not seen as one of three.
        let a = [2.1, 2.3, 2.2, 2.6, 2.4];
        let b = [2.9, 3.4, 2.8, 5.1, 3.0, 3.3];
        let mut first = difference(&a, &b).unwrap();
        assert_eq!(first.seen, Seen::Higher);
        let mut others = [difference(&a, &a).unwrap(), difference(&b, &b).unwrap()];
        let [second, third] = &mut others;
        correct(&mut [&mut first, second, third]);
        assert_eq!(first.seen, Seen::Nothing);
        assert!((first.p.unwrap() - 3.0 * 0.024_723_766_429_845_23).abs() < 1e-7);
        assert!(first.rank_p.is_some(), "6 against 5 can decide among three");
    }

    #[test]
    fn a_rank_test_that_cannot_decide_among_so_many_does_not_forbid_a_word() {
        let far = || difference(&[1.0, 1.1, 0.9, 1.0], &[9.0, 9.1, 8.9, 9.05]).unwrap();
        let mut all = [far(), far(), far()];
        assert!(all[0].rank_p.is_some());
        correct(&mut all.iter_mut().collect::<Vec<_>>());
        assert_eq!((all[0].rank_p, all[0].seen), (None, Seen::Higher));
    }

    proptest! {
        #[test]
        fn swapping_sides_mirrors_everything(
            a in prop::collection::vec(0.1..100.0_f64, 1..12),
            b in prop::collection::vec(0.1..100.0_f64, 1..12),
        ) {
            let (there, back) = (difference(&a, &b).unwrap(), difference(&b, &a).unwrap());
            prop_assert!((there.difference + back.difference).abs() < 1e-9);
            let mirrored = match there.seen {
                Seen::Higher => Seen::Lower,
                Seen::Lower => Seen::Higher,
                other => other,
            };
            prop_assert_eq!(mirrored, back.seen);
            if let Some((low, high)) = there.interval {
                prop_assert!(low <= there.difference && there.difference <= high);
            }
            if there.seen == Seen::Higher {
                prop_assert!(there.interval.unwrap().0 > 0.0);
            }
        }

        #[test]
        fn a_sample_does_not_differ_from_itself(a in prop::collection::vec(0.1..100.0_f64, 2..12)) {
            let same = difference(&a, &a).unwrap();
            prop_assert_eq!(same.seen, Seen::Nothing);
        }
    }
}
