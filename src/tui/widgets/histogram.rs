//! Histogram of latencies over a logarithmic axis with labels.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};

use super::bars;
use crate::{
    event::{BARS_PER_DECADE, FIRST_BAR_MICROS},
    format::LatencyUnit,
};

/// Step of the ends of the axis, in bars, so that the axis rarely moves.
const AXIS_STEP: usize = BARS_PER_DECADE / 4;
/// Smallest span of the axis, in bars: one decade.
const MIN_BARS: usize = BARS_PER_DECADE;
/// Smallest width of a decade, in columns, with labels at 2 and 5.
const MINOR_LABELS_MIN_WIDTH: f64 = 16.0;

/// Draws counts over logarithmic bars, as in [`crate::event::Snapshot::bars`], rebinned to the width.
pub struct Histogram<'a> {
    /// Count of each bar.
    pub bars: &'a [u64],
    /// Unit of the axis.
    pub unit: LatencyUnit,
    /// Style of the columns.
    pub style: Style,
    /// Style of the axis.
    pub axis: Style,
    /// Values in microseconds, with labels for a row above the columns.
    pub marks: &'a [(f64, &'static str)],
    /// Bars that the axis spans; `None` for the range of non-empty bars.
    pub bar_range: Option<BarRange>,
}

/// First bar of an axis, and the bar after its last.
pub type BarRange = (usize, usize);

/// Returns the range of non-empty bars in any of `all`, widened to steps; `None` if all are empty.
pub fn bar_range(all: &[&[u64]]) -> Option<BarRange> {
    let first = all.iter().filter_map(|bars| bars.iter().position(|count| *count > 0)).min()?;
    let last = all.iter().filter_map(|bars| bars.iter().rposition(|count| *count > 0)).max()?;
    let most = all.iter().map(|bars| bars.len()).max()?;
    let start = first / AXIS_STEP * AXIS_STEP;
    let end = (last / AXIS_STEP + 1) * AXIS_STEP;
    let end = end.max(start + MIN_BARS).min(most);
    Some((start.min(end.saturating_sub(MIN_BARS)), end))
}

/// Distributes bars evenly over `width` columns; a bar that spans columns is divided by overlap.
pub(super) fn rebin(bars: &[u64], width: usize) -> Vec<f64> {
    let per_column = bars.len() as f64 / width as f64;
    let covered = |column: usize| {
        let (from, to) = (column as f64 * per_column, (column + 1) as f64 * per_column);
        let cells = from as usize..(to.ceil() as usize).min(bars.len());
        cells
            .map(|bar| {
                let overlap = to.min(bar as f64 + 1.0) - from.max(bar as f64);
                bars[bar] as f64 * overlap.max(0.0)
            })
            .sum()
    };
    (0..width).map(covered).collect()
}

impl Histogram<'_> {
    fn draw_marks(&self, extent: (usize, usize), area: Rect, buffer: &mut Buffer) {
        for (micros, name) in self.marks {
            let Some(column) = column_of_value(extent, area.width, *micros) else { continue };
            let room = usize::from(area.width - column);
            let text = format!("▾{name}");
            let text = if room > name.len() { text } else { "▾".to_owned() };
            buffer.set_string(area.left() + column, area.top(), text, self.axis);
        }
    }
}

