//! Connects to an engine over SSH: the operator's own `ssh`, with its configuration, keys, agent
//! and jump hosts, forwards the engine's socket to a local one.
//!
//! - [`SshDestination`]: `ssh://[user@]host[:port][/path/to/socket]`, and the arguments for `ssh`.
//! - [`failure`]: causes of failure, from the output of `ssh` and a check of the remote socket.
//! - [`tunnel`]: the forwarded socket, reconnected when it breaks.
//!
//! The output of `ssh` never reaches the terminal, and `ssh` never prompts: a question that it
//! would ask is a failure with advice. The hub needs no Docker client.

pub mod failure;
pub mod tunnel;

use std::{ffi::OsString, fmt, net::IpAddr, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use super::host_name::{bracketed, resolve, split_host_and_port};
use crate::{
    hub::{HubError, child::program},
    plan::HubRequest,
};

/// Default path of an engine's socket on its machine.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Limit of a connection, including name resolution and key exchange, beyond that of `ssh` itself, whose
/// message names the cause.
const CONNECT_TIMEOUT_MARGIN: Duration = Duration::from_secs(4);
/// Time after which `ssh` asks a silent host for a sign of life.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Options of every connection.
///
/// Everything else comes from the operator's configuration; connections shared with other sessions
/// would outlive this program's, together with their forwardings.
const SSH_OPTIONS: &[&str] = &[
    "BatchMode=yes",
    "ControlMaster=no",
    "ControlPath=none",
    // The messages at this level identify the cause of a failure.
    "LogLevel=INFO",
    "ExitOnForwardFailure=yes",
    "StreamLocalBindUnlink=yes",
];

/// A host in the notation of `ssh`, and the engine's socket on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshDestination {
    /// User name; `None` leaves it to `ssh`.
    user: Option<String>,
    /// Host name, address or alias of the operator's `ssh` configuration; without brackets.
    host: String,
    /// Port; `None` leaves it to `ssh`.
    port: Option<u16>,
    /// Path of the engine's socket on the host.
    socket: String,
    /// Longest wait for a connection; a connection that is cut silently is given up as late.
    connect_timeout: Duration,
}

impl SshDestination {
    /// Parses the text after `ssh://`; `None` when it is not valid.
    pub fn parse(text: &str) -> Option<Self> {
        let (authority, socket) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let socket = if matches!(socket, "" | "/") { DEFAULT_SOCKET } else { socket };
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        let (host, port) = split_host_and_port(authority)?;
        let port = match port {
            "" => None,
            port => Some(port.parse().ok().filter(|&port: &u16| port > 0)?),
        };
        // `ssh` would take a leading dash for an option.
        let plain = |word: &str| {
            !word.is_empty()
                && !word.starts_with('-')
                && word.chars().all(|c| c.is_alphanumeric() || "-_.:%+".contains(c))
        };
        let named = plain(host) && user.is_none_or(plain);
        // A colon separates the parts of a forwarding; control characters appear in no real path.
        let path = !socket.contains(':') && !socket.chars().any(char::is_control);
        (named && path).then(|| Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            socket: socket.to_owned(),
            connect_timeout: HubRequest::docker(None).timeouts().connect,
        })
    }

    /// Sets the longest wait for a connection.
    #[must_use]
    pub fn with_connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// Limit of a connection that this program enforces itself.
    fn hard_connect_timeout(&self) -> Duration {
        self.connect_timeout + CONNECT_TIMEOUT_MARGIN
    }

    /// Returns the path of the engine's socket on the host.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// Returns the destination as the operator would type it after `ssh`.
    pub fn shell_text(&self) -> String {
        let user = self.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        let port = self.port.map_or_else(String::new, |port| format!("-p {port} "));
        format!("{port}{user}{}", self.host)
    }

    /// Returns the path of the operator's `ssh`.
    pub fn ssh_program() -> Result<OsString, HubError> {
        program::find("ssh".as_ref()).map(Into::into).map_err(|_| HubError::NoProgram {
            program: "ssh".into(),
            advice: "hubs at ssh:// need it: sudo apt install openssh-client".into(),
        })
    }

    /// Returns options and destination: `before` are further options, `after` is a remote command.
    fn ssh_arguments(&self, before: &[&str], after: Option<&str>) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        for option in SSH_OPTIONS {
            arguments.extend(["-o".into(), (*option).into()]);
        }
        let seconds = self.connect_timeout.as_secs().max(1);
        let interval = ALIVE_INTERVAL.as_secs();
        for option in [
            format!("ConnectTimeout={seconds}"),
            format!("ServerAliveInterval={interval}"),
            format!("ServerAliveCountMax={}", seconds.div_ceil(interval)),
        ] {
            arguments.extend(["-o".into(), option.into()]);
        }
        arguments.extend(["-T", "-x", "-a"].map(Into::into));
        if let Some(port) = self.port {
            arguments.extend(["-p".into(), port.to_string().into()]);
        }
        if let Some(user) = &self.user {
            arguments.extend(["-l".into(), user.into()]);
        }
        arguments.extend(before.iter().map(Into::into));
        arguments.extend(["--".into(), (&self.host).into()]);
        arguments.extend(after.map(Into::into));
        arguments
    }

    /// Runs `ssh` to its end; `None` after a timeout. The process is killed when the future is
    /// dropped.
    async fn run_ssh(&self, before: &[&str], after: Option<&str>) -> Option<std::process::Output> {
        let mut command = Command::new(Self::ssh_program().ok()?);
        command.args(self.ssh_arguments(before, after)).stdin(Stdio::null()).kill_on_drop(true);
        timeout(self.hard_connect_timeout(), command.output()).await.ok()?.ok()
    }

    /// Whether one of the programs at `paths` exists on the host; `None` without a shell there.
    pub async fn has_program(&self, paths: &[&str]) -> Option<bool> {
        let tests: Vec<_> = paths.iter().map(|path| format!("test -x {path}")).collect();
        let look = format!("{{ {}; }} && exit 80; exit 81", tests.join(" || "));
        match self.run_ssh(&[], Some(&look)).await?.status.code() {
            Some(80) => Some(true),
            Some(81) => Some(false),
            _ => None,
        }
    }

    /// Resolves the address at which this machine reaches the hub's published ports: that of the
    /// host name in the operator's `ssh` configuration.
    pub async fn host_address(&self) -> Result<IpAddr, HubError> {
        let output = self.run_ssh(&["-G"], None).await;
        let configuration = output.map(|output| output.stdout).unwrap_or_default();
        let configuration = String::from_utf8_lossy(&configuration);
        let name = configuration.lines().find_map(|line| line.strip_prefix("hostname "));
        let name = name.unwrap_or(&self.host).trim();
        resolve(name, self.connect_timeout).await.map_err(|_| HubError::Unreachable {
            engine: self.to_string(),
            reason: format!(
                "the engine answers, but the name {name} has no address here, and the servers' \
                 ports are reached directly, without ssh"
            ),
            advice: "set hub.address to the address at which this machine reaches it".into(),
        })
    }
}

