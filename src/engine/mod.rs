//! The engine: executes a plan and sends events. It prints nothing and has no access to the terminal.
//!
//! ```text
//! run ─┬─► faults ─► repetition_environment, servers
//!      ├─► load ───► measure ─► judge
//!      └─► measure
//! doctor ─► run, preflight
//! ```
//!
//! [`run`] begins or resumes a record and executes step after step on clean servers; [`load`] sends and
//! receives messages; [`measure`] records messages, resources of servers and host, and this process;
//! [`faults`] injects planned faults; [`judge`] decides which results can be trusted. [`doctor`] and
//! [`preflight`] check before a run what is missing. [`control`] passes the operator's commands to a run,
//! and [`steering`] those that change a load in progress to its sending thread.

pub mod control;
pub mod doctor;
mod error;
mod faults;
mod judge;
pub mod load;
pub mod measure;
pub mod preflight;
mod repetition_environment;
mod run;
mod servers;
pub mod steering;
#[cfg(test)]
mod tests;

pub use error::RunError;
pub use judge::hot_threads::is_full as is_full_thread;
pub use measure::recorder::Recorder;
pub use run::{
    resolve::required_images,
    resume::load_resumable,
    runner::RunOutcome,
    settings::check as check_settings,
    start::{PlanExecutor, RunSpec, check},
};
