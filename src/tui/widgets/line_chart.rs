//! Line chart over time, in braille, with a scale at the right.

use std::collections::BTreeMap;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Style},
    symbols::Marker,
    widgets::{
        Widget,
        canvas::{Canvas, Line, Points},
    },
};

use crate::format;

/// Width of the scale at the right.
pub const SCALE_WIDTH: u16 = 7;

/// Presentation of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesShape {
    /// Values connected by lines.
    Line,
    /// Values as dots.
    Dots,
}

/// Values over time.
pub struct TimeSeries {
    /// Time and value, in order of time.
    pub points: Vec<(f64, f64)>,
    /// Presentation.
    pub shape: SeriesShape,
    /// Style of the line or dots.
    pub style: Style,
    /// Sign at some of the points, which tells series apart without colours; empty for none.
    pub mark: &'static str,
}

/// Scale of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueScale {
    /// Logarithmic, over at least a decade.
    Log,
    /// Linear, from 0.
    Linear,
}

/// Range of values over time, drawn as a shade behind the series.
#[derive(Debug, Clone, Default)]
pub struct Band {
    /// Time, smallest and largest value, in order of time.
    pub ranges: Vec<(f64, f64, f64)>,
    /// Style of the shade.
    pub style: Style,
}

/// Symbol of the shade of a band.
pub const BAND_SIGN: &str = "░";

/// Columns between two marks of a series.
const MARK_INTERVAL: u16 = 12;

/// Draws series over time, later ones over earlier ones.
pub struct LineChart<'a> {
    /// Series to draw.
    pub series: &'a [TimeSeries],
    /// Range to draw behind the series; empty for none.
    pub band: Band,
    /// Time at the right edge; the left edge is 0.
    pub end_time: f64,
    /// Scale of the values.
    pub scale: ValueScale,
    /// Value and style of a horizontal limit line.
    pub limit: Option<(f64, Style)>,
    /// Time and style of a vertical cursor line.
    pub cursor: Option<(f64, Style)>,
    /// Style of the scale.
    pub axis: Style,
}

/// Returns the smallest of 1, 2, 5, 10, 20 … that is not below `value`.
pub fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let decade = 10_f64.powf(value.log10().floor());
    let mut steps = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * decade);
    steps.find(|step| *step >= value * 0.999_999).unwrap_or(value)
}

/// Returns the largest of 1, 2, 5, 10, 20 … that is not above `value`.
fn round_down(value: f64) -> f64 {
    1.0 / round_up(1.0 / value.max(1e-9))
}

/// Reduces points to at most `slots`, each the largest of its chunk, so that peaks remain.
fn downsample(points: &[(f64, f64)], slots: usize) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(slots.max(1)).max(1);
    let largest =
        |chunk: &[(f64, f64)]| chunk.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    points.chunks(size).filter_map(largest).collect()
}

/// Returns the column of `time` in a chart of `width` columns (scale included) that ends at `until`.
pub fn column_of(time: f64, until: f64, width: u16) -> Option<u16> {
    let plot = width.checked_sub(SCALE_WIDTH).filter(|plot| *plot > 0)?;
    let share = time / until.max(1.0);
    (0.0..=1.0)
        .contains(&share)
        .then(|| ((share * f64::from(plot - 1)).round() as u16).min(plot - 1))
}

