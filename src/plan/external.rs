//! External servers, which run already, as described by a backend's table.
//!
//! Pure, and without passwords: a profile names only where the password is stored.

use serde_json::{Map, Value};

use crate::server::Endpoint;

/// Key of the table: the server's address.
pub const ADDRESS: &str = "address";
/// Key of the table: the account.
pub const USER: &str = "user";
/// Key of the table: the environment variable that holds the account's password.
pub const PASSWORD_ENV: &str = "password_env";
/// Key of the table: the file that holds the account's password.
pub const PASSWORD_FILE: &str = "password_file";
/// Key of the table: the server's container on the hub's engine.
pub const CONTAINER: &str = "container";
/// Key of the table: the server's process on this machine.
pub const PROCESS: &str = "process";

/// All keys of an external server.
pub const KEYS: [&str; 6] = [ADDRESS, USER, PASSWORD_ENV, PASSWORD_FILE, CONTAINER, PROCESS];

/// An external server, as described by its backend's table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalServer {
    /// Comma-separated addresses, as written.
    pub address: String,
    /// The account; `None` if the server requires none.
    pub user: Option<String>,
    /// Where the account's password is stored.
    pub password: Option<PasswordSource>,
    /// The server's container on the hub's engine.
    pub container: Option<String>,
    /// The server's process on this machine.
    pub process: Option<i32>,
}

/// Where a password is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// In an environment variable.
    Variable(String),
    /// In a file.
    File(String),
}

impl ExternalServer {
    /// Parses a backend's table.
    ///
    /// # Errors
    /// Every invalid key, with the reason.
    pub fn from_table(table: &Map<String, Value>) -> Result<Self, Vec<(&'static str, String)>> {
        let text = |key| {
            let text = table.get(key).and_then(Value::as_str).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let mut wrong = Vec::new();
        let variable = text(PASSWORD_ENV).map(PasswordSource::Variable);
        let file = text(PASSWORD_FILE).map(PasswordSource::File);
        if variable.is_some() && file.is_some() {
            wrong.push((
                PASSWORD_FILE,
                format!("{PASSWORD_ENV} is given too: give only one of the two"),
            ));
        }
        let server = Self {
            address: text(ADDRESS).unwrap_or_default(),
            user: text(USER),
            password: variable.or(file),
            container: text(CONTAINER),
            process: table.get(PROCESS).and_then(Value::as_i64).and_then(|n| n.try_into().ok()),
        };
        if server.address.is_empty() {
            wrong.push((ADDRESS, "this key is missing: the address of the server".into()));
        } else if let Err(reason) = server.endpoints(1) {
            wrong.push((ADDRESS, reason));
        }
        if server.user.is_none() && server.password.is_some() {
            wrong.push((USER, "this key is missing: the account of the password".into()));
        }
        if server.container.is_some() && server.process.is_some() {
            wrong.push((PROCESS, format!("{CONTAINER} is given too: give only one of the two")));
        }
        if wrong.is_empty() { Ok(server) } else { Err(wrong) }
    }

    /// Endpoints of the server; `default_port` applies to addresses without a port.
    ///
    /// # Errors
    /// The reason why an address is invalid.
    pub fn endpoints(&self, default_port: u16) -> Result<Vec<Endpoint>, String> {
        self.address.split(',').map(|one| Endpoint::parse(one.trim(), default_port)).collect()
    }

    /// Whether a container or process is named from which the server's resources can be read.
    pub const fn has_resource_source(&self) -> bool {
        self.container.is_some() || self.process.is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(table: &Value) -> Result<ExternalServer, Vec<&'static str>> {
        ExternalServer::from_table(table.as_object().unwrap())
            .map_err(|wrong| wrong.into_iter().map(|(key, _)| key).collect())
    }

    #[test]
    fn a_server_is_parsed_from_its_table() {
        let server = of(&json!({
            "address": "a:1, b", "user": "u", "password_file": "/p", "process": 7, "batch": 9,
        }))
        .unwrap();
        let endpoints = server.endpoints(5).unwrap();
        assert_eq!(endpoints.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:1", "b:5"]);
        assert_eq!(server.password, Some(PasswordSource::File("/p".into())));
        assert!(server.has_resource_source() && server.user.as_deref() == Some("u"));
        assert!(
            !of(&json!({ "address": "a", "user": "", "container": "" }))
                .unwrap()
                .has_resource_source()
        );
    }

    #[test]
    fn all_invalid_keys_are_reported_at_once() {
        assert_eq!(of(&json!({})), Err(vec!["address"]));
        let all = json!({
            "address": "a:x", "password_env": "A", "password_file": "b", "container": "c",
            "process": 1,
        });
        assert_eq!(of(&all), Err(vec!["password_file", "address", "user", "process"]));
    }
}
