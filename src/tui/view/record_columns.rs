//! Columns of the list of records, chosen by the width of the terminal.

use crate::{
    format::{self, MISSING},
    record::{index::IndexEntry, overview::RecordOverview},
    units::Bytes,
};

/// Column of the list of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Profile,
    Backends,
    Users,
    Payload,
    P50,
    P99,
    DataRate,
    Repetitions,
    Took,
    Hub,
    Tags,
}

/// Columns in the order of their importance: as many as there is room for are shown, in the order of
/// their declaration.
const BY_IMPORTANCE: [Column; 11] = [
    Column::Profile,
    Column::Backends,
    Column::P99,
    Column::Users,
    Column::P50,
    Column::Tags,
    Column::Hub,
    Column::Repetitions,
    Column::Took,
    Column::Payload,
    Column::DataRate,
];

impl Column {
    const fn head(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Backends => "backends",
            Self::Users => "users",
            Self::Payload => "payload",
            Self::P50 => "p50 ms",
            Self::P99 => "p99 ms",
            Self::DataRate => "MB/s",
            Self::Repetitions => "reps",
            Self::Took => "took",
            Self::Hub => "hub",
            Self::Tags => "tags",
        }
    }

    /// Returns the smallest and the largest useful width.
    const fn widths(self) -> (usize, usize) {
        match self {
            Self::Profile => (15, 32),
            Self::Backends => (11, 40),
            Self::Users | Self::Payload | Self::P50 | Self::P99 | Self::DataRate => (11, 11),
            Self::Repetitions | Self::Took => (9, 9),
            Self::Hub => (10, 26),
            Self::Tags => (8, 40),
        }
    }

    /// Whether the column has numbers, which are aligned at the right.
    const fn is_number(self) -> bool {
        !matches!(self, Self::Profile | Self::Backends | Self::Hub | Self::Tags)
    }

    fn text(self, entry: &IndexEntry, overview: &RecordOverview) -> String {
        let range = |ends: Option<(f64, f64)>, divisor: f64| {
            joined(ends.map(|(least, greatest)| {
                [least, greatest].map(|value| format::three_significant(value / divisor))
            }))
        };
        match self {
            Self::Profile => overview.profile.clone(),
            Self::Backends => overview.backends.join(", "),
            Self::Users => joined(overview.users.map(|(least, greatest)| {
                [least, greatest].map(|users| format::count(users.into()))
            })),
            Self::Payload => joined(
                overview
                    .payload
                    .map(|(least, greatest)| [least, greatest].map(|bytes| Bytes(bytes).exact())),
            ),
            Self::P50 => range(overview.figures.p50, 1e3),
            Self::P99 => range(overview.figures.p99, 1e3),
            Self::DataRate => range(overview.figures.data_rate, 1e6),
            Self::Repetitions => {
                let planned =
                    overview.planned.map_or_else(|| "search".to_owned(), |all| all.to_string());
                format!("{}/{planned}", overview.done)
            }
            Self::Took => overview.seconds.map_or_else(|| MISSING.to_owned(), format::time_span),
            Self::Hub => overview.hub.clone().unwrap_or_else(|| MISSING.to_owned()),
            Self::Tags => entry.tags(),
        }
    }
}

/// Joins the two ends of a range, which are often equal.
fn joined(ends: Option<[String; 2]>) -> String {
    match ends {
        None => MISSING.to_owned(),
        Some([least, greatest]) if least == greatest => least,
        Some([least, greatest]) => format!("{least}–{greatest}"),
    }
}

/// The shown columns with their widths.
pub struct RecordColumns(Vec<(Column, usize)>);

impl RecordColumns {
    /// Chooses the columns for `width` columns of the terminal.
    pub fn for_width(width: usize) -> Self {
        let mut chosen: Vec<(Column, usize)> = Vec::new();
        let mut used = 0;
        for column in BY_IMPORTANCE {
            let (least, _) = column.widths();
            if used + least <= width {
                used += least + 1;
                chosen.push((column, least));
            }
        }
        // The rest goes to the texts, one after the other in the order of importance.
        let mut free = (width + 1).saturating_sub(used);
        while free > 0 {
            let growing = chosen.iter_mut().filter(|(column, width)| *width < column.widths().1);
            let Some((_, width)) = growing.min_by_key(|(_, width)| *width) else { break };
            *width += 1;
            free -= 1;
        }
        chosen.sort_by_key(|(column, _)| *column);
        Self(chosen)
    }

    /// Returns the names of the columns as one line.
    pub fn head(&self) -> String {
        self.line(|column| column.head().to_owned())
    }

    /// Returns the row of a record.
    pub fn row(&self, entry: &IndexEntry, overview: &RecordOverview) -> String {
        self.line(|column| column.text(entry, overview))
    }

    fn line(&self, text: impl Fn(Column) -> String) -> String {
        let cell = |(column, width): &(Column, usize)| {
            let text = format::truncate(&text(*column), *width);
            if column.is_number() { format!("{text:>width$}") } else { format!("{text:<width$}") }
        };
        self.0.iter().map(cell).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_terminals_show_more_columns_and_none_is_wider_than_its_room() {
        let mut shown = 0;
        for width in 39..=200 {
            let columns = RecordColumns::for_width(width);
            assert!(columns.0.len() >= shown, "{width}: {}", columns.head());
            shown = columns.0.len();
            assert!(columns.head().chars().count() <= width, "{width}: {:?}", columns.head());
        }
        assert_eq!(shown, BY_IMPORTANCE.len());
        let narrow = RecordColumns::for_width(39).head();
        assert!(
            ["profile", "backends", "p99 ms"].iter().all(|head| narrow.contains(head)),
            "{narrow}"
        );
    }
}
