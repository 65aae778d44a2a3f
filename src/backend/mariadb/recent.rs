//! The rows read last, for the case that the server forgets them. Pure.
//!
//! A server shows a committed row a moment before its log is flushed. If it dies in that moment
//! the row is gone, though it was read, and the server hands its id to another row after it has
//! started again. Whoever then takes the id for seen loses the other row. So after every lost
//! connection the rows read last are compared with what the server holds.

use std::collections::{HashSet, VecDeque};

/// A row: its id and its stamp's number.
pub type Row = (u64, u64);

/// Rows remembered: far more than can be committed and not yet flushed.
const MOST: usize = 1 << 18;

/// The rows read last.
#[derive(Debug, Default)]
pub struct Recent {
    rows: VecDeque<Row>,
    /// Highest id that was forgotten for want of room.
    floor: u64,
}

impl Recent {
    /// A row was read for the first time.
    pub fn push(&mut self, row: Row) {
        if self.rows.len() == MOST {
            self.floor = self.floor.max(self.rows.pop_front().map_or(0, |(id, _)| id));
        }
        self.rows.push_back(row);
    }

    /// Every row read with a higher id is remembered.
    pub const fn floor(&self) -> u64 {
        self.floor
    }

    /// Forgets and returns the ids of rows above the floor that are not among those that the
    /// server `holds` there.
    pub fn lost(&mut self, holds: impl IntoIterator<Item = Row>) -> Vec<u64> {
        let holds: HashSet<Row> = holds.into_iter().collect();
        let floor = self.floor;
        let mut lost = Vec::new();
        self.rows.retain(|row| {
            let kept = row.0 <= floor || holds.contains(row);
            if !kept {
                lost.push(row.0);
            }
            kept
        });
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_gone_or_another_is_lost() {
        let mut recent = Recent::default();
        for row in [(1, 10), (3, 30), (2, 20), (4, 40)] {
            recent.push(row);
        }
        assert_eq!(recent.lost([(1, 10), (3, 33), (2, 20), (9, 90)]), [3, 4]);
        assert!(recent.lost([(1, 10), (2, 20)]).is_empty(), "it is told once");
    }

    #[test]
    fn rows_below_the_floor_are_not_judged() {
        let mut recent = Recent::default();
        recent.push((7, 1));
        (0..MOST as u64).for_each(|n| recent.push((n + 1, n)));
        assert_eq!(recent.floor(), 7);
        let lost = recent.lost([]);
        assert_eq!((lost.len(), lost[0]), (MOST - 7, 8));
    }
}
