//! A heat map: latency over time, the darker the more messages.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};

use super::{histogram::Extent, lines::SCALE};
use crate::{
    event::{BARS_PER_DECADE, FIRST_BAR},
    format::{self, Unit},
};

/// From few to many.
const SHADES: [&str; 4] = ["░", "▒", "▓", "█"];

/// Counts over time and over logarithmic bars as in [`crate::event::Snapshot::bars`].
pub struct Heat<'a> {
    /// What each moment added: its time and counts.
    pub moments: &'a [(f64, Vec<u64>)],
    /// The time at the right edge; the left one is 0.
    pub until: f64,
    /// The bars that the axis spans.
    pub extent: Extent,
    /// Unit of the axis.
    pub unit: Unit,
    /// Styles from few to many.
    pub shades: [Style; 4],
    /// Style of the axis.
    pub axis: Style,
    /// A moment to be seen as a vertical line.
    pub cursor: Option<(f64, Style)>,
}

/// The shade of `count` where `most` is the largest: four steps of equal ratio, because a tail of
/// single messages has to be seen beside thousands.
fn shade(count: u64, most: u64) -> Option<usize> {
    if count == 0 {
        return None;
    }
    let share = (count as f64).ln_1p() / (most.max(1) as f64).ln_1p();
    Some(((share * 4.0).ceil() as usize).clamp(1, 4) - 1)
}

/// The row, from the top, of a bar.
fn row(bar: usize, (start, end): Extent, height: u16) -> Option<u16> {
    let share = (bar.checked_sub(start)? as f64 + 0.5) / (end.checked_sub(start)? as f64);
    let from_below = (share * f64::from(height)) as u16;
    height.checked_sub(1)?.checked_sub(from_below)
}

impl Heat<'_> {
    /// Counts by column and row: the mean of the moments that fall into a column; a column between
    /// two moments belongs to the one before, so that a wide map has no gaps.
    fn cells(&self, width: u16, height: u16) -> Vec<u64> {
        let (columns, rows) = (usize::from(width), usize::from(height));
        let mut cells = vec![0; columns * rows];
        let place = |time: f64| {
            let share = (time / self.until.max(1.0)).clamp(0.0, 1.0);
            ((share * f64::from(width)) as usize).min(columns - 1)
        };
        let mut held = vec![0_u64; columns];
        for (number, (time, bars)) in self.moments.iter().enumerate() {
            let from = place(*time);
            let next = self.moments.get(number + 1).map_or(from + 1, |(time, _)| place(*time));
            let nearest = next.min(from + 1 + columns / self.moments.len().max(1));
            for x in from..nearest.max(from + 1) {
                held[x] += 1;
                for (bar, count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
                    if let Some(y) = row(bar, self.extent, height) {
                        cells[usize::from(y) * columns + x] += count;
                    }
                }
            }
        }
        for (place, cell) in cells.iter_mut().enumerate() {
            // What is there at all stays visible.
            *cell = cell.div_ceil(held[place % columns].max(1));
        }
        cells
    }

    /// The decades of the axis at their rows.
    fn labels(&self, plot: Rect, buffer: &mut Buffer) {
        let mut free = u16::MAX;
        for exponent in 0..10 {
            let micros = FIRST_BAR * 10_f64.powi(exponent);
            let bar = exponent.unsigned_abs() as usize * BARS_PER_DECADE;
            let Some(y) = row(bar, self.extent, plot.height) else { continue };
            if bar >= self.extent.1 || y == free {
                continue;
            }
            free = y;
            let value = format::three(self.unit.of(micros));
            let text = format!("{value:>width$}", width = usize::from(SCALE));
            buffer.set_string(plot.right(), plot.top() + y, text, self.axis);
        }
    }
}

impl Widget for Heat<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width <= SCALE || area.height == 0 {
            return;
        }
        let plot = Rect { width: area.width - SCALE, ..area };
        let cells = self.cells(plot.width, plot.height);
        let most = cells.iter().copied().max().unwrap_or(0);
        let rows = cells.chunks(usize::from(plot.width));
        for (y, row) in (plot.top()..plot.bottom()).zip(rows) {
            for (x, count) in (plot.left()..plot.right()).zip(row) {
                if let Some(shade) = shade(*count, most) {
                    buffer[(x, y)].set_symbol(SHADES[shade]).set_style(self.shades[shade]);
                }
            }
        }
        if let Some((time, style)) = self.cursor
            && let Some(column) = super::lines::column_of(time, self.until, area.width)
        {
            for y in plot.top()..plot.bottom() {
                let cell = &mut buffer[(plot.left() + column, y)];
                if cell.symbol() == " " {
                    cell.set_symbol("│").set_style(style);
                }
            }
        }
        self.labels(plot, buffer);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heat(moments: &[(f64, Vec<u64>)], extent: Extent) -> Heat<'_> {
        Heat {
            moments,
            until: 4.0,
            extent,
            unit: Unit::Millis,
            shades: [Style::new(); 4],
            axis: Style::new(),
            cursor: None,
        }
    }

    fn drawn(heat: Heat, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        heat.render(area, &mut buffer);
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn many_are_dark_few_are_light_none_is_blank_and_late_is_high() {
        let mut fast = vec![0; 80];
        fast[45] = 1_000; // 1 to 10 ms
        let mut slow = vec![0; 80];
        slow[75] = 1; // above 10 ms
        let rows = drawn(heat(&[(0.5, fast), (3.5, slow)], (40, 80)), 11, 2);
        assert_eq!(rows, ["   ░   10.0", "███    1.00"]);
    }

    #[test]
    fn a_single_message_is_seen_beside_a_million() {
        assert_eq!(shade(1, 1_000_000), Some(0));
        assert_eq!(shade(1_000_000, 1_000_000), Some(3));
        assert_eq!(shade(0, 1_000_000), None);
    }

    proptest! {
        #[test]
        fn any_size_can_be_drawn_and_what_happened_is_to_be_seen(
            counts in prop::collection::vec(0_u64..1_000, 160),
            width in 8_u16..200,
            height in 1_u16..60,
        ) {
            let sum: u64 = counts.iter().sum();
            let moments = [(1.0, counts)];
            let heat = heat(&moments, (0, 160));
            let cells: u64 = heat.cells(width - SCALE, height).iter().sum();
            prop_assert!(sum == 0 || cells > 0);
            drawn(heat, width, height);
        }
    }
}
