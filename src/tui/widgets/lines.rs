//! A line and dots over time, in braille, on a logarithmic scale that is named at the right.

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
const SCALE: u16 = 7;

/// Two series over time.
pub struct Lines<'a> {
    /// Drawn as a line: time and value.
    pub line: &'a [(f64, f64)],
    /// Drawn as dots.
    pub dots: &'a [(f64, f64)],
    /// The time at the right edge; the left one is 0.
    pub until: f64,
    /// Style of the line.
    pub line_style: Style,
    /// Style of the dots.
    pub dots_style: Style,
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

impl Widget for Lines<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width <= SCALE || area.height == 0 {
            return;
        }
        let values = || self.line.iter().chain(self.dots).map(|point| point.1);
        let top = ceiling(values().fold(0.0, f64::max));
        let least = values().filter(|value| *value > 0.0).fold(top, f64::min);
        let bottom = floor(least).min(top / 10.0).max(top / 1e6);
        let plot = Rect { width: area.width - SCALE, ..area };
        let slots = usize::from(plot.width) * 2;
        let on_scale = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            let points = thinned(points, slots);
            points.into_iter().map(|(time, value)| (time, value.max(bottom).log10())).collect()
        };
        let line = on_scale(self.line);
        let dots = on_scale(self.dots);
        let colour = |style: Style| style.fg.unwrap_or(Color::Reset);
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([0.0, self.until.max(1.0)])
            .y_bounds([bottom.log10(), top.log10()])
            .paint(|canvas| {
                canvas.draw(&Points { coords: &dots, color: colour(self.dots_style) });
                for pair in line.windows(2) {
                    let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                    canvas.draw(&Line { x1, y1, x2, y2, color: colour(self.line_style) });
                }
                if line.len() == 1 {
                    canvas.draw(&Points { coords: &line, color: colour(self.line_style) });
                }
            })
            .render(plot, buffer);
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

    proptest! {
        #[test]
        fn any_size_can_be_drawn(
            points in prop::collection::vec((0.0..1e5_f64, 0.0..1e9_f64), 0..50),
            width in 0_u16..200,
            height in 0_u16..60,
        ) {
            let area = Rect::new(0, 0, width, height);
            let mut buffer = Buffer::empty(area);
            let plain = Style::new();
            Lines { line: &points, dots: &points, until: 60.0, line_style: plain, dots_style: plain, axis: plain }
                .render(area, &mut buffer);
        }
    }
}
