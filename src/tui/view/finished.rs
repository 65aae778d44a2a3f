//! Read: what was learned, how sure it is, what may be wrong with it, where the file is.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Margin, Position, Rect, Spacing},
    style::Style,
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};

use super::{both_ends, footer, frame_of, panel, title, words};
use crate::format::{self, MISSING};
use crate::{
    event::End,
    measure::Judgement,
    plan::Workload,
    tui::{
        model::{Finished, Model, Range},
        msg::Msg,
    },
};

/// The keys that matter now.
pub fn keys_of(finished: &Finished) -> Vec<(&'static str, &'static str)> {
    let mut keys = vec![("up down", "point")];
    if finished.end != End::Complete && finished.record.is_some() {
        keys.push(("resume-run", "resume"));
    }
    keys.extend([
        ("run-again", "run again"),
        ("open-record", "figures"),
        ("accept", "back to setup"),
        ("help", "help"),
        ("quit", "quit"),
    ]);
    keys
}

/// The point at a place.
pub fn pointed(finished: &Finished, model: &Model, area: Rect, at: Position) -> Option<Msg> {
    let [_, body, _] = frame_of(area, 1);
    let [_, points, _] = parts(finished, &answer(finished, model), body);
    let rows = rows_of(points.inner(Margin::new(1, 1)));
    let place = first_point(finished, rows) + usize::from(at.y.checked_sub(rows.y)?);
    let there = rows.contains(at) && place < finished.plan.points.len();
    there.then_some(Msg::Line(place))
}

/// Draws the screen.
pub fn draw(finished: &Finished, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let [header, body, keys] = frame_of(area, 1);
    let (word, style) = match &finished.end {
        End::Complete => ("complete", Style::new()),
        End::Stopped => ("stopped", theme.warn()),
        End::Failed { .. } => ("FAILED", theme.bad()),
    };
    let done = finished.done.len();
    let count = match finished.plan.capacity {
        // A search is over when it is over.
        Some(_) => words::counted(done as u64, "repetition"),
        None => format!("{done} of {} repetitions", finished.plan.schedule.len()),
    };
    let right = Line::from(vec![
        Span::raw(format!("{count}, {}  ", format::span(finished.seconds))),
        Span::styled(format!(" {word} "), style),
    ]);
    let room = usize::from(header.width).saturating_sub(right.width() + 12);
    let left = Line::from(vec![
        Span::styled(" hubmark  ", theme.label()),
        Span::styled(format::fit(&finished.plan.profile, room), theme.title()),
    ]);
    both_ends(left, right, frame, header);

    let answer = answer(finished, model);
    let [top, points, detail] = parts(finished, &answer, body);
    let nothing = finished.done.is_empty();
    let block = panel(theme, title(theme, "answer"));
    let inner = block.inner(top).inner(Margin::new(1, 0));
    frame.render_widget(block, top);
    frame.render_widget(Paragraph::new(answer).wrap(Wrap { trim: true }), inner);
    if !nothing {
        table(finished, model, frame, points);
        details(finished, model, frame, detail);
    }
    footer(&keys_of(finished), model, frame, keys);
}

/// Where the answer, the points and the selected one's details are.
fn parts(finished: &Finished, answer: &[Line], body: Rect) -> [Rect; 3] {
    let width = body.width.saturating_sub(4);
    let answer_rows = answer.iter().map(|line| rows(line, width)).sum::<u16>() + 2;
    let nothing = finished.done.is_empty();
    // A run that came to nothing has only its reason to tell, and all the room to tell it.
    let (answer_rows, detail_rows) = match (nothing, body.height) {
        (true, all) => (all, 0),
        // All reasons have room where the points leave it.
        (false, all @ 30..) => {
            let points = u16::try_from(finished.plan.points.len() + 3).unwrap_or(all);
            (answer_rows, all.saturating_sub(answer_rows.saturating_add(points)).max(14))
        }
        (false, _) => (answer_rows, 8),
    };
    let most = if nothing { body.height } else { body.height.saturating_sub(11).max(4) };
    body.layout(
        &Layout::vertical([
            Constraint::Length(answer_rows.min(most).max(4)),
            Constraint::Fill(u16::from(!nothing)),
            Constraint::Length(detail_rows),
        ])
        .spacing(Spacing::Overlap(1)),
    )
}

/// The rows of points below their heads.
fn rows_of(inner: Rect) -> Rect {
    Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner }
}

