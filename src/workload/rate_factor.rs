//! Factor by which an operator changes the rate of a load.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Quarters of the planned rate, in rising order.
const STEPS: [u8; 8] = [1, 2, 3, 4, 6, 8, 12, 16];
/// Quarters of one whole.
const WHOLE: u8 = 4;

/// Factor of a load's planned rate: a step from a quarter to four times. Quarters keep due times exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "f64", into = "f64")]
#[cfg_attr(test, schemars(with = "f64"))]
pub struct RateFactor {
    quarters: u8,
}

impl Default for RateFactor {
    fn default() -> Self {
        Self { quarters: WHOLE }
    }
}

impl RateFactor {
    /// The next higher factor; the highest stays.
    #[must_use]
    pub fn faster(self) -> Self {
        let next = STEPS.into_iter().find(|step| *step > self.quarters);
        Self { quarters: next.unwrap_or(self.quarters) }
    }

    /// The next lower factor; the lowest stays.
    #[must_use]
    pub fn slower(self) -> Self {
        let next = STEPS.into_iter().rev().find(|step| *step < self.quarters);
        Self { quarters: next.unwrap_or(self.quarters) }
    }

    /// The factor as a number.
    pub fn value(self) -> f64 {
        f64::from(self.quarters) / f64::from(WHOLE)
    }

    /// Microseconds of the schedule that pass in `real` microseconds, rounded down.
    pub(super) fn scheduled(self, real: i64) -> i64 {
        real.saturating_mul(self.quarters.into()).div_euclid(WHOLE.into())
    }

    /// Real microseconds in which `scheduled` microseconds of the schedule pass, rounded up: at that time,
    /// [`RateFactor::scheduled`] is never less.
    pub(super) fn real(self, scheduled: i64) -> i64 {
        let whole = scheduled.saturating_mul(WHOLE.into());
        let quarters = i64::from(self.quarters);
        whole.div_euclid(quarters) + i64::from(whole.rem_euclid(quarters) > 0)
    }
}

impl From<RateFactor> for f64 {
    fn from(factor: RateFactor) -> Self {
        factor.value()
    }
}

impl TryFrom<f64> for RateFactor {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        let found = STEPS.into_iter().map(|quarters| Self { quarters });
        let same = |factor: &Self| (factor.value() - value).abs() < 1e-9;
        let steps = || STEPS.map(|quarters| Self { quarters }.value().to_string()).join(", ");
        found.into_iter().find(same).ok_or_else(|| format!("{value} is none of {}", steps()))
    }
}

/// Formats the factor as `×½`.
impl fmt::Display for RateFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.quarters % WHOLE {
            0 => "",
            1 => "¼",
            2 => "½",
            _ => "¾",
        };
        match self.quarters / WHOLE {
            0 => write!(f, "×{part}"),
            whole => write!(f, "×{whole}{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_lead_from_a_quarter_to_four_times_and_back() {
        let mut factor = RateFactor::default();
        assert_eq!((factor.to_string(), factor.value()), ("×1".to_owned(), 1.0));
        let slower: Vec<String> = std::iter::repeat_with(|| {
            factor = factor.slower();
            factor.to_string()
        })
        .take(4)
        .collect();
        assert_eq!(slower, ["×¾", "×½", "×¼", "×¼"]);
        let faster: Vec<String> = std::iter::repeat_with(|| {
            factor = factor.faster();
            factor.to_string()
        })
        .take(8)
        .collect();
        assert_eq!(faster, ["×½", "×¾", "×1", "×1½", "×2", "×3", "×4", "×4"]);
    }

    #[test]
    fn a_factor_is_a_number_in_json_and_only_a_step() {
        let faster = RateFactor::default().faster();
        assert_eq!(serde_json::to_string(&faster).unwrap(), "1.5");
        assert_eq!(serde_json::from_str::<RateFactor>("1.5").unwrap(), faster);
        let error = serde_json::from_str::<RateFactor>("5").unwrap_err().to_string();
        assert!(error.contains("5 is none of 0.25, 0.5"), "{error}");
    }

    #[test]
    fn when_a_message_is_due_the_schedule_has_reached_it() {
        for quarters in STEPS {
            let factor = RateFactor { quarters };
            for scheduled in 0..1_000 {
                let real = factor.real(scheduled);
                assert!(factor.scheduled(real) >= scheduled, "{factor} {scheduled}");
                assert!(
                    real == 0 || factor.scheduled(real - 1) < scheduled,
                    "{factor} {scheduled}"
                );
            }
        }
    }
}
