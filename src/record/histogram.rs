//! Measured distributions as they stand in a record, and back.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer, V2DeflateSerializer},
};

use super::Latency;
use crate::stats::distribution::Distribution;

/// A stored histogram that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a stored histogram cannot be read: {reason}")]
pub struct HistogramError {
    reason: String,
}

/// The distribution for the record; `None` when nothing was measured.
pub fn latency(distribution: &Distribution) -> Option<Latency> {
    Some(Latency {
        count: distribution.count(),
        min: distribution.min()?,
        max: distribution.max()?,
        mean: distribution.mean()?,
        stdev: distribution.stdev()?,
        p50: distribution.percentile(0.5),
        p90: distribution.percentile(0.9),
        p99: distribution.percentile(0.99),
        p999: distribution.percentile(0.999),
        p9999: distribution.percentile(0.9999),
        negative: distribution.negative(),
        overflow: distribution.overflow(),
        histogram: encode(distribution.histogram()),
    })
}

fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    // Writing to memory cannot fail; if it ever did, a reader would see an unreadable histogram
    // beside readable numbers, not wrong ones.
    match V2DeflateSerializer::new().serialize(histogram, &mut bytes) {
        Ok(_) => STANDARD.encode(bytes),
        Err(error) => {
            tracing::error!(%error, "histogram not written");
            String::new()
        }
    }
}

/// The distribution that was stored. Magnitudes of negative samples are not stored one by one:
/// they all stand at the smallest.
///
/// # Errors
/// When the histogram is not what this program writes.
pub fn distribution(latency: &Latency) -> Result<Distribution, HistogramError> {
    let failed = |error: &dyn std::fmt::Display| HistogramError { reason: error.to_string() };
    let bytes = STANDARD.decode(&latency.histogram).map_err(|error| failed(&error))?;
    let histogram: Histogram<u64> =
        Deserializer::new().deserialize(&mut &bytes[..]).map_err(|error| failed(&error))?;
    Ok(Distribution::from_parts(
        histogram,
        latency.overflow,
        (latency.min, latency.max),
        (latency.mean, latency.stdev),
        latency.count,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_distribution_survives_the_record(values in prop::collection::vec(-3_i64..50_000_000, 1..500)) {
            let mut original = Distribution::default();
            for value in &values {
                original.record(*value);
            }
            let stored = latency(&original).unwrap();
            let back = latency(&distribution(&stored).unwrap()).unwrap();
            prop_assert_eq!((back.count, back.negative, back.p50, back.p99), (stored.count, stored.negative, stored.p50, stored.p99));
            prop_assert_eq!((back.min, back.max), (stored.min, stored.max));
            prop_assert!((back.mean - stored.mean).abs() < 1e-3);
        }
    }

    #[test]
    fn nothing_measured_is_null_and_garbage_is_refused() {
        assert_eq!(latency(&Distribution::default()), None);
        let mut one = Distribution::default();
        one.record(5);
        let mut stored = latency(&one).unwrap();
        stored.histogram = "AAAA".into();
        assert!(distribution(&stored).is_err());
    }
}