impl LineChart<'_> {
    /// Returns the smallest and the largest value of the scale.
    fn bounds(&self) -> (f64, f64) {
        let values = || {
            let series = self.series.iter().flat_map(|series| &series.points);
            let band = self.band.ranges.iter().flat_map(|range| [range.1, range.2]);
            series.map(|point| point.1).chain(self.limit.map(|limit| limit.0)).chain(band)
        };
        let top = round_up(values().fold(0.0, f64::max));
        if self.scale == ValueScale::Linear {
            return (0.0, top);
        }
        let least = values().filter(|value| *value > 0.0).fold(top, f64::min);
        (round_down(least).min(top / 10.0).max(top / 1e6), top)
    }

    /// Draws the marks of the series, those of one between those of the others.
    fn draw_marks(&self, bounds: (f64, f64), plot: Rect, buffer: &mut Buffer) {
        let shift = MARK_INTERVAL / (self.series.len() as u16).max(1);
        for (place, series) in (0..).zip(self.series) {
            if series.mark.is_empty() {
                continue;
            }
            let mut next = place * shift;
            for (time, value) in &series.points {
                let column = column_of(*time, self.end_time, plot.width + SCALE_WIDTH);
                let Some(column) = column.filter(|column| *column >= next) else { continue };
                next = (column / MARK_INTERVAL + 1) * MARK_INTERVAL + place * shift;
                let at = (plot.left() + column, plot.top() + self.row_of(*value, bounds, plot));
                buffer[at].set_symbol(series.mark).set_style(series.style);
            }
        }
    }

    /// Returns the row of a value in the plot.
    fn row_of(&self, value: f64, (bottom, top): (f64, f64), plot: Rect) -> u16 {
        let [from, to, value] = [bottom, top, value].map(|value| self.plot_value(value, bottom));
        let share = (value - from) / (to - from);
        ((1.0 - share.clamp(0.0, 1.0)) * f64::from(plot.height.saturating_sub(1))).round() as u16
    }

    /// Shades the cells of the band that no series has drawn in.
    fn shade_band(&self, bounds: (f64, f64), plot: Rect, buffer: &mut Buffer) {
        // Several seconds in a column: from the smallest to the largest of all.
        let mut columns: BTreeMap<u16, (u16, u16)> = BTreeMap::new();
        let width = plot.width + SCALE_WIDTH;
        for (time, least, greatest) in &self.band.ranges {
            let Some(column) = column_of(*time, self.end_time, width) else { continue };
            // To the column of the next second, so that a short repetition has no gaps.
            let next = column_of(*time + 1.0, self.end_time, width).unwrap_or(column + 1);
            for column in column..next.max(column + 1).min(plot.width) {
                let (high, low) = columns.entry(column).or_insert((u16::MAX, 0));
                let [top, bottom] = [greatest, least].map(|it| self.row_of(*it, bounds, plot));
                (*high, *low) = ((*high).min(top), (*low).max(bottom));
            }
        }
        for (column, (high, low)) in columns {
            for row in high..=low {
                let cell = &mut buffer[(plot.left() + column, plot.top() + row)];
                if matches!(cell.symbol(), " " | "\u{2800}") {
                    cell.set_symbol(BAND_SIGN).set_style(self.band.style);
                }
            }
        }
    }

    fn plot_value(&self, value: f64, bottom: f64) -> f64 {
        match self.scale {
            ValueScale::Log => value.max(bottom).log10(),
            ValueScale::Linear => value,
        }
    }
}

