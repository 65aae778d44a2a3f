//! Linear trends of repetitions: growth over users or payload, drift over time.

use super::{
    band::Statistic,
    sample::{mean, t_quantile, t_two_sided},
};

/// The slope of a straight line (ordinary least squares), with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Repetitions.
    pub n: usize,
    /// Growth of y for each unit of x.
    pub slope: f64,
    /// 95 % interval of the slope; `None` if the repetitions allow none.
    pub interval: Option<(f64, f64)>,
    /// Two-sided p of "no slope".
    pub p: Option<f64>,
    /// The slope with its standard error, where there is an interval.
    pub statistic: Option<Statistic>,
    /// Share of the variance that the line explains, 0 to 1; `None` without variance.
    pub r_squared: Option<f64>,
}

impl Trend {
    /// Whether the interval excludes 0: `Some(true)` if there is a slope, `Some(false)` if none is
    /// seen.
    pub fn is_significant(&self) -> Option<bool> {
        self.interval.map(|(low, high)| low > 0.0 || high < 0.0)
    }

    /// Growth over a span of x: the slope times the span, with its interval.
    pub fn growth_over(&self, span: f64) -> (f64, Option<(f64, f64)>) {
        (self.slope * span, self.interval.map(|(low, high)| (low * span, high * span)))
    }
}

/// Slope of (x, y) pairs; `None` if all x are the same.
pub fn slope(pairs: &[(f64, f64)]) -> Option<Trend> {
    common_slope(&[pairs.to_vec()])
}

