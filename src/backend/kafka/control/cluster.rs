//! All brokers of a cluster: which one to ask what; blocks.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use kafka_protocol::{
    messages::{
        MetadataRequest, MetadataResponse, TopicName, metadata_request::MetadataRequestTopic,
        metadata_response::MetadataResponseTopic,
    },
    protocol::{Request, StrBytes},
};

use super::{broker_connection::BrokerConnection, error::ControlError};
use crate::backend::kafka::target::{KafkaAccount, KafkaTarget};

/// Latest version of the request for metadata: later ones identify topics by number.
const METADATA_VERSION: i16 = 9;

/// Which broker a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipient {
    /// Whichever answers.
    Any,
    /// The broker with that identity.
    Broker(i32),
}

/// Connections to the brokers of a cluster, opened when they are needed.
#[derive(Debug)]
pub struct Cluster {
    /// Addresses to begin with.
    bootstrap: Vec<String>,
    account: Option<KafkaAccount>,
    request_timeout: Duration,
    /// Addresses of the brokers by identity, as the cluster last named them.
    brokers: BTreeMap<i32, (String, u16)>,
    connections: BTreeMap<Recipient, BrokerConnection>,
}

impl Cluster {
    pub fn new(target: &KafkaTarget) -> Self {
        Self {
            bootstrap: target.bootstrap.split(',').map(str::to_owned).collect(),
            account: target.account.clone(),
            request_timeout: target.request_timeout,
            brokers: BTreeMap::new(),
            connections: BTreeMap::new(),
        }
    }

    /// Longest time for one request, and for repeating one query.
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// Sends a request, in the latest version up to `latest` that the broker supports, and waits for the answer.
    ///
    /// A connection that was open before may have been closed by the broker meanwhile: it is then opened anew.
    pub fn call<R: Request>(
        &mut self,
        recipient: Recipient,
        latest: i16,
        request: &R,
        timeout: Duration,
    ) -> Result<R::Response, ControlError> {
        if let Some(connection) = self.connections.get_mut(&recipient) {
            match connection.call(latest, request, timeout) {
                Err(ControlError::Connection(_)) => {}
                answer => {
                    if connection.is_broken() {
                        self.connections.remove(&recipient);
                    }
                    return answer.map(|(answer, _)| answer);
                }
            }
        }
        self.connections.remove(&recipient);
        let mut connection = self.open(recipient, timeout)?;
        let answer = connection.call(latest, request, timeout);
        if !connection.is_broken() {
            self.connections.insert(recipient, connection);
        }
        answer.map(|(answer, _)| answer)
    }

    /// Opens a connection of its own to a broker.
    pub fn open(
        &self,
        recipient: Recipient,
        timeout: Duration,
    ) -> Result<BrokerConnection, ControlError> {
        let mut last = ControlError::State("the cluster names no such broker".into());
        for address in self.addresses(recipient)? {
            match BrokerConnection::open(address, self.account.as_ref(), timeout) {
                Ok(connection) => return Ok(connection),
                Err(error @ ControlError::Credentials(_)) => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Addresses under which a broker may be reached.
    fn addresses(&self, recipient: Recipient) -> Result<Vec<SocketAddr>, ControlError> {
        if let Recipient::Broker(id) = recipient {
            let broker = self.brokers.get(&id);
            return broker.map_or(Ok(Vec::new()), |(host, port)| resolve(&(host.as_str(), *port)));
        }
        let mut all = Vec::new();
        let mut failure = None;
        for address in &self.bootstrap {
            match resolve(address) {
                Ok(addresses) => all.extend(addresses),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if all.is_empty() => Err(error),
            _ => Ok(all),
        }
    }

    /// Asks for the brokers, and for one topic, or for all of them.
    pub fn metadata(
        &mut self,
        topic: Option<&str>,
        timeout: Duration,
    ) -> Result<MetadataResponse, ControlError> {
        let named =
            |name: &str| vec![MetadataRequestTopic::default().with_name(Some(topic_name(name)))];
        let request = MetadataRequest::default()
            .with_topics(topic.map(named))
            .with_allow_auto_topic_creation(false);
        let answer = self.call(Recipient::Any, METADATA_VERSION, &request, timeout)?;
        self.brokers = answer
            .brokers
            .iter()
            .filter_map(|broker| {
                Some((
                    broker.node_id.0,
                    (broker.host.to_string(), u16::try_from(broker.port).ok()?),
                ))
            })
            .collect();
        Ok(answer)
    }

    /// Asks for the partitions of a topic that exists, all of which have leaders.
    pub fn topic(
        &mut self,
        name: &str,
        timeout: Duration,
    ) -> Result<MetadataResponseTopic, ControlError> {
        let answer = self.metadata(Some(name), timeout)?;
        let topic = answer.topics.into_iter().find(|topic| is_named(topic, name));
        let mut topic = topic.ok_or_else(|| {
            ControlError::State("the server's metadata does not list the topic".into())
        })?;
        ControlError::check(topic.error_code)?;
        if topic.partitions.is_empty() {
            return Err(ControlError::State("the topic has no partitions yet".into()));
        }
        if let Some(partition) = topic.partitions.iter().find(|partition| partition.leader_id.0 < 0)
        {
            let number = partition.partition_index;
            return Err(ControlError::State(format!("partition {number} has no leader")));
        }
        topic.partitions.sort_unstable_by_key(|partition| partition.partition_index);
        Ok(topic)
    }

    /// Verifies that the brokers still belong to the target's cluster.
    pub fn verify(&mut self, target: &KafkaTarget) -> Result<(), ControlError> {
        let answering = self.metadata(Some(&target.topic), self.request_timeout)?.cluster_id;
        target.verify_cluster_id(answering.as_deref()).map_err(ControlError::State)
    }

    /// Number of brokers, as the cluster last named them.
    pub fn brokers(&self) -> usize {
        self.brokers.len()
    }

    /// Address of a broker, as the cluster last named it.
    pub fn broker_address(&self, id: i32) -> Result<SocketAddr, ControlError> {
        let found = self.addresses(Recipient::Broker(id))?.first().copied();
        found.ok_or_else(|| ControlError::State(format!("the cluster names no broker {id}")))
    }
}

/// The name of a topic as the protocol's types have it.
pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn is_named(topic: &MetadataResponseTopic, name: &str) -> bool {
    topic.name.as_ref().is_some_and(|own| own.as_str() == name)
}

/// Returns the addresses of a host, those of IPv4 first: a server in a container listens on no other.
pub fn resolve(address: &impl ToSocketAddrs) -> Result<Vec<SocketAddr>, ControlError> {
    let mut found: Vec<_> = address.to_socket_addrs()?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    Ok(found)
}
