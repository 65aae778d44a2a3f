//! Panel of a report's figure, drawn in braille.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    symbols::Marker,
    text::{Line, Span},
    widgets::{
        Widget,
        canvas::{Canvas, Context, Line as Stroke},
    },
};

use unicode_width::UnicodeWidthStr;

use crate::{
    format,
    report::figures::{Axis, AxisScale, FigurePanel, PlotKind, PlotMark, PlotSeries},
    tui::{
        text::{render_lines, wrap_lines},
        theme::Theme,
    },
};

/// Width of the values at the left.
const VALUE_WIDTH: u16 = 8;
/// Markers of the series: valid, and with suspect repetitions.
const MARKERS: [(&str, &str); 4] = [("●", "○"), ("▲", "△"), ("■", "□"), ("◆", "◇")];

/// Number of marks along a curve.
const CURVE_MARKS: usize = 8;

/// Draws a panel of a figure.
pub struct FigureChart<'a> {
    /// Panel to draw.
    pub panel: &'a FigurePanel,
    /// Styles of the terminal.
    pub theme: Theme,
}

/// Visible range of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ValueRange {
    from: f64,
    to: f64,
    scale: AxisScale,
}

impl ValueRange {
    /// Returns a range with all `values`; a linear one includes 0 if `zero` is set.
    fn covering(values: impl Iterator<Item = f64>, scale: AxisScale, zero: bool) -> Option<Self> {
        let usable = |value: &f64| value.is_finite() && (scale != AxisScale::Log || *value > 0.0);
        let (least, greatest) = values
            .filter(usable)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if least > greatest {
            return None;
        }
        let (from, to) = match scale {
            AxisScale::Log => (least / 1.1, greatest * 1.1),
            AxisScale::Categories => (least - 0.5, greatest + 0.5),
            AxisScale::Linear => {
                let from = if zero { least.min(0.0) } else { least };
                let room = (greatest - from).max(greatest.abs() * 1e-3).max(f64::MIN_POSITIVE);
                (from, greatest + room * 0.05)
            }
        };
        Some(Self { from, to, scale })
    }

    /// Returns the position of a value from 0 to 1; `None` if the scale cannot show it.
    fn fraction(self, value: f64) -> Option<f64> {
        let share = match self.scale {
            AxisScale::Log if value <= 0.0 => return None,
            AxisScale::Log => (value / self.from).ln() / (self.to / self.from).ln(),
            AxisScale::Linear | AxisScale::Categories => {
                (value - self.from) / (self.to - self.from)
            }
        };
        share.is_finite().then_some(share.clamp(0.0, 1.0))
    }

    /// Returns the value at a position from 0 to 1.
    fn value_at(self, share: f64) -> f64 {
        match self.scale {
            AxisScale::Log => self.from * (self.to / self.from).powf(share),
            AxisScale::Linear | AxisScale::Categories => self.from + (self.to - self.from) * share,
        }
    }
}

fn panel_marks(panel: &FigurePanel) -> impl Iterator<Item = &PlotMark> {
    panel.series.iter().flat_map(|series| &series.marks)
}

