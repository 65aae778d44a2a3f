//! The page's sections on what only some records hold: searches for a capacity, footprint cards.

use std::fmt::Write;

use super::tables::{END, head};
use crate::{
    format::{bytes, count},
    record::{Capacity, capacity::Stage},
    report::{cells::Cells, footprint, html::escape},
};

/// Whether any record holds a search; its section is then on the page.
pub fn has_capacity(cells: &Cells<'_>) -> bool {
    cells.sources.iter().any(|source| !source.record.capacity.is_empty())
}

/// Whether any record holds a card.
pub fn has_footprint(cells: &Cells<'_>) -> bool {
    cells.sources.iter().any(|source| !source.record.footprints.is_empty())
}

/// Every search: its answer, what limits, and how each number of users was decided.
pub fn capacities(text: &mut String, cells: &Cells<'_>) {
    if !has_capacity(cells) {
        return;
    }
    text.push_str(
        "<h2 id=\"capacity\">How many devices?</h2>\n<p class=\"sub\">The largest number of users at \
         which every objective holds in more than half of the repetitions. Single repetitions scout; \
         then both ends are tested with fresh ones, until a likelihood ratio decides or, after at \
         most twenty, nothing can be shown: such a number is grey.</p>\n",
    );
    for source in &cells.sources {
        for capacity in &source.record.capacity {
            one(text, capacity);
        }
    }
}

fn one(text: &mut String, capacity: &Capacity) {
    let objectives: Vec<_> = capacity.objectives.iter().map(ToString::to_string).collect();
    let open = if capacity.stage == Stage::Done { "" } else { "; the search is not over" };
    let _ = writeln!(
        text,
        "<h3>{}, payload {}, durability {}: {}{open}</h3>\n<p>Objectives: {}.</p>",
        escape(&capacity.backend.to_string()),
        bytes(capacity.payload.0 as f64),
        capacity.durability.word(),
        escape(&capacity.answer()),
        escape(&objectives.join(", ")),
    );
    if let Some(limit) = capacity.limit() {
        let class = if capacity.about_hub == Some(false) { " class=\"warn\"" } else { "" };
        let _ = writeln!(text, "<p{class}>Limited by {}.</p>", escape(&limit));
    }
    for further in capacity.limiting.iter().skip(1) {
        let _ = writeln!(text, "<p>Beside it: {}.</p>", escape(&further.to_string()));
    }
    head(text, &[("users", true), ("held", true), ("missed", true), ("test", false)]);
    for probe in &capacity.probes {
        let tests = capacity.decisions.iter().filter(|test| test.users == probe.users);
        let tests: Vec<_> = tests.map(crate::report::capacity::test).collect();
        let tests = if tests.is_empty() { "only scouted".to_owned() } else { tests.join("; ") };
        let _ = writeln!(
            text,
            "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            count(probe.users.into()),
            probe.held,
            probe.missed,
            escape(&tests),
        );
    }
    text.push_str(END);
}

/// Every footprint card, backends side by side.
pub fn footprints(text: &mut String, cells: &Cells<'_>) {
    let cards: Vec<_> = cells.sources.iter().flat_map(|source| &source.record.footprints).collect();
    if cards.is_empty() {
        return;
    }
    text.push_str(
        "<h2 id=\"footprint\">Footprint</h2>\n<p class=\"sub\">What a backend costs by itself, all its \
         servers together. – is not measured; why is said below.</p>\n",
    );
    let mut columns = vec![("", false)];
    let names: Vec<_> = cards.iter().map(|(backend, _)| escape(backend)).collect();
    columns.extend(names.iter().map(|name| (name.as_str(), false)));
    head(text, &columns);
    let lines: Vec<_> = cards.iter().map(|(_, card)| footprint::lines(card)).collect();
    let rows = lines.first().map_or(0, Vec::len);
    for row in 0..rows {
        let _ = write!(text, "<tr><th>{}</th>", lines[0][row].0);
        for column in &lines {
            let _ = write!(text, "<td>{}</td>", escape(&column[row].1));
        }
        text.push_str("</tr>\n");
    }
    text.push_str(END);
    let notes: Vec<_> = cards
        .iter()
        .flat_map(|(backend, card)| card.notes.iter().map(move |note| (backend, note)))
        .collect();
    if !notes.is_empty() {
        text.push_str("<ul>");
        for (backend, note) in notes {
            let _ = write!(text, "<li>{}: {}</li>", escape(backend), escape(note));
        }
        text.push_str("</ul>\n");
    }
}
