//! One panel of a report's figure: marks over two axes, in braille.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    symbols::Marker,
    text::Span,
    widgets::{
        Widget,
        canvas::{Canvas, Context, Line as Stroke},
    },
};

use crate::{
    format,
    report::figures::{Axis, Kind, Mark, Panel, Scale, Series},
    tui::theme::Theme,
};

/// Columns of the values at the left.
const VALUES: u16 = 8;
/// Signs of the series: measured well, and with suspect repetitions behind it.
const SIGNS: [(&str, &str); 4] = [("●", "○"), ("▲", "△"), ("■", "□"), ("◆", "◇")];

/// Draws a panel.
pub struct Chart<'a> {
    /// What is drawn.
    pub panel: &'a Panel,
    /// The styles.
    pub theme: Theme,
}

/// The part of an axis that is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    from: f64,
    to: f64,
    scale: Scale,
}

impl Range {
    /// What holds all `values`; a linear one begins at 0 where `zero` says so.
    fn of(values: impl Iterator<Item = f64>, scale: Scale, zero: bool) -> Option<Self> {
        let usable = |value: &f64| value.is_finite() && (scale != Scale::Log || *value > 0.0);
        let (least, greatest) = values
            .filter(usable)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if least > greatest {
            return None;
        }
        let (from, to) = match scale {
            Scale::Log => (least / 1.1, greatest * 1.1),
            Scale::Categories => (least - 0.5, greatest + 0.5),
            Scale::Linear => {
                let from = if zero { least.min(0.0) } else { least };
                let room = (greatest - from).max(greatest.abs() * 1e-3).max(f64::MIN_POSITIVE);
                (from, greatest + room * 0.05)
            }
        };
        Some(Self { from, to, scale })
    }

    /// Where a value is, from 0 to 1; `None` of one that the scale cannot show.
    fn share(self, value: f64) -> Option<f64> {
        let share = match self.scale {
            Scale::Log if value <= 0.0 => return None,
            Scale::Log => (value / self.from).ln() / (self.to / self.from).ln(),
            Scale::Linear | Scale::Categories => (value - self.from) / (self.to - self.from),
        };
        share.is_finite().then_some(share.clamp(0.0, 1.0))
    }

    /// The value at a share.
    fn value(self, share: f64) -> f64 {
        match self.scale {
            Scale::Log => self.from * (self.to / self.from).powf(share),
            Scale::Linear | Scale::Categories => self.from + (self.to - self.from) * share,
        }
    }
}

fn marks(panel: &Panel) -> impl Iterator<Item = &Mark> {
    panel.series.iter().flat_map(|series| &series.marks)
}

impl Chart<'_> {
    fn style(&self, series: &Series) -> Style {
        match series.style % 4 {
            0 => self.theme.data(),
            1 => self.theme.second(),
            2 => self.theme.good(),
            _ => self.theme.bad_line(),
        }
    }

    fn legend(&self, area: Rect, buffer: &mut Buffer) {
        let mut x = area.x;
        let mut put = |text: &str, style: Style| {
            let room = usize::from(area.right().saturating_sub(x));
            let (end, _) = buffer.set_stringn(x, area.y, text, room, style);
            x = end;
        };
        if !self.panel.title.is_empty() {
            put(&format!("{}  ", self.panel.title), self.theme.title());
        }
        for series in &self.panel.series {
            put(SIGNS[series.style % SIGNS.len()].0, self.style(series));
            let dashed = if series.dashed { " (dashed)" } else { "" };
            put(&format!(" {}{dashed}  ", series.label), Style::new());
        }
        let axes = format!("{} over {}", self.panel.y.name(), self.panel.x.name());
        put(&axes, self.theme.label());
    }

    fn paint(&self, x: Range, y: Range, context: &mut Context) {
        let bars = self.panel.series.len().max(1) as f64;
        for (place, series) in self.panel.series.iter().enumerate() {
            let colour = self.style(series).fg.unwrap_or_default();
            let aside = match self.panel.kind {
                Kind::Bars => (place as f64 - (bars - 1.0) / 2.0) * 0.8 / bars,
                Kind::Lines | Kind::Curves | Kind::Dots => 0.0,
            };
            let at = |mark: &Mark, value: f64| Some((x.share(mark.x + aside)?, y.share(value)?));
            let mut stroke = |from: Option<(f64, f64)>, to: Option<(f64, f64)>| {
                if let (Some((x1, y1)), Some((x2, y2))) = (from, to) {
                    context.draw(&Stroke { x1, y1, x2, y2, color: colour });
                }
            };
            for mark in &series.marks {
                if let Some((least, greatest)) = mark.whiskers {
                    stroke(at(mark, least), at(mark, greatest));
                }
                if self.panel.kind == Kind::Bars
                    && let Some((middle, top)) = at(mark, mark.y)
                {
                    let half = 0.25 / bars / (x.to - x.from);
                    for step in 0..=96 {
                        let place = middle - half + half * f64::from(step) / 48.0;
                        stroke(Some((place, 0.0)), Some((place, top)));
                    }
                }
            }
            if matches!(self.panel.kind, Kind::Lines | Kind::Curves) {
                for (place, pair) in series.marks.windows(2).enumerate() {
                    if !series.dashed || place % 2 == 0 {
                        stroke(at(&pair[0], pair[0].y), at(&pair[1], pair[1].y));
                    }
                }
            }
            if self.panel.kind != Kind::Curves {
                let (whole, hollow) = SIGNS[series.style % SIGNS.len()];
                for mark in &series.marks {
                    let sign = if mark.suspect > 0 { hollow } else { whole };
                    if let Some((x, y)) = at(mark, mark.y) {
                        context.print(x, y, Span::styled(sign, self.style(series)));
                    }
                }
            }
        }
    }

    fn values(&self, y: Range, area: Rect, buffer: &mut Buffer) {
        let rows = area.height.max(1);
        let every = (rows / 4).max(2);
        for row in (0..rows).filter(|row| row % every == 0 || *row == rows - 1) {
            let share = 1.0 - f64::from(row) / f64::from((rows - 1).max(1));
            let text = format!(
                "{:>width$}",
                format::three(y.value(share)),
                width = usize::from(VALUES) - 1
            );
            buffer.set_stringn(area.x, area.y + row, text, usize::from(VALUES), self.theme.label());
        }
    }

    fn ticks(&self, x: Range, area: Rect, buffer: &mut Buffer) {
        let axis: &Axis = &self.panel.x;
        let ticks: Vec<(f64, String)> = if axis.ticks.is_empty() {
            let shares = [0.0, 0.25, 0.5, 0.75];
            shares.map(|share| (x.value(share), format::three(x.value(share)))).to_vec()
        } else {
            axis.ticks.clone()
        };
        let mut free = area.x;
        for (value, text) in ticks {
            let Some(share) = x.share(value) else { continue };
            let length = text.chars().count() as u16;
            let middle = area.x + (share * f64::from(area.width.saturating_sub(1))).round() as u16;
            let last = area.right().saturating_sub(length);
            let start = middle.saturating_sub(length / 2).clamp(area.x, last.max(area.x));
            if start >= free {
                buffer.set_string(start, area.y, text, self.theme.label());
                free = start + length + 1;
            }
        }
    }
}

