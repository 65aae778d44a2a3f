//! Screen with pages: a record, a comparison, images.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Position, Rect, Spacing},
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::{
    footer::draw_message_or_keys,
    parts::{draw_both_ends, panel, split_screen},
};
use crate::{
    format,
    record::RecordStatus,
    report::figures::Figure,
    tui::{
        model::{Document, DocumentContent, DocumentRow, Model, Page, RowStyle},
        msg::Msg,
        text::{draw_line, draw_lines, wrap_lines},
        theme::Theme,
        widgets::FigureChart,
    },
};

/// Smallest height of a figure's panel.
const MIN_PANEL_HEIGHT: u16 = 9;

/// Returns the key hints of the footer.
pub fn key_hints(document: &Document) -> Vec<(&'static str, &'static str)> {
    let figures =
        matches!(document.shown().map(|page| &page.content), Some(DocumentContent::Figures(_)));
    let mut keys = vec![("next", "page")];
    keys.push(if figures { ("left right", "figure") } else { ("up down", "scroll") });
    if let Some(record) = document.record() {
        keys.extend([("export", "export…"), ("again", "run again")]);
        if record.status == RecordStatus::Partial {
            keys.push(("resume", "resume"));
        }
    }
    if document.is_images() {
        keys.push(("stop-images", "stop"));
    }
    let back = if document.is_of_form() { "setup" } else { "records" };
    keys.extend([("back", back), ("help", "help")]);
    keys
}

/// Draws the screen.
pub fn draw(document: &Document, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let [header, body, keys] = split_screen(area, 1);
    let status = match document.record() {
        Some(record) if record.status == RecordStatus::Partial => {
            Span::styled(" partial ", theme.warn())
        }
        _ => Span::raw(""),
    };
    let room = usize::from(header.width).saturating_sub(20);
    let left = Line::from(vec![
        Span::styled(" hubmark  ", theme.label()),
        Span::styled(format::truncate(&document.name, room), theme.title()),
    ]);
    draw_both_ends(left, Line::from(status), frame, header);
    draw_page(document, model, frame, body);
    draw_message_or_keys(
        model.record_list.notice.as_ref(),
        &key_hints(document),
        model,
        frame,
        keys,
    );
}

/// Draws the shown page.
fn draw_page(document: &Document, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let room = usize::from(area.width).saturating_sub(2);
    let mut block = panel(theme, tab_line(document, room, theme));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    let Some(page) = document.shown() else { return };
    match &page.content {
        DocumentContent::Text(_) => {
            let (width, rows) = (usize::from(inner.width), usize::from(inner.height));
            let text = page.lines(width);
            let more = text.hidden_below(page.position, rows) as u64;
            if more > 0 {
                let key = model.keys.key_label("page-down");
                let words = format!(" ↓ {} more, {key} ", format::count_noun(more, "line"));
                block = block.title_bottom(Line::styled(words, theme.label()).right_aligned());
            }
            frame.render_widget(block, area);
            let lines = text.visible(page.position, rows);
            draw_lines(
                lines.into_iter().map(|row| styled_line(row, theme)).collect(),
                frame,
                inner,
            );
        }
        DocumentContent::Figures(figures) => {
            frame.render_widget(block, area);
            if let Some(shown) = figures.get(page.position) {
                draw_figure(shown, page, figures.len(), theme, frame, inner);
            } else {
                draw_line("no figure: these records have no data for one", frame, inner);
            }
        }
    }
}

/// Returns the names of the pages, the current one marked, and the first and the end of those that fit in
/// `room` columns. Without room for all, only the neighbours of the current page are named.
fn visible_tabs(document: &Document, room: usize) -> (Vec<String>, usize, usize) {
    let names: Vec<String> = document
        .pages
        .iter()
        .enumerate()
        .map(|(place, page)| {
            if place == document.page { format!("▸{}", page.name) } else { page.name.to_owned() }
        })
        .collect();
    let width = |from: usize, to: usize| {
        let names: usize = names[from..to].iter().map(|name| name.width() + 1).sum();
        names + 1 + 2 * usize::from(from > 0) + 2 * usize::from(to < document.pages.len())
    };
    let (mut from, mut to) = (0, names.len());
    while width(from, to) > room && to - from > 1 {
        // The page that is farther away is left out first.
        if document.page - from >= to - 1 - document.page { from += 1 } else { to -= 1 }
    }
    (names, from, to)
}

