//! Numbers for people: three significant figures, thousands separated, the unit always there.
//!
//! What was not measured is [`MISSING`], never 0.

use unicode_width::UnicodeWidthStr;

use crate::units::Bytes;

/// Stands for what was not measured.
pub const MISSING: &str = "–";

/// A count, exactly: `15,211`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A measured value with three significant figures and at most three decimals: `0.060`, `2.10`,
/// `31.0`, `412`, `15,200`.
pub fn three(value: f64) -> String {
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    match size {
        0.0 => "0".to_owned(),
        _ if size < 0.9995 => format!("{sign}{size:.3}"),
        _ if size < 9.995 => format!("{sign}{size:.2}"),
        _ if size < 99.95 => format!("{sign}{size:.1}"),
        _ => {
            let step = 10_f64.powf((size.log10() + 1e-9).floor() - 2.0);
            format!("{sign}{}", count(((size / step).round() * step) as u64))
        }
    }
}

/// [`three`], or [`MISSING`].
pub fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| MISSING.to_owned(), three)
}

/// Unit of a latency on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Unit {
    /// Microseconds.
    #[default]
    Micros,
    /// Milliseconds.
    Millis,
}

impl Unit {
    /// Its sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Micros => "µs",
            Self::Millis => "ms",
        }
    }

    /// Microseconds in this unit.
    pub const fn of(self, micros: f64) -> f64 {
        match self {
            Self::Micros => micros,
            Self::Millis => micros / 1_000.0,
        }
    }

    /// Microseconds as a number in this unit.
    pub fn number(self, micros: Option<f64>) -> String {
        optional(micros.map(|micros| self.of(micros)))
    }
}

/// A scale of bytes: its divisor and its sign, chosen by the largest value that shall fit.
fn scale(largest: f64) -> (f64, &'static str) {
    const SCALES: [(f64, &str); 4] = [(1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB")];
    let fits = |divisor: f64| largest.abs() >= divisor * 0.9995;
    SCALES.iter().rev().find(|(divisor, _)| fits(*divisor)).copied().unwrap_or((1.0, "B"))
}

fn scaled(value: f64, (divisor, _): (f64, &str)) -> String {
    if divisor > 1.0 { three(value / divisor) } else { format!("{value:.0}") }
}

/// Bytes, a difference of bytes or bytes per second, without `/s`: `412 MB`.
pub fn bytes(value: f64) -> String {
    let scale = scale(value);
    format!("{} {}", scaled(value, scale), scale.1)
}

/// [`bytes`] of a quantity that may be missing.
pub fn memory(value: Option<Bytes>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |Bytes(value)| bytes(value as f64))
}

/// A difference of bytes with its sign: `+9.10 MB`.
pub fn growth(value: Option<i64>) -> String {
    value.map_or_else(
        || MISSING.to_owned(),
        |value| format!("{}{}", if value < 0 { "" } else { "+" }, bytes(value as f64)),
    )
}

/// Bytes per second: `0.920 MB/s`.
pub fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| format!("{}/s", bytes(value)))
}

/// Bytes in and out per second in one unit: `71.0↓ 93.1↑ kB/s`.
pub fn two_rates(down: Option<f64>, up: Option<f64>) -> String {
    let scale = scale(down.unwrap_or(0.0).max(up.unwrap_or(0.0)));
    let one =
        |value: Option<f64>| value.map_or_else(|| MISSING.to_owned(), |value| scaled(value, scale));
    if down.or(up).is_none() {
        return MISSING.to_owned();
    }
    format!("{:>4}↓ {:>4}↑ {}/s", one(down), one(up), scale.1)
}

/// A time span: `38 s`, `3 m 05 s`, `1 h 12 m`.
pub fn span(seconds: f64) -> String {
    if !seconds.is_finite() {
        return MISSING.to_owned();
    }
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} m {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} m", count(whole / 3_600), whole / 60 % 60),
    }
}

/// A share as whole percent: `61 %`.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| MISSING.to_owned(), |share| format!("{:.0} %", share * 100.0))
}

/// `words` in lines of at most `width` columns, broken between words; a word that is wider has a line of its
/// own.
pub fn broken(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `text` cut to `width` columns, with `…` for what is missing.
pub fn fit(text: &str, width: usize) -> String {
    let columns = |text: &str| text.width();
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let mut kept: String = text
        .chars()
        .take_while(|symbol| {
            used += columns(symbol.encode_utf8(&mut [0; 4]));
            used <= width
        })
        .collect();
    if width > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_are_exact_and_separated() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (value, text) in cases {
            assert_eq!(count(value), text);
        }
    }

    #[test]
    fn three_figures() {
        let cases = [
            (0.0, "0"),
            (0.06, "0.060"),
            (0.9996, "1.00"),
            (2.1, "2.10"),
            (9.996, "10.0"),
            (31.04, "31.0"),
            (99.96, "100"),
            (412.4, "412"),
            (1_000.0, "1,000"),
            (15_211.0, "15,200"),
            (-7.25, "-7.25"),
            (f64::NAN, MISSING),
        ];
        for (value, text) in cases {
            assert_eq!(three(value), text, "{value}");
        }
    }

    #[test]
    fn what_was_not_measured_is_no_zero() {
        assert_eq!(optional(None), MISSING);
        assert_eq!(memory(None), MISSING);
        assert_eq!(rate(None), MISSING);
        assert_eq!(two_rates(None, None), MISSING);
        assert_eq!(growth(None), MISSING);
        assert_eq!(rate(Some(0.0)), "0 B/s");
        assert_eq!(two_rates(Some(71_000.0), None), "71.0↓    –↑ kB/s");
    }

    #[test]
    fn bytes_carry_their_unit() {
        assert_eq!(bytes(100.0), "100 B");
        assert_eq!(bytes(999.9), "1.00 kB");
        assert_eq!(bytes(412e6), "412 MB");
        assert_eq!(growth(Some(9_100_000)), "+9.10 MB");
        assert_eq!(growth(Some(-2_000)), "-2.00 kB");
        assert_eq!(two_rates(Some(71_000.0), Some(93_100.0)), "71.0↓ 93.1↑ kB/s");
    }

    #[test]
    fn spans() {
        let cases = [(38.4, "38 s"), (185.0, "3 m 05 s"), (4_320.0, "1 h 12 m"), (-3.0, "0 s")];
        for (seconds, text) in cases {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_text_that_is_too_long_shows_that_it_is_cut() {
        assert_eq!(fit("zookeeper", 9), "zookeeper");
        assert_eq!(fit("zookeeper", 5), "zook…");
        assert_eq!(fit("zookeeper", 1), "…");
        assert_eq!(fit("zookeeper", 0), "");
    }

    proptest! {
        #[test]
        fn a_measured_number_is_never_wider_than_its_column(value in 0.0..99_999.0_f64) {
            prop_assert!(three(value).len() <= 7, "{}", three(value));
        }

        #[test]
        fn three_figures_are_right_within_half_a_percent(value in 1.0..1e12_f64) {
            let read: f64 = three(value).replace(',', "").parse().unwrap();
            prop_assert!((read - value).abs() <= value * 0.0051, "{value} became {read}");
        }
    }
}
