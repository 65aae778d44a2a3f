//! hubmark: which data platform belongs on an IoT hub, and how many devices will it carry?
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
//! Dependencies point one way: `tui, headless, report → engine → backend, hub, workload → plan →
//! profile`. The leaves [`clock`], [`stamp`], [`units`], [`server`], [`measure`], [`event`]
//! and [`record`] import nothing above them.

pub mod backend;
pub mod clock;
pub mod event;
pub mod hub;
pub mod measure;
pub mod plan;
pub mod record;
pub mod server;
pub mod stamp;
pub mod tui;
pub mod units;
