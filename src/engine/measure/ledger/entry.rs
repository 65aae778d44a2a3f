//! Entries of the ledger, and their numbers by state.

use crate::clock::Micros;

/// A message that the ledger still tracks.
#[derive(Debug, Clone, Copy)]
pub(super) struct LedgerEntry {
    pub tick: u64,
    pub times: SendTimes,
    pub ack_state: AckState,
    pub delivered: bool,
}

/// The server's response to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckState {
    /// No response yet.
    Pending,
    /// The server has the message.
    Acked,
    /// The server certainly does not have the message.
    Refused,
    /// The client gave up waiting for a response.
    Unknown,
    /// The client asked for no response.
    NotRequested,
}

/// Numbers of entries that are not settled, by answer and arrival: what is pending is known without a walk over all
/// users.
#[derive(Debug, Default)]
pub(super) struct OpenCounts([[u64; 2]; 5]);

impl OpenCounts {
    fn slot(&mut self, entry: LedgerEntry) -> Option<&mut u64> {
        let is_open = !entry.is_settled();
        is_open.then(|| &mut self.0[entry.ack_state as usize][usize::from(entry.delivered)])
    }

    pub fn add(&mut self, entry: LedgerEntry) {
        if let Some(count) = self.slot(entry) {
            *count += 1;
        }
    }

    pub fn remove(&mut self, entry: LedgerEntry) {
        if let Some(count) = self.slot(entry) {
            *count -= 1;
        }
    }

    /// Entries that were not delivered.
    pub fn undelivered(&self) -> u64 {
        self.0.iter().map(|[undelivered, _]| undelivered).sum()
    }

    /// Entries with that answer, by whether they were delivered.
    pub const fn with(&self, state: AckState) -> [u64; 2] {
        self.0[state as usize]
    }
}

impl LedgerEntry {
    /// Whether the count of this message is final, except for a further arrival, which is recognised
    /// without the entry.
    pub const fn is_settled(&self) -> bool {
        self.delivered && !matches!(self.ack_state, AckState::Pending | AckState::Refused)
    }
}

/// When a message was due and when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendTimes {
    /// Due time by the schedule.
    pub due: Micros,
    /// Time at which the message was passed to the client.
    pub sent: Micros,
}
