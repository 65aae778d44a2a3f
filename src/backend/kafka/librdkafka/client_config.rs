//! Configurations of all librdkafka clients of a session, and their check without a server.

use rdkafka::{
    ClientConfig,
    config::RDKafkaLogLevel,
    consumer::BaseConsumer,
    error::{KafkaError, KafkaResult},
    producer::BaseProducer,
};

use super::error_reporter::{ErrorReporter, LoggingContext};
use crate::{
    backend::{
        BackendError, Batching,
        kafka::{
            message_size,
            settings::{KafkaSettings, MISSING_ZSTD, SettingsTable, is_secret, needs_missing_zstd},
            target::KafkaTarget,
        },
    },
    plan::Durability,
    stamp::Stamp,
    units::Bytes,
};

/// Queue limit, in KiB, of a fleet that batches, shared among its users.
///
/// Twenty batches fit into it, few enough for a processor's caches. A queue of 256 MiB, which an
/// unpaced load fills at once, was a fifth slower: every byte went to memory and back.
const BULK_QUEUE_KIB: u32 = 8 * 1024;
/// Minimum queue limit, in KiB, of each of many users: two batches.
const MIN_QUEUE_KIB: u32 = 1024;
/// Minimum number of messages that fit into a user's queue: a message larger than the queue would
/// wait forever.
const MIN_QUEUE_MESSAGES: u64 = 4;
/// librdkafka's default for the bytes of a batch.
const DEFAULT_BATCH_BYTES: u64 = 1_000_000;
/// Bytes of a batch. librdkafka's default of one million was slower for the same reason, 64 KiB
/// because it takes more requests.
const BULK_BATCH_BYTES: u64 = 400_000;

/// Builds the client configurations of one point.
#[derive(Debug, Clone)]
pub struct ClientConfigs {
    payload: Bytes,
    /// Size of a message with its stamp.
    message_size: Bytes,
    producer: SettingsTable,
    consumer: SettingsTable,
    durability: Durability,
    asks_for_acks: bool,
}

impl ClientConfigs {
    pub fn new(settings: &KafkaSettings, durability: Durability, payload: Bytes) -> Self {
        Self {
            payload,
            message_size: Bytes(payload.0 + Stamp::LEN as u64),
            producer: settings.producer.clone(),
            consumer: settings.consumer.clone(),
            durability,
            asks_for_acks: settings.asks_for_acks(),
        }
    }

    /// Whether the producers ask for acknowledgements.
    pub const fn asks_for_acks(&self) -> bool {
        self.asks_for_acks
    }

    /// Returns the configuration of one user's producer, of `users` in all; no batch is larger than
    /// `max_batch_bytes`, the topic's limit.
    ///
    /// A broker refuses every message of a larger batch. Messages are also batched when each is sent
    /// at once, as soon as a user has more than one to send.
    pub fn producer(
        &self,
        target: &KafkaTarget,
        batching: Batching,
        users: u32,
        max_batch_bytes: Option<u64>,
    ) -> ClientConfig {
        let mut config = common_config(target);
        let max_batch_bytes = max_batch_bytes.unwrap_or(u64::MAX).max(1);
        match batching {
            // librdkafka's default of 5 ms would dominate the measured latency.
            Batching::Single => {
                if max_batch_bytes < DEFAULT_BATCH_BYTES {
                    config.set("batch.size", max_batch_bytes.to_string());
                }
                config.set("linger.ms", "0")
            }
            Batching::Bulk => {
                let queue = self.bulk_queue_kib(users);
                config
                    .set("linger.ms", "5")
                    .set("batch.size", BULK_BATCH_BYTES.min(max_batch_bytes).to_string())
                    .set("queue.buffering.max.kbytes", queue.to_string())
            }
        };
        if let Some(limit) = message_size::client_limit(self.payload) {
            config.set(message_size::CLIENT_KEY, limit.to_string());
        }
        match self.durability {
            Durability::Default => &mut config,
            Durability::Memory => config.set("acks", "1"),
            Durability::Disk => config.set("acks", "all"),
        };
        config.extend(self.producer.clone());
        config
    }

    /// Returns the queue limit, in KiB, of each of `users` producers that batch.
    fn bulk_queue_kib(&self, users: u32) -> u64 {
        let share = u64::from((BULK_QUEUE_KIB / users.max(1)).max(MIN_QUEUE_KIB));
        share.max((MIN_QUEUE_MESSAGES * self.message_size.0).div_ceil(1024))
    }

    /// Returns the configuration of the consumer; librdkafka requires a group name even though the
    /// partitions are assigned by hand.
    pub fn consumer(&self, target: &KafkaTarget) -> ClientConfig {
        let mut config = common_config(target);
        config
            .set("group.id", "hubmark")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("fetch.min.bytes", "1")
            .set("fetch.wait.max.ms", "500")
            // By default a full local queue pauses fetching for a second.
            .set("fetch.queue.backoff.ms", "1")
            .set("fetch.error.backoff.ms", "20");
        config.extend(self.consumer.clone());
        config
    }

