//! Screen of the saved records: list, and details of the selected record.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Position, Rect, Spacing},
    style::Style,
    text::{Line, Span},
};

use super::{
    footer::draw_message_or_keys,
    list::{first_visible, item_at},
    parts::{draw_both_ends, panel, split_screen, title},
    record_columns::RecordColumns,
};
use crate::{
    format::{self, MISSING},
    record::{RecordStatus, index::IndexEntry, label::Label},
    tui::{
        model::{Model, RecordInput, RecordList, verdict},
        msg::Msg,
        text::{draw_line, draw_wrapped},
        theme::Theme,
    },
};

/// Height of the details of the selected record.
const DETAIL_HEIGHT: u16 = 8;
/// Width of the columns that are always shown: sign, time.
const FIXED_COLUMNS: usize = 2 + 17;

/// Returns the key hints of the footer.
pub fn key_hints(records: &RecordList) -> Vec<(&'static str, &'static str)> {
    match records.typing {
        Some(_) => vec![("accept", "keep"), ("back", "give up")],
        None if records.marked.len() > 1 => vec![
            ("choose", "mark"),
            ("compare", "compare two"),
            ("export", "one report of all marked"),
            ("filter", "filter"),
            ("sort", "sort"),
            ("help", "help"),
        ],
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
    let (theme, records) = (model.theme, &model.record_list);
    let [header, body, keys] = split_screen(area, 1);
    let shown = records.shown();
    let all =
        records.loading_total.unwrap_or_else(|| records.entries().map_or(0, <[IndexEntry]>::len));
    let reading = if records.loading_total.is_some() { "reading… " } else { "" };
    let left = Line::from(vec![
        Span::styled(" hubmark  ", theme.label()),
        Span::styled("records", theme.title()),
    ]);
    let right = Line::from(Span::styled(
        format!(
            "{reading}{} of {}{} · {} ",
            format::count(shown.len() as u64),
            format::count(all as u64),
            match records.marked.len() {
                0 => String::new(),
                marked => format!(" · {marked} marked"),
            },
            records.order.name()
        ),
        theme.label(),
    ));
    draw_both_ends(left, right, frame, header);
    let [list, detail] = layout_areas(body);
    draw_rows(model, &shown, frame, list);
    draw_details(model, records.selected(), frame, detail);
    draw_message_or_keys(
        model.record_list.notice.as_ref(),
        &key_hints(records),
        model,
        frame,
        keys,
    );
}

fn layout_areas(body: Rect) -> [Rect; 2] {
    body.layout(
        &Layout::vertical([Constraint::Fill(1), Constraint::Length(DETAIL_HEIGHT)])
            .spacing(Spacing::Overlap(1)),
    )
}

/// Returns the rows of records below the table's header.
fn table_rows(list: Rect) -> Rect {
    let inner = list.inner(Margin::new(1, 1));
    Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner }
}

/// Returns the message that selects the record at a screen position.
pub fn hit_test(model: &Model, area: Rect, at: Position) -> Option<Msg> {
    let [_, body, _] = split_screen(area, 1);
    let [list, _] = layout_areas(body);
    let rows = table_rows(list);
    let records = &model.record_list;
    let first = first_visible(records.line, rows.height.into());
    item_at(rows, at, first, records.shown().len()).map(Msg::Line)
}

