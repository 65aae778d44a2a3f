//! Descriptions of the backends that a profile may name: plain data, provided by the backends.

pub mod external;
mod settings;

use super::values;
use crate::server::HubKind;
pub(super) use settings::parse_setting;
pub use settings::{SettingKey, SettingKind};

/// Description of a backend for profiles, screens and documents.
#[derive(Debug, PartialEq, Eq)]
pub struct BackendInfo {
    /// The name in profiles and records.
    pub name: &'static str,
    /// The displayed name.
    pub title: &'static str,
    /// Caution that must be shown beside every number of this backend, if any.
    pub caution: Option<&'static str>,
    /// Versions that hubmark can build from its recipes; the first is the default.
    pub versions: &'static [&'static str],
    /// Oldest release, major and minor, from which on the recipe can build any other version, too;
    /// `None` if it builds only [`BackendInfo::versions`].
    pub oldest_release: Option<(u32, u32)>,
    /// Kinds of hub on which the backend can run; the first is the default.
    pub hubs: &'static [HubKind],
    /// Keys of the backend's table in a profile.
    pub settings: &'static [SettingKey],
}

/// Name of the [`SettingKey`] whose value replaces a backend's default image and list of versions.
pub const IMAGE: &str = "image";

impl BackendInfo {
    /// Setting with this name.
    pub fn setting(&self, name: &str) -> Option<&'static SettingKey> {
        self.settings.iter().find(|key| key.name == name)
    }

    /// Whether the recipe can build `version`.
    pub fn builds(&self, version: &str) -> bool {
        let release = |oldest: (u32, u32)| {
            let numbers: Option<Vec<u32>> = version.split('.').map(parse_version_number).collect();
            matches!(numbers.as_deref(), Some(&[major, minor, _]) if (major, minor) >= oldest)
        };
        self.versions.contains(&version) || self.oldest_release.is_some_and(release)
    }

    /// Versions that [`BackendInfo::builds`] accepts, as text.
    pub fn describe_versions(&self) -> String {
        let known = values::join_with_or(self.versions);
        match self.oldest_release {
            Some((major, minor)) => format!("{known}, any other release from {major}.{minor} on"),
            None => known,
        }
    }
}

/// Parses a number of a version; refuses forms such as `+1` and `01`.
fn parse_version_number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Backends that a profile may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue(Vec<&'static BackendInfo>);

impl Catalogue {
    /// Creates a catalogue of these backends.
    pub fn new(backends: impl IntoIterator<Item = &'static BackendInfo>) -> Self {
        Self(backends.into_iter().collect())
    }

    /// Backend with this name.
    pub fn find(&self, name: &str) -> Option<&'static BackendInfo> {
        self.0.iter().copied().find(|info| info.name == name)
    }

    /// All backends.
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
            oldest_release: Some((2, 8)),
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
        info.oldest_release = None;
        assert!(info.builds("2.8.0") && !info.builds("3.9.1"));
    }
}
