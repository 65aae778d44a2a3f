//! Selects the engine that Docker's own tools would take when the operator names none.
//!
//! The order: `DOCKER_HOST`, the context in `DOCKER_CONTEXT`, the current context in `config.json`,
//! this machine's socket. Order of the sockets: Docker's, that of a rootless Docker, Podman's.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{connect::EngineAddress, ssh::DEFAULT_SOCKET};
use crate::{hub::HubError, paths, plan::HubRequest};

/// Docker's name for "no context".
const DEFAULT_CONTEXT: &str = "default";

/// An engine's address, and the folder of its TLS certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedEngine {
    /// Address of the engine.
    pub address: EngineAddress,
    /// Folder of the certificates; read only for TLS.
    pub certificates: PathBuf,
}

/// Environment that the selection depends on; a value, so that tests need no real environment.
pub struct DockerEnvironment<'a> {
    /// Returns the value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

/// Selects the requested engine, or the one that Docker's own tools would take.
///
/// # Errors
/// An invalid address, or a context that does not exist.
pub fn select_engine(request: &HubRequest) -> Result<SelectedEngine, HubError> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    DockerEnvironment { variable: &set }.select_engine(request)
}

impl DockerEnvironment<'_> {
    fn variable_text(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.to_string_lossy().into_owned())
    }

    pub fn select_engine(&self, request: &HubRequest) -> Result<SelectedEngine, HubError> {
        let named = request.certificates.as_ref().map(PathBuf::from);
        let from_environment = (self.variable)("DOCKER_CERT_PATH").map(PathBuf::from);
        let certificates = named.clone().or(from_environment).unwrap_or_else(|| self.config_dir());
        if let Some(text) = &request.engine {
            return Ok(SelectedEngine { address: EngineAddress::parse(text)?, certificates });
        }
        if let Some(text) = self.variable_text("DOCKER_HOST") {
            let address = EngineAddress::parse(&text)?;
            if self.variable_text("DOCKER_TLS_VERIFY").is_some()
                && matches!(address, EngineAddress::Plain { .. })
            {
                let reason = "DOCKER_HOST names a connection without TLS, but DOCKER_TLS_VERIFY \
                              requires it: write tcp://HOST:PORT, or unset one of the two";
                return Err(HubError::BadAddress { engine: text, reason: reason.to_owned() });
            }
            return Ok(SelectedEngine { address, certificates });
        }
        if let Some(name) = self.current_context()? {
            let (address, folder) = self.load_context(&name)?;
            return Ok(SelectedEngine { address, certificates: named.unwrap_or(folder) });
        }
        Ok(SelectedEngine { address: EngineAddress::Unix(self.default_socket()), certificates })
    }

    /// Returns the folder of Docker's configuration.
    pub fn config_dir(&self) -> PathBuf {
        (self.variable)("DOCKER_CONFIG").map_or_else(
            || (self.variable)("HOME").map_or_else(PathBuf::new, PathBuf::from).join(".docker"),
            PathBuf::from,
        )
    }

    /// Returns the name of the context in force, if any.
    fn current_context(&self) -> Result<Option<String>, HubError> {
        let named = self.variable_text("DOCKER_CONTEXT");
        let file = self.config_dir().join("config.json");
        let current = || -> Result<Option<String>, HubError> {
            let Ok(text) = paths::read_text(&file) else { return Ok(None) };
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
        Ok(name.filter(|name| !name.is_empty() && name != DEFAULT_CONTEXT))
    }

    /// Returns the address and the certificate folder of a context.
    fn load_context(&self, name: &str) -> Result<(EngineAddress, PathBuf), HubError> {
        let id = context_id(name);
        let contexts = self.config_dir().join("contexts");
        let file = contexts.join("meta").join(&id).join("meta.json");
        let bad =
            |reason: String| HubError::BadAddress { engine: format!("context {name}"), reason };
        let text = paths::read_text(&file).map_err(|error| {
            bad(format!(
                "Docker has no such context ({}: {error}); docker context ls lists them",
                file.display()
            ))
        })?;
        let meta: Value = serde_json::from_str(&text)
            .map_err(|error| bad(format!("{} cannot be read: {error}", file.display())))?;
        let host = meta["Endpoints"]["docker"]["Host"].as_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| bad("it names no Docker engine".to_owned()))?;
        Ok((EngineAddress::parse(host)?, self.context_certificates(name)))
    }

    /// Returns the folder of a context's certificates, existing or not.
    pub fn context_certificates(&self, name: &str) -> PathBuf {
        self.config_dir().join("contexts/tls").join(context_id(name)).join("docker")
    }

    /// Returns this machine's engine socket: Docker's, unless only another exists.
    fn default_socket(&self) -> PathBuf {
        self.socket_or_default(Path::new(DEFAULT_SOCKET))
    }

    fn socket_or_default(&self, default: &Path) -> PathBuf {
        self.engine_sockets_after(default).into_iter().next().unwrap_or_else(|| default.to_owned())
    }

    /// Returns the engine sockets of this machine, the preferred one first.
    pub fn engine_sockets(&self) -> Vec<PathBuf> {
        self.engine_sockets_after(Path::new(DEFAULT_SOCKET))
    }

    fn engine_sockets_after(&self, default: &Path) -> Vec<PathBuf> {
        let runtime = (self.variable)("XDG_RUNTIME_DIR").map(PathBuf::from);
        let own = |name: &str| runtime.as_ref().map(|runtime| runtime.join(name));
        let others =
            [own("docker.sock"), own("podman/podman.sock"), Some("/run/podman/podman.sock".into())];
        let all = std::iter::once(default.to_owned()).chain(others.into_iter().flatten());
        all.filter(|path| is_socket(path)).collect()
    }
}

