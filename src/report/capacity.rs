//! Results of capacity searches as text of at most 100 columns.

use std::fmt::Write;

use super::wrapping::write_wrapped;
use crate::{
    format::{bytes, count},
    record::{
        Capacity, Record,
        capacity::{CandidateProbe, CandidateTest, SearchPhase, TestOutcome},
    },
};

/// Width of a bar in columns.
const BAR_WIDTH: usize = 20;

/// Writes every capacity search of `record`: result, bottleneck, tests; empty when there is none.
pub fn section(record: &Record) -> String {
    let mut text = String::new();
    for capacity in &record.capacity {
        write_capacity(&mut text, capacity);
    }
    text
}

fn write_capacity(text: &mut String, capacity: &Capacity) {
    let payload = bytes(capacity.payload.0 as f64);
    let open =
        if capacity.stage == SearchPhase::Done { "" } else { " so far: the search is not over" };
    let _ = writeln!(
        text,
        "\ncapacity of {}, {payload}, durability {}: {}{open}",
        capacity.backend,
        capacity.durability.name(),
        capacity.result_text(),
    );
    let objectives: Vec<_> = capacity.objectives.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "  objectives: {}", objectives.join(", "));
    if let Some(limit) = capacity.limit_text() {
        let mark = if capacity.limiting.is_empty() { "  " } else { "  limited by: " };
        write_wrapped(text, mark, &limit);
        for further in capacity.limiting.iter().skip(1) {
            write_wrapped(text, "        also: ", &further.to_string());
        }
    }
    for caution in &capacity.cautions {
        write_wrapped(text, "  ! ", caution);
    }
    let _ = writeln!(text, "      users  held of   share that held       put to the test");
    for probe in &capacity.probes {
        let _ = writeln!(
            text,
            "  {:>9}  {:>4} {:>3}  {}  {}",
            count(probe.users.into()),
            probe.held,
            probe.held + probe.missed,
            bar(probe),
            describe_tests(capacity, probe.users),
        );
        let notes = probe.notes();
        if !notes.is_empty() {
            let _ = writeln!(text, "             {notes}");
        }
    }
    let _ = writeln!(
        text,
        "  tests: fresh repetitions, sequential; the interval errs in at most {:.0} of 100 searches",
        (1.0 - capacity.confidence) * 100.0
    );
}

fn bar(probe: &CandidateProbe) -> String {
    let share = f64::from(probe.held) / f64::from((probe.held + probe.missed).max(1));
    let full = (share * BAR_WIDTH as f64).round() as usize;
    format!("{}{}", "█".repeat(full), "·".repeat(BAR_WIDTH - full))
}

/// Describes the outcomes of all tests with `users`; empty without a test.
pub fn describe_tests(capacity: &Capacity, users: u32) -> String {
    let tests = capacity.decisions.iter().filter(|test| test.users == users);
    tests.map(describe_test).collect::<Vec<_>>().join("; ")
}

/// Describes the outcomes of all tests at a tried number of users, and its repetitions that are not simply
/// held or missed; empty without both.
pub fn describe_candidate(capacity: &Capacity, probe: &CandidateProbe) -> String {
    let parts = [describe_tests(capacity, probe.users), probe.notes()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn describe_test(decision: &CandidateTest) -> String {
    match decision.outcome {
        Some(TestOutcome::Grey) => format!(
            "grey: held in {} of {}, undecided",
            decision.held,
            decision.held + decision.missed
        ),
        Some(outcome) => {
            format!("{}, error ≤ {:.2} %", outcome.title(), decision.error_at_most * 100.0)
        }
        None => "not decided".into(),
    }
}
