//! Settings of hubmark's own client, under librdkafka's names, so that one profile serves both clients.

use std::{str::FromStr, time::Duration};

use crate::backend::kafka::{
    codec::{compression::Compression, fetch::FetchLimits},
    message_size,
    settings::{KafkaSettings, MISSING_ZSTD, SettingsTable, acknowledges_all, needs_missing_zstd},
};
use crate::{
    backend::{BackendError, Batching},
    plan::Durability,
    stamp::Stamp,
    units::Bytes,
};

/// Bytes of a batch of the throughput workload: as with librdkafka, few enough for a processor's caches.
const BULK_BATCH_BYTES: u64 = 400_000;
/// Bytes of a batch of other workloads, where messages wait for each other.
const LINGERING_BATCH_BYTES: u64 = 1_000_000;
/// Bytes that the users of a throughput workload hold together before the load waits: twenty batches.
const BULK_QUEUE_BYTES: u64 = 8 << 20;
/// Bytes that all users hold together before the load waits, where each message is sent at once: they fill only
/// while a server does not answer, and are all that 10,000 users take then.
const SINGLE_QUEUE_BYTES: u64 = 64 << 20;
/// Bytes and messages that each user holds at least before the load waits.
const MIN_BULK_QUEUE_BYTES: u64 = 256 << 10;
const MIN_QUEUE_MESSAGES: u64 = 4;
/// Memory in bytes of a message without an outcome, beside the message itself: frame and entries of lists.
pub(super) const QUEUED_OVERHEAD: usize = 512;
/// Requests without an answer, of one user.
const MAX_IN_FLIGHT: usize = 1_000;
/// The same of an idempotent producer: a broker remembers the last five batches.
const MAX_IDEMPOTENT_IN_FLIGHT: usize = 5;

/// Keys of a producer that this client has.
const PRODUCER_KEYS: &[&str] = &[
    "acks",
    "request.required.acks",
    "linger.ms",
    "queue.buffering.max.ms",
    "batch.size",
    "compression.type",
    "compression.codec",
    "enable.idempotence",
    "max.in.flight.requests.per.connection",
    "max.in.flight",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "request.timeout.ms",
    "socket.timeout.ms",
    message_size::CLIENT_KEY,
    "queue.buffering.max.kbytes",
];
/// Keys of a consumer that this client has.
const CONSUMER_KEYS: &[&str] = &[
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "fetch.max.bytes",
    "max.partition.fetch.bytes",
    "fetch.message.max.bytes",
    "check.crcs",
    "socket.timeout.ms",
];

/// Settings of every user's producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerSettings {
    /// Brokers that must have a message: 0, 1, or −1 for all in sync.
    pub acks: i16,
    /// Whether a message that is sent again is stored once.
    pub idempotent: bool,
    /// Longest time for which a message waits for others; zero: each is a request.
    pub linger: Duration,
    /// Bytes of a batch, before compression.
    pub batch_bytes: usize,
    /// Compression of batches.
    pub compression: Compression,
    /// Requests without an answer.
    pub max_in_flight: usize,
    /// Longest time for which an unsent message is kept.
    pub message_timeout: Duration,
    /// Longest time for which the broker waits for its replicas.
    pub request_timeout: Duration,
    /// Longest time without an answer, after which the connection counts as lost.
    pub socket_timeout: Duration,
    /// Largest message.
    pub max_message_bytes: usize,
    /// Bytes of messages without an outcome, above which the load waits.
    pub queue_bytes: usize,
}

/// Settings of the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// Limits of a request.
    pub limits: FetchLimits,
    /// Whether the checksum of each batch is verified, beside the bytes of each message.
    pub check_crcs: bool,
    /// Longest time without an answer, after which the connection counts as lost.
    pub socket_timeout: Duration,
}

/// What the settings of one point follow from.
#[derive(Debug, Clone)]
pub struct NativeSettings {
    producer: SettingsTable,
    consumer: SettingsTable,
    acks: i16,
    payload: Bytes,
}

