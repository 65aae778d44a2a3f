//! How many times larger: ratios of means over repetitions.

use super::welch::welch;

/// `b / a` of the geometric means, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The ratio.
    pub ratio: f64,
    /// Its interval; `None` where the repetitions carry none.
    pub interval: Option<(f64, f64)>,
}

impl Ratio {
    /// Whether the whole interval lies within `low..=high`; `None` where it cannot be said: no
    /// interval, or one that reaches across an end.
    pub fn within(&self, low: f64, high: f64) -> Option<bool> {
        let (least, most) = self.interval?;
        if least >= low && most <= high {
            Some(true)
        } else if most < low || least > high {
            Some(false)
        } else {
            None
        }
    }
}

/// The ratio of two sides' repetitions: Welch's interval of the difference of their logarithms.
/// `None` when a side is empty or holds a value that is not above 0.
pub fn ratio(a: &[f64], b: &[f64]) -> Option<Ratio> {
    let logs = |values: &[f64]| -> Option<Vec<f64>> {
        values.iter().map(|value| (*value > 0.0).then(|| value.ln())).collect()
    };
    let test = welch(&logs(a)?, &logs(b)?)?;
    Some(Ratio {
        ratio: test.difference.exp(),
        interval: test.interval.map(|(low, high)| (low.exp(), high.exp())),
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
        assert_eq!(twice.within(1.5, 2.5), Some(true));
        assert_eq!(twice.within(3.0, 4.0), Some(false));
        assert_eq!(twice.within(2.0, 4.0), None);
    }

    #[test]
    fn nothing_is_no_times_something() {
        assert_eq!(ratio(&[0.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(ratio(&[], &[1.0]), None);
        assert_eq!(ratio(&[1.0], &[3.0]).unwrap().interval, None);
    }
}
