//! How a hub itself fares while it is measured: temperature, clock, supply, everybody's load,
//! memory, swap, space.
//!
//! [`tree`] is what can be read of a machine, whether it is this one, a folder that a test made,
//! or what the reader in a container sent; [`pulse`] takes the counters of one moment out of it,
//! [`facts`] what the machine is. [`follow`] reads this machine.

pub mod facts;
mod follow;
pub mod pulse;
pub mod tree;

use std::time::Instant;

pub use follow::{follow, own};
pub use pulse::Pulse;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::server::HubFacts;

/// The reader that runs in a container on a hub that is not this machine.
pub const READER: &str = include_str!("reader.sh");
/// Pulses that may wait for a slow engine; more are left out.
pub const BACKLOG: usize = 64;

/// The counters of a hub at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    /// When they arrived here.
    pub at: Instant,
    /// What they say.
    pub pulse: Pulse,
}

/// Somebody who reads a hub, about once a second, until `beats` is dropped.
#[derive(Debug)]
pub struct Attendance {
    /// What could be seen of the machine at the beginning; what an engine says itself is missing.
    pub facts: HubFacts,
    /// What is read.
    pub beats: mpsc::Receiver<Beat>,
    /// Ends when the reader is gone with everything that it needed.
    pub gone: JoinHandle<()>,
}