impl FigureChart<'_> {
    fn series_style(&self, series: &PlotSeries) -> Style {
        match series.style % 4 {
            0 => self.theme.data(),
            1 => self.theme.second_data(),
            2 => self.theme.good(),
            _ => self.theme.limit_line(),
        }
    }

    /// Returns title, series and axes in lines of at most `width` columns.
    fn legend(&self, width: u16) -> Vec<Line<'static>> {
        let mut spans = Vec::new();
        if !self.panel.title.is_empty() {
            spans.push(Span::styled(format!("{}  ", self.panel.title), self.theme.title()));
        }
        for series in &self.panel.series {
            let sign = MARKERS[series.style % MARKERS.len()].0;
            spans.push(Span::styled(sign, self.series_style(series)));
            let dashed = if series.dashed { " (dashed)" } else { "" };
            spans.push(Span::raw(format!(" {}{dashed}  ", series.label)));
        }
        let axes =
            format!("{} over {}", self.panel.y.title_with_unit(), self.panel.x.title_with_unit());
        spans.push(Span::styled(axes, self.theme.label()));
        wrap_lines(vec![Line::from(spans)], width.into(), 0)
    }

    fn draw_marks(&self, x: ValueRange, y: ValueRange, context: &mut Context) {
        let bars = self.panel.series.len().max(1) as f64;
        for (place, series) in self.panel.series.iter().enumerate() {
            let colour = self.series_style(series).fg.unwrap_or_default();
            let aside = match self.panel.kind {
                PlotKind::Bars => (place as f64 - (bars - 1.0) / 2.0) * 0.8 / bars,
                PlotKind::Lines | PlotKind::Curves | PlotKind::Dots => 0.0,
            };
            let at = |mark: &PlotMark, value: f64| {
                Some((x.fraction(mark.x + aside)?, y.fraction(value)?))
            };
            let mut stroke = |from: Option<(f64, f64)>, to: Option<(f64, f64)>| {
                if let (Some((x1, y1)), Some((x2, y2))) = (from, to) {
                    context.draw(&Stroke { x1, y1, x2, y2, color: colour });
                }
            };
            for mark in &series.marks {
                if let Some((least, greatest)) = mark.whiskers {
                    stroke(at(mark, least), at(mark, greatest));
                }
                if self.panel.kind == PlotKind::Bars
                    && let Some((middle, top)) = at(mark, mark.y)
                {
                    let half = 0.25 / bars / (x.to - x.from);
                    for step in 0..=96 {
                        let place = middle - half + half * f64::from(step) / 48.0;
                        stroke(Some((place, 0.0)), Some((place, top)));
                    }
                }
            }
            if matches!(self.panel.kind, PlotKind::Lines | PlotKind::Curves) {
                for (place, pair) in series.marks.windows(2).enumerate() {
                    if !series.dashed || place % 2 == 0 {
                        stroke(at(&pair[0], pair[0].y), at(&pair[1], pair[1].y));
                    }
                }
            }
            let (whole, hollow) = MARKERS[series.style % MARKERS.len()];
            if self.panel.kind == PlotKind::Curves {
                // Some marks along each curve, between those of the others, tell them apart without colours.
                let every = (series.marks.len() / CURVE_MARKS).max(1);
                let first = every * place / self.panel.series.len().max(1);
                for mark in series.marks.iter().skip(first).step_by(every) {
                    if let Some((x, y)) = at(mark, mark.y) {
                        context.print(x, y, Span::styled(whole, self.series_style(series)));
                    }
                }
            } else {
                for mark in &series.marks {
                    let sign = if mark.suspect > 0 { hollow } else { whole };
                    if let Some((x, y)) = at(mark, mark.y) {
                        context.print(x, y, Span::styled(sign, self.series_style(series)));
                    }
                }
            }
        }
    }

    fn draw_y_labels(&self, y: ValueRange, area: Rect, buffer: &mut Buffer) {
        let rows = area.height.max(1);
        let every = (rows / 4).max(2);
        for row in (0..rows).filter(|row| row % every == 0 || *row == rows - 1) {
            let share = 1.0 - f64::from(row) / f64::from((rows - 1).max(1));
            let width = usize::from(VALUE_WIDTH) - 1;
            let value = y.value_at(share);
            let text = format::three_significant(value);
            // A number is never cut: a long one has an exponent.
            let text = if text.width() > width { format!("{value:.1e}") } else { text };
            let text = format!("{text:>width$}");
            buffer.set_string(area.x, area.y + row, text, self.theme.label());
        }
    }

    fn draw_x_labels(&self, x: ValueRange, area: Rect, buffer: &mut Buffer) {
        let axis: &Axis = &self.panel.x;
        let ticks: Vec<(f64, String)> = if axis.ticks.is_empty() {
            let shares = [0.0, 0.25, 0.5, 0.75];
            shares
                .map(|share| (x.value_at(share), format::three_significant(x.value_at(share))))
                .to_vec()
        } else {
            axis.ticks.clone()
        };
        let mut free = area.x;
        for (value, text) in ticks {
            let Some(share) = x.fraction(value) else { continue };
            let length = text.chars().count() as u16;
            let middle = area.x + (share * f64::from(area.width.saturating_sub(1))).round() as u16;
            let last = area.right().saturating_sub(length);
            let start = middle.saturating_sub(length / 2).clamp(area.x, last.max(area.x));
            if start >= free && length <= area.width {
                buffer.set_string(start, area.y, text, self.theme.label());
                free = start + length + 1;
            }
        }
    }
}

