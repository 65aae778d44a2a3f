//! A record, or a comparison, page by page.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Rect, Spacing},
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};

use super::{both_ends, frame_of, panel, word_or_keys};
use crate::{
    format,
    record::Status,
    report::figures::Figure,
    tui::{
        model::{Content, Model, Opened, Page, Row, Tone},
        theme::Theme,
        widgets::Chart,
    },
};

/// Rows that a panel of a figure needs.
const LEAST: u16 = 9;

/// The keys that matter now.
pub fn keys_of(opened: &Opened) -> Vec<(&'static str, &'static str)> {
    let figures = matches!(opened.shown().map(|page| &page.content), Some(Content::Figures(_)));
    let mut keys = vec![("next", "page")];
    keys.push(if figures { ("left right", "figure") } else { ("up down", "scroll") });
    if let Some(record) = &opened.record {
        keys.extend([("export", "export…"), ("again", "run again")]);
        if record.status == Status::Partial {
            keys.push(("resume", "resume"));
        }
    }
    if opened.is_images() {
        keys.push(("stop-images", "stop"));
    }
    let back = if opened.is_of_form() { "setup" } else { "records" };
    keys.extend([("back", back), ("help", "help")]);
    keys
}

/// Draws the screen.
pub fn draw(opened: &Opened, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let [header, body, keys] = frame_of(area, 1);
    let status = match &opened.record {
        Some(record) if record.status == Status::Partial => Span::styled(" partial ", theme.warn()),
        _ => Span::raw(""),
    };
    let room = usize::from(header.width).saturating_sub(20);
    let left = Line::from(vec![
        Span::styled(" hubmark  ", theme.label()),
        Span::styled(format::fit(&opened.name, room), theme.title()),
    ]);
    both_ends(left, Line::from(status), frame, header);
    let block = panel(theme, tabs(opened, theme));
    let inner = block.inner(body).inner(Margin::new(1, 0));
    frame.render_widget(block, body);
    if let Some(page) = opened.shown() {
        match &page.content {
            Content::Prose(rows) => {
                let lines = rows.iter().skip(page.at).take(usize::from(inner.height));
                let text: Vec<Line> = lines.map(|row| line(row, 0, theme)).collect();
                frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }), inner);
            }
            Content::Table(rows) => table(rows, page, theme, frame, inner),
            Content::Figures(figures) => match figures.get(page.at) {
                Some(shown) => figure(shown, (page.at, figures.len()), theme, frame, inner),
                None => frame.render_widget(Line::from("these records fill no figure"), inner),
            },
        }
    }
    word_or_keys(model.shelf.word.as_ref(), &keys_of(opened), model, frame, keys);
}

/// The names of the pages, that of the shown one marked.
fn tabs(opened: &Opened, theme: Theme) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for (place, page) in opened.pages.iter().enumerate() {
        let name =
            if place == opened.page { format!("▸{}", page.name) } else { page.name.to_owned() };
        let style = if place == opened.page { theme.title() } else { theme.label() };
        spans.extend([Span::styled(name, style), Span::raw(" ")]);
    }
    Line::from(spans)
}

fn line(row: &Row, left: usize, theme: Theme) -> Line<'static> {
    let text: String = row.text.chars().skip(left).collect();
    let style = match row.tone {
        Tone::Plain => ratatui::style::Style::new(),
        Tone::Head => theme.title(),
        Tone::Label => theme.label(),
        Tone::Doubt => theme.warn(),
    };
    Line::from(Span::styled(text, style))
}

/// A table keeps its head in sight while it is scrolled.
fn table(rows: &[Row], page: &Page, theme: Theme, frame: &mut Frame, area: Rect) {
    let heads = usize::from(rows.first().is_some_and(|row| row.tone == Tone::Label));
    let (head, body) = rows.split_at(heads);
    let shown = head.iter().chain(body.iter().skip(page.at));
    for (row, place) in shown.zip(area.rows()) {
        let left = page.left;
        frame.render_widget(line(row, left, theme), place);
    }
}

fn figure(shown: &Figure, (at, all): (usize, usize), theme: Theme, frame: &mut Frame, area: Rect) {
    let [name, body, caption] = area.layout(&Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(2),
    ]));
    let counted = Line::from(Span::styled(format!("{} of {all}", at + 1), theme.label()));
    let room = usize::from(name.width).saturating_sub(counted.width() + 2);
    let words = Line::from(Span::styled(format::fit(&shown.title, room), theme.title()));
    both_ends(words, counted, frame, name);
    let caption_text = Paragraph::new(Span::styled(shown.caption.clone(), theme.label()));
    frame.render_widget(caption_text.wrap(Wrap { trim: true }), caption);
    let fits = usize::from((body.height / LEAST).max(1)).min(shown.panels.len().max(1));
    let columns =
        shown.panels.len().div_ceil(fits).min(if body.width >= 120 { 3 } else { 1 }).max(1);
    let places = body.layout_vec(&Layout::vertical(vec![Constraint::Fill(1); fits]));
    let shown_panels = fits * columns;
    let mut panels = shown.panels.iter();
    for place in places {
        let cells = place.layout_vec(
            &Layout::horizontal(vec![Constraint::Fill(1); columns]).spacing(Spacing::Space(2)),
        );
        for cell in cells {
            if let Some(panel) = panels.next() {
                frame.render_widget(Chart { panel, theme }, cell);
            }
        }
    }
    let hidden = shown.panels.len().saturating_sub(shown_panels);
    if hidden > 0 {
        let text = format!("{hidden} more in a larger window or the report ");
        let line = Line::from(Span::styled(text, theme.warn())).right_aligned();
        let last = Rect { y: caption.bottom().saturating_sub(1), height: 1, ..caption };
        frame.render_widget(line, last);
    }
}
