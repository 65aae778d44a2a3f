//! The broker's two listeners: their ports, and the addresses that they advertise.

/// Port of the listener that advertises the container's own address.
pub(super) const CONTAINER_PORT: u16 = 9092;
/// Port of the listener that advertises the hub's address and published port.
pub(super) const HOST_PORT: u16 = 9094;

/// Returns the environment variable with the addresses that both listeners advertise.
///
/// `container_address` is the image's placeholder for the container's own address.
pub(super) fn advertised_listeners(container_address: &str) -> (String, String) {
    (
        "KAFKA_ADVERTISED_LISTENERS".to_owned(),
        format!(
            "PLAINTEXT://{container_address}:{CONTAINER_PORT},HOST://{{host}}:{{port:{HOST_PORT}}}"
        ),
    )
}
