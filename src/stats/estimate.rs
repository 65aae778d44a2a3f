//! Estimate of a figure over the repetitions of a point: mean and confidence interval.

use super::sample;
use crate::measure::Estimate;

/// Values that a quantity can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Zero and above: durations, rates, sizes, counts.
    NonNegative,
    /// All numbers: differences, growth.
    Signed,
}

/// Mean, extremes and the mean's 95 % confidence interval (Student's t, two-sided); `None` for no
/// values, and no interval for one.
///
/// The interval of a quantity that cannot be negative is that of the mean's logarithm, with the
/// standard error relative to the mean (delta method): it stays above zero, and differs little from
/// the linear one while that is far from zero. A negative value of such a quantity (clocks that
/// disagree) makes the interval linear.
pub fn estimate(values: &[f64], domain: Domain) -> Option<Estimate> {
    let n = values.len();
    let mean = sample::mean(values)?;
    let stdev = sample::variance(values).map(f64::sqrt);
    let half = stdev
        .and_then(|stdev| Some(sample::t_quantile((n - 1) as f64)? * stdev / (n as f64).sqrt()));
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let interval = half.map(|half| match domain {
        Domain::NonNegative if min >= 0.0 && mean > 0.0 => {
            let factor = (half / mean).exp();
            (mean / factor, mean * factor)
        }
        _ => (mean - half, mean + half),
    });
    Some(Estimate {
        n: n as u32,
        mean,
        min,
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        stdev,
        ci_low: interval.map(|(low, _)| low),
        ci_high: interval.map(|(_, high)| high),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_interval_is_that_of_the_t_table() {
        // t(0.975, 4) = 2.776; the sample's standard deviation is √2.5, so the half-width is
        // 2.776 × √2.5 / √5 = 1.963.
        let estimate = estimate(&[1.0, 2.0, 3.0, 4.0, 5.0], Domain::Signed).unwrap();
        assert!((estimate.mean - 3.0).abs() < 1e-12);
        assert!((estimate.ci_high.unwrap() - 4.963).abs() < 1e-3);
        assert!((estimate.ci_low.unwrap() - 1.037).abs() < 1e-3);
        assert_eq!((estimate.min, estimate.max, estimate.n), (1.0, 5.0, 5));
    }

    #[test]
    fn the_interval_of_a_rate_stays_above_zero() {
        // Linear: 1.5 ± 12.706 × 0.5, from −4.85. Logarithmic: 1.5 × or ÷ e^(12.706 × 0.5 / 1.5).
        let scattered = estimate(&[1.0, 2.0], Domain::NonNegative).unwrap();
        assert!((scattered.ci_low.unwrap() - 0.021_73).abs() < 1e-4, "{scattered:?}");
        assert!((scattered.ci_high.unwrap() - 103.6).abs() < 0.1, "{scattered:?}");
        let growth = estimate(&[1.0, 2.0], Domain::Signed).unwrap();
        assert!((growth.ci_low.unwrap() + 4.853).abs() < 1e-3, "{growth:?}");
        let nothing = estimate(&[0.0, 0.0], Domain::NonNegative).unwrap();
        assert_eq!((nothing.ci_low, nothing.ci_high), (Some(0.0), Some(0.0)));
        // Repetitions that agree within a percent: both intervals agree within a thousandth.
        let alike = [100.0, 101.0, 99.0, 100.5, 99.5];
        let [linear, log] =
            [Domain::Signed, Domain::NonNegative].map(|d| estimate(&alike, d).unwrap());
        assert!((linear.ci_low.unwrap() / log.ci_low.unwrap() - 1.0).abs() < 1e-3);
        assert!((linear.ci_high.unwrap() / log.ci_high.unwrap() - 1.0).abs() < 1e-3);
    }

    proptest! {
        #[test]
        fn no_interval_of_positive_values_reaches_zero(
            values in prop::collection::vec(1e-3..1e9_f64, 2..12),
        ) {
            let found = estimate(&values, Domain::NonNegative).unwrap();
            let (low, high) = (found.ci_low.unwrap(), found.ci_high.unwrap());
            prop_assert!(low > 0.0 && low <= found.mean && found.mean <= high && high.is_finite());
        }
    }

    #[test]
    fn one_value_has_no_interval_and_none_has_no_estimate() {
        assert_eq!(estimate(&[4.0], Domain::Signed).unwrap().ci_low, None);
        assert_eq!(estimate(&[], Domain::Signed), None);
    }
}
