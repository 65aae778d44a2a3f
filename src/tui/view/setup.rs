//! Choose: profiles, the form, and what will happen.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Position, Rect, Spacing},
    style::Style,
    text::{Line, Span},
    widgets::{Clear, Paragraph, Wrap},
};

use super::{both_ends, frame_of, panel, title, word_or_keys, words};
use crate::format;
use crate::{
    server::HubKind,
    tui::{
        model::{Editing, Field, FieldKind, Model, Pane, Preview},
        msg::Msg,
    },
};

/// Columns of the list of profiles, and where there is room.
const PROFILES: u16 = 29;
const PROFILES_IN_FULL: u16 = 36;
/// Columns of a screen with such room.
const WIDE: u16 = 120;
/// Columns of a field's label.
const LABEL: usize = 15;
/// Rows of the form at the smallest size.
const FORM: u16 = 14;
/// Rows of the help on the selected field.
const HELP: u16 = 5;
/// Columns of a value that has a problem beside it.
const VALUE_WITH_PROBLEM: usize = 12;

/// Columns of a value while it is typed and something is wrong with it.
const VALUE_WHILE_TYPED: usize = 18;

/// Draws the screen.
pub fn draw(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let [header, body, keys] = frame_of(area, 1);
    let left = Line::from(Span::styled(" hubmark", theme.title()));
    let right = Line::from(Span::styled(
        "how many devices will this hub carry, and on what? ",
        theme.label(),
    ));
    both_ends(left, right, frame, header);

    let [list, form, happen, help] = parts(body);
    profiles(model, frame, list);
    fields(model, frame, form);
    what_will_happen(model, frame, happen);
    explanation(model, frame, help);
    if let Editing::Choices(line) = model.setup.editing {
        match model.setup.selected() {
            Field::Engine => hubs(line, model, frame, form),
            _ => backends(line, model, frame, form),
        }
    }
    word_or_keys(model.setup.word.as_ref(), keys_of(model), model, frame, keys);
}

/// Where the list, the form, what will happen and the help are.
fn parts(body: Rect) -> [Rect; 4] {
    let profiles_width = if body.width >= WIDE { PROFILES_IN_FULL } else { PROFILES };
    let [top, happen, help] = body.layout(
        &Layout::vertical([
            Constraint::Min(FORM),
            Constraint::Length(rows_to_happen(body)),
            Constraint::Length(HELP),
        ])
        .spacing(Spacing::Overlap(1)),
    );
    let [list, form] = top.layout(
        &Layout::horizontal([Constraint::Length(profiles_width), Constraint::Fill(1)])
            .spacing(Spacing::Overlap(1)),
    );
    [list, form, happen, help]
}

/// The first profile that is shown in so many rows.
fn first_profile(model: &Model, rows: usize) -> usize {
    (model.setup.profile + 1).saturating_sub(rows)
}

/// The profile or the field at a place.
pub fn pointed(model: &Model, area: Rect, at: Position) -> Option<Msg> {
    if !matches!(model.setup.editing, Editing::Nothing) {
        return None;
    }
    let [_, body, _] = frame_of(area, 1);
    let [list, form, ..] = parts(body);
    let inside = Margin::new(1, 1);
    let (list, form) = (list.inner(inside), form.inner(inside));
    if list.contains(at) {
        let place = first_profile(model, list.height.into()) + usize::from(at.y - list.y);
        return (place < model.catalog.profiles.len()).then_some(Msg::Profile(place));
    }
    let (first, shown) = shown_fields(model, form.height);
    let row = usize::from(at.y.saturating_sub(form.y));
    (form.contains(at) && row < shown).then_some(Msg::Field(first + row))
}

/// The first field that is shown in so many rows, and how many are: where they do not fit, the last
/// row says what is below.
fn shown_fields(model: &Model, rows: u16) -> (usize, usize) {
    let fields = model.setup.fields().len();
    if fields <= usize::from(rows) {
        return (0, fields);
    }
    let shown = usize::from(rows).saturating_sub(1);
    let selected = match model.setup.pane {
        Pane::Form => model.setup.field,
        Pane::Profiles => 0,
    };
    ((selected + 1).saturating_sub(shown).min(fields - shown), shown)
}

