//! Keys of a backend's table that describe an external server, which runs already.

use super::settings::{SettingKey, SettingKind};
use crate::plan::external;

const fn text(name: &'static str, help: &'static str) -> SettingKey {
    SettingKey { name, kind: SettingKind::Text, default: "", help }
}

/// Address of the server.
pub const ADDRESS: SettingKey = text(
    external::ADDRESS,
    "external hub: host:port of the server that runs already; several with commas between them are bootstrap servers",
);
/// Account on the server.
pub const USER: SettingKey = text(
    external::USER,
    "external hub: the account on the server; without it, no account is given",
);
/// Environment variable that holds the account's password.
pub const PASSWORD_ENV: SettingKey =
    text(external::PASSWORD_ENV, "external hub: the environment variable that holds the password");
/// File that holds the account's password.
pub const PASSWORD_FILE: SettingKey = text(
    external::PASSWORD_FILE,
    "external hub: the file that holds the password, readable for its owner alone (chmod 600)",
);
/// Container of the server.
pub const CONTAINER: SettingKey = text(
    external::CONTAINER,
    "external hub: the server's container on hub.engine, from which its resources are read",
);
/// Process of the server.
pub const PROCESS: SettingKey = SettingKey {
    name: external::PROCESS,
    kind: SettingKind::Integer(1, 4_194_304),
    default: "",
    help: "external hub: number of the server's process on this machine, from which its resources are read",
};
