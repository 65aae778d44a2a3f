//! An external Kafka in a container that hubmark did not start, with a password.

use std::time::Duration;

use crate::support::{
    docker::docker,
    external_kafka::ExternalKafka,
    external_servers::{
        ACCOUNT_PASSWORD, PASSWORD_VARIABLE, leaks_password, start_external_run, topics,
    },
    process::ProgramOutput,
    records::{only_repetition, read_checked},
    sandbox::Sandbox,
};

/// Starts a Kafka whose second port requires a password.
fn start_kafka_with_password() -> ExternalKafka {
    let jaas = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required user_bench=\"{ACCOUNT_PASSWORD}\";"
    );
    ExternalKafka::start(
        "external",
        &[
            (
                "KAFKA_ADVERTISED_LISTENERS",
                "PLAINTEXT://CONTAINER_ADDRESS:9092,HOST://CONTAINER_ADDRESS:9094",
            ),
            (
                "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
                "PLAINTEXT:PLAINTEXT,HOST:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            ),
            ("KAFKA_SASL_ENABLED_MECHANISMS", "PLAIN"),
            ("KAFKA_LISTENER_NAME_HOST_PLAIN_SASL_JAAS_CONFIG", &jaas),
        ],
    )
}

fn run_on_engine(sandbox: &Sandbox, sets: &[&str]) -> ProgramOutput {
    start_external_run(sandbox, "kafka", sets).wait_within(Duration::from_mins(2))
}

#[test]
#[ignore = "needs a Docker engine"]
fn an_external_kafka_container_is_measured_by_its_name_and_with_its_password() {
    let sandbox = Sandbox::with_engine();
    let kafka = start_kafka_with_password();
    let address = format!("kafka.address={}:9094", kafka.host);
    let named = format!("kafka.container={}", kafka.name);
    let account = ["kafka.user=bench", &format!("kafka.password_env={PASSWORD_VARIABLE}")];
    let wrong = ["kafka.user=bench", "kafka.password_env=HOME"];
    let output = run_on_engine(&sandbox, &[&wrong[..], &[&address]].concat());
    output.reports(1, &["refused user \"bench\"", "uthentication"]);
    assert!(sandbox.record_file().is_none());
    let missing = "kafka.container=hubmark-no-such-container";
    let output = run_on_engine(&sandbox, &[&account[..], &[&address, missing]].concat());
    output.reports(1, &["looking for the container hubmark-no-such-container"]);
    let disk = ["run.durability=disk", &address, &named];
    let output = run_on_engine(&sandbox, &[&account[..], &disk[..]].concat());
    output.reports(0, &[]);
    assert!(!leaks_password(&sandbox, &output), "{output:#?}");
    let record = read_checked(&sandbox.record_file().unwrap());
    let repetition = only_repetition(&record);
    let ledger = repetition.ledger;
    assert_eq!((ledger.planned, ledger.delivered, ledger.stored), (800, 800, Some(800)));
    let resources = &repetition.resources["kafka"];
    assert!(resources.cpu.core_seconds.is_some_and(|used| used > 0.0), "{resources:?}");
    assert!(resources.memory.mean.is_some() && resources.network.received.is_some());
    let server = &record.provenance.servers["kafka"];
    assert_eq!(server.images["kafka"].image, "hubmark/kafka:4.4.0");
    assert!(server.images["kafka"].digest.is_some());
    assert_eq!(server.settings["disk"]["topic.flush.messages"], "1");
    assert_eq!(topics(&kafka.admin()), [], "left behind");
    assert_eq!(docker(&["inspect", "-f", "{{.State.Status}}", &kafka.name]), "running");
}
