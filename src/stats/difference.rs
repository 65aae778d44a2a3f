//! Comparison of two points over their repetitions: difference, confidence, verdict.

use super::{
    ALPHA,
    estimate::Domain,
    holm,
    rank::{rank_sum, smallest_p},
    relative::relative_interval,
    sample::{mean, skewness},
    welch::welch_test,
};

/// Sample size below which the rank test must agree with Welch's test.
const SMALL_SAMPLE: usize = 8;
/// Skewness above which the rank test must agree with Welch's test.
const MAX_SKEWNESS: f64 = 1.0;

/// Difference `b − a` over the repetitions of both points.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Repetitions of `a` and of `b`.
    pub n: (usize, usize),
    /// Means of `a` and of `b`.
    pub means: (f64, f64),
    /// Difference `b − a` of the means.
    pub difference: f64,
    /// 95 % interval of the difference (Welch); `None` if the repetitions allow none.
    pub interval: Option<(f64, f64)>,
    /// 95 % interval of the difference as a share of the mean of `a`, see [`relative_interval`].
    pub relative_interval: Option<(f64, f64)>,
    /// Welch's two-sided p, not corrected for the number of comparisons.
    pub welch_p: Option<f64>,
    /// Two-sided p of the rank-sum test, if a sample is small or skewed *and* the test can decide
    /// at these sizes (and, after [`apply_holm`], among that many comparisons) at all.
    pub rank_p: Option<f64>,
    /// The larger of the two p; corrected for the number of comparisons once [`apply_holm`] is
    /// called.
    pub p: Option<f64>,
    /// Verdict on the difference.
    pub verdict: DifferenceVerdict,
}

/// Verdict on a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceVerdict {
    /// `b` is higher than `a`.
    Higher,
    /// `b` is lower than `a`.
    Lower,
    /// No difference seen: there may still be one, within the interval.
    NotSeen,
    /// Too few repetitions, or no variation in them, for a verdict.
    Undecidable,
}

impl Difference {
    /// `b − a` as a share of `a`; `None` at `a` = 0.
    pub fn relative(&self) -> Option<f64> {
        let base = self.means.0.abs();
        (base > 0.0).then(|| self.difference / base)
    }

    fn update_verdict(&mut self) {
        self.verdict = match (self.interval, self.p) {
            (Some((low, _)), Some(p)) if p < ALPHA && low > 0.0 => DifferenceVerdict::Higher,
            (Some((_, high)), Some(p)) if p < ALPHA && high < 0.0 => DifferenceVerdict::Lower,
            (Some(_), Some(_)) => DifferenceVerdict::NotSeen,
            _ => DifferenceVerdict::Undecidable,
        };
    }
}

/// Compares the repetitions of two points, of a quantity that has the values of `domain`; `None` when a side
/// has none.
///
/// Welch's test decides alone if both samples are large and not skewed. Otherwise the rank test
/// must agree, if it can decide at these sizes (three against three never can: its smallest p is
/// 0.1).
pub fn difference(a: &[f64], b: &[f64], domain: Domain) -> Option<Difference> {
    let test = welch_test(a, b)?;
    let small = a.len() < SMALL_SAMPLE || b.len() < SMALL_SAMPLE;
    let skewed = [a, b].iter().any(|side| skewness(side).is_some_and(|g| g.abs() > MAX_SKEWNESS));
    let able = smallest_p(a.len(), b.len()) < ALPHA;
    let rank_p = if (small || skewed) && able { rank_sum(a, b) } else { None };
    let mut difference = Difference {
        n: (a.len(), b.len()),
        means: (mean(a)?, mean(b)?),
        difference: test.difference,
        interval: test.interval,
        relative_interval: relative_interval(a, b, domain),
        welch_p: test.p,
        rank_p,
        p: test.p.map(|p| p.max(rank_p.unwrap_or(0.0))),
        verdict: DifferenceVerdict::Undecidable,
    };
    difference.update_verdict();
    Some(difference)
}

/// Corrects the p of differences that are examined together (Holm), and updates the verdicts.
///
/// A rank test that cannot decide among that many comparisons is dropped.
pub fn apply_holm(differences: &mut [&mut Difference]) {
    apply_holm_among(differences, &[]);
}

