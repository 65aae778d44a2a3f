//! Which engine is meant when the operator names none: what Docker's own tools would take.
//!
//! In their order: `DOCKER_HOST`, the context in `DOCKER_CONTEXT`, the current context in
//! `config.json`, this machine's socket. Of sockets: Docker's, that of a rootless Docker, Podman's.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::connect::Address;
use crate::{hub::HubError, plan::HubRequest};

/// Where an engine listens when nothing else is said.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Docker's name for the absence of a context.
const NO_CONTEXT: &str = "default";

/// An engine's address, and the folder with the certificates for it should it need any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The address.
    pub address: Address,
    /// The folder.
    pub certificates: PathBuf,
}

/// What the choice depends on beside the request; a value, so that tests need no environment.
pub(super) struct Surroundings<'a> {
    /// The value of a variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

/// The engine that is asked for, or that Docker's own tools would take.
///
/// # Errors
/// An address that is none, a context that does not exist.
pub fn choose(request: &HubRequest) -> Result<Choice, HubError> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    Surroundings { variable: &set }.choose(request)
}

impl Surroundings<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.to_string_lossy().into_owned())
    }

    pub fn choose(&self, request: &HubRequest) -> Result<Choice, HubError> {
        let named = request.certificates.as_ref().map(PathBuf::from);
        let usual = (self.variable)("DOCKER_CERT_PATH").map(PathBuf::from);
        let certificates = named.clone().or(usual).unwrap_or_else(|| self.configuration());
        if let Some(text) = &request.engine {
            return Ok(Choice { address: Address::parse(text)?, certificates });
        }
        if let Some(text) = self.text("DOCKER_HOST") {
            let address = Address::parse(&text)?;
            if self.text("DOCKER_TLS_VERIFY").is_some() && matches!(address, Address::Plain { .. })
            {
                let reason = "DOCKER_HOST names a way without TLS, and DOCKER_TLS_VERIFY asks for \
                              it: write tcp://HOST:PORT, or take one of the two back";
                return Err(HubError::BadAddress { engine: text, reason: reason.to_owned() });
            }
            return Ok(Choice { address, certificates });
        }
        if let Some(name) = self.context()? {
            let (address, folder) = self.of_context(&name)?;
            return Ok(Choice { address, certificates: named.unwrap_or(folder) });
        }
        Ok(Choice { address: Address::Unix(self.socket()), certificates })
    }

    /// The folder of Docker's own configuration.
    pub fn configuration(&self) -> PathBuf {
        (self.variable)("DOCKER_CONFIG").map_or_else(
            || (self.variable)("HOME").map_or_else(PathBuf::new, PathBuf::from).join(".docker"),
            PathBuf::from,
        )
    }

    /// The context in force, if there is one.
    fn context(&self) -> Result<Option<String>, HubError> {
        let named = self.text("DOCKER_CONTEXT");
        let file = self.configuration().join("config.json");
        let current = || -> Result<Option<String>, HubError> {
            let Ok(text) = fs::read_to_string(&file) else { return Ok(None) };
            let config: Value = serde_json::from_str(&text).map_err(|error| {
                let reason = format!("Docker's configuration cannot be read: {error}");
                HubError::BadAddress { engine: file.display().to_string(), reason }
            })?;
            Ok(config["currentContext"].as_str().map(str::to_owned))
        };
        let name = match named {
            Some(name) => Some(name),
            None => current()?,
        };
        Ok(name.filter(|name| !name.is_empty() && name != NO_CONTEXT))
    }

    /// Address and certificates of a context.
    fn of_context(&self, name: &str) -> Result<(Address, PathBuf), HubError> {
        let id = identity(name);
        let contexts = self.configuration().join("contexts");
        let file = contexts.join("meta").join(&id).join("meta.json");
        let bad =
            |reason: String| HubError::BadAddress { engine: format!("context {name}"), reason };
        let text = fs::read_to_string(&file).map_err(|error| {
            bad(format!(
                "Docker has no such context ({}: {error}); docker context ls lists them",
                file.display()
            ))
        })?;
        let meta: Value = serde_json::from_str(&text)
            .map_err(|error| bad(format!("{} cannot be read: {error}", file.display())))?;
        let host = meta["Endpoints"]["docker"]["Host"].as_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| bad("it names no Docker engine".to_owned()))?;
        Ok((Address::parse(host)?, self.certificates_of(name)))
    }

    /// The folder with a context's certificates, whether or not it is there.
    pub fn certificates_of(&self, name: &str) -> PathBuf {
        self.configuration().join("contexts/tls").join(identity(name)).join("docker")
    }

    /// This machine's socket: Docker's, unless only another is there.
    fn socket(&self) -> PathBuf {
        self.socket_but(Path::new(DEFAULT_SOCKET))
    }

    fn socket_but(&self, usual: &Path) -> PathBuf {
        self.sockets_but(usual).into_iter().next().unwrap_or_else(|| usual.to_owned())
    }

    /// Sockets of engines on this machine, the one that is taken first.
    pub fn sockets(&self) -> Vec<PathBuf> {
        self.sockets_but(Path::new(DEFAULT_SOCKET))
    }

    fn sockets_but(&self, usual: &Path) -> Vec<PathBuf> {
        let runtime = (self.variable)("XDG_RUNTIME_DIR").map(PathBuf::from);
        let own = |name: &str| runtime.as_ref().map(|runtime| runtime.join(name));
        let others =
            [own("docker.sock"), own("podman/podman.sock"), Some("/run/podman/podman.sock".into())];
        let all = std::iter::once(usual.to_owned()).chain(others.into_iter().flatten());
        all.filter(|path| is_socket(path)).collect()
    }
}

