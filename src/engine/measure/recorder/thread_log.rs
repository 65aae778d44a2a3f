//! The log of one thread: what it recorded since the last merge, under locks that no other recording thread takes.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use crate::{clock::Micros, engine::measure::ledger::SendTimes, stamp::Stamp};

/// Maximum number of different refusal reasons counted apart.
const MAX_REASONS: usize = 20;
/// Name of all refusal reasons beyond [`MAX_REASONS`] together.
const OTHER_REASONS: &str = "other reasons";

/// How far a message is that was handed to the client.
#[derive(Debug, Clone, Copy)]
pub(super) enum SendProgress {
    /// It is being handed over, or waits in the client, which tells when it is written.
    HandedOver,
    /// The client accepted it, after a wait if its queues were full.
    Sent { queue_was_full: bool },
    /// The same without a due time: the message before was accepted at `before`.
    SentUnpaced { before: Micros, queue_was_full: bool },
    /// The client did not accept it.
    Withdrawn,
}

/// A message that was handed over.
#[derive(Debug, Clone, Copy)]
pub(super) struct SendEntry {
    pub stamp: Stamp,
    pub times: SendTimes,
    pub progress: SendProgress,
}

/// What a client learned of a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// Its first byte was written after a wait in the client.
    Written,
    Acked,
    WithoutAck,
    Refused,
    Unknown,
}

/// An answer and its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerEntry {
    pub stamp: Stamp,
    pub at: Micros,
    pub answer: Answer,
}

/// A verified arrival of a message.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct VerifiedArrival {
    pub(in crate::engine) stamp: Stamp,
    pub(in crate::engine) at: Micros,
    pub(in crate::engine) intact: bool,
}

/// What a thread learned of messages that were handed over before.
#[derive(Debug, Default)]
pub(super) struct OutcomeLog {
    pub answers: Vec<AnswerEntry>,
    pub arrivals: Vec<VerifiedArrival>,
    /// Arrivals that are no message of this program.
    pub foreign: u64,
    pub reasons: ReasonCounts,
}

impl OutcomeLog {
    /// Number of entries.
    pub const fn len(&self) -> usize {
        self.answers.len() + self.arrivals.len()
    }
}

/// The log of one thread.
#[derive(Debug, Default)]
pub(super) struct ThreadLog {
    pub sends: Mutex<Vec<SendEntry>>,
    pub outcomes: Mutex<OutcomeLog>,
}

impl ThreadLog {
    /// Adds a message, or replaces what is known of the last one; returns the number of entries.
    ///
    /// A message whose entry has been merged gets another one, which the merge takes as a correction.
    pub fn log_send(&self, entry: SendEntry) -> usize {
        let mut sends = self.sends.lock();
        match sends.last_mut() {
            Some(last) if last.stamp == entry.stamp => *last = entry,
            _ => sends.push(entry),
        }
        sends.len()
    }
}

/// Number of messages by the reason why they were refused or given up.
#[derive(Debug, Default)]
pub(super) struct ReasonCounts(BTreeMap<String, u64>);

impl ReasonCounts {
    /// Counts `count` messages.
    pub fn add(&mut self, reason: &str, count: u64) {
        if let Some(counted) = self.0.get_mut(reason) {
            *counted += count;
        } else if self.0.len() < MAX_REASONS {
            self.0.insert(reason.to_owned(), count);
        } else {
            *self.0.entry(OTHER_REASONS.to_owned()).or_default() += count;
        }
    }

    /// Moves the counts of `other` here.
    pub fn take(&mut self, other: &mut Self) {
        for (reason, count) in std::mem::take(&mut other.0) {
            self.add(&reason, count);
        }
    }

    /// The counts by reason.
    pub const fn counts(&self) -> &BTreeMap<String, u64> {
        &self.0
    }
}

thread_local! {
    /// The calling thread's log, and the recorder that it belongs to: a thread records into one at a time.
    static CURRENT: RefCell<Option<(u64, Arc<ThreadLog>)>> = const { RefCell::new(None) };
}

/// Calls `with` on the calling thread's log in the recorder `recorder`; `find` looks it up or creates it.
pub(super) fn with_current<R>(
    recorder: u64,
    find: impl FnOnce() -> Arc<ThreadLog>,
    with: impl FnOnce(&ThreadLog) -> R,
) -> R {
    CURRENT.with_borrow_mut(|current| match current {
        Some((id, log)) if *id == recorder => with(log),
        _ => {
            let (_, log) = current.insert((recorder, find()));
            with(log)
        }
    })
}
