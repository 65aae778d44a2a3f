//! The map of a sweep: points × repetitions. Where a capacity is searched, its course is the map.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{live::Scene, search, title, words};
use crate::{
    format,
    measure::Judgement,
    plan::Step,
    tui::{
        model::{Cell, Panel},
        theme::Theme,
    },
};

/// Columns of one repetition.
const CELL: usize = 2;

/// Draws the panel.
pub fn draw(scene: &Scene, frame: &mut Frame, area: Rect) {
    if scene.live.plan.capacity.is_some() {
        return search::draw(scene, frame, area);
    }
    let theme = scene.theme;
    let plan = &scene.live.plan;
    let block = scene.block(title(theme, "map")).title(legend(theme).right_aligned());
    let inner = block.inner(area).inner(Margin::new(1, 0));
    let names = words::points(plan);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let room = longest.min(width / 2);
    let columns = width.saturating_sub(room + 1) / CELL;
    let (point, repetition) = scene.live.look.cell;
    let repetitions = plan.repetitions as usize;
    let first_column = first(repetition, columns, repetitions);
    let rows = height.saturating_sub(2);
    let first_row = first(point, rows, names.len());
    let block = match hidden(first_row, rows, names.len()) {
        Some(words) => block.title_bottom(Span::styled(words, theme.label())),
        None => block,
    };
    frame.render_widget(block, area);
    let shown = first_column..(first_column + columns).min(repetitions);
    let mut head = format!("{:>room$} ", format::fit("repetition", room));
    for repetition in shown.clone().step_by(5) {
        let text = format!("{:<width$}", repetition + 1, width = CELL * 5);
        head.push_str(&text);
    }
    let mut lines = vec![Line::from(Span::styled(format::fit(&head, width), theme.label()))];
    let holds_keys = scene.live.look.panel == Panel::Map;
    for (place, name) in names.iter().enumerate().skip(first_row).take(rows) {
        let name = format::fit(name, room);
        let mut spans = vec![Span::raw(format!("{name:<room$} "))];
        for repetition in shown.clone() {
            let step = Step { point: place, repetition: repetition as u32 };
            let (sign, style) = sign(scene.live.cell(step), theme);
            let chosen = holds_keys && scene.live.look.cell == (place, repetition);
            let style = if chosen { theme.selected() } else { style };
            spans.push(Span::styled(sign, style));
            spans.push(Span::raw(" "));
        }
        lines.push(Line::from(spans));
    }
    if holds_keys {
        lines.push(Line::from(Span::styled(format::fit(&chosen(scene), width), theme.label())));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Which points are shown, where not all are.
fn hidden(first: usize, room: usize, all: usize) -> Option<String> {
    let last = (first + room).min(all);
    (last - first < all).then(|| format!(" points {} to {last} of {all} ", first + 1))
}

/// The first of `all` that is shown where `room` fit and `wanted` has to be seen.
pub(super) fn first(wanted: usize, room: usize, all: usize) -> usize {
    wanted.saturating_sub(room / 2).min(all.saturating_sub(room))
}

fn sign(cell: Cell, theme: Theme) -> (&'static str, Style) {
    match cell {
        Cell::Waiting => ("·", theme.label()),
        Cell::Running => ("▸", theme.accent()),
        Cell::Done(Judgement::Valid) => ("✓", theme.good()),
        Cell::Done(Judgement::Suspect) => ("!", theme.warn()),
        Cell::Done(Judgement::Failed) => ("✗", theme.bad()),
        Cell::Skipped => ("-", theme.label()),
    }
}

fn legend(theme: Theme) -> Line<'static> {
    let all = [
        (Cell::Done(Judgement::Valid), "done"),
        (Cell::Running, "running"),
        (Cell::Done(Judgement::Suspect), "suspect"),
        (Cell::Done(Judgement::Failed), "failed"),
        (Cell::Waiting, "waiting"),
        (Cell::Skipped, "skipped"),
    ];
    let mut spans = vec![Span::raw(" ")];
    for (cell, word) in all {
        let (sign, style) = sign(cell, theme);
        spans.push(Span::styled(sign, style));
        spans.push(Span::styled(format!(" {word} "), theme.label()));
    }
    Line::from(spans)
}

/// The chosen cell in words.
fn chosen(scene: &Scene) -> String {
    let (point, repetition) = scene.live.look.cell;
    let step = Step { point, repetition: repetition as u32 };
    let what = match scene.live.cell(step) {
        Cell::Waiting => "waiting".to_owned(),
        Cell::Running => "running".to_owned(),
        Cell::Skipped => "skipped".to_owned(),
        Cell::Done(_) => scene
            .live
            .done
            .iter()
            .rev()
            .find(|done| done.step == step)
            .map_or_else(String::new, |done| result(scene, done)),
    };
    let hint = if scene.live.keeps(step) { " (enter: look at it)" } else { "" };
    format!("repetition {}: {what}{hint}", repetition + 1)
}

fn result(scene: &Scene, done: &crate::tui::model::Done) -> String {
    let unit = scene.watch.unit;
    let figure = |name: &str| unit.number(done.figures.get(name).copied());
    let numbers = format!(
        "delivery p50 {} p99 {} {}",
        figure("delivery.p50").trim(),
        figure("delivery.p99").trim(),
        unit.sign()
    );
    match done.verdict.reasons.first() {
        Some(reason) => format!("{numbers}; {}", reason.text),
        None => numbers,
    }
}

#[cfg(test)]
mod tests {
    use super::{first, hidden};

    #[test]
    fn points_out_of_sight_are_told() {
        assert_eq!(hidden(0, 9, 9), None);
        assert_eq!(hidden(0, 6, 9).as_deref(), Some(" points 1 to 6 of 9 "));
        assert_eq!(hidden(3, 6, 9).as_deref(), Some(" points 4 to 9 of 9 "));
    }

    #[test]
    fn what_is_wanted_is_seen_and_nothing_is_left_empty() {
        assert_eq!(first(0, 10, 100), 0);
        assert_eq!(first(50, 10, 100), 45);
        assert_eq!(first(99, 10, 100), 90);
        assert_eq!(first(3, 10, 5), 0);
    }
}
