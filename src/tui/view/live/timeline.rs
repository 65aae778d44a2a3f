//! Latency over time, with events.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::context::LiveContext;
use crate::{
    event::LogLevel,
    format,
    measure::TimelineSecond,
    tui::{
        model::{BandDeviation, BandValue},
        text::draw_line,
        view::parts::{last_row, title},
        widgets::{
            BAND_SIGN, Band, LineChart, SeriesShape, TimeSeries, ValueScale, column_of, round_up,
        },
    },
};

/// Marks the second at which the operator changed the load.
const STEERED_SIGN: &str = "◆";
/// Smallest height of a chart with a separate row of events.
const MIN_HEIGHT_FOR_EVENTS: u16 = 4;

/// Draws the panel: median and p99 (or maximum) of each second.
pub fn draw(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let ack = context.is_producer_only();
    let p50: fn(&TimelineSecond) -> Option<f64> =
        if ack { |second| second.ack_p50 } else { |second| second.delivery_p50 };
    let tail = points_per_second(context, |second| second.delivery_p99);
    let (tail, tail_name) = match (ack, tail.is_empty()) {
        (true, _) => (Vec::new(), ""),
        (false, false) => (tail, "  ▲ p99"),
        (false, true) => (points_per_second(context, |second| second.delivery_max), "  ▲ max"),
    };
    let series = [
        TimeSeries {
            points: tail,
            shape: SeriesShape::Dots,
            style: theme.second_data(),
            mark: "▲",
        },
        TimeSeries {
            points: points_per_second(context, p50),
            shape: SeriesShape::Line,
            style: theme.data(),
            mark: "●",
        },
    ];
    let names = [("● p50", theme.data()), (tail_name, theme.second_data())];
    draw_chart(context, &series, &names, frame, area);
}

/// Draws p50, p99 and maximum of each second.
pub fn draw_percentiles(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let line = |of, style, mark| TimeSeries {
        points: points_per_second(context, of),
        shape: SeriesShape::Line,
        style,
        mark,
    };
    let series = if context.is_producer_only() {
        vec![line(|second: &TimelineSecond| second.ack_p50, theme.data(), "●")]
    } else {
        vec![
            TimeSeries {
                points: points_per_second(context, |second| second.delivery_max),
                shape: SeriesShape::Dots,
                style: theme.warn(),
                mark: "×",
            },
            line(|second| second.delivery_p99, theme.second_data(), "▲"),
            line(|second| second.delivery_p50, theme.data(), "●"),
        ]
    };
    let names =
        [("● p50", theme.data()), ("  ▲ p99", theme.second_data()), ("  × max", theme.warn())];
    let shown = if context.is_producer_only() { 1 } else { names.len() };
    draw_chart(context, &series, &names[..shown], frame, area);
}

/// Returns the time at the right edge of a chart, in seconds.
pub fn end_time(context: &LiveContext) -> f64 {
    let last = context.shown.seconds.last().map_or(0.0, |second| f64::from(second.second));
    context.shown.snapshot.planned_seconds.unwrap_or_else(|| round_up(last.max(10.0)))
}

/// Returns the value of each second, in the unit of the screen.
fn points_per_second(
    context: &LiveContext,
    value: fn(&TimelineSecond) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let unit = context.shown.unit;
    let point =
        |second: &TimelineSecond| Some((f64::from(second.second), unit.convert(value(second)?)));
    context.shown.seconds.iter().filter_map(point).collect()
}

/// Returns the band of the earlier repetitions of this point, with values converted by `convert`.
pub fn earlier_band(context: &LiveContext, value: BandValue, convert: impl Fn(f64) -> f64) -> Band {
    let Some(band) = context.live.band() else { return Band::default() };
    let ranges = band.ranges(value);
    Band {
        ranges: ranges.map(|(time, low, high)| (time, convert(low), convert(high))).collect(),
        style: context.theme.label(),
    }
}

/// Says how many earlier repetitions the band has, and for how many seconds this one is outside of it; and
/// whether that is more than a tenth of its seconds.
pub fn band_note(context: &LiveContext, value: BandValue) -> Option<(String, bool)> {
    let band = context.live.band()?;
    let (count, seconds) = (band.repetitions, &context.shown.seconds);
    let outside = band.deviation(seconds, value).map(|BandDeviation { above, below }| {
        let part = |seconds: usize, side: &str| match seconds {
            0 => None,
            seconds => Some(format!("{seconds} s {side}")),
        };
        let parts: Vec<_> = part(above, "above").into_iter().chain(part(below, "below")).collect();
        (parts.join(", "), (above + below) * 10 > seconds.len().max(10))
    });
    Some(match outside {
        Some((parts, is_much)) if !parts.is_empty() => {
            (format!("{BAND_SIGN} {count} before: {parts}"), is_much)
        }
        _ => (format!("{BAND_SIGN} {count} before"), false),
    })
}

