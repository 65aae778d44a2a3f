//! A search for a capacity as a figure: what was seen at each number of users, and the way there.

use super::{Axis, Figure, Guide, Kind, Mark, Panel, Series};
use crate::{
    format::count,
    measure::Judgement,
    record::{Capacity, Record, Repetition, capacity::Outcome},
    report::{
        cells::{Cells, durability},
        figures::family::letter,
        metric::Metric,
    },
};

/// A figure for each search of each record.
pub fn figures(cells: &Cells<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (place, source) in cells.sources.iter().enumerate() {
        let of = if cells.sources.len() > 1 {
            format!(", record {}", letter(place))
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

/// A repetition of a search.
struct Seen<'a> {
    users: f64,
    repetition: &'a Repetition,
}

impl Seen<'_> {
    fn mark(&self, x: f64, y: f64) -> Mark {
        let suspect = self.repetition.verdict.status != Judgement::Valid;
        Mark { suspect: usize::from(suspect), ..Mark::at(x, y) }
    }
}

fn figure(of: &str, record: &Record, ladder: &[usize], capacity: &Capacity) -> Figure {
    let mut seen: Vec<Seen<'_>> = Vec::new();
    for &point in ladder {
        let result = &record.points[point];
        let users = f64::from(result.point.workload.users());
        seen.extend(result.repetitions.iter().map(|repetition| Seen { users, repetition }));
    }
    seen.sort_by_key(|seen| seen.repetition.order);
    let mut panels: Vec<_> =
        capacity.objectives.iter().filter_map(|limit| objective(limit, &seen, capacity)).collect();
    panels.push(course(&seen, capacity));
    for (letter, panel) in ('A'..).zip(&mut panels) {
        panel.title = format!("{letter}: {}", panel.title);
    }
    let suspect = seen.iter().filter(|s| s.repetition.verdict.status != Judgement::Valid).count();
    let n = match suspect {
        0 => format!("n = {} repetitions", seen.len()),
        suspect => format!("n = {} repetitions, {suspect} suspect (hollow)", seen.len()),
    };
    let caption = [
        "one mark for each repetition; one without a value for the objective is on the way only"
            .to_owned(),
        n,
        format!("durability {}", durability(capacity.durability)),
        format!("payload {}", capacity.payload.exact()),
        tested(capacity),
    ];
    Figure {
        id: "search".into(),
        title: format!("Capacity of {}{of}: {}", capacity.backend, capacity.answer()),
        caption: caption.join("; ") + ".",
        panels,
    }
}

/// What the tests came to, in words.
fn tested(capacity: &Capacity) -> String {
    let of = |wanted: Outcome| {
        let tests = capacity.decisions.iter().filter(|test| test.outcome == Some(wanted));
        let mut users: Vec<_> = tests.map(|test| test.users).collect();
        users.sort_unstable();
        users.iter().map(|users| count((*users).into())).collect::<Vec<_>>().join(", ")
    };
    let all = [Outcome::Carried, Outcome::TooMany, Outcome::Grey];
    let said = all.map(|outcome| (outcome.title(), of(outcome)));
    let said: Vec<_> = said
        .iter()
        .filter(|(_, users)| !users.is_empty())
        .map(|(title, users)| format!("{title}: {users}"))
        .collect();
    if said.is_empty() {
        "no number of users was decided by a test".into()
    } else {
        format!("tested: {}", said.join("; "))
    }
}

/// Repetitions in which every objective held, and the others.
fn series(seen: &[Seen<'_>], mark: impl Fn(usize, &Seen<'_>) -> Option<Mark>) -> Vec<Series> {
    let of = |held: bool, label: &str, style: usize| Series {
        label: label.to_owned(),
        style,
        dashed: false,
        marks: seen
            .iter()
            .enumerate()
            .filter(|(_, seen)| seen.repetition.held() == held)
            .filter_map(|(number, seen)| mark(number, seen))
            .collect(),
    };
    let mut all = vec![of(true, "objectives held", 0), of(false, "missed", 1)];
    all.retain(|series| !series.marks.is_empty());
    all
}

fn ends(capacity: &Capacity, upright: bool) -> Vec<Guide> {
    let end = |users: Option<u32>, word: &str, before: bool| {
        let users = users?;
        let label = format!("{}: {word}", count(users.into()));
        Some(Guide { at: f64::from(users), upright, label, before })
    };
    let both = [end(capacity.lower, "carried", true), end(capacity.upper, "too many", false)];
    both.into_iter().flatten().collect()
}

/// The values that one objective limits, over users; `None` for what is no latency.
fn objective(
    limit: &crate::plan::Threshold,
    seen: &[Seen<'_>],
    capacity: &Capacity,
) -> Option<Panel> {
    let metric @ Metric::Latency(..) = limit.metric.parse().ok()? else { return None };
    let mut guides = ends(capacity, true);
    guides.push(Guide {
        at: limit.at_most / 1e3,
        upright: false,
        label: "objective".into(),
        before: true,
    });
    let mark = |_, seen: &Seen<'_>| {
        let value = metric.of(seen.repetition).filter(|micros| *micros > 0.0)?;
        Some(seen.mark(seen.users, value / 1e3))
    };
    Some(Panel {
        title: limit.to_string(),
        kind: Kind::Dots,
        x: Axis::linear("users", ""),
        y: Axis::log(&limit.metric, "ms"),
        series: series(seen, mark),
        guides,
    })
}

/// Which number of users was tried when.
fn course(seen: &[Seen<'_>], capacity: &Capacity) -> Panel {
    Panel {
        title: "the search, step by step".into(),
        kind: Kind::Dots,
        x: Axis::linear("repetition of the search", ""),
        y: Axis::log("users", ""),
        series: series(seen, |number, seen| Some(seen.mark((number + 1) as f64, seen.users))),
        guides: ends(capacity, false),
    }
}
