//! The containers of a Kafka server and how they find each other.

use super::{
    environment::{environment_variable, heap_options},
    image,
    listeners::{CONTAINER_PORT, HOST_PORT, advertised_listeners},
    official_images::{self, ImageVendor},
    settings::KafkaSettings,
};
use crate::server::{ContainerSpec, LaunchSpec, ServerImage, ServerSpec};

/// The broker's role, which is also the first argument of its image.
pub(super) const BROKER_ROLE: &str = "kafka";
const ZOOKEEPER_ROLE: &str = "zookeeper";
const ZOOKEEPER_PORT: u16 = 2181;

/// Returns the servers to start: Kafka alone from 4.0 on, otherwise ZooKeeper and then Kafka.
pub(super) fn containers(version: &str, settings: &KafkaSettings) -> Vec<ServerSpec> {
    let image =
        settings.image.clone().map_or_else(|| image::recipe_image(version), ServerImage::Named);
    if settings.image_vendor() != ImageVendor::Recipe {
        return vec![official_server(image, settings)];
    }
    let mut servers = Vec::new();
    if needs_zookeeper(version) {
        servers.push(zookeeper_server(image.clone(), settings));
    }
    servers.push(broker_server(image, version, settings));
    servers
}

/// Whether `version` needs ZooKeeper.
fn needs_zookeeper(version: &str) -> bool {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major < 4)
}

fn zookeeper_server(image: ServerImage, settings: &KafkaSettings) -> ServerSpec {
    container_server(
        ZOOKEEPER_ROLE,
        image,
        heap_options(settings.zookeeper_heap).into_iter().collect(),
        &[ZOOKEEPER_PORT],
    )
}

fn broker_server(image: ServerImage, version: &str, settings: &KafkaSettings) -> ServerSpec {
    let mut environment = vec![advertised_listeners("CONTAINER_ADDRESS")];
    if needs_zookeeper(version) {
        environment.push((
            "KAFKA_ZOOKEEPER_CONNECT".to_owned(),
            format!("{{{ZOOKEEPER_ROLE}}}:{ZOOKEEPER_PORT}"),
        ));
    }
    environment.extend(heap_options(settings.heap));
    environment.extend(
        settings.server.iter().map(|(key, value)| (environment_variable(key), value.clone())),
    );
    container_server(BROKER_ROLE, image, environment, &[CONTAINER_PORT, HOST_PORT])
}

/// Returns the server for a vendor's image, which decides by its environment what to run.
fn official_server(image: ServerImage, settings: &KafkaSettings) -> ServerSpec {
    let mut environment = official_images::environment();
    environment.extend(heap_options(settings.heap));
    for (key, value) in &settings.server {
        let name = environment_variable(key);
        environment.retain(|(other, _)| *other != name);
        environment.push((name, value.clone()));
    }
    ServerSpec {
        role: BROKER_ROLE.to_owned(),
        launch: LaunchSpec::Container(ContainerSpec {
            entry_point: None,
            image,
            environment,
            arguments: Vec::new(),
            data_dir: Some(official_images::DATA_DIR.to_owned()),
        }),
        ports: vec![CONTAINER_PORT, HOST_PORT],
    }
}

fn container_server(
    role: &str,
    image: ServerImage,
    environment: Vec<(String, String)>,
    ports: &[u16],
) -> ServerSpec {
    ServerSpec {
        role: role.to_owned(),
        launch: LaunchSpec::Container(ContainerSpec {
            entry_point: None,
            image,
            environment,
            arguments: vec![role.to_owned()],
            data_dir: Some("/data".to_owned()),
        }),
        ports: ports.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> KafkaSettings {
        KafkaSettings { partitions: 1, replication: 1, ..KafkaSettings::default() }
    }

    fn environment(server: &ServerSpec) -> Vec<String> {
        let LaunchSpec::Container(container) = &server.launch else { panic!("not a container") };
        container.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn an_old_kafka_starts_after_zookeeper_from_the_same_image() {
        let servers = containers("2.8.0", &settings());
        let roles: Vec<_> = servers.iter().map(|server| server.role.as_str()).collect();
        assert_eq!(roles, ["zookeeper", "kafka"]);
        let images: Vec<_> = servers
            .iter()
            .map(|server| match &server.launch {
                LaunchSpec::Container(container) => container.image.reference(),
                LaunchSpec::Process(_) | LaunchSpec::External(_) => "no container",
            })
            .collect();
        assert_eq!(images, ["hubmark/kafka:2.8.0"; 2]);
        assert!(
            environment(&servers[1])
                .contains(&"KAFKA_ZOOKEEPER_CONNECT={zookeeper}:2181".to_owned())
        );
    }

    #[test]
    fn a_new_kafka_needs_no_zookeeper_and_advertises_both_addresses() {
        let servers = containers("4.4.0", &settings());
        assert_eq!(servers.len(), 1);
        assert_eq!(servers[0].ports, [9092, 9094]);
        assert_eq!(
            environment(&servers[0]),
            [
                "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://CONTAINER_ADDRESS:9092,HOST://{host}:{port:9094}"
            ]
        );
    }

    #[test]
    fn an_official_image_gets_variables_alone_and_no_zookeeper() {
        let settings = KafkaSettings {
            image: Some("apache/kafka:3.9.1".into()),
            heap: Some(256 << 20),
            server: [("log.dirs".to_owned(), "/elsewhere".to_owned())].into(),
            ..settings()
        };
        let servers = containers("3.9.1", &settings);
        assert_eq!(servers.len(), 1);
        let LaunchSpec::Container(container) = &servers[0].launch else {
            panic!("not a container")
        };
        assert_eq!(container.image, ServerImage::Named("apache/kafka:3.9.1".into()));
        assert!(container.arguments.is_empty());
        let environment = environment(&servers[0]);
        assert!(environment.contains(&"KAFKA_HEAP_OPTS=-Xms262144k -Xmx262144k".to_owned()));
        let dirs: Vec<_> =
            environment.iter().filter(|e| e.starts_with("KAFKA_LOG_DIRS=")).collect();
        assert_eq!(dirs, ["KAFKA_LOG_DIRS=/elsewhere"]);
    }

    #[test]
    fn heaps_and_server_settings_become_variables() {
        let settings = KafkaSettings {
            heap: Some(256 << 20),
            zookeeper_heap: Some(64 << 20),
            server: [("num.io.threads", "4"), ("a_b-c.d", "x")]
                .map(|(key, value)| (key.into(), value.into()))
                .into(),
            ..settings()
        };
        let servers = containers("2.8.0", &settings);
        assert_eq!(environment(&servers[0]), ["KAFKA_HEAP_OPTS=-Xms65536k -Xmx65536k"]);
        assert_eq!(
            environment(&servers[1])[2..],
            [
                "KAFKA_HEAP_OPTS=-Xms262144k -Xmx262144k",
                "KAFKA_A__B___C_D=x",
                "KAFKA_NUM_IO_THREADS=4",
            ]
        );
    }
}
