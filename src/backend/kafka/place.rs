//! Where a broker is, and how an operation on it failed, in words for the operator.

use std::{
    fmt::{self, Display},
    net::SocketAddr,
    sync::Arc,
};

use rdkafka::{
    ClientContext,
    client::Client,
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use crate::{
    backend::{BackendError, external::own_name},
    plan::external::ExternalServer,
    server::Running,
};

use super::{
    servers::{CONTAINER_PORT, HOST_PORT},
    topic::{MARK, REQUEST, TOPIC},
};

/// One broker, as this program reaches it, and the topic there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The server's role.
    pub role: String,
    /// Its address.
    pub broker: SocketAddr,
    /// What clients connect to first.
    pub bootstrap: String,
    /// The topic.
    pub topic: Arc<str>,
    /// Whom clients say they are, where the server asks.
    pub account: Option<Account>,
    /// Whether the server is this program's own.
    pub own: bool,
}

/// An account on a broker. Printing it does not show the password.
#[derive(Clone)]
pub(super) struct Account {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Place {
    /// A broker of our own at `broker`.
    pub(super) fn at(role: &str, broker: SocketAddr) -> Self {
        Self {
            role: role.to_owned(),
            broker,
            bootstrap: broker.to_string(),
            topic: TOPIC.into(),
            account: None,
            own: true,
        }
    }

    /// The same as a place that is not ours: with a topic that nobody else has.
    pub(super) fn external(self, server: &ExternalServer, password: &str) -> Self {
        let endpoints = server.endpoints(CONTAINER_PORT).unwrap_or_default();
        let bootstrap: Vec<_> = endpoints.iter().map(ToString::to_string).collect();
        let account = server.user.clone().map(|user| Account { user, password: password.into() });
        let (bootstrap, topic) = (bootstrap.join(","), own_name(MARK).into());
        Self { bootstrap, topic, account, own: false, ..self }
    }

    /// The place of a server that a hub started.
    ///
    /// A broker answers with the address of the listener by which it was asked. Where the hub had
    /// to publish ports, the listener for outside is the right one.
    pub(super) fn of(server: &Running) -> Self {
        let published = server.ports.get(&HOST_PORT).is_some_and(|port| *port != HOST_PORT);
        let port = if published { HOST_PORT } else { CONTAINER_PORT };
        Self::at(&server.role, server.endpoint(port))
    }

    /// Whether the broker that `client` reached is still the one of `cluster`: where it has died,
    /// its address may have been given to another one, whose word means nothing. Blocks.
    ///
    /// # Errors
    /// That it is another one.
    pub(super) fn same<C: ClientContext>(
        client: &Client<C>,
        cluster: Option<&str>,
    ) -> Result<(), String> {
        let now = client.fetch_cluster_id(REQUEST);
        match (cluster, now) {
            (Some(then), Some(now)) if then != now => Err(format!(
                "another broker answers there now (of cluster {now}, not {then}); does the server still run?"
            )),
            _ => Ok(()),
        }
    }

    /// Runs a call of librdkafka that blocks.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BackendError> {
        tokio::task::spawn_blocking(call)
            .await
            .map_err(|error| self.failed("asking the client library", error))
    }

    /// `what` failed here.
    pub(super) fn failed(&self, what: impl Into<String>, reason: impl Display) -> BackendError {
        BackendError::Operation {
            what: what.into(),
            server: format!("{} at {}", self.role, self.broker),
            reason: reason.to_string(),
        }
    }
}

/// What a librdkafka error means to the operator.
pub(super) fn reason(error: &KafkaError) -> String {
    let advice = match error.rdkafka_error_code() {
        Some(Code::OperationTimedOut | Code::RequestTimedOut) => {
            "no answer in time; does the server still run, and does it ask for a password?"
        }
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown) => {
            "no connection; does the server still run?"
        }
        Some(Code::Authentication) => "the server refused user name or password",
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            "the server does not allow it to this user"
        }
        _ if matches!(error, KafkaError::ClientCreation(_)) => {
            "are there enough threads and file descriptors? see ulimit -u and ulimit -n"
        }
        _ => return error.to_string(),
    };
    format!("{error} ({advice})")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn running(ports: &[(u16, u16)]) -> Running {
        Running {
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
        let here = Place::of(&running(&[(9092, 9092), (9094, 9094)]));
        assert_eq!(here.broker.to_string(), "10.0.0.7:9092");
        let elsewhere = Place::of(&running(&[(9092, 32768), (9094, 32769)]));
        assert_eq!(elsewhere.broker.to_string(), "10.0.0.7:32769");
    }

    #[test]
    fn a_process_is_reached_at_the_port_that_it_was_given() {
        assert_eq!(Place::of(&running(&[(9092, 41234)])).broker.to_string(), "10.0.0.7:41234");
    }
}