impl Widget for Chart<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width <= VALUES + 4 || area.height < 4 {
            return;
        }
        self.legend(Rect { height: 1, ..area }, buffer);
        let plot = Rect {
            x: area.x + VALUES,
            y: area.y + 1,
            width: area.width - VALUES,
            height: area.height - 2,
        };
        let bars = self.panel.kind == Kind::Bars;
        let x = Range::of(marks(self.panel).map(|mark| mark.x), self.panel.x.scale, false);
        let y = Range::of(
            marks(self.panel).flat_map(|mark| {
                let (least, greatest) = mark.whiskers.unwrap_or((mark.y, mark.y));
                [mark.y, least, greatest]
            }),
            self.panel.y.scale,
            bars || self.panel.y.scale == Scale::Linear,
        );
        let (Some(x), Some(y)) = (x, y) else {
            let text = "nothing was measured";
            buffer.set_string(plot.x, plot.y, text, self.theme.label());
            return;
        };
        // A single place in the middle of its axis.
        let x = if x.from < x.to { x } else { Range { from: x.from - 1.0, to: x.to + 1.0, ..x } };
        Canvas::default()
            .marker(Marker::Braille)
            .x_bounds([0.0, 1.0])
            .y_bounds([0.0, 1.0])
            .paint(|context| self.paint(x, y, context))
            .render(plot, buffer);
        self.values(y, Rect { width: VALUES, ..Rect { x: area.x, ..plot } }, buffer);
        let below = Rect { y: plot.bottom(), height: 1, ..plot };
        self.ticks(x, below, buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(kind: Kind, marks: Vec<Mark>) -> Panel {
        Panel {
            title: String::new(),
            kind,
            x: Axis::linear("users", ""),
            y: Axis::linear("mean", "ms"),
            series: vec![Series { label: "kafka".into(), style: 0, dashed: false, marks }],
            guides: Vec::new(),
        }
    }

    fn drawn(panel: &Panel) -> String {
        let area = Rect::new(0, 0, 60, 12);
        let mut buffer = Buffer::empty(area);
        Chart { panel, theme: Theme::None }.render(area, &mut buffer);
        let rows = (0..12).map(|y| (0..60).map(|x| buffer[(x, y)].symbol()).collect::<String>());
        rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn marks_lie_where_their_values_are_and_axes_name_themselves() {
        let suspect = Mark { suspect: 1, whiskers: Some((1.0, 3.0)), ..Mark::at(1000.0, 2.0) };
        let text = drawn(&panel(Kind::Lines, vec![Mark::at(100.0, 1.0), suspect]));
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
    fn whatever_is_drawn_nothing_breaks() {
        for kind in [Kind::Lines, Kind::Curves, Kind::Dots, Kind::Bars] {
            for values in [vec![], vec![0.0], vec![-1.0, 5.0], vec![f64::NAN, 1e300, 1e-300]] {
                let marks = (0..).zip(values).map(|(x, y)| Mark::at(f64::from(x), y)).collect();
                let mut panel = panel(kind, marks);
                for scale in [Scale::Linear, Scale::Log, Scale::Categories] {
                    panel.x.scale = scale;
                    panel.y.scale = scale;
                    assert!(!drawn(&panel).is_empty());
                }
            }
        }
        assert!(drawn(&panel(Kind::Lines, Vec::new())).contains("nothing was measured"));
    }
}
