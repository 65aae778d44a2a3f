//! Moments of a few values, and Student's t.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::CONFIDENCE;

/// Arithmetic mean; `None` for no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample variance, with Bessel's correction; `None` below two values.
pub fn variance(values: &[f64]) -> Option<f64> {
    let centre = mean(values)?;
    let squares = values.iter().map(|value| (value - centre).powi(2)).sum::<f64>();
    (values.len() > 1).then(|| squares / (values.len() - 1) as f64)
}

/// Sample skewness (adjusted Fisher–Pearson, G1); `None` below three values or without variation.
pub fn skewness(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let centre = mean(values)?;
    let moment =
        |power: i32| values.iter().map(|value| (value - centre).powi(power)).sum::<f64>() / n;
    let (second, third) = (moment(2), moment(3));
    (values.len() > 2 && second > 0.0)
        .then(|| third / second.powf(1.5) * (n * (n - 1.0)).sqrt() / (n - 2.0))
}

/// Half-width of a two-sided interval in standard errors.
pub fn t_quantile(freedom: f64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(student.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)))
}

/// Probability of a statistic at least this far from 0 on either side.
pub fn t_two_sided(statistic: f64, freedom: f64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some((2.0 * student.sf(statistic.abs())).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skewness_is_that_of_scipy() {
        // scipy 1.17.1: stats.skew([1, 2, 2, 3, 3, 3, 9], bias=False)
        let skew = skewness(&[1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 9.0]).unwrap();
        assert!((skew - 2.190_463_517_781_467_8).abs() < 1e-12);
        assert_eq!(skewness(&[4.0, 4.0, 4.0]), None);
        assert_eq!(skewness(&[4.0, 5.0]), None);
    }

    #[test]
    fn one_value_has_no_variance() {
        assert_eq!(variance(&[3.0]), None);
        assert_eq!(mean(&[]), None);
        assert_eq!(variance(&[1.0, 3.0]), Some(2.0));
    }
}
