//! Setup screen: list of profiles, form, preview of the plan, help.

mod choices;
mod fields;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Position, Rect, Spacing},
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::{
    footer::draw_message_or_keys,
    list::{first_visible, item_at},
    parts::{draw_both_ends, panel, split_screen, title},
};
use crate::{
    format,
    tui::{
        model::{Editing, Field, Model, Pane, Preview},
        msg::Msg,
        plan_text,
        text::{draw_line, draw_lines, wrap_lines},
    },
};
use fields::visible_fields;

/// Width of the list of profiles.
const PROFILES_WIDTH: u16 = 29;
/// Width of the list of profiles on a wide screen.
const WIDE_PROFILES_WIDTH: u16 = 36;
/// Smallest width of a wide screen.
const MIN_WIDE_WIDTH: u16 = 120;
/// Height of the form on the smallest screen.
const MIN_FORM_HEIGHT: u16 = 10;
/// Height of the help on the selected field.
const HELP_HEIGHT: u16 = 5;
/// Draws the screen.
pub fn draw(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let [header, body, keys] = split_screen(area, 1);
    let left = Line::from(Span::styled(" hubmark", theme.title()));
    let right = Line::from(Span::styled(
        "how many devices will this hub carry, and on what? ",
        theme.label(),
    ));
    draw_both_ends(left, right, frame, header);

    let [list, form, preview, help] = layout_areas(body);
    draw_profiles(model, frame, list);
    fields::draw(model, frame, form);
    draw_preview(model, frame, preview);
    draw_explanation(model, fields::value_width(form), frame, help);
    if let Editing::Choices(line) = model.setup.editing {
        choices::draw(line, model, frame, form);
    }
    draw_message_or_keys(model.setup.notice.as_ref(), key_hints(model), model, frame, keys);
}

/// Returns the areas of the list, the form, the preview and the help.
fn layout_areas(body: Rect) -> [Rect; 4] {
    let profiles_width =
        if body.width >= MIN_WIDE_WIDTH { WIDE_PROFILES_WIDTH } else { PROFILES_WIDTH };
    let [top, preview, help] = body.layout(
        &Layout::vertical([
            Constraint::Min(MIN_FORM_HEIGHT),
            Constraint::Length(preview_height(body)),
            Constraint::Length(HELP_HEIGHT),
        ])
        .spacing(Spacing::Overlap(1)),
    );
    let [list, form] = top.layout(
        &Layout::horizontal([Constraint::Length(profiles_width), Constraint::Fill(1)])
            .spacing(Spacing::Overlap(1)),
    );
    [list, form, preview, help]
}

/// Returns the message that selects the profile or the field at a screen position.
pub fn hit_test(model: &Model, area: Rect, at: Position) -> Option<Msg> {
    if !matches!(model.setup.editing, Editing::Nothing) {
        return None;
    }
    let [_, body, _] = split_screen(area, 1);
    let [list, form, ..] = layout_areas(body);
    let inside = Margin::new(1, 1);
    let (list, form) = (list.inner(inside), form.inner(inside));
    if list.contains(at) {
        let first = first_visible(model.setup.profile, list.height.into());
        return item_at(list, at, first, model.catalog.profiles.len()).map(Msg::Profile);
    }
    let (first, shown) = visible_fields(model, form.height);
    item_at(form, at, first, first + shown).map(Msg::Field)
}

/// Returns the height of the preview, larger on a tall screen.
const fn preview_height(body: Rect) -> u16 {
    if body.height >= 30 { 9 } else { 5 }
}

/// Returns the key hints of the footer.
pub const fn key_hints(model: &Model) -> &'static [(&'static str, &'static str)] {
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

fn draw_profiles(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let setup = &model.setup;
    let block = panel(theme, title(theme, "profiles"));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let rows = usize::from(inner.height);
    let first = first_visible(setup.profile, rows);
    let lines = model.catalog.profiles.iter().enumerate().skip(first).take(rows);
    for ((place, entry), row) in lines.zip(inner.rows()) {
        let chosen = place == setup.profile;
        let sign = if chosen { "▸" } else { " " };
        let star = if setup.is_changed(place) { " *" } else { "" };
        let width = usize::from(inner.width).saturating_sub(1 + star.len());
        let text = format!("{sign}{}{star}", format::truncate(&entry.name, width));
        let style = match (chosen, setup.pane) {
            (true, Pane::Profiles) => theme.selected(),
            (true, Pane::Form) => theme.title(),
            (false, _) => Style::new(),
        };
        draw_line(
            Line::from(format!("{text:<width$}", width = usize::from(inner.width))).style(style),
            frame,
            row,
        );
    }
}

