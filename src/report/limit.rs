//! Limits on differences, for a job that must say no: `delivery.p99 > +10%`.

use std::{fmt, str::FromStr};

use super::metric::{Metric, Quantity};
use crate::{
    stats::difference::Difference,
    units::{Bytes, parse_duration},
};

/// A condition on B less A under which a comparison fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// What is limited.
    pub metric: Metric,
    above: bool,
    bound: Bound,
    surely: bool,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    /// A share of A: 0.1 is +10 %.
    Share(f64),
    /// A difference in the metric's own unit (microseconds, bytes, cores, …).
    Amount(f64),
}

/// How a point stands to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Beyond it, and so is the whole interval.
    SurelyBeyond,
    /// The means are beyond it; the interval is not, or there is none.
    Beyond,
    /// Within it.
    Within,
    /// It cannot be told: a percentile that the count cannot carry, a share of 0.
    Unknown,
}

/// A limit that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a limit: {reason}; write a metric, > or <, and a change with its sign, such \
     as \"delivery.p99 > +10%\", \"delivery.mean > +2 ms\", \"throughput < -5%\", \"lost > 0\""
)]
pub struct LimitError {
    text: String,
    reason: String,
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let error = |reason: String| LimitError { text: text.trim().to_owned(), reason };
        let place = text
            .find(['>', '<'])
            .ok_or_else(|| error("neither > nor < stands in it".to_owned()))?;
        let above = text[place..].starts_with('>');
        let metric: Metric = text[..place]
            .parse()
            .map_err(|unknown: super::metric::UnknownMetric| error(unknown.to_string()))?;
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
        let bound = bound(rest, metric.quantity()).map_err(error)?;
        Ok(Self { metric, above, bound, surely, text: text.trim().to_owned() })
    }
}

fn bound(text: &str, quantity: Quantity) -> Result<Bound, String> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest.trim_start()),
        None => (1.0, text.strip_prefix('+').unwrap_or(text).trim_start()),
    };
    if size.is_empty() {
        return Err("the change is missing".into());
    }
    if !size.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(format!("{size:?} does not begin with a number"));
    }
    let number = |text: &str| -> Result<f64, String> {
        let value: f64 =
            text.trim().parse().map_err(|_| format!("{:?} is not a number", text.trim()))?;
        if value.is_finite() { Ok(value) } else { Err(format!("{value} is not a number")) }
    };
    if let Some(share) = size.strip_suffix('%') {
        return Ok(Bound::Share(sign * number(share)? / 100.0));
    }
    if number(size).is_ok_and(|value| value == 0.0) {
        return Ok(Bound::Amount(0.0));
    }
    let amount = match quantity {
        Quantity::Latency | Quantity::CpuTime => {
            parse_duration(size).map_err(|error| error.to_string())?.as_secs_f64() * 1e6
        }
        Quantity::Bytes => size.parse::<Bytes>().map_err(|error| error.to_string())?.0 as f64,
        Quantity::Rate => {
            size.parse::<crate::units::ByteRate>().map_err(|error| error.to_string())?.0
        }
        Quantity::Cores => number(size.trim_end_matches("cores").trim_end_matches("core"))?,
        Quantity::Count => number(size)?,
    };
    Ok(Bound::Amount(sign * amount))
}

impl Limit {
    /// How `difference` stands to it.
    pub fn judge(&self, difference: &Difference) -> Standing {
        let (value, interval, bound) = match self.bound {
            Bound::Amount(bound) => (difference.difference, difference.interval, bound),
            Bound::Share(bound) => match difference.relative() {
                Some((share, interval)) => (share, interval, bound),
                None if difference.difference == 0.0 => (0.0, None, bound),
                None => return Standing::Unknown,
            },
        };
        let beyond = |value: f64| if self.above { value > bound } else { value < bound };
        if !beyond(value) {
            return Standing::Within;
        }
        let nearest = interval.map(|(low, high)| if self.above { low } else { high });
        if nearest.is_some_and(beyond) { Standing::SurelyBeyond } else { Standing::Beyond }
    }

