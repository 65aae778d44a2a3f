//! Wrapping of text at words, with its spaces kept: columns of a table, indented lines.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

/// Returns the parts of `text` that fill lines of `width` columns, as ranges of bytes. Lines end at words; a
/// word that is wider than a line is broken. Lines after the first have `indent` columns less.
pub fn line_ranges(text: &str, width: usize, indent: usize) -> Vec<Range<usize>> {
    let width = width.max(1);
    let mut ranges = Vec::new();
    let (mut from, mut room) = (0, width);
    loop {
        let rest = &text[from..];
        let end = from + fitting_bytes(rest, room);
        if end == text.len() {
            ranges.push(from..end);
            return ranges;
        }
        // A space at `end` ends the last word of the line; spaces before the first word are its indent.
        let first_word = from + (rest.len() - rest.trim_start_matches(' ').len());
        let at_end = text[end..].starts_with(' ').then_some(end);
        let space = at_end.or_else(|| text[..end].rfind(' ')).filter(|space| *space > first_word);
        let to = match space {
            Some(space) => space,
            None => end.max(from + rest.chars().next().map_or(1, char::len_utf8)),
        };
        ranges.push(from..to);
        let after = &text[to..];
        from = to + (after.len() - after.trim_start_matches(' ').len());
        if from == text.len() {
            return ranges;
        }
        room = width - used_indent(width, indent);
    }
}

/// Returns the indent of lines after the first: as wanted, but at most half of the width, and with room for a
/// wide symbol.
pub fn used_indent(width: usize, indent: usize) -> usize {
    indent.min(width / 2).min(width.saturating_sub(2))
}

/// Wraps `text` as [`line_ranges`]; lines after the first begin with the indent.
pub fn wrap_text(text: &str, width: usize, indent: usize) -> Vec<String> {
    let pad = " ".repeat(used_indent(width, indent));
    line_ranges(text, width, indent)
        .into_iter()
        .enumerate()
        .map(|(line, range)| {
            let part = text[range].trim_end();
            if line == 0 { part.to_owned() } else { format!("{pad}{part}") }
        })
        .collect()
}

/// Returns how many bytes at the start of `text` fit in `room` columns.
fn fitting_bytes(text: &str, room: usize) -> usize {
    let mut used = 0;
    let too_wide = |(_, symbol): &(usize, char)| {
        used += symbol.width().unwrap_or(0);
        used > room
    };
    text.char_indices().find(too_wide).map_or(text.len(), |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn lines_wrap_at_words_and_keep_their_columns() {
        assert_eq!(wrap_text("a first and bold", 11, 2), ["a first and", "  bold"]);
        assert_eq!(wrap_text("  100   3/3  carried", 14, 4), ["  100   3/3", "    carried"]);
        assert_eq!(
            wrap_text("  /a/path/without/spaces", 10, 0),
            ["  /a/path/", "without/sp", "aces"]
        );
        assert_eq!(wrap_text("", 10, 0), [""]);
    }

    proptest! {
        #[test]
        fn wrapping_loses_nothing_and_keeps_the_width(
            text in "[a-z字µ ]{0,60}",
            width in 2_usize..30,
            indent in 0_usize..6,
        ) {
            let lines = wrap_text(&text, width, indent);
            let kept = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(kept(&lines.concat()), kept(&text));
            prop_assert!(lines.iter().all(|line| line.width() <= width), "{:?}", lines);
        }
    }
}
