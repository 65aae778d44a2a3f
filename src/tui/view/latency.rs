//! The latency, in the view that the operator chose.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{SMALLEST, live::Scene, timeline, title};
use crate::{
    event::{BARS, Phase},
    format::{self, Unit},
    measure::Spread,
    tui::{
        model::View,
        theme::Theme,
        widgets::{Heat, Histogram, extent, meter},
    },
};

/// From this height on, small histograms stand one below the other.
const STACKED: u16 = 12;

/// Draws the panel.
pub fn draw(scene: &Scene, frame: &mut Frame, area: Rect) {
    if matches!(scene.watch.phase, Some((Phase::Images, ..))) {
        return images(scene, frame, area);
    }
    let (_, spread, _) = scene.main_duration();
    match scene.live.look.view {
        View::Histogram => histogram(scene, frame, area),
        _ if spread.count == 0 => histogram(scene, frame, area),
        View::Percentiles => timeline::percentiles(scene, frame, area),
        View::Durations => four(scene, frame, area),
        View::Corrected => corrected(scene, frame, area),
        View::Heat => heat(scene, frame, area),
    }
}

fn histogram(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let unit = scene.watch.unit;
    let (name, spread, bars) = scene.main_duration();
    let name = if spread.count > 0 { format!("{name} ({})", unit.sign()) } else { name.to_owned() };
    let mut block = scene.block(title(theme, &name));
    if spread.count > 0 {
        let beside = percentiles(spread, unit, theme);
        // Where the table stands beside it, the count is enough.
        let from = if area.width < SMALLEST.0 { beside.len() - 2 } else { 0 };
        block = block.title(Line::from(beside[from..].to_vec()).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if spread.count == 0 {
        let text = Line::from(Span::styled("no measured message yet", theme.label()));
        let middle = inner.centered_vertically(Constraint::Length(1));
        return frame.render_widget(text.centered(), middle);
    }
    let marks: Vec<(f64, &'static str)> = if inner.height >= 6 {
        [(spread.p50, "p50"), (spread.p99, "p99")]
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
        extent: None,
    };
    frame.render_widget(histogram, inner);
    if spread.negative > 0 {
        let text = format!(" {} below zero ", format::count(spread.negative));
        let line = Line::from(Span::styled(text, theme.bad())).right_aligned();
        frame.render_widget(line, Rect { height: 1, ..inner });
    }
}

/// The four durations over one axis.
fn four(scene: &Scene, frame: &mut Frame, area: Rect) {
    let snapshot = &scene.watch.snapshot;
    let (spreads, bars) = (&snapshot.durations, &snapshot.bars);
    let all = [
        ("lag", &spreads.lag, bars.lag.as_slice()),
        ("ack", &spreads.ack, &bars.ack),
        ("delivery", &spreads.delivery, &bars.delivery),
        ("response", &spreads.response, &bars.response),
    ];
    several(scene, "four durations, one axis", &all, frame, area);
}

/// Delivery, from when a message was sent, beside response, from when it was due.
fn corrected(scene: &Scene, frame: &mut Frame, area: Rect) {
    let snapshot = &scene.watch.snapshot;
    let (spreads, bars) = (&snapshot.durations, &snapshot.bars);
    let both = [
        ("uncorrected: delivery", &spreads.delivery, bars.delivery.as_slice()),
        ("corrected: response", &spreads.response, &bars.response),
    ];
    let difference = |of: fn(&Spread) -> Option<f64>| {
        let micros = of(&spreads.response).zip(of(&spreads.delivery)).map(|(a, b)| a - b);
        scene.watch.unit.number(micros)
    };
    let name = format!(
        "corrected − uncorrected: p50 {}  p99 {}  max {}",
        difference(|spread| spread.p50).trim(),
        difference(|spread| spread.p99).trim(),
        difference(|spread| spread.max).trim(),
    );
    several(scene, &name, &both, frame, area);
}

/// Small histograms over one axis, one below the other or, where it is low, side by side.
fn several(
    scene: &Scene,
    name: &str,
    all: &[(&str, &Spread, &[u64])],
    frame: &mut Frame,
    area: Rect,
) {
    let theme = scene.theme;
    let block = scene.block(title(theme, &format!("{name} ({})", scene.watch.unit.sign())));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let bars: Vec<&[u64]> = all.iter().map(|(.., bars)| *bars).collect();
    let Some(extent) = extent(&bars) else { return };
    let parts = vec![Constraint::Fill(1); all.len()];
    let parts = if inner.height >= STACKED {
        Layout::vertical(parts).split(inner)
    } else {
        Layout::horizontal(parts).spacing(1).split(inner)
    };
    for ((name, spread, bars), part) in all.iter().zip(parts.iter()) {
        let [label, plot] =
            part.layout(&Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]));
        let mut words = vec![Span::styled(format!(" {name}"), theme.title())];
        if spread.count == 0 {
            words.push(Span::styled("  not measured", theme.label()));
        } else if part.width >= 60 {
            words.extend(percentiles(spread, scene.watch.unit, theme));
        } else {
            for (sign, value) in [("p50", spread.p50), ("p99", spread.p99)] {
                let value = scene.watch.unit.number(value);
                let room =
                    usize::from(part.width).saturating_sub(Line::from(words.clone()).width());
                if room > sign.len() + value.len() + 2 {
                    words.push(Span::styled(format!(" {sign} "), theme.label()));
                    words.push(Span::raw(value));
                }
            }
        }
        frame.render_widget(Line::from(words), label);
        let histogram = Histogram {
            bars,
            unit: scene.watch.unit,
            style: theme.data(),
            axis: theme.label(),
            marks: &[],
            extent: Some(extent),
        };
        frame.render_widget(histogram, plot);
    }
}