/// The first point that is shown in these rows.
fn first_point(finished: &Finished, rows: Rect) -> usize {
    (finished.selected + 1).saturating_sub(usize::from(rows.height))
}

/// What there is to say about the run as a whole, worst first.
fn answer<'a>(finished: &'a Finished, model: &Model) -> Vec<Line<'a>> {
    let theme = model.theme;
    let mut lines: Vec<Line> = Vec::new();
    let styled = |text: String, style: Style| Line::from(Span::styled(text, style));
    if let End::Failed { error } = &finished.end {
        lines.extend(error.lines().map(|line| styled(line.to_owned(), theme.warn())));
    }
    for search in &finished.searches {
        let style = if search.about_hub == Some(false) { theme.warn() } else { theme.title() };
        lines.push(styled(search.progress(), style));
    }
    let lost = finished.lost();
    if lost > 0 {
        let text = format!(" {} {} LOST ", format::count(lost), words::plural(lost, "message"));
        lines.push(styled(text, theme.bad()));
    }
    let crossed: Vec<&str> =
        finished.done.iter().flat_map(|done| &done.crossed).map(String::as_str).collect();
    if let Some(first) = crossed.first() {
        let count = crossed.len() as u64;
        let text =
            format!("! {count} {} crossed, first: {first}", words::plural(count, "threshold"));
        lines.push(styled(text, theme.warn()));
    }
    let failed = finished.judged(Judgement::Failed) as u64;
    if failed > 0 {
        let text = format!(
            "✗ {failed} {} failed and not in the figures",
            words::plural(failed, "repetition")
        );
        lines.push(styled(text, theme.warn()));
    }
    let suspect = finished.judged(Judgement::Suspect) as u64;
    if suspect > 0 {
        let text = format!(
            "! {suspect} of {} repetitions suspect; the reasons stand with their points below",
            finished.done.len()
        );
        lines.push(styled(text, theme.warn()));
    }
    let on_the_way = finished.on_the_way();
    if on_the_way > 0 {
        lines.push(Line::from(format!(
            "{} {} on the way when a repetition ended early: neither delivered nor lost.",
            format::count(on_the_way),
            words::plural(on_the_way, "message"),
        )));
    }
    if lost == 0 && on_the_way == 0 && !finished.done.is_empty() {
        let arrived: u64 = finished.done.iter().map(|done| done.ledger.delivered).sum();
        lines.push(Line::from(format!(
            "Nothing lost: {} messages delivered.",
            format::count(arrived)
        )));
    }
    if finished.done.is_empty() {
        lines.push(Line::from("No repetition was finished."));
    }
    if let Some(path) = finished.path.filter(|_| !finished.done.is_empty()) {
        lines.push(Line::from(vec![
            Span::styled("path    ", theme.label()),
            Span::raw(path.to_string()),
        ]));
    }
    if let Some(path) = &finished.record {
        lines.push(Line::from(vec![
            Span::styled("record  ", theme.label()),
            Span::raw(path.display().to_string()),
        ]));
    }
    lines
}

/// Rows that a line takes at most when it is wrapped at words.
fn rows(line: &Line, width: u16) -> u16 {
    match line.width() as u16 {
        0 => 1,
        columns if columns <= width => 1,
        columns => columns.div_ceil(width.max(1)) + 1,
    }
}

/// Whether the run measured throughput.
fn throughput(finished: &Finished) -> bool {
    finished.plan.points.iter().any(|point| matches!(point.workload, Workload::Throughput(_)))
}