    /// Returns an error for each producer or consumer setting that librdkafka refuses.
    pub fn check(&self, title: &str) -> Vec<BackendError> {
        let mut found = Vec::new();
        for (table, given) in [("producer", &self.producer), ("consumer", &self.consumer)] {
            found.extend(key_errors(title, table, given));
        }
        // Two keys that are valid alone may contradict each other: librdkafka reports that at
        // creation.
        if found.is_empty() {
            let unreachable = KafkaTarget::new("unreachable", ([127, 0, 0, 1], 9).into());
            for batching in [Batching::Single, Batching::Bulk] {
                let config = self.producer(&unreachable, batching, 1, None);
                found.extend(combination_error(title, "producer", &self.producer, || {
                    create_client::<BaseProducer<_>>(&without_servers(config)).err()
                }));
            }
            found.dedup_by_key(|error| error.to_string());
            let config = self.consumer(&unreachable);
            found.extend(combination_error(title, "consumer", &self.consumer, || {
                create_client::<BaseConsumer<_>>(&without_servers(config)).err()
            }));
        }
        found
    }

    /// Returns the client settings in force, for the record, named as in a profile.
    ///
    /// The prefix `bulk` marks the settings of a producer that batches.
    pub fn effective_settings(
        &self,
        target: &KafkaTarget,
        max_batch_bytes: Option<u64>,
    ) -> KafkaResult<Vec<(String, String)>> {
        let single = self.producer(target, Batching::Single, 1, max_batch_bytes);
        let bulk = self.producer(target, Batching::Bulk, 1, max_batch_bytes);
        let consumer = self.consumer(target);
        let mut facts = Vec::new();
        for (prefix, mut config, keys, given) in [
            ("producer", single, PRODUCER_FACTS, Some(&self.producer)),
            ("bulk", bulk, BULK_FACTS, None),
            ("consumer", consumer, CONSUMER_FACTS, Some(&self.consumer)),
        ] {
            // librdkafka returns defaults of topic settings, such as `acks`, only once one of them
            // is set.
            config.set("consume.callback.max.messages", "0");
            let native = config.create_native_config()?;
            let given = given.into_iter().flat_map(SettingsTable::keys).map(String::as_str);
            let given = given.filter(|key| !keys.contains(key) && !is_secret(key));
            for key in keys.iter().copied().chain(given) {
                facts.push((format!("{prefix}.{key}"), native.get(key)?));
            }
        }
        Ok(facts)
    }
}

const PRODUCER_FACTS: &[&str] = &[
    "acks",
    "linger.ms",
    "batch.size",
    "compression.codec",
    "enable.idempotence",
    "max.in.flight.requests.per.connection",
    message_size::CLIENT_KEY,
    "message.timeout.ms",
];
const BULK_FACTS: &[&str] = &[
    "linger.ms",
    "batch.size",
    "batch.num.messages",
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
];
const CONSUMER_FACTS: &[&str] = &[
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "fetch.queue.backoff.ms",
    "queued.min.messages",
    "check.crcs",
];

fn common_config(target: &KafkaTarget) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &target.bootstrap)
        .set("client.id", "hubmark")
        // Costs 130 KiB per client and sends the server nothing that a measurement needs.
        .set("enable.metrics.push", "false")
        // A deleted topic must not be created again by a client.
        .set("allow.auto.create.topics", "false")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set_log_level(RDKafkaLogLevel::Warning);
    if let Some(account) = &target.account {
        config
            .set("security.protocol", "SASL_PLAINTEXT")
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", &account.user)
            .set("sasl.password", &account.password);
    }
    config
}

fn without_servers(mut config: ClientConfig) -> ClientConfig {
    config.remove("bootstrap.servers");
    config
}

fn create_client<T: rdkafka::config::FromClientConfigAndContext<LoggingContext>>(
    config: &ClientConfig,
) -> KafkaResult<T> {
    config.create_with_context(LoggingContext(ErrorReporter::to_log("check of the settings")))
}

fn key_errors(title: &str, table: &str, given: &SettingsTable) -> Vec<BackendError> {
    let refused = |(key, value): (&String, &String)| {
        let mut config = ClientConfig::new();
        let error = config.set(key, value).create_native_config().err()?;
        let reason = match error {
            _ if needs_missing_zstd(key, value) => MISSING_ZSTD.to_owned(),
            KafkaError::ClientConfig(_, reason, ..) => reason,
            other => other.to_string(),
        };
        Some(BackendError::setting(title, &format!("{table}.{key}"), value, reason))
    };
    given.iter().filter_map(refused).collect()
}

