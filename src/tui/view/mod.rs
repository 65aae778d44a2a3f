//! Draws the model. Pure: the same model and size give the same frame.
//!
//! Each screen has its file or folder; `overlay` draws over any of them. What they share is in `parts`,
//! `text`,
//! `footer` and `list`; `mouse` maps a click to what is drawn at its position.

mod document;
mod finished;
mod footer;
mod list;
mod live;
mod mouse;
mod overlay;
mod parts;
mod record_columns;
mod records;
mod setup;
mod too_small;

use ratatui::Frame;

pub use mouse::hit_test;

use super::model::{MIN_SIZE, Model, Screen};

/// Draws a frame, then adapts its symbols and colours to the terminal.
pub fn view(model: &Model, frame: &mut Frame) {
    draw_screen(model, frame);
    model.symbols.substitute(frame.buffer_mut());
    model.theme.paint(model.depth, frame.buffer_mut());
}

fn draw_screen(model: &Model, frame: &mut Frame) {
    let area = frame.area();
    if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
        return too_small::draw(model, frame);
    }
    match &model.screen {
        Screen::Setup => setup::draw(model, frame, area),
        Screen::Live(live) => live::draw(live, model, frame, area),
        Screen::Finished(finished) => finished::draw(finished, model, frame, area),
        Screen::Records => records::draw(model, frame, area),
        Screen::Document(shown) => document::draw(shown, model, frame, area),
    }
    if let Some(shown) = &model.overlay {
        overlay::draw(shown, model, frame, area);
    }
    if let Some(hint) = &model.hint {
        footer::draw_hint(hint, model, frame, area);
    }
}
