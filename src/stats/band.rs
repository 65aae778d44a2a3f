//! Tests whether a value lies in a band, for findings that are judged together with others.

use super::sample::t_two_sided;
use crate::measure::Estimate;

/// A value with its standard error, whose deviation follows Student's t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistic {
    /// The value.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
    /// Degrees of freedom.
    pub freedom: f64,
}

/// Result of a test whether a value lies in a band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandTest {
    /// Whether the value itself lies in the band.
    pub within: bool,
    /// p of the hypothesis that the truth lies on the other side of a bound. Below 5 % if, and only if, the
    /// whole 95 % interval lies on the value's side.
    pub p: f64,
}

impl Statistic {
    /// Returns the mean of an estimate; `None` for fewer than two values.
    pub fn from_estimate(estimate: &Estimate) -> Option<Self> {
        let n = f64::from(estimate.n);
        (estimate.n > 1).then_some(())?;
        Some(Self { value: estimate.mean, error: estimate.stdev? / n.sqrt(), freedom: n - 1.0 })
    }

    /// Multiplies the value by a constant.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { value: self.value * factor, error: self.error * factor.abs(), ..self }
    }

    /// Subtracts an independent value (degrees of freedom after Welch and Satterthwaite).
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let (own, others) = (self.error.powi(2), other.error.powi(2));
        let sum = own + others;
        let freedom = if sum > 0.0 {
            sum.powi(2) / (own.powi(2) / self.freedom + others.powi(2) / other.freedom)
        } else {
            self.freedom.min(other.freedom)
        };
        Self { value: self.value - other.value, error: sum.sqrt(), freedom }
    }

    /// Tests whether the value lies in `low..=high`; a bound may be infinite. `None` where the
    /// t distribution is not defined.
    pub fn band_test(&self, low: f64, high: f64) -> Option<BandTest> {
        let within = (low..=high).contains(&self.value);
        let one_sided = if within {
            self.tail(self.value - low)?.max(self.tail(high - self.value)?)
        } else {
            self.tail((low - self.value).max(self.value - high))?
        };
        Some(BandTest { within, p: (2.0 * one_sided).min(1.0) })
    }

    /// One-sided p of a value at this distance, not negative, from a bound.
    fn tail(&self, distance: f64) -> Option<f64> {
        if distance.is_infinite() {
            return Some(0.0);
        }
        if self.error == 0.0 {
            return Some(if distance > 0.0 { 0.0 } else { 0.5 });
        }
        t_two_sided(distance / self.error, self.freedom).map(|p| p / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::{
        ALPHA,
        estimate::{Domain, estimate},
    };

    proptest! {
        #[test]
        fn a_test_alone_decides_as_the_interval_does(
            values in prop::collection::vec(0.0..10.0_f64, 2..20), low in -2.0..8.0_f64, width in 0.0..8.0_f64,
        ) {
            let estimate = estimate(&values, Domain::Signed).unwrap();
            let (from, to) = estimate.ci_low.zip(estimate.ci_high).unwrap();
            let high = low + width;
            let test = Statistic::from_estimate(&estimate).unwrap().band_test(low, high).unwrap();
            prop_assert_eq!(test.within && test.p < ALPHA, from > low && to < high);
            prop_assert_eq!(!test.within && test.p < ALPHA, to < low || from > high);
        }
    }

    #[test]
    fn a_bound_at_infinity_is_never_in_question() {
        let value = Statistic { value: 3.0, error: 1.0, freedom: 9.0 };
        let above = value.band_test(0.0, f64::INFINITY).unwrap();
        assert!(above.within && above.p < 0.02, "{above:?}");
        let all = value.band_test(f64::NEG_INFINITY, f64::INFINITY).unwrap();
        assert_eq!(all, BandTest { within: true, p: 0.0 });
        let below = value.band_test(f64::NEG_INFINITY, 0.0).unwrap();
        assert!(!below.within && (below.p - above.p).abs() < 1e-12);
    }

    #[test]
    fn a_difference_of_two_values_is_welchs() {
        let sleep = [
            [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
            [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
        ];
        let [a, b] = sleep.map(|side| {
            Statistic::from_estimate(&estimate(&side, Domain::Signed).unwrap()).unwrap()
        });
        let test = b.minus(a).band_test(0.0, f64::INFINITY).unwrap();
        assert!((test.p - 0.079_394_140_187_358_3).abs() < 1e-8, "{test:?}");
    }
}
