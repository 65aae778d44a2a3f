//! Profiles, backends and hubs to choose from.

use serde::{Deserialize, Serialize};

use crate::{plan::BackendChoice, profile::catalogue::SettingKey, server::HubKind};

/// Profiles and backends to choose from.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Profiles.
    pub profiles: Vec<ProfileEntry>,
    /// Backends.
    pub backends: Vec<BackendOption>,
    /// The engine that is used when a profile names none.
    pub default_engine: String,
}

impl Catalog {
    /// Entry of a backend: of its version, or the first entry of that backend.
    pub fn backend(&self, choice: &BackendChoice) -> Option<&BackendOption> {
        self.backends
            .iter()
            .find(|option| option.choice == *choice)
            .or_else(|| self.backends.iter().find(|option| option.choice.name == choice.name))
    }
}

/// A profile in the list of profiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileEntry {
    /// Name.
    pub name: String,
    /// One sentence about what the profile measures.
    pub description: String,
    /// TOML text.
    pub text: String,
    /// Whether the profile is a file of the operator, which may be changed and deleted.
    pub own: bool,
}

/// A backend in the form's list of backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendOption {
    /// The backend and its version.
    pub choice: BackendChoice,
    /// Display name with the version.
    pub title: String,
    /// Caution to show with every figure of this backend, if any; a sentence that names the backend.
    pub caution: Option<String>,
    /// Kinds of hub on which the backend can run.
    pub hubs: Vec<HubKind>,
    /// Name and keys of the backend's table in a profile.
    pub table: (&'static str, &'static [SettingKey]),
}

/// A hub that was found on this machine or in its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubCandidate {
    /// Kind of hub.
    pub kind: HubKind,
    /// The engine's address; `None` for the default engine and for hubs without an engine.
    pub engine: Option<String>,
    /// Folder with the certificates for this engine, if it has its own.
    pub certificates: Option<String>,
    /// Description, and where the hub was found.
    pub title: String,
}
