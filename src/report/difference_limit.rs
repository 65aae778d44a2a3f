//! Limits on differences, which make a comparison fail in CI: `delivery.p99 > +10%`.

use std::{fmt, str::FromStr};

use super::metric::{Metric, Quantity};
use crate::{
    stats::difference::Difference,
    units::{Bytes, parse_duration, parse_number},
};

/// Condition on B minus A that makes a comparison fail.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferenceLimit {
    /// Metric that is limited.
    pub metric: Metric,
    above: bool,
    bound: LimitBound,
    requires_significance: bool,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum LimitBound {
    /// Fraction of A: 0.1 is +10 %.
    Relative(f64),
    /// Difference in the metric's base unit (microseconds, bytes, cores, …).
    Absolute(f64),
}

/// Result of evaluating a limit at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitStatus {
    /// The difference and its whole interval are beyond the limit.
    CrossedSignificantly,
    /// The difference of the means is beyond the limit; its interval is not, or is missing.
    Crossed,
    /// The difference is within the limit.
    Held,
    /// Undecidable: too few messages for the percentile, or a relative change from 0.
    Undecidable,
}

/// Error of parsing a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a limit: {reason}; write a metric, > or <, and a change with its sign, such \
     as \"delivery.p99 > +10%\", \"delivery.mean > +2 ms\", \"throughput < -5%\", \"lost > 0\""
)]
pub struct DifferenceLimitError {
    text: String,
    reason: String,
}

impl FromStr for DifferenceLimit {
    type Err = DifferenceLimitError;

    fn from_str(text: &str) -> Result<Self, DifferenceLimitError> {
        let error = |reason: String| DifferenceLimitError { text: text.trim().to_owned(), reason };
        let place =
            text.find(['>', '<']).ok_or_else(|| error("it has neither > nor <".to_owned()))?;
        let above = text[place..].starts_with('>');
        let metric: Metric = text[..place]
            .parse()
            .map_err(|unknown: crate::report::metric::UnknownMetric| error(unknown.to_string()))?;
        let mut rest = text[place + 1..].trim();
        if rest.starts_with('=') {
            return Err(error("write > or <, without =".into()));
        }
        let surely = match rest.strip_suffix("surely") {
            Some(before) => {
                rest = before.trim_end();
                true
            }
            None => false,
        };
        let bound = parse_bound(rest, metric.quantity()).map_err(error)?;
        Ok(Self {
            metric,
            above,
            bound,
            requires_significance: surely,
            text: text.trim().to_owned(),
        })
    }
}

fn parse_bound(text: &str, quantity: Quantity) -> Result<LimitBound, String> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest.trim_start()),
        None => (1.0, text.strip_prefix('+').unwrap_or(text).trim_start()),
    };
    if size.is_empty() {
        return Err("the change is missing".into());
    }
    if !size.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("{size:?} does not begin with a number"));
    }
    if let Some(share) = size.strip_suffix('%') {
        return Ok(LimitBound::Relative(sign * parse_number(share)? / 100.0));
    }
    if parse_number(size).is_ok_and(|value| value == 0.0) {
        return Ok(LimitBound::Absolute(0.0));
    }
    let amount = match quantity {
        Quantity::Latency | Quantity::CpuTime => {
            parse_duration(size).map_err(|error| error.to_string())?.as_secs_f64() * 1e6
        }
        Quantity::Bytes => size.parse::<Bytes>().map_err(|error| error.to_string())?.0 as f64,
        Quantity::Rate => {
            size.parse::<crate::units::ByteRate>().map_err(|error| error.to_string())?.0
        }
        Quantity::Cores => parse_number(size.trim_end_matches("cores").trim_end_matches("core"))?,
        Quantity::Count => parse_number(size)?,
    };
    Ok(LimitBound::Absolute(sign * amount))
}

impl DifferenceLimit {
    /// Evaluates the limit on `difference`.
    pub fn evaluate(&self, difference: &Difference) -> LimitStatus {
        let (value, interval, bound) = match self.bound {
            LimitBound::Absolute(bound) => (difference.difference, difference.interval, bound),
            LimitBound::Relative(bound) => match difference.relative() {
                Some(share) => (share, difference.relative_interval, bound),
                None if difference.difference == 0.0 => (0.0, None, bound),
                None => return LimitStatus::Undecidable,
            },
        };
        let beyond = |value: f64| if self.above { value > bound } else { value < bound };
        if !beyond(value) {
            return LimitStatus::Held;
        }
        let nearest = interval.map(|(low, high)| if self.above { low } else { high });
        if nearest.is_some_and(beyond) {
            LimitStatus::CrossedSignificantly
        } else {
            LimitStatus::Crossed
        }
    }

    /// Returns whether a point of this status fails the comparison.
    pub const fn is_failed_by(&self, standing: LimitStatus) -> bool {
        match standing {
            LimitStatus::CrossedSignificantly => true,
            LimitStatus::Crossed => !self.requires_significance,
            LimitStatus::Held | LimitStatus::Undecidable => false,
        }
    }
}

