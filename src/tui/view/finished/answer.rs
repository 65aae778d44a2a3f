//! The answer of a finished run: what went wrong, what was found and how sure it is, what changed, where
//! the record is.

use std::collections::BTreeSet;

use ratatui::{
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use crate::{
    event::EndStatus,
    format,
    measure::Judgement,
    plan::Point,
    tui::model::{FinishedRun, Model},
};

/// Width of the labels at the left of some lines.
const LABEL_WIDTH: usize = 8;

/// Smallest height in which the path of the record is more important than the answer.
const MIN_HEIGHT_FOR_PATH: usize = 6;

/// A line of the answer, before it is wrapped.
struct AnswerLine {
    label: &'static str,
    text: String,
    style: Style,
}

/// Rows of the answer.
pub struct AnswerRows {
    /// Rows in the order of their importance.
    rows: Vec<Line<'static>>,
    /// Rows with the path of the record, which are shown wherever the panel is not very low.
    record: Vec<Line<'static>>,
}

impl AnswerRows {
    /// Number of rows.
    pub const fn len(&self) -> usize {
        self.rows.len() + self.record.len()
    }
}

/// Returns the rows of the answer for panels of `width` columns, the worst news first.
pub fn rows(finished: &FinishedRun, model: &Model, width: usize) -> AnswerRows {
    let theme = model.theme;
    let mut lines: Vec<AnswerLine> = Vec::new();
    let mut add = |label, text: String, style| lines.push(AnswerLine { label, text, style });
    if let EndStatus::Failed { error } = &finished.end {
        error.lines().for_each(|line| add("", line.to_owned(), theme.warn()));
    }
    for search in &finished.searches {
        let style = if search.about_hub == Some(false) { theme.warn() } else { theme.title() };
        add("", search.progress_line(), style);
    }
    for (text, style) in losses(finished, model) {
        add("", text, style);
    }
    for caution in &finished.hub_cautions {
        add("hub", format!("! {caution}"), theme.warn());
    }
    let cautions = backend_cautions(finished, model);
    for caution in &cautions {
        add("", format!("! {caution}"), theme.warn());
    }
    let results = finished.results();
    match (&finished.results, &finished.record) {
        (Some(Err(problem)), _) => add("", format!("! {problem}"), theme.warn()),
        (None, Some(_)) if !finished.done.is_empty() => {
            add("", "reading the record for the answer…".to_owned(), theme.label());
        }
        _ => {}
    }
    for sentence in results.map_or(&[][..], |results| &results.sentences) {
        add("", sentence.clone(), Style::new());
    }
    if finished.done.is_empty() {
        add("", "No repetition was finished.".to_owned(), Style::new());
    }
    if let Some(previous) = results.and_then(|results| results.previous.as_ref()) {
        let zone = model.time_zone;
        let started = format!("{} {}", zone.format(previous.started), zone.name());
        add("changed", format!("since {started}: {}", previous.sentence()), Style::new());
    }
    let confidence = results.map_or(&[][..], |results| &results.confidence).iter();
    for sentence in confidence.filter(|sentence| !cautions.contains(&sentence.as_str())) {
        add("", sentence.clone(), theme.label());
    }
    if let Some(path) = finished.path.filter(|_| !finished.done.is_empty()) {
        add("path", path.to_string(), Style::new());
    }
    if let Some(test) = finished.self_test.filter(|_| !finished.done.is_empty()) {
        add("client", format!("{}; {}", test.timer_text(), test.loopback_text()), Style::new());
    }
    let wrap = |line: &AnswerLine| wrapped(line, theme.label(), width);
    let record = finished.record.as_ref().map(|path| AnswerLine {
        label: "record",
        text: path.display().to_string(),
        style: Style::new(),
    });
    AnswerRows {
        rows: lines.iter().flat_map(wrap).collect(),
        record: record.iter().flat_map(wrap).collect(),
    }
}

/// Returns the rows that fit in `height`, and the first of those at the end that lead to the record: its
/// path, and the number of rows that are not shown, with the key that shows them.
pub fn fit(
    answer: AnswerRows,
    height: usize,
    finished: &FinishedRun,
    model: &Model,
) -> (Vec<Line<'static>>, usize) {
    let AnswerRows { mut rows, mut record } = answer;
    let mut first_link = rows.len();
    if rows.len() + record.len() > height {
        if height < MIN_HEIGHT_FOR_PATH {
            rows.append(&mut record);
        }
        record.truncate(height.saturating_sub(2));
        let room = height.saturating_sub(record.len() + 1);
        let hidden = rows.len().saturating_sub(room) as u64;
        rows.truncate(room);
        let key = model.keys.key_label("open-record");
        let text = if finished.record.is_some() && !key.is_empty() {
            format!("… {} more: {key} shows the record", format::count_noun(hidden, "line"))
        } else {
            format!("… {} more in a taller terminal", format::count_noun(hidden, "line"))
        };
        first_link = rows.len();
        rows.push(Line::from(Span::styled(text, model.theme.label())));
    }
    rows.extend(record);
    (rows, first_link)
}

/// Returns the cautions that belong to every figure of the measured backends.
fn backend_cautions<'m>(finished: &FinishedRun, model: &'m Model) -> Vec<&'m str> {
    let measured =
        finished.done.iter().filter_map(|done| finished.plan.points.get(done.step.point));
    let caution = |point: &Point| model.catalog.backend(&point.backend)?.caution.as_deref();
    measured.filter_map(caution).collect::<BTreeSet<&str>>().into_iter().collect()
}

