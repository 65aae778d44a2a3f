//! What a terminal shows that is too small for the screen: the run in one line, and how to leave.

use ratatui::{
    Frame,
    text::Line,
    widgets::{Paragraph, Wrap},
};

use super::{
    live::{self, LiveContext},
    overlay,
};
use crate::tui::model::{MIN_SIZE, Model, Overlay, Screen};

/// Draws the run's figures, the size that the screen needs, and the keys that act.
pub fn draw(model: &Model, frame: &mut Frame) {
    let area = frame.area();
    let (width, height) = MIN_SIZE;
    let mut lines = Vec::new();
    match &model.screen {
        Screen::Live(live) => {
            let context = LiveContext::new(live, model, false);
            lines.push(Line::from(live::single_line(&context, usize::from(area.width))));
        }
        Screen::Finished(_) => lines.push(Line::from("The run is over.")),
        Screen::Setup | Screen::Records | Screen::Document(_) => {}
    }
    if let Some(Overlay::Question(question)) = &model.overlay {
        lines.push(Line::from(overlay::short_question(question, model)));
    } else {
        let leave = model.keys.key_label("quit");
        lines.push(Line::from(format!("too small: needs {width}×{height}. {leave} leaves")));
    }
    let size = format!("This terminal is {}×{}.", area.width, area.height);
    lines.push(Line::from(size));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}
