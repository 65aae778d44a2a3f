//! The recorder's view of single messages: the last one acknowledged, repeated and missing ones.

use std::sync::atomic::Ordering::Relaxed;

use super::Recorder;
use crate::{clock::Micros, engine::measure::ledger::MissingMessage};

impl Recorder {
    /// Time of the last acknowledgement.
    pub fn last_ack(&self) -> Option<Micros> {
        Some(self.last_ack.load(Relaxed)).filter(|at| *at != i64::MIN).map(Micros)
    }

    /// Number of repeated arrivals so far.
    pub fn duplicates(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().duplicates()).sum()
    }

    /// Messages that have not arrived.
    pub fn missing_messages(&self) -> Vec<MissingMessage> {
        self.shards.iter().flat_map(|shard| shard.lock().missing_messages()).collect()
    }
}