/// The name of a context's folders.
fn identity(name: &str) -> String {
    Sha256::digest(name).iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}"))
}

fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn chosen(set: &[(&str, &str)], request: &HubRequest) -> Result<Choice, HubError> {
        let set: HashMap<_, _> = set.iter().copied().collect();
        let variable = |name: &str| set.get(name).map(OsString::from);
        Surroundings { variable: &variable }.choose(request)
    }

    fn context(folder: &Path, name: &str, host: &str) {
        let id = identity(name);
        let meta = folder.join("contexts/meta").join(id);
        fs::create_dir_all(&meta).unwrap();
        let text = format!(
            r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
        );
        fs::write(meta.join("meta.json"), text).unwrap();
    }

    #[test]
    fn the_order_is_that_of_dockers_own_tools() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().to_str().unwrap();
        context(home.path(), "pi", "ssh://pi");
        context(home.path(), "shed", "tcp://shed:2376");
        fs::write(home.path().join("config.json"), r#"{"currentContext":"pi"}"#).unwrap();
        let base = ("DOCKER_CONFIG", config);
        let usual = HubRequest::docker(None);
        let address =
            |set: &[(&str, &str)], request| chosen(set, request).unwrap().address.to_string();
        assert_eq!(address(&[base], &usual), "ssh://pi");
        assert_eq!(address(&[base, ("DOCKER_CONTEXT", "shed")], &usual), "tcp://shed:2376");
        let both = [base, ("DOCKER_CONTEXT", "shed"), ("DOCKER_HOST", "unix:///x.sock")];
        assert_eq!(address(&both, &usual), "unix:///x.sock");
        let asked = HubRequest::docker(Some("ssh://other".to_owned()));
        assert_eq!(address(&both, &asked), "ssh://other");
        let none = address(&[base, ("DOCKER_CONTEXT", "default")], &usual);
        assert!(none.starts_with("unix:///"), "{none}");
    }

    #[test]
    fn no_tls_is_not_taken_where_it_is_asked_for() {
        let usual = HubRequest::docker(None);
        let set = [("DOCKER_HOST", "http://pi"), ("DOCKER_TLS_VERIFY", "1")];
        let error = chosen(&set, &usual).unwrap_err().to_string();
        assert!(error.contains("DOCKER_TLS_VERIFY"), "{error}");
        assert_eq!(chosen(&set[..1], &usual).unwrap().address.to_string(), "http://pi:2375");
        // tcp:// is never without it, whatever the environment says.
        let set = [("DOCKER_HOST", "tcp://pi:2375")];
        let tls = chosen(&set, &usual).unwrap().address;
        assert!(matches!(tls, Address::Tls { port: 2375, .. }), "{tls:?}");
    }

    #[test]
    fn certificates_come_from_the_profile_the_environment_the_context_or_home() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().to_str().unwrap();
        context(home.path(), "shed", "tcp://shed");
        let folder = |set: &[(&str, &str)], request| chosen(set, request).unwrap().certificates;
        let tcp = HubRequest::docker(Some("tcp://h".to_owned()));
        assert_eq!(folder(&[("HOME", "/home/me")], &tcp), Path::new("/home/me/.docker"));
        let set = [("HOME", "/home/me"), ("DOCKER_CERT_PATH", "/c")];
        assert_eq!(folder(&set, &tcp), Path::new("/c"));
        let named = HubRequest { certificates: Some("/p".to_owned()), ..tcp.clone() };
        assert_eq!(folder(&set, &named), Path::new("/p"));
        let set = [("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "shed")];
        let of_context = folder(&set, &HubRequest::docker(None));
        assert!(of_context.starts_with(home.path().join("contexts/tls")), "{of_context:?}");
    }

    #[test]
    fn of_sockets_the_rootless_one_is_taken_before_podmans_and_only_where_it_is_one() {
        use std::os::unix::net::UnixListener;

        if is_socket(Path::new(DEFAULT_SOCKET)) {
            // Docker's own goes before all others.
            let set = [("XDG_RUNTIME_DIR", "/nonexistent")];
            let own = chosen(&set, &HubRequest::docker(None)).unwrap().address;
            assert_eq!(own.to_string(), format!("unix://{DEFAULT_SOCKET}"));
        }
        let runtime = tempfile::tempdir().unwrap();
        let set = |_: &str| Some(OsString::from(runtime.path()));
        let found = || Surroundings { variable: &set }.socket_but(Path::new("/nonexistent"));
        fs::write(runtime.path().join("docker.sock"), "").unwrap();
        fs::create_dir(runtime.path().join("podman")).unwrap();
        let _podman = UnixListener::bind(runtime.path().join("podman/podman.sock")).unwrap();
        assert_eq!(found(), runtime.path().join("podman/podman.sock"));
        fs::remove_file(runtime.path().join("docker.sock")).unwrap();
        let _rootless = UnixListener::bind(runtime.path().join("docker.sock")).unwrap();
        assert_eq!(found(), runtime.path().join("docker.sock"));
    }

    #[test]
    fn a_context_that_does_not_exist_or_cannot_be_read_is_named() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().to_str().unwrap();
        let usual = HubRequest::docker(None);
        let error = chosen(&[("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "gone")], &usual);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("context gone") && error.contains("docker context ls"), "{error}");
        fs::write(home.path().join("config.json"), "{").unwrap();
        let error = chosen(&[("DOCKER_CONFIG", config)], &usual).unwrap_err().to_string();
        assert!(error.contains("config.json"), "{error}");
    }
}
