//! Profiles: what the operator asks for, as TOML text.
//!
//! [`Profile::parse`] reads a text against the [`Catalogue`] of backends and reports everything
//! that is wrong with it at once; [`Profile::plan`] resolves every default and unrolls every
//! sweep; [`Profile::to_toml`] writes a text that makes the same plan. [`Override`]s change single
//! values before validation. [`library`] holds the built-in profiles and those that were saved.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value};

use crate::{
    plan::{
        Arrival, BackendChoice, Cooldown, Durability, Fault, HubRequest, Order, PayloadSource,
        Scenario, Threshold,
    },
    units::Bytes,
};

pub mod boxes;
pub mod catalogue;
mod edit;
pub mod external;
pub mod keys;
pub mod library;
mod problem;
mod read;
mod save;
mod set;
mod tree;
mod unroll;
mod usual;
mod values;

pub use catalogue::Catalogue;
pub use edit::edited;
pub use library::{Builtin, Library, LibraryError, Source, builtin, find};
pub use problem::{Origin, Problem, Problems};
pub use read::usual_load;
pub use set::Override;

/// What the operator asks for: valid, with the defaults of absent keys filled in and sweeps still
/// rolled up. Only parsing makes one, so that there is none that was not checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it is for, in one line.
    pub description: String,
    /// The systems under test, as they were written: a version is there only when it was given.
    pub backends: Vec<BackendChoice>,
    /// Where the servers run.
    pub hub: HubRequest,
    /// What the users do.
    pub workload: WorkloadRequest,
    /// How often, in which order, on what kind of server.
    pub run: RunRequest,
    /// Limits on results.
    pub thresholds: Vec<Threshold>,
    /// What is done to servers in the middle of every load, in the order of their time.
    pub faults: Vec<Fault>,
    /// What is given in the tables of backends, without defaults; bytes and durations as numbers.
    pub settings: BTreeMap<String, Map<String, Value>>,
    catalogue: Catalogue,
}

/// The table `[workload]`.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadRequest {
    /// Users; a sweep.
    pub users: Vec<u32>,
    /// Payload of one message; a sweep.
    pub payload: Vec<Bytes>,
    /// Where its bytes come from.
    pub payload_source: PayloadSource,
    /// Longest wait for messages still on their way after the last send.
    pub drain: Duration,
    /// What only one kind of workload has.
    pub kind: WorkloadKind,
}

/// What only one kind of workload has.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkloadKind {
    /// Open loop: messages at times that the plan decides.
    Latency {
        /// How long it goes on.
        length: Length,
        /// Time between two messages of one user.
        arrival: Arrival,
        /// The first seconds, not measured.
        warmup: Duration,
    },
    /// The largest number of users, among those of the sweep, at which objectives hold under such
    /// a load.
    Capacity {
        /// What must hold.
        objectives: Vec<Threshold>,
        /// How long one repetition goes on.
        length: Length,
        /// Time between two messages of one user.
        arrival: Arrival,
        /// The first seconds, not measured.
        warmup: Duration,
    },
    /// A volume of data, as fast as it goes.
    Throughput {
        /// Payload bytes of one repetition.
        volume: Bytes,
        /// Who works while it is measured; a sweep.
        scenario: Vec<Scenario>,
    },
}

/// Length of a latency load, as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Messages of each user.
    Messages(u32),
    /// Time, warm-up included.
    Duration(Duration),
}

impl Length {
    /// Messages of each user, at least one; `None` when they are more than can be counted.
    pub fn messages(self, mean: Duration) -> Option<u32> {
        match self {
            Self::Messages(messages) => Some(messages),
            Self::Duration(duration) => {
                let messages = duration.as_nanos().checked_div(mean.as_nanos())?;
                u32::try_from(messages.max(1)).ok()
            }
        }
    }
}

/// The table `[run]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// How often each point is measured; a search for a capacity decides that itself.
    pub repetitions: u32,
    /// How often a repetition that failed is tried again.
    pub retries: u32,
    /// In which order.
    pub order: Order,
    /// Seed of every random choice.
    pub seed: u64,
    /// What servers promise when they acknowledge; a sweep.
    pub durability: Vec<Durability>,
    /// Time for which the servers idle, sampled, before the load.
    pub baseline: Duration,
    /// Length of the server's own warm-up load.
    pub server_warmup: Duration,
    /// How cool the hub must be before each repetition.
    pub cooldown: Option<Cooldown>,
    /// Whether each backend's footprint card is measured, too.
    pub footprint: bool,
}

impl Profile {
    /// Reads a profile.
    pub fn parse(text: &str, catalogue: &Catalogue) -> Result<Self, Problems> {
        Self::parse_with(text, &[], catalogue)
    }

    /// Reads a profile with some of its values overridden.
    pub fn parse_with(
        text: &str,
        overrides: &[Override],
        catalogue: &Catalogue,
    ) -> Result<Self, Problems> {
        read::profile(text, overrides, catalogue)
    }

    /// This profile with one value changed: `profile.set("workload.users", "100, 200")`. The value
    /// is TOML, or plain text.
    ///
    /// Changing `workload.kind` drops what only the other kind has.
    pub fn set(&self, key: &str, value: &str) -> Result<Self, Problems> {
        let change = Override::new(key, value)
            .map_err(|problem| Problems { source: self.name.clone(), list: vec![problem] })?;
        Self::parse_with(&self.to_toml(), &[change], &self.catalogue)
            .map_err(|problems| problems.of(&self.name))
    }

    /// The backends that it was checked against.
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }
}

#[cfg(test)]
mod tests;
