//! The settings of every librdkafka client of a session, and their check without any server.

use rdkafka::{
    ClientConfig,
    config::RDKafkaLogLevel,
    consumer::BaseConsumer,
    error::{KafkaError, KafkaResult},
    producer::BaseProducer,
};

use super::{
    notes::{Listener, Notes},
    place::Place,
    settings::{self, Settings, Table, is_secret},
};
use crate::{
    backend::{BackendError, Bundling},
    plan::Durability,
    stamp::Stamp,
    units::Bytes,
};

/// What librdkafka may hold for one fleet that bundles: twenty bundles, few enough for the caches
/// of a processor. A queue of 256 MiB, which a load that is never waiting fills at once, was a fifth
/// slower: every byte went to memory and back.
const BULK_QUEUE_KIB: u32 = 8 * 1024;
/// The least that one of many users may hold: two bundles,
const LEAST_QUEUE_KIB: u32 = 1024;
/// and so many messages: what never fits is waited for forever.
const LEAST_QUEUE: u64 = 4;
/// Bytes of a bundle. librdkafka's own million was slower for the same reason, 64 KiB because there
/// are more requests.
const BULK_BATCH: u32 = 400_000;

/// Makes the settings of the clients of one point.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    /// A message with its stamp.
    message: Bytes,
    producer: Table,
    consumer: Table,
    durability: Durability,
}

impl Clients {
    pub(super) fn new(settings: &Settings, durability: Durability, payload: Bytes) -> Self {
        Self {
            message: Bytes(payload.0 + Stamp::LEN as u64),
            producer: settings.producer.clone(),
            consumer: settings.consumer.clone(),
            durability,
        }
    }

    /// One user's producer among `users`.
    pub(super) fn producer(&self, place: &Place, bundling: Bundling, users: u32) -> ClientConfig {
        let mut config = common(place);
        match bundling {
            // librdkafka's own 5 ms would be most of what a latency run measures.
            Bundling::Single => config.set("linger.ms", "0"),
            Bundling::Bulk => {
                let queue = self.bulk_queue_kib(users);
                config
                    .set("linger.ms", "5")
                    .set("batch.size", BULK_BATCH.to_string())
                    .set("queue.buffering.max.kbytes", queue.to_string())
            }
        };
        match self.durability {
            Durability::Default => &mut config,
            Durability::Memory => config.set("acks", "1"),
            Durability::Disk => config.set("acks", "all"),
        };
        config.extend(self.producer.clone());
        config
    }

    /// What one of `users` that bundle may hold, in KiB.
    fn bulk_queue_kib(&self, users: u32) -> u64 {
        let share = u64::from((BULK_QUEUE_KIB / users.max(1)).max(LEAST_QUEUE_KIB));
        share.max((LEAST_QUEUE * self.message.0).div_ceil(1024))
    }

