//! The command palette.

use ratatui::{
    Frame,
    layout::{Constraint, Position, Rect},
    text::{Line, Span},
    widgets::{Clear, Padding, Paragraph},
};

use super::{panel, title};
use crate::tui::{
    model::{Model, Palette},
    msg::Msg,
};

/// Lines of the list.
const ROWS: usize = 14;
/// Columns of an action's words.
const WORDS: usize = 54;

fn place(area: Rect) -> Rect {
    area.centered(Constraint::Length(WORDS as u16 + 22), Constraint::Length(ROWS as u16 + 3))
}

/// The first action that is shown.
fn first(palette: &Palette) -> usize {
    (palette.line + 1).saturating_sub(ROWS)
}

/// The line of the palette at a place.
pub fn pointed(palette: &Palette, model: &Model, area: Rect, at: Position) -> Option<Msg> {
    let list = place(area);
    let row = usize::from(at.y.checked_sub(list.y + 2)?);
    let line = first(palette) + row;
    let there = list.contains(at) && row < ROWS && line < palette.found(&model.keys).len();
    there.then_some(Msg::Line(line))
}

/// Draws the palette.
pub fn draw(palette: &Palette, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let found = palette.found(&model.keys);
    let mut lines = vec![Line::from(vec![
        Span::styled("find  ", theme.label()),
        Span::raw(palette.input.value().to_owned()),
        Span::styled("▏", theme.accent()),
    ])];
    let first = first(palette);
    for (place, (action, keys)) in found.iter().enumerate().skip(first).take(ROWS) {
        let style = if place == palette.line { theme.selected() } else { theme.title() };
        let words = crate::format::fit(&format!("{:<19}{}", action.name, action.what), WORDS);
        let keys = crate::format::fit(keys, 16);
        lines.push(Line::from(vec![
            Span::styled(format!("{words:<WORDS$}"), style),
            Span::styled(format!("{keys:>16}"), theme.accent()),
        ]));
    }
    if found.is_empty() {
        lines.push(Line::from(Span::styled("nothing of that name", theme.label())));
    }
    let area = place(area);
    frame.render_widget(Clear, area);
    let block = panel(theme, title(theme, "commands"))
        .border_style(theme.accent())
        .title_bottom(Line::from(" ↑↓ choose  enter do it  esc close "))
        .padding(Padding::horizontal(2));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
