//! Command palette.

use ratatui::{
    Frame,
    layout::{Constraint, Position, Rect},
    text::{Line, Span},
    widgets::{Clear, Padding},
};
use unicode_width::UnicodeWidthStr;

use crate::{
    format,
    tui::{
        model::{Model, Palette},
        msg::Msg,
        text::draw_lines,
        view::{
            list::{first_visible, item_at},
            parts::{panel, title},
        },
    },
};

/// Rows of the list.
const MAX_ROWS: usize = 14;
/// Width of an action's name and description.
const ACTION_WIDTH: usize = 54;
/// Width of the keys of an action.
const MAX_KEYS_WIDTH: usize = 15;
/// Columns of the popup beside its lines: borders and padding.
const PALETTE_MARGIN: usize = 6;

fn popup_area(area: Rect) -> Rect {
    area.centered(
        Constraint::Length(ACTION_WIDTH as u16 + 22),
        Constraint::Length(MAX_ROWS as u16 + 3),
    )
}

/// Returns the message that selects the line at a screen position.
pub fn hit_test(palette: &Palette, model: &Model, area: Rect, at: Position) -> Option<Msg> {
    let popup = popup_area(area);
    let rows = Rect { y: popup.y + 2, height: MAX_ROWS as u16, ..popup };
    let count = palette.matches(&model.keys).len();
    item_at(rows, at, first_visible(palette.line, MAX_ROWS), count).map(Msg::Line)
}

/// Draws the palette.
pub fn draw(palette: &Palette, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let found = palette.matches(&model.keys);
    let mut lines = vec![Line::from(vec![
        Span::styled("find  ", theme.label()),
        Span::raw(palette.input.value().to_owned()),
        Span::styled("▏", theme.accent()),
    ])];
    let first = first_visible(palette.line, MAX_ROWS);
    // On a narrow screen the keys have as much room as the widest of them, the descriptions the rest.
    let room = usize::from(popup_area(area).width).saturating_sub(PALETTE_MARGIN);
    let widest = found.iter().map(|(_, keys)| keys.width()).max().unwrap_or(0);
    let keys_width = room.saturating_sub(ACTION_WIDTH).max(widest.min(MAX_KEYS_WIDTH) + 1);
    let actions = room.saturating_sub(keys_width);
    for (line, (action, keys)) in found.iter().enumerate().skip(first).take(MAX_ROWS) {
        let style = if line == palette.line { theme.selected() } else { theme.title() };
        let words = format!("{:<19}{}", action.name, action.description);
        let words = format::truncate(&words, actions);
        let keys = format::truncate(keys, keys_width);
        lines.push(Line::from(vec![
            Span::styled(format!("{words:<actions$}"), style),
            Span::styled(format!("{keys:>keys_width$}"), theme.accent()),
        ]));
    }
    if found.is_empty() {
        lines.push(Line::from(Span::styled("no matching command", theme.label())));
    }
    let area = popup_area(area);
    frame.render_widget(Clear, area);
    let block = panel(theme, title(theme, "commands"))
        .border_style(theme.accent())
        .title_bottom(Line::from(" ↑↓ choose  enter do it  esc close "))
        .padding(Padding::horizontal(2));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    draw_lines(lines, frame, inner);
}
