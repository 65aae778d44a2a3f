//! The recorder's view of single messages: the last one acknowledged, repeated and missing ones, the first ones
//! after a fault.

use super::Recorder;
use crate::{clock::Micros, engine::measure::ledger::MissingMessage};

impl Recorder {
    /// Time of the last acknowledgement.
    pub fn last_ack(&self) -> Option<Micros> {
        self.merged().last_ack
    }

    /// Time when the last message was handed over.
    pub fn last_sent(&self) -> Option<Micros> {
        self.merged().last_sent
    }

    /// Number of repeated arrivals so far.
    pub fn duplicates(&self) -> u64 {
        self.merged().ledger.duplicates()
    }

    /// Messages that have not arrived.
    pub fn missing_messages(&self) -> Vec<MissingMessage> {
        self.merged().ledger.missing_messages()
    }

    /// Tracks the first acknowledgement and the first arrival of a message sent at or after `from`; returns the
    /// number that identifies this recovery.
    pub(in crate::engine) fn track_recovery(&self, from: Micros) -> usize {
        self.merged().recoveries.track_from(from)
    }

    /// Returns the times of the first acknowledgement and of the first arrival of a recovery.
    pub(in crate::engine) fn first_responses(
        &self,
        recovery: usize,
    ) -> (Option<Micros>, Option<Micros>) {
        self.merged().recoveries.first_responses(recovery)
    }
}
