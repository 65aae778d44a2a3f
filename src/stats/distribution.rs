//! Distribution of durations without clipping, with negative values, and with a percentile only
//! where enough samples support it.

use hdrhistogram::Histogram;

use crate::measure::LatencySummary;

/// Smallest number of samples beyond a percentile for it to be given: with fewer, a single outlier
/// moves it. (So p99 needs 1,000 samples, p99.9 needs 10,000.)
pub const MIN_SAMPLES_BEYOND: f64 = 10.0;

/// Significant decimal digits of the histograms: a value is stored to within 0.1 %.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// Distribution of durations in microseconds.
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
            positive: auto_resizing_histogram(),
            negative: None,
            overflow: 0,
            min: i64::MAX,
            max: i64::MIN,
            sum: 0.0,
            sum_of_squares: 0.0,
        }
    }
}

/// Creates a histogram without an upper bound, which grows with its largest value.
fn auto_resizing_histogram() -> Histogram<u64> {
    let mut histogram =
        Histogram::new(SIGNIFICANT_DIGITS).unwrap_or_else(|_| unreachable!("3 is in 0..=5"));
    histogram.auto(true);
    histogram
}

/// Value of the sample with the given rank, counted from 1.
fn value_at_rank(histogram: &Histogram<u64>, rank: u64) -> f64 {
    // The histogram converts the quantile back to a rank by rounding up: half a rank less is safe
    // from floating-point error in both directions.
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
            self.negative.get_or_insert_with(|| Box::new(auto_resizing_histogram()))
        } else {
            &mut self.positive
        };
        if histogram.record(magnitude).is_err() {
            self.overflow += 1;
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        // Adding to a growing histogram cannot fail; if it ever did, the samples would be counted
        // as overflow.
        if self.positive.add(&other.positive).is_err() {
            self.overflow += other.positive.len();
        }
        if let Some(theirs) = &other.negative {
            let ours = self.negative.get_or_insert_with(|| Box::new(auto_resizing_histogram()));
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

    /// Rebuilds a distribution from its stored histograms (samples not below zero, and magnitudes of those
    /// below) and the figures stored beside them: overflowing samples, (smallest, largest), (mean, standard
    /// deviation), number of all samples.
    pub fn from_parts(
        positive: Histogram<u64>,
        negative: Option<Histogram<u64>>,
        overflow: u64,
        (min, max): (f64, f64),
        (mean, stdev): (f64, f64),
        count: u64,
    ) -> Self {
        let n = count as f64;
        let mut positive = positive;
        positive.auto(true);
        let stored = positive.len() + negative.as_ref().map_or(0, Histogram::len);
        let missing = count.saturating_sub(stored + overflow);
        let negative = negative.map(|mut histogram| {
            histogram.auto(true);
            Box::new(histogram)
        });
        let mut own = Self {
            positive,
            negative,
            overflow,
            min: min as i64,
            max: max as i64,
            sum: mean * n,
            sum_of_squares: (stdev * stdev + mean * mean) * n,
        };
        // Records of older versions have no magnitudes of negative samples: all take that of the smallest.
        if missing > 0 && own.negative.is_none() {
            let mut negative = auto_resizing_histogram();
            let _ = negative.record_n(min.abs() as u64, missing);
            own.negative = Some(Box::new(negative));
        }
        own
    }

    /// Adds the samples of a stored histogram whose largest value is `extreme`; with `below_zero`, they are
    /// magnitudes of negative samples. Mean and standard deviation become those of the histograms' values.
    pub fn add_histogram(&mut self, values: &Histogram<u64>, below_zero: bool, extreme: u64) {
        let ours = if below_zero {
            self.negative.get_or_insert_with(|| Box::new(auto_resizing_histogram())).as_mut()
        } else {
            &mut self.positive
        };
        if ours.add(values).is_err() {
            self.overflow += values.len();
        }
        let sign = if below_zero { -1 } else { 1 };
        for step in values.iter_recorded() {
            let (value, count) = (step.value_iterated_to(), step.count_at_value() as f64);
            self.sum += sign as f64 * value as f64 * count;
            self.sum_of_squares += value as f64 * value as f64 * count;
        }
        let ends = [values.min().min(extreme), extreme].map(|value| sign * value.cast_signed());
        self.min = ends.into_iter().fold(self.min, i64::min);
        self.max = ends.into_iter().fold(self.max, i64::max);
    }

    /// Number of samples below zero.
    pub fn negative(&self) -> u64 {
        self.negative.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// Number of samples that no histogram could store.
    pub const fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Number of all samples.
    pub fn count(&self) -> u64 {
        self.positive.len() + self.negative() + self.overflow
    }

    /// Whether there are no samples.
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

    /// Value below which the share `quantile` (0 to 1) of all samples falls, within 0.1 %; `None`
    /// if fewer than [`MIN_SAMPLES_BEYOND`] samples are beyond it.
    pub fn percentile(&self, quantile: f64) -> Option<f64> {
        self.percentile_with_missing(quantile, 0)
    }

    /// [`Self::percentile`] of all samples and of `missing` further ones, each above any limit: messages
    /// that never got this duration. Infinity where the percentile is among these.
    pub fn percentile_with_missing(&self, quantile: f64, missing: u64) -> Option<f64> {
        let count = (self.count() + missing) as f64;
        if missing > 0 && (count * quantile).ceil() as u64 > self.count() {
            return Some(f64::INFINITY);
        }
        // Half a thousandth of slack, because 1 − 0.99 is not exactly 0.01.
        if count * (1.0 - quantile) + 0.0005 < MIN_SAMPLES_BEYOND {
            return None;
        }
        self.sample_of_rank((count * quantile).ceil().max(1.0) as u64)
    }

    /// Value below which the share `quantile` (0 to 1) of all samples falls, however few there are;
    /// `None` without samples. For judgements, not for publication: see [`Self::percentile`].
    pub fn value_at_rank(&self, quantile: f64) -> Option<f64> {
        if self.is_empty() {
            return None;
        }
        self.sample_of_rank((self.count() as f64 * quantile).ceil().max(1.0) as u64)
    }

    /// Sample with the given rank, counted from 1.
    fn sample_of_rank(&self, rank: u64) -> Option<f64> {
        let negative = self.negative();
        if rank <= negative {
            let histogram = self.negative.as_ref()?;
            return Some(-value_at_rank(histogram, negative - rank + 1));
        }
        let rank = rank - negative;
        if rank > self.positive.len() {
            return self.max();
        }
        let value = value_at_rank(&self.positive, rank);
        // The upper edge of a bucket may be above the largest sample.
        Some(value.min(self.max as f64))
    }

    /// Summary of the distribution: count, extremes, mean, percentiles.
    pub fn summary(&self) -> LatencySummary {
        LatencySummary {
            count: self.count(),
            min: self.min(),
            max: self.max(),
            mean: self.mean(),
            p50: self.percentile(0.5),
            p90: self.percentile(0.9),
            p95: self.percentile(0.95),
            p99: self.percentile(0.99),
            p999: self.percentile(0.999),
            negative: self.negative(),
        }
    }

    /// Histogram of the samples that are not negative.
    pub const fn histogram(&self) -> &Histogram<u64> {
        &self.positive
    }

    /// Histogram of the magnitudes of the negative samples; `None` without any.
    pub fn negative_histogram(&self) -> Option<&Histogram<u64>> {
        self.negative.as_deref()
    }

    /// Counts of samples in `bars` logarithmic bars, `per_decade` of them a decade; the first
    /// begins at `first` microseconds and includes everything below, the last everything above.
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

    fn distribution_of(values: impl IntoIterator<Item = i64>) -> Distribution {
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
            let distribution = distribution_of(values.iter().copied());
            values.sort_unstable();
            prop_assert_eq!(distribution.count(), values.len() as u64);
            prop_assert_eq!(distribution.negative(), values.iter().filter(|v| **v < 0).count() as u64);
            for quantile in [0.5, 0.9, 0.99, 0.999] {
                let beyond = values.len() as f64 * (1.0 - quantile);
                match distribution.percentile(quantile) {
                    None => prop_assert!(beyond < MIN_SAMPLES_BEYOND + 0.001),
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
            let mut merged = distribution_of(a.iter().copied());
            merged.merge(&distribution_of(b.iter().copied()));
            let both = distribution_of(a.into_iter().chain(b));
            prop_assert_eq!(merged.summary().p50, both.summary().p50);
            prop_assert_eq!((merged.count(), merged.min(), merged.max(), merged.negative()),
                            (both.count(), both.min(), both.max(), both.negative()));
        }

        #[test]
        fn bars_hold_every_sample(values in prop::collection::vec(-100_i64..5_000_000_000, 0..300)) {
            let bars = distribution_of(values.iter().copied()).bars(10.0, 20, 160);
            prop_assert_eq!(bars.iter().sum::<u64>(), values.len() as u64);
        }
    }

    #[test]
    fn nothing_is_clipped_and_nothing_negative_is_dropped() {
        let hour = 3_600_000_000;
        let distribution = distribution_of([hour * 50, -3, 7]);
        assert_eq!(distribution.max(), Some(hour as f64 * 50.0));
        assert_eq!(distribution.min(), Some(-3.0));
        assert_eq!(
            (distribution.negative(), distribution.overflow(), distribution.count()),
            (1, 0, 3)
        );
    }

    proptest! {
        #[test]
        fn missing_samples_are_above_all_others(values in prop::collection::vec(0_i64..2_000_000, 0..2_000), missing in 0_u64..500) {
            let distribution = distribution_of(values.iter().copied());
            let with_huge = distribution_of(
                values.iter().copied().chain((0..missing).map(|_| 1_000_000_000_000)),
            );
            for quantile in [0.5, 0.9, 0.99, 0.999] {
                match (distribution.percentile_with_missing(quantile, missing), with_huge.percentile(quantile)) {
                    // Without enough samples for the percentile, it may still be known to be infinite.
                    (Some(found), None) => prop_assert!(found.is_infinite()),
                    (Some(found), Some(huge)) if found.is_infinite() => prop_assert!(huge > 9e11),
                    (Some(found), Some(huge)) => prop_assert!(close(found, huge), "{} {}", found, huge),
                    (found, huge) => prop_assert_eq!(found, huge),
                }
            }
        }
    }

    #[test]
    fn a_percentile_needs_ten_samples_beyond_it() {
        assert_eq!(distribution_of(0..999).percentile(0.99), None);
        assert!(distribution_of(0..1_000).percentile(0.99).is_some());
        assert_eq!(distribution_of(0..19).percentile(0.5), None);
        assert!(distribution_of(0..20).percentile(0.5).is_some());
        assert_eq!(Distribution::default().mean(), None);
    }
}
