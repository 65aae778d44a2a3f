//! Fields of the form.

use std::collections::BTreeSet;

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    style::Style,
    text::{Line, Span},
};

use crate::{
    format::{self, count_noun},
    plan::{Plan, Workload},
    server::HubKind,
    tui::{
        model::{Editing, Field, FieldKind, Model, Pane},
        text::draw_line,
        view::{
            list::first_visible,
            parts::{panel, title},
        },
    },
};

/// Width of a field's label.
const LABEL_WIDTH: usize = 15;
/// Width of a value with a problem beside it.
const PROBLEM_VALUE_WIDTH: usize = 12;
/// Width of a value with a problem while it is edited.
const EDITED_VALUE_WIDTH: usize = 18;

/// Returns the columns for the value of a field in a form at `area`.
pub fn value_width(area: Rect) -> usize {
    usize::from(area.width).saturating_sub(2 + 1 + LABEL_WIDTH)
}

/// Returns the first visible field and the number of visible fields.
///
/// If not all fields fit, the last row is left for the names of the fields below.
pub fn visible_fields(model: &Model, rows: u16) -> (usize, usize) {
    let fields = model.setup.fields().len();
    if fields <= usize::from(rows) {
        return (0, fields);
    }
    let shown = usize::from(rows).saturating_sub(1);
    let selected = match model.setup.pane {
        Pane::Form => model.setup.field,
        Pane::Profiles => 0,
    };
    (first_visible(selected, shown).min(fields - shown), shown)
}

