//! Faults: injects faults into servers during a load, and clears them.
//!
//! [`scheduler`] runs planned faults and those by key; a [`scheduled_fault`] has the progress of each, and
//! [`results`] what it did to the messages.

mod results;
mod scheduled_fault;
pub mod scheduler;
