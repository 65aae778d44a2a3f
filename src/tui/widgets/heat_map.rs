//! Heat map of latency over time; darker cells have more messages.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};

use super::{histogram::BarRange, line_chart::SCALE_WIDTH};
use crate::{
    event::{BARS_PER_DECADE, FIRST_BAR_MICROS},
    format::{self, LatencyUnit},
};

/// Symbols from few to many messages.
const SHADES: [&str; 4] = ["░", "▒", "▓", "█"];

/// Draws counts over time and over logarithmic bars, as in [`crate::event::Snapshot::bars`].
pub struct HeatMap<'a> {
    /// Start time and counts of each interval.
    pub intervals: &'a [(f64, Vec<u64>)],
    /// Time at the right edge; the left edge is 0.
    pub end_time: f64,
    /// Bars that the axis spans.
    pub bar_range: BarRange,
    /// Unit of the axis.
    pub unit: LatencyUnit,
    /// Styles from few to many.
    pub shades: [Style; 4],
    /// Style of the axis.
    pub axis: Style,
    /// Time and style of a vertical cursor line.
    pub cursor: Option<(f64, Style)>,
}

/// Returns the shade of `count` when `most` is the largest count.
///
/// Four steps of equal ratio, so that a tail of single messages is visible beside thousands.
fn shade_index(count: u64, most: u64) -> Option<usize> {
    if count == 0 {
        return None;
    }
    let share = (count as f64).ln_1p() / (most.max(1) as f64).ln_1p();
    Some(((share * 4.0).ceil() as usize).clamp(1, 4) - 1)
}

/// Returns the row of a bar, counted from the top.
fn bar_row(bar: usize, (start, end): BarRange, height: u16) -> Option<u16> {
    let share = (bar.checked_sub(start)? as f64 + 0.5) / (end.checked_sub(start)? as f64);
    let from_below = (share * f64::from(height)) as u16;
    height.checked_sub(1)?.checked_sub(from_below)
}

impl HeatMap<'_> {
    /// Returns counts by row and column, each the mean of the intervals in a column.
    ///
    /// A column between the starts of two intervals belongs to the earlier one, so that a wide map has no
    /// gaps.
    fn cell_counts(&self, width: u16, height: u16) -> Vec<u64> {
        let (columns, rows) = (usize::from(width), usize::from(height));
        let mut cells = vec![0; columns * rows];
        let place = |time: f64| {
            let share = (time / self.end_time.max(1.0)).clamp(0.0, 1.0);
            ((share * f64::from(width)) as usize).min(columns - 1)
        };
        let mut held = vec![0_u64; columns];
        for (number, (time, bars)) in self.intervals.iter().enumerate() {
            let from = place(*time);
            let next = self.intervals.get(number + 1).map_or(from + 1, |(time, _)| place(*time));
            let nearest = next.min(from + 1 + columns / self.intervals.len().max(1));
            for x in from..nearest.max(from + 1) {
                held[x] += 1;
                for (bar, count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
                    if let Some(y) = bar_row(bar, self.bar_range, height) {
                        cells[usize::from(y) * columns + x] += count;
                    }
                }
            }
        }
        for (place, cell) in cells.iter_mut().enumerate() {
            // Round up, so that any count above 0 remains visible.
            *cell = cell.div_ceil(held[place % columns].max(1));
        }
        cells
    }

    /// Draws the labels of the decades at their rows.
    fn draw_labels(&self, plot: Rect, buffer: &mut Buffer) {
        let mut free = u16::MAX;
        for exponent in 0..10 {
            let micros = FIRST_BAR_MICROS * 10_f64.powi(exponent);
            let bar = exponent.unsigned_abs() as usize * BARS_PER_DECADE;
            let Some(y) = bar_row(bar, self.bar_range, plot.height) else { continue };
            if bar >= self.bar_range.1 || y == free {
                continue;
            }
            free = y;
            let value = format::three_significant(self.unit.convert(micros));
            let text = format!("{value:>width$}", width = usize::from(SCALE_WIDTH));
            buffer.set_string(plot.right(), plot.top() + y, text, self.axis);
        }
    }
}

impl Widget for HeatMap<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width <= SCALE_WIDTH || area.height == 0 {
            return;
        }
        let plot = Rect { width: area.width - SCALE_WIDTH, ..area };
        let cells = self.cell_counts(plot.width, plot.height);
        let most = cells.iter().copied().max().unwrap_or(0);
        let rows = cells.chunks(usize::from(plot.width));
        for (y, row) in (plot.top()..plot.bottom()).zip(rows) {
            for (x, count) in (plot.left()..plot.right()).zip(row) {
                if let Some(shade) = shade_index(*count, most) {
                    buffer[(x, y)].set_symbol(SHADES[shade]).set_style(self.shades[shade]);
                }
            }
        }
        if let Some((time, style)) = self.cursor
            && let Some(column) =
                crate::tui::widgets::line_chart::column_of(time, self.end_time, area.width)
        {
            for y in plot.top()..plot.bottom() {
                let cell = &mut buffer[(plot.left() + column, y)];
                if cell.symbol() == " " {
                    cell.set_symbol("│").set_style(style);
                }
            }
        }
        self.draw_labels(plot, buffer);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heat(moments: &[(f64, Vec<u64>)], extent: BarRange) -> HeatMap<'_> {
        HeatMap {
            intervals: moments,
            end_time: 4.0,
            bar_range: extent,
            unit: LatencyUnit::Millis,
            shades: [Style::new(); 4],
            axis: Style::new(),
            cursor: None,
        }
    }

    fn drawn(heat: HeatMap, width: u16, height: u16) -> Vec<String> {
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
        assert_eq!(shade_index(1, 1_000_000), Some(0));
        assert_eq!(shade_index(1_000_000, 1_000_000), Some(3));
        assert_eq!(shade_index(0, 1_000_000), None);
    }

    proptest! {
        #[test]
        fn any_size_can_be_drawn_and_counts_remain_visible(
            counts in prop::collection::vec(0_u64..1_000, 160),
            width in 8_u16..200,
            height in 1_u16..60,
        ) {
            let sum: u64 = counts.iter().sum();
            let moments = [(1.0, counts)];
            let heat = heat(&moments, (0, 160));
            let cells: u64 = heat.cell_counts(width - SCALE_WIDTH, height).iter().sum();
            prop_assert!(sum == 0 || cells > 0);
            drawn(heat, width, height);
        }
    }
}
