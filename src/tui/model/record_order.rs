//! Orders of the list of records.

use crate::record::{RecordStatus, index::IndexEntry, overview::RecordOverview};

/// Sort order of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecordOrder {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
    /// By profile name.
    Profile,
    /// By backends.
    Backend,
    /// Most users first.
    Users,
    /// Largest payload first.
    Payload,
    /// Slowest median first.
    P50,
    /// Slowest 99th percentile first.
    P99,
    /// By hub.
    Hub,
    /// Longest run first.
    Took,
    /// Most doubtful first: by undelivered messages, failed and suspect repetitions, partial status.
    Doubt,
    /// By tags; records without one last.
    Tags,
}

/// All orders, in the sequence of the key.
const ORDERS: [RecordOrder; 12] = [
    RecordOrder::Newest,
    RecordOrder::Oldest,
    RecordOrder::Profile,
    RecordOrder::Backend,
    RecordOrder::Users,
    RecordOrder::Payload,
    RecordOrder::P50,
    RecordOrder::P99,
    RecordOrder::Hub,
    RecordOrder::Took,
    RecordOrder::Doubt,
    RecordOrder::Tags,
];

impl RecordOrder {
    /// Name on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest first",
            Self::Oldest => "oldest first",
            Self::Profile => "by profile",
            Self::Backend => "by backend",
            Self::Users => "most users first",
            Self::Payload => "largest payload first",
            Self::P50 => "slowest p50 first",
            Self::P99 => "slowest p99 first",
            Self::Hub => "by hub",
            Self::Took => "longest first",
            Self::Doubt => "doubtful first",
            Self::Tags => "by tags",
        }
    }

    /// The order `by` positions further.
    #[must_use]
    pub fn step(self, by: isize) -> Self {
        let here = ORDERS.iter().position(|order| *order == self).unwrap_or(0);
        let count = ORDERS.len().cast_signed();
        ORDERS[(here.cast_signed() + by).rem_euclid(count).cast_unsigned()]
    }

    /// Sorts the indices of records by this order, the newest first among equal ones.
    pub fn sort(self, entries: &[IndexEntry], indices: &mut [usize]) {
        let content = |index: usize| entries[index].content.as_ref().ok();
        // Sort by start time rather than by file name, which is arbitrary; an unreadable record has its
        // modification time. Further sorts are stable.
        indices.sort_by_key(|index| {
            let entry = &entries[*index];
            content(*index).map_or(i128::from(entry.modified), |it| it.started.as_nanosecond())
        });
        indices.reverse();
        if self == Self::Oldest {
            return indices.reverse();
        }
        if self == Self::Doubt {
            return indices
                .sort_by_key(|index| std::cmp::Reverse(doubt_rank(&entries[*index].content)));
        }
        let text = |index: usize| match (self, content(index)) {
            (Self::Tags, _) => entries[index].tags(),
            (Self::Profile, Some(content)) => content.profile.clone(),
            (Self::Backend, Some(content)) => content.backends.join(" "),
            (Self::Hub, Some(content)) => content.hub.clone().unwrap_or_default(),
            _ => String::new(),
        };
        let figure = |index: usize| {
            let content = content(index)?;
            match self {
                Self::Users => content.users.map(|users| f64::from(users.1)),
                Self::Payload => content.payload.map(|payload| payload.1 as f64),
                Self::P50 => content.figures.p50.map(|p50| p50.1),
                Self::P99 => content.figures.p99.map(|p99| p99.1),
                Self::Took => content.seconds,
                _ => None,
            }
        };
        indices.sort_by(|a, b| {
            let value = |index: &usize| figure(*index).unwrap_or(f64::NEG_INFINITY);
            value(b).total_cmp(&value(a))
        });
        // Records without a text are last.
        indices.sort_by_cached_key(|index| {
            let text = text(*index).to_lowercase();
            (text.is_empty(), text)
        });
    }
}

/// Sort key of a record's doubtfulness: undelivered, failed, suspect, partial.
fn doubt_rank(content: &Result<RecordOverview, String>) -> (u64, usize, usize, bool) {
    content.as_ref().map_or((0, 0, 0, false), |content| {
        let partial = content.status == RecordStatus::Partial;
        (content.undelivered, content.failed, content.suspect, partial)
    })
}
