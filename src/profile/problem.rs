//! What is wrong with a profile: all of it at once, each problem with its place.

use std::fmt;

use super::tree::Place;

/// One thing that is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub origin: Origin,
    /// The key, dotted from the top: `workload.users`. Empty when the text is not TOML.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What is allowed instead, where that is a matter of values.
    pub allowed: Option<String>,
    /// The known word that is most like the one found.
    pub nearest: Option<String>,
}

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the profile's text.
    Text {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// In an override, given here as `KEY=VALUE`.
    Set(String),
}

/// Everything that is wrong with a profile; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The profile's file or name, as it is to be shown.
    pub source: String,
    /// The problems, from the top of the text to its end, then those of overrides.
    pub list: Vec<Problem>,
}

impl Problems {
    /// The same problems under the name of the profile's file.
    #[must_use]
    pub fn of(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match &problem.origin {
                Origin::Text { line, column } => {
                    write!(f, "{}:{line}:{column}: {problem}", self.source)?;
                }
                Origin::Set(text) => write!(f, "--set {text}: {problem}")?,
            }
        }
        Ok(())
    }
}

impl Problem {
    /// The message without key and place: `0 is too small (allowed: …)`.
    pub fn words(&self) -> String {
        let mut words = self.message.clone();
        if let Some(nearest) = &self.nearest {
            words.extend([", did you mean ", nearest, "?"]);
        }
        if let Some(allowed) = &self.allowed {
            words.extend([" (allowed: ", allowed, ")"]);
        }
        words
    }
}

/// The message without its place: `workload.users: 0 is too small (allowed: …)`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.words())
    }
}

/// Something wrong with one value, found while it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub place: Place,
    pub message: String,
    pub nearest: Option<String>,
}

impl Fault {
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), nearest: None }
    }
}

impl From<Fault> for Vec<Fault> {
    fn from(fault: Fault) -> Self {
        vec![fault]
    }
}

/// The one of `known` that a person who wrote `word` most likely meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this likeness (1 is equal) a hint would confuse.
    const LIKELY: f64 = 0.8;
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= LIKELY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Line and column, both from 1, of a byte of `text`.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset.min(text.len()))];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a = 1\nµé = 2\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find('=').unwrap()), (1, 3));
        assert_eq!(line_and_column(text, text.rfind('2').unwrap()), (2, 6));
        assert_eq!(line_and_column(text, 10_000), (3, 1));
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["users", "payload", "messages"];
        assert_eq!(nearest("usres", known), Some("users"));
        assert_eq!(nearest("Users", known), Some("users"));
        assert_eq!(nearest("payloads", known), Some("payload"));
        assert_eq!(nearest("flux", known), None);
    }
}