fn draw_chart(
    context: &LiveContext,
    series: &[TimeSeries],
    names: &[(&str, Style)],
    frame: &mut Frame,
    area: Rect,
) {
    let theme = context.theme;
    let value = if context.is_producer_only() { BandValue::AckP50 } else { BandValue::DeliveryP50 };
    let what = if context.is_producer_only() { "acknowledgement" } else { "delivery" };
    let empty = series.iter().all(|series| series.points.is_empty());
    let until = end_time(context);
    let name = if empty {
        title(theme, &format!("{what} over time"))
    } else {
        let sign = context.shown.unit.symbol();
        let over = format!(" {what} over {} ({sign}, log)  ", format::time_span(until));
        let mut spans = vec![Span::styled(over, theme.title())];
        spans.extend(names.iter().map(|(name, style)| Span::styled((*name).to_owned(), *style)));
        let used: usize = spans.iter().map(Span::width).sum();
        if let Some((note, is_much)) = band_note(context, value)
            && used + note.width() + 6 <= usize::from(area.width)
        {
            let style = if is_much { theme.warn() } else { theme.label() };
            spans.push(Span::styled(format!("  {note}"), style));
        }
        spans.push(Span::raw(" "));
        Line::from(spans)
    };
    let mut block = context.block(name);
    if let Some(cursor) = context.shown.cursor {
        let text = format!(" at {} ", format::time_span(cursor));
        block = block.title(Line::from(Span::styled(text, theme.accent())).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if empty {
        return;
    }
    let lines = LineChart {
        series,
        band: earlier_band(context, value, |micros| context.shown.unit.convert(micros)),
        end_time: until,
        scale: ValueScale::Log,
        limit: delivery_threshold(context).map(|limit| (limit, theme.limit_line())),
        cursor: context.shown.cursor.map(|cursor| (cursor, theme.accent())),
        axis: theme.label(),
    };
    if inner.height >= MIN_HEIGHT_FOR_EVENTS {
        let plot = draw_event_row(context, frame, inner);
        frame.render_widget(lines, plot);
    } else {
        frame.render_widget(lines, inner);
        draw_events(context, frame, last_row(inner));
    }
}

/// Returns the first threshold on a delivery percentile, in the unit of the screen.
fn delivery_threshold(context: &LiveContext) -> Option<f64> {
    let of = |metric: &str| metric.starts_with("delivery.p");
    let threshold = context.live.plan.thresholds.iter().find(|threshold| of(&threshold.metric))?;
    (!context.is_producer_only()).then(|| context.shown.unit.convert(threshold.at_most))
}

/// Draws the row of events at the bottom of `area`, and returns the area above it.
pub fn draw_event_row(context: &LiveContext, frame: &mut Frame, area: Rect) -> Rect {
    if area.height < MIN_HEIGHT_FOR_EVENTS {
        return area;
    }
    let row = last_row(area);
    let start = Line::from(Span::styled("0 s", context.theme.label()));
    draw_line(start, frame, row);
    let end = format!("{:>7}", format::time_span(end_time(context)));
    draw_line(Line::from(Span::styled(end, context.theme.label())).right_aligned(), frame, row);
    draw_events(context, frame, row);
    Rect { height: area.height - 1, ..area }
}

/// Draws a sign at the second of each event: warnings, errors, first crossings of thresholds, changes by the
/// operator; and at all columns of a standstill.
fn draw_events(context: &LiveContext, frame: &mut Frame, row: Rect) {
    let theme = context.theme;
    let notes = context.shown.notes.iter().filter_map(|note| match note.level {
        LogLevel::Info => None,
        LogLevel::Warn => Some((note.second?, "!", theme.warn())),
        LogLevel::Error => Some((note.second?, "✗", theme.bad())),
    });
    let column = |second| column_of(second, end_time(context), row.width);
    for standstill in &context.shown.snapshot.standstills {
        let Some(from) = column(standstill.from) else { continue };
        let to = column(standstill.to).unwrap_or_else(|| row.width.saturating_sub(1));
        for cell in from..=to.max(from) {
            frame.buffer_mut()[(row.left() + cell, row.top())]
                .set_symbol("═")
                .set_style(theme.warn());
        }
    }
    let alarms = context.shown.snapshot.alarms.iter().map(|alarm| (alarm.since, "▲", theme.bad()));
    let steering = context.shown.snapshot.steering.iter();
    let steered = steering.flat_map(|steering| &steering.actions);
    let steered = steered.map(|action| (action.second, STEERED_SIGN, theme.accent()));
    for (second, sign, style) in notes.chain(alarms).chain(steered) {
        if let Some(column) = column(second) {
            frame.buffer_mut()[(row.left() + column, row.top())].set_symbol(sign).set_style(style);
        }
    }
}
