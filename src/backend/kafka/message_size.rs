//! Limits on the size of a message: derived from the payload, or refused before the run.

use super::settings::{KafkaSettings, PRODUCER, SERVER, SettingsTable, TOPIC};
use crate::{backend::BackendError, units::Bytes};

/// Upper bound, in bytes, of a message's overhead in a batch beside its payload: stamp, headers of
/// record and batch.
const MESSAGE_OVERHEAD: u64 = 200;
/// librdkafka's default of [`CLIENT_KEY`], and that of hubmark's own client.
pub(super) const CLIENT_DEFAULT: u64 = 1_000_000;
/// Kafka's default of [`TOPIC_KEY`], since 2.4.
const TOPIC_DEFAULT: u64 = 1_048_588;

/// The producer's limit.
pub(super) const CLIENT_KEY: &str = "message.max.bytes";
/// The topic's limit.
pub(super) const TOPIC_KEY: &str = "max.message.bytes";
/// The server's limit for topics without one.
pub(super) const SERVER_KEY: &str = "message.max.bytes";

/// Returns the bytes that a limit must allow for a message with `payload`.
pub(super) const fn needed_bytes(payload: Bytes) -> u64 {
    payload.0 + MESSAGE_OVERHEAD
}

/// Returns the producer's limit for messages with `payload`; `None` if librdkafka's default suffices.
///
/// librdkafka ends the process (an assertion) if a message fits into the limit and its batch does not, so
/// the limit has room for the overhead.
pub(super) fn client_limit(payload: Bytes) -> Option<u64> {
    Some(needed_bytes(payload)).filter(|needed| *needed > CLIENT_DEFAULT)
}

/// Returns the topic's limit for messages with `payload`; `None` if Kafka's default suffices.
pub(super) fn topic_limit(payload: Bytes) -> Option<u64> {
    Some(needed_bytes(payload)).filter(|needed| *needed > TOPIC_DEFAULT)
}

/// Returns an error for each limit of the profile that is too small for messages with `payload`.
pub(super) fn limit_errors(
    title: &str,
    settings: &KafkaSettings,
    payload: Bytes,
) -> Vec<BackendError> {
    let needed = needed_bytes(payload);
    let server = (SERVER.name, SERVER_KEY, &settings.server);
    let limits = [
        Some((PRODUCER.name, CLIENT_KEY, &settings.producer)),
        Some((TOPIC.name, TOPIC_KEY, &settings.topic)),
        // The topic's own limit replaces the server's.
        Some(server).filter(|_| !settings.topic.contains_key(TOPIC_KEY)),
    ];
    let too_small = |(table, key, given): (&str, &str, &SettingsTable)| {
        // A value that is no number is refused by the library or the server.
        let limit: u64 = given.get(key)?.parse().ok()?;
        (limit < needed).then(|| {
            let reason = format!(
                "messages with a payload of {} need {needed} bytes: raise it to that, or reduce \
                 workload.payload",
                payload.exact()
            );
            BackendError::setting(title, &format!("{table}.{key}"), limit, reason)
        })
    };
    limits.into_iter().flatten().filter_map(too_small).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(payload: u64, given: &[(&str, &str, &str)]) -> Vec<String> {
        let mut settings = KafkaSettings::default();
        for (table, key, value) in given {
            let table = match *table {
                "producer" => &mut settings.producer,
                "topic" => &mut settings.topic,
                _ => &mut settings.server,
            };
            table.insert((*key).into(), (*value).into());
        }
        limit_errors("Apache Kafka", &settings, Bytes(payload))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_default_that_suffices_is_left_alone() {
        assert_eq!((client_limit(Bytes(999_800)), topic_limit(Bytes(1_048_388))), (None, None));
        assert_eq!(client_limit(Bytes(999_801)), Some(1_000_001));
        assert_eq!(topic_limit(Bytes(1_048_389)), Some(1_048_589));
    }

    #[test]
    fn a_limit_below_the_payload_is_refused_with_both_numbers() {
        for (table, key) in [("producer", CLIENT_KEY), ("topic", TOPIC_KEY), ("server", SERVER_KEY)]
        {
            let refused = errors(2_000_000, &[(table, key, "1500000")]);
            assert_eq!(refused.len(), 1, "{table}: {refused:?}");
            for part in [format!("{table}.{key} = 1500000"), "2000200 bytes".into(), "2 MB".into()]
            {
                assert!(refused[0].contains(&part), "{part}: {refused:?}");
            }
            assert_eq!(errors(1_000_000, &[(table, key, "1500000")]), [""; 0]);
        }
        let both = [("server", SERVER_KEY, "100"), ("topic", TOPIC_KEY, "3000000")];
        assert_eq!(errors(2_000_000, &both), [""; 0], "the topic's own limit applies");
    }
}