/// Common slope of all groups, each with a separate level (least squares within groups): a drift
/// over time among points of different levels. `None` if x does not vary within any group.
pub fn common_slope(groups: &[Vec<(f64, f64)>]) -> Option<Trend> {
    let mut centred = Vec::new();
    let mut used = 0;
    for group in groups.iter().filter(|group| !group.is_empty()) {
        used += 1;
        let mid = |side: fn(&(f64, f64)) -> f64| mean(&group.iter().map(side).collect::<Vec<_>>());
        let (x, y) = (mid(|pair| pair.0)?, mid(|pair| pair.1)?);
        centred.extend(group.iter().map(|pair| (pair.0 - x, pair.1 - y)));
    }
    let sum = |term: fn(&(f64, f64)) -> f64| centred.iter().map(term).sum::<f64>();
    let xx = sum(|(x, _)| x * x);
    // Rounding differences of x that are all the same are no variation.
    let scale = groups.iter().flatten().map(|(x, _)| x * x).sum::<f64>();
    if xx <= scale * 1e-18 {
        return None;
    }
    let slope = sum(|(x, y)| x * y) / xx;
    let residual = centred.iter().map(|(x, y)| (y - slope * x).powi(2)).sum::<f64>();
    let yy = sum(|(_, y)| y * y);
    let freedom = centred.len() as f64 - f64::from(used) - 1.0;
    let error = (freedom > 0.0).then(|| (residual / freedom / xx).sqrt());
    let half = error.and_then(|error| Some(t_quantile(freedom)? * error));
    Some(Trend {
        n: centred.len(),
        slope,
        interval: half.map(|half| (slope - half, slope + half)),
        statistic: error.map(|error| Statistic { value: slope, error, freedom }),
        p: error.filter(|error| *error > 0.0).and_then(|e| t_two_sided(slope / e, freedom)),
        r_squared: (yy > 0.0).then(|| (1.0 - residual / yy).clamp(0.0, 1.0)),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPEED: [u8; 50] = [
        4, 4, 7, 7, 8, 9, 10, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15,
        15, 15, 16, 16, 17, 17, 17, 18, 18, 18, 18, 19, 19, 19, 20, 20, 20, 20, 20, 22, 23, 24, 24,
        24, 24, 25,
    ];
    const DISTANCE: [u8; 50] = [
        2, 10, 4, 22, 16, 10, 18, 26, 34, 17, 28, 14, 20, 24, 28, 26, 34, 34, 46, 26, 36, 60, 80,
        20, 26, 54, 32, 40, 32, 40, 50, 42, 56, 76, 84, 36, 46, 68, 32, 48, 52, 56, 64, 66, 54, 70,
        92, 93, 120, 85,
    ];

    #[test]
    fn stopping_distances_agree_with_r_and_scipy() {
        // R's data set `cars` (Ezekiel, 1930); lm(dist ~ speed) in R, scipy.stats.linregress in
        // SciPy 1.17.1, the interval from its stderr and stats.t.ppf(0.975, 48).
        let pairs: Vec<_> =
            SPEED.iter().zip(DISTANCE).map(|(x, y)| (f64::from(*x), f64::from(y))).collect();
        let trend = slope(&pairs).unwrap();
        let (low, high) = trend.interval.unwrap();
        assert!((trend.slope - 3.932_408_759_124_086_4).abs() < 1e-10);
        assert!((low - 3.096_964_328_140_321).abs() < 1e-7);
        assert!((high - 4.767_853_190_107_852).abs() < 1e-7);
        assert!((trend.p.unwrap() - 1.489_836_496_295_126_3e-12).abs() < 1e-15);
        assert!((trend.r_squared.unwrap() - 0.651_079_380_758_250_4).abs() < 1e-10);
        assert_eq!(trend.is_significant(), Some(true));
    }

    #[test]
    fn groups_have_separate_levels() {
        // NumPy and SciPy 1.17.1: least squares on the values less their group's mean, with
        // N − groups − 1 degrees of freedom.
        let groups = [
            vec![(0.0, 5.0), (10.0, 5.3), (20.0, 5.2), (30.0, 5.9)],
            vec![(1.0, 9.1), (11.0, 9.0), (21.0, 9.6), (31.0, 9.8)],
            vec![(2.0, 3.0), (12.0, 3.4), (22.0, 3.3)],
        ];
        let trend = common_slope(&groups).unwrap();
        let (low, high) = trend.interval.unwrap();
        assert!((trend.slope - 0.024_583_333_333_333_35).abs() < 1e-12);
        assert!((trend.p.unwrap() - 0.003_053_202_648_570_161).abs() < 1e-9);
        assert!((low - 0.011_454_158_185_738_037).abs() < 1e-8);
        assert!((high - 0.037_712_508_480_928_664).abs() < 1e-8);
    }

    #[test]
    fn too_little_for_a_line_or_for_its_interval() {
        assert_eq!(slope(&[]), None);
        assert_eq!(slope(&[(100.0, 1.0), (100.0, 2.0)]), None);
        let two = slope(&[(0.0, 1.0), (2.0, 5.0)]).unwrap();
        assert_eq!((two.slope, two.interval, two.is_significant()), (2.0, None, None));
    }

    proptest! {
        #[test]
        fn an_exact_line_is_found_again(
            xs in prop::collection::btree_set(0_i32..2_000, 3..20), slope_ in -9.0..9.0_f64, level in -9.0..9.0_f64,
        ) {
            let pairs: Vec<_> = xs.iter().map(|x| (f64::from(*x), level + slope_ * f64::from(*x))).collect();
            let trend = slope(&pairs).unwrap();
            prop_assert!((trend.slope - slope_).abs() < 1e-7);
            let (low, high) = trend.interval.unwrap();
            prop_assert!(high - low < 1e-4);
            let (growth, _) = trend.growth_over(100.0);
            prop_assert!((growth - 100.0 * slope_).abs() < 1e-5);
        }

        #[test]
        fn levels_of_groups_do_not_matter(
            group in prop::collection::vec((0.0..100.0_f64, 0.0..10.0_f64), 3..10), lift in -50.0..50.0_f64,
        ) {
            let lifted: Vec<_> = group.iter().map(|(x, y)| (*x, y + lift)).collect();
            let alone = common_slope(&[group.clone(), group.clone()]);
            let apart = common_slope(&[group, lifted]);
            match (alone, apart) {
                (Some(alone), Some(apart)) => prop_assert!((alone.slope - apart.slope).abs() < 1e-6),
                (alone, apart) => prop_assert_eq!(alone.is_some(), apart.is_some()),
            }
        }
    }
}
