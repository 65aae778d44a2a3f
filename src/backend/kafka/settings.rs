//! The backend's table of a profile, and which of its keys this program keeps to itself.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::official::Maker;
use crate::{
    backend::{BackendError, SettingKey, SettingKind},
    plan::Durability,
    units::Bytes,
};

pub(super) const PARTITIONS: SettingKey = SettingKey {
    name: "partitions",
    kind: SettingKind::Integer(1, 1_000),
    default: "1",
    help: "partitions of the topic; a user always writes to the same one",
};
pub(super) const PRODUCER: SettingKey = SettingKey {
    name: "producer",
    kind: SettingKind::Table,
    default: "",
    help: "settings of every user's producer under librdkafka's own names, for example \"linger.ms\" = 5",
};
pub(super) const CONSUMER: SettingKey = SettingKey {
    name: "consumer",
    kind: SettingKind::Table,
    default: "",
    help: "settings of the consumer under librdkafka's own names",
};
pub(super) const IMAGE: SettingKey = SettingKey {
    name: "image",
    kind: SettingKind::Text,
    default: "",
    help: "image to run instead of the recipe's: apache/kafka, apache/kafka-native or confluentinc/cp-kafka, or one that takes the recipe's arguments and variables",
};
pub(super) const HEAP: SettingKey = SettingKey {
    name: "heap",
    kind: SettingKind::Bytes,
    default: "",
    help: "the broker's Java heap; 512 MiB where it is not given",
};
pub(super) const ZOOKEEPER_HEAP: SettingKey = SettingKey {
    name: "zookeeper_heap",
    kind: SettingKind::Bytes,
    default: "",
    help: "ZooKeeper's Java heap; 32 to 128 MiB where it is not given",
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

/// A table of keys that the client library or the server knows; every value as text.
pub(super) type Table = BTreeMap<String, String>;

/// The backend's table of a profile, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub image: Option<String>,
    /// Bytes.
    pub heap: Option<u64>,
    /// Bytes.
    pub zookeeper_heap: Option<u64>,
    pub partitions: i32,
    pub replication: i32,
    pub producer: Table,
    pub consumer: Table,
    pub topic: Table,
    pub server: Table,
}

impl Settings {
    /// Reads what a profile gave; keys that are missing have their defaults.
    pub(super) fn read(title: &str, given: &Map<String, Value>) -> Result<Self, BackendError> {
        let given = Given { title, given };
        Ok(Self {
            image: given.value::<String>(&IMAGE)?.filter(|image| !image.is_empty()),
            heap: given.value(&HEAP)?,
            zookeeper_heap: given.value(&ZOOKEEPER_HEAP)?,
            partitions: given.value(&PARTITIONS)?.unwrap_or(1),
            replication: given.value(&REPLICATION)?.unwrap_or(1),
            producer: given.table(&PRODUCER)?,
            consumer: given.table(&CONSUMER)?,
            topic: given.table(&TOPIC)?,
            server: given.table(&SERVER)?,
        })
    }

    /// Who made the image, and so how it is started.
    pub(super) fn maker(&self) -> Maker {
        self.image.as_deref().map_or(Maker::Own, Maker::of)
    }

    /// A heap that the image does not have.
    pub(super) fn impossible(&self, title: &str) -> Option<BackendError> {
        let reason = |key: &'static str, bytes: Option<u64>, reason| {
            Some(refusal(title, key, &Bytes(bytes?).to_string(), reason))
        };
        match self.maker() {
            Maker::Own => None,
            Maker::Apache { native: true } if self.heap.is_some() => {
                reason(HEAP.name, self.heap, "a native image has no Java heap")
            }
            _ => reason(ZOOKEEPER_HEAP.name, self.zookeeper_heap, "this image runs no ZooKeeper"),
        }
    }

    /// Keys that a profile may not set, because the measurement rests on them.
    pub(super) fn reserved(&self, title: &str, durability: Durability) -> Vec<BackendError> {
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
        let refused = |(table, given, reserved): (&SettingKey, &Table, &[(&str, &str)])| {
            reserved
                .iter()
                .filter_map(|(key, reason)| {
                    let value = given.get(*key)?;
                    Some(refusal(title, &format!("{}.{key}", table.name), value, reason))
                })
                .collect::<Vec<_>>()
        };
        let mut found: Vec<_> = tables.into_iter().flat_map(refused).collect();
        for (name, table) in [(PRODUCER.name, &self.producer), (CONSUMER.name, &self.consumer)] {
            for key in table.keys().filter(|key| is_secret(key)) {
                let key = format!("{name}.{key}");
                found.push(refusal(title, &key, "…", "a profile holds no secrets"));
            }
        }
        found
    }
}

