//! Latency panel in the selected view, and the table of durations.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Rect},
    text::{Line, Span},
};

use super::{context::LiveContext, timeline};
use crate::{
    event::{BAR_COUNT, Phase},
    format::{self, LatencyUnit},
    measure::LatencySummary,
    tui::{
        live_panel::LatencyView,
        text::{draw_line, draw_lines},
        theme::Theme,
        view::parts::{FULL_WIDTH, title},
        widgets::{HeatMap, Histogram, bar_range, progress_bar},
    },
};

/// Smallest height that stacks small histograms instead of placing them side by side.
const MIN_STACKED_HEIGHT: u16 = 12;

/// Draws the panel.
pub fn draw(context: &LiveContext, frame: &mut Frame, area: Rect) {
    if matches!(context.shown.phase, Some((Phase::Images, ..))) {
        return draw_images(context, frame, area);
    }
    let (_, summary, _) = context.primary_latency();
    match context.live.display.view {
        LatencyView::Histogram => draw_histogram(context, frame, area),
        _ if summary.count == 0 => draw_histogram(context, frame, area),
        LatencyView::Percentiles => timeline::draw_percentiles(context, frame, area),
        LatencyView::Durations => draw_durations(context, frame, area),
        LatencyView::Corrected => draw_corrected(context, frame, area),
        LatencyView::Heat => draw_heat_map(context, frame, area),
    }
}

fn draw_histogram(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let unit = context.shown.unit;
    let (name, summary, bars) = context.primary_latency();
    let name =
        if summary.count > 0 { format!("{name} ({})", unit.symbol()) } else { name.to_owned() };
    let mut block = context.block(title(theme, &name));
    if summary.count > 0 {
        let beside = percentile_spans(summary, unit, theme);
        // With the table beside the histogram, max and the count are enough.
        let from = if area.width < FULL_WIDTH { beside.len() - 2 } else { 0 };
        block = block.title(Line::from(beside[from..].to_vec()).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if summary.count == 0 {
        let text = Line::from(Span::styled("no measured message yet", theme.label()));
        let middle = inner.centered_vertically(Constraint::Length(1));
        return draw_line(text.centered(), frame, middle);
    }
    let marks: Vec<(f64, &'static str)> = if inner.height >= 6 {
        [(summary.p50, "p50"), (summary.p99, "p99")]
            .into_iter()
            .filter_map(|(value, sign)| value.map(|value| (value, sign)))
            .collect()
    } else {
        Vec::new()
    };
    let histogram = Histogram {
        bars,
        unit,
        style: theme.data(),
        axis: theme.label(),
        marks: &marks,
        bar_range: None,
    };
    frame.render_widget(histogram, inner);
    if summary.negative > 0 {
        let text = format!(" {} below zero ", format::count(summary.negative));
        let line = Line::from(Span::styled(text, theme.bad())).right_aligned();
        draw_line(line, frame, Rect { height: 1, ..inner });
    }
}

/// Draws the histograms of the four durations over one axis.
fn draw_durations(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let snapshot = &context.shown.snapshot;
    let (durations, bars) = (&snapshot.durations, &snapshot.bars);
    let all = [
        ("lag", &durations.lag, bars.lag.as_slice()),
        ("ack", &durations.ack, &bars.ack),
        ("delivery", &durations.delivery, &bars.delivery),
        ("response", &durations.response, &bars.response),
    ];
    draw_histograms(context, "four durations, one axis", &all, frame, area);
}

/// Draws delivery (from the send) and response (from the due time) over one axis.
fn draw_corrected(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let snapshot = &context.shown.snapshot;
    let (durations, bars) = (&snapshot.durations, &snapshot.bars);
    let both = [
        ("uncorrected: delivery", &durations.delivery, bars.delivery.as_slice()),
        ("corrected: response", &durations.response, &bars.response),
    ];
    let difference = |of: fn(&LatencySummary) -> Option<f64>| {
        let micros = of(&durations.response).zip(of(&durations.delivery)).map(|(a, b)| a - b);
        context.shown.unit.format(micros)
    };
    let name = format!(
        "corrected − uncorrected: p50 {}  p99 {}  max {}",
        difference(|summary| summary.p50).trim(),
        difference(|summary| summary.p99).trim(),
        difference(|summary| summary.max).trim(),
    );
    draw_histograms(context, &name, &both, frame, area);
}

/// Draws small histograms over one axis, stacked or, in a low area, side by side.
fn draw_histograms(
    context: &LiveContext,
    name: &str,
    all: &[(&str, &LatencySummary, &[u64])],
    frame: &mut Frame,
    area: Rect,
) {
    let theme = context.theme;
    let block = context.block(title(theme, &format!("{name} ({})", context.shown.unit.symbol())));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let bars: Vec<&[u64]> = all.iter().map(|(.., bars)| *bars).collect();
    let Some(range) = bar_range(&bars) else { return };
    let parts = vec![Constraint::Fill(1); all.len()];
    let parts = if inner.height >= MIN_STACKED_HEIGHT {
        Layout::vertical(parts).split(inner)
    } else {
        Layout::horizontal(parts).spacing(1).split(inner)
    };
    for ((name, summary, bars), part) in all.iter().zip(parts.iter()) {
        let [label, plot] =
            part.layout(&Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]));
        let mut words = vec![Span::styled(format!(" {name}"), theme.title())];
        if summary.count == 0 {
            words.push(Span::styled("  not measured", theme.label()));
        } else if part.width >= 60 {
            words.extend(percentile_spans(summary, context.shown.unit, theme));
        } else {
            for (sign, value) in [("p50", summary.p50), ("p99", summary.p99)] {
                let value = context.shown.unit.format(value);
                let room =
                    usize::from(part.width).saturating_sub(Line::from(words.clone()).width());
                if room > sign.len() + value.len() + 2 {
                    words.push(Span::styled(format!(" {sign} "), theme.label()));
                    words.push(Span::raw(value));
                }
            }
        }
        draw_line(Line::from(words), frame, label);
        let histogram = Histogram {
            bars,
            unit: context.shown.unit,
            style: theme.data(),
            axis: theme.label(),
            marks: &[],
            bar_range: Some(range),
        };
        frame.render_widget(histogram, plot);
    }
}

