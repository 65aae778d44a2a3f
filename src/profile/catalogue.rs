//! What a profile may say about backends: plain data that the backends fill in.

use serde_json::Value;

use super::{set, tree::Node, values};
use crate::server::HubKind;

/// What a backend is, for profiles, screens and documents.
#[derive(Debug, PartialEq, Eq)]
pub struct BackendInfo {
    /// The name in profiles and records.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// A sentence that must stand beside every number of it, if any.
    pub caution: Option<&'static str>,
    /// Versions whose servers this program can start from its own recipes; the first is the default.
    pub versions: &'static [&'static str],
    /// Kinds of hub on which it can run; the first is the default.
    pub hubs: &'static [HubKind],
    /// The keys of its table in a profile.
    pub settings: &'static [SettingKey],
}

/// One key of a backend's table in a profile.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingKey {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub kind: SettingKind,
    /// The value when it is not given, as written in TOML; empty when there is none.
    pub default: &'static str,
    /// One line of explanation.
    pub help: &'static str,
}

/// What the value of a [`SettingKey`] must be. In a plan's settings bytes and durations are
/// numbers: bytes, and seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// A whole number between two bounds, both included.
    Integer(u64, u64),
    /// `"512 MiB"`.
    Bytes,
    /// `"1 ms"`.
    Duration,
    /// Text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A table of keys that the server or the client library knows: values are text, numbers or
    /// booleans.
    Table,
}

/// The [`SettingKey`] whose value replaces a backend's own image, and with it the list of versions.
pub const IMAGE: &str = "image";

impl BackendInfo {
    /// The setting called `name`.
    pub fn setting(&self, name: &str) -> Option<&'static SettingKey> {
        self.settings.iter().find(|key| key.name == name)
    }
}

impl SettingKey {
    /// The default as it stands in a plan; `None` when there is none (or it is not of its kind).
    pub fn default_value(&self) -> Option<Value> {
        if self.default.is_empty() {
            return None;
        }
        let node = Node::new(set::value(self.default), super::tree::Place::START);
        values::setting(&node, self.kind).ok()
    }

    /// What its value may be, in words.
    pub fn allowed(&self) -> String {
        match self.kind {
            SettingKind::Integer(low, high) => values::whole_between(low, high),
            SettingKind::Bytes => "a size such as \"512 MiB\"".into(),
            SettingKind::Duration => "a duration such as \"1 ms\"".into(),
            SettingKind::Text => "text in quotes".into(),
            SettingKind::Choice(words) => values::one_of(words),
            SettingKind::Table => "a table of keys and values such as { \"some.key\" = 1 }".into(),
        }
    }
}

/// The backends that a profile may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue(Vec<&'static BackendInfo>);

impl Catalogue {
    /// A catalogue of these backends.
    pub fn new(backends: impl IntoIterator<Item = &'static BackendInfo>) -> Self {
        Self(backends.into_iter().collect())
    }

    /// The backend called `name`.
    pub fn find(&self, name: &str) -> Option<&'static BackendInfo> {
        self.0.iter().copied().find(|info| info.name == name)
    }

    /// All of them.
    pub fn backends(&self) -> &[&'static BackendInfo] {
        &self.0
    }
}