/// Rows of "what will happen": more where there is room.
const fn rows_to_happen(body: Rect) -> u16 {
    if body.height >= 30 { 9 } else { 5 }
}

/// The keys that matter now.
pub const fn keys_of(model: &Model) -> &'static [(&'static str, &'static str)] {
    match (&model.setup.editing, model.setup.pane) {
        (Editing::Text(_), _) => &[("accept", "keep"), ("back", "give up")],
        (Editing::Choices(_), _) => {
            &[("up down", "move"), ("choose", "choose"), ("accept", "done")]
        }
        (Editing::Nothing, Pane::Profiles) => &[
            ("up down", "profile"),
            ("start-profile", "start"),
            ("next", "change"),
            ("records", "records"),
            ("check", "check hub"),
            ("help", "help"),
            ("quit", "quit"),
        ],
        (Editing::Nothing, Pane::Form) => &[
            ("up down", "field"),
            ("accept", "edit"),
            ("left right", "choose"),
            ("reset", "reset"),
            ("start", "start"),
            ("warm", "warm"),
            ("help", "help"),
            ("quit", "quit"),
        ],
    }
}

fn profiles(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let setup = &model.setup;
    let block = panel(theme, title(theme, "profiles"));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = usize::from(inner.height);
    let first = first_profile(model, rows);
    let lines = model.catalog.profiles.iter().enumerate().skip(first).take(rows);
    for ((place, entry), row) in lines.zip(inner.rows()) {
        let chosen = place == setup.profile;
        let sign = if chosen { "▸" } else { " " };
        let star = if setup.is_changed(place) { " *" } else { "" };
        let width = usize::from(inner.width).saturating_sub(1 + star.len());
        let text = format!("{sign}{}{star}", format::fit(&entry.name, width));
        let style = match (chosen, setup.pane) {
            (true, Pane::Profiles) => theme.selected(),
            (true, Pane::Form) => theme.title(),
            (false, _) => Style::new(),
        };
        frame.render_widget(
            Line::from(format!("{text:<width$}", width = usize::from(inner.width))).style(style),
            row,
        );
    }
}

fn fields(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let setup = &model.setup;
    let name = setup.entry().map_or("no profile", |entry| entry.name.as_str());
    let star = if setup.is_changed(setup.profile) { " *" } else { "" };
    let fields = setup.fields();
    let inside = area.inner(Margin::new(1, 1));
    let (first, shown) = shown_fields(model, inside.height);
    let above = if first > 0 { format!(" · {first} more above") } else { String::new() };
    let block = panel(theme, title(theme, &format!("{name}{star}{above}")));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let mut rows = inner.rows();
    for (field, row) in fields.iter().skip(first).take(shown).zip(rows.by_ref()) {
        field_line(*field, model, frame, row);
    }
    let Some(shown_plan) = &setup.plan else { return };
    let below = fields.iter().skip(first + shown).map(|field| (field.label().to_owned(), None));
    let fixed = words::fixed(shown_plan);
    let fixed = fixed.into_iter().map(|(label, value)| (label, Some(value)));
    let rest: Vec<_> = below.chain(fixed).collect();
    let left = usize::from(inner.height).saturating_sub(shown);
    let shown = if rest.len() > left { left.saturating_sub(1) } else { left };
    let value_width = usize::from(inner.width).saturating_sub(LABEL + 1);
    for ((label, value), row) in rest.iter().take(shown).zip(rows.by_ref()) {
        let value = value.as_deref().unwrap_or_default();
        let line = format!(" {label:<LABEL$}{}", format::fit(value, value_width));
        frame.render_widget(Line::from(line).style(theme.label()), row);
    }
    if let Some(row) = rows.next()
        && rest.len() > shown
    {
        let labels = |field: bool| {
            let labels = rest.iter().skip(shown).filter(|(_, value)| value.is_none() == field);
            labels.map(|(label, _)| label.to_lowercase()).collect::<Vec<_>>().join(", ")
        };
        let below = labels(true);
        let text = if below.is_empty() {
            format!("taller window: {}", labels(false))
        } else {
            format!("↓ {below}")
        };
        let text = format::fit(&text, value_width);
        let line = format!(" {:<LABEL$}{text}", "More");
        frame.render_widget(Line::from(line).style(theme.label()), row);
    }
}

