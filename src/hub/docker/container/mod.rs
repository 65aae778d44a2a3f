//! Clean containers: created, started, addressed, removed.
//!
//! - [`create_request`] builds the engine's request; [`own_address`] is the placeholder that only
//!   the container itself can fill in.
//! - [`start`] starts a server; [`start_failure`] classifies failures of a start.
//! - [`route`] describes how a container's ports are reached; [`closed_port`] explains why one is not.
//! - [`lifecycle`] reads state and log, and removes a container.
//! - [`network`] manages addresses on networks; [`run_network`] gives each run a network.
//! - [`leftovers`] removes containers of dead runs.
//! - [`exec`] executes commands inside; [`faults`] injects faults.
//! - [`external`] looks up containers that this program did not start.

pub mod closed_port;
pub mod create_request;
pub mod exec;
pub mod external;
pub mod faults;
pub mod leftovers;
pub mod lifecycle;
pub mod network;
pub mod own_address;
pub mod route;
pub mod run_network;
pub mod start;
pub mod start_failure;
