//! Explains failed SSH connections to the operator.

use super::SshDestination;
use crate::{hub::HubError, units::human_duration};

/// Cause of a failed connection to `ssh` or to the engine's socket behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshFailure {
    /// The host's name has no address.
    UnknownHostName,
    /// The host does not answer.
    NoAnswer,
    /// The network reports no route to the host.
    NoRoute,
    /// The host answers, but has no SSH server at the port.
    Refused,
    /// The host's key is not known.
    UnknownKey,
    /// The host's key differs from the known one.
    ChangedKey,
    /// The host accepts none of the user's keys.
    KeyRejected,
    /// The server forbids socket forwarding.
    ForwardingForbidden,
    /// The user on the host may not open the engine's socket.
    NoPermission,
    /// The socket does not exist on the host.
    NoSocket,
    /// The socket exists, but nothing listens on it.
    NoEngine,
    /// Any other cause: the last line of `ssh`.
    Other(String),
}

/// Lower-case texts in the output of `ssh`, and their causes; the first match counts.
const STDERR_PATTERNS: &[(&str, SshFailure)] = &[
    ("remote host identification has changed", SshFailure::ChangedKey),
    ("host key verification failed", SshFailure::UnknownKey),
    ("could not resolve hostname", SshFailure::UnknownHostName),
    ("permission denied (", SshFailure::KeyRejected),
    ("too many authentication failures", SshFailure::KeyRejected),
    ("no route to host", SshFailure::NoRoute),
    ("network is unreachable", SshFailure::NoRoute),
    ("timed out", SshFailure::NoAnswer),
    ("connection refused", SshFailure::Refused),
    ("administratively prohibited", SshFailure::ForwardingForbidden),
];

impl SshFailure {
    /// Determines the cause from the last lines of an `ssh` that has ended.
    pub fn from_stderr(stderr: &[String]) -> Self {
        let all = stderr.join("\n").to_lowercase();
        if let Some((_, failure)) =
            STDERR_PATTERNS.iter().find(|(pattern, _)| all.contains(pattern))
        {
            return failure.clone();
        }
        let last = stderr.iter().rev().find(|line| !line.trim().is_empty());
        Self::Other(last.map_or_else(|| "ssh ended without output".to_owned(), Clone::clone))
    }

    /// Checks the unresponsive socket over a separate connection.
    pub async fn probe_socket(destination: &SshDestination, stderr: &[String]) -> Self {
        if stderr.iter().any(|line| line.contains("administratively prohibited")) {
            return Self::ForwardingForbidden;
        }
        let socket = format!("'{}'", destination.socket().replace('\'', "'\\''"));
        let look = format!("test -S {socket} || exit 81; test -w {socket} || exit 82; exit 80");
        let looked = destination.run_ssh(&[], Some(&look)).await;
        match looked.and_then(|output| output.status.code()) {
            Some(80) => Self::NoEngine,
            Some(81) => Self::NoSocket,
            Some(82) => Self::NoPermission,
            // Without a shell on the host, only the failed connection is known.
            _ => Self::Other(format!(
                "cannot connect to {} on the host (no such socket, no permission, or no engine \
                 behind it)",
                destination.socket()
            )),
        }
    }

    /// Returns the error for the operator.
    pub fn hub_error(&self, destination: &SshDestination) -> HubError {
        let engine = destination.to_string();
        let reason = self.reason(destination);
        let advice = self.advice(destination);
        match self {
            Self::NoPermission | Self::NoSocket | Self::NoEngine => {
                HubError::NoEngine { engine, reason, advice }
            }
            _ => HubError::Unreachable { engine, reason, advice },
        }
    }

    /// Describes the cause.
    pub fn reason(&self, destination: &SshDestination) -> String {
        let socket = destination.socket();
        match self {
            Self::UnknownHostName => "the host's name has no address".into(),
            Self::NoAnswer => format!(
                "the host does not answer within {}",
                human_duration(destination.connect_timeout)
            ),
            Self::NoRoute => "there is no route to the host".into(),
            Self::Refused => "the host answers, but no SSH server at that port".into(),
            Self::UnknownKey => "the host's key is not known here".into(),
            Self::ChangedKey => "the host's key is not the one that is known here".into(),
            Self::KeyRejected => "the host accepts none of this user's keys".into(),
            Self::ForwardingForbidden => "its SSH server forbids socket forwarding".into(),
            Self::NoPermission => format!("the user on the host may not open {socket}"),
            Self::NoSocket => format!("there is no socket {socket}"),
            Self::NoEngine => format!("{socket} exists, but no engine answers behind it"),
            Self::Other(text) => text.clone(),
        }
    }

