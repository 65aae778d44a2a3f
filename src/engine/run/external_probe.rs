//! Probes external servers before a run: logs in with the run's account, creates a topic or table and
//! removes it again. What would fail in every repetition is refused once, before anything is
//! measured.

use std::{sync::Arc, time::Duration};

use super::resolve::{context_without_password, repetition_context, required_backends};
use crate::{
    backend::{Backend, BackendError, ServerFacts},
    clock::Clock,
    engine::{RunError, control::Control, servers::RepetitionServers},
    event::{EventSender, LogLevel},
    hub::Hub,
    plan::Plan,
    server::HubKind,
};

/// How long an external server may take to answer; it is already started.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Probes every server of `plan`; does nothing unless the hub is external.
///
/// # Errors
/// A server does not answer, refuses the login or an operation, or cannot take the load.
pub async fn probe_servers(
    plan: &Plan,
    hub: &Arc<dyn Hub>,
    control: &Control,
    events: &EventSender,
) -> Result<(), RunError> {
    if plan.hub.kind != HubKind::External {
        return Ok(());
    }
    let mut problems = Vec::new();
    for backend in required_backends(plan)? {
        // Not cancelled halfway, so that the probe removes what it has created.
        let probed = probe_server(plan, backend.as_ref(), hub, Some(events)).await?;
        if control.is_stopping() {
            return Err(RunError::Stopped);
        }
        problems.extend(incompatibilities(plan, backend.as_ref(), &probed));
    }
    if problems.is_empty() { Ok(()) } else { Err(RunError::Settings(problems)) }
}

/// Logs in, creates what a repetition would create, reads the server's facts, and removes it again.
///
/// With `events`, also removes what dead runs have left on the server.
///
/// # Errors
/// Connecting, creating, reading or removing failed.
pub async fn probe_server(
    plan: &Plan,
    backend: &dyn Backend,
    hub: &Arc<dyn Hub>,
    events: Option<&EventSender>,
) -> Result<ServerFacts, RunError> {
    let name = backend.info().name;
    let point = plan.points.iter().find(|point| point.backend.name == name);
    let point = point.ok_or_else(|| RunError::UnknownBackend(name.to_owned()))?;
    let context = repetition_context(plan, point)?;
    let servers =
        RepetitionServers::start(hub, &backend.servers(&context)?, &plan.hub.limits).await?;
    let probed = async {
        let session =
            backend.connect(&context, &servers.running, Clock::start(), CONNECT_TIMEOUT).await?;
        let facts = async {
            session.reset().await?;
            session.facts().await
        };
        let facts = facts.await;
        let cleanup = session.cleanup().await;
        if let (Some(events), true) = (events, facts.is_ok()) {
            match session.remove_leftovers().await {
                Ok(removed) => {
                    for what in removed {
                        let text = format!("removed a leftover of a dead run: {what}");
                        events.log(LogLevel::Info, text);
                    }
                }
                Err(error) => {
                    let text = format!("leftovers of dead runs not removed: {error}");
                    events.log(LogLevel::Warn, text);
                }
            }
        }
        facts.and_then(|facts| cleanup.map(|()| facts))
    };
    let probed = probed.await;
    servers.remove().await?;
    Ok(probed?)
}

/// Returns what the server with these `facts` adds to the plan's loads; each caution once.
pub fn cautions(plan: &Plan, backend: &dyn Backend, facts: &ServerFacts) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for point in plan.points.iter().filter(|point| point.backend.name == backend.info().name) {
        for caution in backend.cautions(&context_without_password(plan, point), facts) {
            if !found.contains(&caution) {
                found.push(caution);
            }
        }
    }
    found
}

/// Returns why the server with these `facts` cannot take the plan's loads; each problem once.
pub fn incompatibilities(
    plan: &Plan,
    backend: &dyn Backend,
    facts: &ServerFacts,
) -> Vec<BackendError> {
    let mut found: Vec<BackendError> = Vec::new();
    for point in plan.points.iter().filter(|point| point.backend.name == backend.info().name) {
        for problem in backend.incompatibilities(&context_without_password(plan, point), facts) {
            if found.iter().all(|known| known.to_string() != problem.to_string()) {
                found.push(problem);
            }
        }
    }
    found
}
