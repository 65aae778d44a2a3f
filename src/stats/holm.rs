//! Holm's correction: asked often enough, chance alone would show a difference somewhere.

/// Adjusted p of each test, such that the chance of even one false finding among all of them stays
/// at the level of significance (S. Holm, *Scandinavian Journal of Statistics* 6, 1979). A test
/// that gave no p takes no part.
pub fn adjust(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> =
        p.iter().enumerate().filter_map(|(place, p)| Some((place, (*p)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut adjusted = vec![None; p.len()];
    let mut floor = 0.0_f64;
    let tests = order.len();
    for (rank, (place, p)) in order.into_iter().enumerate() {
        floor = floor.max(p * (tests - rank) as f64).min(1.0);
        adjusted[place] = Some(floor);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_r_has_it() {
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
