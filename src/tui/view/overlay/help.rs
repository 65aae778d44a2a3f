//! Help over the screen.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Clear, Padding},
};

use crate::tui::{
    help::{self, HelpRow, TERM_WIDTH},
    model::Model,
    text::draw_lines,
    view::parts::{panel, title},
};

/// Draws the help, scrolled to `line`.
pub fn draw(line: u16, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let lines: Vec<Line> = help::rows(&model.keys, model.screen_context(), area.width)
        .into_iter()
        .map(|row| match row {
            HelpRow::Headline(name) => Line::from(Span::styled(name, theme.title())),
            HelpRow::Term(term, meaning) => Line::from(vec![
                Span::styled(format!("{term:<TERM_WIDTH$}"), theme.accent()),
                Span::raw(meaning),
            ]),
        })
        .collect();
    let height = (lines.len() as u16 + 2).min(area.height);
    let area = area.centered(Constraint::Length(help::MAX_WIDTH), Constraint::Length(height));
    frame.render_widget(Clear, area);
    // On a tall terminal, show as many rows as fit.
    let line = line.min((lines.len() as u16 + 2).saturating_sub(height));
    let more = if line + height < lines.len() as u16 + 2 { " ↓ more " } else { "" };
    let block = panel(theme, title(theme, "help"))
        .border_style(theme.accent())
        .title_bottom(Line::from(format!(" ↑↓ scroll  esc close {more}")))
        .padding(Padding::horizontal(1));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let shown = lines.into_iter().skip(line.into()).take(inner.height.into()).collect();
    draw_lines(shown, frame, inner);
}
