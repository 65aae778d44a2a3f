//! Servers that run already: what a backend's table says of one. Pure, and without any password:
//! only where it is kept stands in a profile.

use serde_json::{Map, Value};

use crate::server::Endpoint;

/// Key of the table: where the server answers.
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

/// All of them.
pub const KEYS: [&str; 6] = [ADDRESS, USER, PASSWORD_ENV, PASSWORD_FILE, CONTAINER, PROCESS];

/// A server that runs already, as its backend's table names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalServer {
    /// Addresses as they were written, with commas between them.
    pub address: String,
    /// The account; `None` where the server asks for none.
    pub user: Option<String>,
    /// Where the account's password is.
    pub password: Option<PasswordSource>,
    /// Its container on the hub's engine.
    pub container: Option<String>,
    /// Its process on this machine.
    pub process: Option<i32>,
}

/// Where a password is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// In an environment variable.
    Variable(String),
    /// In a file.
    File(String),
}

impl ExternalServer {
    /// Reads a backend's table.
    ///
    /// # Errors
    /// Every key that is wrong, with what is wrong about it.
    pub fn of(table: &Map<String, Value>) -> Result<Self, Vec<(&'static str, String)>> {
        let text = |key| {
            let text = table.get(key).and_then(Value::as_str).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let mut wrong = Vec::new();
        let variable = text(PASSWORD_ENV).map(PasswordSource::Variable);
        let file = text(PASSWORD_FILE).map(PasswordSource::File);
        if variable.is_some() && file.is_some() {
            wrong.push((PASSWORD_FILE, format!("{PASSWORD_ENV} is given too: one of the two")));
        }
        let server = Self {
            address: text(ADDRESS).unwrap_or_default(),
            user: text(USER),
            password: variable.or(file),
            container: text(CONTAINER),
            process: table.get(PROCESS).and_then(Value::as_i64).and_then(|n| n.try_into().ok()),
        };
        if server.address.is_empty() {
            wrong.push((ADDRESS, "this key is missing: where does the server answer?".into()));
        } else if let Err(reason) = server.endpoints(1) {
            wrong.push((ADDRESS, reason));
        }
        if server.user.is_none() && server.password.is_some() {
            wrong.push((USER, "this key is missing: whose password is it?".into()));
        }
        if server.container.is_some() && server.process.is_some() {
            wrong.push((PROCESS, format!("{CONTAINER} is given too: one of the two")));
        }
        if wrong.is_empty() { Ok(server) } else { Err(wrong) }
    }

    /// Where it answers; `usual` is the port where none is given.
    ///
    /// # Errors
    /// What is wrong with an address.
    pub fn endpoints(&self, usual: u16) -> Result<Vec<Endpoint>, String> {
        self.address.split(',').map(|one| Endpoint::parse(one.trim(), usual)).collect()
    }

    /// Whether it is known what the server costs.
    pub const fn is_measured(&self) -> bool {
        self.container.is_some() || self.process.is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(table: &Value) -> Result<ExternalServer, Vec<&'static str>> {
        ExternalServer::of(table.as_object().unwrap())
            .map_err(|wrong| wrong.into_iter().map(|(key, _)| key).collect())
    }

    #[test]
    fn a_server_is_named_by_its_table() {
        let server = of(&json!({
            "address": "a:1, b", "user": "u", "password_file": "/p", "process": 7, "batch": 9,
        }))
        .unwrap();
        let endpoints = server.endpoints(5).unwrap();
        assert_eq!(endpoints.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:1", "b:5"]);
        assert_eq!(server.password, Some(PasswordSource::File("/p".into())));
        assert!(server.is_measured() && server.user.as_deref() == Some("u"));
        assert!(
            !of(&json!({ "address": "a", "user": "", "container": "" })).unwrap().is_measured()
        );
    }

    #[test]
    fn everything_wrong_with_it_is_said_at_once() {
        assert_eq!(of(&json!({})), Err(vec!["address"]));
        let all = json!({
            "address": "a:x", "password_env": "A", "password_file": "b", "container": "c",
            "process": 1,
        });
        assert_eq!(of(&all), Err(vec!["password_file", "address", "user", "process"]));
    }
}
