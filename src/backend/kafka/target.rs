//! The broker and topic under test, and error messages about them.

use std::{
    fmt::{self, Display},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

use super::listeners::{CONTAINER_PORT, HOST_PORT};
use crate::{
    backend::{BackendError, external::unique_name},
    plan::external::ExternalServer,
    server::RunningServer,
};

/// How clients authenticate on an external broker.
pub(super) const SASL_MECHANISM: &str = "PLAIN";
/// Name of the topic on a broker that hubmark started.
const TOPIC_NAME: &str = "hubmark";
/// Separator between the parts of a topic's name on an external broker.
pub(super) const NAME_SEPARATOR: char = '-';

/// Longest time for one request, and for repeating one query, on a usual hub.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The same as a share of the time for which a server is waited for: a hub that may take minutes to start one may
/// take a minute to answer, too.
const REQUEST_SHARE: u32 = 18;

/// The broker that clients connect to, and the topic there.
#[derive(Debug, Clone)]
pub(super) struct KafkaTarget {
    /// The server's role.
    pub role: String,
    /// Address of the broker whose port is tried until it answers.
    pub broker: SocketAddr,
    /// Addresses of all brokers, as the value of `bootstrap.servers`.
    pub bootstrap: String,
    /// Identity of the cluster, if it is known and the cluster has one.
    pub cluster: Option<String>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// Credentials, if the server requires them.
    pub account: Option<KafkaAccount>,
    /// Whether hubmark started the server.
    pub managed: bool,
    /// Longest time for one request, and for repeating one query.
    pub request_timeout: Duration,
}

/// Credentials on a broker; `Debug` output omits the password.
#[derive(Clone)]
pub(super) struct KafkaAccount {
    pub user: String,
    pub password: String,
}

impl KafkaAccount {
    /// Returns what the mechanism PLAIN sends (RFC 4616).
    pub(super) fn plain_token(&self) -> Bytes {
        format!("\0{}\0{}", self.user, self.password).into_bytes().into()
    }
}

impl fmt::Debug for KafkaAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaAccount").field("user", &self.user).finish_non_exhaustive()
    }
}

impl KafkaTarget {
    /// Creates the target for a broker at `broker` that hubmark started.
    pub(super) fn new(role: &str, broker: SocketAddr) -> Self {
        Self {
            role: role.to_owned(),
            broker,
            bootstrap: broker.to_string(),
            cluster: None,
            topic: TOPIC_NAME.into(),
            account: None,
            managed: true,
            request_timeout: REQUEST_TIMEOUT,
        }
    }

    /// Gives requests the time that they may take on a hub whose servers are waited for as long as `timeout`.
    pub(super) fn with_patience(self, timeout: Duration) -> Self {
        Self { request_timeout: REQUEST_TIMEOUT.max(timeout / REQUEST_SHARE), ..self }
    }

    /// Turns the target into one on an external server, with a topic name that is unique there.
    pub(super) fn into_external(self, server: &ExternalServer, password: &str) -> Self {
        let endpoints = server.endpoints(CONTAINER_PORT).unwrap_or_default();
        let bootstrap: Vec<_> = endpoints.iter().map(ToString::to_string).collect();
        let account =
            server.user.clone().map(|user| KafkaAccount { user, password: password.into() });
        let (bootstrap, topic) = (bootstrap.join(","), unique_name(NAME_SEPARATOR).into());
        Self { bootstrap, topic, account, managed: false, ..self }
    }

    /// Creates the target for a server that a hub started.
    ///
    /// A broker answers with the address of the listener that received the request. Where the hub
    /// had to publish ports, clients must use the listener for outside connections.
    pub(super) fn from_running(server: &RunningServer) -> Self {
        let published = server.ports.get(&HOST_PORT).is_some_and(|port| *port != HOST_PORT);
        let port = if published { HOST_PORT } else { CONTAINER_PORT };
        Self::new(&server.role, server.endpoint(port))
    }

    /// Verifies the identity with which a broker names its cluster.
    ///
    /// After a broker's death its address may have been given to another broker, whose answers
    /// would be wrong.
    pub(super) fn verify_cluster_id(&self, answering: Option<&str>) -> Result<(), String> {
        match (&self.cluster, answering) {
            (Some(own), Some(other)) if *own != other => Err(format!(
                "another broker answers at this address (of cluster {other}, not {own}); does the server still run?"
            )),
            _ => Ok(()),
        }
    }

    /// Runs a blocking call on a thread of its own.
    pub(super) async fn run_blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BackendError> {
        tokio::task::spawn_blocking(call)
            .await
            .map_err(|error| self.operation_error("calling the client", error))
    }

    /// Returns the error for a topic that disappeared during the run, which `last` shows.
    pub(super) fn topic_missing_error(&self, last: &str) -> BackendError {
        let reason = format!(
            "{last}\n  the topic {} disappeared during the run: find out what deletes topics on \
             that server, and run again",
            self.topic
        );
        self.operation_error("reading the topic", reason)
    }

    /// Returns the error for the failed operation `what` on this target.
    pub(super) fn operation_error(
        &self,
        what: impl Into<String>,
        reason: impl Display,
    ) -> BackendError {
        BackendError::Operation {
            what: what.into(),
            server: format!("{} at {}", self.role, self.bootstrap),
            reason: reason.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn running(ports: &[(u16, u16)]) -> RunningServer {
        RunningServer {
            role: "kafka".into(),
            id: "1".into(),
            address: [10, 0, 0, 7].into(),
            ports: ports.iter().copied().collect::<BTreeMap<_, _>>(),
            image: String::new(),
            digest: None,
            data_dir: None,
            dir: None,
        }
    }

    #[test]
    fn a_container_here_is_reached_by_its_own_listener_and_one_elsewhere_by_its_published_port() {
        let here = KafkaTarget::from_running(&running(&[(9092, 9092), (9094, 9094)]));
        assert_eq!(here.broker.to_string(), "10.0.0.7:9092");
        let elsewhere = KafkaTarget::from_running(&running(&[(9092, 32768), (9094, 32769)]));
        assert_eq!(elsewhere.broker.to_string(), "10.0.0.7:32769");
    }

    #[test]
    fn errors_on_an_external_server_name_all_its_addresses() {
        let server = ExternalServer { address: "a, b:1".into(), ..ExternalServer::default() };
        let target = KafkaTarget::from_running(&running(&[(9092, 9092)]));
        let error = target.into_external(&server, "").operation_error("reading", "no answer");
        assert_eq!(error.to_string(), "reading failed on kafka at a:9092,b:1: no answer");
    }

    #[test]
    fn a_process_is_reached_at_the_port_that_it_was_given() {
        assert_eq!(
            KafkaTarget::from_running(&running(&[(9092, 41234)])).broker.to_string(),
            "10.0.0.7:41234"
        );
    }
}
