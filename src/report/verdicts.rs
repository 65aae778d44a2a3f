//! Verdicts, failed tries, faults and crossed thresholds in the summary that a run prints.

use std::fmt::Write;

use super::{standstills, wrapping::write_wrapped};
use crate::{
    format::{bytes, count_noun},
    measure::{Judgement, PLANNED_FAULT_CODE, STEERED_CODE},
    record::{PointResult, Record, Repetition},
};

fn repetitions(record: &Record) -> impl Iterator<Item = (&PointResult, &Repetition)> {
    record.points.iter().flat_map(|point| point.repetitions.iter().map(move |r| (point, r)))
}

/// Writes the verdict on each repetition that is not valid, and what happened in the repetitions.
pub fn write_verdicts(text: &mut String, record: &Record) {
    if repetitions(record).next().is_none() {
        let _ = writeln!(text, "verdict: none, no repetition was finished");
        return write_failed_tries(text, record);
    }
    let doubtful: Vec<_> =
        repetitions(record).filter(|(_, r)| r.verdict.status != Judgement::Valid).collect();
    if doubtful.is_empty() {
        let _ = writeln!(text, "verdict: all repetitions valid");
    } else {
        let all = count_noun(repetitions(record).count() as u64, "repetition");
        let are = if doubtful.len() == 1 { "is" } else { "are" };
        let _ = writeln!(text, "verdict: {} of {all} {are} not valid", doubtful.len());
    }
    for (point, repetition) in doubtful {
        let workload = &point.point.workload;
        let _ = writeln!(
            text,
            "  {:?}: {}, {}, {}, repetition {}",
            repetition.verdict.status,
            point.point.backend,
            count_noun(u64::from(workload.users()), "user"),
            bytes(workload.payload().0 as f64),
            repetition.index + 1,
        );
        // Planned faults are listed below.
        let reasons = repetition.verdict.reasons.iter();
        for reason in reasons.filter(|reason| reason.code != PLANNED_FAULT_CODE) {
            if reason.code.starts_with("client-") || reason.code == STEERED_CODE {
                write_wrapped(text, "    ", &reason.text);
            } else {
                let _ = writeln!(text, "    {}", reason.text.replace('\n', "\n    "));
            }
        }
    }
    for (point, repetition) in repetitions(record) {
        for missing in repetition.describe_missing() {
            let (point, number) = (&point.point, repetition.index + 1);
            let _ = writeln!(text, "not given: {}, repetition {number}: {missing}", point.backend);
        }
    }
    write_failed_tries(text, record);
    write_faults_and_thresholds(text, record);
}

/// Writes the failed tries that were repeated.
fn write_failed_tries(text: &mut String, record: &Record) {
    for (point, tried) in
        record.points.iter().flat_map(|p| p.failed_tries.iter().map(move |r| (p, r)))
    {
        let why = tried.verdict.reasons.first().map_or("", |reason| &reason.text);
        let tried = format!(
            "failed and tried again: {}, {}, repetition {}, try {}: {}",
            point.point.backend,
            count_noun(point.point.workload.users().into(), "user"),
            tried.index + 1,
            tried.attempt,
            why.lines().next().unwrap_or_default(),
        );
        write_wrapped(text, "  ", &tried);
    }
}

fn write_faults_and_thresholds(text: &mut String, record: &Record) {
    for (point, repetition) in repetitions(record) {
        for fault in &repetition.faults {
            let (point, number) = (&point.point, repetition.index + 1);
            let durability = point.durability.name();
            let _ = writeln!(
                text,
                "fault: {}, durability {durability}, repetition {number}: {}",
                point.backend,
                fault.describe()
            );
        }
    }
    for line in standstills::lines(record) {
        write_wrapped(text, "standstill: ", &line);
    }
    for (point, repetition) in repetitions(record) {
        for crossed in &repetition.crossed {
            let _ = writeln!(text, "threshold: {}: {crossed}", point.point.backend);
        }
    }
}
