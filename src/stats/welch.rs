//! Welch's test of two means whose samples may differ in variance (B. L. Welch, *Biometrika* 34,
//! 1947).

use super::{
    band::Statistic,
    sample::{mean, t_quantile, t_two_sided, variance},
};

/// Difference `b − a` of the means, with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WelchTest {
    pub difference: f64,
    /// `None` if the samples allow no interval: fewer than two values on a side, or no variation on
    /// either.
    pub interval: Option<(f64, f64)>,
    pub p: Option<f64>,
    /// The difference with its standard error, where there is an interval.
    pub statistic: Option<Statistic>,
}

/// Compares the means of two samples; `None` if a side is empty.
pub fn welch_test(a: &[f64], b: &[f64]) -> Option<WelchTest> {
    let difference = mean(b)? - mean(a)?;
    let without = WelchTest { difference, interval: None, p: None, statistic: None };
    let Some((va, vb)) = variance(a).zip(variance(b)) else { return Some(without) };
    let (ea, eb) = (va / a.len() as f64, vb / b.len() as f64);
    let error = (ea + eb).sqrt();
    if error <= f64::EPSILON * difference.abs() || error == 0.0 {
        // Values without variation give no information on the effect of chance.
        let same = difference == 0.0;
        return Some(WelchTest {
            interval: same.then_some((0.0, 0.0)),
            p: same.then_some(1.0),
            statistic: same.then_some(Statistic { value: 0.0, error: 0.0, freedom: 1.0 }),
            ..without
        });
    }
    let freedom =
        (ea + eb).powi(2) / (ea.powi(2) / (a.len() - 1) as f64 + eb.powi(2) / (b.len() - 1) as f64);
    let half = t_quantile(freedom).map(|quantile| quantile * error);
    Some(WelchTest {
        difference,
        interval: half.map(|half| (difference - half, difference + half)),
        p: t_two_sided(difference / error, freedom),
        statistic: Some(Statistic { value: difference, error, freedom }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_sleep_data_agree_with_r_and_scipy() {
        // Student (1908), R's data set `sleep`; t.test(extra ~ group) in R and
        // scipy.stats.ttest_ind(equal_var=False) in SciPy 1.17.1 give p = 0.0794 and
        // [-0.2055, 3.3655].
        let a = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let b = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let test = welch_test(&a, &b).unwrap();
        let (low, high) = test.interval.unwrap();
        assert!((test.difference - 1.58).abs() < 1e-12);
        assert!((test.p.unwrap() - 0.079_394_140_187_358_3).abs() < 1e-8);
        assert!((low + 0.205_483_230_711_711_37).abs() < 1e-7);
        assert!((high - 3.365_483_230_711_711).abs() < 1e-7);
    }

    #[test]
    fn unequal_sizes_and_variances() {
        // SciPy 1.17.1: ttest_ind(b, a, equal_var=False) and its confidence_interval().
        let a = [2.1, 2.3, 2.2, 2.6, 2.4];
        let b = [2.9, 3.4, 2.8, 5.1, 3.0, 3.3];
        let test = welch_test(&a, &b).unwrap();
        let (low, high) = test.interval.unwrap();
        assert!((test.p.unwrap() - 0.024_723_766_429_845_23).abs() < 1e-8);
        assert!((low - 0.199_940_243_523_035_5).abs() < 1e-7);
        assert!((high - 1.993_393_089_810_297).abs() < 1e-7);
    }

    #[test]
    fn samples_without_information_have_no_interval() {
        assert_eq!(welch_test(&[], &[1.0, 2.0]), None);
        let one = welch_test(&[1.0], &[2.0, 2.5]).unwrap();
        assert_eq!((one.interval, one.p), (None, None));
        let still = welch_test(&[1.0, 1.0], &[2.0, 2.0]).unwrap();
        assert_eq!((still.difference, still.interval, still.p), (1.0, None, None));
        let same = welch_test(&[0.0, 0.0], &[0.0, 0.0]).unwrap();
        assert_eq!((same.interval, same.p), (Some((0.0, 0.0)), Some(1.0)));
    }
}
