//! Ledger panel: counts of messages, health of hubmark and hub, the verdict so far with its reasons.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    style::Style,
    text::{Line, Span},
};

use super::{
    context::LiveContext,
    generator::{generator_line, thread_lines},
    log,
};
use crate::{
    format::{self, MISSING},
    measure::Judgement,
    tui::{
        model::alarm_text,
        text::{draw_line, draw_lines, draw_lines_with_hint, wrap_lines},
        view::parts::{labelled_value, title},
    },
};

/// Column of the meaning of a count on the whole screen: at most half of the smallest terminal, beyond which
/// wrapped lines are not indented.
const MEANING_COLUMN: usize = 27;
/// Width of a count with its label in columns, if all fit beside each other.
const COUNT_WIDTH: usize = 17;
/// Columns between two counts, if all fit beside each other.
const COUNT_GAP: usize = 2;

/// Draws the panel, with the last log lines when the log panel is not shown.
pub fn draw(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let mut block = context.block(title(theme, "ledger (messages)"));
    if let Some(caution) = caution(context) {
        let text =
            format!(" ! {} ", format::truncate(caution, usize::from(area.width).saturating_sub(6)));
        block = block.title_bottom(Line::from(Span::styled(text, theme.warn())));
    }
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let mut lines = message_lines(context, width);
    let mut health = generator_line(context);
    if let Some(state) = throttle_warning(context) {
        health.push_span(Span::raw(" "));
        health.push_span(state);
    }
    lines.push(health);
    let rest = usize::from(inner.height).saturating_sub(lines.len());
    let for_log = match (context.has_log, rest) {
        (true, _) => 0,
        (false, 0..4) => 1,
        (false, _) => 2,
    };
    lines.extend(verdict_lines(context, width, rest.saturating_sub(for_log)));
    let rest = usize::from(inner.height).saturating_sub(lines.len());
    if !context.has_log {
        lines.extend(log::log_lines(context, width, rest));
    }
    draw_lines(lines, frame, inner);
}

/// Draws the panel on the whole screen: every count with its meaning, hubmark's threads, every reason.
pub fn draw_full_screen(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let block = context.block(title(theme, "ledger (messages)"));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let ledger = &context.shown.snapshot.ledger;
    let width = usize::from(inner.width);
    let measured = context.shown.is_measured();
    let (way, missing) = if context.shown.may_still_arrive() {
        ("on the way", ledger.on_the_way)
    } else {
        ("lost", ledger.lost)
    };
    let can_be_steered = context.live.plan.steering;
    let planned = if can_be_steered {
        "= sent + unsent + not due"
    } else {
        "what the plan asks for = sent + unsent"
    };
    let not_due = ("not due", ledger.not_due, "never sent: you had switched their users off");
    let counts = [
        ("planned", ledger.planned, planned),
        (
            "sent",
            ledger.sent,
            "handed to the client library = delivered + on the way or lost + failed",
        ),
        ("unsent", ledger.unsent, "not handed over, or not yet"),
        ("acked", ledger.acked.unwrap_or(0), "acknowledged by the server"),
        ("delivered", ledger.delivered, "distinct messages that arrived intact"),
        (way, missing, "sent, neither delivered nor failed; after the drain: lost"),
        ("failed", ledger.failed, "certainly refused, never arrived"),
        ("corrupt", ledger.corrupt, "arrived with a wrong stamp or wrong bytes"),
        ("duplicate", ledger.duplicate, "arrived again"),
        ("out of order", ledger.out_of_order, "arrived after a later one of the same user"),
        ("late", ledger.late, "arrived after the drain"),
        ("acked, lost", ledger.acked_then_lost, "acknowledged, then lost"),
    ];
    let lines: Vec<Line> = counts
        .into_iter()
        .chain(can_be_steered.then_some(not_due))
        .map(|(name, value, meaning)| {
            let known = measured && (ledger.acked.is_some() || !name.starts_with("acked"));
            let value = if known { format::count(value) } else { MISSING.to_owned() };
            Line::from(vec![
                Span::styled(format!("{name:<13}"), theme.label()),
                Span::raw(format!("{value:>11}   ")),
                Span::styled(meaning, theme.label()),
            ])
        })
        .collect();
    let mut lines = wrap_lines(lines, width, MEANING_COLUMN);
    if let Some(rate) = context.model.pace.bytes_per_second {
        lines.push(Line::from(vec![
            Span::styled(format!("{:<13}", "this screen"), theme.label()),
            Span::raw(format!("{:>11}   ", format::rate(Some(rate)))),
            Span::styled("sent to the terminal", theme.label()),
        ]));
    }
    lines.push(Line::default());
    let rest = usize::from(inner.height).saturating_sub(lines.len());
    lines.extend(verdict_lines(context, width, rest));
    if let Some(caution) = caution(context) {
        lines.push(Line::from(Span::styled(format!("! {caution}"), theme.warn())));
    }
    if measured {
        lines.push(Line::default());
        lines.extend(thread_lines(context));
    }
    // Every line can be reached, also on the smallest screen.
    let lines = wrap_lines(lines, width, 2);
    let rows = usize::from(inner.height);
    let first = context.live.display.ledger_line.min(lines.len().saturating_sub(rows));
    draw_lines_with_hint(lines.into_iter().skip(first).collect(), "↓", frame, inner);
}

