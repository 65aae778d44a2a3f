//! Resource readings of containers and of the hub they run on.
//!
//! - [`stats`] reads the engine's statistics, [`cgroup`] the kernel's counters.
//! - [`disk`] and [`data_size`] measure storage.
//! - [`host_reader`] reads a hub that is another machine.
//! - [`network_probe`] and [`path_cost`] measure the network path.

pub mod cgroup;
pub mod data_size;
pub mod disk;
pub mod host_reader;
pub mod network_probe;
pub mod path_cost;
pub mod stats;
