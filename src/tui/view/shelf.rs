//! Records on disk: the list, and a few words on the selected one.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Position, Rect, Spacing},
    style::Style,
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};

use super::{both_ends, frame_of, panel, title, word_or_keys, words};
use crate::{
    format::{self, MISSING},
    record::{Status, index::Head},
    tui::{
        model::{Model, Shelf, Typing},
        msg::Msg,
    },
};

/// Rows of the words on the selected record.
const DETAIL: u16 = 8;
/// Columns of the list that do not grow: sign, time, repetitions.
const FIXED: usize = 2 + 17 + 10;

/// The keys that matter now.
pub fn keys_of(shelf: &Shelf) -> Vec<(&'static str, &'static str)> {
    match shelf.typing {
        Some(_) => vec![("accept", "keep"), ("back", "give up")],
        None => vec![
            ("accept", "open"),
            ("resume", "resume"),
            ("filter", "filter"),
            ("sort", "sort"),
            ("choose", "mark"),
            ("compare", "compare"),
            ("tags", "tags"),
            ("note", "note"),
            ("remove", "delete…"),
            ("help", "help"),
        ],
    }
}

/// Draws the screen.
pub fn draw(model: &Model, frame: &mut Frame, area: Rect) {
    let (theme, shelf) = (model.theme, &model.shelf);
    let [header, body, keys] = frame_of(area, 1);
    let shown = shelf.shown();
    let all = shelf.reading.unwrap_or_else(|| shelf.heads().map_or(0, <[Head]>::len));
    let reading = if shelf.reading.is_some() { "reading… " } else { "" };
    let left = Line::from(vec![
        Span::styled(" hubmark  ", theme.label()),
        Span::styled("records", theme.title()),
    ]);
    let right = Line::from(Span::styled(
        format!(
            "{reading}{} of {} · {} ",
            format::count(shown.len() as u64),
            format::count(all as u64),
            shelf.order.name()
        ),
        theme.label(),
    ));
    both_ends(left, right, frame, header);
    let [list, detail] = parts(body);
    rows(model, &shown, frame, list);
    words_on(model, shelf.selected(), frame, detail);
    word_or_keys(model.shelf.word.as_ref(), &keys_of(shelf), model, frame, keys);
}

fn parts(body: Rect) -> [Rect; 2] {
    body.layout(
        &Layout::vertical([Constraint::Fill(1), Constraint::Length(DETAIL)])
            .spacing(Spacing::Overlap(1)),
    )
}

/// The rows of records inside the list's frame.
fn rows_of(list: Rect) -> Rect {
    let inner = list.inner(Margin::new(1, 1));
    Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner }
}

/// The first record that is shown.
fn first(shelf: &Shelf, rows: Rect) -> usize {
    (shelf.line + 1).saturating_sub(usize::from(rows.height))
}

/// The record at a place.
pub fn pointed(model: &Model, area: Rect, at: Position) -> Option<Msg> {
    let [_, body, _] = frame_of(area, 1);
    let [list, _] = parts(body);
    let rows = rows_of(list);
    let line = first(&model.shelf, rows) + usize::from(at.y.checked_sub(rows.y)?);
    let there = rows.contains(at) && line < model.shelf.shown().len();
    there.then_some(Msg::Line(line))
}

