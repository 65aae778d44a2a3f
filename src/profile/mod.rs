//! Profiles: descriptions of a run in TOML.
//!
//! [`Profile::parse`] checks a text against the [`Catalogue`] of backends and reports all problems
//! at once; [`Profile::plan`] resolves every default and expands every sweep; [`Profile::to_toml`]
//! writes a text that yields the same plan. [`Override`]s change single values before validation.
//!
//! | file | content |
//! |---|---|
//! | [`keys`] | all keys, with their allowed values and help texts |
//! | [`catalogue`] | backends that a profile may name, and the keys of their tables |
//! | [`presets`] | limits that imitate small boards |
//! | [`tree`], [`values`] | values of the text with their origins, and their parsing |
//! | [`read`] | parsing and validation of a whole profile |
//! | [`model`] | the validated profile |
//! | [`defaults`], [`expand`] | default values, and the plan |
//! | [`overrides`], [`edit`] | changes of single values, in the tree and in the text |
//! | [`serialize`] | the profile as TOML, and its values as text |
//! | [`problem`] | problems and their locations |
//! | [`library`], [`name`] | built-in and saved profiles, and their names |

pub mod catalogue;
mod defaults;
mod edit;
mod expand;
pub mod keys;
pub mod library;
mod model;
mod name;
mod overrides;
pub mod presets;
mod problem;
mod read;
mod serialize;
mod tree;
mod values;

pub use catalogue::Catalogue;
pub use edit::edit_text;
pub use library::{BuiltinProfile, Library, LibraryError, ProfileSource, builtin_profiles, find};
pub use model::{LoadLength, Profile, RunRequest, WorkloadKind, WorkloadRequest};
pub use overrides::Override;
pub use problem::{ProblemLocation, ProfileProblem, ProfileProblems};
pub use read::default_load;

#[cfg(test)]
mod tests;
