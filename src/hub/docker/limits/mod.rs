//! Limits of resources.
//!
//! - [`check`] refuses limits that the hub cannot enforce.
//! - [`link_rate`] and [`disk_writes`] set limits that the engine's container settings lack.
//! - [`verify`] verifies all limits.

pub mod check;
pub mod disk_writes;
pub mod link_rate;
pub mod verify;
