//! Limits notes: a thousand users that lose the same broker cause one.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Interval in which notes of one kind are admitted once.
const REPEAT_INTERVAL: Duration = Duration::from_secs(5);

/// Admits each kind of note at most once per [`REPEAT_INTERVAL`], with the number of those suppressed.
#[derive(Debug, Default)]
pub(super) struct NoteLimiter(Mutex<HashMap<String, LastNote>>);

#[derive(Debug)]
struct LastNote {
    at: Instant,
    suppressed: u64,
}

impl NoteLimiter {
    /// Returns the note to show, if any; notes that differ in numbers alone are of one kind.
    pub(super) fn admit(&self, text: String) -> Option<String> {
        let kind = text.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        self.admit_kind(kind, text)
    }

    /// Returns the note of that kind to show, if any.
    pub(super) fn admit_kind(&self, kind: String, text: String) -> Option<String> {
        Some(match self.suppressed(kind, Instant::now())? {
            0 => text,
            n => format!("{text} (and {n} more like it)"),
        })
    }

    /// Returns the number of notes of `kind` that were suppressed before, or `None` to suppress this one.
    fn suppressed(&self, kind: String, now: Instant) -> Option<u64> {
        let mut last_notes = self.0.lock();
        let Some(before) = last_notes.get_mut(&kind) else {
            last_notes.insert(kind, LastNote { at: now, suppressed: 0 });
            return Some(0);
        };
        if now.duration_since(before.at) < REPEAT_INTERVAL {
            before.suppressed += 1;
            return None;
        }
        before.at = now;
        Some(std::mem::take(&mut before.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_note_is_admitted_once_per_interval_with_the_suppressed_count() {
        let limiter = NoteLimiter::default();
        let start = Instant::now();
        let lost = || "connection lost".to_owned();
        assert_eq!(limiter.suppressed(lost(), start), Some(0));
        assert_eq!(limiter.suppressed(lost(), start), None);
        assert_eq!(limiter.suppressed(lost(), start + Duration::from_secs(1)), None);
        assert_eq!(limiter.suppressed("refused".to_owned(), start), Some(0));
        assert_eq!(limiter.suppressed(lost(), start + REPEAT_INTERVAL), Some(2));
        assert_eq!(limiter.suppressed(lost(), start + REPEAT_INTERVAL * 2), Some(0));
    }

    #[test]
    fn notes_that_differ_in_numbers_are_of_one_kind() {
        let limiter = NoteLimiter::default();
        assert!(limiter.admit("a pause of 20 ms".into()).is_some());
        assert_eq!(limiter.admit("a pause of 31 ms".into()), None);
    }
}
