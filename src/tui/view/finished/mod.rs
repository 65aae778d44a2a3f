//! Screen of a finished run: the answer, the points with their distributions, the figures of the sweep, the
//! details of the selected point.

mod answer;
mod details;
mod points;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Position, Rect, Spacing},
    style::Style,
    text::{Line, Span},
};

use super::{
    footer::draw_message_or_keys,
    parts::{draw_both_ends, panel, split_screen, title},
};
use crate::{
    event::EndStatus,
    format,
    tui::{
        model::{FinishedRun, FinishedView, Model, is_wide},
        msg::Msg,
        text::{draw_lines, draw_wrapped},
        widgets::FigureChart,
    },
};

/// Height of the details of a point.
const DETAIL_HEIGHT: u16 = 8;
/// Smallest height of a figure's panel.
const MIN_FIGURE_HEIGHT: u16 = 10;
/// Width of the details beside a figure: the mean, the smallest and the largest of two figures in a row.
const DETAIL_WIDTH: u16 = 72;

/// Returns the key hints of the footer.
pub fn key_hints(finished: &FinishedRun, area: Rect) -> Vec<(&'static str, &'static str)> {
    let wide = is_wide((area.width, area.height));
    let mut keys = Vec::new();
    if finished.end != EndStatus::Complete && finished.record.is_some() {
        keys.push(("resume-run", "resume"));
    }
    if !finished.done.is_empty() {
        keys.push(("next", finished.view.next(wide).name()));
    }
    if finished.results().is_some_and(|results| results.previous.is_some()) {
        keys.push(("compare-run", "compare"));
    }
    keys.push(("run-again", "again"));
    if !finished.done.is_empty() && finished.record.is_some() {
        keys.extend([("open-report", "report"), ("open-record", "record")]);
    }
    keys.extend([("accept", "setup"), ("help", "help"), ("quit", "quit")]);
    if !finished.done.is_empty() && (finished.view == FinishedView::Figure || wide) {
        keys.push(("left right", "figure"));
    }
    if finished.view != FinishedView::Figure && !finished.done.is_empty() {
        keys.push(("up down", "point"));
    }
    keys
}

/// Areas of the screen's parts; one without area is not shown.
struct Areas {
    answer: Rect,
    points: Rect,
    details: Rect,
    figure: Rect,
}

/// Returns the message that selects the point at a screen position, or opens the record where its path is.
pub fn hit_test(finished: &FinishedRun, model: &Model, area: Rect, at: Position) -> Option<Msg> {
    let [_, body, _] = split_screen(area, 1);
    let rows = answer::rows(finished, model, inner_width(body));
    let wide = is_wide((area.width, area.height));
    let areas = layout_areas(finished, wide, rows.len(), body);
    let inner = areas.answer.inner(Margin::new(2, 1));
    if inner.contains(at) {
        let (shown, first_link) = answer::fit(rows, usize::from(inner.height), finished, model);
        let row = usize::from(at.y - inner.y);
        let is_link = finished.record.is_some() && (first_link..shown.len()).contains(&row);
        return is_link.then_some(Msg::OpenRecord);
    }
    points::item_at(finished, wide, areas.points, at).map(Msg::Line)
}

/// Returns the width of the text in a panel as wide as the screen.
const fn inner_width(body: Rect) -> usize {
    (body.width as usize).saturating_sub(4)
}

/// Draws the screen.
pub fn draw(finished: &FinishedRun, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let [header, body, keys] = split_screen(area, 1);
    draw_header(finished, model, frame, header);
    let answer = answer::rows(finished, model, inner_width(body));
    let wide = is_wide((area.width, area.height));
    let areas = layout_areas(finished, wide, answer.len(), body);
    let block = panel(theme, title(theme, "answer"));
    let inner = block.inner(areas.answer).inner(Margin::new(1, 0));
    frame.render_widget(block, areas.answer);
    let (rows, _) = answer::fit(answer, usize::from(inner.height), finished, model);
    draw_lines(rows, frame, inner);
    if !areas.points.is_empty() {
        points::draw(finished, model, wide, frame, areas.points);
    }
    if !areas.details.is_empty() {
        details::draw(finished, model, frame, areas.details);
    }
    if !areas.figure.is_empty() {
        draw_figure(finished, model, frame, areas.figure);
    }
    draw_message_or_keys(finished.notice.as_ref(), &key_hints(finished, area), model, frame, keys);
}

