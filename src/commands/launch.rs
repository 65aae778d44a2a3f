//! From a plan to a running engine, for both the screen and the command line.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;

use crate::{
    engine::{self, PlanExecutor, RunError, RunOutcome, RunSpec, control::Control},
    event::{EventReceiver, channel},
    hub::{self, Hub, HubError},
    paths,
    plan::Plan,
    record::store,
};

/// A new run's identity: unique on a hub, and readable in a container's labels.
fn new_run_id() -> String {
    format!("{}-{}", Timestamp::now().as_millisecond(), std::process::id())
}

/// Default file of a new record of `plan`.
///
/// # Errors
/// The records folder cannot be determined.
pub fn record_path(plan: &Plan) -> Result<PathBuf, paths::PathError> {
    Ok(paths::records_dir()?.join(store::file_name(&plan.profile, Timestamp::now())))
}

/// An engine ready to run, with its control and its hub.
pub struct RunLauncher {
    /// The engine.
    pub engine: PlanExecutor,
    /// The run's control, for example to stop it.
    pub control: Control,
    hub: tokio::sync::watch::Sender<Option<Arc<dyn Hub>>>,
}

impl RunLauncher {
    /// Prepares an engine, and returns it with the receiver of its events.
    pub fn new() -> (Self, EventReceiver) {
        let (sender, events) = channel();
        let control = Control::default();
        let engine = PlanExecutor::new(sender, control.clone());
        (Self { engine, control, hub: tokio::sync::watch::Sender::new(None) }, events)
    }

    /// Opens the hub and executes the request.
    ///
    /// # Errors
    /// Why the run could not start.
    pub async fn run(&self, request: RunSpec) -> Result<RunOutcome, RunError> {
        engine::check(&request.plan)?;
        let run = request.resume.as_ref().map_or_else(new_run_id, |record| record.run.clone());
        let hub = hub::open(&request.plan, Some(&run)).await?;
        self.hub.send_replace(Some(Arc::clone(&hub)));
        self.engine.run(request, hub, run).await
    }

    /// Removes all running servers, for an end that cannot wait; the future of [`RunLauncher::run`]
    /// must have been dropped before.
    ///
    /// # Errors
    /// The removal failed, so something may be left behind.
    pub async fn shutdown(&self) -> Result<(), HubError> {
        let hub = self.hub.borrow().clone();
        match hub {
            Some(hub) => hub.shutdown().await,
            None => Ok(()),
        }
    }
}
