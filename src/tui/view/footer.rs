//! Footer: key hints, and a message above them.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Clear,
};
use unicode_width::UnicodeWidthStr;

use crate::{
    format,
    tui::{
        model::Model,
        text::{ELLIPSIS, draw_line, draw_lines},
    },
};

/// Room that the key hints keep beside a long state: how to stop, and the help.
const MIN_HINTS_WIDTH: u16 = 20;

/// Draws key hints beside a state at the right, which is never covered by them.
pub fn draw_footer_with_state(
    actions: &[(&str, &str)],
    state: Line,
    model: &Model,
    frame: &mut Frame,
    area: Rect,
) {
    let [hints, right] = split_footer(&state, area);
    draw_footer(actions, model, frame, hints);
    draw_line(state.right_aligned(), frame, right);
}

/// Divides a footer between the key hints and a state at the right; the hints keep some room, and a gap
/// to the state.
pub fn split_footer(state: &Line, area: Rect) -> [Rect; 2] {
    let width = (state.width() as u16).min(area.width.saturating_sub(MIN_HINTS_WIDTH));
    let gap = u16::from(width > 0);
    let parts = Layout::horizontal([Constraint::Fill(1), Constraint::Length(width)]);
    area.layout(&parts.spacing(gap))
}

/// Draws key hints: space-separated names of actions, and their effect.
pub fn draw_footer(actions: &[(&str, &str)], model: &Model, frame: &mut Frame, area: Rect) {
    let mut spans = Vec::new();
    for (name, key, meaning) in footer_entries(actions, model, area.width) {
        let style = if name == DROPPED { model.theme.label() } else { model.theme.accent() };
        spans.push(Span::styled(key, style));
        spans.push(Span::raw(meaning));
    }
    draw_line(Line::from(spans), frame, area);
}

/// Draws the key hints, and above them the message, if there is one.
pub fn draw_message_or_keys(
    message: Option<&Result<String, String>>,
    actions: &[(&str, &str)],
    model: &Model,
    frame: &mut Frame,
    area: Rect,
) {
    draw_footer(actions, model, frame, area);
    match message {
        None => {}
        Some(Ok(message)) => draw_message(" ", message, Style::new(), frame, area),
        Some(Err(message)) => draw_message(" ! ", message, model.theme.warn(), frame, area),
    }
}

/// Draws above the footer what the last input did, or why it had no effect.
pub fn draw_hint(
    hint: &Result<String, &'static str>,
    model: &Model,
    frame: &mut Frame,
    area: Rect,
) {
    let footer = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    match hint {
        Ok(done) => draw_message(" ", done, Style::new(), frame, footer),
        Err(why) => draw_message(" ! ", why, model.theme.warn(), frame, footer),
    }
}

/// Draws a message over the rows above the footer, as many as it needs: an error with its advice is never
/// cut, and the keys remain visible.
fn draw_message(mark: &str, message: &str, style: Style, frame: &mut Frame, footer: Rect) {
    let room = usize::from(footer.width).saturating_sub(mark.len() + 1);
    let words: Vec<String> = format::wrap(message, room)
        .iter()
        .flat_map(|line| {
            let symbols: Vec<char> = line.chars().collect();
            // Break a path that is wider than the screen.
            symbols.chunks(room.max(1)).map(|piece| piece.iter().collect()).collect::<Vec<String>>()
        })
        .collect();
    let height = (words.len() as u16).clamp(1, footer.y.max(1));
    let area = Rect { y: footer.y.saturating_sub(height), height, ..footer };
    let lines: Vec<Line> = words
        .iter()
        .enumerate()
        .map(|(place, words)| {
            let mark = if place == 0 { mark.to_owned() } else { " ".repeat(mark.len()) };
            Line::from(Span::styled(mark + words, style))
        })
        .collect();
    frame.render_widget(Clear, area);
    draw_lines(lines, frame, area);
}

/// Name of the sign in place of hints that do not fit; no action has it.
const DROPPED: &str = "";
/// Actions whose hints are never dropped: how to end what is going on, and where all keys are listed.
const KEPT_HINTS: [&str; 2] = ["stop", "help"];

/// Returns the key hints that fit in `columns`: names of actions, keys, effect.
///
/// Without room for all of them, the last are dropped, but never those to stop a run and for the help; `…`
/// is in their place.
pub fn footer_entries<'a>(
    actions: &[(&'a str, &str)],
    model: &Model,
    columns: u16,
) -> Vec<(&'a str, String, String)> {
    let written = |&(names, meaning): &(&'a str, &str)| {
        let keys: Vec<String> = names.split(' ').map(|name| model.keys.key_label(name)).collect();
        let arrows = keys.iter().all(|key| "←↑↓→".contains(key.as_str()));
        let keys = keys.join(if arrows { "" } else { " " });
        (names, format!(" {keys}"), format!(" {meaning} "))
    };
    // An action without a key is in the palette only.
    let has_key = |&&(names, _): &&(&str, &str)| {
        names.split(' ').any(|name| !model.keys.key_label(name).is_empty())
    };
    let mut shown: Vec<_> = actions.iter().filter(has_key).map(written).collect();
    let width = |shown: &[(&str, String, String)]| -> usize {
        shown.iter().map(|(_, key, meaning)| key.width() + meaning.trim_end().width() + 1).sum()
    };
    let room = usize::from(columns) + 1;
    if width(&shown) <= room {
        return shown;
    }
    let sign = || (DROPPED, format!(" {ELLIPSIS}"), String::from(" "));
    let sign_width = width(&[sign()]);
    let mut place = shown.len();
    while width(&shown) + sign_width > room
        && let Some(last) = shown.iter().rposition(|(names, ..)| !KEPT_HINTS.contains(names))
    {
        shown.remove(last);
        place = last;
    }
    shown.insert(place.min(shown.len()), sign());
    shown
}
