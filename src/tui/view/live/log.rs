//! Log panel, newest message at the bottom.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    text::{Line, Span},
};

use super::context::LiveContext;
use crate::{
    event::LogLevel,
    tui::{
        model::LogLine,
        text::{draw_line, draw_lines, wrap_lines},
        theme::Theme,
        view::parts::title,
    },
};

/// Draws the panel.
pub fn draw(context: &LiveContext, frame: &mut Frame, area: Rect) {
    let theme = context.theme;
    let display = &context.live.display.log;
    let mut name = vec![Span::styled(" log ", theme.title())];
    let least = match display.min_level {
        LogLevel::Info => "",
        LogLevel::Warn => "warnings and errors ",
        LogLevel::Error => "errors ",
    };
    name.push(Span::styled(least, theme.accent()));
    let mut block = context.block(Line::from(name));
    match &display.typing {
        Some(input) => {
            let text = format!(" lines with: {}▏", input.value());
            block = block.title(Line::from(Span::styled(text, theme.accent())).right_aligned());
        }
        None if !display.filter.is_empty() => {
            let text = format!(" lines with: {} ", display.filter);
            block = block.title(Line::from(Span::styled(text, theme.accent())).right_aligned());
        }
        None => {}
    }
    if display.scrolled_lines > 0 {
        block = block
            .title_bottom(title(theme, &format!("{} newer lines below", display.scrolled_lines)));
    }
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let shown = log_lines(context, usize::from(inner.width), usize::from(inner.height));
    if shown.is_empty() {
        let text =
            if context.live.log().is_empty() { "no messages yet" } else { "no matching line" };
        draw_line(Line::from(Span::styled(text, theme.label())), frame, inner);
    }
    draw_lines(shown, frame, inner);
}

/// Rows from which on long log lines wrap; in fewer, each has one row.
const MIN_WRAPPING_ROWS: usize = 4;
/// Columns before the text of a log line: its time and its sign.
const TEXT_COLUMN: usize = 9;

/// Returns at most `rows` rows of log lines, the last ones at the current scroll position.
pub fn log_lines(context: &LiveContext, width: usize, rows: usize) -> Vec<Line<'static>> {
    let display = &context.live.display.log;
    let shown = display.shown(context.live.log());
    let end = shown.len().saturating_sub(display.scrolled_lines);
    let start = end.saturating_sub(rows);
    let lines = shown[start..end].iter().map(|note| log_line(note, context.theme)).collect();
    if rows < MIN_WRAPPING_ROWS {
        return lines;
    }
    let mut lines = wrap_lines(lines, width, TEXT_COLUMN);
    lines.split_off(lines.len().saturating_sub(rows))
}

fn log_line(note: &LogLine, theme: Theme) -> Line<'static> {
    let (sign, style) = match note.level {
        LogLevel::Info => ("·", theme.label()),
        LogLevel::Warn => ("!", theme.warn()),
        LogLevel::Error => ("✗", theme.bad()),
    };
    let seconds = note.at.round() as u64;
    let time = format!("{:>3}:{:02} ", seconds / 60, seconds % 60);
    Line::from(vec![
        Span::styled(time, theme.label()),
        Span::styled(sign, style),
        Span::raw(format!(" {}", note.text.replace('\n', " "))),
    ])
}