impl Widget for FigureChart<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width <= VALUE_WIDTH + 4 || area.height < 4 {
            return;
        }
        let legend = self.legend(area.width);
        let rows = (legend.len() as u16).clamp(1, (area.height / 4).max(1));
        render_lines(legend, "", Rect { height: rows, ..area }, buffer);
        let plot = Rect {
            x: area.x + VALUE_WIDTH,
            y: area.y + rows,
            width: area.width - VALUE_WIDTH,
            height: area.height - rows - 1,
        };
        let bars = self.panel.kind == PlotKind::Bars;
        let x = ValueRange::covering(
            panel_marks(self.panel).map(|mark| mark.x),
            self.panel.x.scale,
            false,
        );
        let y = ValueRange::covering(
            panel_marks(self.panel).flat_map(|mark| {
                let (least, greatest) = mark.whiskers.unwrap_or((mark.y, mark.y));
                [mark.y, least, greatest]
            }),
            self.panel.y.scale,
            bars || self.panel.y.scale == AxisScale::Linear,
        );
        let (Some(x), Some(y)) = (x, y) else {
            let text = "nothing was measured";
            buffer.set_string(plot.x, plot.y, text, self.theme.label());
            return;
        };
        // A single value is in the middle of its axis.
        let x =
            if x.from < x.to { x } else { ValueRange { from: x.from - 1.0, to: x.to + 1.0, ..x } };
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([0.0, 1.0])
            .y_bounds([0.0, 1.0])
            .paint(|context| self.draw_marks(x, y, context))
            .render(plot, buffer);
        self.draw_y_labels(y, Rect { width: VALUE_WIDTH, ..Rect { x: area.x, ..plot } }, buffer);
        let below = Rect { y: plot.bottom(), height: 1, ..plot };
        self.draw_x_labels(x, below, buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(kind: PlotKind, marks: Vec<PlotMark>) -> FigurePanel {
        FigurePanel {
            title: String::new(),
            kind,
            x: Axis::linear("users", ""),
            y: Axis::linear("mean", "ms"),
            series: vec![PlotSeries { label: "kafka".into(), style: 0, dashed: false, marks }],
            reference_lines: Vec::new(),
        }
    }

    fn drawn(panel: &FigurePanel) -> String {
        let area = Rect::new(0, 0, 60, 12);
        let mut buffer = Buffer::empty(area);
        FigureChart { panel, theme: Theme::None }.render(area, &mut buffer);
        let rows = (0..12).map(|y| (0..60).map(|x| buffer[(x, y)].symbol()).collect::<String>());
        rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn marks_are_at_their_values_and_axes_are_named() {
        let suspect =
            PlotMark { suspect: 1, whiskers: Some((1.0, 3.0)), ..PlotMark::at(1000.0, 2.0) };
        let text = drawn(&panel(PlotKind::Lines, vec![PlotMark::at(100.0, 1.0), suspect]));
        assert!(text.contains("● kafka  mean (ms) over users"), "{text}");
        assert!(text.lines().last().is_some_and(|line| line.contains("100")), "{text}");
        let rows: Vec<&str> = text.lines().collect();
        let row_of = |sign: char| {
            rows.iter()
                .skip(1)
                .position(|row| row.contains(sign))
                .unwrap_or_else(|| panic!("{text}"))
        };
        assert!(row_of('○') < row_of('●'), "a hollow mark, higher than the full one:\n{text}");
        assert!(rows[1].trim_start().starts_with("3.1"), "whiskers are within the axis:\n{text}");
    }

    #[test]
    fn curves_have_different_marks() {
        let marks = |y: f64| (0..100).map(|x| PlotMark::at(f64::from(x), y)).collect();
        let mut panel = panel(PlotKind::Curves, marks(1.0));
        let second =
            PlotSeries { label: "mariadb".into(), style: 1, dashed: false, marks: marks(2.0) };
        panel.series.push(second);
        let text = drawn(&panel);
        let plot: String = text.lines().skip(1).collect();
        for sign in ['●', '▲'] {
            assert!(plot.matches(sign).count() >= CURVE_MARKS, "{text}");
        }
    }

    #[test]
    fn extreme_values_are_drawn_without_panic() {
        for kind in [PlotKind::Lines, PlotKind::Curves, PlotKind::Dots, PlotKind::Bars] {
            for values in [vec![], vec![0.0], vec![-1.0, 5.0], vec![f64::NAN, 1e300, 1e-300]] {
                let marks = (0..).zip(values).map(|(x, y)| PlotMark::at(f64::from(x), y)).collect();
                let mut panel = panel(kind, marks);
                for scale in [AxisScale::Linear, AxisScale::Log, AxisScale::Categories] {
                    panel.x.scale = scale;
                    panel.y.scale = scale;
                    assert!(!drawn(&panel).is_empty());
                }
            }
        }
        assert!(drawn(&panel(PlotKind::Lines, Vec::new())).contains("nothing was measured"));
    }
}
