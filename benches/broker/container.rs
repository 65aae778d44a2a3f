//! A broker in a container, for the benchmarks of Kafka.

use std::process::Command;

/// The broker's image, which hubmark builds.
const IMAGE: &str = "hubmark/kafka:4.4.0";

/// A running broker, removed at the end.
pub struct BrokerContainer {
    name: &'static str,
    /// Host and port of the broker.
    pub address: String,
}

impl BrokerContainer {
    /// Starts a broker in the container `name`, in place of one that an earlier benchmark left behind.
    pub fn start(name: &'static str) -> Self {
        remove(name);
        docker(&["run", "-d", "--name", name, IMAGE]);
        let host = docker(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", name]);
        Self { name, address: format!("{host}:9092") }
    }
}

impl Drop for BrokerContainer {
    fn drop(&mut self) {
        remove(self.name);
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn remove(name: &str) {
    let _ = Command::new("docker").args(["rm", "-f", "-v", name]).output();
}