fn field_line(field: Field, model: &Model, frame: &mut Frame, row: Rect) {
    let theme = model.theme;
    let setup = &model.setup;
    let selected = setup.pane == Pane::Form && setup.selected() == field;
    let width = usize::from(row.width).saturating_sub(LABEL + 1);
    let star = if setup.is_field_changed(field) { "*" } else { " " };
    let label = Span::raw(format!("{star}{:<LABEL$}", field.label()));

    if let (true, Editing::Text(input)) = (selected, &setup.editing) {
        let problem = setup.problem(field);
        let width = if problem.is_some() { VALUE_WHILE_TYPED.min(width) } else { width };
        let visible = width.saturating_sub(1);
        let scroll = input.visual_scroll(visible);
        let shown: String = input.value().chars().skip(scroll).take(visible).collect();
        let value = Span::styled(format!("{shown:<width$}"), theme.selected());
        let mut spans = vec![label, value];
        if let Some(problem) = problem {
            let room = usize::from(row.width).saturating_sub(LABEL + 4 + width);
            spans.push(Span::styled(format!(" ✗ {}", format::fit(problem, room)), theme.warn()));
        }
        frame.render_widget(Line::from(spans), row);
        let cursor = input.visual_cursor().saturating_sub(scroll) + LABEL + 1;
        frame.set_cursor_position((row.x + (cursor as u16).min(row.width - 1), row.y));
        return;
    }
    let value = match (setup.value(field), field) {
        (Some(_), Field::Engine)
            if setup.value(Field::Hub).is_some_and(|hub| hub != HubKind::Docker.word()) =>
        {
            "not used".to_owned()
        }
        (Some(value), Field::Engine) if value.is_empty() => "the usual one".to_owned(),
        (Some(value), _) if value.is_empty() => "none".to_owned(),
        (Some(value), _) => value,
        (None, _) => format::MISSING.to_owned(),
    };
    let arrows = selected && matches!(field.kind(), FieldKind::Choice(_) | FieldKind::Worded(_));
    let value = if arrows { format!("◂ {value} ▸") } else { value };
    let mut spans = vec![label];
    let style = if selected { theme.selected() } else { Style::new() };
    if let Some(problem) = setup.problem(field) {
        let value = format::fit(&value, VALUE_WITH_PROBLEM);
        spans.push(Span::styled(format!("{value:<VALUE_WITH_PROBLEM$}"), style));
        let room = width.saturating_sub(VALUE_WITH_PROBLEM + 3);
        spans.push(Span::styled(format!(" ✗ {}", format::fit(problem, room)), theme.warn()));
    } else {
        // The value first, then what the file has, then what the value means.
        let file = setup.in_file(field).filter(|_| setup.is_field_changed(field));
        let file = file.map(|file| if file.is_empty() { "none".to_owned() } else { file });
        let given = setup.value(field).unwrap_or_default();
        let shown = setup.plan.as_ref();
        let meant = shown.map_or_else(String::new, |it| words::remark(field, &given, &it.plan));
        let file = file.map_or_else(String::new, |file| format!("  file: {file}"));
        let reserved = file.chars().count().min(width.saturating_sub(VALUE_WITH_PROBLEM));
        let value = format::fit(&value, width.saturating_sub(reserved));
        let mut room = width.saturating_sub(value.chars().count());
        spans.push(Span::styled(value, style));
        if !meant.is_empty() && meant.chars().count() + 2 + file.chars().count() <= room {
            spans.push(Span::styled(format!("  {meant}"), theme.label()));
            room -= meant.chars().count() + 2;
        }
        spans.push(Span::styled(format::fit(&file, room), theme.label()));
    }
    frame.render_widget(Line::from(spans), row);
}

