//! Images of others, started by what their makers document.
//!
//! | image | contract |
//! |---|---|
//! | `apache/kafka`, `apache/kafka-native` | the Docker image's usage guide in Kafka's own repository: `KAFKA_*` variables replace the settings inside, no arguments |
//! | `confluentinc/cp-kafka` | Confluent's "Docker Image Configuration Reference": the same variables, and `CLUSTER_ID` |
//!
//! All of them run without ZooKeeper. Any other name stands for an image that takes what our own
//! recipe's takes.

use std::sync::LazyLock;

use super::servers::{CONTAINER_PORT, HOST_PORT, variable};

/// Where these images have a volume for data, which their user may write to.
pub(super) const DATA: &str = "/var/lib/kafka/data";

/// The settings of our own recipe for one server that is broker and controller.
static SETTINGS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let common =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/kafka/common.properties"));
    let alone =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/kafka/kraft.properties"));
    let setting = |line: &str| {
        let (key, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        Some((variable(key), value.to_owned()))
    };
    common.lines().chain(alone.lines()).filter_map(setting).collect()
});

/// Who made an image, and so how it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// The Apache Kafka project: `native` is compiled ahead of time and has no Java heap.
    Apache {
        /// Whether it is the native one.
        native: bool,
    },
    /// Confluent.
    Confluent,
    /// Somebody who keeps to the contract of our own recipe.
    Own,
}

impl Maker {
    /// The maker of the image `name`, from whatever registry it comes.
    pub(super) fn of(name: &str) -> Self {
        let repository = repository(name);
        let is = |wanted: &str| {
            repository.strip_suffix(wanted).is_some_and(|r| r.is_empty() || r.ends_with('/'))
        };
        if is("apache/kafka") {
            Self::Apache { native: false }
        } else if is("apache/kafka-native") {
            Self::Apache { native: true }
        } else if is("confluentinc/cp-kafka") {
            Self::Confluent
        } else {
            Self::Own
        }
    }
}

/// The variables that make such an image one server, reachable at its own address and from outside
/// the hub.
pub(super) fn environment() -> Vec<(String, String)> {
    let mut environment = SETTINGS.clone();
    let mut set = |name: &str, value: String| match environment.iter_mut().find(|(n, _)| n == name)
    {
        Some(entry) => entry.1 = value,
        None => environment.push((name.to_owned(), value)),
    };
    set("KAFKA_LOG_DIRS", DATA.to_owned());
    set("CLUSTER_ID", CLUSTER.to_owned());
    set(
        "KAFKA_ADVERTISED_LISTENERS",
        format!("PLAINTEXT://{{self}}:{CONTAINER_PORT},HOST://{{host}}:{{port:{HOST_PORT}}}"),
    );
    environment
}

/// Any identity of 16 bytes in base64: a cluster lives for one repetition.
const CLUSTER: &str = "hubmarkhubmarkhubmarkg";

/// The tag of an image's name, if it has one.
pub(super) fn tag(name: &str) -> Option<&str> {
    let name = name.split('@').next().unwrap_or(name);
    let (_, tag) = name.rsplit_once(':')?;
    (!tag.contains('/')).then_some(tag)
}

/// An image's name without tag and digest.
fn repository(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_known_by_the_name_from_any_registry() {
        let cases = [
            ("apache/kafka", Maker::Apache { native: false }),
            ("apache/kafka:4.1.0", Maker::Apache { native: false }),
            ("docker.io/apache/kafka:latest", Maker::Apache { native: false }),
            ("box:5000/apache/kafka", Maker::Apache { native: false }),
            ("apache/kafka-native:4.1.0", Maker::Apache { native: true }),
            ("confluentinc/cp-kafka:8.0.0", Maker::Confluent),
            ("hubmark/kafka:4.4.0", Maker::Own),
            ("notapache/kafka:1", Maker::Own),
            ("me/kafka@sha256:00", Maker::Own),
        ];
        for (name, maker) in cases {
            assert_eq!(Maker::of(name), maker, "{name}");
        }
    }

    #[test]
    fn tags_are_not_ports() {
        assert_eq!(tag("apache/kafka:4.1.0"), Some("4.1.0"));
        assert_eq!(tag("box:5000/apache/kafka"), None);
        assert_eq!(tag("box:5000/apache/kafka:4.1.0@sha256:00"), Some("4.1.0"));
        assert_eq!(tag("kafka"), None);
    }

    #[test]
    fn the_variables_are_those_of_our_own_settings_but_for_the_place_of_the_data() {
        let environment = environment();
        let value = |name: &str| {
            let found: Vec<_> = environment.iter().filter(|(n, _)| n == name).collect();
            assert_eq!(found.len(), 1, "{name}: {environment:?}");
            found[0].1.clone()
        };
        assert_eq!(value("KAFKA_LOG_DIRS"), DATA);
        assert_eq!(value("KAFKA_PROCESS_ROLES"), "broker,controller");
        assert_eq!(value("KAFKA_AUTO_CREATE_TOPICS_ENABLE"), "false");
        assert_eq!(value("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"), "1");
        assert!(value("KAFKA_LISTENERS").contains("HOST://0.0.0.0:9094"));
        assert_eq!(
            value("KAFKA_ADVERTISED_LISTENERS"),
            "PLAINTEXT://{self}:9092,HOST://{host}:{port:9094}"
        );
        assert_eq!(value("CLUSTER_ID").len(), 22);
    }
}
