//! Settings in force, as the broker reports them.

use std::collections::BTreeSet;

use kafka_protocol::{
    messages::{
        DescribeConfigsRequest, describe_configs_request::DescribeConfigsResource,
        describe_configs_response::DescribeConfigsResourceResult,
    },
    protocol::StrBytes,
};

use super::{
    cluster::{Cluster, Recipient},
    error::ControlError,
};
use crate::backend::{
    ServerFacts,
    kafka::{settings::SettingsTable, topic_settings::TopicSettings},
};

/// Kinds of resources, by Kafka's numbers.
const TOPIC_RESOURCE: i8 = 2;
const BROKER_RESOURCE: i8 = 4;
/// Sources of a value, by Kafka's numbers: unknown, set on the topic itself, and Kafka's own default.
const UNKNOWN_SOURCE: i8 = 0;
const TOPIC_SOURCE: i8 = 1;
const DEFAULT_SOURCE: i8 = 5;
/// Latest version of the request.
const DESCRIBE_VERSION: i16 = 4;

/// Broker settings that affect durability and speed; recorded even at their defaults.
const BROKER_KEYS: &[&str] = &[
    "compression.type",
    "connections.max.idle.ms",
    "inter.broker.protocol.version",
    "log.flush.interval.messages",
    "log.flush.interval.ms",
    "log.segment.bytes",
    "message.max.bytes",
    "min.insync.replicas",
    "num.io.threads",
    "num.network.threads",
    "num.replica.fetchers",
    "socket.request.max.bytes",
    "unclean.leader.election.enable",
];
/// Topic settings that affect durability and speed; recorded even at their defaults.
const TOPIC_KEYS: &[&str] = &[
    "cleanup.policy",
    "compression.type",
    "flush.messages",
    "flush.ms",
    "max.message.bytes",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "unclean.leader.election.enable",
];

/// Reads back the broker's and the topic's settings: those above, and all that are not the default; none from a
/// server that cannot describe its settings, which can still be measured.
///
/// The names are those of a profile.
pub fn settings_in_force(
    cluster: &mut Cluster,
    broker: i32,
    topic: &str,
) -> Result<Vec<(String, String)>, ControlError> {
    let broker_name = broker.to_string();
    let resources = [
        (Recipient::Broker(broker), BROKER_RESOURCE, &*broker_name, BROKER_KEYS, "server"),
        (Recipient::Any, TOPIC_RESOURCE, topic, TOPIC_KEYS, "topic"),
    ];
    let mut facts = Vec::new();
    for (recipient, kind, name, keys, prefix) in resources {
        match describe(cluster, recipient, kind, name) {
            Ok(entries) => facts.extend(relevant_settings(prefix, keys, entries)),
            Err(error) if error.is_unsupported() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(facts)
}

/// Asks for all settings of a resource.
fn describe(
    cluster: &mut Cluster,
    recipient: Recipient,
    kind: i8,
    name: &str,
) -> Result<Vec<DescribeConfigsResourceResult>, ControlError> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(StrBytes::from_string(name.to_owned()))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let timeout = cluster.request_timeout();
    let answer = cluster.call(recipient, DESCRIBE_VERSION, &request, timeout)?;
    let mut entries = Vec::new();
    for described in answer.results {
        ControlError::check(described.error_code)?;
        entries.extend(described.configs);
    }
    Ok(entries)
}

/// Returns the keys of `wanted` that are not set on the topic itself.
///
/// A server that cannot describe its settings is assumed to have applied all of them.
pub(super) fn missing_topic_settings(
    cluster: &mut Cluster,
    topic: &str,
    wanted: &SettingsTable,
) -> Result<Vec<String>, ControlError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let entries = match describe(cluster, Recipient::Any, TOPIC_RESOURCE, topic) {
        Err(error) if error.is_unsupported() => return Ok(Vec::new()),
        entries => entries?,
    };
    let set: BTreeSet<_> = entries
        .iter()
        .filter(|entry| entry.config_source == TOPIC_SOURCE)
        .map(|entry| entry.name.as_str())
        .collect();
    Ok(wanted.keys().filter(|key| !set.contains(key.as_str())).cloned().collect())
}

/// Reads back the largest batch, in bytes, that the topic accepts; `None` if the broker does not
/// report it.
pub fn max_batch_bytes(
    cluster: &mut Cluster,
    broker: i32,
    topic: &str,
) -> Result<Option<u64>, ControlError> {
    let settings = settings_in_force(cluster, broker, topic)?;
    let facts = ServerFacts { settings, ..ServerFacts::default() };
    Ok(TopicSettings::in_force(&facts).max_batch_bytes)
}

fn relevant_settings(
    prefix: &str,
    keys: &[&str],
    entries: Vec<DescribeConfigsResourceResult>,
) -> Vec<(String, String)> {
    let matters = |entry: &DescribeConfigsResourceResult| {
        let set = ![DEFAULT_SOURCE, UNKNOWN_SOURCE].contains(&entry.config_source);
        !entry.is_sensitive && (set || keys.contains(&entry.name.as_str()))
    };
    let mut relevant: Vec<_> = entries
        .into_iter()
        .filter(matters)
        .filter_map(|entry| {
            Some((format!("{prefix}.{}", entry.name.as_str()), entry.value?.to_string()))
        })
        .collect();
    relevant.sort();
    relevant
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set in the broker's own file.
    const STATIC_SOURCE: i8 = 4;

    fn entry(name: &'static str, source: i8, is_sensitive: bool) -> DescribeConfigsResourceResult {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str("1")))
            .with_config_source(source)
            .with_is_sensitive(is_sensitive)
    }

    #[test]
    fn important_and_changed_settings_are_recorded_and_secrets_are_not() {
        let entries = vec![
            entry("num.io.threads", DEFAULT_SOURCE, false),
            entry("log.cleaner.threads", DEFAULT_SOURCE, false),
            entry("log.dirs", STATIC_SOURCE, false),
            entry("ssl.key.password", STATIC_SOURCE, true),
        ];
        let names: Vec<_> = relevant_settings("server", BROKER_KEYS, entries)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["server.log.dirs", "server.num.io.threads"]);
    }
}
