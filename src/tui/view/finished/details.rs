//! Details of the selected point: its durations, rates, and the reasons of its verdicts.

use ratatui::{
    Frame,
    layout::{Margin, Rect},
    text::{Line, Span},
};

use super::super::parts::{panel, title};
use crate::{
    format::{self, MISSING},
    tui::{
        model::{FigureRange, FinishedRepetition, FinishedRun, Model},
        plan_text,
        text::{draw_line, draw_lines},
    },
};

/// Width of the panel with the smallest and the largest repetition beside each mean.
const RANGES_WIDTH: u16 = super::DETAIL_WIDTH;

/// Draws the panel.
pub fn draw(finished: &FinishedRun, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let place = finished.selected;
    let Some(point) = finished.plan.points.get(place) else { return };
    let count = finished.of_point(place).count() as u64;
    let measured =
        finished.of_point(place).filter(|done| done.verdict.status.counts()).count() as u64;
    let tries: u64 = finished.of_point(place).map(|done| u64::from(done.attempt)).sum();
    let is_narrow = area.width < RANGES_WIDTH;
    let what = if is_narrow { "mean" } else { "mean [min, max]" };
    let over = if measured == tries {
        format!("{what} of {count} {}", format::plural(count, "repetition"))
    } else {
        format!("{what} of {measured} of {}", format::count_noun(tries, "try"))
    };
    let over = Line::from(Span::styled(format!(" {over} "), theme.label())).right_aligned();
    let room = usize::from(area.width).saturating_sub(over.width() + 5);
    let name = format::truncate(&plan_text::point_label(point), room);
    let block = panel(theme, title(theme, &name)).title(over);
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    if count == 0 {
        let text = Span::styled("no repetition of this point was finished", theme.label());
        return draw_line(Line::from(text), frame, inner);
    }
    let mut lines = figure_lines(finished, model, is_narrow);
    let rows = usize::from(inner.height).saturating_sub(lines.len());
    lines.extend(reason_lines(&reasons(finished, place), usize::from(inner.width), rows, model));
    draw_lines(lines, frame, inner);
}

fn figure_lines(finished: &FinishedRun, model: &Model, is_narrow: bool) -> Vec<Line<'static>> {
    let theme = model.theme;
    let ranged = |figure: &str, divisor: f64| {
        finished.range(finished.selected, figure).map_or_else(
            || if is_narrow { format!("{MISSING:>8} ") } else { format!("{MISSING:>8}{:16}", "") },
            |FigureRange { mean, min, max, .. }| {
                let [mean, min, max] =
                    [mean, min, max].map(|v| format::three_significant(v / divisor));
                if is_narrow {
                    return format!("{mean:>8} ");
                }
                format!("{mean:>8} {:<15}", format!("[{min}, {max}]"))
            },
        )
    };
    let line = |name: &str, figures: [&str; 2], divisor: f64, unit: &str| {
        let [p50, p99] = figures.map(|figure| ranged(figure, divisor));
        Line::from(vec![
            Span::styled(format!("{name:<9}"), theme.label()),
            Span::styled("p50", theme.label()),
            Span::raw(p50),
            Span::styled("p99", theme.label()),
            Span::raw(p99),
            Span::styled(unit.to_owned(), theme.label()),
        ])
    };
    let mut lines = vec![
        line("delivery", ["delivery.p50", "delivery.p99"], 1e3, "ms"),
        line("response", ["response.p50", "response.p99"], 1e3, "ms"),
        line("ack", ["ack.p50", "ack.p99"], 1e3, "ms"),
        line("lag", ["lag.p50", "lag.p99"], 1e3, "ms"),
    ];
    let rates = [
        ("throughput", ranged("bytes_per_second", 1e6), "MB/s"),
        ("servers", ranged("server_cores", 1.0), "cores"),
    ]
    .into_iter()
    .filter(|(_, text, _)| text.trim() != MISSING);
    let mut spans = Vec::new();
    for (name, text, unit) in rates {
        spans.push(Span::styled(format!("{name} "), theme.label()));
        spans.push(Span::raw(text.trim().to_owned()));
        spans.push(Span::styled(format!(" {unit}   "), theme.label()));
    }
    lines.push(Line::from(spans));
    lines
}

/// Returns the reasons in at most `rows` rows: wrapped as far as the rows allow it, each with at least one row;
/// without a row for each, the last row says how many more there are.
fn reason_lines(
    reasons: &[String],
    width: usize,
    rows: usize,
    model: &Model,
) -> Vec<Line<'static>> {
    let style = model.theme.warn();
    if reasons.len() <= rows {
        return wrapped_reasons(reasons, width, rows)
            .into_iter()
            .map(|line| Line::from(Span::styled(line, style)))
            .collect();
    }
    let shown = rows.saturating_sub(1);
    let mut lines = Vec::new();
    for reason in reasons.iter().take(shown.max(1)) {
        let more = if shown == 0 { format!(" (+{})", reasons.len() - 1) } else { String::new() };
        let room = width.saturating_sub(2 + more.len());
        let text = format!("! {}{more}", format::truncate(reason, room));
        lines.push(Line::from(Span::styled(text, style)));
    }
    if shown > 0 {
        lines.push(Line::from(format!("  … and {} more in the record", reasons.len() - shown)));
    }
    lines
}

/// Wraps the reasons, at least one row each, into at most `rows` rows.
fn wrapped_reasons(reasons: &[String], width: usize, rows: usize) -> Vec<String> {
    let room = width.saturating_sub(2);
    let mut lines: Vec<String> = Vec::new();
    for (place, reason) in reasons.iter().enumerate() {
        let later = reasons.len() - place - 1;
        let allowed = rows.saturating_sub(lines.len() + later).max(1);
        let mut wrapped = format::wrap(reason, room);
        if wrapped.len() > allowed {
            let rest = wrapped.split_off(allowed - 1).join(" ");
            wrapped.push(format::truncate(&rest, room));
        }
        let marked = wrapped.into_iter().enumerate();
        lines.extend(marked.map(|(row, line)| {
            let mark = if row == 0 { "! " } else { "  " };
            format!("{mark}{line}")
        }));
    }
    lines
}

/// Returns the reasons of a point's verdicts, with their repetitions.
fn reasons(finished: &FinishedRun, point: usize) -> Vec<String> {
    let of = |done: &FinishedRepetition| {
        let repetition = done.step.repetition + 1;
        let reasons = done.verdict.reasons.iter().map(|reason| &reason.text).chain(&done.missing);
        reasons.map(|reason| format!("repetition {repetition}: {reason}")).collect::<Vec<_>>()
    };
    finished.of_point(point).flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_wrap_where_rows_are_free_and_each_has_a_row() {
        let reasons = ["one two three four", "five six seven", "eight"].map(str::to_owned);
        let wrapped = |rows| wrapped_reasons(&reasons, 12, rows);
        assert_eq!(wrapped(3), ["! one two t…", "! five six …", "! eight"]);
        assert_eq!(wrapped(4), ["! one two", "  three four", "! five six …", "! eight"]);
        let whole = ["! one two", "  three four", "! five six", "  seven", "! eight"];
        assert_eq!(wrapped(9), whole);
    }
}
