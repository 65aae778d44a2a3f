//! Before a run on servers that run already: each is met once, with the run's own account, and
//! something is made and removed there. What would fail in every repetition is then refused once,
//! and nothing has been measured yet.

use std::{sync::Arc, time::Duration};

use super::{
    EngineError,
    control::Control,
    run::{backends, setup},
    servers::Servers,
};
use crate::{
    backend::{Backend, BackendError, ServerFacts},
    clock::Clock,
    event::{Level, Teller},
    hub::Hub,
    plan::Plan,
    server::HubKind,
};

/// How long such a server may take to answer: it need not start.
const PATIENCE: Duration = Duration::from_secs(10);

/// Meets every server of `plan`, where the hub is external.
///
/// # Errors
/// Who does not answer, or does not let this program in or work, or cannot take the load.
pub async fn rehearse(
    plan: &Plan,
    hub: &Arc<dyn Hub>,
    control: &Control,
    teller: &Teller,
) -> Result<(), EngineError> {
    if plan.hub.kind != HubKind::External {
        return Ok(());
    }
    let mut problems = Vec::new();
    for backend in backends(plan)? {
        // Not left in the middle: it removes what it has made.
        let met = meet(plan, backend.as_ref(), hub, Some(teller)).await?;
        if control.stopping() {
            return Err(EngineError::Stopped);
        }
        problems.extend(misfits(plan, backend.as_ref(), &met)?);
    }
    if problems.is_empty() { Ok(()) } else { Err(EngineError::Settings(problems)) }
}

/// Logs in, makes what a repetition would make, asks the server what it is, and removes it again;
/// with a `teller` also what dead runs have left there.
///
/// # Errors
/// What did not go.
pub async fn meet(
    plan: &Plan,
    backend: &dyn Backend,
    hub: &Arc<dyn Hub>,
    teller: Option<&Teller>,
) -> Result<ServerFacts, EngineError> {
    let name = backend.info().name;
    let point = plan.points.iter().find(|point| point.backend.name == name);
    let point = point.ok_or_else(|| EngineError::NoBackend(name.to_owned()))?;
    let setup = setup(plan, point)?;
    let servers = Servers::start(hub, &backend.servers(&setup)?, &plan.hub.limits).await?;
    let met = async {
        let session = backend.connect(&setup, &servers.running, Clock::start(), PATIENCE).await?;
        let facts = async {
            session.reset().await?;
            session.facts().await
        };
        let facts = facts.await;
        let left = session.leave().await;
        if let (Some(teller), true) = (teller, facts.is_ok()) {
            match session.sweep().await {
                Ok(removed) => {
                    for what in removed {
                        let text = format!("removed a leftover of a dead run: {what}");
                        teller.log(Level::Info, text);
                    }
                }
                Err(error) => teller.log(Level::Warn, format!("leftovers are there: {error}")),
            }
        }
        facts.and_then(|facts| left.map(|()| facts))
    };
    let met = met.await;
    servers.remove().await?;
    Ok(met?)
}

/// What keeps the server that said `facts` from taking any of the plan's loads; each problem once.
///
/// # Errors
/// A password that cannot be had.
pub fn misfits(
    plan: &Plan,
    backend: &dyn Backend,
    facts: &ServerFacts,
) -> Result<Vec<BackendError>, EngineError> {
    let mut found: Vec<BackendError> = Vec::new();
    for point in plan.points.iter().filter(|point| point.backend.name == backend.info().name) {
        for problem in backend.misfits(&setup(plan, point)?, facts) {
            if found.iter().all(|known| known.to_string() != problem.to_string()) {
                found.push(problem);
            }
        }
    }
    Ok(found)
}
