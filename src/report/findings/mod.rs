//! The study's findings, each ruled confirmed, contradicted or not decidable by the records, with the
//! numbers and intervals as evidence.
//!
//! A finding is confirmed only when the whole 95 % interval agrees with it, and contradicted only
//! when the whole interval disagrees, each once corrected for the number of tests behind all findings
//! (Holm). The study's "about", "much" and "hardly" are given numbers in the
//! text of each finding, so that a reader can disagree.

mod evidence;
mod finding;
mod latency;
mod load;

pub use finding::{Ruling, StudyFinding};

use super::cells::ReportCells;
use crate::record::Record;

/// Beginning of the names of the study's profiles.
const STUDY_PROFILES: &str = "study-";

/// Rules on all of the study's findings.
pub fn study_findings(cells: &ReportCells<'_>) -> Vec<StudyFinding> {
    let systems = evidence::StudyCells::new(cells);
    let mut all = latency::findings(&systems);
    all.extend(load::findings(&systems));
    evidence::rule(all)
}

/// Rules on the study's findings for one record; none if the record is not of the study: neither of one of
/// its profiles, nor of the systems and loads that any finding needs.
pub fn findings_of_study(record: &Record, cells: &ReportCells<'_>) -> Vec<StudyFinding> {
    let findings = study_findings(cells);
    let is_ruled = findings.iter().any(|finding| finding.ruling != Ruling::Undecidable);
    if is_ruled || record.plan.profile.starts_with(STUDY_PROFILES) { findings } else { Vec::new() }
}
