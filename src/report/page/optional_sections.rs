//! Sections of the page for data that only some records have: capacity searches, footprint cards, standstills.

use maud::{Markup, html};

use super::tables::{Column, table};
use crate::{
    format::{bytes, count},
    record::{Capacity, capacity::SearchPhase},
    report::{capacity::describe_tests, cells::ReportCells, footprint, standstills},
};

/// Returns whether any record has a capacity search.
pub fn has_capacity(cells: &ReportCells<'_>) -> bool {
    cells.sources.iter().any(|source| !source.record.capacity.is_empty())
}

/// Returns whether any record has a footprint card.
pub fn has_footprint(cells: &ReportCells<'_>) -> bool {
    cells.sources.iter().any(|source| !source.record.footprints.is_empty())
}

/// Renders every capacity search: its result, its bottleneck, and the decision on each number of users.
pub fn capacities(cells: &ReportCells<'_>) -> Markup {
    html! {
        @if has_capacity(cells) {
            h2 #capacity { "How many devices?" }
            p.sub {
                "The largest number of users at which every objective holds in more than half of the \
                 repetitions. Single repetitions narrow the range; then both ends are tested with \
                 fresh repetitions, until a likelihood ratio decides. A number that at most twenty \
                 repetitions cannot decide is grey."
            }
            @for capacity in cells.sources.iter().flat_map(|source| &source.record.capacity) {
                (capacity_search(capacity))
            }
        }
    }
}

fn capacity_search(capacity: &Capacity) -> Markup {
    let objectives: Vec<_> = capacity.objectives.iter().map(ToString::to_string).collect();
    let columns = [
        Column::Number("users"),
        Column::Number("held"),
        Column::Number("missed"),
        Column::Number("of these failed"),
        Column::Number("held, suspect"),
        Column::Number("not counted"),
        Column::Text("test"),
    ];
    let rows = html! {
        @for probe in &capacity.probes {
            @let tests = describe_tests(capacity, probe.users);
            tr {
                td.n { (count(probe.users.into())) }
                td.n { (probe.held) }
                td.n { (probe.missed) }
                td.n { (probe.failed) }
                td.n { (probe.suspect) }
                td.n { (probe.not_counted) }
                td { @if tests.is_empty() { "not tested" } @else { (tests) } }
            }
        }
    };
    html! {
        h3 {
            (capacity.backend.to_string()) ", payload " (bytes(capacity.payload.0 as f64))
            ", durability " (capacity.durability.name()) ": " (capacity.result_text())
            @if capacity.stage != SearchPhase::Done { "; the search is not over" }
        }
        p { "Objectives: " (objectives.join(", ")) "." }
        @if let Some(limit) = capacity.limit_clause() {
            p class=[(capacity.about_hub == Some(false)).then_some("warn")] { (sentence(&limit)) }
        }
        @for caution in &capacity.cautions {
            p.warn { (sentence(caution)) }
        }
        @for further in capacity.limiting.iter().skip(1) {
            p { "Also limiting: " (further.to_string()) "." }
        }
        (table(&columns, &rows))
    }
}

/// Makes a sentence of a clause: a capital at its start, a full stop at its end.
fn sentence(clause: &str) -> String {
    let mut rest = clause.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}

/// Renders every footprint card, backends side by side.
pub fn footprints(cells: &ReportCells<'_>) -> Markup {
    let cards: Vec<_> = cells.sources.iter().flat_map(|source| &source.record.footprints).collect();
    let mut columns = vec![Column::Text("")];
    columns.extend(cards.iter().map(|(backend, _)| Column::Text(backend)));
    let lines: Vec<_> = cards.iter().map(|(_, card)| footprint::lines(card)).collect();
    let rows = html! {
        @for row in 0..lines.first().map_or(0, Vec::len) {
            tr {
                th { (lines[0][row].0) }
                @for column in &lines {
                    td { (column[row].1) }
                }
            }
        }
    };
    html! {
        @if !cards.is_empty() {
            h2 #footprint { "Footprint" }
            p.sub {
                "Cost of one backend, all its servers together. – means not measured; the reasons are \
                 listed below."
            }
            (table(&columns, &rows))
            @if cards.iter().any(|(_, card)| !card.notes.is_empty()) {
                ul {
                    @for (backend, card) in &cards {
                        @for note in &card.notes {
                            li { (backend) ": " (note) }
                        }
                    }
                }
            }
        }
    }
}

/// Renders the times in which servers, or hubmark itself, stood still.
pub fn standstill_list(cells: &ReportCells<'_>) -> Markup {
    let lines: Vec<_> =
        cells.sources.iter().flat_map(|source| standstills::lines(source.record)).collect();
    html! {
        @if !lines.is_empty() {
            h3 #standstills { "Standstills" }
            p.sub {
                "Times without an acknowledgement, an arrival or a send, far outside the load's own rhythm, \
                 while messages waited. Seconds count from the start of the load."
            }
            ul {
                @for line in &lines {
                    li { (line) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_clause_becomes_a_sentence() {
        assert_eq!(sentence("limited by CPU of kafka"), "Limited by CPU of kafka.");
        assert_eq!(sentence(""), ".");
    }
}