impl fmt::Display for SshDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        self.user.iter().try_for_each(|user| write!(f, "{user}@"))?;
        f.write_str(&bracketed(&self.host))?;
        self.port.iter().try_for_each(|port| write!(f, ":{port}"))?;
        if self.socket == DEFAULT_SOCKET { Ok(()) } else { f.write_str(&self.socket) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_parsed() {
        let cases = [
            ("pi", (None, "pi", None, DEFAULT_SOCKET)),
            ("pi/", (None, "pi", None, DEFAULT_SOCKET)),
            ("me@pi.local:2222", (Some("me"), "pi.local", Some(2222), DEFAULT_SOCKET)),
            ("[fe80::1%eth0]:22", (None, "fe80::1%eth0", Some(22), DEFAULT_SOCKET)),
            ("pi/run/user/1000/docker.sock", (None, "pi", None, "/run/user/1000/docker.sock")),
        ];
        for (text, (user, host, port, socket)) in cases {
            let read = SshDestination::parse(text).unwrap();
            assert_eq!((read.user.as_deref(), read.host.as_str()), (user, host), "{text}");
            assert_eq!((read.port, read.socket()), (port, socket), "{text}");
        }
    }

    #[test]
    fn the_wait_for_a_slow_host_is_the_one_of_the_profile() {
        let options = |destination: &SshDestination| -> Vec<String> {
            let words = destination.ssh_arguments(&[], None);
            words.iter().filter_map(|word| word.to_str()).map(str::to_owned).collect()
        };
        let pi = SshDestination::parse("pi").unwrap();
        assert!(options(&pi).contains(&"ConnectTimeout=15".to_owned()));
        assert!(options(&pi).contains(&"ServerAliveCountMax=3".to_owned()));
        let slow = pi.with_connect_timeout(Duration::from_mins(1));
        assert!(options(&slow).contains(&"ConnectTimeout=60".to_owned()));
        assert!(options(&slow).contains(&"ServerAliveCountMax=12".to_owned()));
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
            assert_eq!(SshDestination::parse(text), None, "{text}");
        }
        let arguments = SshDestination::parse("me@pi:7").unwrap().ssh_arguments(&["-N"], None);
        let end: Vec<_> =
            arguments[arguments.len() - 7..].iter().map(|w| w.to_str().unwrap()).collect();
        assert_eq!(end, ["-p", "7", "-l", "me", "-N", "--", "pi"]);
    }
}
