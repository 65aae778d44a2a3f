//! Figure of a capacity search: the objective's values by users, and the order of the tried numbers.

use super::{
    figure::{Axis, Figure, FigurePanel, PlotKind, PlotMark, PlotSeries, ReferenceLine},
    sweep::record_letter,
};
use crate::{
    format::{count, count_noun},
    measure::Judgement,
    record::{Capacity, Record, Repetition, capacity::TestOutcome},
    report::{cells::ReportCells, metric::Metric},
};

/// Returns a figure for each capacity search of each record.
pub fn figures(cells: &ReportCells<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (place, source) in cells.sources.iter().enumerate() {
        let of = if cells.sources.len() > 1 {
            format!(", record {}", record_letter(place))
        } else {
            String::new()
        };
        let ladders = source.record.plan.searches();
        for (ladder, capacity) in ladders.iter().zip(&source.record.capacity) {
            figures.push(figure(&of, source.record, ladder, capacity));
        }
    }
    figures.retain(|figure| !figure.is_empty());
    if figures.len() > 1 {
        for (number, figure) in (1..).zip(&mut figures) {
            figure.id = format!("search-{number}");
        }
    }
    figures
}

/// Repetition of a search, with its number of users.
struct SearchRepetition<'a> {
    users: f64,
    repetition: &'a Repetition,
}

impl SearchRepetition<'_> {
    fn mark(&self, x: f64, y: f64) -> PlotMark {
        let suspect = self.repetition.verdict.status != Judgement::Valid;
        PlotMark { suspect: usize::from(suspect), ..PlotMark::at(x, y) }
    }
}

fn figure(of: &str, record: &Record, ladder: &[usize], capacity: &Capacity) -> Figure {
    let mut seen: Vec<SearchRepetition<'_>> = Vec::new();
    for &point in ladder {
        let result = &record.points[point];
        let users = f64::from(result.point.workload.users());
        seen.extend(
            result.repetitions.iter().map(|repetition| SearchRepetition { users, repetition }),
        );
    }
    seen.sort_by_key(|seen| seen.repetition.order);
    let mut panels: Vec<_> = capacity
        .objectives
        .iter()
        .filter_map(|limit| objective_panel(limit, &seen, capacity))
        .collect();
    panels.push(search_panel(&seen, capacity));
    for (letter, panel) in ('A'..).zip(&mut panels) {
        panel.title = format!("{letter}: {}", panel.title);
    }
    let judged = |status: Judgement| {
        seen.iter().filter(|seen| seen.repetition.verdict.status == status).count()
    };
    let mut n = format!("n = {}", count_noun(seen.len() as u64, "repetition"));
    for status in [Judgement::Suspect, Judgement::Steered, Judgement::Failed] {
        match judged(status) {
            0 => {}
            number => n = format!("{n}, {number} {} (hollow)", status.name()),
        }
    }
    let caption = [
        "one mark for each repetition; repetitions without a value for the objective are in the last panel only"
            .to_owned(),
        n,
        format!("durability {}", capacity.durability.name()),
        format!("payload {}", capacity.payload.exact()),
        describe_tests(capacity),
    ];
    Figure {
        id: "search".into(),
        title: format!("Capacity of {}{of}: {}", capacity.backend, capacity.result_text()),
        caption: caption.join("; ") + ".",
        panels,
    }
}

/// Describes the outcomes of the tests for the caption.
fn describe_tests(capacity: &Capacity) -> String {
    let of = |wanted: TestOutcome| {
        let tests = capacity.decisions.iter().filter(|test| test.outcome == Some(wanted));
        let mut users: Vec<_> = tests.map(|test| test.users).collect();
        users.sort_unstable();
        users.iter().map(|users| count((*users).into())).collect::<Vec<_>>().join(", ")
    };
    let all = [TestOutcome::Carried, TestOutcome::TooMany, TestOutcome::Grey];
    let outcomes = all.map(|outcome| (outcome.title(), of(outcome)));
    let outcomes: Vec<_> = outcomes
        .iter()
        .filter(|(_, users)| !users.is_empty())
        .map(|(title, users)| format!("{title}: {users}"))
        .collect();
    if outcomes.is_empty() {
        "no number of users was decided by a test".into()
    } else {
        format!("tested: {}", outcomes.join("; "))
    }
}

/// Returns two series: repetitions in which every objective held, and the others.
fn outcome_series(
    seen: &[SearchRepetition<'_>],
    mark: impl Fn(usize, &SearchRepetition<'_>) -> Option<PlotMark>,
) -> Vec<PlotSeries> {
    let of = |held: bool, label: &str, style: usize| PlotSeries {
        label: label.to_owned(),
        style,
        dashed: false,
        marks: seen
            .iter()
            .enumerate()
            .filter(|(_, seen)| seen.repetition.objectives_held() == held)
            .filter_map(|(number, seen)| mark(number, seen))
            .collect(),
    };
    let mut all = vec![of(true, "objectives held", 0), of(false, "missed", 1)];
    all.retain(|series| !series.marks.is_empty());
    all
}

fn bound_lines(capacity: &Capacity, upright: bool) -> Vec<ReferenceLine> {
    let end = |users: Option<u32>, word: &str, before: bool| {
        let users = users?;
        let label = format!("{}: {word}", count(users.into()));
        Some(ReferenceLine {
            at: f64::from(users),
            is_vertical: upright,
            label,
            label_before: before,
        })
    };
    let both = [end(capacity.lower, "carried", true), end(capacity.upper, "too many", false)];
    both.into_iter().flatten().collect()
}

/// Returns the panel of an objective's metric over users; `None` when the metric is not a latency.
fn objective_panel(
    limit: &crate::plan::Threshold,
    seen: &[SearchRepetition<'_>],
    capacity: &Capacity,
) -> Option<FigurePanel> {
    let metric @ Metric::Latency(..) = limit.metric.parse().ok()? else { return None };
    let mut guides = bound_lines(capacity, true);
    guides.push(ReferenceLine {
        at: limit.at_most / 1e3,
        is_vertical: false,
        label: "objective".into(),
        label_before: true,
    });
    let mark = |_, seen: &SearchRepetition<'_>| {
        let value = metric.value_in(seen.repetition).filter(|micros| *micros > 0.0)?;
        Some(seen.mark(seen.users, value / 1e3))
    };
    Some(FigurePanel {
        title: limit.to_string(),
        kind: PlotKind::Dots,
        x: Axis::linear("users", ""),
        y: Axis::log(&limit.metric, "ms"),
        series: outcome_series(seen, mark),
        reference_lines: guides,
    })
}

/// Returns the panel of the tried numbers of users in the order of the search.
fn search_panel(seen: &[SearchRepetition<'_>], capacity: &Capacity) -> FigurePanel {
    FigurePanel {
        title: "the search, step by step".into(),
        kind: PlotKind::Dots,
        x: Axis::linear("repetition of the search", ""),
        y: Axis::log("users", ""),
        series: outcome_series(seen, |number, seen| {
            Some(seen.mark((number + 1) as f64, seen.users))
        }),
        reference_lines: bound_lines(capacity, false),
    }
}
