//! Form to set up a run: a profile, and the operator's changes to it.

mod edit;
mod field;
mod form;
mod hub_cautions;
mod lists;
mod update;
mod workload_kind;

pub use field::{Field, FieldKind};
pub use form::{Editing, Pane, Preview, SetupForm};