    /// Returns the advice for the cause.
    fn advice(&self, destination: &SshDestination) -> String {
        let ssh = format!("ssh {}", destination.shell_text());
        match self {
            Self::UnknownHostName => {
                "check its spelling; names in ~/.ssh/config and addresses work, too".into()
            }
            Self::NoAnswer => format!(
                "check that it is switched on and on this network: {ssh}; a slow host needs a longer \
                 hub.timeout (--hub-timeout), a twelfth of which is the limit of a connection"
            ),
            Self::NoRoute => {
                format!("check that it is switched on and on this network: {ssh}")
            }
            Self::Refused => {
                "check that its SSH server is on (sudo raspi-config, Interface Options, SSH) and \
                 the port is right"
                    .into()
            }
            Self::UnknownKey => format!("log in once by hand to see and accept its key: {ssh}"),
            Self::ChangedKey => format!(
                "if the host has a new system, it has a new key: remove the old one (ssh-keygen \
                 -R HOST, as {ssh} says) and log in once by hand; otherwise do not connect"
            ),
            Self::KeyRejected => format!(
                "hubmark never asks for a password: copy your key there (ssh-copy-id {}), or load \
                 it into your agent (ssh-add)",
                destination.shell_text()
            ),
            Self::ForwardingForbidden => {
                "allow it in its sshd_config: AllowStreamLocalForwarding yes".into()
            }
            Self::NoPermission => format!(
                "add the user there to the docker group: {ssh} 'sudo usermod -aG docker $USER'"
            ),
            Self::NoSocket => {
                "install the engine there (sudo apt install docker.io), or name its socket: \
                 ssh://HOST/run/user/1000/docker.sock for a rootless one"
                    .into()
            }
            Self::NoEngine => format!("start it there: {ssh} sudo systemctl start docker"),
            Self::Other(_) => format!("try by hand: {ssh}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(stderr: &str) -> SshFailure {
        SshFailure::from_stderr(&stderr.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn messages_of_openssh_are_classified() {
        let cases = [
            (
                "ssh: Could not resolve hostname pi: Name or service not known",
                SshFailure::UnknownHostName,
            ),
            ("ssh: connect to host pi port 22: Connection timed out", SshFailure::NoAnswer),
            ("Connection timed out during banner exchange", SshFailure::NoAnswer),
            ("ssh: connect to host pi port 22: No route to host", SshFailure::NoRoute),
            ("ssh: connect to host pi port 3: Connection refused", SshFailure::Refused),
            ("Host key verification failed.", SshFailure::UnknownKey),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                SshFailure::ChangedKey,
            ),
            ("me@pi: Permission denied (publickey,password).", SshFailure::KeyRejected),
            ("", SshFailure::Other("ssh ended without output".into())),
            (
                "Bad configuration option: x",
                SshFailure::Other("Bad configuration option: x".into()),
            ),
        ];
        for (stderr, failure) in cases {
            assert_eq!(parse(stderr), failure, "{stderr}");
        }
    }

    #[test]
    fn every_failure_names_the_destination_and_gives_advice() {
        let destination = SshDestination::parse("me@pi:2222").unwrap();
        let all = STDERR_PATTERNS.iter().map(|(_, failure)| failure.clone()).chain([
            SshFailure::NoPermission,
            SshFailure::NoSocket,
            SshFailure::NoEngine,
            SshFailure::Other("x".into()),
        ]);
        let mut texts: Vec<_> =
            all.map(|failure| failure.hub_error(&destination).to_string()).collect();
        assert!(
            texts.iter().all(|text| text.contains("ssh://me@pi:2222") && text.contains("\n  "))
        );
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 12, "{texts:#?}");
    }
}
