//! Requests to start, change and stop a run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{catalog::ProfileEntry, plan_preview::PlanPreview};
use crate::engine::steering::SteeringCommand;

/// Request to start or resume a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartRequest {
    /// The chosen profile.
    pub profile: ProfileEntry,
    /// The form's changes: keys and values as in [`Planner::plan`](crate::tui::Planner::plan).
    pub overrides: Vec<(String, String)>,
    /// Preview of the profile with these changes.
    pub preview: PlanPreview,
    /// Partial record to resume by its plan.
    pub resume: Option<PathBuf>,
}

/// Command to a run in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunCommand {
    /// Stop the run.
    Stop(StopMode),
    /// Skip a point: end its repetition in progress and execute none of its further repetitions.
    Skip(usize),
    /// Add so many repetitions to every point.
    Add(u32),
    /// Change the load in progress.
    Steer(SteeringCommand),
}

/// When and how a run stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopMode {
    /// Stop when the repetition in progress is finished and saved.
    AfterRepetition,
    /// Stop at once, in order: save what is measured so far, remove the servers.
    Now,
}
