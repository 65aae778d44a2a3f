//! The rank-sum test of Mann, Whitney and Wilcoxon, without assumptions on the distribution of
//! values.
//!
//! Exact for small samples, ties included (the distribution of the rank sum over all assignments of
//! the observed ranks), by the normal approximation with corrections for ties and continuity for
//! larger ones.

use std::cmp::Ordering;

use statrs::distribution::{ContinuousCDF, Normal};

/// Largest number of values of both sides together for which the distribution is enumerated.
const MAX_EXACT_SAMPLES: usize = 60;

/// Two-sided p of "both sides are drawn from the same distribution"; `None` if a side is empty.
pub fn rank_sum(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let ranks = doubled_ranks(a, b);
    if ranks.len() <= MAX_EXACT_SAMPLES {
        Some(exact_p(&ranks, a.len()))
    } else {
        approximate_p(&ranks, a, b)
    }
}

/// Smallest p that samples of these sizes can give, without ties: if it is above the level of
/// significance, the test cannot decide anything.
pub fn smallest_p(a: usize, b: usize) -> f64 {
    let all = a + b;
    let ways = (1..=a.min(b)).fold(1.0, |ways, k| ways * (all + 1 - k) as f64 / k as f64);
    (2.0 / ways).min(1.0)
}

/// Twice the ranks of all values, those of `a` first; equal values share their mean rank. Doubled,
/// they are whole numbers.
fn doubled_ranks(a: &[f64], b: &[f64]) -> Vec<usize> {
    let values: Vec<f64> = a.iter().chain(b).copied().collect();
    let compared = |x: &f64, value: &f64| x.total_cmp(value);
    values
        .iter()
        .map(|value| {
            let below = values.iter().filter(|x| compared(x, value) == Ordering::Less).count();
            let same = values.iter().filter(|x| compared(x, value) == Ordering::Equal).count();
            2 * below + same + 1
        })
        .collect()
}

fn exact_p(ranks: &[usize], chosen: usize) -> f64 {
    let largest: usize = ranks.iter().sum();
    // ways[k][s]: number of ways in which k of the ranks so far sum up to s.
    let mut ways = vec![vec![0.0_f64; largest + 1]; chosen + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        for count in (1..=chosen).rev() {
            let (fewer, more) = ways.split_at_mut(count);
            for sum in *rank..=largest {
                more[0][sum] += fewer[count - 1][sum - rank];
            }
        }
    }
    let observed: usize = ranks[..chosen].iter().sum();
    // Twice the expected sum of the doubled ranks, so that it is whole.
    let centre = 2 * chosen * (ranks.len() + 1);
    let distance = (2 * observed).abs_diff(centre);
    let all: f64 = ways[chosen].iter().sum();
    let as_far = ways[chosen].iter().enumerate();
    let as_far: f64 =
        as_far.filter(|(sum, _)| (2 * sum).abs_diff(centre) >= distance).map(|(_, w)| w).sum();
    (as_far / all).min(1.0)
}

fn approximate_p(ranks: &[usize], a: &[f64], b: &[f64]) -> Option<f64> {
    let (first, second, n) = (a.len() as f64, b.len() as f64, ranks.len() as f64);
    let sum = ranks[..a.len()].iter().sum::<usize>() as f64 / 2.0;
    let wins = sum - first * (first + 1.0) / 2.0;
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    let ties: f64 = sorted
        .chunk_by(|x, y| x == y)
        .map(|group| (group.len() as f64).powi(3) - group.len() as f64)
        .sum();
    let variance = first * second / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
    if variance <= 0.0 {
        return Some(1.0);
    }
    let away = ((wins - first * second / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    Some((2.0 * Normal::new(0.0, 1.0).ok()?.sf(away)).min(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(p: Option<f64>, expected: f64) -> bool {
        (p.unwrap() - expected).abs() < 1e-9
    }

    #[test]
    fn small_samples_agree_with_scipy() {
        // SciPy 1.17.1: stats.mannwhitneyu(a, b, method="exact").pvalue
        assert!(close(rank_sum(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), 0.1));
        let (a, b) = ([2.9, 3.4, 2.8, 5.1, 3.0, 3.3], [2.1, 2.3, 2.2, 2.6, 2.4]);
        assert!(close(rank_sum(&a, &b), 0.004_329_004_329_004_329));
        let (a, b) = ([1.1, 2.7, 3.5, 4.9, 6.0, 7.2, 8.8], [0.4, 1.9, 3.1, 4.2, 9.9, 10.3]);
        assert!(close(rank_sum(&a, &b), 0.945_221_445_221_445_2));
    }

    #[test]
    fn ties_are_enumerated() {
        // Python: the share of all itertools.combinations(10, 5) of scipy.stats.rankdata's mid
        // ranks whose sum is at least as far from 27.5 as the observed 20.
        let (a, b) = ([1.0, 2.0, 2.0, 3.0, 5.0], [2.0, 4.0, 5.0, 5.0, 6.0]);
        assert!(close(rank_sum(&a, &b), 0.150_793_650_793_650_8));
    }

    #[test]
    fn large_samples_agree_with_scipy() {
        // SciPy 1.17.1: stats.mannwhitneyu(a, b, method="asymptotic").pvalue, ties and all.
        let values = |factor: u32, modulus: u32, shift: f64| -> Vec<f64> {
            (0..40).map(|k| f64::from(k * factor % modulus) / 10.0 + shift).collect()
        };
        let p = rank_sum(&values(7_919, 101, 0.0), &values(104_729, 97, 1.0));
        assert!(close(p, 0.391_738_882_357_761_55), "{p:?}");
    }

    #[test]
    fn three_against_three_can_never_decide() {
        assert!((smallest_p(3, 3) - 0.1).abs() < 1e-12);
        assert!((smallest_p(4, 4) - 2.0 / 70.0).abs() < 1e-12);
        assert!(smallest_p(10, 10) < 2e-5);
        assert_eq!(rank_sum(&[], &[1.0]), None);
    }

    proptest! {
        #[test]
        fn sides_may_be_swapped_and_units_changed(
            a in prop::collection::vec(0_u8..20, 1..9),
            b in prop::collection::vec(0_u8..20, 1..9),
        ) {
            let of = |values: &[u8], factor: f64| -> Vec<f64> {
                values.iter().map(|value| f64::from(*value) * factor).collect()
            };
            let p = rank_sum(&of(&a, 1.0), &of(&b, 1.0)).unwrap();
            prop_assert!(p > 0.0 && p <= 1.0);
            prop_assert!((p - rank_sum(&of(&b, 1.0), &of(&a, 1.0)).unwrap()).abs() < 1e-9);
            prop_assert!((p - rank_sum(&of(&a, 1e-3), &of(&b, 1e-3)).unwrap()).abs() < 1e-9);
            // Ties can make one end rarer than the other, never rarer than one assignment of the
            // ranks.
            prop_assert!(p + 1e-12 >= smallest_p(a.len(), b.len()) / 2.0);
        }
    }
}