/// Returns the labels of an axis of `width` columns as column and text.
pub(super) fn axis_labels(
    (start, end): BarRange,
    unit: LatencyUnit,
    width: u16,
) -> Vec<(u16, String)> {
    let decades = (end - start) as f64 / BARS_PER_DECADE as f64;
    let steps: &[f64] = if f64::from(width) / decades >= MINOR_LABELS_MIN_WIDTH {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let mut labels: Vec<(u16, String)> = Vec::new();
    let mut free = 0;
    for exponent in 0..10 {
        for step in steps {
            let micros = step * 10_f64.powi(exponent);
            let Some(column) = column_of_value((start, end), width, micros) else { continue };
            let text = format_label(unit.convert(micros));
            let from = column.saturating_sub(text.len() as u16 / 2);
            if from >= free && from + text.len() as u16 <= width {
                free = from + text.len() as u16 + 1;
                labels.push((from, text));
            }
        }
    }
    labels
}

/// Returns the column of a value; `None` outside the axis.
pub(super) fn column_of_value((start, end): BarRange, width: u16, micros: f64) -> Option<u16> {
    let bar = (micros / FIRST_BAR_MICROS).log10() * BARS_PER_DECADE as f64;
    let share = (bar - start as f64) / (end - start) as f64;
    let column = (share * f64::from(width) + 1e-6).floor();
    (column >= 0.0 && column < f64::from(width)).then_some(column as u16)
}

/// Formats a label of the axis: `0.1`, `20`, `5,000`.
fn format_label(value: f64) -> String {
    if value >= 1.0 { crate::format::count(value.round() as u64) } else { format!("{value}") }
}

impl Widget for Histogram<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let Some(extent) = self.bar_range.or_else(|| bar_range(&[self.bars])) else { return };
        if area.height < 2 || area.width < 2 || extent.1 > self.bars.len() {
            return;
        }
        let above = u16::from(!self.marks.is_empty() && area.height > 2);
        let plot = Rect { y: area.y + above, height: area.height - 1 - above, ..area };
        let axis = area.bottom() - 1;
        let columns = rebin(&self.bars[extent.0..extent.1], usize::from(area.width));
        let highest = columns.iter().copied().fold(0.0, f64::max);
        for (x, value) in (area.left()..area.right()).zip(&columns) {
            if highest > 0.0 {
                bars::draw_column(buffer, plot, x, value / highest, self.style);
            }
        }
        for (column, text) in axis_labels(extent, self.unit, area.width) {
            buffer.set_string(area.left() + column, axis, text, self.axis);
        }
        if above > 0 {
            self.draw_marks(extent, area, buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::BAR_COUNT;

    #[test]
    fn the_axis_shows_where_the_values_are() {
        let mut bars = vec![0; BAR_COUNT];
        bars[40] = 8; // 1 ms
        bars[46] = 4; // 2 ms
        let histogram = Histogram {
            bars: &bars,
            unit: LatencyUnit::Millis,
            style: Style::new(),
            axis: Style::new(),
            marks: &[],
            bar_range: None,
        };
        let area = Rect::new(0, 0, 40, 2);
        let mut buffer = Buffer::empty(area);
        histogram.render(area, &mut buffer);
        let row = |y| (0..40).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        assert_eq!(row(0).trim_end(), "██          ▄▄");
        assert_eq!(row(1).trim_end(), "1           2              5");
    }

    #[test]
    fn without_samples_there_is_nothing_to_draw() {
        assert_eq!(bar_range(&[&[0; BAR_COUNT]]), None);
        assert_eq!(bar_range(&[]), None);
    }

    proptest! {
        #[test]
        fn rebinning_keeps_the_count(
            bars in prop::collection::vec(0_u64..1_000, 1..200),
            width in 1_usize..300,
        ) {
            let sum: f64 = rebin(&bars, width).iter().sum();
            let count: u64 = bars.iter().sum();
            prop_assert!((sum - count as f64).abs() < 1e-6 * (1.0 + count as f64));
        }

        #[test]
        fn the_range_includes_every_sample(
            filled in prop::collection::vec(0_usize..BAR_COUNT, 1..10),
        ) {
            let mut bars = vec![0; BAR_COUNT];
            for bar in &filled {
                bars[*bar] = 1;
            }
            let (start, end) = bar_range(&[&bars]).unwrap();
            prop_assert!(end <= BAR_COUNT && end - start >= MIN_BARS);
            prop_assert!(filled.iter().all(|bar| (start..end).contains(bar)));
        }
    }
}