/// Draws the verdict and hubmark's health in one line, for screens without the ledger.
pub fn draw_health(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let (word, style) = verdict_label(context);
    let mut spans = vec![Span::raw(" "), Span::styled(word, style), Span::raw("  ")];
    if let Some(state) = throttle_warning(context) {
        spans.extend([state, Span::raw("  ")]);
    }
    spans.extend(generator_line(context).spans.into_iter().skip(1));
    let line = Line::from(spans);
    // Without room, the fixed columns give way to the figures.
    let line = if line.width() > usize::from(area.width) { squeezed(line) } else { line };
    draw_line(line, frame, area);
}

/// Returns a line in which several spaces are one.
fn squeezed(mut line: Line) -> Line {
    let mut after_space = false;
    for span in &mut line.spans {
        let kept: String = span
            .content
            .chars()
            .filter(|symbol| {
                let repeats = *symbol == ' ' && after_space;
                after_space = *symbol == ' ';
                !repeats
            })
            .collect();
        span.content = kept.into();
    }
    line
}

/// Returns the backend's caution, which must be shown with all its numbers, or the hub's.
fn caution<'a>(context: &LiveContext<'a>) -> Option<&'a str> {
    let of_backend = context
        .live
        .point()
        .and_then(|point| context.model.catalog.backend(&point.backend)?.caution.as_deref());
    of_backend.or_else(|| context.live.hub_cautions().first().map(String::as_str))
}

/// A count with its label.
struct LabelledCount {
    name: &'static str,
    value: String,
    style: Style,
}

fn message_lines(context: &LiveContext, width: usize) -> Vec<Line<'static>> {
    let theme = context.theme;
    let ledger = &context.shown.snapshot.ledger;
    let plain = Style::new();
    let measured = context.shown.is_measured();
    let put = |name: &'static str, value: u64, style: Style| {
        let known = measured && (ledger.acked.is_some() || name != "acked");
        let value = if known { format::count(value) } else { MISSING.to_owned() };
        LabelledCount { name, value, style }
    };
    let bad = |value: u64| if value > 0 { theme.bad() } else { plain };
    let doubt = |value: u64| if value > 0 { theme.warn() } else { plain };
    let missing = if context.shown.may_still_arrive() {
        put("on the way", ledger.on_the_way, plain)
    } else {
        put(if ledger.lost > 0 { "LOST" } else { "lost" }, ledger.lost, bad(ledger.lost))
    };
    let first = [
        put("sent", ledger.sent, plain),
        put("acked", ledger.acked.unwrap_or(0), plain),
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
    let (widths, gap) = count_columns([&first, &second], &format::count(ledger.planned), width);
    [first, second]
        .map(|counts| {
            let cells = counts.iter().zip(widths).flat_map(|(count, width)| {
                let room = width.saturating_sub(count.name.len());
                let [label, value] =
                    labelled_value(count.name, &count.value, room, theme, count.style);
                [label, value, Span::raw(" ".repeat(gap))]
            });
            Line::from(cells.collect::<Vec<_>>())
        })
        .into()
}

