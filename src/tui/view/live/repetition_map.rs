//! Map panel: points × repetitions of a plan, or the progress of a capacity search.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    style::Style,
    text::{Line, Span},
};

use super::{capacity_search, context::LiveContext};
use crate::{
    format,
    measure::Judgement,
    plan::ScheduledRepetition,
    tui::{
        live_panel::LivePanel,
        model::{FinishedRepetition, MapCell},
        plan_text,
        text::draw_lines,
        theme::Theme,
        view::{list::first_visible_centred, parts::title},
    },
};

/// Width of one repetition in columns.
const CELL_WIDTH: usize = 2;

/// Draws the panel.
pub fn draw(context: &LiveContext, frame: &mut Frame, area: Rect) {
    if context.live.plan.capacity.is_some() {
        return capacity_search::draw(context, frame, area);
    }
    let theme = context.theme;
    let plan = &context.live.plan;
    let block = context.block(title(theme, "map")).title(legend(theme).right_aligned());
    let inner = block.inner(area).inner(Margin::new(1, 0));
    let names = plan_text::point_labels(plan);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let room = longest.min(width / 2);
    let columns = width.saturating_sub(room + 1) / CELL_WIDTH;
    let (point, repetition) = context.live.display.cell;
    let repetitions = plan.repetitions as usize;
    let first_column = first_visible_centred(repetition, columns, repetitions);
    let rows = height.saturating_sub(2);
    let first_row = first_visible_centred(point, rows, names.len());
    let block = match visible_range_label(first_row, rows, names.len()) {
        Some(words) => block.title_bottom(Span::styled(words, theme.label())),
        None => block,
    };
    frame.render_widget(block, area);
    let shown = first_column..(first_column + columns).min(repetitions);
    let mut head = format!("{:>room$} ", format::truncate("repetition", room));
    for repetition in shown.clone().step_by(5) {
        let text = format!("{:<width$}", repetition + 1, width = CELL_WIDTH * 5);
        head.push_str(&text);
    }
    let mut lines = vec![Line::from(Span::styled(format::truncate(&head, width), theme.label()))];
    let holds_keys = context.live.display.panel == LivePanel::Map;
    for (place, name) in names.iter().enumerate().skip(first_row).take(rows) {
        let name = format::truncate(name, room);
        let mut spans = vec![Span::raw(format!("{name:<room$} "))];
        for repetition in shown.clone() {
            let step = ScheduledRepetition { point: place, repetition: repetition as u32 };
            let (sign, style) = cell_sign(context.live.map_cell(step), theme);
            let chosen = holds_keys && context.live.display.cell == (place, repetition);
            let style = if chosen { theme.selected() } else { style };
            spans.push(Span::styled(sign, style));
            spans.push(Span::raw(" "));
        }
        lines.push(Line::from(spans));
    }
    if holds_keys {
        lines.push(Line::from(Span::styled(
            format::truncate(&selected_cell_text(context), width),
            theme.label(),
        )));
    }
    draw_lines(lines, frame, inner);
}

/// Returns a label of the visible points; `None` if all are visible.
fn visible_range_label(first: usize, room: usize, all: usize) -> Option<String> {
    let last = (first + room).min(all);
    (last - first < all).then(|| format!(" points {} to {last} of {all} ", first + 1))
}

fn cell_sign(cell: MapCell, theme: Theme) -> (&'static str, Style) {
    match cell {
        MapCell::Waiting => ("·", theme.label()),
        MapCell::Running => ("▸", theme.accent()),
        MapCell::Done(judgement) => {
            let style = match judgement {
                Judgement::Valid => theme.good(),
                Judgement::Suspect | Judgement::Steered => theme.warn(),
                Judgement::Failed => theme.bad(),
            };
            (plan_text::judgement_sign(judgement), style)
        }
        MapCell::Skipped => ("-", theme.label()),
    }
}

fn legend(theme: Theme) -> Line<'static> {
    let all = [
        (MapCell::Done(Judgement::Valid), "done"),
        (MapCell::Running, "running"),
        (MapCell::Done(Judgement::Suspect), "suspect"),
        (MapCell::Done(Judgement::Failed), "failed"),
        (MapCell::Waiting, "waiting"),
        (MapCell::Skipped, "skipped"),
    ];
    let mut spans = vec![Span::raw(" ")];
    for (cell, word) in all {
        let (sign, style) = cell_sign(cell, theme);
        spans.push(Span::styled(sign, style));
        spans.push(Span::styled(format!(" {word} "), theme.label()));
    }
    Line::from(spans)
}

/// Describes the selected repetition.
fn selected_cell_text(context: &LiveContext) -> String {
    let (point, repetition) = context.live.display.cell;
    let step = ScheduledRepetition { point, repetition: repetition as u32 };
    let what = match context.live.map_cell(step) {
        MapCell::Waiting => "waiting".to_owned(),
        MapCell::Running => "running".to_owned(),
        MapCell::Skipped => "skipped".to_owned(),
        MapCell::Done(_) => context
            .live
            .done
            .iter()
            .rev()
            .find(|done| done.step == step)
            .map_or_else(String::new, |done| result_text(context, done)),
    };
    let hint = if context.live.has_history(step) { " (enter: look at it)" } else { "" };
    format!("repetition {}: {what}{hint}", repetition + 1)
}

fn result_text(context: &LiveContext, done: &FinishedRepetition) -> String {
    let unit = context.shown.unit;
    let figure = |name: &str| unit.format(done.figures.get(name).copied());
    let numbers = format!(
        "delivery p50 {} p99 {} {}",
        figure("delivery.p50").trim(),
        figure("delivery.p99").trim(),
        unit.symbol()
    );
    match done.verdict.reasons.first() {
        Some(reason) => format!("{numbers}; {}", reason.text),
        None => numbers,
    }
}

#[cfg(test)]
mod tests {
    use super::visible_range_label;

    #[test]
    fn a_partial_map_names_the_visible_points() {
        assert_eq!(visible_range_label(0, 9, 9), None);
        assert_eq!(visible_range_label(0, 6, 9).as_deref(), Some(" points 1 to 6 of 9 "));
        assert_eq!(visible_range_label(3, 6, 9).as_deref(), Some(" points 4 to 9 of 9 "));
    }
}
