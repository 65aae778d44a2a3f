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
    /// The oldest release, major and minor, from which on its recipe makes any other version too;
    /// `None` where it makes only [`BackendInfo::versions`].
    pub oldest: Option<(u32, u32)>,
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

    /// Whether its recipe makes `version`.
    pub fn builds(&self, version: &str) -> bool {
        let release = |oldest: (u32, u32)| {
            let numbers: Option<Vec<u32>> = version.split('.').map(plain_number).collect();
            matches!(numbers.as_deref(), Some(&[major, minor, _]) if (major, minor) >= oldest)
        };
        self.versions.contains(&version) || self.oldest.is_some_and(release)
    }

    /// What [`BackendInfo::builds`], in words.
    pub fn known_versions(&self) -> String {
        let known = values::one_of(self.versions);
        match self.oldest {
            Some((major, minor)) => format!("{known}, any other release from {major}.{minor} on"),
            None => known,
        }
    }
}

/// A number as it stands in a version: `+1` and `01` do not.
fn plain_number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_may_make_any_release_from_one_on() {
        let mut info = BackendInfo {
            name: "x",
            title: "X",
            caution: None,
            versions: &["4.4.0", "2.8.0"],
            oldest: Some((2, 8)),
            hubs: &[HubKind::Docker],
            settings: &[],
        };
        for version in ["4.4.0", "2.8.0", "2.8.2", "3.9.1", "10.0.0"] {
            assert!(info.builds(version), "{version}");
        }
        for version in
            ["2.7.9", "3.9", "3.9.1.0", "latest", "", "3.9.x", "+3.9.1", "3.09.1", " 3.9.1"]
        {
            assert!(!info.builds(version), "{version}");
        }
        info.oldest = None;
        assert!(info.builds("2.8.0") && !info.builds("3.9.1"));
    }
}
