//! Lists that are longer than their area: the first visible item, the item at a screen position.

use ratatui::layout::{Position, Rect};

/// Returns the first visible item of a list of `rows` rows that is scrolled just far enough to show the
/// selected item.
pub const fn first_visible(selected: usize, rows: usize) -> usize {
    (selected + 1).saturating_sub(rows)
}

/// Returns the first of `rows` visible items among `count` with the item `wanted` in the middle, or nearer
/// to an end of the list, so that no row is left empty.
pub fn first_visible_centred(wanted: usize, rows: usize, count: usize) -> usize {
    wanted.saturating_sub(rows / 2).min(count.saturating_sub(rows))
}

/// Returns the item at a screen position in `rows`, which show the items from `first` on.
pub fn item_at(rows: Rect, at: Position, first: usize, count: usize) -> Option<usize> {
    let item = first + usize::from(at.y.checked_sub(rows.y)?);
    (rows.contains(at) && item < count).then_some(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_item_is_visible_and_no_row_is_left_empty() {
        assert_eq!(first_visible_centred(0, 10, 100), 0);
        assert_eq!(first_visible_centred(50, 10, 100), 45);
        assert_eq!(first_visible_centred(99, 10, 100), 90);
        assert_eq!(first_visible_centred(3, 10, 5), 0);
    }

    #[test]
    fn an_item_is_found_where_it_is_drawn() {
        let rows = Rect::new(2, 5, 10, 3);
        let item = |x, y| item_at(rows, Position::new(x, y), first_visible(4, 3), 4);
        assert_eq!(item(2, 5), Some(2));
        assert_eq!(item(2, 6), Some(3));
        assert_eq!(item(2, 7), None, "the list ends above");
        assert_eq!(item(1, 5), None);
        assert_eq!(item(2, 4), None);
    }
}
