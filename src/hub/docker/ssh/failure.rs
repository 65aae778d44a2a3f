//! Why there is no way to an engine over SSH, in words for the operator.

use super::Destination;
use crate::hub::HubError;

/// What keeps `ssh`, or the engine's socket behind it, from us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The host's name has no address.
    UnknownName,
    /// Nothing answers there.
    Silent,
    /// The network says that there is no way.
    NoRoute,
    /// The host answers, and has no SSH server at the port.
    Refused,
    /// The host's key is not among the known ones.
    UnknownKey,
    /// The host's key is another than the known one.
    ChangedKey,
    /// The host takes none of our keys.
    NoKey,
    /// The server forbids to forward the socket.
    ForwardingForbidden,
    /// The engine's socket there may not be opened by the user.
    NoPermission,
    /// There is no such socket there.
    NoSocket,
    /// The socket is there, and nothing listens on it.
    NoEngine,
    /// Something else, in the last words of `ssh`.
    Other(String),
}

/// What `ssh` says, in small letters, and what it means; the first that fits counts.
const SAYINGS: &[(&str, Failure)] = &[
    ("remote host identification has changed", Failure::ChangedKey),
    ("host key verification failed", Failure::UnknownKey),
    ("could not resolve hostname", Failure::UnknownName),
    ("permission denied (", Failure::NoKey),
    ("too many authentication failures", Failure::NoKey),
    ("no route to host", Failure::NoRoute),
    ("network is unreachable", Failure::NoRoute),
    ("timed out", Failure::Silent),
    ("connection refused", Failure::Refused),
    ("administratively prohibited", Failure::ForwardingForbidden),
];

impl Failure {
    /// What the last words of an `ssh` that has ended mean.
    pub fn of(said: &[String]) -> Self {
        let all = said.join("\n").to_lowercase();
        if let Some((_, failure)) = SAYINGS.iter().find(|(saying, _)| all.contains(saying)) {
            return failure.clone();
        }
        let last = said.iter().rev().find(|line| !line.trim().is_empty());
        Self::Other(last.map_or_else(|| "ssh ended without a word".to_owned(), Clone::clone))
    }

    /// Looks, over a connection of its own, at the socket that does not answer.
    pub async fn behind(destination: &Destination, said: &[String]) -> Self {
        if said.iter().any(|line| line.contains("administratively prohibited")) {
            return Self::ForwardingForbidden;
        }
        let socket = format!("'{}'", destination.socket().replace('\'', "'\\''"));
        let look = format!("test -S {socket} || exit 81; test -w {socket} || exit 82; exit 80");
        let looked = destination.ask(&[], Some(&look)).await;
        match looked.and_then(|output| output.status.code()) {
            Some(80) => Self::NoEngine,
            Some(81) => Self::NoSocket,
            Some(82) => Self::NoPermission,
            // No shell for us there: what is known is that the socket cannot be connected.
            _ => Self::Other(format!(
                "{} there cannot be connected (no such socket, no permission, or no engine behind it)",
                destination.socket()
            )),
        }
    }

    /// The error for the operator.
    pub fn error(&self, destination: &Destination) -> HubError {
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

    /// What was seen.
    pub fn reason(&self, destination: &Destination) -> String {
        let socket = destination.socket();
        match self {
            Self::UnknownName => "the host's name has no address".into(),
            Self::Silent => "the host does not answer".into(),
            Self::NoRoute => "there is no way to the host".into(),
            Self::Refused => "the host answers, but no SSH server at that port".into(),
            Self::UnknownKey => "the host's key is not known here".into(),
            Self::ChangedKey => "the host's key is not the one that is known here".into(),
            Self::NoKey => "the host takes none of this user's keys".into(),
            Self::ForwardingForbidden => "its SSH server forbids to forward sockets".into(),
            Self::NoPermission => format!("the user there may not open {socket}"),
            Self::NoSocket => format!("there is no socket {socket}"),
            Self::NoEngine => format!("{socket} is there, but no engine answers behind it"),
            Self::Other(words) => words.clone(),
        }
    }

    /// What to do.
    fn advice(&self, destination: &Destination) -> String {
        let ssh = format!("ssh {}", destination.typed());
        match self {
            Self::UnknownName => {
                "check its spelling; names in ~/.ssh/config and addresses work, too".into()
            }
            Self::Silent | Self::NoRoute => {
                format!("is it switched on and on this network? try: {ssh}")
            }
            Self::Refused => {
                "is its SSH server on (sudo raspi-config, Interface Options, SSH), and the port right?"
                    .into()
            }
            Self::UnknownKey => format!("log in once by hand to see and accept its key: {ssh}"),
            Self::ChangedKey => format!(
                "a new system on the host has a new key; if that is so, forget the old one \
                 (ssh-keygen -R HOST, as {ssh} says) and log in once by hand; if not, beware"
            ),
            Self::NoKey => format!(
                "hubmark never asks for a password: copy your key there (ssh-copy-id {}), or load \
                 it into your agent (ssh-add)",
                destination.typed()
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

    fn of(said: &str) -> Failure {
        Failure::of(&said.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_openssh_says_is_understood() {
        let cases = [
            ("ssh: Could not resolve hostname pi: Name or service not known", Failure::UnknownName),
            ("ssh: connect to host pi port 22: Connection timed out", Failure::Silent),
            ("Connection timed out during banner exchange", Failure::Silent),
            ("ssh: connect to host pi port 22: No route to host", Failure::NoRoute),
            ("ssh: connect to host pi port 3: Connection refused", Failure::Refused),
            ("Host key verification failed.", Failure::UnknownKey),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                Failure::ChangedKey,
            ),
            ("me@pi: Permission denied (publickey,password).", Failure::NoKey),
            ("", Failure::Other("ssh ended without a word".into())),
            ("Bad configuration option: x", Failure::Other("Bad configuration option: x".into())),
        ];
        for (said, failure) in cases {
            assert_eq!(of(said), failure, "{said}");
        }
    }

    #[test]
    fn every_failure_says_where_it_is_and_what_to_do() {
        let destination = Destination::parse("me@pi:2222").unwrap();
        let all = SAYINGS.iter().map(|(_, failure)| failure.clone()).chain([
            Failure::NoPermission,
            Failure::NoSocket,
            Failure::NoEngine,
            Failure::Other("x".into()),
        ]);
        let mut texts: Vec<_> =
            all.map(|failure| failure.error(&destination).to_string()).collect();
        assert!(
            texts.iter().all(|text| text.contains("ssh://me@pi:2222") && text.contains("\n  "))
        );
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 12, "{texts:#?}");
    }
}