    /// Whether a point that stands so fails the comparison.
    pub const fn fails(&self, standing: Standing) -> bool {
        match standing {
            Standing::SurelyBeyond => true,
            Standing::Beyond => !self.surely,
            Standing::Within | Standing::Unknown => false,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        report::metric::{Span, Stat},
        stats::difference::difference,
    };

    fn limit(text: &str) -> Limit {
        text.parse().unwrap()
    }

    #[test]
    fn limits_are_read_with_and_without_room() {
        let wanted = limit("delivery.p99 > +10%");
        for text in ["delivery.p99>+10%", "  delivery.p99  >  10 % ", "Delivery.P99 > + 10.0%"] {
            let read = limit(text);
            assert_eq!((read.metric, read.above, read.bound), (wanted.metric, true, wanted.bound));
        }
        assert_eq!(wanted.metric, Metric::Latency(Span::Delivery, Stat::P99));
        assert_eq!(limit("ack.mean > +2 ms").bound, Bound::Amount(2_000.0));
        assert_eq!(limit("throughput < -5%").bound, Bound::Share(-0.05));
        assert_eq!(limit("throughput < -5 MB/s").bound, Bound::Amount(-5e6));
        assert_eq!(limit("block.written > 1 MB").bound, Bound::Amount(1e6));
        assert_eq!(limit("cpu > +0.5 cores").bound, Bound::Amount(0.5));
        assert_eq!(limit("lost > 0").bound, Bound::Amount(0.0));
        assert!(limit("delivery.p99 > +10% surely").surely);
    }

    #[test]
    fn what_is_no_limit_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "neither"),
            ("delivery.p99", "neither"),
            ("delivery.p98 > 10%", "delivery.p98"),
            ("delivery.p99 > ", "missing"),
            ("delivery.p99 >= 10%", "without ="),
            ("delivery.p99 > lots", "does not begin with a number"),
            ("delivery.p99 > 10", "unit"),
            ("delivery.p99 > 10 MB", "duration"),
            ("delivery.p99 > 1e999%", "not a number"),
            ("delivery.p99 > NaN%", "number"),
        ] {
            let error = text.parse::<Limit>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("+10%"), "{text}: {error}");
        }
    }

    #[test]
    fn a_limit_is_crossed_by_the_means_and_surely_by_the_interval() {
        let worse = difference(&[10.0, 10.1, 9.9], &[12.0, 12.1, 11.9]).unwrap();
        assert_eq!(limit("delivery.mean > +10%").judge(&worse), Standing::SurelyBeyond);
        assert_eq!(limit("delivery.mean > +19%").judge(&worse), Standing::Beyond);
        assert_eq!(limit("delivery.mean > +30%").judge(&worse), Standing::Within);
        assert_eq!(limit("delivery.mean < -10%").judge(&worse), Standing::Within);
        let better = difference(&[12.0, 12.1, 11.9], &[10.0, 10.1, 9.9]).unwrap();
        assert_eq!(limit("throughput < -10%").judge(&better), Standing::SurelyBeyond);
        let one = difference(&[10.0], &[12.0]).unwrap();
        assert_eq!(limit("delivery.mean > +10%").judge(&one), Standing::Beyond);
        assert!(!limit("delivery.mean > +10% surely").fails(Standing::Beyond));
        assert!(limit("delivery.mean > +10%").fails(Standing::Beyond));
        let nothing = difference(&[0.0, 0.0], &[1.0, 2.0]).unwrap();
        assert_eq!(limit("lost > +10%").judge(&nothing), Standing::Unknown);
        assert_eq!(limit("lost > 0").judge(&nothing), Standing::Beyond);
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_makes_it_fall_over(text in "\\PC{0,40}") {
            let _ = text.parse::<Limit>();
        }

        #[test]
        fn every_share_reads_back(percent in -99.0..500.0_f64) {
            let read = limit(&format!("delivery.p50 > {percent:+}%"));
            prop_assert!(matches!(read.bound, Bound::Share(share) if (share - percent / 100.0).abs() < 1e-12));
        }
    }
}