    /// The consumer. Its partitions are assigned; the group is only a name that librdkafka asks for.
    pub(super) fn consumer(&self, place: &Place) -> ClientConfig {
        let mut config = common(place);
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

    /// The client that makes topics, reads settings back and counts.
    pub(super) fn control(place: &Place) -> ClientConfig {
        common(place)
    }

    /// Everything in the producer's and the consumer's table that librdkafka refuses.
    pub(super) fn check(&self, title: &str) -> Vec<BackendError> {
        let mut found = Vec::new();
        for (table, given) in [("producer", &self.producer), ("consumer", &self.consumer)] {
            found.extend(refused_keys(title, table, given));
        }
        // Each key may be fine while two of them contradict each other: that shows at creation.
        if found.is_empty() {
            let nowhere = Place::at("nowhere", ([127, 0, 0, 1], 9).into());
            for bundling in [Bundling::Single, Bundling::Bulk] {
                let config = self.producer(&nowhere, bundling, 1);
                found.extend(refused_together(title, "producer", &self.producer, || {
                    create::<BaseProducer<_>>(&offline(config)).err()
                }));
            }
            found.dedup_by_key(|error| error.to_string());
            let config = self.consumer(&nowhere);
            found.extend(refused_together(title, "consumer", &self.consumer, || {
                create::<BaseConsumer<_>>(&offline(config)).err()
            }));
        }
        found
    }

    /// Names and values of client settings in force, for the record. Named as in a profile;
    /// `bulk` are those of a producer that bundles.
    pub(super) fn in_force(&self, place: &Place) -> KafkaResult<Vec<(String, String)>> {
        let single = self.producer(place, Bundling::Single, 1);
        let bulk = self.producer(place, Bundling::Bulk, 1);
        let consumer = self.consumer(place);
        let mut facts = Vec::new();
        for (prefix, mut config, keys, given) in [
            ("producer", single, PRODUCER_FACTS, Some(&self.producer)),
            ("bulk", bulk, BULK_FACTS, None),
            ("consumer", consumer, CONSUMER_FACTS, Some(&self.consumer)),
        ] {
            // Defaults of a topic's settings (`acks` is one) can be read only once any of them is set.
            config.set("consume.callback.max.messages", "0");
            let native = config.create_native_config()?;
            let given = given.into_iter().flat_map(Table::keys).map(String::as_str);
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

fn common(place: &Place) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &place.bootstrap)
        .set("client.id", "hubmark")
        // Costs 130 KiB a client and tells the server nothing that a measurement needs.
        .set("enable.metrics.push", "false")
        // A topic that is gone shall stay gone.
        .set("allow.auto.create.topics", "false")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set_log_level(RDKafkaLogLevel::Warning);
    if let Some(account) = &place.account {
        config
            .set("security.protocol", "SASL_PLAINTEXT")
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", &account.user)
            .set("sasl.password", &account.password);
    }
    config
}

fn offline(mut config: ClientConfig) -> ClientConfig {
    config.remove("bootstrap.servers");
    config
}

fn create<T: rdkafka::config::FromClientConfigAndContext<Listener>>(
    config: &ClientConfig,
) -> KafkaResult<T> {
    config.create_with_context(Listener(Notes::to_log("check of the settings")))
}

fn refused_keys(title: &str, table: &str, given: &Table) -> Vec<BackendError> {
    let refused = |(key, value): (&String, &String)| {
        let mut config = ClientConfig::new();
        let error = config.set(key, value).create_native_config().err()?;
        let reason = match error {
            KafkaError::ClientConfig(_, reason, ..) => reason,
            other => other.to_string(),
        };
        Some(settings::refusal(title, &format!("{table}.{key}"), value, &reason))
    };
    given.iter().filter_map(refused).collect()
}

fn refused_together(
    title: &str,
    table: &str,
    given: &Table,
    attempt: impl FnOnce() -> Option<KafkaError>,
) -> Option<BackendError> {
    let reason = match attempt()? {
        KafkaError::ClientCreation(reason) | KafkaError::ClientConfig(_, reason, ..) => reason,
        other => other.to_string(),
    };
    let text: Vec<_> = given.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    Some(settings::refusal(title, table, &format!("{{ {} }}", text.join(", ")), &reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pairs: &[(&str, &str)]) -> Table {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn clients(producer: &[(&str, &str)], durability: Durability) -> Clients {
        let settings = Settings { producer: table(producer), ..Settings::default() };
        Clients::new(&settings, durability, Bytes(1_000))
    }

    fn place() -> Place {
        Place::at("kafka", ([127, 0, 0, 1], 9092).into())
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
            .in_force(&place())
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
        let facts = clients(&[], Durability::Default).in_force(&place()).unwrap();
        assert!(facts.contains(&("producer.linger.ms".into(), "0".into())), "{facts:?}");
        assert!(facts.contains(&("producer.acks".into(), "-1".into())), "{facts:?}");
    }

    #[test]
    fn the_largest_message_fits_into_the_smallest_queue() {
        for (payload, users) in [(0, 1), (100, 1_000), (1 << 20, 100), (16 << 20, 1), (16 << 20, 7)]
        {
            let clients = Clients::new(&Settings::default(), Durability::Default, Bytes(payload));
            let config = clients.producer(&place(), Bundling::Bulk, users);
            let queue: u64 = config.get("queue.buffering.max.kbytes").unwrap().parse().unwrap();
            assert!(queue * 1024 >= 4 * (payload + 8), "{payload} B, {users} users: {queue} KiB");
            assert!(queue >= 1024 && config.create_native_config().is_ok());
        }
    }

    #[test]
    fn a_password_is_no_fact() {
        let facts = clients(&[("sasl.password", "hush")], Durability::Default).in_force(&place());
        assert!(!format!("{:?}", facts.unwrap()).contains("hush"));
        let server = crate::plan::external::ExternalServer {
            address: "a:1".into(),
            user: Some("u".into()),
            ..Default::default()
        };
        let place = place().external(&server, "hush");
        let clients = clients(&[], Durability::Default);
        let facts = clients.in_force(&place).unwrap();
        assert!(!format!("{facts:?} {place:?} {clients:?}").contains("hush"));
        let config = clients.producer(&place, Bundling::Single, 1);
        assert_eq!(config.get("sasl.password"), Some("hush"));
        assert_eq!(config.get("bootstrap.servers"), Some("a:1"));
    }
}
