//! Proxies through which images are built: those of Docker's client, as `docker build` passes them,
//! and those of the environment.
//!
//! They are build arguments that every engine knows without `ARG`: it leaves them out of an image's
//! history, its environment and the keys of its cache.

use std::{collections::BTreeMap, env, fmt, net::IpAddr};

use serde_json::Value;

use crate::{hub::docker::reach::contexts::DockerEnvironment, paths};

/// A kind of proxy: its key in Docker's `config.json`, and its variable, also known in lower case.
const PROXIES: [(&str, &str); 5] = [
    ("httpProxy", "HTTP_PROXY"),
    ("httpsProxy", "HTTPS_PROXY"),
    ("ftpProxy", "FTP_PROXY"),
    ("allProxy", "ALL_PROXY"),
    ("noProxy", NO_PROXY),
];
/// The variable that holds hosts instead of a proxy.
const NO_PROXY: &str = "NO_PROXY";
/// Settings in `config.json` for every engine without its own.
const DEFAULT_PROXIES: &str = "default";

/// Proxies of image builds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BuildProxies {
    /// Build arguments by name.
    arguments: BTreeMap<String, String>,
    /// Proxies of the environment that a container cannot reach.
    unreachable: Vec<String>,
}

/// Without the values, which may hold passwords.
impl fmt::Debug for BuildProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.arguments.keys()).finish()
    }
}

impl BuildProxies {
    /// Proxies for builds on the engine at `address`, from Docker's configuration and the environment
    /// of this process.
    pub fn of_this_process(address: &str) -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        DockerEnvironment { variable: &set }.build_proxies(address)
    }

    /// Build arguments by name.
    pub const fn arguments(&self) -> &BTreeMap<String, String> {
        &self.arguments
    }

    /// Describes the proxies for the failure of a build, without accounts; `None` without a proxy.
    pub fn describe(&self) -> Option<String> {
        let mut used: Vec<String> = self
            .arguments
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case(NO_PROXY))
            .map(|(_, proxy)| without_account(proxy))
            .collect();
        used.sort();
        used.dedup();
        let mut parts = Vec::new();
        if !used.is_empty() {
            parts.push(format!("it was built through the proxy {}", used.join(" and ")));
        }
        if !self.unreachable.is_empty() {
            parts.push(format!(
                "the environment's proxy {} was not used: a container does not reach this \
                 machine's loopback; name one that it reaches in proxies.default of Docker's \
                 config.json",
                self.unreachable.join(" and ")
            ));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl DockerEnvironment<'_> {
    /// Proxies for builds on the engine at `address`: those that Docker's configuration has for this
    /// engine or for all, and for the rest the environment's.
    pub fn build_proxies(&self, address: &str) -> BuildProxies {
        let configured = self.configured_proxies(address);
        let of = |name: &str| {
            let value = (self.variable)(name)?.into_string().ok()?;
            (!value.is_empty()).then_some(value)
        };
        let mut proxies = BuildProxies::default();
        for (key, upper) in PROXIES {
            let lower = upper.to_lowercase();
            let configured = configured[key].as_str().filter(|value| !value.is_empty());
            for (name, other) in [(upper, lower.as_str()), (lower.as_str(), upper)] {
                let value = match configured {
                    Some(value) => value.to_owned(),
                    None => match of(name).or_else(|| of(other)) {
                        Some(value) if upper != NO_PROXY && is_loopback(&value) => {
                            let shown = without_account(&value);
                            if !proxies.unreachable.contains(&shown) {
                                proxies.unreachable.push(shown);
                            }
                            continue;
                        }
                        Some(value) => value,
                        None => continue,
                    },
                };
                proxies.arguments.insert(name.to_owned(), value);
            }
        }
        proxies
    }

    /// The proxies of Docker's `config.json` for an engine; empty if there are none.
    fn configured_proxies(&self, address: &str) -> Value {
        let Ok(text) = paths::read_text(&self.config_dir().join("config.json")) else {
            return Value::Null;
        };
        // An invalid file is reported where the context is chosen.
        let config: Value = serde_json::from_str(&text).unwrap_or_default();
        let proxies = &config["proxies"];
        let own = &proxies[address];
        if own.is_object() { own.clone() } else { proxies[DEFAULT_PROXIES].clone() }
    }
}

