//! Filter of the list of records: words that a record contains, and conditions on its figures.

use crate::{
    record::{RecordStatus, index::IndexEntry, overview::RecordOverview},
    units::{Bytes, parse_duration, parse_number},
};

/// What the operator typed, as conditions that all must hold.
#[derive(Debug, Default)]
pub struct RecordFilter {
    conditions: Vec<Condition>,
}

#[derive(Debug)]
enum Condition {
    /// The record's texts contain this one.
    Contains(String),
    /// One text of the record contains this one: `hub:pi`.
    Text(TextField, String),
    /// A figure of a point lies on this side of a value: `users>100`.
    Figure(FigureField, Comparison, f64),
}

/// A text of a record that a condition names.
#[derive(Debug, Clone, Copy)]
enum TextField {
    Profile,
    Backend,
    Hub,
    Tag,
    Note,
    Verdict,
}

const TEXT_FIELDS: [(&str, TextField); 6] = [
    ("profile", TextField::Profile),
    ("backend", TextField::Backend),
    ("hub", TextField::Hub),
    ("tag", TextField::Tag),
    ("note", TextField::Note),
    ("verdict", TextField::Verdict),
];

/// A figure of a record that a condition names.
#[derive(Debug, Clone, Copy)]
enum FigureField {
    Users,
    Payload,
    P50,
    P99,
    Took,
}

const FIGURE_FIELDS: [(&str, FigureField); 5] = [
    ("users", FigureField::Users),
    ("payload", FigureField::Payload),
    ("p50", FigureField::P50),
    ("p99", FigureField::P99),
    ("took", FigureField::Took),
];

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Below,
    Equal,
    Above,
}

impl RecordFilter {
    /// Parses the operator's text. A word that is no condition is a text that the record must contain.
    pub fn parse(text: &str) -> Self {
        Self { conditions: text.split_whitespace().map(parse_condition).collect() }
    }

    /// Whether a record, with all its texts in lower case in `search_text`, meets every condition.
    pub fn matches(&self, entry: &IndexEntry, search_text: &str) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::Contains(text) => search_text.contains(text),
            Condition::Text(field, text) => field.text(entry).to_lowercase().contains(text),
            Condition::Figure(field, comparison, value) => {
                let ends = entry.content.as_ref().ok().and_then(|it| field.ends(it));
                ends.is_some_and(|(least, greatest)| match comparison {
                    Comparison::Below => least < *value,
                    Comparison::Equal => (least..=greatest).contains(value),
                    Comparison::Above => greatest > *value,
                })
            }
        })
    }
}

fn parse_condition(word: &str) -> Condition {
    let word = word.to_lowercase();
    let parsed = word.find([':', '<', '=', '>']).and_then(|at| {
        let (name, rest) = word.split_at(at);
        let mut symbols = rest.chars();
        let comparison = match symbols.next()? {
            '<' => Comparison::Below,
            '>' => Comparison::Above,
            _ => Comparison::Equal,
        };
        let value = symbols.as_str();
        if let Some((_, field)) = FIGURE_FIELDS.iter().find(|(known, _)| *known == name) {
            return Some(Condition::Figure(*field, comparison, field.parse(value)?));
        }
        let (_, field) = TEXT_FIELDS.iter().find(|(known, _)| *known == name)?;
        let is_text = matches!(comparison, Comparison::Equal) && !value.is_empty();
        is_text.then(|| Condition::Text(*field, value.to_owned()))
    });
    parsed.unwrap_or(Condition::Contains(word))
}

/// Returns the verdict on a record as a whole, in a word.
pub fn verdict(overview: &RecordOverview) -> &'static str {
    if overview.undelivered > 0 || overview.failed > 0 {
        "failed"
    } else if overview.steered > 0 {
        "steered"
    } else if overview.suspect > 0 {
        "suspect"
    } else if overview.status == RecordStatus::Partial {
        "partial"
    } else {
        "valid"
    }
}

