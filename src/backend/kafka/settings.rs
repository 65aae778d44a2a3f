//! The backend's table of a profile, and the keys in it that hubmark reserves.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::official_images::ImageVendor;
use crate::{
    backend::{BackendError, SettingKey, SettingKind},
    plan::{Durability, Scenario, Workload},
    server::HubKind,
    units::Bytes,
};

/// hubmark's own client, as a profile names it.
pub(super) const NATIVE: &str = "native";
/// librdkafka, as a profile names it.
pub(super) const LIBRDKAFKA: &str = "librdkafka";

pub(super) const PARTITIONS: SettingKey = SettingKey {
    name: "partitions",
    kind: SettingKind::Integer(1, 1_000),
    default: "1",
    help: "partitions of the topic; a user always writes to the same one",
};
pub(super) const CLIENT: SettingKey = SettingKey {
    name: "client",
    kind: SettingKind::Choice(&[NATIVE, LIBRDKAFKA]),
    default: NATIVE,
    help: "the users' client: hubmark's own, or librdkafka as in the study",
};
pub(super) const CONNECT_RATE: SettingKey = SettingKey {
    name: "connect_rate",
    kind: SettingKind::Integer(0, 1_000_000),
    default: "0",
    help: "users that connect in a second at most, with the native client; 0: as fast as the server accepts them",
};
pub(super) const LOOPS: SettingKey = SettingKey {
    name: "loops",
    kind: SettingKind::Integer(0, 64),
    default: "0",
    help: "event loops, each a thread, that share the users of the native client; 0: one for each 20,000 messages a second",
};
pub(super) const PRODUCER: SettingKey = SettingKey {
    name: "producer",
    kind: SettingKind::Table,
    default: "",
    help: "settings of every user's producer under librdkafka's names, for example \"linger.ms\" = 5",
};
pub(super) const CONSUMER: SettingKey = SettingKey {
    name: "consumer",
    kind: SettingKind::Table,
    default: "",
    help: "settings of the consumer under librdkafka's names",
};
pub(super) const IMAGE: SettingKey = SettingKey {
    name: "image",
    kind: SettingKind::Text,
    default: "",
    help: "image to run instead of the recipe's: apache/kafka, apache/kafka-native or confluentinc/cp-kafka, or any image that accepts the recipe's arguments and variables",
};
pub(super) const HEAP: SettingKey = SettingKey {
    name: "heap",
    kind: SettingKind::Bytes,
    default: "",
    help: "the broker's Java heap; by default 512 MiB",
};
pub(super) const ZOOKEEPER_HEAP: SettingKey = SettingKey {
    name: "zookeeper_heap",
    kind: SettingKind::Bytes,
    default: "",
    help: "ZooKeeper's Java heap; by default 32 to 128 MiB",
};
pub(super) const REPLICATION: SettingKey = SettingKey {
    name: "replication",
    kind: SettingKind::Integer(1, 100),
    default: "1",
    help: "copies of each partition; no more than there are brokers",
};
pub(super) const TOPIC: SettingKey = SettingKey {
    name: "topic",
    kind: SettingKind::Table,
    default: "",
    help: "settings of the topic under Kafka's own names, for example \"segment.bytes\" = 104857600",
};
pub(super) const SERVER: SettingKey = SettingKey {
    name: "server",
    kind: SettingKind::Table,
    default: "",
    help: "lines of the broker's server.properties, for example \"num.io.threads\" = 4",
};

/// Why a build without zstd refuses a setting, with advice.
pub(super) const MISSING_ZSTD: &str = "this hubmark was built without zstd: build it with --features zstd, or choose lz4, gzip or snappy";

/// Whether a setting asks for compression by zstd and this build has none.
pub(super) fn needs_missing_zstd(key: &str, value: &str) -> bool {
    !cfg!(feature = "zstd")
        && ["compression.codec", "compression.type"].contains(&key)
        && value.eq_ignore_ascii_case("zstd")
}

/// Settings of the client library or the server by key; every value as text.
pub(super) type SettingsTable = BTreeMap<String, String>;

