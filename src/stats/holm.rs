//! Holm's correction for multiple tests: among enough tests, chance alone would show a difference.

/// Adjusts the p of each test, such that the probability of even one false finding among all tests
/// stays at the level of significance (S. Holm, *Scandinavian Journal of Statistics* 6, 1979).
///
/// A test without a p is ignored.
pub fn adjust(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> =
        p.iter().enumerate().filter_map(|(index, p)| Some((index, (*p)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut adjusted = vec![None; p.len()];
    let mut running_max = 0.0_f64;
    let tests = order.len();
    for (rank, (index, p)) in order.into_iter().enumerate() {
        running_max = running_max.max(p * (tests - rank) as f64).min(1.0);
        adjusted[index] = Some(running_max);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn adjusted_p_agree_with_r() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03 0.06 0.06 0.02
        let adjusted = adjust(&[Some(0.01), Some(0.04), None, Some(0.03), Some(0.005)]);
        let expected = [Some(0.03), Some(0.06), None, Some(0.06), Some(0.02)];
        for (found, wanted) in adjusted.iter().zip(expected) {
            assert_eq!(found.is_some(), wanted.is_some());
            assert!((found.unwrap_or(0.0) - wanted.unwrap_or(0.0)).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn never_below_the_raw_p_and_in_the_same_order(p in prop::collection::vec(0.0..=1.0_f64, 0..20)) {
            let adjusted = adjust(&p.iter().copied().map(Some).collect::<Vec<_>>());
            for (i, x) in p.iter().enumerate() {
                prop_assert!(adjusted[i].unwrap() >= *x && adjusted[i].unwrap() <= 1.0);
                for (j, y) in p.iter().enumerate() {
                    prop_assert!(x > y || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }
}