/// [`apply_holm`] among further tests with the p-values `others`; returns these corrected.
pub fn apply_holm_among(differences: &mut [&mut Difference], others: &[f64]) -> Vec<f64> {
    let compared = differences.iter().filter(|difference| difference.welch_p.is_some()).count();
    let tests = compared + others.len();
    for difference in differences.iter_mut() {
        let (a, b) = difference.n;
        if smallest_p(a, b) * tests as f64 >= ALPHA {
            difference.rank_p = None;
        }
    }
    let own = differences
        .iter()
        .map(|difference| difference.welch_p.map(|p| p.max(difference.rank_p.unwrap_or(0.0))));
    let raw: Vec<_> = own.chain(others.iter().copied().map(Some)).collect();
    let mut adjusted = holm::adjust(&raw);
    let further = adjusted.split_off(differences.len());
    for (difference, p) in differences.iter_mut().zip(adjusted) {
        difference.p = p;
        difference.update_verdict();
    }
    further.into_iter().map(|p| p.unwrap_or(1.0)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Compares two samples of a latency.
    fn difference(a: &[f64], b: &[f64]) -> Option<Difference> {
        super::difference(a, b, Domain::NonNegative)
    }

    #[test]
    fn a_verdict_needs_the_interval() {
        let apart = difference(&[1.0, 1.1, 0.9, 1.0], &[2.0, 2.1, 1.9, 2.05]).unwrap();
        assert_eq!(apart.verdict, DifferenceVerdict::Higher);
        assert!(apart.rank_p.is_some());
        let back = difference(&[2.0, 2.1, 1.9, 2.05], &[1.0, 1.1, 0.9, 1.0]).unwrap();
        assert_eq!(back.verdict, DifferenceVerdict::Lower);
        let near = difference(&[1.0, 1.3, 0.8, 1.1], &[1.2, 0.9, 1.1, 1.0]).unwrap();
        assert_eq!(near.verdict, DifferenceVerdict::NotSeen);
        let one = difference(&[1.0], &[9.0, 9.1]).unwrap();
        assert_eq!((one.verdict, one.interval), (DifferenceVerdict::Undecidable, None));
        assert_eq!(difference(&[], &[1.0]), None);
    }

    #[test]
    fn three_against_three_is_left_to_welch_and_ten_alike_too() {
        let three = difference(&[1.0, 1.1, 0.9], &[2.0, 2.1, 1.9]).unwrap();
        assert_eq!((three.rank_p, three.verdict), (None, DifferenceVerdict::Higher));
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
        assert_eq!(first.verdict, DifferenceVerdict::Higher);
        let mut others = [difference(&a, &a).unwrap(), difference(&b, &b).unwrap()];
        let [second, third] = &mut others;
        apply_holm(&mut [&mut first, second, third]);
        assert_eq!(first.verdict, DifferenceVerdict::NotSeen);
        assert!((first.p.unwrap() - 3.0 * 0.024_723_766_429_845_23).abs() < 1e-7);
        assert!(first.rank_p.is_some(), "6 against 5 can decide among three");
    }

    #[test]
    fn a_rank_test_that_cannot_decide_among_so_many_does_not_prevent_a_verdict() {
        let far = || difference(&[1.0, 1.1, 0.9, 1.0], &[9.0, 9.1, 8.9, 9.05]).unwrap();
        let mut all = [far(), far(), far()];
        assert!(all[0].rank_p.is_some());
        apply_holm(&mut all.iter_mut().collect::<Vec<_>>());
        assert_eq!((all[0].rank_p, all[0].verdict), (None, DifferenceVerdict::Higher));
    }

    proptest! {
        #[test]
        fn swapping_sides_mirrors_everything(
            a in prop::collection::vec(0.1..100.0_f64, 1..12),
            b in prop::collection::vec(0.1..100.0_f64, 1..12),
        ) {
            let (there, back) = (difference(&a, &b).unwrap(), difference(&b, &a).unwrap());
            prop_assert!((there.difference + back.difference).abs() < 1e-9);
            let mirrored = match there.verdict {
                DifferenceVerdict::Higher => DifferenceVerdict::Lower,
                DifferenceVerdict::Lower => DifferenceVerdict::Higher,
                other => other,
            };
            prop_assert_eq!(mirrored, back.verdict);
            if let Some((low, high)) = there.interval {
                prop_assert!(low <= there.difference && there.difference <= high);
            }
            if there.verdict == DifferenceVerdict::Higher {
                prop_assert!(there.interval.unwrap().0 > 0.0);
            }
        }

        #[test]
        fn a_sample_does_not_differ_from_itself(a in prop::collection::vec(0.1..100.0_f64, 2..12)) {
            let same = difference(&a, &a).unwrap();
            prop_assert_eq!(same.verdict, DifferenceVerdict::NotSeen);
        }
    }
}
