//! Answer of the planner: the plan of a form, or the form's problems.

use serde::{Deserialize, Serialize};

use crate::{
    plan::Plan,
    profile::{self, Profile},
};

/// Plan of the run that would be started, with details for display.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanPreview {
    /// The plan.
    pub plan: Plan,
    /// Further lines about the run's requirements and course.
    pub lines: Vec<String>,
    /// Expected duration in seconds.
    pub seconds: f64,
    /// The profile's keys and values in human-readable form.
    #[serde(skip)]
    pub values: Vec<(String, String)>,
    /// Default values of profile keys: keys and values.
    #[serde(skip)]
    pub defaults: Vec<(String, String)>,
}

impl PlanPreview {
    /// Creates the preview of a profile's plan.
    pub fn new(profile: &Profile, plan: Plan, lines: Vec<String>, seconds: f64) -> Self {
        Self { plan, lines, seconds, values: profile.value_texts(), defaults: profile.defaults() }
    }

    /// Creates the preview of a plan that no form shows, for example a record's.
    pub fn from_plan(plan: Plan, seconds: f64) -> Self {
        Self { plan, lines: Vec::new(), seconds, values: Vec::new(), defaults: Vec::new() }
    }
}

/// A problem of a profile or of a value in the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormProblem {
    /// The key with the wrong value (`workload.users`); `None` if the problem has no key.
    pub key: Option<String>,
    /// What is wrong, and which values are allowed.
    pub text: String,
}

impl From<&profile::ProfileProblem> for FormProblem {
    fn from(problem: &profile::ProfileProblem) -> Self {
        let key = Some(problem.key.clone()).filter(|key| !key.is_empty());
        Self { key, text: problem.text() }
    }
}

impl std::fmt::Display for FormProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.text)
    }
}
