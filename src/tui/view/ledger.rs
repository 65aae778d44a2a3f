//! Every message accounted for, hubmark's own health, the verdict so far and what speaks against it.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{cell, live::Scene, log, title};
use crate::format::{self, MISSING};
use crate::{
    measure::{Judgement, Vitals},
    tui::{model::alarm_text, theme::Theme},
};

/// Columns of a ledger's cell.
const CELL: usize = 19;

/// Draws the panel; the last lines of the log in it where the log has no panel of its own.
pub fn draw(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let mut block = scene.block(title(theme, "ledger (messages)"));
    if let Some(caution) = caution(scene) {
        let text =
            format!(" ! {} ", format::fit(caution, usize::from(area.width).saturating_sub(6)));
        block = block.title_bottom(Line::from(Span::styled(text, theme.warn())));
    }
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let mut lines = messages(scene);
    let mut health = generator(scene);
    if let Some(state) = held_back(scene) {
        health.push_span(Span::raw(" "));
        health.push_span(state);
    }
    lines.push(health);
    let rest = usize::from(inner.height).saturating_sub(lines.len());
    let for_log = match (scene.has_log, rest) {
        (true, _) => 0,
        (false, 0..4) => 1,
        (false, _) => 2,
    };
    lines.extend(verdict(scene, width, rest.saturating_sub(for_log)));
    let rest = usize::from(inner.height).saturating_sub(lines.len());
    if !scene.has_log {
        lines.extend(log::lines(scene, width, rest));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Draws the panel over the whole screen: every count with its meaning, every reason.
pub fn alone(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let block = scene.block(title(theme, "ledger (messages)"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let ledger = &scene.watch.snapshot.ledger;
    let width = usize::from(inner.width);
    let measured = scene.watch.is_measured();
    let (way, missing) = if scene.watch.may_still_arrive() {
        ("on the way", ledger.on_the_way)
    } else {
        ("lost", ledger.lost)
    };
    let counts = [
        ("planned", ledger.planned, "what the plan asks for = sent + unsent"),
        (
            "sent",
            ledger.sent,
            "handed to the client library = delivered + on the way or lost + failed",
        ),
        ("unsent", ledger.unsent, "not handed over, or not yet"),
        ("acked", ledger.acked, "acknowledged by the server"),
        ("delivered", ledger.delivered, "distinct messages that arrived intact"),
        (way, missing, "sent, neither delivered nor failed; after the drain: lost"),
        ("failed", ledger.failed, "certainly refused, never arrived"),
        ("corrupt", ledger.corrupt, "arrived with a wrong stamp or wrong bytes"),
        ("duplicate", ledger.duplicate, "arrived again"),
        ("out of order", ledger.out_of_order, "arrived after a later one of the same user"),
        ("late", ledger.late, "arrived after the drain"),
        ("acked, lost", ledger.acked_then_lost, "acknowledged, then lost"),
    ];
    let mut lines: Vec<Line> = counts
        .into_iter()
        .map(|(name, value, meaning)| {
            let value = if measured { format::count(value) } else { MISSING.to_owned() };
            Line::from(vec![
                Span::styled(format!("{name:<13}"), theme.label()),
                Span::raw(format!("{value:>13}   ")),
                Span::styled(format::fit(meaning, width.saturating_sub(29)), theme.label()),
            ])
        })
        .collect();
    if let Some(rate) = scene.model.pace.bytes_per_second {
        lines.push(Line::from(vec![
            Span::styled(format!("{:<13}", "this screen"), theme.label()),
            Span::raw(format!("{:>13}   ", format::rate(Some(rate)))),
            Span::styled("sent to the terminal", theme.label()),
        ]));
    }
    lines.push(Line::default());
    let rest = usize::from(inner.height).saturating_sub(lines.len());
    lines.extend(verdict(scene, width, rest));
    if let Some(caution) = caution(scene) {
        lines.push(Line::from(Span::styled(format!("! {caution}"), theme.warn())));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// hubmark's own health, and the verdict in a word: always to be seen.
pub fn health(scene: &Scene, frame: &mut Frame, area: Rect) {
    let (word, style) = judgement(scene);
    let mut spans = vec![Span::raw(" "), Span::styled(word, style), Span::raw("  ")];
    if let Some(state) = held_back(scene) {
        spans.extend([state, Span::raw("  ")]);
    }
    spans.extend(generator(scene).spans.into_iter().skip(1));
    frame.render_widget(Line::from(spans), area);
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
    let missing = if scene.watch.may_still_arrive() {
        put("on the way", ledger.on_the_way, plain)
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
    let mut spans = vec![
        label(if snapshot.hub.is_some() { "" } else { "hubmark  " }),
        label("lag p99"),
        number(format::optional(generator.lag_p99.map(|micros| micros / 1e3)), 6),
        label(if snapshot.hub.is_some() { " ms cpu " } else { " ms  cpu " }),
        number(or_missing(format::three(generator.cpu_cores)), 5),
    ];
    match &snapshot.hub {
        Some(vitals) => {
            spans.extend([label(" cores dropped "), number(format::count(dropped), 4)]);
            spans.extend(hub(vitals, theme));
        }
        None => spans.extend([
            label(" cores  threads "),
            number(or_missing(format::count(generator.threads)), 5),
            label("  dropped "),
            number(format::count(dropped), 5),
        ]),
    }
    Line::from(spans)
}

/// How the hub fares.
fn hub(vitals: &Vitals, theme: Theme) -> Vec<Span<'static>> {
    let temperature = vitals
        .temperature
        .map_or_else(|| MISSING.to_owned(), |temperature| format!("{:.0}", temperature.degrees()));
    let clock = format::optional(vitals.clock_mhz.map(|mhz| mhz / 1_000.0));
    vec![
        Span::styled(" hub ", theme.label()),
        Span::raw(format!("{temperature:>2} °C {clock:>4} GHz")),
    ]
}

/// What holds the hub back: loud.
fn held_back(scene: &Scene) -> Option<Span<'static>> {
    let vitals = scene.watch.snapshot.hub.as_ref()?;
    let state = match (vitals.held_back(), vitals.under_voltage) {
        (_, Some(true)) => "LOW VOLTS",
        (Some(true), _) => "THROTTLED",
        _ => return None,
    };
    Some(Span::styled(state, scene.theme.bad()))
}

/// The verdict so far in a word.
fn judgement(scene: &Scene) -> (&'static str, Style) {
    let theme = scene.theme;
    match scene.watch.snapshot.verdict.status {
        Judgement::Valid if !scene.watch.is_measured() => (MISSING, theme.label()),
        Judgement::Valid => ("✓ valid", theme.good()),
        Judgement::Suspect => ("! suspect", theme.warn()),
        Judgement::Failed => ("✗ FAILED", theme.bad()),
    }
}

/// The verdict and its reasons in at most `rows` lines; crossed thresholds come first.
fn verdict(scene: &Scene, width: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = scene.theme;
    let (word, style) = judgement(scene);
    let label = "verdict so far  ";
    let mut head = vec![Span::styled(label, theme.label()), Span::styled(word, style)];
    let snapshot = &scene.watch.snapshot;
    let alarms = snapshot.alarms.iter().map(|alarm| {
        let style = if alarm.is_on() { theme.bad() } else { theme.warn() };
        (format!("▲ {}", alarm_text(alarm)), style)
    });
    let reasons = snapshot.verdict.reasons.iter().map(|r| (r.text.clone(), Style::new()));
    let all: Vec<(String, Style)> = alarms.chain(reasons).collect();
    let room = width.saturating_sub(label.len() + word.chars().count() + 2);
    if rows <= 1 || all.len() <= 1 {
        let more = all.len().saturating_sub(1);
        let tail = if more > 0 { format!(" (+{more})") } else { String::new() };
        if let Some((first, style)) = all.first() {
            let text = format::fit(first, room.saturating_sub(tail.len()));
            head.push(Span::raw(": "));
            head.push(Span::styled(text, *style));
            head.push(Span::raw(tail));
        }
        return vec![Line::from(head)];
    }
    let mut lines = vec![Line::from(head)];
    lines.extend(all.iter().take(rows - 1).map(|(text, style)| {
        let text = Span::styled(format::fit(text, width.saturating_sub(2)), *style);
        Line::from(vec![Span::raw("  "), text])
    }));
    lines
}
