//! Doubts about the result of a capacity search: suspect repetitions behind it, and failures.

use std::collections::BTreeMap;

use crate::{
    format::count_noun,
    measure::{Judgement, PLANNED_FAULT_CODE},
    record::{
        Record, Repetition,
        capacity::{CandidateTest, TestOutcome},
    },
};

/// Returns the doubts about a search over `points`, in rising order of users, with these `decisions`.
pub fn cautions(points: &[usize], decisions: &[CandidateTest], record: &Record) -> Vec<String> {
    let results = || points.iter().map(|&point| &record.points[point]);
    let mut cautions = Vec::new();
    let proven = decisions.iter().filter(|test| {
        test.outcome == Some(TestOutcome::Carried) && test.held > 0 && test.suspect == test.held
    });
    for test in proven {
        let own = results().filter(|result| result.point.workload.users() == test.users);
        let held = own
            .flat_map(|result| &result.repetitions)
            .filter(|done| done.objectives_held() && done.verdict.status == Judgement::Suspect);
        let why = most_frequent_reason(held).map_or_else(String::new, |why| format!(": {why}"));
        cautions.push(format!(
            "every one of {} that proves {} is suspect{why}",
            count_noun(u64::from(test.held), "repetition"),
            count_noun(test.users.into(), "user")
        ));
    }
    let repetitions = || results().flat_map(|result| &result.repetitions);
    let failed: Vec<_> =
        repetitions().filter(|done| done.is_conclusive() && !done.is_measured()).collect();
    if let Some(last) = failed.iter().max_by_key(|done| done.order) {
        cautions.push(format!(
            "{} of {} failed and count as missed, the last: {}",
            failed.len(),
            count_noun(
                repetitions().filter(|done| done.is_conclusive()).count() as u64,
                "repetition"
            ),
            first_line(last)
        ));
    }
    let uncounted =
        results().flat_map(|result| result.failed_tries.iter().chain(&result.repetitions));
    let uncounted: Vec<_> = uncounted.filter(|done| !done.is_conclusive()).collect();
    if let Some(last) = uncounted.last() {
        cautions.push(format!(
            "{} more ended because of the hub or the operator and do not count, one of them: {}",
            uncounted.len(),
            first_line(last)
        ));
    }
    cautions
}

/// First line of the first reason of a repetition's verdict.
fn first_line(done: &Repetition) -> &str {
    let reason = done.verdict.reasons.first();
    reason.and_then(|reason| reason.text.lines().next()).unwrap_or_default()
}

/// Returns the text of the reason for doubt that most of `repetitions` have, and in how many.
fn most_frequent_reason<'a>(repetitions: impl Iterator<Item = &'a Repetition>) -> Option<String> {
    let mut seen: BTreeMap<&str, (u32, &str)> = BTreeMap::new();
    for done in repetitions {
        for reason in done.verdict.reasons.iter().filter(|it| it.code != PLANNED_FAULT_CODE) {
            let (number, text) = seen.entry(&reason.code).or_default();
            (*number, *text) = (*number + 1, &reason.text);
        }
    }
    let (number, text) = seen.into_values().max_by_key(|(number, _)| *number)?;
    Some(format!("{} (in {number})", text.lines().next().unwrap_or_default()))
}
