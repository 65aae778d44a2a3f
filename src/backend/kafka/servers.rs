//! Which containers a Kafka needs, and how they learn of each other.

use super::{
    image,
    official::{self, Maker},
    settings::Settings,
};
use crate::server::{ContainerSpec, Image, Launch, ServerSpec};

/// The broker's role, and its image's first argument.
pub(super) const BROKER: &str = "kafka";
const ZOOKEEPER: &str = "zookeeper";
/// The port of the listener that advertises the container's own address.
pub(super) const CONTAINER_PORT: u16 = 9092;
/// The port of the listener that advertises the hub's address and published port.
pub(super) const HOST_PORT: u16 = 9094;
const ZOOKEEPER_PORT: u16 = 2181;

/// Kafka alone (from 4.0 on it keeps its own records), or ZooKeeper and then Kafka.
pub(super) fn containers(version: &str, settings: &Settings) -> Vec<ServerSpec> {
    let image = settings.image.clone().map_or_else(|| image::of_version(version), Image::Named);
    if settings.maker() != Maker::Own {
        return vec![official(image, settings)];
    }
    let mut servers = Vec::new();
    if needs_zookeeper(version) {
        servers.push(zookeeper(image.clone(), settings));
    }
    servers.push(broker(image, version, settings));
    servers
}

/// Whether that version still needs ZooKeeper.
fn needs_zookeeper(version: &str) -> bool {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major < 4)
}

fn zookeeper(image: Image, settings: &Settings) -> ServerSpec {
    container(
        ZOOKEEPER,
        image,
        heap(settings.zookeeper_heap).into_iter().collect(),
        &[ZOOKEEPER_PORT],
    )
}

fn broker(image: Image, version: &str, settings: &Settings) -> ServerSpec {
    let mut environment = vec![(
        "KAFKA_ADVERTISED_LISTENERS".to_owned(),
        format!(
            "PLAINTEXT://CONTAINER_ADDRESS:{CONTAINER_PORT},HOST://{{host}}:{{port:{HOST_PORT}}}"
        ),
    )];
    if needs_zookeeper(version) {
        environment.push((
            "KAFKA_ZOOKEEPER_CONNECT".to_owned(),
            format!("{{{ZOOKEEPER}}}:{ZOOKEEPER_PORT}"),
        ));
    }
    environment.extend(heap(settings.heap));
    environment.extend(settings.server.iter().map(|(key, value)| (variable(key), value.clone())));
    container(BROKER, image, environment, &[CONTAINER_PORT, HOST_PORT])
}

/// One server from an image of others, which finds out by itself what to run.
fn official(image: Image, settings: &Settings) -> ServerSpec {
    let mut environment = official::environment();
    environment.extend(heap(settings.heap));
    for (key, value) in &settings.server {
        let name = variable(key);
        environment.retain(|(other, _)| *other != name);
        environment.push((name, value.clone()));
    }
    ServerSpec {
        role: BROKER.to_owned(),
        launch: Launch::Container(ContainerSpec {
            entry_point: None,
            image,
            environment,
            arguments: Vec::new(),
            data_dir: Some(official::DATA.to_owned()),
        }),
        ports: vec![CONTAINER_PORT, HOST_PORT],
    }
}

fn container(
    role: &str,
    image: Image,
    environment: Vec<(String, String)>,
    ports: &[u16],
) -> ServerSpec {
    ServerSpec {
        role: role.to_owned(),
        launch: Launch::Container(ContainerSpec {
            entry_point: None,
            image,
            environment,
            arguments: vec![role.to_owned()],
            data_dir: Some("/data".to_owned()),
        }),
        ports: ports.to_vec(),
    }
}

/// A heap of fixed size: one that grows in the middle of a load would be measured with it.
fn heap(bytes: Option<u64>) -> Option<(String, String)> {
    let kib = bytes? / 1024;
    Some(("KAFKA_HEAP_OPTS".to_owned(), format!("-Xms{kib}k -Xmx{kib}k")))
}

/// The environment variable that stands for a line of `server.properties`, as in Kafka's own image.
pub(super) fn variable(key: &str) -> String {
    let name = key.replace('_', "__").replace('-', "___").replace('.', "_");
    format!("KAFKA_{}", name.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { partitions: 1, replication: 1, ..Settings::default() }
    }

    fn environment(server: &ServerSpec) -> Vec<String> {
        let Launch::Container(container) = &server.launch else { panic!("not a container") };
        container.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn an_old_kafka_comes_after_its_zookeeper_and_from_the_same_image() {
        let servers = containers("2.8.0", &settings());
        let roles: Vec<_> = servers.iter().map(|server| server.role.as_str()).collect();
        assert_eq!(roles, ["zookeeper", "kafka"]);
        let images: Vec<_> = servers
            .iter()
            .map(|server| match &server.launch {
                Launch::Container(container) => container.image.reference(),
                Launch::Process(_) | Launch::External(_) => "no container",
            })
            .collect();
        assert_eq!(images, ["hubmark/kafka:2.8.0"; 2]);
        assert!(
            environment(&servers[1])
                .contains(&"KAFKA_ZOOKEEPER_CONNECT={zookeeper}:2181".to_owned())
        );
    }

    #[test]
    fn a_new_kafka_stands_alone_and_advertises_both_of_its_addresses() {
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
        let settings = Settings {
            image: Some("apache/kafka:3.9.1".into()),
            heap: Some(256 << 20),
            server: [("log.dirs".to_owned(), "/elsewhere".to_owned())].into(),
            ..settings()
        };
        let servers = containers("3.9.1", &settings);
        assert_eq!(servers.len(), 1);
        let Launch::Container(container) = &servers[0].launch else { panic!("not a container") };
        assert_eq!(container.image, Image::Named("apache/kafka:3.9.1".into()));
        assert!(container.arguments.is_empty());
        let environment = environment(&servers[0]);
        assert!(environment.contains(&"KAFKA_HEAP_OPTS=-Xms262144k -Xmx262144k".to_owned()));
        let dirs: Vec<_> =
            environment.iter().filter(|e| e.starts_with("KAFKA_LOG_DIRS=")).collect();
        assert_eq!(dirs, ["KAFKA_LOG_DIRS=/elsewhere"]);
    }

    #[test]
    fn heaps_and_server_settings_go_in_as_variables() {
        let settings = Settings {
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