/// Returns the widths of the columns of counts, and the gap between them, so that they fit into `width`
/// columns if possible. There is room for a count as large as `largest` in all columns but the last, so
/// that numbers do not move while they grow.
fn count_columns(
    rows: [&[LabelledCount; 4]; 2],
    largest: &str,
    width: usize,
) -> ([usize; 4], usize) {
    let needed = std::array::from_fn(|column| {
        let needs = rows.map(|row| {
            let count = &row[column];
            let digits = count.value.len().max(if column < 3 { largest.len() } else { 0 });
            count.name.len() + 1 + digits
        });
        needs.into_iter().max().unwrap_or(0)
    });
    let roomy = needed.map(|needed: usize| needed.max(COUNT_WIDTH));
    let total = |widths: [usize; 4], gap| widths.iter().sum::<usize>() + 3 * gap;
    if total(roomy, COUNT_GAP) <= width {
        (roomy, COUNT_GAP)
    } else if total(needed, COUNT_GAP) <= width {
        (needed, COUNT_GAP)
    } else {
        (needed, 1)
    }
}

/// Returns a conspicuous warning when the hub is throttled or its voltage is low.
fn throttle_warning(context: &LiveContext) -> Option<Span<'static>> {
    let vitals = context.shown.snapshot.hub.as_ref()?;
    let state = match (vitals.is_throttled(), vitals.under_voltage) {
        (_, Some(true)) => "LOW VOLTS",
        (Some(true), _) => "THROTTLED",
        _ => return None,
    };
    Some(Span::styled(state, context.theme.bad()))
}

/// Returns the label and the style of the verdict so far.
pub fn verdict_label(context: &LiveContext) -> (&'static str, Style) {
    let theme = context.theme;
    match context.shown.snapshot.verdict.status {
        Judgement::Valid if !context.shown.is_measured() => (MISSING, theme.label()),
        Judgement::Valid => ("✓ valid", theme.good()),
        Judgement::Suspect => ("! suspect", theme.warn()),
        Judgement::Steered => ("◇ steered", theme.warn()),
        Judgement::Failed => ("✗ FAILED", theme.bad()),
    }
}

/// Returns the verdict and its reasons in at most `rows` lines, crossed thresholds first.
pub fn verdict_lines(context: &LiveContext, width: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = context.theme;
    let (word, style) = verdict_label(context);
    let label = "verdict so far  ";
    let mut head = vec![Span::styled(label, theme.label()), Span::styled(word, style)];
    let snapshot = &context.shown.snapshot;
    let alarms = snapshot.alarms.iter().map(|alarm| {
        let style = if alarm.is_active() { theme.bad() } else { theme.warn() };
        (format!("▲ {}", alarm_text(alarm)), style)
    });
    let reasons = snapshot.verdict.reasons.iter().map(|r| (r.text.clone(), Style::new()));
    let all: Vec<(String, Style)> = alarms.chain(reasons).collect();
    let room = width.saturating_sub(label.len() + word.chars().count() + 2);
    if rows <= 1 || all.len() <= 1 {
        let more = all.len().saturating_sub(1);
        let tail = if more > 0 { format!(" (+{more})") } else { String::new() };
        if let Some((first, style)) = all.first() {
            let text = format::truncate(first, room.saturating_sub(tail.len()));
            head.push(Span::raw(": "));
            head.push(Span::styled(text, *style));
            head.push(Span::raw(tail));
        }
        return vec![Line::from(head)];
    }
    let mut lines = vec![Line::from(head)];
    lines.extend(all.iter().take(rows - 1).map(|(text, style)| {
        let text = Span::styled(format::truncate(text, width.saturating_sub(2)), *style);
        Line::from(vec![Span::raw("  "), text])
    }));
    lines
}
