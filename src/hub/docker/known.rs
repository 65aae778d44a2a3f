//! The engines that an operator may mean: this machine's sockets, Docker's contexts, the hosts of the
//! SSH configuration. Nobody is asked whether one answers.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::choose::Surroundings;
use crate::plan::HubRequest;

/// How deep files of an SSH configuration may include each other, as ssh itself has it.
const DEEPEST: u32 = 16;

/// An engine that can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its address; `None` is the one that is taken when none is named.
    pub address: Option<String>,
    /// The folder with the certificates for it, where it has one of its own.
    pub certificates: Option<PathBuf>,
    /// Where it is known from.
    pub source: String,
}

/// All that are known here, the usual one first.
pub fn known() -> Vec<Known> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    Surroundings { variable: &set }.known()
}

impl Surroundings<'_> {
    fn known(&self) -> Vec<Known> {
        let usual = match self.choose(&HubRequest::docker(None)) {
            Ok(choice) => choice.address.to_string(),
            Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let source = format!("the usual one: {usual}");
        let mut all = vec![Known { address: None, certificates: None, source }];
        let mut add = |address: String, certificates: Option<PathBuf>, source: String| {
            all.push(Known { address: Some(address), certificates, source });
        };
        for socket in self.sockets() {
            add(
                format!("unix://{}", socket.display()),
                None,
                "a socket of this machine".to_owned(),
            );
        }
        for (name, host) in self.contexts() {
            let folder = Some(self.certificates_of(&name)).filter(|folder| folder.is_dir());
            add(host, folder, format!("docker context {name}"));
        }
        for host in self.ssh_hosts() {
            add(format!("ssh://{host}"), None, "your SSH configuration".to_owned());
        }
        all
    }

    /// Names and addresses of Docker's contexts, by name. What cannot be read is none.
    fn contexts(&self) -> Vec<(String, String)> {
        let folders = fs::read_dir(self.configuration().join("contexts/meta"));
        let mut contexts: Vec<(String, String)> = folders
            .into_iter()
            .flatten()
            .filter_map(|folder| {
                let text = fs::read_to_string(folder.ok()?.path().join("meta.json")).ok()?;
                let meta: Value = serde_json::from_str(&text).ok()?;
                let host = meta["Endpoints"]["docker"]["Host"].as_str()?;
                Some((meta["Name"].as_str()?.to_owned(), host.to_owned()))
            })
            .collect();
        contexts.sort();
        contexts
    }

    /// Hosts with a name of their own in the operator's SSH configuration, by name.
    fn ssh_hosts(&self) -> BTreeSet<String> {
        let mut hosts = BTreeSet::new();
        if let Some(home) = (self.variable)("HOME") {
            let folder = PathBuf::from(home).join(".ssh");
            hosts_of(&folder.join("config"), &folder, DEEPEST, &mut hosts);
        }
        hosts
    }
}

/// The hosts of a file and of what it includes. Patterns are none.
fn hosts_of(file: &Path, folder: &Path, depth: u32, hosts: &mut BTreeSet<String>) {
    let Ok(text) = fs::read_to_string(file) else { return };
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
                    for file in included(pattern, folder) {
                        hosts_of(&file, folder, depth - 1, hosts);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The files that an `Include` means: one, or those of a folder whose names fit one `*`.
fn included(pattern: &str, folder: &Path) -> Vec<PathBuf> {
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
    fn sockets_contexts_and_ssh_hosts_are_known_and_patterns_are_none() {
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
        let certificates = Surroundings { variable: &|_| Some(home.path().into()) };
        let certificates = certificates.certificates_of("shed");
        let below = certificates.strip_prefix(home.path()).unwrap();
        write(&format!(".docker/{}/ca.pem", below.display()), "");
        write(
            ".ssh/config",
            "Include more/*.conf\nInclude ~/.ssh/config\n# Host no\nHost pi  box\n  User me\n\
             host=\"attic\"\nHost *.lan !gone ?\nMatch host x\n",
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
        let known = Surroundings { variable: &variable }.known();
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
    fn where_nothing_is_there_the_usual_one_remains() {
        let known = Surroundings { variable: &|_| None }.known();
        assert_eq!(known[0].address, None);
        assert!(known.iter().skip(1).all(|known| known.source.contains("socket")), "{known:?}");
    }
}
