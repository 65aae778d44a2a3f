//! The real program without a container engine: on the built-in broker, on the local hub, on external
//! servers, on records, in a terminal. Most of these tests wait, so they run side by side in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

#[path = "../support/mod.rs"]
mod support;

mod broker;
mod broker_injection;
mod clock_set;
mod compare;
mod damaged_records;
mod detached_runs;
mod external_servers;
mod failed_tries;
mod fault_injection;
mod first_look;
mod first_start;
mod large_records;
mod load_time;
mod local_hub;
mod message_size;
mod named_files;
mod profiles;
mod refusals;
mod report;
mod report_page;
mod resumed_runs;
mod run_failures;
mod run_failures_screen;
mod schema;
mod screen;
mod screen_picture;
mod steering;
mod taken_port;
mod terminal_codes;
mod unusual_servers;