/// Draws the form.
pub fn draw(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let setup = &model.setup;
    let name = setup.entry().map_or("no profile", |entry| entry.name.as_str());
    let star = if setup.is_changed(setup.profile) { " *" } else { "" };
    let fields = setup.fields();
    let inside = area.inner(Margin::new(1, 1));
    let (first, shown) = visible_fields(model, inside.height);
    let above = if first > 0 { format!(" ↑ {first} ") } else { String::new() };
    let block = panel(theme, title(theme, &format!("{name}{star}")))
        .title(Line::styled(above, theme.label()).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut rows = inner.rows();
    for (field, row) in fields.iter().skip(first).take(shown).zip(rows.by_ref()) {
        draw_field(*field, model, frame, row);
    }
    let below: Vec<String> =
        fields.iter().skip(first + shown).map(|field| field.label().to_lowercase()).collect();
    if let Some(row) = rows.next()
        && !below.is_empty()
    {
        let line = format!(" {:<LABEL_WIDTH$}↓ {}", "More", below.join(", "));
        draw_line(Line::from(line).style(theme.label()), frame, row);
    }
}

fn draw_field(field: Field, model: &Model, frame: &mut Frame, row: Rect) {
    let theme = model.theme;
    let setup = &model.setup;
    let selected = setup.pane == Pane::Form && setup.selected() == field;
    let width = usize::from(row.width).saturating_sub(LABEL_WIDTH + 1);
    let star = if setup.is_field_changed(field) { "*" } else { " " };
    let label = Span::raw(format!("{star}{:<LABEL_WIDTH$}", field.label()));

    if let (true, Editing::Text(input)) = (selected, &setup.editing) {
        let problem = setup.problem(field);
        let width = if problem.is_some() { EDITED_VALUE_WIDTH.min(width) } else { width };
        let visible = width.saturating_sub(1);
        let scroll = input.visual_scroll(visible);
        let shown: String = input.value().chars().skip(scroll).take(visible).collect();
        let value = Span::styled(format!("{shown:<width$}"), theme.selected());
        let mut spans = vec![label, value];
        if let Some(problem) = problem {
            let room = usize::from(row.width).saturating_sub(LABEL_WIDTH + 4 + width);
            spans.push(Span::styled(
                format!(" ✗ {}", format::truncate(problem, room)),
                theme.warn(),
            ));
        }
        draw_line(Line::from(spans), frame, row);
        let cursor = input.visual_cursor().saturating_sub(scroll) + LABEL_WIDTH + 1;
        frame.set_cursor_position((row.x + (cursor as u16).min(row.width - 1), row.y));
        return;
    }
    let value = match (setup.value(field), field) {
        (Some(_), Field::Engine)
            if setup.value(Field::Hub).is_some_and(|hub| hub != HubKind::Docker.name()) =>
        {
            "not used".to_owned()
        }
        (Some(value), Field::Engine) if value.is_empty() => model.catalog.default_engine.clone(),
        (Some(value), _) if value.is_empty() => "none".to_owned(),
        (Some(value), _) => value,
        (None, _) => format::MISSING.to_owned(),
    };
    let arrows =
        selected && matches!(field.kind(), FieldKind::Choice(_) | FieldKind::PrefixedText(_));
    let value = if arrows { format!("◂ {value} ▸") } else { value };
    let mut spans = vec![label];
    let style = if selected { theme.selected() } else { Style::new() };
    if let Some(problem) = setup.problem(field) {
        let value = format::truncate(&value, PROBLEM_VALUE_WIDTH);
        spans.push(Span::styled(format!("{value:<PROBLEM_VALUE_WIDTH$}"), style));
        let room = width.saturating_sub(PROBLEM_VALUE_WIDTH + 3);
        spans.push(Span::styled(format!(" ✗ {}", format::truncate(problem, room)), theme.warn()));
    } else {
        // In order of importance: the value, the file's value, the meaning of the value.
        let file = setup.file_value(field).filter(|_| setup.is_field_changed(field));
        let file = file.map(|file| if file.is_empty() { "none".to_owned() } else { file });
        let given = setup.value(field).unwrap_or_default();
        let shown = setup.last_plan.as_ref();
        let meant = shown.map_or_else(String::new, |it| value_remark(field, &given, &it.plan));
        let file = file.map_or_else(String::new, |file| format!("  file: {file}"));
        let reserved = file.chars().count().min(width.saturating_sub(PROBLEM_VALUE_WIDTH));
        let value = format::truncate(&value, width.saturating_sub(reserved));
        let mut room = width.saturating_sub(value.chars().count());
        spans.push(Span::styled(value, style));
        if !meant.is_empty() && meant.chars().count() + 2 + file.chars().count() <= room {
            spans.push(Span::styled(format!("  {meant}"), theme.label()));
            room -= meant.chars().count() + 2;
        }
        spans.push(Span::styled(format::truncate(&file, room), theme.label()));
    }
    draw_line(Line::from(spans), frame, row);
}

/// Returns a remark on a value of the form, such as the resulting rate; empty if the value is clear.
fn value_remark(field: Field, value: &str, plan: &Plan) -> String {
    match (field, plan.points.first().map(|point| &point.workload)) {
        (Field::Engine, _) if value.is_empty() && plan.hub.kind == HubKind::Docker => {
            "default".to_owned()
        }
        (Field::Setting(backend, _), _) => backend.to_owned(),
        (Field::ServerWarmup, _) if plan.server_warmup.is_zero() => "cold, as the study".to_owned(),
        (Field::ServerWarmup, _) => "warm".to_owned(),
        (Field::Users, _) if plan.capacity.is_some() => {
            let users = plan.points.iter().map(|point| point.workload.users());
            let users = users.collect::<BTreeSet<_>>().len() as u64;
            count_noun(users, "number") + " to try"
        }
        (Field::Length, Some(Workload::Latency(load))) => {
            let seconds = load.arrival.mean().as_secs_f64() * f64::from(load.messages);
            if value.contains("message") || value.parse::<u64>().is_ok() {
                format!("each, {}", format::time_span(seconds))
            } else {
                count_noun(load.messages.into(), "message") + " each"
            }
        }
        (Field::Arrival, Some(Workload::Latency(load))) => {
            let mean = load.arrival.mean().as_secs_f64();
            if mean > 0.0 {
                format!("{} msg/s each", format::three_significant(1.0 / mean))
            } else {
                String::new()
            }
        }
        (Field::Volume, Some(workload @ Workload::Throughput(_))) => {
            count_noun(workload.messages(), "message")
        }
        _ => String::new(),
    }
}
