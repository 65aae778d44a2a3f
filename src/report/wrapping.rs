//! Lines of text reports: wrapped between words at a common width.

use std::fmt::Write;

use crate::format::wrap;

/// Width of the widest line, in columns.
pub const MAX_WIDTH: usize = 100;

/// Writes `words` wrapped at [`MAX_WIDTH`] columns, with `mark` before the first line and the same indent
/// before further lines.
pub fn write_wrapped(text: &mut String, mark: &str, words: &str) {
    let room = MAX_WIDTH.saturating_sub(mark.chars().count());
    let indent = " ".repeat(mark.chars().count());
    for (place, line) in wrap(words, room).iter().enumerate() {
        let _ = writeln!(text, "{}{line}", if place == 0 { mark } else { &indent });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_stay_within_the_width() {
        let mut text = String::new();
        write_wrapped(&mut text, "! ", &"word ".repeat(60));
        assert!(text.lines().all(|line| line.chars().count() <= MAX_WIDTH), "{text}");
        assert_eq!(text.split_whitespace().filter(|word| *word == "word").count(), 60);
    }
}