impl Widget for LineChart<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width <= SCALE_WIDTH || area.height == 0 {
            return;
        }
        let (bottom, top) = self.bounds();
        let plot = Rect { width: area.width - SCALE_WIDTH, ..area };
        let slots = usize::from(plot.width) * 2;
        let until = self.end_time.max(1.0);
        let ink = |style: Style| style.fg.unwrap_or(Color::Reset);
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([0.0, until])
            .y_bounds([self.plot_value(bottom, bottom), self.plot_value(top, bottom)])
            .paint(|canvas| {
                if let Some((value, style)) = self.limit {
                    let y = self.plot_value(value, bottom);
                    let dashes: Vec<_> = (0..slots)
                        .step_by(4)
                        .map(|x| (until * x as f64 / slots as f64, y))
                        .collect();
                    canvas.draw(&Points { coords: &dashes, color: ink(style) });
                }
                for series in self.series {
                    let points: Vec<(f64, f64)> = downsample(&series.points, slots)
                        .into_iter()
                        .map(|(time, value)| (time, self.plot_value(value, bottom)))
                        .collect();
                    let color = ink(series.style);
                    if series.shape == SeriesShape::Dots || points.len() == 1 {
                        canvas.draw(&Points { coords: &points, color });
                        continue;
                    }
                    for pair in points.windows(2) {
                        let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                        canvas.draw(&Line { x1, y1, x2, y2, color });
                    }
                }
            })
            .render(plot, buffer);
        self.shade_band((bottom, top), plot, buffer);
        self.draw_marks((bottom, top), plot, buffer);
        if let Some((time, style)) = self.cursor
            && let Some(column) = column_of(time, self.end_time, area.width)
        {
            for y in plot.top()..plot.bottom() {
                buffer[(plot.left() + column, y)].set_symbol("│").set_style(style);
            }
        }
        let mut label = |y: u16, value: f64| {
            let text = format!(
                "{:>width$}",
                format::three_significant(value),
                width = usize::from(SCALE_WIDTH)
            );
            buffer.set_string(plot.right(), y, text, self.axis);
        };
        label(area.top(), top);
        if area.height > 1 {
            label(area.bottom() - 1, bottom);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_scale_ends_at_a_round_number() {
        for (value, top) in
            [(0.0, 1.0), (0.13, 0.2), (2.1, 5.0), (5.0, 5.0), (5.1, 10.0), (31.0, 50.0)]
        {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}: {}", round_up(value));
        }
    }

    #[test]
    fn the_scale_begins_at_a_round_number() {
        for (value, bottom) in [(2.1, 2.0), (2.0, 2.0), (0.13, 0.1), (6.0, 5.0), (31.0, 20.0)] {
            assert!((round_down(value) - bottom).abs() < 1e-9, "{value}: {}", round_down(value));
        }
    }

    #[test]
    fn thinning_keeps_the_peaks() {
        let points: Vec<_> =
            (0..1_000).map(|t| (f64::from(t), if t == 700 { 9.0 } else { 1.0 })).collect();
        let thin = downsample(&points, 100);
        assert_eq!(thin.len(), 100);
        assert!(thin.contains(&(700.0, 9.0)));
    }

    #[test]
    fn a_time_has_a_column_within_the_plot_or_none() {
        assert_eq!(column_of(0.0, 60.0, 27), Some(0));
        assert_eq!(column_of(60.0, 60.0, 27), Some(19));
        assert_eq!(column_of(61.0, 60.0, 27), None);
        assert_eq!(column_of(1.0, 60.0, SCALE_WIDTH), None);
    }

    fn drawn(lines: LineChart, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        lines.render(area, &mut buffer);
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn a_linear_scale_begins_at_zero_and_the_cursor_is_at_its_time() {
        let series = [TimeSeries {
            points: vec![(0.0, 5.0)],
            shape: SeriesShape::Line,
            style: Style::new(),
            mark: "",
        }];
        let lines = LineChart {
            series: &series,
            band: Band::default(),
            end_time: 10.0,
            scale: ValueScale::Linear,
            limit: None,
            cursor: Some((10.0, Style::new())),
            axis: Style::new(),
        };
        let rows = drawn(lines, 12, 3);
        assert!(rows[0].ends_with("│   5.00") && rows[2].ends_with("│      0"), "{rows:?}");
    }

    #[test]
    fn each_series_has_its_marks() {
        let series = [("●", 8.0), ("▲", 2.0)].map(|(mark, value)| TimeSeries {
            points: (0..60).map(|time| (f64::from(time), value)).collect(),
            shape: SeriesShape::Line,
            style: Style::new(),
            mark,
        });
        let lines = LineChart {
            series: &series,
            band: Band::default(),
            end_time: 60.0,
            scale: ValueScale::Linear,
            limit: None,
            cursor: None,
            axis: Style::new(),
        };
        let rows = drawn(lines, 60 + SCALE_WIDTH, 5);
        let columns = |row: &str, mark: char| {
            row.chars()
                .enumerate()
                .filter(|(_, it)| *it == mark)
                .map(|(x, _)| x)
                .collect::<Vec<_>>()
        };
        assert_eq!(columns(&rows[1], '●'), [0, 12, 24, 36, 48], "{rows:?}");
        assert_eq!(columns(&rows[3], '▲'), [6, 18, 30, 42, 54], "{rows:?}");
    }

    #[test]
    fn a_band_is_a_shade_behind_the_series() {
        let series = [TimeSeries {
            points: vec![(0.0, 9.0), (9.0, 9.0)],
            shape: SeriesShape::Line,
            style: Style::new(),
            mark: "",
        }];
        let lines = LineChart {
            series: &series,
            band: Band {
                ranges: (0..5).map(|time| (f64::from(time), 0.0, 5.0)).collect(),
                style: Style::new(),
            },
            end_time: 10.0,
            scale: ValueScale::Linear,
            limit: None,
            cursor: None,
            axis: Style::new(),
        };
        let rows = drawn(lines, 11 + SCALE_WIDTH, 5);
        let plots: Vec<String> = rows.iter().map(|row| row.chars().take(11).collect()).collect();
        assert!(!plots[0].contains(BAND_SIGN), "the line is above the band: {rows:?}");
        assert_eq!(plots[4].trim_end(), BAND_SIGN.repeat(5), "{rows:?}");
        assert_eq!(plots[2].trim_end(), BAND_SIGN.repeat(5), "up to half the height: {rows:?}");
    }

    proptest! {
        #[test]
        fn any_size_can_be_drawn(
            points in prop::collection::vec((0.0..1e5_f64, 0.0..1e9_f64), 0..50),
            width in 0_u16..200,
            height in 0_u16..60,
            linear: bool,
            cursor in 0.0..100.0_f64,
        ) {
            let plain = Style::new();
            let series = [SeriesShape::Line, SeriesShape::Dots]
                .map(|drawn| TimeSeries {
                    points: points.clone(),
                    shape: drawn,
                    style: plain,
                    mark: "●",
                });
            let lines = LineChart {
                series: &series,
                band: Band {
                    ranges: points.iter().map(|(time, value)| (*time, value / 2.0, *value)).collect(),
                    style: plain,
                },
                end_time: 60.0,
                scale: if linear { ValueScale::Linear } else { ValueScale::Log },
                limit: Some((20.0, plain)),
                cursor: Some((cursor, plain)),
                axis: plain,
            };
            drawn(lines, width, height);
        }
    }
}
