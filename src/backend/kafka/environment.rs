//! Environment variables that configure the broker in a container.

use std::sync::LazyLock;

/// The recipe's settings for one server that is broker and controller.
pub(super) static RECIPE_ENVIRONMENT: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let common =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/kafka/common.properties"));
    let kraft =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/kafka/kraft.properties"));
    let setting = |line: &str| {
        let (key, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        Some((environment_variable(key), value.to_owned()))
    };
    common.lines().chain(kraft.lines()).filter_map(setting).collect()
});

/// Returns the environment variable for a key of `server.properties`, named as in Kafka's official
/// image.
pub(super) fn environment_variable(key: &str) -> String {
    let name = key.replace('_', "__").replace('-', "___").replace('.', "_");
    format!("KAFKA_{}", name.to_uppercase())
}

/// Returns the variable for a heap of fixed size: a heap that grows during a load would distort the
/// measurement.
pub(super) fn heap_options(bytes: Option<u64>) -> Option<(String, String)> {
    let kib = bytes? / 1024;
    Some(("KAFKA_HEAP_OPTS".to_owned(), format!("-Xms{kib}k -Xmx{kib}k")))
}
