//! The program and its backends on real servers in containers, on this machine's engine and on a
//! simulated remote hub over SSH and TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

#[path = "../support/mod.rs"]
mod support;

mod accidents;
mod accidents_remote;
mod clock_set;
mod docker_hub;
mod external_servers;
mod images_screen;
mod kafka_backend;
mod kafka_clients;
mod limits;
mod mariadb_backend;
mod mariadb_sessions;
mod official_images;
mod planned_faults;
mod recorded_answers;
mod remote_hub;
mod resumed_runs;
mod run_failures;
mod stalls;
mod steering;
mod studies;
mod study_report;
mod unusual_kafka;
