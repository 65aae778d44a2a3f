//! Doctor: checks the hub, this machine and a plan before a run, with advice for each problem.
//!
//! [`examine`] contacts the hub; [`hub`], [`host`], [`local_machine`], [`settings`] and [`plan_requirements`]
//! judge. A check is
//! a value, so that the command line and the screen show the same.

mod check;
mod external_servers;
mod host;
mod hub;
mod local_machine;
mod plan_requirements;
mod settings;

use std::path::PathBuf;

use rand::RngExt;
use tokio_util::sync::CancellationToken;

pub use check::{Check, CheckStatus, worst_status};
pub use local_machine::LocalMachine;

use crate::{
    hub::{
        Hub, HubError,
        docker::{DockerHub, Examination, ExaminationStep},
    },
    plan::{HubRequest, Plan},
    server::HubKind,
};

/// Request to the doctor.
#[derive(Debug, Clone)]
pub struct DoctorRequest {
    /// Hub to check.
    pub hub: HubRequest,
    /// Plan to run on the hub, if any.
    pub plan: Option<Plan>,
    /// How the operator builds the plan's images now: a command, or a key of the screen.
    pub images_build: String,
    /// Folders that must be writable, with their purposes.
    pub folders: Vec<(String, PathBuf)>,
}

/// Checks the hub, this machine, and the requirements of the plan on both, without changing
/// anything; passes each check to `report` as soon as it is known. On another machine, a helper container
/// reads the host for a second if one of hubmark's images exists there.
///
/// Every request to an engine has a timeout, and after the first that fails the engine is asked no more.
/// When `cancel` is cancelled, what was started on the hub is removed before this returns.
pub async fn examine(
    request: &DoctorRequest,
    cancel: &CancellationToken,
    report: &mut dyn FnMut(Check),
) {
    let plan = request.plan.as_ref();
    match (request.hub.kind, plan) {
        (HubKind::Docker, _) => check_engine(request, cancel, report).await,
        (HubKind::External, Some(plan)) => {
            external_servers::check(plan, report).await;
        }
        (HubKind::External, None) | (HubKind::Local, _) => {}
    }
    if cancel.is_cancelled() {
        return;
    }
    plan.into_iter().flat_map(settings::checks).for_each(&mut *report);
    local_machine::checks(&LocalMachine::read(), plan).into_iter().for_each(&mut *report);
    for (what, folder) in &request.folders {
        report(local_machine::check_folder(what, folder));
    }
}

/// Connects to the engine and checks it; removes what an interrupted check has started.
async fn check_engine(
    request: &DoctorRequest,
    cancel: &CancellationToken,
    report: &mut dyn FnMut(Check),
) {
    // Its own identity, so that the end of this doctor does not remove the containers of another one.
    let run = format!("doctor-{}-{:08x}", std::process::id(), rand::rng().random::<u32>());
    let hub = tokio::select! {
        hub = DockerHub::connect(&request.hub, Some(&run)) => hub,
        () = cancel.cancelled() => return,
    };
    let hub = match hub {
        Ok(hub) => hub,
        Err(error) => return report(Check::error("engine", &error)),
    };
    let checked = tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        checked = engine_checks(&hub, request, report) => Some(checked),
    };
    match checked {
        Some(Ok(())) => {}
        Some(Err(error)) => report(hub::lost_connection(&error)),
        None => {
            // Without the engine, its container ends by itself.
            let _ = tokio::time::timeout(request.hub.timeouts().query, hub.shutdown()).await;
        }
    }
}

/// Checks a connected engine, its host, and the requirements of the plan.
async fn engine_checks(
    hub: &DockerHub,
    request: &DoctorRequest,
    report: &mut dyn FnMut(Check),
) -> Result<(), HubError> {
    let options = request.hub.command_options();
    let location = hub.location();
    let mut report_step = |step: ExaminationStep, found: &Examination| {
        hub::checks(step, &location, found, &options).into_iter().for_each(&mut *report);
    };
    let mut found = hub.examine(&mut report_step).await?;
    hub.examine_host(&mut found, &mut report_step).await?;
    let Some(plan) = &request.plan else { return Ok(()) };
    plan_requirements::limit_checks(&request.hub.limits, &found).into_iter().for_each(&mut *report);
    match super::required_images(plan) {
        Ok(images) => {
            for image in images {
                let state = hub.image_state(&image).await?;
                report(plan_requirements::image_check(&image, state, &request.images_build));
            }
        }
        Err(error) => report(Check::fail("images", error.to_string(), "change the profile")),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
