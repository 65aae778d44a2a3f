//! Outcomes on their way to the engine: collected while the loop works, reported together.

use std::sync::Arc;

use super::batch::Stamps;
use crate::{
    backend::{SendOutcomes, SendReceipt},
    clock::Micros,
    stamp::Stamp,
};

/// Outcomes of all users since the last report.
#[derive(Debug, Default)]
pub struct Outcomes {
    acked: Vec<SendReceipt>,
    without_ack: Vec<SendReceipt>,
    written: Vec<SendReceipt>,
    failed: Vec<Failed>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Failed {
    receipt: SendReceipt,
    reason: Arc<str>,
    is_certain: bool,
}

const fn receipt(stamp: Stamp, at: Micros) -> SendReceipt {
    SendReceipt { stamp, at, not_before: at }
}

impl Outcomes {
    /// The server has the messages; its answer was read at `at`.
    pub fn acked(&mut self, stamps: &Stamps, at: Micros) {
        self.acked.extend(stamps.as_slice().iter().map(|stamp| receipt(*stamp, at)));
    }

    /// The messages are on their way, and no answer was asked for.
    pub fn without_ack(&mut self, stamps: &Stamps, at: Micros) {
        self.without_ack.extend(stamps.as_slice().iter().map(|stamp| receipt(*stamp, at)));
    }

    /// The first byte of messages that had to wait in this client was written at `at`.
    pub fn written(&mut self, stamps: &Stamps, at: Micros) {
        self.written.extend(stamps.as_slice().iter().map(|stamp| receipt(*stamp, at)));
    }

    /// The server certainly does not have the messages.
    pub fn refused(&mut self, stamps: &Stamps, at: Micros, reason: &str) {
        self.fail(stamps, at, reason, true);
    }

    /// Whether the server has the messages will never be known.
    pub fn unknown(&mut self, stamps: &Stamps, at: Micros, reason: &str) {
        self.fail(stamps, at, reason, false);
    }

    fn fail(&mut self, stamps: &Stamps, at: Micros, reason: &str, is_certain: bool) {
        let reason: Arc<str> = reason.into();
        self.failed.extend(stamps.as_slice().iter().map(|stamp| Failed {
            receipt: receipt(*stamp, at),
            reason: Arc::clone(&reason),
            is_certain,
        }));
    }

    /// Something that the operator should know.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Reports everything; `note` admits or drops a note.
    pub fn report(&mut self, to: &dyn SendOutcomes, mut note: impl FnMut(String)) {
        // A message is written before it is acknowledged.
        for written in self.written.drain(..) {
            to.written(written.stamp, written.at);
        }
        if !self.acked.is_empty() {
            to.acked(&self.acked);
            self.acked.clear();
        }
        if !self.without_ack.is_empty() {
            to.sent_without_ack(&self.without_ack);
            self.without_ack.clear();
        }
        for failed in self.failed.drain(..) {
            if failed.is_certain {
                to.refused(failed.receipt, &failed.reason);
            } else {
                to.unknown(failed.receipt, &failed.reason);
            }
        }
        self.notes.drain(..).for_each(&mut note);
    }
}
