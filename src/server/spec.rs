//! Specifications of servers: what a backend needs, and how a hub starts it.

use std::{collections::BTreeMap, path::PathBuf};

/// Specification of one server that a backend needs; a backend lists them in the order of their start.
#[derive(Debug, Clone)]
pub struct ServerSpec {
    /// The server's name within its backend, for example `kafka` or `zookeeper`.
    pub role: String,
    /// How the server is started.
    pub launch: LaunchSpec,
    /// Ports on which clients reach the server, the main port first.
    pub ports: Vec<u16>,
}

/// How a server is started.
#[derive(Debug, Clone)]
pub enum LaunchSpec {
    /// In a container.
    Container(ContainerSpec),
    /// As a child process.
    Process(ProcessSpec),
    /// Not at all: the server already runs, and continues to run.
    External(ExternalSpec),
}

/// A server that already runs.
#[derive(Debug, Clone)]
pub struct ExternalSpec {
    /// Endpoints of the server; one of several is enough to connect.
    pub endpoints: Vec<Endpoint>,
    /// Container of the server on the hub's engine, if configured.
    pub container: Option<String>,
    /// Process of the server on this machine, if configured.
    pub process: Option<i32>,
}

/// Host name or address, and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Endpoint {
    /// Parses `host`, `host:port`, `[v6]` or `[v6]:port`; a text without a port gets `default_port`.
    ///
    /// # Errors
    /// The text is not an endpoint; the message says why.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        // The URL itself is not repeated: it may hold a password.
        if let Some((host, account)) = host_in_url(text) {
            let account = if account {
                "; the account belongs in user, its password in password_env or password_file"
            } else {
                ""
            };
            return Err(format!("a URL is given in place of host:port: write {host:?}{account}"));
        }
        let wrong = |why: &str| Err(format!("{text:?} is not host:port: {why}"));
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(port))),
                None => return wrong("a bracket is not closed"),
            },
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return wrong("an IPv6 address needs brackets, as in [::1]:1234");
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let plain = |c: char| c.is_alphanumeric() || "-_.:%".contains(c);
        if host.is_empty() || !host.chars().all(plain) {
            return wrong("the host is missing or has invalid characters");
        }
        let port = match port.map(str::parse) {
            None => default_port,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return wrong("a port is a number from 1 to 65535"),
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

/// Host, with a port if there is one, of a URL that was given in place of it, and whether the URL names
/// an account; `None` if the text is no URL.
pub fn host_in_url(text: &str) -> Option<(&str, bool)> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Some(match authority.rsplit_once('@') {
        Some((_, host)) => (host, true),
        None => (authority, false),
    })
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A container to create, with placeholders in `environment` and `arguments`: `{role}` is the address
/// of a server that was started earlier, `{host}` the address at which clients outside the hub reach
/// the container, and `{port:N}` the published port that leads to the container's port `N`. In
/// `environment`, `{self}` is the address of the container: its image must have `/bin/sh`.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// Image of the container.
    pub image: ServerImage,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Replacement for the image's entry point.
    pub entry_point: Option<String>,
    /// Arguments after the entry point.
    pub arguments: Vec<String>,
    /// Data folder inside the container, if its growth can be measured.
    pub data_dir: Option<String>,
}

/// A server image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerImage {
    /// Built on the hub from a recipe that is embedded in this program.
    Recipe {
        /// The recipe.
        recipe: &'static ImageRecipe,
        /// Build arguments (`--build-arg`).
        arguments: BTreeMap<String, String>,
        /// Name of the built image, for example `hubmark/kafka:2.8.0`.
        tag: String,
    },
    /// Pulled from a registry, or already on the engine.
    Named(String),
}

impl ServerImage {
    /// Name of the image on the engine.
    pub fn reference(&self) -> &str {
        match self {
            Self::Recipe { tag, .. } => tag,
            Self::Named(name) => name,
        }
    }
}

/// The files from which an image is built, relative to the build context's root.
#[derive(Debug, PartialEq, Eq)]
pub struct ImageRecipe {
    /// The recipe's name, which is its folder under `assets/images/`.
    pub name: &'static str,
    /// Path and content of each file; one is `Dockerfile`. `*.sh` become executable.
    pub files: &'static [(&'static str, &'static [u8])],
}

#[cfg(test)]
impl ImageRecipe {
    /// Asserts that the recipe embeds exactly the files of its folder.
    ///
    /// # Panics
    /// A file is missing, or another one is embedded.
    pub fn assert_complete(&self) {
        let images = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/images");
        let mut there: Vec<_> = std::fs::read_dir(images.join(self.name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        let mut embedded: Vec<_> = self.files.iter().map(|(name, _)| (*name).to_owned()).collect();
        embedded.sort();
        assert_eq!(embedded, there, "{}", self.name);
    }
}

/// A child process to start.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// Program; searched on `PATH` if it has no slash.
    pub program: PathBuf,
    /// Command that must succeed before the program starts, for example to create its data folder.
    pub setup_command: Option<Vec<String>>,
    /// Arguments, with placeholders: `{dir}` is a new temporary folder, `{port}` a free TCP port.
    pub arguments: Vec<String>,
    /// Files to write into that folder before the start: name and content, mode 0600.
    pub files: Vec<(String, String)>,
    /// Environment variables added to those of this process.
    pub environment: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_parsed_with_and_without_ports() {
        let read = |text: &str| Endpoint::parse(text, 9).map(|endpoint| endpoint.to_string());
        for (text, shown) in [
            ("pi", "pi:9"),
            ("pi.local:1234", "pi.local:1234"),
            ("10.0.0.7:1", "10.0.0.7:1"),
            ("[::1]:1234", "[::1]:1234"),
            ("[fe80::1%eth0]", "[fe80::1%eth0]:9"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(shown), "{text}");
        }
        for (url, part) in [
            ("http://pi:9092", "write \"pi:9092\""),
            ("mysql://u:secret@pi:3306/db", "write \"pi:3306\"; the account belongs in user"),
            ("kafka://[::1]:9092/", "write \"[::1]:9092\""),
            ("tcp://", "a URL is given in place of host:port"),
        ] {
            let problem = read(url).unwrap_err();
            assert!(problem.contains(part) && !problem.contains("secret"), "{problem}");
        }
        for text in ["", ":1", "pi:", "pi:0", "pi:65536", "::1", "[::1", "a b:1", "u:p@pi:1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
