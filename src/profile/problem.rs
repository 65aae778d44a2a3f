//! Problems of a profile: all reported at once, each with its location.

use std::fmt;

use super::tree::ValueOrigin;

/// A problem of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileProblem {
    /// Location of the problem.
    pub location: ProblemLocation,
    /// Dotted key: `workload.users`; empty when the text is not TOML.
    pub key: String,
    /// Description of the problem.
    pub message: String,
    /// Allowed values, if the problem is one of values.
    pub allowed: Option<String>,
    /// Known name that is most similar to the one found.
    pub nearest: Option<String>,
}

/// Location of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemLocation {
    /// In the profile's text.
    Text {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// In this override, `KEY=VALUE`.
    Override(String),
}

/// All problems of a profile; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileProblems {
    /// File or name of the profile, for display.
    pub source: String,
    /// Problems in the order of the text, then those of overrides.
    pub list: Vec<ProfileProblem>,
}

impl ProfileProblems {
    /// Sets the displayed file or name of the profile.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }
}

impl std::error::Error for ProfileProblems {}

impl fmt::Display for ProfileProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match &problem.location {
                ProblemLocation::Text { line, column } => {
                    write!(f, "{}:{line}:{column}: {problem}", self.source)?;
                }
                ProblemLocation::Override(text) => write!(f, "--set {text}: {problem}")?,
            }
        }
        Ok(())
    }
}

impl ProfileProblem {
    /// Message without key and location: `0 is too small (allowed: …)`.
    pub fn text(&self) -> String {
        let mut text = self.message.clone() + &nearest_hint(self.nearest.as_deref());
        if let Some(allowed) = &self.allowed {
            text.extend([" (allowed: ", allowed, ")"]);
        }
        text
    }
}

/// Formats the message without its location: `workload.users: 0 is too small (allowed: …)`.
impl fmt::Display for ProfileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text())
    }
}

/// A problem of one value, found while parsing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ValueProblem {
    pub origin: ValueOrigin,
    pub message: String,
    pub nearest: Option<String>,
}

impl ValueProblem {
    pub fn new(origin: ValueOrigin, message: impl Into<String>) -> Self {
        Self { origin, message: message.into(), nearest: None }
    }

    /// Adds the known name that is most similar to `name`, if one is similar enough for a hint.
    pub fn with_nearest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        Self { nearest: nearest(name, known).map(str::to_owned), ..self }
    }
}

impl From<ValueProblem> for Vec<ValueProblem> {
    fn from(problem: ValueProblem) -> Self {
        vec![problem]
    }
}

/// Formats the most similar known name for a message: `, did you mean users?`; empty without one.
pub(super) fn nearest_hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

/// Name among `known` that is most similar to `name`, if it is similar enough for a hint.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Smallest Jaro-Winkler similarity (1 is equal) of a hint; a less similar one would confuse.
    const LIKELY: f64 = 0.8;
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
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
    fn lines_and_columns_count_from_one() {
        let text = "a = 1\nµé = 2\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find('=').unwrap()), (1, 3));
        assert_eq!(line_and_column(text, text.rfind('2').unwrap()), (2, 6));
        assert_eq!(line_and_column(text, 10_000), (3, 1));
    }

    #[test]
    fn the_nearest_name_is_similar() {
        let known = ["users", "payload", "messages"];
        assert_eq!(nearest("usres", known), Some("users"));
        assert_eq!(nearest("Users", known), Some("users"));
        assert_eq!(nearest("payloads", known), Some("payload"));
        assert_eq!(nearest("flux", known), None);
    }
}
