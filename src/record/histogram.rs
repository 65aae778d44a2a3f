//! Conversion of measured distributions to their form in a record, and back.

use std::io::Read;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::ZlibDecoder;
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer, V2DeflateSerializer},
};
use serde::{Deserialize, Serialize};

use crate::stats::distribution::Distribution;

/// First bytes of a compressed histogram in V2 format.
const COMPRESSED_COOKIE: [u8; 4] = [0x1c, 0x84, 0x93, 0x14];
/// Size that no histogram of 64-bit values with three digits exceeds: 56,000 counts of at most 9 bytes.
const MAX_COUNTS_SIZE: u32 = 1 << 20;

/// A distribution in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Latency {
    /// Samples, negative and overflowing ones included.
    pub count: u64,
    /// Smallest; may be negative.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Mean of all samples, negative ones included.
    pub mean: f64,
    /// Standard deviation.
    pub stdev: f64,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile; `null` in records of older versions.
    #[serde(default)]
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// 99.99th percentile.
    pub p9999: Option<f64>,
    /// Samples below zero.
    pub negative: u64,
    /// Samples beyond the histogram's range.
    pub overflow: u64,
    /// HDR histogram, V2 format, compressed, base64; without negative and overflowing samples.
    pub histogram: String,
    /// HDR histogram of the magnitudes of the samples below zero, in the same format; `null` without any,
    /// and in records of older versions.
    #[serde(default)]
    pub negative_histogram: Option<String>,
}

/// A stored histogram that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a stored histogram cannot be read: {reason}")]
pub struct HistogramError {
    reason: String,
}

/// Encodes a distribution for a record; `None` if nothing was measured.
pub fn encode_latency(distribution: &Distribution) -> Option<Latency> {
    Some(Latency {
        count: distribution.count(),
        min: distribution.min()?,
        max: distribution.max()?,
        mean: distribution.mean()?,
        stdev: distribution.stdev()?,
        p50: distribution.percentile(0.5),
        p90: distribution.percentile(0.9),
        p95: distribution.percentile(0.95),
        p99: distribution.percentile(0.99),
        p999: distribution.percentile(0.999),
        p9999: distribution.percentile(0.9999),
        negative: distribution.negative(),
        overflow: distribution.overflow(),
        histogram: encode_histogram(distribution.histogram()),
        negative_histogram: distribution.negative_histogram().map(encode_histogram),
    })
}

fn encode_histogram(histogram: &Histogram<u64>) -> String {
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

/// Decodes a stored distribution.
///
/// Records of older versions have no magnitudes of negative samples: all take that of the smallest.
///
/// # Errors
/// When the histogram is not in the format that hubmark writes.
pub fn decode_latency(latency: &Latency) -> Result<Distribution, HistogramError> {
    let negative = latency.negative_histogram.as_deref().map(decode_histogram).transpose()?;
    Ok(Distribution::from_parts(
        decode_histogram(&latency.histogram)?,
        negative,
        latency.overflow,
        (latency.min, latency.max),
        (latency.mean, latency.stdev),
        latency.count,
    ))
}

/// Decodes a histogram in V2 format, compressed, base64.
///
/// # Errors
/// When the text is not in that format.
pub fn decode_histogram(text: &str) -> Result<Histogram<u64>, HistogramError> {
    let failed = |error: &dyn std::fmt::Display| HistogramError { reason: error.to_string() };
    let bytes = STANDARD.decode(text).map_err(|error| failed(&error))?;
    check_claimed_size(&bytes).map_err(|error| failed(&error))?;
    Deserializer::new().deserialize(&mut &bytes[..]).map_err(|error| failed(&error))
}

/// Checks the size that a histogram claims for its counts: the deserializer believes it, and allocates up to
/// 4 GB because of one damaged byte.
fn check_claimed_size(bytes: &[u8]) -> Result<(), String> {
    let Some((cookie, rest)) = bytes.split_first_chunk::<4>() else {
        return Err("it is too short".into());
    };
    if *cookie != COMPRESSED_COOKIE {
        return Err("it is not in the compressed V2 format".into());
    }
    // The compressed size, and then compressed: another cookie, the size of the counts.
    let mut head = [0; 8];
    ZlibDecoder::new(rest.get(4..).unwrap_or_default())
        .read_exact(&mut head)
        .map_err(|error| error.to_string())?;
    let [.., a, b, c, d] = head;
    let claimed = u32::from_be_bytes([a, b, c, d]);
    if claimed > MAX_COUNTS_SIZE {
        return Err(format!("it claims {claimed} bytes of counts"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_histogram_that_claims_gigabytes_is_refused_before_they_are_allocated() {
        let mut one = Distribution::default();
        one.record(5);
        let stored = encode_latency(&one).unwrap().histogram;
        assert!(decode_histogram(&stored).is_ok());
        let bytes = STANDARD.decode(&stored).unwrap();
        let mut counts = Vec::new();
        ZlibDecoder::new(&bytes[8..]).read_to_end(&mut counts).unwrap();
        counts[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        let mut encoder = ZlibEncoder::new(bytes[..8].to_vec(), Compression::default());
        encoder.write_all(&counts).unwrap();
        let error = decode_histogram(&STANDARD.encode(encoder.finish().unwrap())).unwrap_err();
        assert!(error.to_string().contains("claims 4294967295 bytes"), "{error}");
    }

    proptest! {
        #[test]
        fn a_distribution_survives_the_record(values in prop::collection::vec(-3_i64..50_000_000, 1..500)) {
            let mut original = Distribution::default();
            for value in &values {
                original.record(*value);
            }
            let stored = encode_latency(&original).unwrap();
            let back = encode_latency(&decode_latency(&stored).unwrap()).unwrap();
            prop_assert_eq!((back.count, back.negative, back.p50, back.p99), (stored.count, stored.negative, stored.p50, stored.p99));
            prop_assert_eq!((back.min, back.max), (stored.min, stored.max));
            prop_assert!((back.mean - stored.mean).abs() < 1e-3);
        }

        #[test]
        fn negative_samples_keep_their_magnitudes(values in prop::collection::vec(-9_000_i64..500, 20..300)) {
            let mut original = Distribution::default();
            for value in &values {
                original.record(*value);
            }
            let back = decode_latency(&encode_latency(&original).unwrap()).unwrap();
            for quantile in [0.001, 0.1, 0.25, 0.5] {
                prop_assert_eq!(back.percentile(quantile), original.percentile(quantile));
            }
        }
    }

    #[test]
    fn nothing_measured_is_null_and_garbage_is_refused() {
        assert_eq!(encode_latency(&Distribution::default()), None);
        let mut one = Distribution::default();
        one.record(5);
        let mut stored = encode_latency(&one).unwrap();
        stored.histogram = "AAAA".into();
        assert!(decode_latency(&stored).is_err());
    }
}