/// Draws the heat map of latency over time.
fn draw_heat_map(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let producers = context.is_producer_only();
    let mut before: Vec<u64> = vec![0; BAR_COUNT];
    let mut intervals = Vec::new();
    let mut since = 0.0;
    for snapshot in &context.shown.frames {
        let bars = if producers { &snapshot.bars.ack } else { &snapshot.bars.delivery };
        let added: Vec<u64> =
            bars.iter().zip(&before).map(|(now, then)| now.saturating_sub(*then)).collect();
        if added.iter().any(|count| *count > 0) {
            intervals.push((since, added));
        }
        since = snapshot.seconds;
        before.clone_from(bars);
    }
    let until = timeline::end_time(context);
    let name = format!(
        "{} over {} ({}, log), dark = many",
        if producers { "acknowledgement" } else { "delivery" },
        format::time_span(until),
        context.shown.unit.symbol()
    );
    let block = context.block(title(theme, &name));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(range) = bar_range(&[&before]) else { return };
    let map = HeatMap {
        intervals: &intervals,
        end_time: until,
        bar_range: range,
        unit: context.shown.unit,
        shades: theme.shades(),
        axis: theme.label(),
        cursor: context.shown.cursor.map(|cursor| (cursor, theme.accent())),
    };
    let chart = timeline::draw_event_row(context, frame, inner);
    frame.render_widget(map, chart);
}

/// Draws the progress of building and pulling images, which precedes the first message.
fn draw_images(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let block = context.block(title(theme, "images"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let mut lines = Vec::new();
    if context.shown.images.is_empty() {
        lines.push(Line::from(Span::styled("checking the images", theme.label())));
    }
    let newest = context.shown.images.iter().rev().take(usize::from(inner.height).div_ceil(2));
    for (image, step, percent) in newest {
        let share = percent.map(|percent| f64::from(percent) / 100.0);
        let mut line =
            vec![Span::styled(format!("{:<24} ", format::truncate(image, 24)), theme.title())];
        let bar = progress_bar(share, inner.width.saturating_sub(32), theme.data(), theme.label());
        line.extend(bar.spans);
        line.push(Span::raw(format!(" {:>5}", format::percent(share))));
        lines.push(Line::from(line));
        lines.push(Line::from(format!(
            "  {}",
            format::truncate(step, usize::from(inner.width) - 2)
        )));
    }
    draw_lines(lines, frame, inner);
}

/// Draws the table of the four durations.
pub fn draw_table(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let unit = context.shown.unit;
    let block = context.block(title(theme, &format!("durations ({})", unit.symbol())));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let head = format!(
        " {:<9}{:>10}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}",
        "", "count", "min", "mean", "p50", "p90", "p99", "p99.9", "max"
    );
    let durations = &context.shown.snapshot.durations;
    let row = |name: &str, summary: &LatencySummary| {
        let numbers: String = [
            summary.min,
            summary.mean,
            summary.p50,
            summary.p90,
            summary.p99,
            summary.p999,
            summary.max,
        ]
        .map(|value| format!("{:>7}", unit.format(value)))
        .concat();
        let count = if summary.count == 0 {
            format::MISSING.to_owned()
        } else {
            format::count(summary.count)
        };
        Line::from(vec![
            Span::styled(format!(" {name:<9}"), theme.title()),
            Span::raw(format!("{count:>10}{numbers}")),
        ])
    };
    let mut lines = vec![
        Line::from(Span::styled(head, theme.label())),
        row("lag", &durations.lag),
        row("ack", &durations.ack),
        row("delivery", &durations.delivery),
        row("response", &durations.response),
    ];
    if inner.height >= 10 {
        let explained = [
            "",
            " lag       sent − due: hubmark's own lateness",
            " ack       acknowledged − sent",
            " delivery  received − sent: the study's latency",
            " response  received − due: what a device's owner feels",
        ];
        lines.extend(explained.map(|text| Line::from(Span::styled(text, theme.label()))));
    }
    draw_lines(lines, frame, inner);
}

/// Returns percentiles and count in fixed columns.
pub fn percentile_spans(
    summary: &LatencySummary,
    unit: LatencyUnit,
    theme: Theme,
) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let values =
        [("p50", summary.p50), ("p90", summary.p90), ("p99", summary.p99), ("max", summary.max)];
    for (name, value) in values {
        spans.push(Span::styled(format!(" {name}"), theme.label()));
        spans.push(Span::styled(format!(" {:>5}", unit.format(value)), theme.title()));
    }
    spans.push(Span::styled("  n", theme.label()));
    spans.push(Span::raw(format!(" {:>7} ", format::count(summary.count))));
    spans
}