impl NativeSettings {
    pub fn new(settings: &KafkaSettings, durability: Durability, payload: Bytes) -> Self {
        let acks = match settings.acks() {
            Some("0") if durability == Durability::Default => 0,
            _ if acknowledges_all(settings, durability) => -1,
            _ => 1,
        };
        Self {
            producer: settings.producer.clone(),
            consumer: settings.consumer.clone(),
            acks,
            payload,
        }
    }

    /// Returns an error for each setting that this client does not have, or whose value has no meaning.
    pub fn check(&self, title: &str) -> Vec<BackendError> {
        let mut found = Vec::new();
        for (table, given, known) in [
            ("producer", &self.producer, PRODUCER_KEYS),
            ("consumer", &self.consumer, CONSUMER_KEYS),
        ] {
            for (key, value) in given {
                let reason = if known.contains(&key.as_str()) {
                    value_error(key, value)
                } else {
                    Some(format!(
                        "hubmark's own client has no such setting, but {}; or take client = \"librdkafka\"",
                        known.join(", ")
                    ))
                };
                found.extend(reason.map(|reason| {
                    BackendError::setting(title, &format!("{table}.{key}"), value, reason)
                }));
            }
        }
        if self.flag("enable.idempotence") == Some(true) && self.acks != -1 {
            let reason = "an idempotent producer needs the acknowledgement of all replicas in sync: \
                          set acks = \"all\"";
            found.push(BackendError::setting(title, "producer.enable.idempotence", true, reason));
        }
        found
    }