fn draw_rows(model: &Model, shown: &[&IndexEntry], frame: &mut Frame, area: Rect) {
    let (theme, records) = (model.theme, &model.record_list);
    let mut block = panel(theme, title(theme, "records"));
    let filter = match &records.typing {
        Some(RecordInput::Filter(input)) => format!(" with: {}▏", input.value()),
        _ if !records.filter.is_empty() => format!(" with: {} ", records.filter),
        _ => String::new(),
    };
    block = block.title(Line::from(Span::styled(filter, theme.accent())).right_aligned());
    frame.render_widget(block, area);
    let inner = area.inner(Margin::new(1, 1));
    let width = usize::from(inner.width).saturating_sub(FIXED_COLUMNS);
    let columns = RecordColumns::for_width(width);
    let header = format!("  {:<17}{}", model.time_zone.column_title(), columns.head());
    draw_line(Line::from(header).style(theme.label()), frame, Rect { height: 1, ..inner });
    let rows = table_rows(area);
    if shown.is_empty() {
        let text = match (records.entries(), &records.unreadable) {
            (None, _) => "reading…".to_owned(),
            (Some([]), Some(problem)) => format!("! the records cannot be read: {problem}"),
            (Some([]), None) => "no records yet: every run saves one".to_owned(),
            (Some(_), _) => "no record has this text".to_owned(),
        };
        draw_wrapped(vec![Line::styled(text, theme.label())], "", frame, rows);
        return;
    }
    let selected = records.line.min(shown.len() - 1);
    let lines = shown.iter().enumerate().skip(first_visible(records.line, rows.height.into()));
    for ((line, entry), row) in lines.zip(rows.rows()) {
        let marked = records.marked.contains(&entry.path);
        let (text, doubtful) = match &entry.content {
            Ok(content) => {
                let whole = content.status == RecordStatus::Complete;
                let wrong = content.undelivered > 0 || content.failed > 0;
                let sign = match (marked, wrong, content.suspect > 0, whole) {
                    (true, ..) => "●",
                    (_, true, ..) => "✗",
                    _ if content.steered > 0 => "◇",
                    (_, _, true, _) => "!",
                    (_, _, _, false) => "…",
                    _ => "✓",
                };
                let text = format!(
                    "{sign} {:<17}{}",
                    model.time_zone.format(content.started),
                    columns.row(entry, content),
                );
                (text, wrong || content.suspect + content.steered > 0)
            }
            Err(problem) => {
                let name = entry.name();
                (format!("? {name}: {problem}"), true)
            }
        };
        let style = match (line == selected, doubtful) {
            (true, _) => theme.selected(),
            (false, true) => theme.warn(),
            (false, false) => Style::new(),
        };
        let text = format::truncate(&text, usize::from(row.width));
        let text = format!("{text:<width$}", width = usize::from(row.width));
        draw_line(Line::from(text).style(style), frame, row);
    }
}

fn draw_details(model: &Model, entry: Option<&IndexEntry>, frame: &mut Frame, area: Rect) {
    let (theme, records) = (model.theme, &model.record_list);
    let name = entry.map_or_else(String::new, IndexEntry::name);
    let room = usize::from(area.width).saturating_sub(4);
    let block = panel(theme, title(theme, &format::truncate(&name, room)));
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let Some(entry) = entry else { return };
    let mut lines = match &entry.content {
        Ok(content) => {
            let status = content.status.name();
            let state = format!(
                "{status} · {} · {} · {} of {} · took {} · hub {}",
                format::count_noun(content.points as u64, "point"),
                format::bytes(entry.bytes as f64),
                content.done,
                content.planned.map_or_else(
                    || "a search's repetitions".to_owned(),
                    |all| format::count_noun(all as u64, "repetition"),
                ),
                content.seconds.map_or_else(|| MISSING.to_owned(), format::time_span),
                content.hub.as_deref().unwrap_or(MISSING),
            );
            let steered = match content.steered {
                0 => String::new(),
                steered => format!("steered {steered} · "),
            };
            let doubts = format!(
                "verdict {}: {steered}suspect {} · failed {} · undelivered {}",
                verdict(content),
                content.suspect,
                content.failed,
                format::count(content.undelivered)
            );
            let doubtful = content.suspect + content.steered > 0
                || content.failed > 0
                || content.undelivered > 0;
            let style = if doubtful { theme.warn() } else { Style::new() };
            vec![Line::from(state), Line::from(Span::styled(doubts, style))]
        }
        Err(problem) => vec![Line::from(Span::styled(problem.as_str(), theme.warn()))],
    };
    lines.extend(label_lines(records, entry, theme));
    lines.push(Line::from(vec![
        Span::styled("file  ", theme.label()),
        Span::raw(entry.path.display().to_string()),
    ]));
    draw_wrapped(lines, "", frame, inner);
}

/// Lines of the selected record's tags and note, or of the reason why they cannot be read.
fn label_lines<'a>(records: &RecordList, entry: &'a IndexEntry, theme: Theme) -> Vec<Line<'a>> {
    let Label { tags, note } = match &entry.label {
        Ok(label) => label.clone(),
        Err(problem) => return vec![Line::from(Span::styled(problem.as_str(), theme.warn()))],
    };
    let tags = tags.join(" ");
    let (tags, note) = match &records.typing {
        Some(RecordInput::Tags(input)) => (format!("{}▏", input.value()), note),
        Some(RecordInput::Note(input)) => (tags, format!("{}▏", input.value())),
        _ => (tags, note),
    };
    let line = |name: &str, text: String| {
        let text = if text.is_empty() { MISSING.to_owned() } else { text };
        let name = Span::styled(format!("{name:<6}"), theme.label());
        Line::from(vec![name, Span::raw(text)])
    };
    vec![line("tags", tags), line("note", note)]
}
