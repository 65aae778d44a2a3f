//! The most recently read rows, to detect rows that the server lost; does no I/O.
//!
//! A server shows a committed row a moment before its log is flushed. If the server dies in that
//! moment, the row is lost although it was read, and the server assigns its id to another row after
//! a restart. A consumer that treats the id as read loses that other row. After every lost
//! connection the most recent rows are therefore compared with the server's.

use std::collections::{HashSet, VecDeque};

/// A row's id and its stamp's number.
pub type StampedRow = (u64, u64);

/// Number of rows remembered: far more than can be committed and not yet flushed.
const MAX_ROWS: usize = 1 << 18;

/// The most recently read rows.
#[derive(Debug, Default)]
pub struct RecentRows {
    rows: VecDeque<StampedRow>,
    /// Highest id dropped because the list was full.
    highest_forgotten: u64,
}

impl RecentRows {
    /// Remembers a row that was read for the first time.
    pub fn push(&mut self, row: StampedRow) {
        if self.rows.len() == MAX_ROWS {
            self.highest_forgotten =
                self.highest_forgotten.max(self.rows.pop_front().map_or(0, |(id, _)| id));
        }
        self.rows.push_back(row);
    }

    /// Returns the highest id dropped: every row read with a higher id is remembered.
    pub const fn highest_forgotten(&self) -> u64 {
        self.highest_forgotten
    }

    /// Removes the rows above [`Self::highest_forgotten`] that are not among the server's
    /// `stored` rows, and returns their ids.
    pub fn remove_lost(&mut self, stored: impl IntoIterator<Item = StampedRow>) -> Vec<u64> {
        let stored: HashSet<StampedRow> = stored.into_iter().collect();
        let highest_forgotten = self.highest_forgotten;
        let mut lost = Vec::new();
        self.rows.retain(|row| {
            let still_stored = row.0 <= highest_forgotten || stored.contains(row);
            if !still_stored {
                lost.push(row.0);
            }
            still_stored
        });
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_replaced_row_is_lost() {
        let mut recent = RecentRows::default();
        for row in [(1, 10), (3, 30), (2, 20), (4, 40)] {
            recent.push(row);
        }
        assert_eq!(recent.remove_lost([(1, 10), (3, 33), (2, 20), (9, 90)]), [3, 4]);
        assert!(recent.remove_lost([(1, 10), (2, 20)]).is_empty(), "it is reported once");
    }

    #[test]
    fn dropped_rows_are_not_compared() {
        let mut recent = RecentRows::default();
        recent.push((7, 1));
        (0..MAX_ROWS as u64).for_each(|n| recent.push((n + 1, n)));
        assert_eq!(recent.highest_forgotten(), 7);
        let lost = recent.remove_lost([]);
        assert_eq!((lost.len(), lost[0]), (MAX_ROWS - 7, 8));
    }
}
