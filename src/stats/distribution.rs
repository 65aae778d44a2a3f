//! A distribution of durations that hides nothing: it cannot clip, keeps negative values, and
//! shows a percentile only where its count carries it.

use hdrhistogram::Histogram;

use crate::measure::Spread;

/// Samples that must lie beyond a percentile for it to be shown: with fewer, a single outlier
/// moves it. (So p99 needs 1,000 samples, p99.9 needs 10,000.)
pub const SAMPLES_BEYOND: f64 = 10.0;

/// Significant decimal digits of the histograms: a value is kept to within 0.1 %.
const DIGITS: u8 = 3;

/// Durations in microseconds.
#[derive(Debug, Clone)]
pub struct Distribution {
    positive: Histogram<u64>,
    /// Magnitudes of the samples below zero.
    negative: Option<Box<Histogram<u64>>>,
    overflow: u64,
    min: i64,
    max: i64,
    sum: f64,
    sum_of_squares: f64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            positive: growing(),
            negative: None,
            overflow: 0,
            min: i64::MAX,
            max: i64::MIN,
            sum: 0.0,
            sum_of_squares: 0.0,
        }
    }
}

/// A histogram without an upper bound: it grows with its largest value.
fn growing() -> Histogram<u64> {
    let mut histogram = Histogram::new(DIGITS).unwrap_or_else(|_| unreachable!("3 is in 0..=5"));
    histogram.auto(true);
    histogram
}

/// The value of the sample with the given rank, counted from 1.
fn at_rank(histogram: &Histogram<u64>, rank: u64) -> f64 {
    // The quantile is turned back into a rank by rounding up: half a rank less is safe from the
    // float's own error in both directions.
    histogram.value_at_quantile((rank as f64 - 0.5) / histogram.len() as f64) as f64
}

