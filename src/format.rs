//! Formatting of numbers for display: three significant figures, grouped thousands, always a unit.
//!
//! A value that was not measured is [`MISSING`], never 0.

use std::{borrow::Cow, fmt::Write};

use unicode_width::UnicodeWidthStr;

use crate::units::Bytes;

/// Formats a count exactly: `15,211`.
pub use crate::units::group_thousands as count;

/// Text for a value that was not measured.
pub const MISSING: &str = "–";

/// Returns `noun` in the number that goes with `number`: `user`, `users`, `searches`, `tries`.
///
/// Only the first word of `noun` changes: `points of a plan`.
pub fn plural(number: u64, noun: &str) -> String {
    let (first, rest) = noun.split_at(noun.find(' ').unwrap_or(noun.len()));
    let stem = first.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (number, stem) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies{rest}"),
        (_, None) if first.ends_with("ch") => format!("{first}es{rest}"),
        (_, None) => format!("{first}s{rest}"),
    }
}

/// Formats a count with its noun: `1 repetition`, `2,000 repetitions`.
pub fn count_noun(number: u64, noun: &str) -> String {
    format!("{} {}", count(number), plural(number, noun))
}

/// Returns `was` for one, and `were` for any other number.
pub const fn was_were(number: u64) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

/// Returns `core` for exactly one, and `cores` for any other number, not necessarily whole.
pub const fn core_noun(number: f64) -> &'static str {
    if number.to_bits() == 1.0_f64.to_bits() { "core" } else { "cores" }
}

/// Formats a measured value with three significant figures and at most three decimals: `0.060`,
/// `2.10`, `31.0`, `412`, `15,200`.
pub fn three_significant(value: f64) -> String {
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

/// [`three_significant`], or [`MISSING`].
pub fn optional_number(value: Option<f64>) -> String {
    value.map_or_else(|| MISSING.to_owned(), three_significant)
}

/// Unit of a latency on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum LatencyUnit {
    /// Microseconds.
    #[default]
    Micros,
    /// Milliseconds.
    Millis,
}

impl LatencyUnit {
    /// Symbol of the unit.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Micros => "µs",
            Self::Millis => "ms",
        }
    }

    /// Converts microseconds into this unit.
    pub const fn convert(self, micros: f64) -> f64 {
        match self {
            Self::Micros => micros,
            Self::Millis => micros / 1_000.0,
        }
    }

    /// Formats microseconds as a number in this unit.
    pub fn format(self, micros: Option<f64>) -> String {
        optional_number(micros.map(|micros| self.convert(micros)))
    }
}

/// Returns divisor and symbol of the unit of bytes that fits the `largest` value.
fn scale(largest: f64) -> (f64, &'static str) {
    const SCALES: [(f64, &str); 4] = [(1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB")];
    let fits = |divisor: f64| largest.abs() >= divisor * 0.9995;
    SCALES.iter().rev().find(|(divisor, _)| fits(*divisor)).copied().unwrap_or((1.0, "B"))
}

fn scaled(value: f64, (divisor, _): (f64, &str)) -> String {
    if divisor > 1.0 { three_significant(value / divisor) } else { format!("{value:.0}") }
}

/// Formats bytes, a difference of bytes, or bytes per second without `/s`: `412 MB`.
pub fn bytes(value: f64) -> String {
    let scale = scale(value);
    format!("{} {}", scaled(value, scale), scale.1)
}

/// Formats bytes with [`bytes()`], or [`MISSING`].
pub fn optional_bytes(value: Option<Bytes>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |Bytes(value)| bytes(value as f64))
}

/// Formats a difference of bytes with its sign: `+9.10 MB`.
pub fn growth(value: Option<i64>) -> String {
    value.map_or_else(
        || MISSING.to_owned(),
        |value| format!("{}{}", if value < 0 { "" } else { "+" }, bytes(value as f64)),
    )
}

/// Formats bytes per second: `0.920 MB/s`.
pub fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| format!("{}/s", bytes(value)))
}

/// Formats bytes in and out per second in one unit: `71.0↓ 93.1↑ kB/s`.
pub fn two_rates(down: Option<f64>, up: Option<f64>) -> String {
    let scale = scale(down.unwrap_or(0.0).max(up.unwrap_or(0.0)));
    let one =
        |value: Option<f64>| value.map_or_else(|| MISSING.to_owned(), |value| scaled(value, scale));
    if down.or(up).is_none() {
        return MISSING.to_owned();
    }
    format!("{:>4}↓ {:>4}↑ {}/s", one(down), one(up), scale.1)
}

