//! A Kafka in a container that hubmark did not start.

use std::{process::Command, time::Duration};

use super::{
    builtin_broker::{Admin, kafka_admin},
    docker::docker,
    images::build_images,
    wait::until,
};

/// A Kafka container of a test; removed when dropped.
pub struct ExternalKafka {
    /// Name of the container.
    pub name: String,
    /// Address of the container.
    pub host: String,
}

impl ExternalKafka {
    /// Starts a Kafka with environment variables, each a setting of the broker as `KAFKA_…`, and waits until it
    /// answers. `name` is part of the container's name.
    pub fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        build_images(&["kafka:4.4.0"]);
        let name = format!("hubmark-test-{name}-{}", std::process::id());
        let mut command = Command::new("docker");
        command.args(["run", "-d", "--pull", "never", "--name", &name]);
        for (variable, value) in variables {
            // Only the variable's name is in the process list.
            command.args(["-e", variable]).env(variable, value);
        }
        let started = command.args(["hubmark/kafka:4.4.0", "kafka"]).output().unwrap();
        assert!(started.status.success(), "{started:?}");
        let host = docker(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", &name]);
        let kafka = Self { name, host };
        let admin = kafka.admin();
        until("the broker answers", || {
            let known = admin.inner().fetch_metadata(None, Duration::from_secs(1));
            known.is_ok_and(|known| !known.brokers().is_empty())
        });
        kafka
    }

    /// Address of the port without a password.
    pub fn address(&self) -> String {
        format!("{}:9092", self.host)
    }

    /// Connects a client that manages topics.
    pub fn admin(&self) -> Admin {
        kafka_admin(&self.address())
    }
}

impl Drop for ExternalKafka {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-fv", &self.name]).output();
    }
}
