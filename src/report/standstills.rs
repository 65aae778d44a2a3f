//! Standstills of a record in sentences.

use crate::{
    format::count_noun,
    record::{Record, Standstill},
};

/// Most standstills of one repetition that are listed: the longest.
const MAX_LISTED: usize = 5;

/// Returns a line for each of the longest standstills of every repetition, and one for the number of others.
pub fn lines(record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    for point in &record.points {
        for repetition in &point.repetitions {
            let mut longest: Vec<&Standstill> = repetition.standstills.iter().collect();
            longest.sort_by(|a, b| b.length().total_cmp(&a.length()));
            let others = longest.split_off(longest.len().min(MAX_LISTED));
            longest.sort_by(|a, b| a.from.total_cmp(&b.from));
            let which = format!(
                "{}, {}, repetition {}",
                point.point.backend,
                count_noun(point.point.workload.users().into(), "user"),
                repetition.index + 1
            );
            lines.extend(longest.iter().map(|one| format!("{which}: {}", one.describe())));
            if !others.is_empty() {
                lines.push(format!("{which}: {} shorter standstills", others.len()));
            }
        }
    }
    lines
}
