//! Maps mouse events to messages, by the areas in which the screens are drawn.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::{
    layout::{Position, Rect},
    text::Line,
};
use unicode_width::UnicodeWidthStr;

use super::{
    document, finished,
    footer::{footer_entries, split_footer},
    live, overlay,
    parts::split_screen,
    records, setup,
};
use crate::tui::{
    model::{MIN_SIZE, Model, Overlay, Screen},
    msg::Msg,
};

/// Returns the message of a mouse event.
///
/// The wheel acts as the arrow keys; a click selects, and a click on the selected item acts as Enter.
/// Dialogs take keys only, so that an accidental click cannot stop a run.
pub fn hit_test(model: &Model, area: Rect, mouse: MouseEvent) -> Option<Msg> {
    match mouse.kind {
        MouseEventKind::ScrollUp => Some(Msg::Up),
        MouseEventKind::ScrollDown => Some(Msg::Down),
        MouseEventKind::Down(MouseButton::Left) => {
            hit_test_click(model, area, Position::new(mouse.column, mouse.row))
        }
        _ => None,
    }
}

fn hit_test_click(model: &Model, area: Rect, at: Position) -> Option<Msg> {
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        return None;
    }
    match &model.overlay {
        Some(Overlay::Palette(shown)) => return overlay::hit_test_palette(shown, model, area, at),
        Some(_) => return None,
        None => {}
    }
    let [_, _, keys] = split_screen(area, 1);
    if keys.contains(at) {
        let actions = match &model.screen {
            Screen::Setup => setup::key_hints(model).to_vec(),
            Screen::Live(live) => live::key_hints(live),
            Screen::Finished(shown) => finished::key_hints(shown, area),
            Screen::Records => records::key_hints(&model.record_list),
            Screen::Document(shown) => document::key_hints(shown),
        };
        let state = match &model.screen {
            Screen::Live(live) => live::state_line(live, model),
            _ => Line::default(),
        };
        let [hints, _] = split_footer(&state, keys);
        return footer_action(model, &actions, hints.width, at.x).filter(|_| hints.contains(at));
    }
    match &model.screen {
        Screen::Setup => setup::hit_test(model, area, at),
        Screen::Live(live) => live::hit_test(live, area, at),
        Screen::Finished(shown) => finished::hit_test(shown, model, area, at),
        Screen::Records => records::hit_test(model, area, at),
        Screen::Document(shown) => document::hit_test(shown, area, at),
    }
}

/// Returns the message of the key hint in this column; of a hint with several actions, that of the key which
/// is nearest to the column from the left.
fn footer_action(
    model: &Model,
    actions: &[(&str, &str)],
    columns: u16,
    column: u16,
) -> Option<Msg> {
    let mut start = 0;
    for (names, key, meaning) in footer_entries(actions, model, columns) {
        let end = start + key.width() + meaning.width();
        if usize::from(column) >= end {
            start = end;
            continue;
        }
        let names: Vec<&str> = names.split(' ').collect();
        // A space precedes the keys, which are adjacent or separated by spaces.
        let place = (usize::from(column) - start).saturating_sub(1);
        let each = (key.width() - 1).div_ceil(names.len()).max(1);
        let name = names[(place / each).min(names.len() - 1)];
        return model.keys.action(name).map(|action| (action.msg)());
    }
    None
}