/// Returns the folder name of a context: the SHA-256 of its name.
fn context_id(name: &str) -> String {
    Sha256::digest(name).iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}"))
}

fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn select(set: &[(&str, &str)], request: &HubRequest) -> Result<SelectedEngine, HubError> {
        let set: HashMap<_, _> = set.iter().copied().collect();
        let variable = |name: &str| set.get(name).map(OsString::from);
        DockerEnvironment { variable: &variable }.select_engine(request)
    }

    fn write_context(folder: &Path, name: &str, host: &str) {
        let id = context_id(name);
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
        write_context(home.path(), "pi", "ssh://pi");
        write_context(home.path(), "shed", "tcp://shed:2376");
        fs::write(home.path().join("config.json"), r#"{"currentContext":"pi"}"#).unwrap();
        let base = ("DOCKER_CONFIG", config);
        let unnamed = HubRequest::docker(None);
        let address =
            |set: &[(&str, &str)], request| select(set, request).unwrap().address.to_string();
        assert_eq!(address(&[base], &unnamed), "ssh://pi");
        assert_eq!(address(&[base, ("DOCKER_CONTEXT", "shed")], &unnamed), "tcp://shed:2376");
        let both = [base, ("DOCKER_CONTEXT", "shed"), ("DOCKER_HOST", "unix:///x.sock")];
        assert_eq!(address(&both, &unnamed), "unix:///x.sock");
        let requested = HubRequest::docker(Some("ssh://other".to_owned()));
        assert_eq!(address(&both, &requested), "ssh://other");
        let none = address(&[base, ("DOCKER_CONTEXT", "default")], &unnamed);
        assert!(none.starts_with("unix:///"), "{none}");
    }

    #[test]
    fn plain_http_is_refused_where_tls_is_required() {
        let unnamed = HubRequest::docker(None);
        let set = [("DOCKER_HOST", "http://pi"), ("DOCKER_TLS_VERIFY", "1")];
        let error = select(&set, &unnamed).unwrap_err().to_string();
        assert!(error.contains("DOCKER_TLS_VERIFY"), "{error}");
        assert_eq!(select(&set[..1], &unnamed).unwrap().address.to_string(), "http://pi:2375");
        // tcp:// always means TLS, whatever the environment says.
        let set = [("DOCKER_HOST", "tcp://pi:2375")];
        let tls = select(&set, &unnamed).unwrap().address;
        assert!(matches!(tls, EngineAddress::Tls { port: 2375, .. }), "{tls:?}");
    }

    #[test]
    fn certificates_come_from_the_profile_the_environment_the_context_or_home() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().to_str().unwrap();
        write_context(home.path(), "shed", "tcp://shed");
        let folder = |set: &[(&str, &str)], request| select(set, request).unwrap().certificates;
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
    fn the_rootless_docker_socket_precedes_podmans() {
        use std::os::unix::net::UnixListener;

        if is_socket(Path::new(DEFAULT_SOCKET)) {
            // Docker's socket takes precedence over all others.
            let set = [("XDG_RUNTIME_DIR", "/nonexistent")];
            let own = select(&set, &HubRequest::docker(None)).unwrap().address;
            assert_eq!(own.to_string(), format!("unix://{DEFAULT_SOCKET}"));
        }
        let runtime = tempfile::tempdir().unwrap();
        let set = |_: &str| Some(OsString::from(runtime.path()));
        let found =
            || DockerEnvironment { variable: &set }.socket_or_default(Path::new("/nonexistent"));
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
        let unnamed = HubRequest::docker(None);
        let error = select(&[("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "absent")], &unnamed);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("context absent") && error.contains("docker context ls"), "{error}");
        fs::write(home.path().join("config.json"), "{").unwrap();
        let error = select(&[("DOCKER_CONFIG", config)], &unnamed).unwrap_err().to_string();
        assert!(error.contains("config.json"), "{error}");
    }
}
