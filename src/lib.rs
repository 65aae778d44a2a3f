//! hubmark: which data platform belongs on the hub of many small devices, and how many devices will it carry?
//!
//! # The map of the house
//!
//! ```text
//! profile ─► plan ─► engine ─┬─► events ─► tui | headless
//!                            ├─► backend (producers, consumer)
//!                            ├─► hub (start, sample, stop)
//!                            └─► record (JSON, saved after every repetition) ─► report
//! ```
//!
//! Dependencies point one way: `tui, headless, report → engine → backend, hub, workload → profile
//! → plan`: a backend describes its settings in the profile's words, and a profile unrolls into a
//! plan, which knows neither. [`broker`], the built-in server, stands beside them: the local hub
//! starts it as a child process, and clients reach it only through its port. The leaves [`clock`],
//! [`stamp`], [`units`], [`owner`], [`server`], [`measure`], [`event`] and [`record`] import nothing above
//! them.

pub mod backend;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod engine;
pub mod event;
pub mod format;
pub mod headless;
pub mod hub;
pub mod measure;
pub mod owner;
pub mod paths;
pub mod plan;
pub mod profile;
pub mod record;
pub mod report;
pub mod server;
pub mod stamp;
pub mod stats;
pub mod tui;
pub mod units;
pub mod workload;