fn what_will_happen(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let setup = &model.setup;
    let (name, said) = match &setup.preview {
        Preview::Waiting => ("what will happen".to_owned(), vec![("…".to_owned(), Style::new())]),
        Preview::Plan(preview) => {
            let mut said = vec![(words::summary(&preview.plan, preview.seconds), Style::new())];
            for option in setup.backends() {
                if let Some(caution) = &option.caution {
                    said.push((format!("! {caution}"), theme.warn()));
                }
            }
            said.extend(preview.lines.iter().map(|line| (line.clone(), Style::new())));
            ("what will happen".to_owned(), said)
        }
        Preview::Problems(problems) => {
            let said = problems.iter().map(|problem| {
                let key = problem.key.as_ref().map_or(String::new(), |key| format!("{key}: "));
                (format!("✗ {key}{}", problem.text), theme.warn())
            });
            let count = problems.len() as u64;
            (format!("cannot start: {count} {}", words::plural(count, "problem")), said.collect())
        }
    };
    let inside = area.inner(Margin::new(2, 1));
    let lines: Vec<Line> = said
        .into_iter()
        .flat_map(|(text, style)| {
            let lines = format::broken(&text, inside.width.into());
            lines.into_iter().map(move |line| Line::from(Span::styled(line, style)))
        })
        .collect();
    let mut block = panel(theme, title(theme, &name));
    let hidden = lines.len().saturating_sub(inside.height.into()) as u64;
    if hidden > 0 {
        let more =
            format!(" ↓ {hidden} more {} in a taller terminal ", words::plural(hidden, "line"));
        block = block.title(Line::from(Span::styled(more, theme.label())).right_aligned());
    }
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines), inside);
}

fn explanation(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let setup = &model.setup;
    let (name, text) = match setup.pane {
        Pane::Profiles => setup.entry().map_or((String::new(), String::new()), |entry| {
            (entry.name.clone(), entry.description.clone())
        }),
        Pane::Form => {
            let field = setup.selected();
            let text = match setup.problem(field) {
                Some(problem) => format!("✗ {problem}"),
                None => field.meaning(),
            };
            let usual = setup.usual(field).map_or_else(String::new, |it| format!(" (usual: {it})"));
            (format!("{}{usual}", field.label()), text)
        }
    };
    let block = panel(theme, title(theme, &name));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), inner);
}

fn backends(line: usize, model: &Model, frame: &mut Frame, form: Rect) {
    let chosen = model.setup.backends();
    let lines = model.catalog.backends.iter().map(|option| {
        let sign = if chosen.contains(&option) { "[x]" } else { "[ ]" };
        format!("{sign} {}", option.title)
    });
    choices("backends", &lines.collect::<Vec<_>>(), line, model, frame, form);
}

fn hubs(line: usize, model: &Model, frame: &mut Frame, form: Rect) {
    let found = model.setup.hubs.iter().flatten().map(|place| match &place.engine {
        Some(engine) => format!("{engine}  ({})", place.title),
        None => place.title.clone(),
    });
    let mut lines: Vec<String> = found.collect();
    let looking = if lines.is_empty() { "looking around…  " } else { "" };
    lines.push(format!("{looking}another: type its address"));
    choices("where the servers run", &lines, line, model, frame, form);
}

/// A list over the form.
fn choices(
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
    let first = (line + 1).saturating_sub(usize::from(inner.height));
    for ((place, text), row) in lines.iter().enumerate().skip(first).zip(inner.rows()) {
        let text = format::fit(&format!(" {text}"), usize::from(row.width));
        let style = if place == line { theme.selected() } else { Style::new() };
        let text = format!("{text:<width$}", width = usize::from(row.width));
        frame.render_widget(Line::from(text).style(style), row);
    }
}