/// The backend's table of a profile, parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KafkaSettings {
    pub image: Option<String>,
    /// Bytes.
    pub heap: Option<u64>,
    /// Bytes.
    pub zookeeper_heap: Option<u64>,
    /// [`NATIVE`] or [`LIBRDKAFKA`].
    pub client: String,
    /// Users that connect in a second at most; 0: no limit.
    pub connect_rate: u32,
    /// Event loops of the native client; 0: by the load.
    pub loops: u32,
    pub partitions: i32,
    pub replication: i32,
    pub producer: SettingsTable,
    pub consumer: SettingsTable,
    pub topic: SettingsTable,
    pub server: SettingsTable,
}

impl KafkaSettings {
    /// Parses a profile's table; missing keys have their defaults.
    pub(super) fn read(title: &str, table: &Map<String, Value>) -> Result<Self, BackendError> {
        let reader = SettingsReader { title, values: table };
        Ok(Self {
            image: reader.value::<String>(&IMAGE)?.filter(|image| !image.is_empty()),
            heap: reader.value(&HEAP)?,
            zookeeper_heap: reader.value(&ZOOKEEPER_HEAP)?,
            client: reader.value(&CLIENT)?.unwrap_or_else(|| NATIVE.to_owned()),
            connect_rate: reader.value(&CONNECT_RATE)?.unwrap_or(0),
            loops: reader.value(&LOOPS)?.unwrap_or(0),
            partitions: reader.value(&PARTITIONS)?.unwrap_or(1),
            replication: reader.value(&REPLICATION)?.unwrap_or(1),
            producer: reader.table(&PRODUCER)?,
            consumer: reader.table(&CONSUMER)?,
            topic: reader.table(&TOPIC)?,
            server: reader.table(&SERVER)?,
        })
    }

    /// Whether the producers ask for acknowledgements at all.
    pub(super) fn asks_for_acks(&self) -> bool {
        self.acks() != Some("0")
    }

    /// Returns an error for producers without acknowledgements whose throughput is measured by them.
    pub(super) fn missing_acks(&self, title: &str, workload: &Workload) -> Option<BackendError> {
        let alone = matches!(workload, Workload::Throughput(w) if w.scenario == Scenario::Producer);
        (alone && !self.asks_for_acks()).then(|| {
            let reason = "the throughput of producers alone is measured by their acknowledgements: \
                          use another scenario";
            BackendError::setting(title, "producer.acks", 0, reason)
        })
    }

    /// The number of acknowledgements that the profile sets.
    pub(super) fn acks(&self) -> Option<&str> {
        let keys = ["acks", "request.required.acks"];
        keys.iter().find_map(|key| self.producer.get(*key)).map(|acks| acks.trim())
    }

    /// Returns an error for more copies than the one broker that hubmark starts can hold.
    pub(super) fn excess_replication(&self, title: &str, hub: HubKind) -> Option<BackendError> {
        (hub != HubKind::External && self.replication > 1).then(|| {
            let reason = "hubmark starts one broker, which can hold one copy: more copies need an \
                          external cluster";
            BackendError::setting(title, REPLICATION.name, self.replication, reason)
        })
    }

    /// Returns the image's vendor, which decides how it is started.
    pub(super) fn image_vendor(&self) -> ImageVendor {
        self.image.as_deref().map_or(ImageVendor::Recipe, ImageVendor::from_image)
    }