/// Host of a proxy's URL, which may have no scheme.
fn host(proxy: &str) -> &str {
    let rest = proxy.split_once("://").map_or(proxy, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Whether a proxy is on the loopback of the machine that names it.
fn is_loopback(proxy: &str) -> bool {
    let host = host(proxy);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A proxy's URL without account and password.
fn without_account(proxy: &str) -> String {
    let (scheme, rest) = match proxy.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), proxy),
    };
    let rest = rest.split('/').next().unwrap_or_default();
    scheme + rest.rsplit_once('@').map_or(rest, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{ffi::OsString, fs};

    use super::*;

    fn proxies(config: Option<&str>, variables: &[(&str, &str)], engine: &str) -> BuildProxies {
        let folder = tempfile::tempdir().unwrap();
        if let Some(config) = config {
            fs::write(folder.path().join("config.json"), config).unwrap();
        }
        let variable = |name: &str| -> Option<OsString> {
            if name == "DOCKER_CONFIG" {
                return Some(folder.path().into());
            }
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        DockerEnvironment { variable: &variable }.build_proxies(engine)
    }

    fn argument<'a>(proxies: &'a BuildProxies, name: &str) -> Option<&'a str> {
        proxies.arguments().get(name).map(String::as_str)
    }

    const CONFIG: &str = r#"{ "proxies": {
        "default": { "httpProxy": "http://u:secret@proxy:3128", "noProxy": "*.local" },
        "ssh://pi": { "httpsProxy": "http://pi-proxy:1" }
    } }"#;

    #[test]
    fn docker_s_proxies_are_build_arguments_in_both_cases() {
        let found = proxies(Some(CONFIG), &[], "unix:///var/run/docker.sock");
        for name in ["HTTP_PROXY", "http_proxy"] {
            assert_eq!(argument(&found, name), Some("http://u:secret@proxy:3128"));
        }
        assert_eq!(argument(&found, "NO_PROXY"), Some("*.local"));
        assert_eq!(argument(&found, "HTTPS_PROXY"), None);
        assert_eq!(
            found.describe().as_deref(),
            Some("it was built through the proxy http://proxy:3128"),
            "without the account"
        );
        let of_engine = proxies(Some(CONFIG), &[], "ssh://pi");
        assert_eq!(argument(&of_engine, "https_proxy"), Some("http://pi-proxy:1"));
        assert_eq!(argument(&of_engine, "HTTP_PROXY"), None);
    }

    #[test]
    fn the_environment_fills_what_docker_s_configuration_leaves_out() {
        let variables = [
            ("HTTP_PROXY", "http://other:1"),
            ("https_proxy", "http://both:2"),
            ("NO_PROXY", "localhost,127.0.0.1"),
        ];
        let found = proxies(Some(CONFIG), &variables, "unix:///x");
        assert_eq!(argument(&found, "http_proxy"), Some("http://u:secret@proxy:3128"));
        assert_eq!(argument(&found, "HTTPS_PROXY"), Some("http://both:2"));
        let alone = proxies(None, &variables, "unix:///x");
        assert_eq!(argument(&alone, "http_proxy"), Some("http://other:1"));
        assert_eq!(argument(&alone, "no_proxy"), Some("localhost,127.0.0.1"));
        assert_eq!(proxies(Some("{ no json"), &[], "x"), BuildProxies::default());
        assert_eq!(proxies(None, &[], "x").describe(), None);
    }

    #[test]
    fn a_proxy_on_this_machine_s_loopback_is_not_passed_but_named() {
        for proxy in ["http://127.0.0.1:3128", "localhost:3128", "http://u:p@[::1]:3128/"] {
            let found = proxies(None, &[("HTTPS_PROXY", proxy)], "ssh://pi");
            assert_eq!(found.arguments().len(), 0, "{proxy}");
            let said = found.describe().unwrap();
            assert!(said.contains("was not used") && !said.contains("u:p"), "{said}");
        }
    }
}
