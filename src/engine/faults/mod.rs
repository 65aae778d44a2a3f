//! Planned faults: injects faults into servers during a load, and clears them.

pub mod scheduler;