fn rows(model: &Model, shown: &[&Head], frame: &mut Frame, area: Rect) {
    let (theme, shelf) = (model.theme, &model.shelf);
    let mut block = panel(theme, title(theme, "records"));
    let filter = match &shelf.typing {
        Some(Typing::Filter(input)) => format!(" with: {}▏", input.value()),
        _ if !shelf.filter.is_empty() => format!(" with: {} ", shelf.filter),
        _ => String::new(),
    };
    block = block.title(Line::from(Span::styled(filter, theme.accent())).right_aligned());
    frame.render_widget(block, area);
    let inner = area.inner(Margin::new(1, 1));
    let width = usize::from(inner.width).saturating_sub(FIXED);
    let (profile, backend) = (width * 2 / 5, width * 2 / 5);
    let tags = width.saturating_sub(profile + backend + 2);
    let head = format!(
        "  {:<17}{:<profile$} {:<backend$} {:>9} {:<tags$}",
        "started (UTC)", "profile", "backends", "reps", "tags"
    );
    frame.render_widget(Line::from(head).style(theme.label()), Rect { height: 1, ..inner });
    let rows = rows_of(area);
    if shown.is_empty() {
        let text = match (shelf.heads(), shelf.filter.is_empty() && shelf.typing.is_none()) {
            (None, _) => "reading…",
            (Some(_), true) => "no records yet: a run makes one",
            (Some(_), false) => "no record has this text",
        };
        frame.render_widget(Line::from(Span::styled(text, theme.label())), rows);
        return;
    }
    let selected = shelf.line.min(shown.len() - 1);
    let lines = shown.iter().enumerate().skip(first(shelf, rows));
    for ((line, head), row) in lines.zip(rows.rows()) {
        let marked = shelf.marked.as_ref() == Some(&head.path);
        let (text, doubtful) = match &head.content {
            Ok(content) => {
                let whole = content.status == Status::Complete;
                let wrong = content.lost > 0 || content.failed > 0;
                let sign = match (marked, wrong, content.suspect > 0, whole) {
                    (true, ..) => "●",
                    (_, true, ..) => "✗",
                    (_, _, true, _) => "!",
                    (_, _, _, false) => "…",
                    _ => "✓",
                };
                let planned =
                    content.planned.map_or_else(|| "search".to_owned(), |all| all.to_string());
                let text = format!(
                    "{sign} {:<17}{:<profile$} {:<backend$} {:>9} {}",
                    content.started.strftime("%Y-%m-%d %H:%M").to_string(),
                    format::fit(&content.profile, profile),
                    format::fit(&content.backends.join(", "), backend),
                    format!("{}/{planned}", content.done),
                    format::fit(&head.label.tags.join(" "), tags),
                );
                (text, wrong || content.suspect > 0)
            }
            Err(problem) => {
                let name = head.path.file_stem().unwrap_or_default().to_string_lossy();
                (format!("? {name}: {problem}"), true)
            }
        };
        let style = match (line == selected, doubtful) {
            (true, _) => theme.selected(),
            (false, true) => theme.warn(),
            (false, false) => Style::new(),
        };
        let text = format::fit(&text, usize::from(row.width));
        let text = format!("{text:<width$}", width = usize::from(row.width));
        frame.render_widget(Line::from(text).style(style), row);
    }
}

fn words_on(model: &Model, head: Option<&Head>, frame: &mut Frame, area: Rect) {
    let (theme, shelf) = (model.theme, &model.shelf);
    let name = head.map_or_else(String::new, |head| {
        head.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    });
    let room = usize::from(area.width).saturating_sub(4);
    let block = panel(theme, title(theme, &format::fit(&name, room)));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let Some(head) = head else { return };
    let mut lines = match &head.content {
        Ok(content) => {
            let status = match content.status {
                Status::Complete => "complete",
                Status::Partial => "partial",
            };
            let state = format!(
                "{status} · {} {} · {} · hub {}",
                content.points,
                words::plural(content.points as u64, "point"),
                format::bytes(head.bytes as f64),
                content.hub.as_deref().unwrap_or(MISSING),
            );
            let doubts = format!(
                "suspect {} · failed {} · lost {}",
                content.suspect,
                content.failed,
                format::count(content.lost)
            );
            let doubtful = content.suspect > 0 || content.failed > 0 || content.lost > 0;
            let style = if doubtful { theme.warn() } else { Style::new() };
            vec![Line::from(state), Line::from(Span::styled(doubts, style))]
        }
        Err(problem) => vec![Line::from(Span::styled(problem.as_str(), theme.warn()))],
    };
    let (tags, note) = (head.label.tags.join(" "), head.label.note.clone());
    let (tags, note) = match &shelf.typing {
        Some(Typing::Tags(input)) => (format!("{}▏", input.value()), note),
        Some(Typing::Note(input)) => (tags, format!("{}▏", input.value())),
        _ => (tags, note),
    };
    for (label, text) in [("tags", tags), ("note", note)] {
        let text = if text.is_empty() { MISSING.to_owned() } else { text };
        lines.push(Line::from(vec![
            Span::styled(format!("{label:<6}"), theme.label()),
            Span::raw(text),
        ]));
    }
    lines.push(Line::from(vec![
        Span::styled("file  ", theme.label()),
        Span::raw(head.path.display().to_string()),
    ]));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}
