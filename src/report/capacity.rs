//! The answers of searches for a capacity, in text: at most 100 columns.

use std::fmt::Write;

use super::text::wrapped;
use crate::{
    format::{bytes, count},
    record::{
        Capacity, Record,
        capacity::{Decision, Outcome, Probe, Stage},
    },
};

/// Columns of a bar.
const BAR: usize = 20;

/// Every answer of `record`, how it was reached, and what limits; empty without a search.
pub fn section(record: &Record) -> String {
    let mut text = String::new();
    for capacity in &record.capacity {
        answer(&mut text, capacity);
    }
    text
}

fn answer(text: &mut String, capacity: &Capacity) {
    let payload = bytes(capacity.payload.0 as f64);
    let open = if capacity.stage == Stage::Done { "" } else { " so far: the search is not over" };
    let _ = writeln!(
        text,
        "\ncapacity of {}, {payload}, durability {}: {}{open}",
        capacity.backend,
        capacity.durability.word(),
        capacity.answer(),
    );
    let objectives: Vec<_> = capacity.objectives.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "  objectives: {}", objectives.join(", "));
    if let Some(limit) = capacity.limit() {
        wrapped(text, "  limited by: ", &limit);
        for further in capacity.limiting.iter().skip(1) {
            wrapped(text, "      beside: ", &further.to_string());
        }
    }
    let _ = writeln!(text, "      users  held of   share that held       put to the test");
    for probe in &capacity.probes {
        let tested = capacity.decisions.iter().filter(|decision| decision.users == probe.users);
        let tested: Vec<_> = tested.map(test).collect();
        let _ = writeln!(
            text,
            "  {:>9}  {:>4} {:>3}  {}  {}",
            count(probe.users.into()),
            probe.held,
            probe.held + probe.missed,
            bar(probe),
            tested.join("; "),
        );
    }
    let _ = writeln!(
        text,
        "  tests: fresh repetitions, sequential; the interval errs in at most {:.0} of 100 searches",
        (1.0 - capacity.confidence) * 100.0
    );
}

fn bar(probe: &Probe) -> String {
    let share = f64::from(probe.held) / f64::from((probe.held + probe.missed).max(1));
    let full = (share * BAR as f64).round() as usize;
    format!("{}{}", "█".repeat(full), "·".repeat(BAR - full))
}

/// What a test came to, in words.
pub fn test(decision: &Decision) -> String {
    match decision.outcome {
        Some(Outcome::Grey) => format!(
            "grey: held in {} of {}, neither could be shown",
            decision.held,
            decision.held + decision.missed
        ),
        Some(outcome) => {
            format!("{}, error ≤ {:.2} %", outcome.title(), decision.error_at_most * 100.0)
        }
        None => "not decided".into(),
    }
}
