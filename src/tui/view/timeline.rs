//! Durations over time, with what happened meanwhile.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{live::Scene, title};
use crate::{
    event::Level,
    format,
    measure::Second,
    tui::widgets::{Drawn, Lines, Scale, Series, ceiling, column_of},
};

/// From this height of a chart on, events have a row of their own below it.
const ROOM_FOR_EVENTS: u16 = 4;

/// Draws the panel: the median and the tail of each second.
pub fn draw(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let ack = scene.producers_only();
    let p50: fn(&Second) -> Option<f64> =
        if ack { |second| second.ack_p50 } else { |second| second.delivery_p50 };
    let tail = points(scene, |second| second.delivery_p99);
    let (tail, tail_name) = match (ack, tail.is_empty()) {
        (true, _) => (Vec::new(), ""),
        (false, false) => (tail, "  ⠂ p99"),
        (false, true) => (points(scene, |second| second.delivery_max), "  ⠂ max"),
    };
    let series = [
        Series { points: tail, drawn: Drawn::Dots, style: theme.second() },
        Series { points: points(scene, p50), drawn: Drawn::Line, style: theme.data() },
    ];
    let names = [("⠤ p50", theme.data()), (tail_name, theme.second())];
    chart(scene, &series, &names, frame, area);
}

/// Draws p50, p99 and the largest of each second.
pub fn percentiles(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let line = |of, style| Series { points: points(scene, of), drawn: Drawn::Line, style };
    let series = if scene.producers_only() {
        vec![line(|second: &Second| second.ack_p50, theme.data())]
    } else {
        vec![
            Series {
                points: points(scene, |second| second.delivery_max),
                drawn: Drawn::Dots,
                style: theme.warn(),
            },
            line(|second| second.delivery_p99, theme.second()),
            line(|second| second.delivery_p50, theme.data()),
        ]
    };
    let names = [
        ("from below: ⠤ p50", theme.data()),
        ("  ⠤ p99", theme.second()),
        ("  ⠂ max", theme.warn()),
    ];
    let shown = if scene.producers_only() { 1 } else { names.len() };
    chart(scene, &series, &names[..shown], frame, area);
}

/// The time at the right edge of a chart.
pub fn until(scene: &Scene) -> f64 {
    let last = scene.watch.seconds.last().map_or(0.0, |second| f64::from(second.second));
    scene.watch.snapshot.planned_seconds.unwrap_or_else(|| ceiling(last.max(10.0)))
}

/// A value of each second, in the unit of the screen.
fn points(scene: &Scene, value: fn(&Second) -> Option<f64>) -> Vec<(f64, f64)> {
    let unit = scene.watch.unit;
    let point = |second: &Second| Some((f64::from(second.second), unit.of(value(second)?)));
    scene.watch.seconds.iter().filter_map(point).collect()
}

fn chart(scene: &Scene, series: &[Series], names: &[(&str, Style)], frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let what = if scene.producers_only() { "acknowledgement" } else { "delivery" };
    let empty = series.iter().all(|series| series.points.is_empty());
    let until = until(scene);
    let name = if empty {
        title(theme, &format!("{what} over time"))
    } else {
        let sign = scene.watch.unit.sign();
        let over = format!(" {what} over {} ({sign}, log)  ", format::span(until));
        let mut spans = vec![Span::styled(over, theme.title())];
        spans.extend(names.iter().map(|(name, style)| Span::styled((*name).to_owned(), *style)));
        spans.push(Span::raw(" "));
        Line::from(spans)
    };
    let mut block = scene.block(name);
    if let Some(cursor) = scene.watch.cursor {
        let text = format!(" at {} ", format::span(cursor));
        block = block.title(Line::from(Span::styled(text, theme.accent())).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if empty {
        return;
    }
    let lines = Lines {
        series,
        until,
        scale: Scale::Log,
        limit: limit(scene).map(|limit| (limit, theme.bad_line())),
        cursor: scene.watch.cursor.map(|cursor| (cursor, theme.accent())),
        axis: theme.label(),
    };
    if inner.height >= ROOM_FOR_EVENTS {
        let plot = marked(scene, frame, inner);
        frame.render_widget(lines, plot);
    } else {
        frame.render_widget(lines, inner);
        events(scene, frame, Rect { y: inner.bottom() - 1, height: 1, ..inner });
    }
}

/// The first threshold on a delivery's percentile, in the unit of the screen.
fn limit(scene: &Scene) -> Option<f64> {
    let of = |metric: &str| metric.starts_with("delivery.p");
    let threshold = scene.live.plan.thresholds.iter().find(|threshold| of(&threshold.metric))?;
    (!scene.producers_only()).then(|| scene.watch.unit.of(threshold.at_most))
}

/// Draws the row of events at the bottom of `area`, and returns what is left above it.
pub fn marked(scene: &Scene, frame: &mut Frame, area: Rect) -> Rect {
    if area.height < ROOM_FOR_EVENTS {
        return area;
    }
    let row = Rect { y: area.bottom() - 1, height: 1, ..area };
    let start = Line::from(Span::styled("0 s", scene.theme.label()));
    frame.render_widget(start, row);
    let end = format!("{:>7}", format::span(until(scene)));
    frame.render_widget(Line::from(Span::styled(end, scene.theme.label())).right_aligned(), row);
    events(scene, frame, row);
    Rect { height: area.height - 1, ..area }
}

/// What happened, at its second: warnings, errors, thresholds when they were first crossed.
fn events(scene: &Scene, frame: &mut Frame, row: Rect) {
    let theme = scene.theme;
    let notes = scene.watch.notes.iter().filter_map(|note| match note.level {
        Level::Info => None,
        Level::Warn => Some((note.second?, "!", theme.warn())),
        Level::Error => Some((note.second?, "✗", theme.bad())),
    });
    let alarms = scene.watch.snapshot.alarms.iter().map(|alarm| (alarm.since, "▲", theme.bad()));
    for (second, sign, style) in notes.chain(alarms) {
        if let Some(column) = column_of(second, until(scene), row.width) {
            frame.buffer_mut()[(row.left() + column, row.top())].set_symbol(sign).set_style(style);
        }
    }
}
