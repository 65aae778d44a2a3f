//! Relative change between the means of two samples.

use super::{
    band::Statistic,
    estimate::Domain,
    sample::{mean, t_quantile, variance},
    welch::welch_test,
};

/// 95 % interval of the change from the mean of `a` to that of `b`, as a share of the former; `None` if the
/// samples allow none, or the mean of `a` is 0.
///
/// Of a quantity that cannot be negative it is that of the logarithm of the means' ratio (delta method, degrees
/// of freedom after Welch and Satterthwaite): it stays above −1, and includes the uncertainty of both means.
/// Where a mean is 0, or the quantity is [`Domain::Signed`], it is the interval of the difference as a share of
/// the mean of `a`, of which nothing below −1 is possible for a quantity that cannot be negative.
pub fn relative_interval(a: &[f64], b: &[f64], domain: Domain) -> Option<(f64, f64)> {
    let (low, high) = welch_test(a, b)?.interval?;
    let base = mean(a)?.abs();
    if base == 0.0 {
        return None;
    }
    let is_positive = domain == Domain::NonNegative && a.iter().chain(b).all(|value| *value >= 0.0);
    let linear = (low / base, high / base);
    if !is_positive {
        return Some(linear);
    }
    let (Some(from), Some(to)) = (log_mean(a), log_mean(b)) else {
        return Some((linear.0.max(-1.0), linear.1));
    };
    let ratio = to.minus(from);
    if ratio.error == 0.0 {
        return Some(linear);
    }
    let half = t_quantile(ratio.freedom)? * ratio.error;
    Some(((ratio.value - half).exp_m1(), (ratio.value + half).exp_m1()))
}

/// Logarithm of a mean above 0, with its standard error by the delta method.
fn log_mean(values: &[f64]) -> Option<Statistic> {
    let (mean, n) = (mean(values).filter(|mean| *mean > 0.0)?, values.len() as f64);
    let error = (variance(values)? / n).sqrt() / mean;
    Some(Statistic { value: mean.ln(), error, freedom: n - 1.0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_change_is_that_of_the_logarithms_of_the_means() {
        // By hand: means 2.32 and 3.4167 with relative errors 0.037079 and 0.102346, together 0.108856 with
        // 6.2638 degrees of freedom, for which t(0.975) = 2.42215.
        let a = [2.1, 2.3, 2.2, 2.6, 2.4];
        let b = [2.9, 3.4, 2.8, 5.1, 3.0, 3.3];
        let (low, high) = relative_interval(&a, &b, Domain::NonNegative).unwrap();
        assert!((low - 0.131_374_798).abs() < 1e-7 && (high - 0.917_002_818).abs() < 1e-7);
    }

    #[test]
    fn a_scattered_latency_does_not_fall_by_more_than_all_of_it() {
        let (a, b) = ([1.0, 30.0, 2.0], [1.0, 2.0, 0.5]);
        let (low, high) = relative_interval(&a, &b, Domain::NonNegative).unwrap();
        assert!(-1.0 < low && low < high, "{low} {high}");
        let linear = relative_interval(&a, &b, Domain::Signed).unwrap();
        assert!(linear.0 < -1.0, "the linear interval goes below it: {linear:?}");
    }

    #[test]
    fn a_mean_of_zero_or_without_variation_is_no_logarithm() {
        let (low, high) = relative_interval(&[1.0, 9.0], &[0.0, 0.0], Domain::NonNegative).unwrap();
        assert!((low + 1.0).abs() < 1e-12 && high > low, "{low} {high}");
        assert_eq!(relative_interval(&[0.0, 0.0], &[1.0, 2.0], Domain::NonNegative), None);
        assert_eq!(relative_interval(&[1.0, 1.0], &[2.0, 2.0], Domain::NonNegative), None);
        assert_eq!(relative_interval(&[1.0], &[2.0, 3.0], Domain::NonNegative), None);
        let same = relative_interval(&[3.0, 3.0], &[3.0, 3.0], Domain::NonNegative);
        assert_eq!(same, Some((0.0, 0.0)));
    }

    proptest! {
        #[test]
        fn no_relative_interval_of_positive_values_reaches_minus_one(
            a in prop::collection::vec(1e-3..1e6_f64, 2..12),
            b in prop::collection::vec(1e-3..1e6_f64, 2..12),
        ) {
            let change = b.iter().sum::<f64>() / b.len() as f64
                / (a.iter().sum::<f64>() / a.len() as f64) - 1.0;
            let (low, high) = relative_interval(&a, &b, Domain::NonNegative).unwrap();
            prop_assert!(low > -1.0 && high.is_finite());
            prop_assert!(low <= change + 1e-9 && change <= high + 1e-9, "{low} {change} {high}");
        }
    }
}
