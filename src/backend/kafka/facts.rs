//! What the broker says of itself: the settings in force.

use std::collections::BTreeSet;

use rdkafka::{
    admin::{AdminClient, AdminOptions, ConfigEntry, ConfigSource, ResourceSpecifier},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
};

use super::{notes::Listener, settings::Table, topic::REQUEST};

/// Settings of the broker that matter for durability and speed, default or not.
const BROKER: &[&str] = &[
    "compression.type",
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
/// The same of the topic.
const TOPIC_KEYS: &[&str] = &[
    "cleanup.policy",
    "compression.type",
    "flush.messages",
    "flush.ms",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.bytes",
    "segment.bytes",
    "unclean.leader.election.enable",
];

/// Reads back the settings of broker and topic: those above, and all that are not the default.
/// Named as in a profile.
pub(super) async fn settings_in_force(
    admin: &AdminClient<Listener>,
    broker: i32,
    topic: &str,
) -> KafkaResult<Vec<(String, String)>> {
    let options = AdminOptions::new().request_timeout(Some(REQUEST));
    let asked = [ResourceSpecifier::Broker(broker), ResourceSpecifier::Topic(topic)];
    let mut facts = Vec::new();
    // One at a time: librdkafka sends what concerns a broker to that broker alone.
    for (resource, keys, prefix) in
        [(&asked[0], BROKER, "server"), (&asked[1], TOPIC_KEYS, "topic")]
    {
        for described in admin.describe_configs([resource], &options).await? {
            let entries = match described.map_err(KafkaError::AdminOp) {
                Ok(described) => described.entries,
                Err(error) if unsupported(&error) => continue,
                Err(error) => return Err(error),
            };
            facts.extend(told(prefix, keys, entries));
        }
    }
    Ok(facts)
}

/// Those of `wanted` that the topic does not have as settings of its own. A server that does not
/// speak of settings has them as far as anybody can know.
pub(super) async fn missing_from_topic(
    admin: &AdminClient<Listener>,
    topic: &str,
    wanted: &Table,
) -> KafkaResult<Vec<String>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let options = AdminOptions::new().request_timeout(Some(REQUEST));
    let described = match admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await
    {
        Err(error) if unsupported(&error) => return Ok(Vec::new()),
        described => described?,
    };
    let mut own = BTreeSet::new();
    for resource in described {
        let entries = match resource.map_err(KafkaError::AdminOp) {
            Ok(resource) => resource.entries.into_iter(),
            Err(error) if unsupported(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        own.extend(
            entries
                .filter(|entry| entry.source == ConfigSource::DynamicTopic)
                .map(|entry| entry.name),
        );
    }
    Ok(wanted.keys().filter(|key| !own.contains(*key)).cloned().collect())
}

/// Whether a server said that it does not speak this part of the protocol, or not to this user.
pub(super) fn unsupported(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnsupportedFeature
                | Code::UnsupportedVersion
                | Code::NotImplemented
                | Code::ClusterAuthorizationFailed
                | Code::TopicAuthorizationFailed
        )
    )
}

fn told(prefix: &str, keys: &[&str], entries: Vec<ConfigEntry>) -> Vec<(String, String)> {
    let matters = |entry: &ConfigEntry| {
        let set = !matches!(entry.source, ConfigSource::Default | ConfigSource::Unknown);
        !entry.is_sensitive && (set || keys.contains(&entry.name.as_str()))
    };
    let mut told: Vec<_> = entries
        .into_iter()
        .filter(matters)
        .filter_map(|entry| Some((format!("{prefix}.{}", entry.name), entry.value?)))
        .collect();
    told.sort();
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, source: ConfigSource, is_sensitive: bool) -> ConfigEntry {
        ConfigEntry {
            name: name.into(),
            value: Some("1".into()),
            is_default: source == ConfigSource::Default,
            source,
            is_read_only: false,
            is_sensitive,
        }
    }

    #[test]
    fn what_matters_and_what_was_set_is_told_and_no_secret() {
        let entries = vec![
            entry("num.io.threads", ConfigSource::Default, false),
            entry("log.cleaner.threads", ConfigSource::Default, false),
            entry("log.dirs", ConfigSource::StaticBroker, false),
            entry("ssl.key.password", ConfigSource::StaticBroker, true),
        ];
        let names: Vec<_> =
            told("server", BROKER, entries).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["server.log.dirs", "server.num.io.threads"]);
    }
}
