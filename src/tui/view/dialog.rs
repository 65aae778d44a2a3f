//! Questions that lie over the screen.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Clear, Padding, Paragraph},
};

use tui_input::Input;

use super::{panel, title, words};
use crate::format;
use crate::tui::{
    model::{Model, Naming, Screen},
    preferences::Runs,
    theme::Theme,
};

/// Asks how to stop.
pub fn stop(model: &Model, frame: &mut Frame, area: Rect) {
    let lines = vec![
        choice("stop-after", &after(model), model),
        choice("stop-now", "now: this repetition is recorded as far as it came", model),
        choice("skip", &skip(model), model),
        choice("add", "add repetitions to every point…", model),
        choice("go-on", "go on", model),
    ];
    draw("stop or change the run?", lines, model.theme, frame, area);
}

/// Asks how many repetitions to add.
pub fn add(count: u32, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let points = match &model.screen {
        Screen::Live(live) => live.plan.points.len() as u64,
        _ => 0,
    };
    let all = format::count(points * u64::from(count));
    let lines = vec![
        Line::from(vec![
            Span::raw("how many more of each point:  "),
            Span::styled(format!("◂ {count:>2} ▸"), theme.title()),
            Span::styled(format!("  ({all} in all)"), theme.label()),
        ]),
        Line::default(),
        choice("more fewer", "more, fewer", model),
        choice("add-them", "add them", model),
        choice("add-none", "go on without", model),
    ];
    draw("add repetitions?", lines, theme, frame, area);
}

/// What skipping would skip.
fn skip(model: &Model) -> String {
    let Screen::Live(live) = &model.screen else { return "skip this point".to_owned() };
    match live.skippable().and_then(|point| live.plan.points.get(point)) {
        Some(point) => {
            let name = format::fit(&words::point(point), 44);
            format!("skip this point: {name}")
        }
        None => "skip this point (none is in progress)".to_owned(),
    }
}

/// Asks whether to delete a record.
pub fn remove(model: &Model, frame: &mut Frame, area: Rect) {
    let (question, name, what) = if let Screen::Setup = model.screen {
        let name = model.setup.entry().map(|entry| entry.name.clone());
        ("delete the profile?", name, "delete its file")
    } else {
        let name = model
            .shelf
            .selected()
            .map(|head| head.path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        ("delete the record?", name, "delete it from the disk, with its tags and note")
    };
    let lines = vec![
        Line::from(format::fit(&name.unwrap_or_default(), 62)),
        Line::default(),
        choice("remove-it", what, model),
        choice("keep-it", "keep it", model),
    ];
    draw(question, lines, model.theme, frame, area);
}

/// Asks for a profile's name.
pub fn name(naming: Naming, input: &Input, model: &Model, frame: &mut Frame, area: Rect) {
    let question = match naming {
        Naming::SaveAs => "keep the profile under which name?",
        Naming::Rename => "which name instead?",
    };
    let lines = vec![
        Line::from(vec![
            Span::raw(input.value().to_owned()),
            Span::styled("▏", model.theme.accent()),
        ]),
        Line::default(),
        Line::from("letters, digits, - _ .   enter keeps it, esc does not"),
    ];
    draw(question, lines, model.theme, frame, area);
}

/// Asks in which form to export a record.
pub fn export(model: &Model, frame: &mut Frame, area: Rect) {
    let lines = vec![
        choice("export-json", "JSON: the record itself", model),
        choice("export-csv", "CSV: a line for each repetition", model),
        choice("export-report", "a report: a folder with one page, figures, numbers", model),
        choice("export-none", "nothing", model),
    ];
    draw("export into the folder where hubmark was started?", lines, model.theme, frame, area);
}

/// Asks whether to leave while a run is on.
pub fn quit(model: &Model, frame: &mut Frame, area: Rect) {
    let mut lines = vec![
        choice("leave-now", "stop now, remove the servers, then leave", model),
        choice("leave-after", &format!("{}, then leave", after(model)), model),
        choice("abandon", "leave at once; hubmark clean removes the servers", model),
        choice("stay", "go on", model),
    ];
    if model.runs == Runs::Kept {
        // The run's own process removes its servers, whatever becomes of the screen.
        lines.remove(2);
        let detach = "leave; the run goes on, and hubmark attach shows it again";
        lines.insert(0, choice("detach", detach, model));
    }
    draw("a run is on. Leave?", lines, model.theme, frame, area);
}

fn after(model: &Model) -> String {
    let left = match &model.screen {
        Screen::Live(live) => {
            let progress = live.shown().progress();
            progress.expected.map(|expected| expected - progress.elapsed)
        }
        _ => None,
    };
    match left {
        Some(left) if left > 0.0 => {
            format!("after this repetition (phase: {} left)", format::span(left))
        }
        _ => "after this repetition".to_owned(),
    }
}

fn choice(actions: &str, meaning: &str, model: &Model) -> Line<'static> {
    let key: String = actions.split(' ').map(|name| model.keys.key(name)).collect();
    let theme = model.theme;
    Line::from(vec![Span::styled(key, theme.accent()), Span::raw(format!("  {meaning}"))])
}

fn draw(name: &str, lines: Vec<Line>, theme: Theme, frame: &mut Frame, area: Rect) {
    let width = lines.iter().map(Line::width).max().unwrap_or(0).max(name.len()) as u16 + 8;
    let height = lines.len() as u16 + 4;
    let area = area.centered(Constraint::Length(width), Constraint::Length(height));
    frame.render_widget(Clear, area);
    let block = panel(theme, title(theme, name))
        .border_style(theme.accent())
        .padding(Padding::new(3, 3, 1, 1));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
