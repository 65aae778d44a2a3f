//! From a profile's text to a running engine: the way that screen and command line share.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;

use crate::{
    engine::{self, Engine, EngineError, Outcome, Request, control::Control},
    event::{Events, channel},
    hub::{self, Hub, HubError},
    paths,
    plan::Plan,
    record::store,
};

/// A new run's identity: unique on a hub, and telling to whoever reads a container's labels.
fn identity() -> String {
    format!("{}-{}", Timestamp::now().as_millisecond(), std::process::id())
}

/// Where a new run of `plan` keeps its record, unless told otherwise.
///
/// # Errors
/// When there is no home folder.
pub fn record_path(plan: &Plan) -> Result<PathBuf, paths::PathError> {
    Ok(paths::records()?.join(store::file_name(&plan.profile, Timestamp::now())))
}

/// An engine ready to run, and what it will tell.
pub struct Launch {
    /// The engine.
    pub engine: Engine,
    /// How it is stopped.
    pub control: Control,
    hub: tokio::sync::watch::Sender<Option<Arc<dyn Hub>>>,
}

impl Launch {
    /// Prepares an engine.
    pub fn new() -> (Self, Events) {
        let (teller, events) = channel();
        let control = Control::default();
        let engine = Engine::new(teller, control.clone());
        (Self { engine, control, hub: tokio::sync::watch::Sender::new(None) }, events)
    }

    /// Opens the hub and executes the request.
    ///
    /// # Errors
    /// What kept the run from beginning.
    pub async fn run(&self, request: Request) -> Result<Outcome, EngineError> {
        engine::check(&request.plan)?;
        let run = request.resume.as_ref().map_or_else(identity, |record| record.run.clone());
        let hub = hub::open(&request.plan, &run).await?;
        self.hub.send_replace(Some(Arc::clone(&hub)));
        self.engine.run(request, hub, run).await
    }

    /// Removes the servers that are up: for an end that cannot wait. The run's own future must have
    /// been dropped.
    ///
    /// # Errors
    /// What may have been left behind.
    pub async fn abandon(&self) -> Result<(), HubError> {
        let hub = self.hub.borrow().clone();
        match hub {
            Some(hub) => hub.abandon().await,
            None => Ok(()),
        }
    }
}
