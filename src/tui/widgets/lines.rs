//! Series over time, in braille, on a scale that is named at the right.

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

/// Columns at the right that hold the scale.
pub const SCALE: u16 = 7;

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// Its values connected.
    Line,
    /// Its values alone.
    Dots,
}

/// One series: times and values.
pub struct Series {
    /// Time and value, in order of time.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub drawn: Drawn,
    /// In which style.
    pub style: Style,
}

/// The scale of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Logarithmic, over at least a decade.
    Log,
    /// Linear, from 0.
    Linear,
}

/// Series over time. Later ones are drawn over earlier ones.
pub struct Lines<'a> {
    /// What is drawn.
    pub series: &'a [Series],
    /// The time at the right edge; the left one is 0.
    pub until: f64,
    /// The scale of the values.
    pub scale: Scale,
    /// A limit to be seen as a line of its own.
    pub limit: Option<(f64, Style)>,
    /// A moment to be seen as a vertical line.
    pub cursor: Option<(f64, Style)>,
    /// Style of the scale.
    pub axis: Style,
}

/// The smallest of 1, 2, 5, 10, 20 … that is not below `value`.
pub fn ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let decade = 10_f64.powf(value.log10().floor());
    let mut steps = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * decade);
    steps.find(|step| *step >= value * 0.999_999).unwrap_or(value)
}

/// The largest of 1, 2, 5, 10, 20 … that is not above `value`.
fn floor(value: f64) -> f64 {
    1.0 / ceiling(1.0 / value.max(1e-9))
}

/// At most `slots` points: each the largest of its share of the time.
fn thinned(points: &[(f64, f64)], slots: usize) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(slots.max(1)).max(1);
    let largest =
        |chunk: &[(f64, f64)]| chunk.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    points.chunks(size).filter_map(largest).collect()
}

/// The column of `time` in a chart of `width` columns, scale included, that ends at `until`.
pub fn column_of(time: f64, until: f64, width: u16) -> Option<u16> {
    let plot = width.checked_sub(SCALE).filter(|plot| *plot > 0)?;
    let share = time / until.max(1.0);
    (0.0..=1.0)
        .contains(&share)
        .then(|| ((share * f64::from(plot - 1)).round() as u16).min(plot - 1))
}

impl Lines<'_> {
    /// The least and the greatest value of the scale.
    fn bounds(&self) -> (f64, f64) {
        let values = || {
            let series = self.series.iter().flat_map(|series| &series.points);
            series.map(|point| point.1).chain(self.limit.map(|limit| limit.0))
        };
        let top = ceiling(values().fold(0.0, f64::max));
        if self.scale == Scale::Linear {
            return (0.0, top);
        }
        let least = values().filter(|value| *value > 0.0).fold(top, f64::min);
        (floor(least).min(top / 10.0).max(top / 1e6), top)
    }

    fn place(&self, value: f64, bottom: f64) -> f64 {
        match self.scale {
            Scale::Log => value.max(bottom).log10(),
            Scale::Linear => value,
        }
    }
}

impl Widget for Lines<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width <= SCALE || area.height == 0 {
            return;
        }
        let (bottom, top) = self.bounds();
        let plot = Rect { width: area.width - SCALE, ..area };
        let slots = usize::from(plot.width) * 2;
        let until = self.until.max(1.0);
        let ink = |style: Style| style.fg.unwrap_or(Color::Reset);
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([0.0, until])
            .y_bounds([self.place(bottom, bottom), self.place(top, bottom)])
            .paint(|canvas| {
                if let Some((value, style)) = self.limit {
                    let y = self.place(value, bottom);
                    let dashes: Vec<_> = (0..slots)
                        .step_by(4)
                        .map(|x| (until * x as f64 / slots as f64, y))
                        .collect();
                    canvas.draw(&Points { coords: &dashes, color: ink(style) });
                }
                for series in self.series {
                    let points: Vec<(f64, f64)> = thinned(&series.points, slots)
                        .into_iter()
                        .map(|(time, value)| (time, self.place(value, bottom)))
                        .collect();
                    let color = ink(series.style);
                    if series.drawn == Drawn::Dots || points.len() == 1 {
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
        if let Some((time, style)) = self.cursor
            && let Some(column) = column_of(time, self.until, area.width)
        {
            for y in plot.top()..plot.bottom() {
                buffer[(plot.left() + column, y)].set_symbol("│").set_style(style);
            }
        }
        let mut label = |y: u16, value: f64| {
            let text = format!("{:>width$}", format::three(value), width = usize::from(SCALE));
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
            assert!((ceiling(value) - top).abs() < 1e-9, "{value}: {}", ceiling(value));
        }
    }

    #[test]
    fn the_scale_begins_at_a_round_number() {
        for (value, bottom) in [(2.1, 2.0), (2.0, 2.0), (0.13, 0.1), (6.0, 5.0), (31.0, 20.0)] {
            assert!((floor(value) - bottom).abs() < 1e-9, "{value}: {}", floor(value));
        }
    }

    #[test]
    fn thinning_keeps_the_peaks() {
        let points: Vec<_> =
            (0..1_000).map(|t| (f64::from(t), if t == 700 { 9.0 } else { 1.0 })).collect();
        let thin = thinned(&points, 100);
        assert_eq!(thin.len(), 100);
        assert!(thin.contains(&(700.0, 9.0)));
    }

    #[test]
    fn a_moment_has_its_column_within_the_plot_or_none() {
        assert_eq!(column_of(0.0, 60.0, 27), Some(0));
        assert_eq!(column_of(60.0, 60.0, 27), Some(19));
        assert_eq!(column_of(61.0, 60.0, 27), None);
        assert_eq!(column_of(1.0, 60.0, SCALE), None);
    }

    fn drawn(lines: Lines, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        lines.render(area, &mut buffer);
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn a_linear_scale_begins_at_zero_and_the_cursor_stands_at_its_moment() {
        let series = [Series { points: vec![(0.0, 5.0)], drawn: Drawn::Line, style: Style::new() }];
        let lines = Lines {
            series: &series,
            until: 10.0,
            scale: Scale::Linear,
            limit: None,
            cursor: Some((10.0, Style::new())),
            axis: Style::new(),
        };
        let rows = drawn(lines, 12, 3);
        assert!(rows[0].ends_with("│   5.00") && rows[2].ends_with("│      0"), "{rows:?}");
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
            let series = [Drawn::Line, Drawn::Dots]
                .map(|drawn| Series { points: points.clone(), drawn, style: plain });
            let lines = Lines {
                series: &series,
                until: 60.0,
                scale: if linear { Scale::Linear } else { Scale::Log },
                limit: Some((20.0, plain)),
                cursor: Some((cursor, plain)),
                axis: plain,
            };
            drawn(lines, width, height);
        }
    }
}