fn draw_header(finished: &FinishedRun, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let (word, style) = match &finished.end {
        EndStatus::Complete => ("complete", Style::new()),
        EndStatus::Stopped => ("stopped", theme.warn()),
        EndStatus::Failed { .. } => ("FAILED", theme.bad()),
    };
    let done = finished.done.len();
    let count = if finished.plan.capacity.is_some() {
        // A search has no planned number of repetitions.
        format::count_noun(done as u64, "repetition")
    } else {
        let planned = finished.plan.schedule.len() as u64;
        format!("{done} of {}", format::count_noun(planned, "repetition"))
    };
    let right = Line::from(vec![
        Span::raw(format!("{count}, {}  ", format::time_span(finished.seconds))),
        Span::styled(format!(" {word} "), style),
    ]);
    let room = usize::from(area.width).saturating_sub(right.width() + 12);
    let left = Line::from(vec![
        Span::styled(" hubmark  ", theme.label()),
        Span::styled(format::truncate(&finished.plan.profile, room), theme.title()),
    ]);
    draw_both_ends(left, right, frame, area);
}

/// Divides the body among the parts that the view and the terminal's size allow.
fn layout_areas(finished: &FinishedRun, wide: bool, answer_rows: usize, body: Rect) -> Areas {
    let rows = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    let none = Rect { width: 0, height: 0, ..body };
    let answer = rows(answer_rows).saturating_add(2).max(4);
    // A run without a finished repetition has only its reason to show, and gets the whole height.
    if finished.done.is_empty() {
        return Areas { answer: body, points: none, details: none, figure: none };
    }
    let split = |answer: u16, constraints: &[Constraint]| {
        let all = [&[Constraint::Length(answer)], constraints].concat();
        body.layout_vec(&Layout::vertical(all).spacing(Spacing::Overlap(1)))
    };
    if finished.view == FinishedView::Figure {
        let most = body.height.saturating_sub(MIN_FIGURE_HEIGHT).max(4);
        let areas = split(answer.min(most), &[Constraint::Fill(1)]);
        return Areas { answer: areas[0], points: none, details: none, figure: areas[1] };
    }
    if !wide {
        // The rows of two points at least, and of three and the axis on a terminal of usual height.
        let least = if body.height >= 22 { 8 } else { 6 };
        let least = rows(finished.plan.points.len()).saturating_add(points::FRAME_ROWS).min(least);
        let most = body.height.saturating_sub(DETAIL_HEIGHT + least - 2).max(4);
        let areas =
            split(answer.min(most), &[Constraint::Fill(1), Constraint::Length(DETAIL_HEIGHT)]);
        return Areas { answer: areas[0], points: areas[1], details: areas[2], figure: none };
    }
    let answer = answer.min(body.height * 2 / 5);
    let rest = body.height - answer + 1;
    let wanted = rows(finished.plan.points.len()).saturating_add(points::FRAME_ROWS);
    let points = wanted.min(rest.saturating_sub(MIN_FIGURE_HEIGHT).max(rest / 2));
    let areas = split(answer, &[Constraint::Length(points), Constraint::Fill(1)]);
    let [details, figure] = areas[2].layout(
        &Layout::horizontal([
            Constraint::Length(DETAIL_WIDTH.max(body.width / 2)),
            Constraint::Fill(1),
        ])
        .spacing(Spacing::Overlap(1)),
    );
    Areas { answer: areas[0], points: areas[1], details, figure }
}

/// Draws the chosen figure of the record.
fn draw_figure(finished: &FinishedRun, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let figures = finished.results().map_or(&[][..], |results| &results.figures);
    let shown = figures.get(finished.figure);
    let counted = shown
        .map_or_else(String::new, |_| format!(" {} of {} ", finished.figure + 1, figures.len()));
    let room = usize::from(area.width).saturating_sub(counted.len() + 5);
    let name = shown.map_or("figures", |figure| figure.title.as_str());
    let block = panel(theme, title(theme, &format::truncate(name, room)))
        .title(Line::from(Span::styled(counted, theme.label())).right_aligned());
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    let Some(figure) = shown else {
        let text = match &finished.results {
            None => "reading the record…".to_owned(),
            Some(Err(problem)) => problem.clone(),
            Some(Ok(_)) => "this record has no data for a figure".to_owned(),
        };
        let line = Line::styled(text, theme.label());
        return draw_wrapped(vec![line], "", frame, inner);
    };
    // The first panels that have room; the record's own page shows all of them.
    let count = figure.panels.len().max(1);
    let side_by_side = if inner.width >= 100 { count.min(2) } else { 1 };
    let cells = inner.layout_vec(
        &Layout::horizontal(vec![Constraint::Fill(1); side_by_side]).spacing(Spacing::Space(2)),
    );
    for (panel, cell) in figure.panels.iter().zip(cells) {
        frame.render_widget(FigureChart { panel, theme }, cell);
    }
}
