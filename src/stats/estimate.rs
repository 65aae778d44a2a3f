//! A figure over the repetitions of a point: its mean and how sure it is.

use super::sample;
use crate::measure::Estimate;

/// Mean, extremes and the mean's 95 % confidence interval (Student's t, two-sided); `None` for no
/// values, and no interval for one.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let n = values.len();
    let mean = sample::mean(values)?;
    let stdev = sample::variance(values).map(f64::sqrt);
    let half = stdev
        .and_then(|stdev| Some(sample::t_quantile((n - 1) as f64)? * stdev / (n as f64).sqrt()));
    Some(Estimate {
        n: n as u32,
        mean,
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        stdev,
        ci_low: half.map(|half| mean - half),
        ci_high: half.map(|half| mean + half),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_t_table() {
        // t(0.975, 4) = 2.776; the sample's standard deviation is √2.5, so the half-width is
        // 2.776 × √2.5 / √5 = 1.963.
        let estimate = estimate(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((estimate.mean - 3.0).abs() < 1e-12);
        assert!((estimate.ci_high.unwrap() - 4.963).abs() < 1e-3);
        assert!((estimate.ci_low.unwrap() - 1.037).abs() < 1e-3);
        assert_eq!((estimate.min, estimate.max, estimate.n), (1.0, 5.0, 5));
    }

    #[test]
    fn one_value_has_no_interval_and_none_has_no_estimate() {
        assert_eq!(estimate(&[4.0]).unwrap().ci_low, None);
        assert_eq!(estimate(&[]), None);
    }
}
