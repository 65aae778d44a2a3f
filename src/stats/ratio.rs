//! Ratios of means over repetitions.

use super::{
    band::{BandTest, Statistic},
    welch::welch_test,
};

/// Ratio `b / a` of the geometric means, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The ratio.
    pub ratio: f64,
    /// 95 % interval of the ratio; `None` if the repetitions allow none.
    pub interval: Option<(f64, f64)>,
    /// Logarithm of the ratio, where there is an interval.
    pub logarithm: Option<Statistic>,
}

impl Ratio {
    /// Tests whether the ratio lies in `low..=high`; `None` without an interval.
    pub fn band_test(&self, low: f64, high: f64) -> Option<BandTest> {
        self.logarithm?.band_test(low.ln(), high.ln())
    }
}

/// Ratio of two sides' repetitions, with Welch's interval of the difference of their logarithms;
/// `None` if a side is empty or contains a value that is not above 0.
pub fn ratio(a: &[f64], b: &[f64]) -> Option<Ratio> {
    let logs = |values: &[f64]| -> Option<Vec<f64>> {
        values.iter().map(|value| (*value > 0.0).then(|| value.ln())).collect()
    };
    let test = welch_test(&logs(a)?, &logs(b)?)?;
    Some(Ratio {
        ratio: test.difference.exp(),
        interval: test.interval.map(|(low, high)| (low.exp(), high.exp())),
        logarithm: test.statistic,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_is_twice() {
        let a = [1.0, 1.1, 0.9, 1.05];
        let b = a.map(|value| value * 2.0);
        let twice = ratio(&a, &b).unwrap();
        assert!((twice.ratio - 2.0).abs() < 1e-12);
        let (low, high) = twice.interval.unwrap();
        assert!(low < 2.0 && high > 2.0 && (low * high - 4.0).abs() < 1e-9, "{low} {high}");
        let decided = |low: f64, high: f64| {
            let test = twice.band_test(low, high).unwrap();
            (test.p < 0.05).then_some(test.within)
        };
        assert_eq!(decided(1.5, 2.5), Some(true));
        assert_eq!(decided(0.0, 2.5), Some(true));
        assert_eq!(decided(3.0, 4.0), Some(false));
        assert_eq!(decided(2.0, 4.0), None);
    }

    #[test]
    fn a_ratio_needs_values_above_zero() {
        assert_eq!(ratio(&[0.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(ratio(&[], &[1.0]), None);
        assert_eq!(ratio(&[1.0], &[3.0]).unwrap().interval, None);
    }
}
