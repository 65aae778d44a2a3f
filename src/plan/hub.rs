//! The hub of a plan: where its servers run, and how long it is waited for.

use std::{fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    server::{HubKind, ResourceLimits},
    units::exact_duration,
};

/// The requested hub, on which the servers run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HubRequest {
    /// The kind of hub.
    pub kind: HubKind,
    /// Address of the Docker engine (`unix:///var/run/docker.sock`, `ssh://pi`); `None` for the
    /// default of Docker's tools.
    pub engine: Option<String>,
    /// Name or address at which this machine reaches the ports of servers on another machine;
    /// `None` for the engine's host.
    #[serde(default)]
    pub address: Option<String>,
    /// Name of the preset of a small board that the hub imitates; its limits are part of
    /// [`HubRequest::limits`].
    #[serde(default)]
    pub like: Option<String>,
    /// Folder with `ca.pem`, `cert.pem` and `key.pem` for an engine over TLS; `None` for the
    /// default of Docker's tools.
    #[serde(default)]
    pub certificates: Option<String>,
    /// Resource limits of each server.
    pub limits: ResourceLimits,
    /// Longest wait for the hub, see [`HubTimeouts`], in seconds.
    #[serde(default = "default_hub_timeout", with = "crate::units::seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub timeout: Duration,
}

/// Longest wait for a hub by default: twice what a very old board took to start a server.
pub const DEFAULT_HUB_TIMEOUT: Duration = Duration::from_mins(3);

/// The [`HubRequest::timeout`] in records of older versions.
const fn default_hub_timeout() -> Duration {
    DEFAULT_HUB_TIMEOUT
}

/// Longest waits for a hub, all derived from [`HubRequest::timeout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HubTimeouts {
    /// For a call of the engine that changes something (create, start, remove), and for a started server
    /// to answer by protocol.
    pub operation: Duration,
    /// For a call of the engine that only reads, and for the removal of servers after a second signal.
    pub query: Duration,
    /// For a connection.
    pub connect: Duration,
    /// For an engine that has become unreachable.
    pub recovery: Duration,
}

impl HubRequest {
    /// Longest waits for this hub.
    pub fn timeouts(&self) -> HubTimeouts {
        HubTimeouts {
            operation: self.timeout,
            query: self.timeout / 6,
            connect: self.timeout / 12,
            recovery: self.timeout / 3,
        }
    }

    /// The Docker engine at `engine`, or the default engine, without limits.
    pub fn docker(engine: Option<String>) -> Self {
        Self {
            kind: HubKind::Docker,
            engine,
            address: None,
            certificates: None,
            like: None,
            limits: ResourceLimits::default(),
            timeout: DEFAULT_HUB_TIMEOUT,
        }
    }

    /// Options by which a command of this program reaches the same hub: ` --hub ssh://pi`; empty for the
    /// default engine.
    pub fn command_options(&self) -> String {
        let mut options = String::new();
        if self.kind != HubKind::Docker {
            return options;
        }
        // Writing to a string cannot fail.
        if let Some(engine) = &self.engine {
            let _ = write!(options, " --hub {}", quote_argument(engine));
        }
        if let Some(folder) = &self.certificates {
            let _ = write!(options, " --hub-certificates {}", quote_argument(folder));
        }
        if self.timeout != DEFAULT_HUB_TIMEOUT {
            let _ = write!(options, " --hub-timeout \"{}\"", exact_duration(self.timeout));
        }
        options
    }

    /// External servers, which run already.
    pub fn external() -> Self {
        Self { kind: HubKind::External, ..Self::docker(None) }
    }

    /// Child processes on this machine.
    pub fn local() -> Self {
        Self { kind: HubKind::Local, ..Self::docker(None) }
    }
}

/// Quotes an argument for a shell, if it has characters that a shell does not take literally.
pub fn quote_argument(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,[]~".contains(c);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_s_options_name_the_hub_its_certificates_and_its_timeout() {
        let pi = HubRequest::docker(Some("ssh://pi".into()));
        assert_eq!(pi.command_options(), " --hub ssh://pi");
        let slow = HubRequest { timeout: Duration::from_mins(10), ..pi };
        assert_eq!(slow.command_options(), " --hub ssh://pi --hub-timeout \"10 min\"");
        assert_eq!(HubRequest::docker(None).command_options(), "");
        let tls = |folder: &str| HubRequest {
            certificates: Some(folder.into()),
            ..HubRequest::docker(Some("tcp://pi:2376".into()))
        };
        assert_eq!(
            tls("/etc/pi").command_options(),
            " --hub tcp://pi:2376 --hub-certificates /etc/pi"
        );
        assert!(tls("a b's").command_options().ends_with(r" --hub-certificates 'a b'\''s'"));
        let elsewhere = HubRequest { engine: None, ..tls("/etc/pi") };
        assert_eq!(elsewhere.command_options(), " --hub-certificates /etc/pi");
        assert_eq!(HubRequest::local().command_options(), "");
    }

    #[test]
    fn every_wait_follows_the_profile_s() {
        let waits =
            HubRequest { timeout: Duration::from_mins(12), ..HubRequest::local() }.timeouts();
        assert_eq!(
            [waits.operation, waits.query, waits.connect, waits.recovery],
            [720, 120, 60, 240].map(Duration::from_secs)
        );
    }
}
