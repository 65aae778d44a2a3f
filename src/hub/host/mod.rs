//! The state of a hub during a measurement: temperature, clock, supply voltage, total load, memory,
//! swap, disk space.
//!
//! [`files`] are the readable files of a machine: of this machine, of a test's folder, or as sent
//! by the reader in a container. [`counters`] extracts the counters of one moment, [`facts`] the
//! machine's constant facts, [`storage`] finds mounts and disks. [`read_local`] reads this machine.

pub mod counters;
pub mod facts;
pub mod files;
pub mod local;
pub mod storage;

use std::time::Instant;

pub use counters::HostCounters;
pub use local::{own_cpu_time, read_local};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::server::HubFacts;

/// The shell script that reads a hub on another machine, in a container there.
pub const READER_SCRIPT: &str = include_str!("reader.sh");
/// Samples queued for a slow engine at most; further samples are dropped.
pub const MAX_QUEUED_SAMPLES: usize = 64;

/// The counters of a hub at one moment, with their time.
#[derive(Debug, Clone, Copy)]
pub struct HostSample {
    /// Time of arrival on this machine.
    pub at: Instant,
    /// The counters.
    pub counters: HostCounters,
}

/// A reader of a hub, about once a second, until `samples` is dropped.
#[derive(Debug)]
pub struct HostReader {
    /// Facts about the machine, read at the start, without those that only an engine reports.
    pub facts: HubFacts,
    /// The samples.
    pub samples: mpsc::Receiver<HostSample>,
    /// Ends once the reader has stopped and its resources are removed.
    pub finished: JoinHandle<()>,
}
