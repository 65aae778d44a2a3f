//! What was told, newest at the bottom.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{live::Scene, title};
use crate::{
    event::Level,
    format,
    tui::{model::Note, theme::Theme},
};

/// Draws the panel.
pub fn draw(scene: &Scene, frame: &mut Frame, area: Rect) {
    let theme = scene.theme;
    let look = &scene.live.look.log;
    let mut name = vec![Span::styled(" log ", theme.title())];
    let least = match look.least {
        Level::Info => "",
        Level::Warn => "warnings and errors ",
        Level::Error => "errors ",
    };
    name.push(Span::styled(least, theme.accent()));
    let mut block = scene.block(Line::from(name));
    match &look.typing {
        Some(input) => {
            let text = format!(" lines with: {}▏", input.value());
            block = block.title(Line::from(Span::styled(text, theme.accent())).right_aligned());
        }
        None if !look.filter.is_empty() => {
            let text = format!(" lines with: {} ", look.filter);
            block = block.title(Line::from(Span::styled(text, theme.accent())).right_aligned());
        }
        None => {}
    }
    if look.back > 0 {
        block = block.title_bottom(title(theme, &format!("{} newer lines below", look.back)));
    }
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let shown = lines(scene, usize::from(inner.width), usize::from(inner.height));
    if shown.is_empty() {
        let text =
            if scene.live.log().is_empty() { "nothing was told yet" } else { "no such line" };
        frame.render_widget(Line::from(Span::styled(text, theme.label())), inner);
    }
    frame.render_widget(Paragraph::new(shown), inner);
}

/// At most `rows` lines of the log, as far back as it is scrolled.
pub fn lines(scene: &Scene, width: usize, rows: usize) -> Vec<Line<'static>> {
    let look = &scene.live.look.log;
    let shown = look.shown(scene.live.log());
    let end = shown.len().saturating_sub(look.back);
    let start = end.saturating_sub(rows);
    shown[start..end].iter().map(|note| line(note, width, scene.theme)).collect()
}

fn line(note: &Note, width: usize, theme: Theme) -> Line<'static> {
    let (sign, style) = match note.level {
        Level::Info => ("·", theme.label()),
        Level::Warn => ("!", theme.warn()),
        Level::Error => ("✗", theme.bad()),
    };
    let seconds = note.at.round() as u64;
    let time = format!("{:>3}:{:02} ", seconds / 60, seconds % 60);
    let room = width.saturating_sub(time.len() + 2);
    Line::from(vec![
        Span::styled(time, theme.label()),
        Span::styled(sign, style),
        Span::raw(format!(" {}", format::fit(&note.text.replace('\n', " "), room))),
    ])
}
