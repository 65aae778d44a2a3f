//! Interfaces to the rest of the program: the screen's inputs, and the traits that it calls.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::{
    display_choices::DisplayChoices,
    model::{LiveRun, ServiceResponse},
    preferences::Preferences,
    requests::{
        BackendOption, FormProblem, PlanPreview, ProfileEntry, RunCommand, ServiceRequest,
        StartRequest,
    },
};
use crate::event::Event;

/// Everything that [`super::run`] needs to show the screen.
pub struct TuiInputs {
    /// Access to the records and profiles on disk, and to the hub.
    pub service: Arc<dyn RecordService>,
    /// What went wrong while the profiles were read, to show at the start.
    pub notice: Option<String>,
    /// Profiles to choose from; the first is selected at the start.
    pub profiles: Vec<ProfileEntry>,
    /// Backends to choose from.
    pub backends: Vec<BackendOption>,
    /// The engine that is used when a profile names none.
    pub default_engine: String,
    /// Converts a profile and the form's values into a plan.
    pub planner: Arc<dyn Planner>,
    /// The operator's display preferences.
    pub preferences: Preferences,
    /// A running detached run to show at the start.
    pub attached: Option<AttachedRun>,
    /// Cancelled on SIGTERM and SIGHUP: a run in progress is stopped, unless it is a detached
    /// process; then the screen ends.
    pub terminate: CancellationToken,
}

/// Converts a profile into a plan. Called on the screen's thread at each change of the form, so an
/// implementation must answer within milliseconds.
pub trait Planner: Send + Sync {
    /// Plans the profile `toml_text` with the values of `overrides` in place of the profile's:
    /// pairs of profile keys and values in human-readable form, such as
    /// `("workload.users", "100, 400")`. Lists are separated by commas.
    ///
    /// # Errors
    ///
    /// All problems of the profile and the overrides.
    fn plan(
        &self,
        toml_text: &str,
        overrides: &[(String, String)],
    ) -> Result<PlanPreview, Vec<FormProblem>>;
}

/// Access to records, saved profiles and the hub. Called on a separate thread, so it may block.
pub trait RecordService: Send + Sync {
    /// Performs a request and returns the final response; `respond` receives responses before that
    /// one.
    fn handle(
        &self,
        request: &ServiceRequest,
        respond: &dyn Fn(ServiceResponse),
    ) -> ServiceResponse;

    /// Remembers the operator's choices for the next session. A failure costs no more than the choices.
    fn remember(&self, choices: DisplayChoices);

    /// Stops building images; their [`ServiceRequest::BuildImages`] then returns.
    fn stop_images(&self);
}

/// Starts runs.
pub trait Controller {
    /// Starts a run in the background and returns at once; later failures are reported by the
    /// run's [`Event::Ended`].
    ///
    /// # Errors
    ///
    /// Why the run cannot start, and what to do.
    fn start(&mut self, request: &StartRequest) -> Result<StartedRun, String>;
}

/// Handle of a run in progress.
pub struct StartedRun {
    /// The run's events. The last one is [`Event::Ended`].
    pub events: UnboundedReceiver<Event>,
    /// Sends a command to the run; may be called more than once.
    pub send_command: Box<dyn Fn(RunCommand) + Send>,
}

/// A detached run that was started before this screen.
pub struct AttachedRun {
    /// State of the run until now.
    pub live: Box<LiveRun>,
    /// Age of the run now, by the clock of `live`.
    pub age: Duration,
    /// Handle of the run, with the events from now on.
    pub run: StartedRun,
}
