//! The terminal user interface: set up a run, follow it live, read its results and records.
//!
//! The architecture is Elm's: [`keys::Keymap`] maps a key to a [`Msg`], [`Model::update`] applies a
//! message to the state and returns [`Effect`]s, [`view::view`] draws the state. Update and view do
//! no input or output; [`run`] performs the effects and is the only part that handles a terminal.
//! The rest of the program is reached through the traits of [`ports`]: a planner, a service for
//! records, profiles and the hub, and a controller that starts runs and returns their events.
//! Responses of the service reach the model by [`Model::handle_response`].
//!
//! From the bottom up: `requests` and `live_panel` are plain data, `msg` and `keys` build on them,
//! `model` on those, `view` and `ports` on the model, `app` on everything.

mod app;
mod display_choices;
mod event_queue;
mod frame_schedule;
mod help;
mod keys;
mod live_panel;
mod model;
mod msg;
mod plan_text;
mod ports;
mod preferences;
mod requests;
mod terminal;
mod text;
mod theme;
mod view;
mod widgets;
mod wrapping;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use app::{TuiError, run};
pub use display_choices::DisplayChoices;
pub use event_queue::{EventBatch, EventQueue};
pub use model::{
    Document, LiveRun, Model, PreviousRun, RunEnd, RunResults, ServiceResponse, TuiOutcome,
};
pub use msg::{Effect, Msg};
pub use ports::{AttachedRun, Controller, Planner, RecordService, StartedRun, TuiInputs};
pub use preferences::{Preferences, RunOwner, ShowTour};
pub use requests::{
    BackendOption, ExportFormat, FormProblem, HubCandidate, PlanPreview, ProfileEntry, RunCommand,
    ServiceRequest, StartRequest, StopMode,
};
pub use terminal::{MouseOwner, Symbols};
pub use theme::Theme;