/// Formats a time span: `38 s`, `3 m 05 s`, `1 h 12 m`.
pub fn time_span(seconds: f64) -> String {
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

/// Formats a share as whole percent: `61 %`.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| MISSING.to_owned(), |share| format!("{:.0} %", share * 100.0))
}

/// Formats a p-value; a small one becomes `< 0.001`, never 0.
pub fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// Wraps `words` between words into lines of at most `width` columns; a wider word has a separate line.
pub fn wrap(words: &str, width: usize) -> Vec<String> {
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

/// Truncates `text` to `width` columns, with `…` in place of the rest.
pub fn truncate(text: &str, width: usize) -> String {
    let columns = |text: &str| text.width();
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let mut shown: String = text
        .chars()
        .take_while(|symbol| {
            used += columns(symbol.encode_utf8(&mut [0; 4]));
            used <= width
        })
        .collect();
    if width > 0 {
        shown.push('…');
    }
    shown
}

/// Replaces what would command a terminal, or change the order of what it shows, by its code, as JSON
/// writes it (`\u001b`): text from a record, a server or a file is shown, never obeyed.
///
/// Line breaks and tabs remain. Valid JSON keeps its meaning.
pub fn visible(text: &str) -> Cow<'_, str> {
    let is_harmful = |symbol: char| {
        (symbol.is_control() && !matches!(symbol, '\n' | '\t'))
            // Marks that change the direction of writing (Unicode Bidirectional Algorithm, 3.3).
            || matches!(symbol, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for symbol in text.chars() {
        if is_harmful(symbol) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(symbol));
        } else {
            shown.push(symbol);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_from_outside_cannot_command_the_terminal() {
        let hostile = "a\u{1b}]0;title\u{7}\u{9b}2J\u{202e}b\r\n\tc";
        assert_eq!(visible(hostile), "a\\u001b]0;title\\u0007\\u009b2J\\u202eb\\u000d\n\tc");
        assert_eq!(visible("p99 8.4 ms – µ\n"), "p99 8.4 ms – µ\n");
        let json = format!("{{\"name\":\"{}\"}}", '\u{9b}');
        let read: serde_json::Value = serde_json::from_str(&visible(&json)).unwrap();
        assert_eq!(read["name"], "\u{9b}", "JSON keeps its meaning");
    }

    #[test]
    fn counts_are_exact_and_separated() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (value, text) in cases {
            assert_eq!(count(value), text);
        }
    }

    #[test]
    fn nouns_follow_their_count() {
        assert_eq!(count_noun(1, "repetition"), "1 repetition");
        assert_eq!(count_noun(1_200, "repetition"), "1,200 repetitions");
        assert_eq!(count_noun(2, "search for a capacity"), "2 searches for a capacity");
        assert_eq!(count_noun(0, "user"), "0 users");
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
            assert_eq!(three_significant(value), text, "{value}");
        }
    }

    #[test]
    fn a_value_that_was_not_measured_is_not_zero() {
        assert_eq!(optional_number(None), MISSING);
        assert_eq!(optional_bytes(None), MISSING);
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
            assert_eq!(time_span(seconds), text);
        }
    }

    #[test]
    fn a_truncated_text_ends_with_an_ellipsis() {
        assert_eq!(truncate("zookeeper", 9), "zookeeper");
        assert_eq!(truncate("zookeeper", 5), "zook…");
        assert_eq!(truncate("zookeeper", 1), "…");
        assert_eq!(truncate("zookeeper", 0), "");
    }

    proptest! {
        #[test]
        fn a_measured_number_is_never_wider_than_its_column(value in 0.0..99_999.0_f64) {
            prop_assert!(three_significant(value).len() <= 7, "{}", three_significant(value));
        }

        #[test]
        fn three_figures_are_right_within_half_a_percent(value in 1.0..1e12_f64) {
            let read: f64 = three_significant(value).replace(',', "").parse().unwrap();
            prop_assert!((read - value).abs() <= value * 0.0051, "{value} became {read}");
        }
    }
}
