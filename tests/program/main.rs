//! The real program without a container: on the built-in broker, on the local hub, on servers of
//! others, on records, in a terminal. In one binary: most of these tests wait, and only tests of one
//! binary wait side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../mariadb_server/mod.rs"]
mod mariadb_server;
#[path = "../support_faults/mod.rs"]
mod support_faults;
#[path = "../synthetic/mod.rs"]
mod synthetic;
#[path = "../terminal/mod.rs"]
mod terminal;

mod broker;
mod clock_set;
mod compare;
mod external;
mod faults;
mod faults_screen;
mod first_look;
mod kept;
mod local_hub;
mod lying_server;
mod page;
mod refusals;
mod report;
mod schema;
mod screen;
mod sweeps;