impl fmt::Display for DifferenceLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        report::metric::{LatencyKind, LatencyStat},
        stats::{difference, estimate::Domain},
    };

    /// Compares two samples of a latency.
    fn difference(a: &[f64], b: &[f64]) -> Option<Difference> {
        difference::difference(a, b, Domain::NonNegative)
    }

    fn limit(text: &str) -> DifferenceLimit {
        text.parse().unwrap()
    }

    #[test]
    fn limits_are_parsed_with_and_without_spaces() {
        let wanted = limit("delivery.p99 > +10%");
        for text in ["delivery.p99>+10%", "  delivery.p99  >  10 % ", "Delivery.P99 > + 10.0%"] {
            let read = limit(text);
            assert_eq!((read.metric, read.above, read.bound), (wanted.metric, true, wanted.bound));
        }
        assert_eq!(wanted.metric, Metric::Latency(LatencyKind::Delivery, LatencyStat::P99));
        assert_eq!(limit("ack.mean > +2 ms").bound, LimitBound::Absolute(2_000.0));
        assert_eq!(limit("throughput < -5%").bound, LimitBound::Relative(-0.05));
        assert_eq!(limit("throughput < -5 MB/s").bound, LimitBound::Absolute(-5e6));
        assert_eq!(limit("block.written > 1 MB").bound, LimitBound::Absolute(1e6));
        assert_eq!(limit("cpu > +0.5 cores").bound, LimitBound::Absolute(0.5));
        assert_eq!(limit("lost > 0").bound, LimitBound::Absolute(0.0));
        assert!(limit("delivery.p99 > +10% surely").requires_significance);
    }

    #[test]
    fn an_invalid_limit_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "neither"),
            ("delivery.p99", "neither"),
            ("delivery.p98 > 10%", "delivery.p98"),
            ("delivery.p99 > ", "missing"),
            ("delivery.p99 >= 10%", "without ="),
            ("delivery.p99 > lots", "does not begin with a number"),
            ("delivery.p99 > 10", "unit"),
            ("delivery.p99 > 1,000 ms", "\"1000 ms\""),
            ("throughput < -1,5 MB/s", "\"1.5 MB\""),
            ("block.written > 1,000 kB", "\"1000 kB\""),
            ("delivery.p99 > 2,5%", "\"2.5\""),
            ("cpu > 0,5 cores", "\"0.5\""),
            ("lost > 1,000", "\"1000\""),
            ("lost > 1e3", "not a number"),
            ("delivery.p99 > 10 MB", "duration"),
            ("delivery.p99 > 1e999%", "not a number"),
            ("delivery.p99 > NaN%", "number"),
        ] {
            let error = text.parse::<DifferenceLimit>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("+10%"), "{text}: {error}");
        }
    }

    #[test]
    fn a_limit_is_crossed_by_the_means_and_surely_by_the_interval() {
        let worse = difference(&[10.0, 10.1, 9.9], &[12.0, 12.1, 11.9]).unwrap();
        assert_eq!(
            limit("delivery.mean > +10%").evaluate(&worse),
            LimitStatus::CrossedSignificantly
        );
        assert_eq!(limit("delivery.mean > +19%").evaluate(&worse), LimitStatus::Crossed);
        assert_eq!(limit("delivery.mean > +30%").evaluate(&worse), LimitStatus::Held);
        assert_eq!(limit("delivery.mean < -10%").evaluate(&worse), LimitStatus::Held);
        let better = difference(&[12.0, 12.1, 11.9], &[10.0, 10.1, 9.9]).unwrap();
        assert_eq!(limit("throughput < -10%").evaluate(&better), LimitStatus::CrossedSignificantly);
        let one = difference(&[10.0], &[12.0]).unwrap();
        assert_eq!(limit("delivery.mean > +10%").evaluate(&one), LimitStatus::Crossed);
        assert!(!limit("delivery.mean > +10% surely").is_failed_by(LimitStatus::Crossed));
        assert!(limit("delivery.mean > +10%").is_failed_by(LimitStatus::Crossed));
        let nothing = difference(&[0.0, 0.0], &[1.0, 2.0]).unwrap();
        assert_eq!(limit("lost > +10%").evaluate(&nothing), LimitStatus::Undecidable);
        assert_eq!(limit("lost > 0").evaluate(&nothing), LimitStatus::Crossed);
    }

    proptest! {
        #[test]
        fn parsing_any_text_never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<DifferenceLimit>();
        }

        #[test]
        fn every_share_reads_back(percent in -99.0..500.0_f64) {
            let read = limit(&format!("delivery.p50 > {percent:+}%"));
            prop_assert!(matches!(read.bound, LimitBound::Relative(share) if (share - percent / 100.0).abs() < 1e-12));
        }
    }
}