    /// Returns an error for a heap setting that the image does not support.
    pub(super) fn unsupported_heap(&self, title: &str) -> Option<BackendError> {
        let reason = |key: &'static str, bytes: Option<u64>, reason| {
            Some(BackendError::setting(title, key, Bytes(bytes?), reason))
        };
        match self.image_vendor() {
            ImageVendor::Recipe => None,
            ImageVendor::Apache { native: true } if self.heap.is_some() => {
                reason(HEAP.name, self.heap, "a native image has no Java heap")
            }
            _ => reason(ZOOKEEPER_HEAP.name, self.zookeeper_heap, "this image runs no ZooKeeper"),
        }
    }

    /// Returns an error for each table that makes the server store messages in zstd, which a consumer
    /// without zstd could not read.
    pub(super) fn unreadable_compression(&self, title: &str) -> Vec<BackendError> {
        let tables = [(&TOPIC, &self.topic), (&SERVER, &self.server)];
        let set = tables.into_iter().flat_map(|(key, table)| table.iter().map(move |s| (key, s)));
        set.filter(|(_, (name, value))| needs_missing_zstd(name, value))
            .map(|(key, (name, value))| {
                BackendError::setting(title, &format!("{}.{name}", key.name), value, MISSING_ZSTD)
            })
            .collect()
    }

    /// Returns an error for each key that a profile must not set, because the measurement depends
    /// on it.
    pub(super) fn reserved_keys(&self, title: &str, durability: Durability) -> Vec<BackendError> {
        let decided =
            |key| (key, "the profile's durability decides it: set durability = \"default\"");
        let mut producer = RESERVED_PRODUCER.to_vec();
        let mut topic = Vec::new();
        if durability != Durability::Default {
            producer.extend(["acks", "request.required.acks"].map(decided));
            topic.extend(["flush.messages", "flush.ms", "min.insync.replicas"].map(decided));
        }
        let tables = [
            (&PRODUCER, &self.producer, producer.as_slice()),
            (&CONSUMER, &self.consumer, RESERVED_CONSUMER),
            (&TOPIC, &self.topic, topic.as_slice()),
            (&SERVER, &self.server, RESERVED_SERVER),
        ];
        let refused = |(table, given, reserved): (&SettingKey, &SettingsTable, &[(&str, &str)])| {
            reserved
                .iter()
                .filter_map(|(key, reason)| {
                    let value = given.get(*key)?;
                    Some(BackendError::setting(
                        title,
                        &format!("{}.{key}", table.name),
                        value,
                        reason,
                    ))
                })
                .collect::<Vec<_>>()
        };
        let mut found: Vec<_> = tables.into_iter().flat_map(refused).collect();
        for (name, table) in [(PRODUCER.name, &self.producer), (CONSUMER.name, &self.consumer)] {
            for key in table.keys().filter(|key| is_secret(key)) {
                let key = format!("{name}.{key}");
                let reason = "a profile must not contain secrets";
                found.push(BackendError::setting(title, &key, "…", reason));
            }
        }
        found
    }
}

/// Whether an acknowledgement waits for all replicas in sync: by the durability, the producers'
/// settings, or the clients' default.
pub(super) fn acknowledges_all(settings: &KafkaSettings, durability: Durability) -> bool {
    match durability {
        Durability::Disk => true,
        Durability::Memory => false,
        Durability::Default => matches!(settings.acks(), None | Some("all" | "-1")),
    }
}

const HUB_CHOOSES_ADDRESS: &str = "the hub decides the server's address";
const RESERVED_PRODUCER: &[(&str, &str)] = &[
    ("bootstrap.servers", HUB_CHOOSES_ADDRESS),
    ("metadata.broker.list", HUB_CHOOSES_ADDRESS),
    ("delivery.report.only.error", "every acknowledgement is measured"),
    ("transactional.id", "users send outside of transactions"),
];
const RESERVED_CONSUMER: &[(&str, &str)] = &[
    ("bootstrap.servers", HUB_CHOOSES_ADDRESS),
    ("metadata.broker.list", HUB_CHOOSES_ADDRESS),
    ("auto.offset.reset", "a consumer that resets its offset would hide lost messages"),
];
const RESERVED_SERVER: &[(&str, &str)] =
    &[("advertised.listeners", HUB_CHOOSES_ADDRESS), ("zookeeper.connect", HUB_CHOOSES_ADDRESS)];

/// Whether the setting's value is secret and must not go into a record or any other output.
pub(super) fn is_secret(key: &str) -> bool {
    ["password", "secret", "key.pem", "sasl.jaas"].iter().any(|word| key.contains(word))
}

struct SettingsReader<'a> {
    title: &'a str,
    values: &'a Map<String, Value>,
}

