//! Lists what a client reports, for tests and fuzzing.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::backend::{SendOutcomes, SendReceipt};

/// Outcomes by the tick of their message, and notes.
#[derive(Debug, Default)]
pub(super) struct OutcomeList {
    outcomes: Mutex<BTreeMap<u64, Vec<&'static str>>>,
    pub notes: Mutex<Vec<String>>,
}

impl OutcomeList {
    fn add(&self, receipts: &[SendReceipt], outcome: &'static str) {
        let mut outcomes = self.outcomes.lock();
        for receipt in receipts {
            outcomes.entry(receipt.stamp.tick()).or_default().push(outcome);
        }
    }

    /// Number of messages with an outcome.
    pub fn len(&self) -> usize {
        self.outcomes.lock().len()
    }

    /// The outcome of each message.
    ///
    /// # Panics
    /// A message has several.
    #[track_caller]
    pub fn single(&self) -> Vec<&'static str> {
        let outcomes = self.outcomes.lock();
        let each = outcomes.values().map(|of| {
            assert_eq!(of.len(), 1, "messages with several outcomes: {outcomes:?}");
            of[0]
        });
        each.collect()
    }
}

impl SendOutcomes for OutcomeList {
    fn connected(&self, _: u32) {}

    fn acked(&self, receipts: &[SendReceipt]) {
        self.add(receipts, "acked");
    }

    fn sent_without_ack(&self, receipts: &[SendReceipt]) {
        self.add(receipts, "sent");
    }

    fn refused(&self, receipt: SendReceipt, _: &str) {
        self.add(&[receipt], "refused");
    }

    fn unknown(&self, receipt: SendReceipt, _: &str) {
        self.add(&[receipt], "unknown");
    }

    fn note(&self, text: String) {
        self.notes.lock().push(text);
    }
}
