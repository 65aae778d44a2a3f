//! An engine over SSH: the operator's own `ssh`, with their configuration, keys, agent and jumps,
//! forwards the engine's socket to one of ours.
//!
//! - [`Destination`]: `ssh://[user@]host[:port][/path/to/socket]`, and the words for `ssh`.
//! - [`failure`]: what went wrong, from what `ssh` says and from a look at the socket there.
//! - [`tunnel`]: the forwarded socket, kept up.
//!
//! Nothing of what `ssh` writes reaches our terminal, and it asks nothing: what it may not decide
//! by itself is a failure with advice. The hub needs no Docker client.

pub mod failure;
pub mod tunnel;

use std::{ffi::OsString, fmt, net::IpAddr, process::Stdio, time::Duration};

use tokio::{net::lookup_host, process::Command, time::timeout};

use crate::hub::{HubError, child::program};

/// The engine's socket there, unless the address names another.
pub const SOCKET: &str = "/var/run/docker.sock";
/// How long a connection may take to come up, names and keys included. Less than the ten seconds
/// after which an operator looks for another reason.
const PATIENCE: Duration = Duration::from_secs(9);
/// Options of every connection.
///
/// The operator's own configuration stays in force for everything else; connections that are
/// shared with other sessions would outlive ours, and their forwardings with them.
const OPTIONS: &[&str] = &[
    "BatchMode=yes",
    "ConnectTimeout=5",
    "ControlMaster=no",
    "ControlPath=none",
    // Its words are how failures are told apart.
    "LogLevel=INFO",
    // A connection that is cut without a word is given up after 15 s.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ExitOnForwardFailure=yes",
    "StreamLocalBindUnlink=yes",
];

/// A machine as `ssh` knows it, and the engine's socket there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// User name there; `None` leaves it to `ssh`.
    user: Option<String>,
    /// Host name, address or alias of the operator's `ssh` configuration; without brackets.
    host: String,
    /// Port; `None` leaves it to `ssh`.
    port: Option<u16>,
    /// Path of the engine's socket there.
    socket: String,
}

impl Destination {
    /// Reads what follows `ssh://`; `None` when it is no destination.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, socket) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let socket = if matches!(socket, "" | "/") { SOCKET } else { socket };
        let (user, place) = match place.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, place),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                (host, after.strip_prefix(':').or(after.is_empty().then_some(""))?)
            }
            None => place.split_once(':').unwrap_or((place, "")),
        };
        let port = match port {
            "" => None,
            port => Some(port.parse().ok().filter(|&port: &u16| port > 0)?),
        };
        // What begins with a dash would be an option for `ssh`.
        let plain = |word: &str| {
            !word.is_empty()
                && !word.starts_with('-')
                && word.chars().all(|c| c.is_alphanumeric() || "-_.:%+".contains(c))
        };
        let named = plain(host) && user.is_none_or(plain);
        // The forwarding's own separator, and what no path has that anybody means.
        let path = !socket.contains(':') && !socket.chars().any(char::is_control);
        (named && path).then(|| Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            socket: socket.to_owned(),
        })
    }

    /// Path of the engine's socket there.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// The destination as the operator would type it after `ssh`.
    pub fn typed(&self) -> String {
        let user = self.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        let port = self.port.map_or_else(String::new, |port| format!("-p {port} "));
        format!("{port}{user}{}", self.host)
    }

    /// The operator's `ssh`.
    pub fn program() -> Result<OsString, HubError> {
        program::find("ssh".as_ref()).map(Into::into).map_err(|_| HubError::NoProgram {
            program: "ssh".into(),
            advice: "a hub at ssh:// is reached through it: sudo apt install openssh-client".into(),
        })
    }

    /// Options and destination: `before` are further options, `after` is a command for the hub.
    fn words(&self, before: &[&str], after: Option<&str>) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        for option in OPTIONS {
            words.extend(["-o".into(), (*option).into()]);
        }
        words.extend(["-T", "-x", "-a"].map(Into::into));
        if let Some(port) = self.port {
            words.extend(["-p".into(), port.to_string().into()]);
        }
        if let Some(user) = &self.user {
            words.extend(["-l".into(), user.into()]);
        }
        words.extend(before.iter().map(Into::into));
        words.extend(["--".into(), (&self.host).into()]);
        words.extend(after.map(Into::into));
        words
    }

    /// Runs `ssh` to its end; `None` when that takes too long. Dropped, it is killed.
    async fn ask(&self, before: &[&str], after: Option<&str>) -> Option<std::process::Output> {
        let mut command = Command::new(Self::program().ok()?);
        command.args(self.words(before, after)).stdin(Stdio::null()).kill_on_drop(true);
        timeout(PATIENCE, command.output()).await.ok()?.ok()
    }

    /// The address at which this machine reaches the hub's published ports: that of the host which
    /// the operator's `ssh` configuration names for the destination.
    pub async fn address(&self) -> Result<IpAddr, HubError> {
        let asked = self.ask(&["-G"], None).await;
        let configuration = asked.map(|output| output.stdout).unwrap_or_default();
        let configuration = String::from_utf8_lossy(&configuration);
        let name = configuration.lines().find_map(|line| line.strip_prefix("hostname "));
        let name = name.unwrap_or(&self.host).trim();
        let found = timeout(PATIENCE, lookup_host((name, 0))).await;
        found
            .ok()
            .and_then(Result::ok)
            .and_then(|mut found| found.next())
            .map(|a| a.ip())
            .ok_or_else(|| HubError::Unreachable {
                engine: self.to_string(),
                reason: format!(
                    "its engine answers, but the name {name} has no address from here, and the \
                     servers' ports are reached without ssh"
                ),
                advice: "name the address at which this machine reaches it: hub.address".into(),
            })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        self.user.iter().try_for_each(|user| write!(f, "{user}@"))?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.iter().try_for_each(|port| write!(f, ":{port}"))?;
        if self.socket == SOCKET { Ok(()) } else { f.write_str(&self.socket) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_as_people_write_them() {
        let cases = [
            ("pi", (None, "pi", None, SOCKET)),
            ("pi/", (None, "pi", None, SOCKET)),
            ("me@pi.local:2222", (Some("me"), "pi.local", Some(2222), SOCKET)),
            ("[fe80::1%eth0]:22", (None, "fe80::1%eth0", Some(22), SOCKET)),
            ("pi/run/user/1000/docker.sock", (None, "pi", None, "/run/user/1000/docker.sock")),
        ];
        for (text, (user, host, port, socket)) in cases {
            let read = Destination::parse(text).unwrap();
            assert_eq!((read.user.as_deref(), read.host.as_str()), (user, host), "{text}");
            assert_eq!((read.port, read.socket()), (port, socket), "{text}");
        }
    }

    #[test]
    fn nothing_in_an_address_becomes_an_option_or_a_command() {
        let bad = [
            "",
            "@pi",
            "-oProxyCommand=reboot",
            "-l@pi",
            "pi:port",
            "pi:0",
            "a b",
            "pi;reboot",
            "[::1",
            "pi/a:b",
            "pi/a\nb",
        ];
        for text in bad {
            assert_eq!(Destination::parse(text), None, "{text}");
        }
        let words = Destination::parse("me@pi:7").unwrap().words(&["-N"], None);
        let end: Vec<_> = words[words.len() - 7..].iter().map(|w| w.to_str().unwrap()).collect();
        assert_eq!(end, ["-p", "7", "-l", "me", "-N", "--", "pi"]);
    }
}
