//! Messages and bytes per second: target, present, highest.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{cell, live::Scene, timeline, title, words};
use crate::{
    format::{self, MISSING},
    measure::Second,
    plan::Point,
    tui::{
        model::durability,
        widgets::{Drawn, Lines, Scale, Series, gauge},
    },
};

/// The three rates of a workload: of messages sent where there is a target, else of bytes.
struct Rates {
    target: Option<f64>,
    now: Option<f64>,
    peak: Option<f64>,
}

impl Rates {
    fn of(scene: &Scene, point: &Point) -> Self {
        let target = words::target(point);
        let value = |second: &Second| {
            if target.is_some() { second.sent as f64 } else { second.bytes as f64 }
        };
        Self {
            target,
            now: scene.watch.second().map(value),
            peak: scene.watch.seconds.iter().map(value).reduce(f64::max),
        }
    }

    fn words(&self, value: Option<f64>) -> String {
        if self.target.is_some() { format::optional(value) } else { format::rate(value) }
    }

    fn sentence(&self) -> String {
        match self.target {
            Some(target) => format!("{} of {} msg/s", self.words(self.now), format::three(target)),
            None => self.words(self.now),
        }
    }
}

/// Draws the panel.
pub fn draw(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = scene.block(title(theme, "throughput"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let Some(point) = scene.live.point() else { return };
    let snapshot = &scene.watch.snapshot;
    let rates = Rates::of(scene, point);
    let width = usize::from(inner.width);
    let label = |name: &str, value: &str| {
        let spans = cell(name, value, width.saturating_sub(name.len()), theme, Style::new());
        Line::from(spans.to_vec())
    };
    let connected = if scene.watch.is_measured() {
        let [connected, users] =
            [snapshot.connected, snapshot.users].map(|n| format::count(n.into()));
        format!("{connected} of {users}")
    } else {
        MISSING.to_owned()
    };
    let peak = format!(" peak {:>6}", rates.words(rates.peak));
    let room = inner.width.saturating_sub(peak.chars().count() as u16);
    let styles = [theme.data(), theme.label(), theme.title()];
    let mut bar = gauge(rates.now, rates.target, rates.peak, room, styles);
    bar.push_span(Span::styled(peak, theme.label()));
    let mut lines = vec![
        Line::from(Span::styled(format!("{:>width$}", rates.sentence()), theme.title())),
        bar,
        label("users", &connected),
        label("durability", durability(point.durability)),
    ];
    if inner.height >= 7 {
        let last = scene.watch.second();
        let delivered = last.map(|second| second.delivered as f64);
        let progress = scene.watch.is_measured().then_some(snapshot.progress);
        lines.push(label("arrived", &format!("{} msg/s", format::optional(delivered))));
        lines.push(label("payload", &format::rate(last.map(|second| second.bytes as f64))));
        lines.push(label("of plan", &format::percent(progress)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Draws the panel over the whole screen: sent and arrived over time, with the target.
pub fn alone(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let Some(point) = scene.live.point() else { return draw(scene, frame, area) };
    let rates = Rates::of(scene, point);
    let messages = rates.target.is_some();
    let (unit, arrived): (&str, fn(&Second) -> f64) = if messages {
        ("msg/s", |second| second.delivered as f64)
    } else {
        ("MB/s", |second| second.bytes as f64 / 1e6)
    };
    let points = |of: fn(&Second) -> f64| {
        let point = |second: &Second| (f64::from(second.second), of(second));
        scene.watch.seconds.iter().map(point).collect::<Vec<_>>()
    };
    let mut series =
        vec![Series { points: points(arrived), drawn: Drawn::Line, style: theme.data() }];
    if messages {
        let sent = points(|second| second.sent as f64);
        series.push(Series { points: sent, drawn: Drawn::Dots, style: theme.second() });
    }
    let until = timeline::until(scene);
    let over = format!(" throughput over {} ({unit})  ", format::span(until));
    let mut name = vec![Span::styled(over, theme.title()), Span::styled("⠤ arrived", theme.data())];
    if messages {
        name.push(Span::styled("  ⠂ sent  ", theme.second()));
        name.push(Span::styled("⠄⠄ target", theme.label()));
    }
    name.push(Span::raw(" "));
    let values = format!(
        " now {}  peak {}  users {} of {}  durability {} ",
        rates.sentence(),
        rates.words(rates.peak),
        format::count(scene.watch.snapshot.connected.into()),
        format::count(scene.watch.snapshot.users.into()),
        durability(point.durability),
    );
    let block = scene.block(Line::from(name)).title_bottom(Line::from(values));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let lines = Lines {
        series: &series,
        until,
        scale: Scale::Linear,
        limit: rates.target.map(|target| (target, theme.label())),
        cursor: scene.watch.cursor.map(|cursor| (cursor, theme.accent())),
        axis: theme.label(),
    };
    let plot = timeline::marked(scene, frame, inner);
    frame.render_widget(lines, plot);
}