/// Returns what went wrong, or that nothing did, the worst first.
fn losses(finished: &FinishedRun, model: &Model) -> Vec<(String, Style)> {
    let theme = model.theme;
    let mut lines = Vec::new();
    let lost = finished.lost();
    if lost > 0 {
        let text = format!(" {} {} LOST ", format::count(lost), format::plural(lost, "message"));
        lines.push((text, theme.bad()));
    }
    let unaccepted = finished.undelivered() - lost;
    if unaccepted > 0 {
        let noun = format::plural(unaccepted, "message");
        let text = format!(" {} {noun} REFUSED OR NEVER SENT ", format::count(unaccepted));
        lines.push((text, theme.bad()));
    }
    let crossed: Vec<&str> =
        finished.done.iter().flat_map(|done| &done.crossed).map(String::as_str).collect();
    if let Some(first) = crossed.first() {
        let count = crossed.len() as u64;
        let text =
            format!("! {count} {} crossed, first: {first}", format::plural(count, "threshold"));
        lines.push((text, theme.warn()));
    }
    let failed = finished.count_judged(Judgement::Failed) as u64;
    if failed > 0 {
        let text = format!(
            "✗ {failed} {} failed and not in the figures",
            format::plural(failed, "repetition")
        );
        lines.push((text, theme.warn()));
    }
    let steered = finished.count_judged(Judgement::Steered) as u64;
    if steered > 0 {
        let noun = format::plural(steered, "repetition");
        lines.push((format!("◇ {steered} {noun} steered and not in the figures"), theme.warn()));
    }
    let suspect = finished.count_judged(Judgement::Suspect) as u64;
    if suspect > 0 {
        let text = format!(
            "! {suspect} of {} suspect; reasons: see the points below",
            format::count_noun(finished.done.len() as u64, "repetition")
        );
        lines.push((text, theme.warn()));
    }
    let on_the_way = finished.on_the_way();
    if on_the_way > 0 {
        let text = format!(
            "{} {} on the way when a repetition ended early: neither delivered nor lost.",
            format::count(on_the_way),
            format::plural(on_the_way, "message"),
        );
        lines.push((text, Style::new()));
    }
    if finished.undelivered() == 0 && on_the_way == 0 && !finished.done.is_empty() {
        let arrived: u64 = finished.done.iter().map(|done| done.ledger.delivered).sum();
        let text = match arrived {
            0 => "No message was sent.".to_owned(),
            _ => format!("Nothing lost: {} delivered.", format::count_noun(arrived, "message")),
        };
        lines.push((text, Style::new()));
    }
    lines
}

/// Wraps a line at words, and words that are wider than the panel, such as paths, at any symbol.
fn wrapped(line: &AnswerLine, label_style: Style, width: usize) -> Vec<Line<'static>> {
    let indent = if line.label.is_empty() { 0 } else { LABEL_WIDTH };
    let room = width.saturating_sub(indent).max(1);
    // Spaces at the ends belong to a text on a coloured ground.
    let texts = if line.text.width() <= room {
        vec![line.text.clone()]
    } else {
        let pieces = |text: String| {
            let symbols: Vec<char> = text.chars().collect();
            symbols.chunks(room).map(|piece| piece.iter().collect()).collect::<Vec<String>>()
        };
        format::wrap(&line.text, room).into_iter().flat_map(pieces).collect()
    };
    let row = |(place, text): (usize, String)| {
        let label = if place == 0 { line.label } else { "" };
        let label = format!("{label:<indent$}");
        Line::from(vec![Span::styled(label, label_style), Span::styled(text, line.style)])
    };
    texts.into_iter().enumerate().map(row).collect()
}