fn table(finished: &Finished, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let throughput = throughput(finished);
    let name = if throughput {
        "points: mean over repetitions; MB/s, delivery in ms, cpu in cores"
    } else {
        "points: mean over repetitions; delivery in ms, cpu in cores"
    };
    let block = panel(theme, title(theme, name));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let numbers = 44;
    let width = usize::from(inner.width).saturating_sub(numbers + 1);
    let heads = if throughput { ["MB/s", "p50", "p99"] } else { ["mean", "p50", "p99"] };
    let head = format!(
        " {:<width$}{:>5}{:>7}{:>7}{:>7}{:>7}{:>7}  ",
        "", "reps", heads[0], heads[1], heads[2], "cpu", "lost"
    );
    frame.render_widget(Line::from(head).style(theme.label()), Rect { height: 1, ..inner });
    let rows = rows_of(inner);
    let first = first_point(finished, rows);
    let names = words::points(&finished.plan);
    for ((place, name), row) in names.iter().enumerate().skip(first).zip(rows.rows()) {
        let mean = |figure: &str, divisor: f64| {
            format::optional(finished.range(place, figure).map(|range| range.mean / divisor))
        };
        let count = finished.of_point(place).count();
        let lost: u64 = finished.of_point(place).map(|done| done.ledger.lost).sum();
        let worst = finished.of_point(place).map(|done| done.verdict.status).max();
        let sign = match worst {
            Some(Judgement::Failed) => "✗",
            Some(Judgement::Suspect) => "!",
            Some(Judgement::Valid) => "✓",
            None => " ",
        };
        let leading =
            if throughput { mean("bytes_per_second", 1e6) } else { mean("delivery.mean", 1e3) };
        let lost_text = if count == 0 { MISSING.to_owned() } else { format::count(lost) };
        let text = format!(
            " {:<width$}{count:>5}{leading:>7}{:>7}{:>7}{:>7}{lost_text:>7} {sign}",
            format::fit(name, width),
            mean("delivery.p50", 1e3),
            mean("delivery.p99", 1e3),
            mean("server_cores", 1.0),
        );
        let style = match (place == finished.selected, worst, lost) {
            (true, ..) => theme.selected(),
            (false, Some(Judgement::Failed | Judgement::Suspect), _) => theme.warn(),
            _ => Style::new(),
        };
        frame.render_widget(Line::from(text).style(style), row);
    }
}

fn details(finished: &Finished, model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let place = finished.selected;
    let Some(point) = finished.plan.points.get(place) else { return };
    let count = finished.of_point(place).count() as u64;
    let over = format!("mean [min, max] of {count} {}", words::plural(count, "repetition"));
    let over = Line::from(Span::styled(format!(" {over} "), theme.label())).right_aligned();
    let room = usize::from(area.width).saturating_sub(over.width() + 5);
    let name = format::fit(&words::point(point), room);
    let block = panel(theme, title(theme, &name)).title(over);
    let inner = block.inner(area).inner(Margin::new(1, 0));
    frame.render_widget(block, area);
    if count == 0 {
        let text = Span::styled("no repetition of this point was finished", theme.label());
        return frame.render_widget(Line::from(text), inner);
    }
    let ranged = |figure: &str, divisor: f64| {
        finished.range(place, figure).map_or_else(
            || format!("{MISSING:>24}"),
            |Range { mean, min, max, .. }| {
                let [mean, min, max] = [mean, min, max].map(|v| format::three(v / divisor));
                format!("{mean:>8} {:<15}", format!("[{min}, {max}]"))
            },
        )
    };
    let line = |name: &str, figures: [&str; 2], divisor: f64, unit: &str| {
        let [p50, p99] = figures.map(|figure| ranged(figure, divisor));
        Line::from(vec![
            Span::styled(format!("{name:<10}"), theme.label()),
            Span::styled("p50", theme.label()),
            Span::raw(p50),
            Span::styled(" p99", theme.label()),
            Span::raw(p99),
            Span::styled(format!(" {unit}"), theme.label()),
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
    let rows = usize::from(inner.height).saturating_sub(lines.len());
    let reasons = reasons(finished, place);
    // The last row says how many reasons had no room.
    let shown = if reasons.len() > rows { rows.saturating_sub(1) } else { rows };
    for reason in reasons.iter().take(shown.max(1)) {
        let more = if shown == 0 { format!(" (+{})", reasons.len() - 1) } else { String::new() };
        let room = usize::from(inner.width).saturating_sub(2 + more.len());
        let text = format!("! {}{more}", format::fit(reason, room));
        lines.push(Line::from(Span::styled(text, theme.warn())));
    }
    if shown > 0 && reasons.len() > shown {
        lines.push(Line::from(format!("  and {} more in the record", reasons.len() - shown)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Every reason for doubt of a point, with its repetition.
fn reasons(finished: &Finished, point: usize) -> Vec<String> {
    let of = |done: &crate::tui::model::Done| {
        let repetition = done.step.repetition + 1;
        let reasons = done.verdict.reasons.iter();
        reasons
            .map(|reason| format!("repetition {repetition}: {}", reason.text))
            .collect::<Vec<_>>()
    };
    finished.of_point(point).flat_map(of).collect()
}
