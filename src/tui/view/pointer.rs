//! What the mouse points at: the same places that the screens are drawn in.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{SMALLEST, finished, frame_of, in_footer, live, opened, palette, setup, shelf};
use crate::tui::{
    model::{Model, Overlay, Screen},
    msg::Msg,
};

/// What the mouse asks for. The wheel moves as the arrow keys do; a click chooses, and a click on
/// what is chosen does what Enter does. A question is answered by keys alone, so that no slip of
/// the hand stops a run.
pub fn pointed(model: &Model, area: Rect, mouse: MouseEvent) -> Option<Msg> {
    match mouse.kind {
        MouseEventKind::ScrollUp => Some(Msg::Up),
        MouseEventKind::ScrollDown => Some(Msg::Down),
        MouseEventKind::Down(MouseButton::Left) => {
            clicked(model, area, Position::new(mouse.column, mouse.row))
        }
        _ => None,
    }
}

fn clicked(model: &Model, area: Rect, at: Position) -> Option<Msg> {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return None;
    }
    match &model.overlay {
        Some(Overlay::Palette(shown)) => return palette::pointed(shown, model, area, at),
        Some(_) => return None,
        None => {}
    }
    let [_, _, keys] = frame_of(area, 1);
    if keys.contains(at) {
        let actions = match &model.screen {
            Screen::Setup => setup::keys_of(model).to_vec(),
            Screen::Live(live) => live::keys_of(live),
            Screen::Finished(shown) => finished::keys_of(shown),
            Screen::Records => shelf::keys_of(&model.shelf),
            Screen::Record(shown) => opened::keys_of(shown),
        };
        return in_keys(model, &actions, area.width, at.x);
    }
    match &model.screen {
        Screen::Setup => setup::pointed(model, area, at),
        Screen::Live(live) => live::pointed(live, area, at),
        Screen::Finished(shown) => finished::pointed(shown, model, area, at),
        Screen::Records => shelf::pointed(model, area, at),
        Screen::Record(_) => None,
    }
}

/// The action of the footer in this column, where it is one alone.
fn in_keys(model: &Model, actions: &[(&str, &str)], columns: u16, column: u16) -> Option<Msg> {
    let mut end = 0;
    for (names, key, meaning) in in_footer(actions, model, columns) {
        end += key.chars().count() + meaning.chars().count();
        if usize::from(column) < end {
            return model.keys.action(names).map(|action| (action.msg)());
        }
    }
    None
}