fn combination_error(
    title: &str,
    table: &str,
    given: &SettingsTable,
    attempt: impl FnOnce() -> Option<KafkaError>,
) -> Option<BackendError> {
    let reason = match attempt()? {
        KafkaError::ClientCreation(reason) | KafkaError::ClientConfig(_, reason, ..) => reason,
        other => other.to_string(),
    };
    let text: Vec<_> = given.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    Some(BackendError::setting(title, table, format!("{{ {} }}", text.join(", ")), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pairs: &[(&str, &str)]) -> SettingsTable {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn clients(producer: &[(&str, &str)], durability: Durability) -> ClientConfigs {
        let settings = KafkaSettings { producer: table(producer), ..KafkaSettings::default() };
        ClientConfigs::new(&settings, durability, Bytes(1_000))
    }

    fn target() -> KafkaTarget {
        KafkaTarget::new("kafka", ([127, 0, 0, 1], 9092).into())
    }

    #[test]
    #[cfg(not(feature = "zstd"))]
    fn zstd_is_refused_with_advice_by_a_build_without_it() {
        let clients = clients(&[("compression.codec", "zstd")], Durability::Default);
        let found: Vec<_> = clients.check("Kafka").iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("--features zstd"), "{found:?}");
    }

    #[test]
    fn every_key_that_librdkafka_refuses_is_reported() {
        let clients = clients(
            &[("linger.ms", "5"), ("linger.sm", "5"), ("acks", "several"), ("retries", "-4")],
            Durability::Default,
        );
        let found: Vec<_> = clients.check("Apache Kafka").iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found.iter().any(|text| text.contains("producer.linger.sm = 5")), "{found:#?}");
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let clients =
            clients(&[("enable.idempotence", "true"), ("acks", "1")], Durability::Default);
        let found = clients.check("Apache Kafka");
        assert_eq!(found.len(), 1, "{found:#?}");
    }

    #[test]
    fn good_settings_pass() {
        assert!(clients(&[("linger.ms", "5")], Durability::Disk).check("Apache Kafka").is_empty());
    }

    #[test]
    fn the_operators_settings_win_and_are_in_the_facts() {
        let facts = clients(&[("linger.ms", "7"), ("retries", "3")], Durability::Memory)
            .effective_settings(&target(), None)
            .unwrap();
        let fact =
            |name: &str| facts.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(fact("producer.linger.ms"), Some("7"));
        assert_eq!(fact("producer.acks"), Some("1"));
        assert_eq!(fact("producer.retries"), Some("3"));
        assert_eq!(fact("bulk.linger.ms"), Some("7"));
    }

    #[test]
    fn a_latency_producer_does_not_linger_and_keeps_librdkafkas_acks() {
        let facts = clients(&[], Durability::Default).effective_settings(&target(), None).unwrap();
        assert!(facts.contains(&("producer.linger.ms".into(), "0".into())), "{facts:?}");
        assert!(facts.contains(&("producer.acks".into(), "-1".into())), "{facts:?}");
    }

    #[test]
    fn no_batch_is_larger_than_the_topic_accepts() {
        let clients = clients(&[], Durability::Default);
        let size = |batching, limit| {
            let config = clients.producer(&target(), batching, 1, limit);
            config.get("batch.size").map(str::to_owned)
        };
        for batching in [Batching::Single, Batching::Bulk] {
            assert_eq!(size(batching, Some(100_000)).as_deref(), Some("100000"), "{batching:?}");
        }
        assert_eq!(size(Batching::Bulk, Some(2_000_000)).as_deref(), Some("400000"));
        assert_eq!(size(Batching::Single, Some(2_000_000)), None, "librdkafka's own");
    }

    #[test]
    fn the_largest_message_fits_into_the_smallest_queue() {
        for (payload, users) in [(0, 1), (100, 1_000), (1 << 20, 100), (16 << 20, 1), (16 << 20, 7)]
        {
            let clients =
                ClientConfigs::new(&KafkaSettings::default(), Durability::Default, Bytes(payload));
            let config = clients.producer(&target(), Batching::Bulk, users, None);
            let queue: u64 = config.get("queue.buffering.max.kbytes").unwrap().parse().unwrap();
            assert!(queue * 1024 >= 4 * (payload + 8), "{payload} B, {users} users: {queue} KiB");
            assert!(queue >= 1024 && config.create_native_config().is_ok());
            let facts = clients.effective_settings(&target(), None).unwrap();
            let (_, limit) =
                facts.iter().find(|(key, _)| key == "producer.message.max.bytes").unwrap();
            assert!(limit.parse::<u64>().unwrap() >= payload + 200, "{payload} B: {limit}");
        }
    }

    #[test]
    fn a_password_is_not_recorded() {
        let facts = clients(&[("sasl.password", "hush")], Durability::Default)
            .effective_settings(&target(), None);
        assert!(!format!("{:?}", facts.unwrap()).contains("hush"));
        let server = crate::plan::external::ExternalServer {
            address: "a:1".into(),
            user: Some("u".into()),
            ..Default::default()
        };
        let target = target().into_external(&server, "hush");
        let clients = clients(&[], Durability::Default);
        let facts = clients.effective_settings(&target, None).unwrap();
        assert!(!format!("{facts:?} {target:?} {clients:?}").contains("hush"));
        let config = clients.producer(&target, Batching::Single, 1, None);
        assert_eq!(config.get("sasl.password"), Some("hush"));
        assert_eq!(config.get("bootstrap.servers"), Some("a:1"));
    }
}
