//! Interval logs: the distributions of every second of a load, in the log format of the HDR histogram
//! libraries (version 1.3), which their tools read, too.
//!
//! One line for each second and duration: its name as tag, start and length in seconds since the load
//! began, largest value in milliseconds, and the histogram of microseconds. The magnitudes of durations below
//! zero are lines of their own, with the tag `NAME-negative`.

use std::{collections::BTreeMap, fmt::Write as _};

use hdrhistogram::{
    Histogram,
    serialization::interval_log::{IntervalLogIterator, LogEntry},
};

use super::{Latency, histogram};
use crate::{measure::Durations, stats::distribution::Distribution};

/// First lines of a log.
const HEADER: &str = "#[Histogram log format version 1.3]\n\
    #[seconds since the load began, largest value in ms, histograms of microseconds]\n";
/// End of the tag of negative durations.
const NEGATIVE: &str = "-negative";

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the interval log of a repetition cannot be read: {reason}")]
pub struct IntervalLogError {
    reason: String,
}

/// Writes the distributions of each second; empty if there are none.
pub fn encode<'a>(seconds: impl Iterator<Item = (u32, Durations<Option<&'a Latency>>)>) -> String {
    let mut log = String::new();
    for (second, Durations { lag, ack, delivery, response }) in seconds {
        let all = [("lag", lag), ("ack", ack), ("delivery", delivery), ("response", response)];
        for (name, latency) in all {
            let Some(latency) = latency else { continue };
            if latency.count > latency.negative {
                let (max, histogram) = (latency.max / 1e3, &latency.histogram);
                // Writing to a string cannot fail.
                let _ = writeln!(log, "Tag={name},{second}.000,1.000,{max:.3},{histogram}");
            }
            if let Some(histogram) = &latency.negative_histogram {
                let max = -latency.min / 1e3;
                let _ =
                    writeln!(log, "Tag={name}{NEGATIVE},{second}.000,1.000,{max:.3},{histogram}");
            }
        }
    }
    if log.is_empty() { log } else { format!("{HEADER}{log}") }
}

/// Reads the distribution of the duration `name` (`lag`, `ack`, `delivery`, `response`) in each second. Values
/// are exact to the thousandth of the histograms; mean and standard deviation are those of their values.
///
/// # Errors
/// The text is not a log that hubmark wrote.
pub fn distributions(
    log: &str,
    name: &str,
) -> Result<BTreeMap<u32, Distribution>, IntervalLogError> {
    let failed = |reason: String| IntervalLogError { reason };
    let mut seconds: BTreeMap<u32, Distribution> = BTreeMap::new();
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let entry = entry.map_err(|error| failed(format!("{error:?}")))?;
        let LogEntry::Interval(interval) = entry else { continue };
        let tag = interval.tag().map_or("", |tag| tag.as_str());
        if tag.strip_suffix(NEGATIVE).unwrap_or(tag) != name {
            continue;
        }
        let second = u32::try_from(interval.start_timestamp().as_secs())
            .map_err(|error| failed(error.to_string()))?;
        let values: Histogram<u64> = histogram::decode_histogram(interval.encoded_histogram())
            .map_err(|error| failed(error.to_string()))?;
        let extreme = (interval.max() * 1e3).round() as u64;
        seconds.entry(second).or_default().add_histogram(&values, name != tag, extreme);
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn distribution(values: &[i64]) -> Distribution {
        let mut distribution = Distribution::default();
        for value in values {
            distribution.record(*value);
        }
        distribution
    }

    /// All samples of a distribution, as value and number.
    fn samples(of: &Distribution) -> Vec<(u64, u64)> {
        of.histogram()
            .iter_recorded()
            .map(|v| (v.value_iterated_to(), v.count_at_value()))
            .collect()
    }

    proptest! {
        #[test]
        fn the_seconds_of_a_log_merge_to_the_whole(
            seconds in prop::collection::vec(prop::collection::vec(-5_000_i64..3_000_000, 0..40), 1..8),
        ) {
            let stored: Vec<_> = seconds
                .iter()
                .map(|values| histogram::encode_latency(&distribution(values)))
                .collect();
            let log = encode((0..).zip(&stored).map(|(second, latency)| {
                (second, Durations { delivery: latency.as_ref(), ..Durations::default() })
            }));
            prop_assert!(distributions(&log, "ack").unwrap().is_empty());
            let mut merged = Distribution::default();
            for (second, read) in distributions(&log, "delivery").unwrap() {
                let own = distribution(&seconds[second as usize]);
                prop_assert_eq!(samples(&read), samples(&own));
                prop_assert_eq!(read.percentile(0.5), own.percentile(0.5));
                prop_assert_eq!((read.max(), read.count()), (own.max(), own.count()));
                merged.merge(&read);
            }
            let whole = distribution(&seconds.concat());
            prop_assert_eq!(merged.count(), whole.count());
            prop_assert_eq!(merged.negative(), whole.negative());
            prop_assert_eq!(samples(&merged), samples(&whole));
            for quantile in [0.01, 0.5, 0.9, 0.99] {
                prop_assert_eq!(merged.percentile(quantile), whole.percentile(quantile));
            }
        }
    }

    #[test]
    fn an_empty_log_is_empty_and_garbage_is_refused() {
        assert_eq!(encode(std::iter::empty()), "");
        assert!(distributions("", "ack").unwrap().is_empty());
        assert!(distributions("Tag=ack,0.000,1.000,2.769,AAAA\n", "ack").is_err());
        assert!(distributions("what?\n", "ack").is_err());
    }
}
