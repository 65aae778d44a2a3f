//! Requests of the screen to the rest of the program, and the data that they carry. Independent of the
//! model, which sends them.

mod catalog;
mod plan_preview;
mod run;
mod service;

pub use catalog::{BackendOption, Catalog, HubCandidate, ProfileEntry};
pub use plan_preview::{FormProblem, PlanPreview};
pub use run::{RunCommand, StartRequest, StopMode};
pub use service::{ExportFormat, ServiceRequest};
