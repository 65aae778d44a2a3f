//! A histogram of latencies over a logarithmic axis with labels.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};

use super::bars;
use crate::{
    event::{BARS_PER_DECADE, FIRST_BAR},
    format::Unit,
};

/// The axis begins and ends at multiples of this many bars, so that it seldom moves.
const STEP: usize = BARS_PER_DECADE / 4;
/// The axis spans at least a decade.
const SHORTEST: usize = BARS_PER_DECADE;
/// Columns that a decade needs to have labels at 2 and 5.
const ROOM_FOR_TWO_AND_FIVE: f64 = 16.0;

/// Counts over logarithmic bars, as in [`crate::event::Snapshot::bars`], rebinned to the width.
pub struct Histogram<'a> {
    /// The counts.
    pub bars: &'a [u64],
    /// Unit of the axis.
    pub unit: Unit,
    /// Style of the columns.
    pub style: Style,
    /// Style of the axis.
    pub axis: Style,
    /// Values, in microseconds, to name in a row above the columns.
    pub marks: &'a [(f64, &'static str)],
    /// The bars that the axis spans; `None` takes those that hold something.
    pub extent: Option<Extent>,
}

/// The first bar of an axis, and the one after its last.
pub type Extent = (usize, usize);

/// The bars from the first to the last that hold something in any of `all`, widened to steps.
pub fn extent(all: &[&[u64]]) -> Option<Extent> {
    let first = all.iter().filter_map(|bars| bars.iter().position(|count| *count > 0)).min()?;
    let last = all.iter().filter_map(|bars| bars.iter().rposition(|count| *count > 0)).max()?;
    let most = all.iter().map(|bars| bars.len()).max()?;
    let start = first / STEP * STEP;
    let end = (last / STEP + 1) * STEP;
    let end = end.max(start + SHORTEST).min(most);
    Some((start.min(end.saturating_sub(SHORTEST)), end))
}

/// Spreads bars evenly over `width` columns: what a column covers only in part, it gets in part.
fn rebin(bars: &[u64], width: usize) -> Vec<f64> {
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
    fn name_marks(&self, extent: (usize, usize), area: Rect, buffer: &mut Buffer) {
        for (micros, name) in self.marks {
            let Some(column) = place(extent, area.width, *micros) else { continue };
            let room = usize::from(area.width - column);
            let text = format!("▾{name}");
            let text = if room > name.len() { text } else { "▾".to_owned() };
            buffer.set_string(area.left() + column, area.top(), text, self.axis);
        }
    }

    /// Labels of the axis: column and text.
    fn labels(&self, (start, end): (usize, usize), width: u16) -> Vec<(u16, String)> {
        let decades = (end - start) as f64 / BARS_PER_DECADE as f64;
        let steps: &[f64] = if f64::from(width) / decades >= ROOM_FOR_TWO_AND_FIVE {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let mut labels: Vec<(u16, String)> = Vec::new();
        let mut free = 0;
        for exponent in 0..10 {
            for step in steps {
                let micros = step * 10_f64.powi(exponent);
                let Some(column) = place((start, end), width, micros) else { continue };
                let text = short(self.unit.of(micros));
                let from = column.saturating_sub(text.len() as u16 / 2);
                if from >= free && from + text.len() as u16 <= width {
                    free = from + text.len() as u16 + 1;
                    labels.push((from, text));
                }
            }
        }
        labels
    }
}

/// The column of a value.
fn place((start, end): (usize, usize), width: u16, micros: f64) -> Option<u16> {
    let bar = (micros / FIRST_BAR).log10() * BARS_PER_DECADE as f64;
    let share = (bar - start as f64) / (end - start) as f64;
    let column = (share * f64::from(width) + 1e-6).floor();
    (column >= 0.0 && column < f64::from(width)).then_some(column as u16)
}

/// A label of the axis: `0.1`, `20`, `5,000`.
fn short(value: f64) -> String {
    if value >= 1.0 { crate::format::count(value.round() as u64) } else { format!("{value}") }
}

impl Widget for Histogram<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let Some(extent) = self.extent.or_else(|| extent(&[self.bars])) else { return };
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
                bars::column(buffer, plot, x, value / highest, self.style);
            }
        }
        for (column, text) in self.labels(extent, area.width) {
            buffer.set_string(area.left() + column, axis, text, self.axis);
        }
        if above > 0 {
            self.name_marks(extent, area, buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::BARS;

    #[test]
    fn the_axis_shows_where_the_values_are() {
        let mut bars = vec![0; BARS];
        bars[40] = 8; // 1 ms
        bars[46] = 4; // 2 ms
        let histogram = Histogram {
            bars: &bars,
            unit: Unit::Millis,
            style: Style::new(),
            axis: Style::new(),
            marks: &[],
            extent: None,
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
        assert_eq!(extent(&[&[0; BARS]]), None);
        assert_eq!(extent(&[]), None);
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
        fn the_extent_holds_every_sample(
            filled in prop::collection::vec(0_usize..BARS, 1..10),
        ) {
            let mut bars = vec![0; BARS];
            for bar in &filled {
                bars[*bar] = 1;
            }
            let (start, end) = extent(&[&bars]).unwrap();
            prop_assert!(end <= BARS && end - start >= SHORTEST);
            prop_assert!(filled.iter().all(|bar| (start..end).contains(bar)));
        }
    }
}
