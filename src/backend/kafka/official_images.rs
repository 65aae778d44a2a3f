//! Vendor images, started as their documentation says.
//!
//! | image | contract |
//! |---|---|
//! | `apache/kafka`, `apache/kafka-native` | the Docker image's usage guide in Kafka's own repository: `KAFKA_*` variables replace the settings inside, no arguments |
//! | `confluentinc/cp-kafka` | Confluent's "Docker Image Configuration Reference": the same variables, and `CLUSTER_ID` |
//!
//! All of them run without ZooKeeper. An image with any other name must accept the arguments and
//! variables of hubmark's recipe.

use super::{environment::RECIPE_ENVIRONMENT, listeners::advertised_listeners};

/// Data volume of these images, writable by their user.
pub(super) const DATA_DIR: &str = "/var/lib/kafka/data";

/// Vendor of an image, which decides how it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageVendor {
    /// The Apache Kafka project.
    Apache {
        /// Whether the image is compiled ahead of time and has no Java heap.
        native: bool,
    },
    /// Confluent.
    Confluent,
    /// Any image that accepts the arguments and variables of hubmark's recipe.
    Recipe,
}

impl ImageVendor {
    /// Returns the vendor of the image `name`, from any registry.
    pub(super) fn from_image(name: &str) -> Self {
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
            Self::Recipe
        }
    }
}

/// Returns the variables that make a vendor's image one server, reachable at its own address and
/// from outside the hub.
pub(super) fn environment() -> Vec<(String, String)> {
    let mut environment = RECIPE_ENVIRONMENT.clone();
    let changed = [
        ("KAFKA_LOG_DIRS".to_owned(), DATA_DIR.to_owned()),
        ("CLUSTER_ID".to_owned(), CLUSTER_ID.to_owned()),
        advertised_listeners("{self}"),
    ];
    for (name, value) in changed {
        match environment.iter_mut().find(|(other, _)| *other == name) {
            Some(entry) => entry.1 = value,
            None => environment.push((name, value)),
        }
    }
    environment
}

/// Cluster identity: any 16 bytes in base64, since a cluster lives for one repetition.
const CLUSTER_ID: &str = "hubmarkhubmarkhubmarkg";

/// Returns the tag of an image's name, if it has one.
pub(super) fn tag(name: &str) -> Option<&str> {
    let name = name.split('@').next().unwrap_or(name);
    let (_, tag) = name.rsplit_once(':')?;
    (!tag.contains('/')).then_some(tag)
}

/// Returns an image's name without tag and digest.
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
    fn vendors_are_known_by_the_name_from_any_registry() {
        let cases = [
            ("apache/kafka", ImageVendor::Apache { native: false }),
            ("apache/kafka:4.1.0", ImageVendor::Apache { native: false }),
            ("docker.io/apache/kafka:latest", ImageVendor::Apache { native: false }),
            ("box:5000/apache/kafka", ImageVendor::Apache { native: false }),
            ("apache/kafka-native:4.1.0", ImageVendor::Apache { native: true }),
            ("confluentinc/cp-kafka:8.0.0", ImageVendor::Confluent),
            ("hubmark/kafka:4.4.0", ImageVendor::Recipe),
            ("notapache/kafka:1", ImageVendor::Recipe),
            ("me/kafka@sha256:00", ImageVendor::Recipe),
        ];
        for (name, vendor) in cases {
            assert_eq!(ImageVendor::from_image(name), vendor, "{name}");
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
    fn the_variables_match_the_recipe_except_for_the_data_directory() {
        let environment = environment();
        let value = |name: &str| {
            let found: Vec<_> = environment.iter().filter(|(n, _)| n == name).collect();
            assert_eq!(found.len(), 1, "{name}: {environment:?}");
            found[0].1.clone()
        };
        assert_eq!(value("KAFKA_LOG_DIRS"), DATA_DIR);
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
