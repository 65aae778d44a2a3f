//! The backend's description, and its server's role and port.

use super::setting_keys::KEYS;
use crate::{backend::BackendInfo, server::HubKind};

/// The backend's title, for error messages.
pub const TITLE: &str = "MariaDB";
/// Role of the server.
pub const ROLE: &str = "mariadb";
/// Port of the server.
pub const PORT: u16 = 3306;
/// Versions of the recipe.
pub const VERSIONS: &[&str] = &["10.11"];

/// The backend's description.
pub static INFO: BackendInfo = BackendInfo {
    name: "mariadb",
    title: TITLE,
    caution: None,
    versions: VERSIONS,
    oldest_release: None,
    hubs: &[HubKind::Docker, HubKind::Local, HubKind::External],
    settings: KEYS,
};
