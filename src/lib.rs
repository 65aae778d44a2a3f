//! hubmark: which data platform belongs on the hub of many small devices, and how many devices will it carry?
//!
//! # Map
//!
//! ```text
//! profile ─► plan ─► engine ─┬─► event ─► tui | headless
//!                            ├─► backend (fleet of producers, consumer)
//!                            ├─► hub (start, sample, stop servers)
//!                            └─► record (JSON, saved after every repetition) ─► report
//! ```
//!
//! | module | content |
//! |---|---|
//! | [`profile`], [`plan`] | what the operator asks for (TOML), and its points and repetitions with every default resolved |
//! | [`engine`] | execution of a plan: runs, load, measurement, judgement, planned faults, the doctor's checks |
//! | [`backend`] | the systems under test: clients, servers they need, settings |
//! | [`wire`] | connections by the ten thousand on one event loop, under the protocols of backends |
//! | [`hub`] | where servers run: a Docker engine, child processes, external servers |
//! | [`broker`] | the built-in server that speaks Kafka's protocol |
//! | [`layout`] | the layout of bytes that this server and the clients of its protocol share |
//! | [`workload`], [`stats`] | arrivals and payloads of a load; statistics over repetitions |
//! | [`record`], [`report`] | a run's results as JSON; figures, pages, tables and comparisons made from them |
//! | [`tui`], [`headless`] | the screen, and the progress of a run without one |
//! | [`cli`], [`commands`] | arguments, and what each command does with the rest |
//!
//! Dependencies point one way: `commands → tui, headless, cli → report → engine → backend, hub → event →
//! record → profile, stats, workload → plan`. A backend describes its settings in the terms of a profile;
//! a profile is expanded into a plan, which depends on neither. The local hub starts [`broker`] as a child
//! process, and clients reach it only through its port. [`clock`], [`stamp`], [`units`], [`owner`],
//! [`server`], [`mod@format`], [`paths`], [`hot_thread`], [`layout`], [`wire`] and [`measure`] are leaves. No two files
//! import from each other, not even over others; `tests/structure` checks both rules.

pub mod backend;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod engine;
pub mod event;
pub mod format;
pub mod headless;
pub mod hot_thread;
pub mod hub;
pub mod layout;
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
pub mod wire;
pub mod workload;
