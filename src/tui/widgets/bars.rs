//! Columns of eighth blocks, for sparklines and histograms.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};

const EIGHTH_BLOCKS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws one column at `x` that fills `share` of the height of `area`; any share above 0 is visible.
pub fn draw_column(buffer: &mut Buffer, area: Rect, x: u16, share: f64, style: Style) {
    let full = f64::from(area.height) * 8.0;
    let mut eighths = (share.clamp(0.0, 1.0) * full).round() as usize;
    if share > 0.0 {
        eighths = eighths.max(1);
    }
    for y in (area.top()..area.bottom()).rev() {
        let here = eighths.min(8);
        eighths -= here;
        if here > 0
            && let Some(cell) = buffer.cell_mut((x, y))
        {
            cell.set_symbol(EIGHTH_BLOCKS[here]).set_style(style);
        }
    }
}

/// Draws the newest values as columns, the last one at the right edge; a missing value is blank.
pub struct Sparkline<'a> {
    /// Values, oldest first.
    pub values: &'a [Option<f64>],
    /// Value of a full column.
    pub full_scale: f64,
    /// Style of the columns.
    pub style: Style,
}

impl Widget for Sparkline<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let shown = self.values.iter().rev();
        for (x, value) in (area.left()..area.right()).rev().zip(shown) {
            if let Some(value) = value
                && self.full_scale > 0.0
            {
                draw_column(buffer, area, x, value / self.full_scale, self.style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(widget: impl Widget, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        widget.render(area, &mut buffer);
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn the_newest_value_is_at_the_right_and_a_missing_one_is_blank() {
        let values = [Some(9.0), Some(8.0), None, Some(4.0), Some(0.001), Some(0.0)];
        let spark = Sparkline { values: &values, full_scale: 8.0, style: Style::new() };
        assert_eq!(drawn(spark, 5, 1), ["█ ▄▁ "]);
    }

    #[test]
    fn a_column_may_be_several_rows_high() {
        let values = [Some(12.0), Some(16.0)];
        let spark = Sparkline { values: &values, full_scale: 16.0, style: Style::new() };
        assert_eq!(drawn(spark, 2, 2), ["▄█", "██"]);
    }
}
