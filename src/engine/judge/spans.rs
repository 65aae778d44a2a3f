//! Spans of seconds in which a limit was exceeded, collected second by second. Pure.

use crate::format::count_noun;

/// Longest distance between two readings of one span, in seconds.
const MAX_GAP_SECONDS: f64 = 2.5;
/// Most spans that are listed; further spans are counted.
const MAX_LISTED: usize = 4;

/// Seconds in ascending order, as spans. Its size does not grow with their number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spans {
    /// The first spans, each from its first to its last second.
    listed: Vec<(f64, f64)>,
    /// Number of spans beyond them.
    more: u64,
    /// The last second.
    last: Option<f64>,
    /// Number of seconds.
    seconds: u64,
}

impl Spans {
    /// Adds a second after all others.
    pub fn add(&mut self, second: f64) {
        let continues = self.last.is_some_and(|last| second - last <= MAX_GAP_SECONDS);
        if continues {
            if let Some((_, end)) = self.listed.last_mut().filter(|_| self.more == 0) {
                *end = second;
            }
        } else if self.listed.len() < MAX_LISTED {
            self.listed.push((second, second));
        } else {
            self.more += 1;
        }
        self.last = Some(second);
        self.seconds += 1;
    }

    /// Whether no second was added.
    pub const fn is_empty(&self) -> bool {
        self.seconds == 0
    }

    /// Describes the spans: `at second 3, 7–12, 20 (8 s in all)`.
    pub fn describe(&self) -> String {
        let span = |(start, end): &(f64, f64)| {
            if end > start { format!("{start:.0}–{end:.0}") } else { format!("{start:.0}") }
        };
        let listed: Vec<_> = self.listed.iter().map(span).collect();
        let more = match self.more {
            0 => String::new(),
            more => format!(" and {} more", count_noun(more, "time")),
        };
        format!("at second {}{more} ({} s in all)", listed.join(", "), self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(seconds: &[f64]) -> String {
        let mut spans = Spans::default();
        for second in seconds {
            spans.add(*second);
        }
        spans.describe()
    }

    #[test]
    fn neighbouring_seconds_are_one_span() {
        assert_eq!(described(&[3.0, 7.0, 8.0, 10.4, 20.0]), "at second 3, 7–10, 20 (5 s in all)");
    }

    #[test]
    fn spans_beyond_the_fourth_are_counted() {
        let many = [1.0, 11.0, 21.0, 31.0, 41.0, 42.0, 51.0];
        assert_eq!(described(&many), "at second 1, 11, 21, 31 and 2 times more (7 s in all)");
    }
}
