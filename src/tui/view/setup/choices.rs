//! Lists of choices over the form: backends, hubs.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    style::Style,
    text::Line,
    widgets::Clear,
};

use crate::{
    format,
    tui::{
        model::{Field, Model},
        text::draw_line,
        view::{
            list::first_visible,
            parts::{panel, title},
        },
    },
};

/// Draws the list of the selected field.
pub fn draw(line: usize, model: &Model, frame: &mut Frame, form: Rect) {
    match model.setup.selected() {
        Field::Engine => draw_hubs(line, model, frame, form),
        _ => draw_backends(line, model, frame, form),
    }
}

fn draw_backends(line: usize, model: &Model, frame: &mut Frame, form: Rect) {
    let chosen = model.setup.backends();
    let lines = model.catalog.backends.iter().map(|option| {
        let sign = if chosen.contains(&option) { "[x]" } else { "[ ]" };
        format!("{sign} {}", option.title)
    });
    draw_choices("backends", &lines.collect::<Vec<_>>(), line, model, frame, form);
}

fn draw_hubs(line: usize, model: &Model, frame: &mut Frame, form: Rect) {
    let found = model.setup.hubs.iter().flatten().map(|hub| match &hub.engine {
        Some(engine) => format!("{engine}  ({})", hub.title),
        None => hub.title.clone(),
    });
    let mut lines: Vec<String> = found.collect();
    let looking = if lines.is_empty() { "searching…  " } else { "" };
    lines.push(format!("{looking}another: type its address"));
    draw_choices("where the servers run", &lines, line, model, frame, form);
}

/// Draws a list of choices over the form.
fn draw_choices(
    name: &str,
    lines: &[String],
    line: usize,
    model: &Model,
    frame: &mut Frame,
    form: Rect,
) {
    let theme = model.theme;
    let height = (lines.len() as u16 + 2).min(form.height);
    let area = Rect { height, ..form }.inner(Margin::new(2, 0));
    let area = Rect { y: form.y + 1, height: height.min(form.height - 1), ..area };
    frame.render_widget(Clear, area);
    let block = panel(theme, title(theme, name)).border_style(theme.accent());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let first = first_visible(line, inner.height.into());
    for ((item, text), row) in lines.iter().enumerate().skip(first).zip(inner.rows()) {
        let text = format::truncate(&format!(" {text}"), usize::from(row.width));
        let style = if item == line { theme.selected() } else { Style::new() };
        let text = format!("{text:<width$}", width = usize::from(row.width));
        draw_line(Line::from(text).style(style), frame, row);
    }
}
