//! The real program without a container: on the built-in broker, on the local hub, and on records.
//! In one binary: most of these tests wait, and only tests of one binary wait side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../support_faults/mod.rs"]
mod support_faults;
#[path = "../synthetic/mod.rs"]
mod synthetic;

mod broker;
mod compare;
mod faults;
mod first_look;
mod lying_server;
mod page;
mod refusals;
mod report;
mod sweeps;
