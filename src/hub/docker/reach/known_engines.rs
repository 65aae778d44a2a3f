//! Lists the engines that an operator can choose: this machine's sockets, Docker's contexts, and
//! the hosts of the SSH configuration. None of them is contacted.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::contexts::DockerEnvironment;
use crate::{paths, plan::HubRequest, server::HubKind};

/// Maximum depth of `Include` in an SSH configuration, as in ssh itself.
const MAX_INCLUDE_DEPTH: u32 = 16;

/// An engine that the operator can choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEngine {
    /// Address; `None` for the default engine.
    pub address: Option<String>,
    /// Folder of the engine's certificates, if it has one.
    pub certificates: Option<PathBuf>,
    /// Origin of the entry, for the screen.
    pub source: String,
}

/// Lists the known engines, the default one first.
pub fn known_engines() -> Vec<KnownEngine> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    DockerEnvironment { variable: &set }.known_engines()
}

/// Returns the warning about the security of the connection to the engine of `request`, if there is one. Without
/// an engine, or if none can be chosen, there is none.
pub fn connection_caution(request: &HubRequest) -> Option<String> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let is_used = request.kind == HubKind::Docker;
    let choice = DockerEnvironment { variable: &set }.select_engine(request);
    choice.ok().filter(|_| is_used)?.address.caution()
}

impl DockerEnvironment<'_> {
    fn known_engines(&self) -> Vec<KnownEngine> {
        let default_engine = match self.select_engine(&HubRequest::docker(None)) {
            Ok(choice) => choice.address.to_string(),
            Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let source = format!("default: {default_engine}");
        let mut all = vec![KnownEngine { address: None, certificates: None, source }];
        let mut add = |address: String, certificates: Option<PathBuf>, source: String| {
            all.push(KnownEngine { address: Some(address), certificates, source });
        };
        for socket in self.engine_sockets() {
            add(
                format!("unix://{}", socket.display()),
                None,
                "a socket of this machine".to_owned(),
            );
        }
        for (name, host) in self.contexts() {
            let folder = Some(self.context_certificates(&name)).filter(|folder| folder.is_dir());
            add(host, folder, format!("docker context {name}"));
        }
        for host in self.ssh_hosts() {
            add(format!("ssh://{host}"), None, "your SSH configuration".to_owned());
        }
        all
    }

    /// Lists names and addresses of Docker's contexts, sorted by name; unreadable ones are skipped.
    fn contexts(&self) -> Vec<(String, String)> {
        let folders = fs::read_dir(self.config_dir().join("contexts/meta"));
        let mut contexts: Vec<(String, String)> = folders
            .into_iter()
            .flatten()
            .filter_map(|folder| {
                let text = paths::read_text(&folder.ok()?.path().join("meta.json")).ok()?;
                let meta: Value = serde_json::from_str(&text).ok()?;
                let host = meta["Endpoints"]["docker"]["Host"].as_str()?;
                Some((meta["Name"].as_str()?.to_owned(), host.to_owned()))
            })
            .collect();
        contexts.sort();
        contexts
    }

    /// Lists the host names in the operator's SSH configuration, sorted; patterns are skipped.
    fn ssh_hosts(&self) -> BTreeSet<String> {
        let mut hosts = BTreeSet::new();
        if let Some(home) = (self.variable)("HOME") {
            let folder = PathBuf::from(home).join(".ssh");
            collect_ssh_hosts(&folder.join("config"), &folder, MAX_INCLUDE_DEPTH, &mut hosts);
        }
        hosts
    }
}

/// Collects the hosts of a file and of the files it includes; patterns are skipped.
fn collect_ssh_hosts(file: &Path, folder: &Path, depth: u32, hosts: &mut BTreeSet<String>) {
    let Ok(text) = paths::read_text(file) else { return };
    for line in text.lines() {
        let mut words = line
            .split(|sign: char| sign.is_whitespace() || sign == '=')
            .map(|word| word.trim_matches('"'))
            .filter(|word| !word.is_empty());
        match words.next().map(str::to_lowercase).as_deref() {
            Some("host") => {
                let named = words.filter(|word| !word.contains(['*', '?', '!', '#']));
                hosts.extend(named.map(str::to_owned));
            }
            Some("include") if depth > 0 => {
                for pattern in words {
                    for file in expand_include(pattern, folder) {
                        collect_ssh_hosts(&file, folder, depth - 1, hosts);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Expands the pattern of an `Include`: one file, or the files of a folder that match one `*`.
fn expand_include(pattern: &str, folder: &Path) -> Vec<PathBuf> {
    let path = match pattern.strip_prefix("~/") {
        Some(rest) => folder.parent().unwrap_or(folder).join(rest),
        None => folder.join(pattern),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((before, after)) = name.split_once('*') else { return vec![path] };
    let there = path.parent().and_then(|parent| fs::read_dir(parent).ok());
    let fits = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.len() >= before.len() + after.len()
            && name.starts_with(before)
            && name.ends_with(after)
    };
    there.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, os::unix::net::UnixListener};

    use super::*;

    #[test]
    fn sockets_contexts_and_ssh_hosts_are_listed_without_patterns() {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            ".docker/contexts/meta/1/meta.json",
            r#"{"Name":"shed","Endpoints":{"docker":{"Host":"tcp://shed:2376"}}}"#,
        );
        write(".docker/contexts/meta/2/meta.json", "{");
        let certificates = DockerEnvironment { variable: &|_| Some(home.path().into()) };
        let certificates = certificates.context_certificates("shed");
        let below = certificates.strip_prefix(home.path()).unwrap();
        write(&format!(".docker/{}/ca.pem", below.display()), "");
        write(
            ".ssh/config",
            "Include more/*.conf\nInclude ~/.ssh/config\n# Host no\nHost pi  box\n  User me\n\
             host=\"attic\"\nHost *.lan !absent ?\nMatch host x\n",
        );
        write(".ssh/more/a.conf", "Host barn\n");
        write(".ssh/more/a.txt", "Host never\n");
        let runtime = home.path().join("run");
        fs::create_dir(&runtime).unwrap();
        let _socket = UnixListener::bind(runtime.join("docker.sock")).unwrap();
        let variable = |name: &str| match name {
            "HOME" => Some(OsString::from(home.path())),
            "XDG_RUNTIME_DIR" => Some(OsString::from(&runtime)),
            _ => None,
        };
        let known = DockerEnvironment { variable: &variable }.known_engines();
        assert_eq!(known[0].address, None);
        assert!(known[0].source.contains("unix://"), "{known:?}");
        let named: Vec<&str> = known.iter().filter_map(|known| known.address.as_deref()).collect();
        let socket = format!("unix://{}", runtime.join("docker.sock").display());
        assert!(named.contains(&socket.as_str()), "{named:?}");
        let rest: Vec<&&str> = named.iter().filter(|named| !named.starts_with("unix")).collect();
        assert_eq!(
            rest,
            [&"tcp://shed:2376", &"ssh://attic", &"ssh://barn", &"ssh://box", &"ssh://pi"]
        );
        let shed = known.iter().find(|known| known.source == "docker context shed").unwrap();
        assert_eq!(shed.certificates, Some(home.path().join(".docker").join(below)));
    }

    #[test]
    fn the_default_engine_is_always_listed() {
        let known = DockerEnvironment { variable: &|_| None }.known_engines();
        assert_eq!(known[0].address, None);
        assert!(known.iter().skip(1).all(|known| known.source.contains("socket")), "{known:?}");
    }
}