fn draw_preview(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let setup = &model.setup;
    let (name, texts) = match &setup.preview {
        Preview::Waiting => ("what will happen".to_owned(), vec![("…".to_owned(), Style::new())]),
        Preview::Plan(preview) => {
            let mut texts =
                vec![(plan_text::plan_summary(&preview.plan, preview.seconds), Style::new())];
            for option in setup.backends() {
                if let Some(caution) = &option.caution {
                    texts.push((format!("! {caution}"), theme.warn()));
                }
            }
            let findings = setup.hub_findings(&preview.plan).iter();
            texts.extend(findings.map(|text| (format!("! {text}"), theme.warn())));
            texts.extend(preview.lines.iter().map(|line| (line.clone(), Style::new())));
            ("what will happen".to_owned(), texts)
        }
        Preview::Problems(problems) => {
            let texts = problems.iter().map(|problem| {
                let key = problem.key.as_ref().map_or(String::new(), |key| format!("{key}: "));
                (format!("✗ {key}{}", problem.text), theme.warn())
            });
            let count = problems.len() as u64;
            (format!("cannot start: {count} {}", format::plural(count, "problem")), texts.collect())
        }
    };
    let inside = area.inner(Margin::new(2, 1));
    let lines: Vec<Line> = texts
        .into_iter()
        .flat_map(|(text, style)| {
            let lines = format::wrap(&text, inside.width.into());
            lines.into_iter().map(move |line| Line::from(Span::styled(line, style)))
        })
        .collect();
    draw_scrolled(&name, lines, model, frame, area);
}

/// Draws a panel whose lines scroll when they do not fit.
fn draw_scrolled(name: &str, lines: Vec<Line>, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let mut block = panel(theme, title(theme, name));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    let rows = usize::from(inner.height);
    let first = model.setup.scrolled_lines.min(lines.len().saturating_sub(rows));
    let below = lines.len().saturating_sub(first + rows) as u64;
    let [up, down] = ["details-up", "details-down"].map(|action| model.keys.key_label(action));
    let more = match (first, below) {
        (0, 0) => String::new(),
        (_, 0) => format!(" ↑ {up} "),
        (_, below) => format!(" ↓ {} more, {down} ", format::count_noun(below, "line")),
    };
    block = block.title(Line::styled(more, theme.label()).right_aligned());
    frame.render_widget(block, area);
    draw_lines(lines.into_iter().skip(first).take(rows).collect(), frame, inner);
}

/// Draws the meaning of the selected profile or field; of a field also its value, if the form has no room
/// for it in `value_width` columns.
fn draw_explanation(model: &Model, value_width: usize, frame: &mut Frame, area: Rect) {
    let setup = &model.setup;
    let (name, text) = match setup.pane {
        Pane::Profiles => setup.entry().map_or((String::new(), String::new()), |entry| {
            (entry.name.clone(), entry.description.clone())
        }),
        Pane::Form => {
            let field = setup.selected();
            let text = match setup.problem(field) {
                Some(problem) => format!("✗ {problem}"),
                None => field.help(),
            };
            let value = setup.value(field).unwrap_or_default();
            let text = if value.width() > value_width { format!("{value}: {text}") } else { text };
            let default = setup
                .default_value(field)
                .map_or_else(String::new, |it| format!(" (default: {it})"));
            (format!("{}{default}", field_title(field)), text)
        }
    };
    let width = usize::from(area.width.saturating_sub(4));
    draw_scrolled(&name, wrap_lines(vec![Line::from(text)], width, 0), model, frame, area);
}

/// Returns the name of a field over its explanation; of a backend's setting its whole key.
fn field_title(field: Field) -> String {
    match field {
        Field::Setting(..) => field.key().into_owned(),
        _ => field.label().to_owned(),
    }
}
