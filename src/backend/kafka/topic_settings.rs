//! A topic's settings on which the correctness of a measurement depends.

use std::time::Duration;

use crate::backend::ServerFacts;

/// Bytes of a produce request beside its batch, an upper bound.
const REQUEST_OVERHEAD: u64 = 1_024;

/// The topic's settings in force; `None` is not known, or no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TopicSettings {
    /// Largest batch of messages that the topic accepts, in bytes.
    pub max_batch_bytes: Option<u64>,
    /// What happens to old messages: `delete`, `compact` or both.
    pub cleanup_policy: Option<String>,
    /// Age from which messages are deleted.
    pub retention: Option<Duration>,
    /// Bytes of a partition from which its oldest messages are deleted.
    pub retention_bytes: Option<u64>,
    /// Replicas that must have a message before it is acknowledged with `acks = all`.
    pub min_insync_replicas: Option<u64>,
}

impl TopicSettings {
    /// Reads the settings from what a broker has reported about the topic and about itself: a topic
    /// has its own value, or else the server's.
    pub(super) fn in_force(facts: &ServerFacts) -> Self {
        let topic = |key: &str| facts.setting(&format!("topic.{key}"));
        let server = |key: &str| facts.setting(&format!("server.{key}"));
        let number = |value: &str| value.trim().parse::<u64>().ok();
        let signed = |value: &str| value.trim().parse::<i64>().ok();
        let value = |key: &str, server_key: &str| topic(key).or_else(|| server(server_key));
        let limits = [
            value("max.message.bytes", "message.max.bytes").and_then(number),
            value("segment.bytes", "log.segment.bytes").and_then(number),
            server("socket.request.max.bytes")
                .and_then(number)
                .map(|bytes| bytes.saturating_sub(REQUEST_OVERHEAD)),
        ];
        // The server's setting with the smallest unit wins.
        let server_retention = || {
            [
                ("log.retention.ms", 1),
                ("log.retention.minutes", 60_000),
                ("log.retention.hours", 3_600_000),
            ]
            .into_iter()
            .find_map(|(key, factor)| Some(signed(server(key)?)?.saturating_mul(factor)))
        };
        let retention = topic("retention.ms").and_then(signed).or_else(server_retention);
        Self {
            max_batch_bytes: limits.into_iter().flatten().min(),
            cleanup_policy: value("cleanup.policy", "log.cleanup.policy").map(str::to_owned),
            // A negative retention is none.
            retention: retention.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
            retention_bytes: value("retention.bytes", "log.retention.bytes")
                .and_then(signed)
                .and_then(|bytes| u64::try_from(bytes).ok()),
            min_insync_replicas: value("min.insync.replicas", "min.insync.replicas")
                .and_then(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_force(settings: &[(&str, &str)]) -> TopicSettings {
        let settings = settings.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        TopicSettings::in_force(&ServerFacts {
            settings: settings.collect(),
            ..ServerFacts::default()
        })
    }

    #[test]
    fn the_smallest_of_all_limits_of_a_batch_is_in_force() {
        let limits = [
            ("topic.max.message.bytes", "90000"),
            ("server.message.max.bytes", "10"),
            ("topic.segment.bytes", "1000000"),
            ("server.socket.request.max.bytes", "81024"),
        ];
        assert_eq!(in_force(&limits[..3]).max_batch_bytes, Some(90_000), "the topic's own");
        assert_eq!(in_force(&limits).max_batch_bytes, Some(80_000));
        assert_eq!(in_force(&[]), TopicSettings::default());
    }

    #[test]
    fn a_topic_without_its_own_retention_has_that_of_the_server() {
        let hours = ("server.log.retention.hours", "168");
        assert_eq!(in_force(&[hours]).retention, Some(Duration::from_hours(168)));
        let minutes = ("server.log.retention.minutes", "2");
        assert_eq!(in_force(&[hours, minutes]).retention, Some(Duration::from_mins(2)));
        assert_eq!(in_force(&[hours, ("topic.retention.ms", "-1")]).retention, None);
    }
}
