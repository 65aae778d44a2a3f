//! The run in a few lines, for terminals without room for all panels.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    style::Style,
    text::{Line, Span},
};

use super::{context::LiveContext, latency, ledger, throughput};
use crate::{
    format,
    tui::{text::draw_lines, view::parts::title},
};

/// Rows of the panel with its borders.
pub const HEIGHT: u16 = 8;

/// Draws latency, throughput, counts and verdict.
pub fn draw(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let (name, summary, _) = context.primary_latency();
    let unit = context.shown.unit;
    let name = format!("{name} ({}), messages, verdict", unit.symbol());
    let block = context.block(title(context.theme, &name));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let width = usize::from(inner.width);
    let mut lines = vec![Line::from(latency::percentile_spans(summary, unit, context.theme))];
    lines.extend(throughput::summary_line(context));
    lines.push(message_line(context));
    let rest = usize::from(inner.height).saturating_sub(lines.len());
    lines.extend(ledger::verdict_lines(context, width, rest));
    draw_lines(lines, frame, inner);
}

/// Counts of messages: what was sent, what arrived, and everything that did not.
fn message_line(context: &LiveContext) -> Line<'static> {
    let theme = context.theme;
    let ledger = &context.shown.snapshot.ledger;
    let (missing, lost) = if context.shown.may_still_arrive() {
        (("on the way", ledger.on_the_way), false)
    } else {
        (("lost", ledger.lost), ledger.lost > 0)
    };
    let counts = [
        ("sent", ledger.sent, Style::new()),
        ("delivered", ledger.delivered, Style::new()),
        (missing.0, missing.1, if lost { theme.bad() } else { Style::new() }),
        ("failed", ledger.failed, if ledger.failed > 0 { theme.bad() } else { Style::new() }),
    ];
    let mut spans = Vec::new();
    for (name, value, style) in counts {
        let value = if context.shown.is_measured() {
            format::count(value)
        } else {
            format::MISSING.to_owned()
        };
        spans.push(Span::styled(format!(" {name} "), theme.label()));
        spans.push(Span::styled(value, style));
    }
    Line::from(spans)
}

/// Returns phase, latency, rate, missing messages and verdict in one line of at most `width` columns.
pub fn single_line(context: &LiveContext, width: usize) -> String {
    let (_, summary, _) = context.primary_latency();
    let (state, unit) = (context.live.run_state(), context.shown.unit);
    let phase = state.phase.map_or("starting", |(phase, ..)| phase.title());
    let share = format::percent(state.progress().share);
    let ledger = &context.shown.snapshot.ledger;
    let missing = if context.shown.may_still_arrive() { 0 } else { ledger.lost } + ledger.failed;
    let verdict = ledger::verdict_label(context).0;
    // The most important first: what does not fit is left out as a whole.
    let parts = [
        format!("{phase} {share}"),
        format!("p99 {} {}", unit.format(summary.p99), unit.symbol()),
        verdict.to_owned(),
        format!("missing {}", format::count(missing)),
        format!("p50 {} {}", unit.format(summary.p50), unit.symbol()),
        format!("delivered {}", format::count(ledger.delivered)),
    ];
    let mut line = String::new();
    for part in parts {
        let separator = if line.is_empty() { "" } else { "  " };
        if line.chars().count() + separator.len() + part.chars().count() > width {
            break;
        }
        line.push_str(separator);
        line.push_str(&part);
    }
    line
}
