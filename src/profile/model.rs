//! Data model of a validated profile.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value};

use super::catalogue::Catalogue;
use crate::{
    plan::{
        ArrivalDistribution, BackendChoice, Cooldown, Durability, Fault, HubRequest, PayloadSource,
        RepetitionOrder, Scenario, Threshold,
    },
    units::Bytes,
};

/// A validated profile, with defaults filled in and sweeps not yet expanded.
///
/// Only parsing creates a profile, so every profile has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Name of the profile.
    pub name: String,
    /// Purpose of the profile, in one line.
    pub description: String,
    /// Systems under test as written: without a version where the text gives none.
    pub backends: Vec<BackendChoice>,
    /// Where the servers run.
    pub hub: HubRequest,
    /// Workload of the users.
    pub workload: WorkloadRequest,
    /// Repetitions, their order and the state of the servers.
    pub run: RunRequest,
    /// Limits on results.
    pub thresholds: Vec<Threshold>,
    /// Faults to inject during every load, in order of time.
    pub faults: Vec<Fault>,
    /// Settings given in the tables of backends, without defaults; bytes and durations as numbers.
    pub settings: BTreeMap<String, Map<String, Value>>,
    pub(super) catalogue: Catalogue,
}

impl Profile {
    /// Catalogue of backends that the profile was checked against.
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }
}

/// The table `[workload]`.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadRequest {
    /// Numbers of users (a sweep).
    pub users: Vec<u32>,
    /// Payload sizes of one message (a sweep).
    pub payload: Vec<Bytes>,
    /// Source of the payload's bytes.
    pub payload_source: PayloadSource,
    /// Longest wait after the last send for messages in transit.
    pub drain: Duration,
    /// Settings that only one kind of workload has.
    pub kind: WorkloadKind,
}

/// Settings that only one kind of workload has.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkloadKind {
    /// Open loop: messages at planned times.
    Latency {
        /// Length of the load.
        length: LoadLength,
        /// Distribution of the time between two messages of one user.
        arrival: ArrivalDistribution,
        /// First part of the load, not measured.
        warmup: Duration,
    },
    /// Search for the largest number of users, among those of the sweep, at which the objectives
    /// hold under an open-loop load.
    Capacity {
        /// Objectives that must hold.
        objectives: Vec<Threshold>,
        /// Length of one repetition.
        length: LoadLength,
        /// Distribution of the time between two messages of one user.
        arrival: ArrivalDistribution,
        /// First part of the load, not measured.
        warmup: Duration,
    },
    /// A volume of data, sent as fast as possible.
    Throughput {
        /// Payload bytes of one repetition.
        volume: Bytes,
        /// Sides that run while throughput is measured (a sweep).
        scenario: Vec<Scenario>,
    },
}

/// Length of an open-loop load, as given in the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadLength {
    /// Messages of each user.
    Messages(u32),
    /// Time, warm-up included.
    Duration(Duration),
}

impl LoadLength {
    /// Messages of each user, at least one; `None` if the number exceeds `u32`.
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
    /// Repetitions of each point; a capacity search decides the number itself.
    pub repetitions: u32,
    /// Retries of a failed repetition.
    pub retries: u32,
    /// Order of the repetitions.
    pub order: RepetitionOrder,
    /// Seed of every random choice.
    pub seed: u64,
    /// Durability of acknowledged messages (a sweep).
    pub durability: Vec<Durability>,
    /// Time for which the idle servers are sampled before the load.
    pub baseline: Duration,
    /// Length of the server warm-up load.
    pub server_warmup: Duration,
    /// Wait for the hub to cool down before each repetition, if any.
    pub cooldown: Option<Cooldown>,
    /// Whether the footprint of each backend is measured, too.
    pub footprint: bool,
    /// Whether the operator may change the load of a repetition in progress.
    pub steering: bool,
}
