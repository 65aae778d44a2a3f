//! A check and its result.

use serde::{Deserialize, Serialize};

/// Status of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Nothing to do.
    Ok,
    /// A run is possible, but a figure may be missing or doubtful.
    Warn,
    /// A run will fail.
    Fail,
}

impl CheckStatus {
    /// Name of the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Subject of the check: `engine`, `memory cgroup`, …
    pub subject: String,
    /// Status of the check.
    pub finding: CheckStatus,
    /// Observed value or problem.
    pub seen: String,
    /// What to do; `None` if there is nothing to do.
    pub advice: Option<String>,
}

impl Check {
    pub(super) fn ok(subject: &str, seen: impl Into<String>) -> Self {
        Self { subject: subject.into(), finding: CheckStatus::Ok, seen: seen.into(), advice: None }
    }

    pub(super) fn warn(subject: &str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        Self { subject: subject.into(), finding: CheckStatus::Warn, seen: seen.into(), advice }
    }

    pub(super) fn fail(subject: &str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { finding: CheckStatus::Fail, ..Self::warn(subject, seen, advice) }
    }

    /// Creates a failed check from an error: its first line is the problem, the others are advice.
    pub(super) fn error(subject: &str, error: &dyn std::error::Error) -> Self {
        let text = error.to_string();
        let (seen, advice) = text.split_once('\n').unwrap_or((&text, ""));
        let advice = advice.lines().map(str::trim).collect::<Vec<_>>().join("; ");
        let advice = Some(advice).filter(|advice| !advice.is_empty());
        Self { subject: subject.into(), finding: CheckStatus::Fail, seen: seen.into(), advice }
    }
}

/// Returns the check of a subject that an engine does not report.
pub(super) fn unknown(subject: &str) -> Check {
    Check::warn(subject, "not known", "the engine does not report it: check on the hub itself")
}

/// Returns the worst status of `checks`, or `Ok` without checks.
pub fn worst_status(checks: &[Check]) -> CheckStatus {
    checks.iter().map(|check| check.finding).max().unwrap_or(CheckStatus::Ok)
}
