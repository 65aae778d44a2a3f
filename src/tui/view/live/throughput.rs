//! Throughput panel: current, target and peak rate.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    style::Style,
    text::{Line, Span},
};

use super::{context::LiveContext, timeline};
use crate::{
    format::{self, MISSING},
    measure::TimelineSecond,
    plan::Point,
    tui::{
        model::BandValue,
        plan_text,
        text::draw_lines,
        view::parts::{labelled_value, title},
        widgets::{LineChart, SeriesShape, TimeSeries, ValueScale, gauge},
    },
};

/// Rates of a workload: messages sent per second if the plan has a target, else bytes per second.
struct ThroughputRates {
    target: Option<f64>,
    current: Option<f64>,
    peak: Option<f64>,
}

impl ThroughputRates {
    fn new(context: &LiveContext, point: &Point) -> Self {
        let target = plan_text::target_rate(point).map(|rate| rate * context.shown.rate_factor());
        let value = |second: &TimelineSecond| {
            if target.is_some() { second.sent as f64 } else { second.bytes as f64 }
        };
        Self {
            target,
            current: context.shown.second().map(value),
            peak: context.shown.seconds.iter().map(value).reduce(f64::max),
        }
    }

    fn format_rate(&self, value: Option<f64>) -> String {
        if self.target.is_some() { format::optional_number(value) } else { format::rate(value) }
    }

    /// The present rate and its target in at most `room` columns.
    fn current_of_target(&self, room: usize) -> String {
        let current = self.format_rate(self.current);
        match self.target {
            Some(target) => part_of(&current, &format::three_significant(target), " msg/s", room),
            None => current,
        }
    }
}

/// Returns `part` of `whole` in at most `room` columns if possible: `9,990 of 10,000` or `9,990/10,000`.
fn part_of(part: &str, whole: &str, unit: &str, room: usize) -> String {
    let spelled = format!("{part} of {whole}{unit}");
    if spelled.chars().count() <= room { spelled } else { format!("{part}/{whole}{unit}") }
}

/// Returns the connected users among all in at most `room` columns if possible.
fn connected_users(context: &LiveContext, room: usize) -> String {
    if !context.shown.is_measured() {
        return MISSING.to_owned();
    }
    let snapshot = &context.shown.snapshot;
    let [connected, users] = [snapshot.connected, snapshot.users].map(|n| format::count(n.into()));
    part_of(&connected, &users, "", room)
}

/// Returns rate, target and connected users in one line; `None` outside of a point.
pub fn summary_line(context: &LiveContext) -> Option<Line<'static>> {
    let rates = ThroughputRates::new(context, context.live.point()?);
    Some(Line::from(vec![
        Span::styled(" sent ", context.theme.label()),
        Span::raw(rates.current_of_target(usize::MAX)),
        Span::styled("  users ", context.theme.label()),
        Span::raw(connected_users(context, usize::MAX)),
    ]))
}

/// Draws the panel.
pub fn draw(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let block = context.block(title(theme, "throughput"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let Some(point) = context.live.point() else { return };
    let snapshot = &context.shown.snapshot;
    let rates = ThroughputRates::new(context, point);
    let width = usize::from(inner.width);
    let label = |name: &str, value: &str| {
        let spans =
            labelled_value(name, value, width.saturating_sub(name.len()), theme, Style::new());
        Line::from(spans.to_vec())
    };
    let peak = format!(" peak {:>6}", rates.format_rate(rates.peak));
    let room = inner.width.saturating_sub(peak.chars().count() as u16);
    let styles = [theme.data(), theme.label(), theme.title()];
    let mut bar = gauge(rates.current, rates.target, rates.peak, room, styles);
    bar.push_span(Span::styled(peak, theme.label()));
    let mut lines = vec![
        Line::from(Span::styled(
            format!("{:>width$}", rates.current_of_target(width)),
            theme.title(),
        )),
        bar,
        label("users", &connected_users(context, width.saturating_sub("users ".len()))),
        label("durability", point.durability.name()),
    ];
    if inner.height >= 7 {
        let last = context.shown.second();
        let delivered = last.map(|second| second.delivered as f64);
        if rates.target.is_some() && inner.height >= 8 {
            let due = last.map(|second| second.due as f64);
            lines.push(label("due", &format!("{} msg/s", format::optional_number(due))));
        }
        let progress = context.shown.is_measured().then_some(snapshot.progress);
        lines.push(label("arrived", &format!("{} msg/s", format::optional_number(delivered))));
        lines.push(label("payload", &format::rate(last.map(|second| second.bytes as f64))));
        lines.push(label("of plan", &format::percent(progress)));
    }
    draw_lines(lines, frame, inner);
}

/// Draws the panel on the whole screen: sent and arrived over time, with the target.
pub fn draw_full_screen(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let Some(point) = context.live.point() else { return draw(context, frame, area) };
    let rates = ThroughputRates::new(context, point);
    let messages = rates.target.is_some();
    let (unit, arrived): (&str, fn(&TimelineSecond) -> f64) = if messages {
        ("msg/s", |second| second.delivered as f64)
    } else {
        ("MB/s", |second| second.bytes as f64 / 1e6)
    };
    let points = |of: fn(&TimelineSecond) -> f64| {
        let point = |second: &TimelineSecond| (f64::from(second.second), of(second));
        context.shown.seconds.iter().map(point).collect::<Vec<_>>()
    };
    let mut series = vec![TimeSeries {
        points: points(arrived),
        shape: SeriesShape::Line,
        style: theme.data(),
        mark: "●",
    }];
    if messages {
        series.push(TimeSeries {
            points: points(|second| second.due as f64),
            shape: SeriesShape::Dots,
            style: theme.label(),
            mark: "",
        });
        let sent = points(|second| second.sent as f64);
        series.push(TimeSeries {
            points: sent,
            shape: SeriesShape::Dots,
            style: theme.second_data(),
            mark: "▲",
        });
    }
    let until = timeline::end_time(context);
    let over = format!(" throughput over {} ({unit})  ", format::time_span(until));
    let mut name = vec![Span::styled(over, theme.title()), Span::styled("● arrived", theme.data())];
    if messages {
        name.push(Span::styled("  ⠂ due", theme.label()));
        name.push(Span::styled("  ▲ sent  ", theme.second_data()));
        name.push(Span::styled("⠄⠄ target", theme.label()));
    }
    name.push(Span::raw(" "));
    let values = format!(
        " now {}  peak {}  users {}  durability {} ",
        rates.current_of_target(usize::MAX),
        rates.format_rate(rates.peak),
        connected_users(context, usize::MAX),
        point.durability.name(),
    );
    let block = context.block(Line::from(name)).title_bottom(Line::from(values));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (value, divisor) =
        if messages { (BandValue::Delivered, 1.0) } else { (BandValue::Bytes, 1e6) };
    let lines = LineChart {
        series: &series,
        band: timeline::earlier_band(context, value, |value| value / divisor),
        end_time: until,
        scale: ValueScale::Linear,
        limit: rates.target.map(|target| (target, theme.label())),
        cursor: context.shown.cursor.map(|cursor| (cursor, theme.accent())),
        axis: theme.label(),
    };
    let plot = timeline::draw_event_row(context, frame, inner);
    frame.render_widget(lines, plot);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_ten_thousand_fits_the_panel_of_eighty_columns() {
        assert_eq!(part_of("248", "250", " msg/s", 20), "248 of 250 msg/s");
        assert_eq!(part_of("9,990", "10,000", " msg/s", 20), "9,990/10,000 msg/s");
        assert_eq!(part_of("10,000", "10,000", "", 14), "10,000/10,000");
    }
}