impl Distribution {
    /// Adds one duration.
    pub fn record(&mut self, micros: i64) {
        self.min = self.min.min(micros);
        self.max = self.max.max(micros);
        let value = micros as f64;
        self.sum += value;
        self.sum_of_squares += value * value;
        let magnitude = micros.unsigned_abs();
        let histogram = if micros < 0 {
            self.negative.get_or_insert_with(|| Box::new(growing()))
        } else {
            &mut self.positive
        };
        if histogram.record(magnitude).is_err() {
            self.overflow += 1;
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        // Adding to a growing histogram cannot fail; counting is still better than believing.
        if self.positive.add(&other.positive).is_err() {
            self.overflow += other.positive.len();
        }
        if let Some(theirs) = &other.negative {
            let ours = self.negative.get_or_insert_with(|| Box::new(growing()));
            if ours.add(theirs.as_ref()).is_err() {
                self.overflow += theirs.len();
            }
        }
        self.overflow += other.overflow;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.sum_of_squares += other.sum_of_squares;
    }

    /// Rebuilds a distribution from a stored histogram and what is stored beside it: overflowing
    /// samples, (smallest, largest), (mean, standard deviation), all samples.
    pub fn from_parts(
        positive: Histogram<u64>,
        overflow: u64,
        (min, max): (f64, f64),
        (mean, stdev): (f64, f64),
        count: u64,
    ) -> Self {
        let n = count as f64;
        let mut positive = positive;
        positive.auto(true);
        let missing = count.saturating_sub(positive.len() + overflow);
        let mut own = Self {
            positive,
            negative: None,
            overflow,
            min: min as i64,
            max: max as i64,
            sum: mean * n,
            sum_of_squares: (stdev * stdev + mean * mean) * n,
        };
        // The magnitudes of negative samples are not stored; they all stand at the smallest.
        if missing > 0 {
            let mut negative = growing();
            let _ = negative.record_n(min.abs() as u64, missing);
            own.negative = Some(Box::new(negative));
        }
        own
    }

    /// Samples below zero.
    pub fn negative(&self) -> u64 {
        self.negative.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// Samples that no histogram could take.
    pub const fn overflow(&self) -> u64 {
        self.overflow
    }

    /// All samples.
    pub fn count(&self) -> u64 {
        self.positive.len() + self.negative() + self.overflow
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Mean of all samples.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum / self.count() as f64)
    }

    /// Standard deviation of all samples (of the population).
    pub fn stdev(&self) -> Option<f64> {
        let mean = self.mean()?;
        Some((self.sum_of_squares / self.count() as f64 - mean * mean).max(0.0).sqrt())
    }

    /// Smallest sample.
    pub fn min(&self) -> Option<f64> {
        (!self.is_empty()).then_some(self.min as f64)
    }

    /// Largest sample.
    pub fn max(&self) -> Option<f64> {
        (!self.is_empty()).then_some(self.max as f64)
    }

    /// The sample below which the share `quantile` (0 to 1) of all samples lies, within 0.1 %;
    /// `None` where fewer than [`SAMPLES_BEYOND`] samples lie beyond it.
    pub fn percentile(&self, quantile: f64) -> Option<f64> {
        let count = self.count() as f64;
        // Half a thousandth of slack, because 1 − 0.99 is not exactly 0.01.
        if count * (1.0 - quantile) + 0.0005 < SAMPLES_BEYOND {
            return None;
        }
        let rank = (count * quantile).ceil().max(1.0) as u64;
        let negative = self.negative();
        if rank <= negative {
            let histogram = self.negative.as_ref()?;
            return Some(-at_rank(histogram, negative - rank + 1));
        }
        let rank = rank - negative;
        if rank > self.positive.len() {
            return self.max();
        }
        let value = at_rank(&self.positive, rank);
        // A bucket's upper edge may lie above the largest sample that was seen.
        Some(value.min(self.max as f64))
    }

    /// The distribution in few numbers.
    pub fn spread(&self) -> Spread {
        Spread {
            count: self.count(),
            min: self.min(),
            max: self.max(),
            mean: self.mean(),
            p50: self.percentile(0.5),
            p90: self.percentile(0.9),
            p99: self.percentile(0.99),
            p999: self.percentile(0.999),
            negative: self.negative(),
        }
    }

    /// The histogram of the samples that are not negative.
    pub const fn histogram(&self) -> &Histogram<u64> {
        &self.positive
    }

    /// Counts over `bars` logarithmic bars of `per_decade` bars a decade, the first of which
    /// begins at `first` microseconds and also holds everything below; the last everything above.
    pub fn bars(&self, first: f64, per_decade: usize, bars: usize) -> Vec<u64> {
        let mut counts = vec![0; bars];
        let Some(last) = bars.checked_sub(1) else { return counts };
        counts[0] = self.negative();
        for step in self.positive.iter_recorded() {
            let value = step.value_iterated_to() as f64;
            let position = (value / first).log10() * per_decade as f64;
            counts[(position.max(0.0) as usize).min(last)] += step.count_since_last_iteration();
        }
        counts[last] += self.overflow;
        counts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: impl IntoIterator<Item = i64>) -> Distribution {
        let mut distribution = Distribution::default();
        values.into_iter().for_each(|value| distribution.record(value));
        distribution
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 0.001 * b.abs() + 1.0
    }

    proptest! {
        #[test]
        fn percentiles_agree_with_sorting(mut values in prop::collection::vec(-5_000_i64..2_000_000, 1..3_000)) {
            let distribution = of(values.iter().copied());
            values.sort_unstable();
            prop_assert_eq!(distribution.count(), values.len() as u64);
            prop_assert_eq!(distribution.negative(), values.iter().filter(|v| **v < 0).count() as u64);
            for quantile in [0.5, 0.9, 0.99, 0.999] {
                let beyond = values.len() as f64 * (1.0 - quantile);
                match distribution.percentile(quantile) {
                    None => prop_assert!(beyond < SAMPLES_BEYOND + 0.001),
                    Some(value) => {
                        let rank = (values.len() as f64 * quantile).ceil() as usize;
                        let exact = values[rank.max(1) - 1] as f64;
                        prop_assert!(close(value, exact), "{} instead of {}", value, exact);
                        prop_assert!(value <= distribution.max().unwrap());
                    }
                }
            }
        }

        #[test]
        fn merging_is_recording_both(a in prop::collection::vec(-50_i64..90_000, 0..200), b in prop::collection::vec(-50_i64..90_000, 0..200)) {
            let mut merged = of(a.iter().copied());
            merged.merge(&of(b.iter().copied()));
            let both = of(a.into_iter().chain(b));
            prop_assert_eq!(merged.spread().p50, both.spread().p50);
            prop_assert_eq!((merged.count(), merged.min(), merged.max(), merged.negative()),
                            (both.count(), both.min(), both.max(), both.negative()));
        }

        #[test]
        fn bars_hold_every_sample(values in prop::collection::vec(-100_i64..5_000_000_000, 0..300)) {
            let bars = of(values.iter().copied()).bars(10.0, 20, 160);
            prop_assert_eq!(bars.iter().sum::<u64>(), values.len() as u64);
        }
    }

    #[test]
    fn nothing_is_clipped_and_nothing_negative_is_dropped() {
        let hour = 3_600_000_000;
        let distribution = of([hour * 50, -3, 7]);
        assert_eq!(distribution.max(), Some(hour as f64 * 50.0));
        assert_eq!(distribution.min(), Some(-3.0));
        assert_eq!(
            (distribution.negative(), distribution.overflow(), distribution.count()),
            (1, 0, 3)
        );
    }

    #[test]
    fn a_percentile_needs_ten_samples_beyond_it() {
        assert_eq!(of(0..999).percentile(0.99), None);
        assert!(of(0..1_000).percentile(0.99).is_some());
        assert_eq!(of(0..19).percentile(0.5), None);
        assert!(of(0..20).percentile(0.5).is_some());
        assert_eq!(Distribution::default().mean(), None);
    }
}
