//! Outcomes of messages as the backends report them.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use super::{
    MERGE_OUTCOMES, Recorder,
    thread_log::{Answer, AnswerEntry, OutcomeLog},
};
use crate::{
    backend::{SendOutcomes, SendReceipt},
    clock::Micros,
    hot_thread::HotThread,
    stamp::Stamp,
};

impl Recorder {
    /// Calls `with` on the calling thread's log of outcomes.
    pub(super) fn log_outcomes(&self, with: impl FnOnce(&mut OutcomeLog)) {
        self.log(MERGE_OUTCOMES, |log| {
            let mut outcomes = log.outcomes.lock();
            with(&mut outcomes);
            outcomes.len()
        });
    }

    fn log_answers(&self, receipts: &[SendReceipt], answer: Answer) {
        let entry =
            |receipt: &SendReceipt| AnswerEntry { stamp: receipt.stamp, at: receipt.at, answer };
        self.log_outcomes(|outcomes| outcomes.answers.extend(receipts.iter().map(entry)));
    }

    fn log_failure(&self, receipt: SendReceipt, answer: Answer, reason: &str) {
        let SendReceipt { stamp, at, .. } = receipt;
        self.log_outcomes(|outcomes| {
            outcomes.answers.push(AnswerEntry { stamp, at, answer });
            outcomes.reasons.add(reason, 1);
        });
    }
}

impl SendOutcomes for Recorder {
    fn connected(&self, users: u32) {
        self.connected.store(users, Relaxed);
    }

    fn acked(&self, receipts: &[SendReceipt]) {
        if !receipts.is_empty() {
            self.client_watch.record_acks(receipts);
            self.log_answers(receipts, Answer::Acked);
        }
    }

    fn written(&self, stamp: Stamp, at: Micros) {
        let entry = AnswerEntry { stamp, at, answer: Answer::Written };
        self.log_outcomes(|outcomes| outcomes.answers.push(entry));
    }

    fn sent_without_ack(&self, receipts: &[SendReceipt]) {
        self.log_answers(receipts, Answer::WithoutAck);
    }

    fn refused(&self, receipt: SendReceipt, reason: &str) {
        self.log_failure(receipt, Answer::Refused, reason);
    }

    fn unknown(&self, receipt: SendReceipt, reason: &str) {
        self.log_failure(receipt, Answer::Unknown, reason);
    }

    fn note(&self, text: String) {
        self.note_at(self.clock.now().since(self.origin()) as f64 / 1e6, text);
    }

    fn watch_thread(&self, thread: &Arc<HotThread>) {
        self.client_watch.add_thread(thread);
    }
}
