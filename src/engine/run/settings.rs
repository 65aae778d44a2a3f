//! Checks of a plan's settings without a server: by the backends, and by their client libraries.

use std::sync::Arc;

use super::resolve::{context_without_password, required_backends};
use crate::{
    backend::{Backend, BackendError, RepetitionContext, ServerFacts},
    engine::RunError,
    plan::{Plan, Workload},
};

/// Checks the settings of every point of `plan`, without a server, a hub, or a password.
///
/// # Errors
/// All settings that are refused, each once, or an unknown backend.
pub fn check(plan: &Plan) -> Result<(), RunError> {
    let problems = problems(plan, &required_backends(plan)?);
    if problems.is_empty() { Ok(()) } else { Err(RunError::Settings(problems)) }
}

/// Returns all settings of `plan` that are refused, each once.
pub(super) fn problems(plan: &Plan, backends: &[Arc<dyn Backend>]) -> Vec<BackendError> {
    let mut found: Vec<BackendError> = Vec::new();
    for (backend, context) in checked_contexts(plan, backends) {
        for problem in backend.check(&context) {
            if found.iter().all(|known| known.to_string() != problem.to_string()) {
                found.push(problem);
            }
        }
    }
    found
}

/// Returns what the plan's settings add to its loads, by the name of the backend, each once.
///
/// # Errors
/// The plan names an unknown backend.
pub fn cautions(plan: &Plan) -> Result<Vec<(&'static str, String)>, RunError> {
    let mut found = Vec::new();
    for (backend, context) in checked_contexts(plan, &required_backends(plan)?) {
        for text in backend.cautions(&context, &ServerFacts::default()) {
            let caution = (backend.info().name, text);
            if !found.contains(&caution) {
                found.push(caution);
            }
        }
    }
    Ok(found)
}

/// Returns one context for all points that differ only in what no check depends on.
fn checked_contexts<'a>(
    plan: &Plan,
    backends: &'a [Arc<dyn Backend>],
) -> Vec<(&'a dyn Backend, RepetitionContext)> {
    let mut found: Vec<(&dyn Backend, RepetitionContext)> = Vec::new();
    for point in &plan.points {
        let same = |(backend, context): &(&dyn Backend, RepetitionContext)| {
            let other = &context.point;
            backend.info().name == point.backend.name
                && other.backend == point.backend
                && other.durability == point.durability
                && other.workload.payload() == point.workload.payload()
                && is_same_load(&other.workload, &point.workload)
        };
        let backend = backends.iter().find(|b| b.info().name == point.backend.name);
        if let Some(backend) = backend
            && !found.iter().any(same)
        {
            found.push((backend.as_ref(), context_without_password(plan, point)));
        }
    }
    found
}

/// Whether two loads have the same volume and the same times, for any number of users.
fn is_same_load(a: &Workload, b: &Workload) -> bool {
    match (a, b) {
        (Workload::Latency(a), Workload::Latency(b)) => {
            (a.arrival, a.messages) == (b.arrival, b.messages)
        }
        (Workload::Throughput(a), Workload::Throughput(b)) => {
            (a.volume, a.scenario) == (b.volume, b.scenario)
        }
        _ => false,
    }
}
