//! Distribution as a strip of one or more rows, for comparing many of them over one axis.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};

use super::{
    bars,
    histogram::{self, BarRange},
};
use crate::format::LatencyUnit;

/// Sign of the median, or of the mean.
pub const CENTRE_SIGN: &str = "●";
/// Sign of the 99th percentile, or of a single repetition.
pub const OUTER_SIGN: &str = "○";

/// Counts over logarithmic bars, each strip as high as its area at its own largest count.
pub struct DistributionStrip<'a> {
    /// Count of each bar.
    pub bars: &'a [u64],
    /// Bars that the axis spans.
    pub bar_range: BarRange,
    /// Median and 99th percentile in microseconds.
    pub marks: [Option<f64>; 2],
    /// Style of the counts.
    pub style: Style,
    /// Style of the marks.
    pub mark_style: Style,
}

impl Widget for DistributionStrip<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width < 2 || area.height == 0 || self.bar_range.1 > self.bars.len() {
            return;
        }
        let bars = &self.bars[self.bar_range.0..self.bar_range.1];
        let columns = histogram::rebin(bars, usize::from(area.width));
        let highest = columns.iter().copied().fold(0.0, f64::max);
        for (x, value) in (area.left()..area.right()).zip(&columns) {
            if highest > 0.0 {
                bars::draw_column(buffer, area, x, value / highest, self.style);
            }
        }
        for (micros, sign) in self.marks.into_iter().zip([CENTRE_SIGN, OUTER_SIGN]).rev() {
            let column =
                micros.and_then(|it| histogram::column_of_value(self.bar_range, area.width, it));
            if let Some(column) = column {
                let at = (area.left() + column, area.bottom() - 1);
                buffer[at].set_symbol(sign).set_style(self.mark_style);
            }
        }
    }
}

/// Draws the labels of the strips' axis.
pub fn draw_latency_axis(
    bar_range: BarRange,
    unit: LatencyUnit,
    style: Style,
    area: Rect,
    buffer: &mut Buffer,
) {
    for (column, text) in histogram::axis_labels(bar_range, unit, area.width) {
        buffer.set_string(area.left() + column, area.top(), text, style);
    }
}

/// Values over a linear axis: each as a sign, their mean as another.
pub struct ValueStrip<'a> {
    /// Values.
    pub values: &'a [f64],
    /// Ends of the axis.
    pub ends: (f64, f64),
    /// Style of the values.
    pub style: Style,
    /// Style of the mean.
    pub mark_style: Style,
}

impl ValueStrip<'_> {
    fn column(&self, value: f64, width: u16) -> u16 {
        let (least, greatest) = self.ends;
        let share = (value - least) / (greatest - least).max(f64::MIN_POSITIVE);
        (share.clamp(0.0, 1.0) * f64::from(width.saturating_sub(1))).round() as u16
    }
}

impl Widget for ValueStrip<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width < 2 || area.height == 0 || self.values.is_empty() {
            return;
        }
        let y = area.bottom() - 1;
        let columns = self.values.iter().map(|value| self.column(*value, area.width));
        let (first, last) =
            columns.clone().fold((u16::MAX, 0), |(a, b), it| (a.min(it), b.max(it)));
        for column in first..=last {
            buffer[(area.left() + column, y)].set_symbol("─").set_style(self.style);
        }
        for column in columns {
            buffer[(area.left() + column, y)].set_symbol(OUTER_SIGN).set_style(self.style);
        }
        let mean = self.values.iter().sum::<f64>() / self.values.len() as f64;
        let at = (area.left() + self.column(mean, area.width), y);
        buffer[at].set_symbol(CENTRE_SIGN).set_style(self.mark_style);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::BAR_COUNT;

    fn drawn(widget: impl Widget, width: u16) -> String {
        let area = Rect::new(0, 0, width, 1);
        let mut buffer = Buffer::empty(area);
        widget.render(area, &mut buffer);
        (0..width).map(|x| buffer[(x, 0)].symbol()).collect()
    }

    #[test]
    fn counts_and_marks_are_at_their_values() {
        let mut bars = vec![0; BAR_COUNT];
        (bars[40], bars[46]) = (8, 4); // 1 ms, 2 ms
        let strip = |marks| DistributionStrip {
            bars: &bars,
            bar_range: (40, 60),
            marks,
            style: Style::new(),
            mark_style: Style::new(),
        };
        assert_eq!(drawn(strip([None, None]), 20).trim_end(), "█     ▄");
        assert_eq!(drawn(strip([Some(1_000.0), Some(5_000.0)]), 20).trim_end(), "●     ▄      ○");
        assert_eq!(drawn(strip([None, Some(1.0)]), 20).trim_end(), "█     ▄", "off the axis");
    }

    #[test]
    fn the_mean_is_among_the_repetitions() {
        let strip = |values| ValueStrip {
            values,
            ends: (0.0, 10.0),
            style: Style::new(),
            mark_style: Style::new(),
        };
        assert_eq!(drawn(strip(&[2.0, 4.0, 9.0]), 11).trim_end(), "  ○─○●───○");
        assert_eq!(drawn(strip(&[]), 11).trim_end(), "");
    }

    proptest! {
        #[test]
        fn any_values_can_be_drawn(
            values in prop::collection::vec(-1e12..1e12_f64, 0..20),
            ends in (-1e12..1e12_f64, -1e12..1e12_f64),
            width in 0_u16..80,
        ) {
            let style = Style::new();
            drawn(ValueStrip { values: &values, ends, style, mark_style: style }, width);
        }
    }
}
