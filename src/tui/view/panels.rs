//! The lower half of the live screen: throughput, servers, the ledger, hubmark itself, the log.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Rect, Spacing},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{cell, live::Scene, panel, servers, title, words};
use crate::format::{self, MISSING};
use crate::{
    event::Level,
    measure::Judgement,
    tui::{model::durability, theme::Theme, widgets::meter},
};

/// Columns of the throughput panel.
const THROUGHPUT: u16 = 24;
/// Columns of a ledger's cell.
const CELL: usize = 19;

/// Throughput, and a panel for each server.
pub fn load(scene: &Scene, frame: &mut Frame, area: Rect) {
    let [left, right] = area.layout(
        &Layout::horizontal([Constraint::Length(THROUGHPUT), Constraint::Fill(1)])
            .spacing(Spacing::Overlap(1)),
    );
    throughput(scene, frame, left);
    servers::draw(scene, frame, right);
}

fn throughput(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = panel(theme, title(theme, "throughput"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let Some(point) = scene.live.point() else { return };
    let snapshot = &scene.watch.snapshot;
    let last = scene.watch.seconds.last();
    let width = usize::from(inner.width);
    let label = |name: &str, value: &str| {
        let spans = cell(name, value, width.saturating_sub(name.len()), theme, Style::new());
        Line::from(spans.to_vec())
    };
    let bytes = last.map(|second| second.bytes as f64);
    let connected = if scene.watch.is_measured() {
        format!(
            "{} of {}",
            format::count(snapshot.connected.into()),
            format::count(snapshot.users.into())
        )
    } else {
        MISSING.to_owned()
    };
    let users = label("users", &connected);
    let (value, share, third) = if let Some(target) = words::target(point) {
        let rate = last.map(|second| second.sent as f64);
        let value = format!("{} of {} msg/s", format::optional(rate), format::three(target));
        (value, rate.map(|rate| rate / target), users)
    } else {
        let peak = scene.watch.seconds.iter().map(|second| second.bytes as f64).reduce(f64::max);
        let share = bytes.zip(peak).map(|(bytes, peak)| bytes / peak.max(1.0));
        (format::rate(bytes), share, label("peak", &format::rate(peak)))
    };
    let mut lines = vec![
        Line::from(Span::styled(format!("{value:>width$}"), theme.title())),
        meter(share, inner.width, theme.data(), theme.label()),
        third,
        label("durability", durability(point.durability)),
    ];
    if inner.height >= 7 {
        let delivered = last.map(|second| second.delivered as f64);
        let progress = scene.watch.is_measured().then_some(snapshot.progress);
        lines.push(label("arrived", &format!("{} msg/s", format::optional(delivered))));
        lines.push(label("payload", &format::rate(bytes)));
        lines.push(label("of plan", &format::percent(progress)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The ledger, hubmark's own health, the verdict so far, the log.
pub fn ledger(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let (area, log) = if scene.tall && area.width >= 120 {
        let [left, right] = area.layout(
            &Layout::horizontal([Constraint::Length(80), Constraint::Fill(1)])
                .spacing(Spacing::Overlap(1)),
        );
        (left, Some(right))
    } else {
        (area, None)
    };
    let mut block = panel(theme, title(theme, "ledger (messages)"));
    if let Some(caution) = caution(scene) {
        let text =
            format!(" ! {} ", format::fit(caution, usize::from(area.width).saturating_sub(6)));
        block = block.title_bottom(Line::from(Span::styled(text, theme.warn())));
    }
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let mut lines = messages(scene);
    lines.push(generator(scene));
    let rest = usize::from(inner.height).saturating_sub(lines.len());
    let for_log = if log.is_some() {
        0
    } else if scene.tall {
        2
    } else {
        1
    };
    lines.extend(verdict(scene, width, rest.saturating_sub(for_log)));
    if let Some(area) = log {
        let block = panel(theme, title(theme, "log"));
        let inner = block.inner(area).inner(Margin::new(1, 0));
        frame.render_widget(block, area);
        let lines = log_lines(scene, usize::from(inner.width), usize::from(inner.height));
        frame.render_widget(Paragraph::new(lines), inner);
    } else {
        let rest = usize::from(inner.height).saturating_sub(lines.len());
        lines.extend(log_lines(scene, width, rest));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// What must stand beside every number of this backend.
fn caution<'a>(scene: &Scene<'a>) -> Option<&'a str> {
    let point = scene.live.point()?;
    scene.model.catalog.backend(&point.backend)?.caution.as_deref()
}

fn messages(scene: &Scene) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let ledger = &scene.watch.snapshot.ledger;
    let plain = Style::new();
    let measured = scene.watch.is_measured();
    let put = |name: &str, value: u64, style: Style| {
        let value = if measured { format::count(value) } else { MISSING.to_owned() };
        let mut spans =
            cell(name, &value, (CELL - 2).saturating_sub(name.len()), theme, style).to_vec();
        spans.push(Span::raw("  "));
        spans
    };
    let bad = |value: u64| if value > 0 { theme.bad() } else { plain };
    let doubt = |value: u64| if value > 0 { theme.warn() } else { plain };
    // While messages may still arrive, none of them is lost.
    let missing = if scene.watch.under_way() {
        put("on the way", ledger.lost, plain)
    } else {
        put(if ledger.lost > 0 { "LOST" } else { "lost" }, ledger.lost, bad(ledger.lost))
    };
    let first = [
        put("sent", ledger.sent, plain),
        put("acked", ledger.acked, plain),
        put("delivered", ledger.delivered, plain),
        missing,
    ];
    let last = if ledger.out_of_order > 0 {
        put("out of order", ledger.out_of_order, theme.warn())
    } else {
        put("duplicate", ledger.duplicate, doubt(ledger.duplicate))
    };
    let second = [
        put("planned", ledger.planned, plain),
        put("failed", ledger.failed, bad(ledger.failed)),
        put("corrupt", ledger.corrupt, bad(ledger.corrupt)),
        last,
    ];
    [first, second].map(|cells| Line::from(cells.concat())).into()
}

fn generator(scene: &Scene) -> Line<'static> {
    let theme = scene.theme;
    let snapshot = &scene.watch.snapshot;
    let generator = &snapshot.generator;
    let measured = generator.threads > 0;
    let or_missing = |text: String| if measured { text } else { MISSING.to_owned() };
    let dropped = snapshot.dropped.max(generator.dropped_snapshots);
    let plain = Style::new();
    let label = |text: &'static str| Span::styled(text, theme.label());
    let number = |text: String, width: usize| Span::styled(format!("{text:>width$}"), plain);
    Line::from(vec![
        label("hubmark  lag p99"),
        number(format::optional(generator.lag_p99), 6),
        label(" µs  cpu "),
        number(or_missing(format::three(generator.cpu_cores)), 5),
        label(" cores  threads "),
        number(or_missing(format::count(generator.threads)), 5),
        label("  dropped "),
        number(format::count(dropped), 5),
    ])
}

fn verdict(scene: &Scene, width: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let verdict = &scene.watch.snapshot.verdict;
    let (word, style) = match verdict.status {
        Judgement::Valid if !scene.watch.is_measured() => (MISSING, theme.label()),
        Judgement::Valid => ("✓ valid", theme.good()),
        Judgement::Suspect => ("! suspect", theme.warn()),
        Judgement::Failed => ("✗ FAILED", theme.bad()),
    };
    let label = "verdict so far  ";
    let mut head = vec![Span::styled(label, theme.label()), Span::styled(word, style)];
    let reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.text.as_str()).collect();
    let room = width.saturating_sub(label.len() + word.chars().count() + 2);
    if rows <= 1 || reasons.len() <= 1 {
        let more = reasons.len().saturating_sub(1);
        let tail = if more > 0 { format!(" (+{more})") } else { String::new() };
        if let Some(first) = reasons.first() {
            let text = format::fit(first, room.saturating_sub(tail.len()));
            head.push(Span::raw(format!(": {text}{tail}")));
        }
        return vec![Line::from(head)];
    }
    let mut lines = vec![Line::from(head)];
    lines.extend(
        reasons
            .iter()
            .take(rows - 1)
            .map(|text| Line::from(format!("  {}", format::fit(text, width - 2)))),
    );
    lines
}

fn log_lines(scene: &Scene, width: usize, rows: usize) -> Vec<Line<'static>> {
    let log = &scene.watch.log;
    log.iter()
        .skip(log.len().saturating_sub(rows))
        .map(|(level, text)| log_line(*level, text, width, scene.theme))
        .collect()
}

fn log_line(level: Level, text: &str, width: usize, theme: Theme) -> Line<'static> {
    let (sign, style) = match level {
        Level::Info => ("·", theme.label()),
        Level::Warn => ("!", theme.warn()),
        Level::Error => ("✗", theme.bad()),
    };
    let text = format::fit(&text.replace('\n', " "), width.saturating_sub(2));
    Line::from(vec![Span::styled(sign, style), Span::raw(format!(" {text}"))])
}