const HUB_DECIDES: &str = "the hub decides where the server is";
const RESERVED_PRODUCER: &[(&str, &str)] = &[
    ("bootstrap.servers", HUB_DECIDES),
    ("metadata.broker.list", HUB_DECIDES),
    ("delivery.report.only.error", "every acknowledgement is measured"),
    ("transactional.id", "users send outside of transactions"),
];
const RESERVED_CONSUMER: &[(&str, &str)] = &[
    ("bootstrap.servers", HUB_DECIDES),
    ("metadata.broker.list", HUB_DECIDES),
    ("auto.offset.reset", "a consumer that jumps would hide lost messages"),
];
const RESERVED_SERVER: &[(&str, &str)] =
    &[("advertised.listeners", HUB_DECIDES), ("zookeeper.connect", HUB_DECIDES)];

/// Whether the value of a setting must not go into a record, nor anywhere else.
pub(super) fn is_secret(key: &str) -> bool {
    ["password", "secret", "key.pem", "sasl.jaas"].iter().any(|word| key.contains(word))
}

/// A setting that cannot be used.
pub(super) fn refusal(title: &str, key: &str, value: &str, reason: &str) -> BackendError {
    BackendError::Setting {
        backend: title.into(),
        key: key.into(),
        value: value.into(),
        reason: reason.into(),
    }
}

struct Given<'a> {
    title: &'a str,
    given: &'a Map<String, Value>,
}

impl Given<'_> {
    fn value<T: DeserializeOwned>(&self, key: &SettingKey) -> Result<Option<T>, BackendError> {
        match self.given.get(key.name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone()).map(Some).map_err(|error| {
                refusal(self.title, key.name, &value.to_string(), &error.to_string())
            }),
        }
    }

    fn table(&self, key: &SettingKey) -> Result<Table, BackendError> {
        let text = |(name, value): (String, Value)| match value {
            Value::String(text) => Ok((name, text)),
            Value::Number(_) | Value::Bool(_) => Ok((name, value.to_string())),
            other => Err(refusal(
                self.title,
                &format!("{}.{name}", key.name),
                &other.to_string(),
                "it must be text, a number or a boolean",
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

    fn read(given: &Value) -> Result<Settings, BackendError> {
        Settings::read("Apache Kafka", given.as_object().unwrap())
    }

    #[test]
    fn nothing_given_is_one_partition_and_one_copy() {
        let settings = read(&json!({ "image": "" })).unwrap();
        assert_eq!(settings, Settings { partitions: 1, replication: 1, ..Settings::default() });
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
    fn a_heap_that_an_image_does_not_have_is_refused() {
        let problem = |given: &Value| {
            read(given).unwrap().impossible("Apache Kafka").map(|error| error.to_string())
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
            let keys = settings.reserved("Apache Kafka", durability).into_iter().map(|error| {
                let BackendError::Setting { key, .. } = error else { panic!("{error}") };
                key
            });
            keys.collect::<Vec<_>>()
        };
        let hush = read(&json!({ "consumer": { "sasl.password": "hush" } })).unwrap();
        let refused = format!("{:?}", hush.reserved("Apache Kafka", Durability::Default));
        assert!(refused.contains("consumer.sasl.password") && !refused.contains("hush"));
        assert_eq!(keys(Durability::Default), ["producer.bootstrap.servers"]);
        assert_eq!(
            keys(Durability::Disk),
            ["producer.bootstrap.servers", "producer.acks", "topic.flush.messages"]
        );
    }
}