    fn text(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.producer.get(*key)).map(|value| value.trim())
    }

    fn number(&self, keys: &[&str]) -> Option<u64> {
        number(self.text(keys)?)
    }

    fn millis(&self, keys: &[&str], default: u64) -> Duration {
        Duration::from_millis(self.number(keys).unwrap_or(default))
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.text(&[key]).and_then(|value| value.parse().ok())
    }

    /// Returns the settings of each of `users` producers; no batch is larger than `max_batch_bytes`, the topic's
    /// limit.
    pub fn producer(
        &self,
        batching: Batching,
        users: u32,
        max_batch_bytes: Option<u64>,
    ) -> ProducerSettings {
        let idempotent = self.flag("enable.idempotence") == Some(true);
        let (linger, batch_bytes, queue_bytes, least) = match batching {
            Batching::Single => (0, LINGERING_BATCH_BYTES, SINGLE_QUEUE_BYTES, 0),
            Batching::Bulk => (5, BULK_BATCH_BYTES, BULK_QUEUE_BYTES, MIN_BULK_QUEUE_BYTES),
        };
        let message = self.payload.0 + (Stamp::LEN + QUEUED_OVERHEAD) as u64;
        let share = (queue_bytes / u64::from(users.max(1))).max(least);
        let queue =
            self.number(&["queue.buffering.max.kbytes"]).map(|kib| kib.saturating_mul(1024));
        let largest = if idempotent { MAX_IDEMPOTENT_IN_FLIGHT } else { MAX_IN_FLIGHT };
        let in_flight = self.number(&["max.in.flight.requests.per.connection", "max.in.flight"]);
        let compression = self.text(&["compression.type", "compression.codec"]);
        let max_message = self.number(&[message_size::CLIENT_KEY]);
        let default_max = message_size::client_limit(self.payload);
        ProducerSettings {
            acks: self.acks,
            idempotent,
            linger: self.millis(&["linger.ms", "queue.buffering.max.ms"], linger),
            batch_bytes: self
                .number(&["batch.size"])
                .unwrap_or(batch_bytes)
                .min(max_batch_bytes.unwrap_or(u64::MAX))
                .max(1) as usize,
            compression: compression.and_then(Compression::from_name).unwrap_or_default(),
            max_in_flight: in_flight.map_or(largest, |given| largest.min(given.max(1) as usize)),
            message_timeout: self.millis(&["message.timeout.ms", "delivery.timeout.ms"], 300_000),
            request_timeout: self.millis(&["request.timeout.ms"], 30_000),
            socket_timeout: self.millis(&["socket.timeout.ms"], 60_000),
            max_message_bytes: max_message.or(default_max).unwrap_or(message_size::CLIENT_DEFAULT)
                as usize,
            queue_bytes: queue.unwrap_or_else(|| share.max(MIN_QUEUE_MESSAGES * message)) as usize,
        }
    }

    /// Returns the consumer's settings.
    pub fn consumer(&self) -> ConsumerSettings {
        let given = |keys: &[&str], default: i32| {
            let value = keys.iter().find_map(|key| self.consumer.get(*key));
            value.and_then(|value| value.trim().parse().ok()).unwrap_or(default)
        };
        // One message must fit, or it could never be read.
        let message = i32::try_from(message_size::needed_bytes(self.payload)).unwrap_or(i32::MAX);
        ConsumerSettings {
            limits: FetchLimits {
                max_wait_ms: given(&["fetch.wait.max.ms"], 500),
                min_bytes: given(&["fetch.min.bytes"], 1),
                max_bytes: given(&["fetch.max.bytes"], 50 << 20).max(message),
                partition_bytes: given(
                    &["max.partition.fetch.bytes", "fetch.message.max.bytes"],
                    1 << 20,
                )
                .max(message),
            },
            check_crcs: self.consumer.get("check.crcs").is_some_and(|value| value.trim() == "true"),
            socket_timeout: Duration::from_millis(
                u64::try_from(given(&["socket.timeout.ms"], 60_000)).unwrap_or_default(),
            ),
        }
    }

    /// Returns the settings in force, for the record, named as in a profile.
    pub fn effective(&self, max_batch_bytes: Option<u64>) -> Vec<(String, String)> {
        let single = self.producer(Batching::Single, 1, max_batch_bytes);
        let bulk = self.producer(Batching::Bulk, 1, max_batch_bytes);
        let consumer = self.consumer();
        let compression = format!("{:?}", single.compression).to_lowercase();
        let limits = consumer.limits;
        [
            ("producer.acks", single.acks.to_string()),
            ("producer.linger.ms", single.linger.as_millis().to_string()),
            ("producer.compression.codec", compression),
            ("producer.enable.idempotence", single.idempotent.to_string()),
            ("producer.max.in.flight.requests.per.connection", single.max_in_flight.to_string()),
            ("producer.message.max.bytes", single.max_message_bytes.to_string()),
            ("producer.message.timeout.ms", single.message_timeout.as_millis().to_string()),
            ("producer.tcp_nodelay", "true".into()),
            ("bulk.linger.ms", bulk.linger.as_millis().to_string()),
            ("bulk.batch.size", bulk.batch_bytes.to_string()),
            ("bulk.queue.buffering.max.kbytes", (bulk.queue_bytes / 1024).to_string()),
            ("consumer.fetch.min.bytes", limits.min_bytes.to_string()),
            ("consumer.fetch.wait.max.ms", limits.max_wait_ms.to_string()),
            ("consumer.max.partition.fetch.bytes", limits.partition_bytes.to_string()),
            ("consumer.check.crcs", consumer.check_crcs.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }
}

fn number<T: FromStr>(value: &str) -> Option<T> {
    value.trim().parse().ok()
}

/// Returns why the value of a known key has no meaning.
fn value_error(key: &str, value: &str) -> Option<String> {
    if needs_missing_zstd(key, value) {
        return Some(MISSING_ZSTD.into());
    }
    let value = value.trim();
    let expected = match key {
        "acks" | "request.required.acks" => {
            (!["0", "1", "-1", "all"].contains(&value)).then_some("0, 1 or \"all\"")
        }
        "compression.type" | "compression.codec" => Compression::from_name(value)
            .is_none()
            .then_some("\"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\""),
        "enable.idempotence" | "check.crcs" => {
            value.parse::<bool>().is_err().then_some("true or false")
        }
        "fetch.max.bytes"
        | "max.partition.fetch.bytes"
        | "fetch.message.max.bytes"
        | "fetch.min.bytes"
        | "fetch.wait.max.ms" => {
            number::<i32>(value).is_none_or(|number| number < 0).then_some("a whole number")
        }
        _ => number::<u32>(value).is_none().then_some("a whole number"),
    };
    expected.map(|expected| format!("it must be {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(producer: &[(&str, &str)], consumer: &[(&str, &str)]) -> NativeSettings {
        let table = |given: &[(&str, &str)]| {
            given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let settings = KafkaSettings {
            producer: table(producer),
            consumer: table(consumer),
            ..KafkaSettings::default()
        };
        NativeSettings::new(&settings, Durability::Default, Bytes(100))
    }

    fn errors(producer: &[(&str, &str)], consumer: &[(&str, &str)]) -> Vec<String> {
        native(producer, consumer).check("Apache Kafka").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_key_that_only_librdkafka_has_is_refused_with_the_way_out() {
        let refused =
            errors(&[("sticky.partitioning.linger.ms", "1")], &[("queued.min.messages", "1")]);
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert!(
            refused.iter().all(|error| error.contains("client = \"librdkafka\"")),
            "{refused:?}"
        );
    }

    #[test]
    fn a_value_without_meaning_is_refused_with_what_is_expected() {
        for (key, value, expected) in [
            ("acks", "2", "0, 1 or \"all\""),
            ("compression.type", "zip", "\"lz4\""),
            ("enable.idempotence", "yes", "true or false"),
            ("linger.ms", "-1", "a whole number"),
        ] {
            let refused = errors(&[(key, value)], &[]);
            assert!(refused.len() == 1 && refused[0].contains(expected), "{key}: {refused:?}");
        }
        assert_eq!(
            errors(&[("acks", "all"), ("linger.ms", "5")], &[("check.crcs", "true")]),
            [""; 0]
        );
    }

    #[test]
    fn idempotence_needs_the_acknowledgement_of_all() {
        let given = [("enable.idempotence", "true"), ("acks", "1")];
        assert!(errors(&given, &[])[0].contains("acks = \"all\""));
        let settings = native(&given[..1], &[]).producer(Batching::Single, 1, None);
        assert_eq!((settings.acks, settings.max_in_flight), (-1, MAX_IDEMPOTENT_IN_FLIGHT));
    }

    #[test]
    fn batches_are_no_larger_than_the_topic_accepts_and_queues_are_shared() {
        let settings = native(&[], &[]);
        let bulk = |users, limit| settings.producer(Batching::Bulk, users, limit);
        assert_eq!(bulk(1, Some(50_000)).batch_bytes, 50_000);
        assert_eq!(bulk(1, None).batch_bytes, BULK_BATCH_BYTES as usize);
        assert_eq!(bulk(1, None).queue_bytes, 8 << 20);
        assert_eq!(bulk(1_000, None).queue_bytes, 256 << 10);
        let single = |users| settings.producer(Batching::Single, users, None).queue_bytes;
        assert_eq!((single(1), single(10_000)), (64 << 20, (64 << 20) / 10_000));
        assert_eq!(single(1_000_000), 4 * (100 + 8 + 512), "a few messages each");
    }

    #[test]
    fn a_message_fits_into_what_the_consumer_asks_for() {
        let large = KafkaSettings::default();
        let large = NativeSettings::new(&large, Durability::Default, Bytes(9_000_000));
        assert!(large.consumer().limits.partition_bytes > 9_000_000);
        assert!(large.producer(Batching::Single, 1, None).max_message_bytes > 9_000_000);
    }
}