impl TextField {
    fn text(self, entry: &IndexEntry) -> String {
        match (self, &entry.content) {
            (Self::Tag, _) => entry.tags(),
            (Self::Note, _) => entry.note().to_owned(),
            (Self::Profile, Ok(overview)) => overview.profile.clone(),
            (Self::Backend, Ok(overview)) => overview.backends.join(" "),
            (Self::Hub, Ok(overview)) => overview.hub.clone().unwrap_or_default(),
            (Self::Verdict, Ok(overview)) => {
                format!("{} {}", verdict(overview), overview.status.name())
            }
            (_, Err(_)) => String::new(),
        }
    }
}

impl FigureField {
    /// Parses a value: milliseconds of a latency, bytes of a payload, seconds of a duration, each also with
    /// its unit.
    fn parse(self, text: &str) -> Option<f64> {
        let number = parse_number(text).ok();
        let seconds = || parse_duration(text).ok().map(|duration| duration.as_secs_f64());
        match self {
            Self::Users => number,
            Self::Payload => number.or_else(|| {
                // Units of bytes are distinguished by their case, and the text is in lower case.
                let unit = text.trim_start_matches(|it: char| it.is_ascii_digit() || it == '.');
                let named = ["B", "kB", "MB", "GB", "KiB", "MiB", "GiB"];
                let unit_name = named.iter().find(|known| known.to_lowercase() == unit)?;
                let number = text.strip_suffix(unit)?;
                let bytes: Bytes = format!("{number} {unit_name}").parse().ok()?;
                Some(bytes.0 as f64)
            }),
            Self::P50 | Self::P99 => {
                number.map(|millis| millis * 1e3).or_else(|| seconds().map(|it| it * 1e6))
            }
            Self::Took => number.or_else(seconds),
        }
    }

    /// Returns the smallest and the largest value of a record.
    fn ends(self, overview: &RecordOverview) -> Option<(f64, f64)> {
        match self {
            Self::Users => overview.users.map(|(a, b)| (f64::from(a), f64::from(b))),
            Self::Payload => overview.payload.map(|(a, b)| (a as f64, b as f64)),
            Self::P50 => overview.figures.p50,
            Self::P99 => overview.figures.p99,
            Self::Took => overview.seconds.map(|seconds| (seconds, seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    /// Returns the days of the fixture's records that meet a filter.
    fn days(filter: &str) -> Vec<i8> {
        let filter = RecordFilter::parse(filter);
        let entries = fixture::records::entries();
        let matching = entries
            .iter()
            .zip(18..)
            .filter(|(entry, _)| filter.matches(entry, &entry.name().to_lowercase()));
        matching.map(|(_, day)| day).collect()
    }

    #[test]
    fn conditions_on_texts_and_figures_select_records() {
        assert_eq!(days(""), [18, 19, 20, 21, 22]);
        assert_eq!(days("backend:mariadb"), [19, 20]);
        assert_eq!(days("tag:SD-card"), [19]);
        assert_eq!(days("users>100"), [19, 20]);
        assert_eq!(days("users=400 verdict:failed"), [20]);
        assert_eq!(days("users<50"), [21]);
        assert_eq!(days("p99>6 backend:kafka"), [19, 20, 21]);
        assert_eq!(days("p99<1ms"), [18]);
        assert_eq!(days("payload=1kB"), [21]);
        assert_eq!(days("took>1h"), [0_i8; 0]);
        assert_eq!(days("took>10min"), [19, 20, 21]);
        assert_eq!(days("verdict:partial"), [21]);
    }

    #[test]
    fn a_word_that_is_no_condition_is_a_text() {
        assert_eq!(days("users>many"), [0_i8; 0]);
        assert_eq!(days("2026-11-2"), [20, 21, 22]);
        assert_eq!(days("t14-02"), [18, 19, 20, 21, 22]);
    }
}