/// Latency over time, the darker the more messages.
fn heat(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let producers = scene.producers_only();
    let mut before: Vec<u64> = vec![0; BARS];
    let mut moments = Vec::new();
    let mut since = 0.0;
    for picture in &scene.watch.frames {
        let bars = if producers { &picture.bars.ack } else { &picture.bars.delivery };
        let added: Vec<u64> =
            bars.iter().zip(&before).map(|(now, then)| now.saturating_sub(*then)).collect();
        if added.iter().any(|count| *count > 0) {
            moments.push((since, added));
        }
        since = picture.seconds;
        before.clone_from(bars);
    }
    let until = timeline::until(scene);
    let name = format!(
        "{} over {} ({}, log), dark = many",
        if producers { "acknowledgement" } else { "delivery" },
        format::span(until),
        scene.watch.unit.sign()
    );
    let block = scene.block(title(theme, &name));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(extent) = extent(&[&before]) else { return };
    let map = Heat {
        moments: &moments,
        until,
        extent,
        unit: scene.watch.unit,
        shades: theme.shades(),
        axis: theme.label(),
        cursor: scene.watch.cursor.map(|cursor| (cursor, theme.accent())),
    };
    let chart = timeline::marked(scene, frame, inner);
    frame.render_widget(map, chart);
}

/// The images that are being made; what there is to see before any message.
fn images(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = scene.block(title(theme, "images"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let mut lines = Vec::new();
    if scene.watch.images.is_empty() {
        lines.push(Line::from(Span::styled("looking for the images", theme.label())));
    }
    let newest = scene.watch.images.iter().rev().take(usize::from(inner.height).div_ceil(2));
    for (image, step, percent) in newest {
        let share = percent.map(|percent| f64::from(percent) / 100.0);
        let mut line =
            vec![Span::styled(format!("{:<24} ", format::fit(image, 24)), theme.title())];
        let bar = meter(share, inner.width.saturating_sub(32), theme.data(), theme.label());
        line.extend(bar.spans);
        line.push(Span::raw(format!(" {:>5}", format::percent(share))));
        lines.push(Line::from(line));
        lines.push(Line::from(format!("  {}", format::fit(step, usize::from(inner.width) - 2))));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The four durations side by side.
pub fn table(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let unit = scene.watch.unit;
    let block = scene.block(title(theme, &format!("durations ({})", unit.sign())));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let head = format!(
        " {:<9}{:>10}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}",
        "", "count", "min", "mean", "p50", "p90", "p99", "p99.9", "max"
    );
    let durations = &scene.watch.snapshot.durations;
    let row = |name: &str, spread: &Spread| {
        let numbers: String =
            [spread.min, spread.mean, spread.p50, spread.p90, spread.p99, spread.p999, spread.max]
                .map(|value| format!("{:>7}", unit.number(value)))
                .concat();
        let count = if spread.count == 0 {
            format::MISSING.to_owned()
        } else {
            format::count(spread.count)
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
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Percentiles in columns that do not move.
fn percentiles(spread: &Spread, unit: Unit, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let values =
        [("p50", spread.p50), ("p90", spread.p90), ("p99", spread.p99), ("max", spread.max)];
    for (name, value) in values {
        spans.push(Span::styled(format!(" {name}"), theme.label()));
        spans.push(Span::styled(format!(" {:>5}", unit.number(value)), theme.title()));
    }
    spans.push(Span::styled("  n", theme.label()));
    spans.push(Span::raw(format!(" {:>7} ", format::count(spread.count))));
    spans
}
