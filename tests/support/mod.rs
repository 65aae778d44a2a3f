//! Helpers that the test programs and the benchmarks share; `tests/README.md` lists them.
#![allow(dead_code, reason = "each program uses a part of the helpers")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

pub mod backend_probe;
pub mod builtin_broker;
pub mod container_run;
pub mod docker;
pub mod engine_proxy;
pub mod external_kafka;
pub mod external_mariadb;
pub mod external_servers;
pub mod fault_rows;
pub mod faulted_run;
pub mod images;
pub mod loads;
pub mod local_engine;
pub mod mariadb_server;
pub mod peak_memory;
pub mod process;
pub mod records;
pub mod remote_hub;
pub mod repetition;
pub mod sandbox;
pub mod server_faults;
pub mod shifted_clock;
pub mod stopped_thread;
pub mod stored_count;
pub mod synthetic;
pub mod terminal;
pub mod tmpfs;
pub mod turns;
pub mod wait;
