//! Overlays: help, command palette, dialogs.

mod dialog;
mod help;
mod palette;

use ratatui::{Frame, layout::Rect};

pub use dialog::short_question;
pub use palette::hit_test as hit_test_palette;

use crate::tui::model::{Model, Overlay};

/// Draws an overlay.
pub fn draw(overlay: &Overlay, model: &Model, frame: &mut Frame, area: Rect) {
    match overlay {
        Overlay::Help(line) => help::draw(*line, model, frame, area),
        Overlay::Palette(palette) => palette::draw(palette, model, frame, area),
        Overlay::Question(question) => dialog::draw_question(question, model, frame, area),
        Overlay::Tour(step) => dialog::draw_tour(*step, model, frame, area),
        Overlay::Add(count) => dialog::draw_add(*count, model, frame, area),
        Overlay::Export => dialog::draw_export(model, frame, area),
        Overlay::Name(prompt, input) => dialog::draw_name(*prompt, input, model, frame, area),
    }
}
