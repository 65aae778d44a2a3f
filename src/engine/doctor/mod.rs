//! The doctor: what is ready for a run, what is missing, and what to do about it.
//!
//! [`examine`] asks; [`hub`], [`here`] and [`wants`] judge, and are pure. A check is a value, so
//! that the command line and the screen show the same.

mod external;
mod here;
mod hub;
mod wants;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use here::Here;

use crate::{
    hub::docker::{DockerHub, ImageState},
    plan::{HubRequest, Plan},
    server::HubKind,
};

/// The run that only asks has no containers.
const NO_RUN: &str = "none";

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// Nothing to do.
    Ok,
    /// A run is possible; a figure may be missing or doubtful.
    Warn,
    /// A run will fail.
    Fail,
}

impl Finding {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at: `engine`, `memory cgroup`, …
    pub subject: String,
    /// How it came out.
    pub finding: Finding,
    /// What was seen.
    pub seen: String,
    /// What to do; `None` when there is nothing to do.
    pub advice: Option<String>,
}

impl Check {
    fn ok(subject: &str, seen: impl Into<String>) -> Self {
        Self { subject: subject.into(), finding: Finding::Ok, seen: seen.into(), advice: None }
    }

    fn warn(subject: &str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        Self { subject: subject.into(), finding: Finding::Warn, seen: seen.into(), advice }
    }

    fn fail(subject: &str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { finding: Finding::Fail, ..Self::warn(subject, seen, advice) }
    }

    /// An error's first line is what was seen, the others are what to do.
    fn error(subject: &str, error: &dyn std::error::Error) -> Self {
        let text = error.to_string();
        let (seen, advice) = text.split_once('\n').unwrap_or((&text, ""));
        let advice = advice.lines().map(str::trim).collect::<Vec<_>>().join("; ");
        let advice = Some(advice).filter(|advice| !advice.is_empty());
        Self { subject: subject.into(), finding: Finding::Fail, seen: seen.into(), advice }
    }
}

/// The worst of several findings; `Ok` of none.
pub fn worst(checks: &[Check]) -> Finding {
    checks.iter().map(|check| check.finding).max().unwrap_or(Finding::Ok)
}

/// What the doctor is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The hub.
    pub hub: HubRequest,
    /// The plan that shall run there, if one is meant.
    pub plan: Option<Plan>,
    /// Folders that must take files, with what they are for.
    pub folders: Vec<(String, PathBuf)>,
}

/// Looks at the hub, at this machine, and at what the plan wants of both. Changes nothing; on a hub
/// elsewhere a helper from an image of ours reads the machine for a second, where there is one.
/// Every question to an engine has a limit of time.
pub async fn examine(question: &Question) -> Vec<Check> {
    let plan = question.plan.as_ref();
    let mut checks = Vec::new();
    match (question.hub.kind, plan) {
        (HubKind::Docker, _) => match DockerHub::reach(&question.hub, NO_RUN).await {
            Ok(hub) => checks.extend(engine(&hub, question).await),
            Err(error) => checks.push(Check::error("engine", &error)),
        },
        (HubKind::External, Some(plan)) => checks.extend(external::checks(plan).await),
        (HubKind::External, None) | (HubKind::Local, _) => {}
    }
    checks.extend(here::checks(&Here::read(), plan));
    checks.extend(question.folders.iter().map(|(what, folder)| here::folder(what, folder)));
    checks
}

async fn engine(hub: &DockerHub, question: &Question) -> Vec<Check> {
    let found = match hub.examine().await {
        Ok(found) => found,
        Err(error) => return vec![Check::error("engine", &error)],
    };
    let place = crate::hub::Hub::place(hub);
    let mut checks = hub::checks(&place, &found);
    let Some(plan) = &question.plan else { return checks };
    checks.extend(wants::limits(&question.hub.limits, &found));
    match super::images(plan) {
        Ok(images) => {
            for image in images {
                let state: Result<ImageState, _> = hub.image_state(&image).await;
                checks.push(wants::image(&image, state.as_ref(), &plan.profile));
            }
        }
        Err(error) => checks.push(Check::fail("images", error.to_string(), "change the profile")),
    }
    checks
}

#[cfg(test)]
mod tests;