/// Returns the message that shows the page whose name is at a screen position.
pub fn hit_test(document: &Document, area: Rect, at: Position) -> Option<Msg> {
    let [_, body, _] = split_screen(area, 1);
    let (names, from, to) = visible_tabs(document, usize::from(body.width).saturating_sub(2));
    // After the border and a space, and the sign of pages that are left out, each name ends in a space.
    let mut end = body.x + 2 + if from > 0 { 2 } else { 0 };
    if at.y != body.y || at.x < end {
        return None;
    }
    for (place, name) in names.iter().enumerate().take(to).skip(from) {
        end += name.width() as u16 + 1;
        if at.x < end {
            return Some(Msg::Page(place));
        }
    }
    None
}

/// Returns the names of the pages in at most `room` columns.
fn tab_line(document: &Document, room: usize, theme: Theme) -> Line<'static> {
    let (names, from, to) = visible_tabs(document, room);
    let mut spans = vec![Span::raw(" ")];
    if from > 0 {
        spans.push(Span::styled("… ", theme.label()));
    }
    for (place, name) in names.iter().enumerate().take(to).skip(from) {
        let style = if place == document.page { theme.title() } else { theme.label() };
        spans.extend([Span::styled(name.clone(), style), Span::raw(" ")]);
    }
    if to < names.len() {
        spans.push(Span::styled("… ", theme.label()));
    }
    Line::from(spans)
}

fn styled_line(row: &DocumentRow, theme: Theme) -> Line<'static> {
    let style = match row.style {
        RowStyle::Plain => ratatui::style::Style::new(),
        RowStyle::Heading => theme.title(),
        RowStyle::Label => theme.label(),
        RowStyle::Warning => theme.warn(),
    };
    Line::from(Span::styled(row.text.clone(), style))
}

/// Draws a figure of `all`: its title, as many of its panels as fit, and its caption.
fn draw_figure(
    shown: &Figure,
    page: &Page,
    all: usize,
    theme: Theme,
    frame: &mut Frame,
    area: Rect,
) {
    let caption = Line::styled(shown.caption.clone(), theme.label());
    let caption = wrap_lines(vec![caption], area.width.into(), 0);
    // The chart needs most of the height.
    let caption_rows = (caption.len() as u16).clamp(2, (area.height / 3).max(2));
    let [name, body, below] = area.layout(&Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(caption_rows),
    ]));
    let rows = usize::from((body.height / MIN_PANEL_HEIGHT).max(1)).min(shown.panels.len().max(1));
    let columns =
        shown.panels.len().div_ceil(rows).min(if body.width >= 120 { 3 } else { 1 }).max(1);
    let fits = rows * columns;
    let first = page.panel.min(shown.panels.len().saturating_sub(fits));
    let mut counted = format!("{} of {all}", page.position + 1);
    if shown.panels.len() > fits {
        let last = (first + fits).min(shown.panels.len());
        let panels = format!("panels {} to {last} of {}", first + 1, shown.panels.len());
        counted = format!("↑↓ {panels} · {counted}");
    }
    let counted = Line::styled(counted, theme.label());
    let room = usize::from(name.width).saturating_sub(counted.width() + 2);
    let words = Line::from(Span::styled(format::truncate(&shown.title, room), theme.title()));
    draw_both_ends(words, counted, frame, name);
    draw_lines(caption, frame, below);
    let mut panels = shown.panels.iter().skip(first);
    for place in body.layout_vec(&Layout::vertical(vec![Constraint::Fill(1); rows])) {
        let cells = place.layout_vec(
            &Layout::horizontal(vec![Constraint::Fill(1); columns]).spacing(Spacing::Space(2)),
        );
        for cell in cells {
            if let Some(panel) = panels.next() {
                frame.render_widget(FigureChart { panel, theme }, cell);
            }
        }
    }
}