impl SettingsReader<'_> {
    fn value<T: DeserializeOwned>(&self, key: &SettingKey) -> Result<Option<T>, BackendError> {
        match self.values.get(key.name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|error| BackendError::setting(self.title, key.name, value, error)),
        }
    }

    fn table(&self, key: &SettingKey) -> Result<SettingsTable, BackendError> {
        let text = |(name, value): (String, Value)| match value {
            Value::String(text) => Ok((name, text)),
            Value::Number(_) | Value::Bool(_) => Ok((name, value.to_string())),
            other => Err(BackendError::setting(
                self.title,
                &format!("{}.{name}", key.name),
                other,
                "the value must be text, a number or a boolean",
            )),
        };
        let given = self.value::<Map<String, Value>>(key)?.unwrap_or_default();
        given.into_iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(given: &Value) -> Result<KafkaSettings, BackendError> {
        KafkaSettings::read("Apache Kafka", given.as_object().unwrap())
    }

    #[test]
    fn the_defaults_are_one_partition_and_one_copy() {
        let settings = read(&json!({ "image": "" })).unwrap();
        assert_eq!(
            settings,
            KafkaSettings {
                client: NATIVE.into(),
                partitions: 1,
                replication: 1,
                ..KafkaSettings::default()
            }
        );
    }

    #[test]
    fn values_of_tables_become_text() {
        let given = json!({ "producer": { "linger.ms": 5, "acks": "all", "enable.idempotence": true, "x": 0.5 } });
        let producer = read(&given).unwrap().producer;
        let text: Vec<_> = producer.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(text, ["acks=all", "enable.idempotence=true", "linger.ms=5", "x=0.5"]);
    }

    #[test]
    fn a_wrong_type_names_its_key() {
        let error = read(&json!({ "producer": { "linger.ms": [5] } })).unwrap_err().to_string();
        assert!(error.contains("producer.linger.ms = [5]"), "{error}");
        let error = read(&json!({ "partitions": "many" })).unwrap_err().to_string();
        assert!(error.contains("partitions = \"many\""), "{error}");
    }

    #[test]
    fn more_copies_than_the_one_broker_holds_are_refused() {
        let settings = read(&json!({ "replication": 3 })).unwrap();
        let refused = settings.excess_replication("Apache Kafka", HubKind::Docker);
        assert!(refused.is_some_and(|error| error.to_string().contains("one broker")));
        assert!(settings.excess_replication("Apache Kafka", HubKind::External).is_none());
        let one = read(&json!({})).unwrap();
        assert!(one.excess_replication("Apache Kafka", HubKind::Docker).is_none());
    }

    #[test]
    fn acknowledgements_are_asked_for_unless_acks_is_0() {
        let asks = |given: &Value| read(given).unwrap().asks_for_acks();
        assert!(asks(&json!({})) && asks(&json!({ "producer": { "acks": "all" } })));
        assert!(!asks(&json!({ "producer": { "acks": 0 } })));
        assert!(!asks(&json!({ "producer": { "request.required.acks": "0" } })));
    }

    #[test]
    fn a_heap_that_an_image_does_not_have_is_refused() {
        let problem = |given: &Value| {
            read(given).unwrap().unsupported_heap("Apache Kafka").map(|error| error.to_string())
        };
        let heap = 1_u64 << 28;
        assert_eq!(problem(&json!({ "image": "apache/kafka:4.1.0", "heap": heap })), None);
        let native = json!({ "image": "apache/kafka-native:4.1.0", "heap": heap });
        assert!(problem(&native).is_some_and(|text| text.contains("heap = 268 MB")));
        let alone = json!({ "image": "apache/kafka:4.1.0", "zookeeper_heap": heap });
        assert!(problem(&alone).is_some_and(|text| text.contains("no ZooKeeper")));
        assert_eq!(problem(&json!({ "image": "mine/kafka", "zookeeper_heap": heap })), None);
    }

    #[test]
    fn a_key_that_the_durability_decides_is_refused_beside_it() {
        let settings = read(&json!({
            "producer": { "acks": 0, "bootstrap.servers": "elsewhere" },
            "topic": { "flush.messages": 1000 },
        }))
        .unwrap();
        let keys = |durability| {
            let keys =
                settings.reserved_keys("Apache Kafka", durability).into_iter().map(|error| {
                    let BackendError::Setting { key, .. } = error else { panic!("{error}") };
                    key
                });
            keys.collect::<Vec<_>>()
        };
        let with_secret = read(&json!({ "consumer": { "sasl.password": "hush" } })).unwrap();
        let refused =
            format!("{:?}", with_secret.reserved_keys("Apache Kafka", Durability::Default));
        assert!(refused.contains("consumer.sasl.password") && !refused.contains("hush"));
        assert_eq!(keys(Durability::Default), ["producer.bootstrap.servers"]);
        assert_eq!(
            keys(Durability::Disk),
            ["producer.bootstrap.servers", "producer.acks", "topic.flush.messages"]
        );
    }
}
