//! The ledger: accounts for every message.
//!
//! Its memory grows with the messages that are not settled, not with the messages sent: a user's stamps are unique
//! and ascending, so the entry of a message that was acknowledged and delivered can be dropped, and a
//! stamp without an entry but not above the user's last one must have been settled before. Settled entries behind
//! one that is not, for example behind a message that a killed server lost, are removed once they are the majority.

use std::collections::VecDeque;

mod entry;
#[cfg(test)]
mod tests;

use self::entry::{AckState, LedgerEntry, OpenCounts};
use crate::{
    clock::Micros,
    measure::Ledger,
    stamp::{Stamp, UserId},
};

pub use self::entry::SendTimes;

/// A message that has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingMessage {
    /// Time at which the message was passed to the client.
    pub sent: Micros,
    /// Whether the server acknowledged the message.
    pub acked: bool,
    /// Whether the server certainly does not have the message.
    pub refused: bool,
}

/// Classification of an intact arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrivalOutcome {
    /// The message's first arrival.
    First(SendTimes),
    /// The message had arrived before.
    Duplicate,
    /// The user never sent the message.
    Unsent,
}

/// Settled entries that a user may keep behind one that is not settled, however few of those there are. With 10,000
/// users and one lost message of each, they take 10 MB in all.
const KEPT_SETTLED: usize = 16;
/// Room for entries that a user keeps when its entries have become few.
const KEPT_ROOM: usize = 64;

#[derive(Debug, Default)]
struct UserLedger {
    /// Ascending ticks. Settled entries are removed at the front; from the middle only by compaction.
    entries: VecDeque<LedgerEntry>,
    /// Number of settled entries.
    settled: usize,
    last_sent: Option<u64>,
    last_arrived: Option<u64>,
}

impl UserLedger {
    fn find(&mut self, tick: u64) -> Option<&mut LedgerEntry> {
        let front = self.entries.front()?.tick;
        // In the throughput workload ticks are consecutive and the first guess is right.
        let guess = usize::try_from(tick.checked_sub(front)?).unwrap_or(usize::MAX);
        let index = match self.entries.get(guess) {
            Some(entry) if entry.tick == tick => guess,
            _ => self.entries.binary_search_by_key(&tick, |entry| entry.tick).ok()?,
        };
        self.entries.get_mut(index)
    }

    fn remove_settled(&mut self) {
        while self.entries.pop_front_if(|entry| entry.is_settled()).is_some() {
            self.settled -= 1;
        }
        // Each pass over the entries removes half of them at least: a message costs a constant time on average.
        if self.settled > KEPT_SETTLED.max(self.entries.len() - self.settled) {
            self.entries.retain(|entry| !entry.is_settled());
            self.settled = 0;
            if self.entries.capacity() > KEPT_ROOM.max(4 * self.entries.len()) {
                self.entries.shrink_to(2 * self.entries.len());
            }
        }
    }
}

/// The messages of all users.
#[derive(Debug, Default)]
pub struct MessageLedger {
    users: Vec<UserLedger>,
    counts: Ledger,
    open: OpenCounts,
    acked: u64,
}

impl MessageLedger {
    /// Creates the ledger of `users` users.
    pub fn new(users: u32) -> Self {
        Self {
            users: std::iter::repeat_with(UserLedger::default).take(users as usize).collect(),
            ..Self::default()
        }
    }

    fn user_ledger(&mut self, user: UserId) -> Option<&mut UserLedger> {
        self.users.get_mut(user as usize)
    }

    /// Whether a message is the last one that its user sent.
    pub fn is_last_sent(&self, stamp: Stamp) -> bool {
        let user = self.users.get(stamp.user() as usize);
        user.is_some_and(|user| user.last_sent == Some(stamp.tick()))
    }

    /// Changes the entry of a message, if it is not settled; returns it as it was before.
    fn change(
        &mut self,
        stamp: Stamp,
        change: impl FnOnce(&mut LedgerEntry),
    ) -> Option<LedgerEntry> {
        let user = self.users.get_mut(stamp.user() as usize)?;
        let entry = user.find(stamp.tick())?;
        let before = *entry;
        change(entry);
        let after = *entry;
        self.open.remove(before);
        self.open.add(after);
        user.settled += usize::from(after.is_settled());
        user.settled -= usize::from(before.is_settled());
        user.remove_settled();
        Some(before)
    }

    /// Records a message that is about to be sent.
    pub fn record_sent(&mut self, stamp: Stamp, times: SendTimes) {
        self.counts.sent += 1;
        if let Some(user) = self.user_ledger(stamp.user()) {
            user.last_sent = Some(stamp.tick());
            let entry = LedgerEntry {
                tick: stamp.tick(),
                times,
                ack_state: AckState::Pending,
                delivered: false,
            };
            user.entries.push_back(entry);
            self.open.add(entry);
        }
    }

    /// Changes the send time of a user's last message, which is handed over again.
    pub fn set_sent(&mut self, stamp: Stamp, sent: Micros) {
        let Some(user) = self.user_ledger(stamp.user()) else { return };
        if let Some(entry) = user.entries.back_mut().filter(|entry| entry.tick == stamp.tick()) {
            entry.times.sent = sent;
        }
    }

    /// Changes the send time of a message that had to wait in the client; returns its times.
    pub fn set_written(&mut self, stamp: Stamp, sent: Micros) -> Option<SendTimes> {
        let entry = self.user_ledger(stamp.user())?.find(stamp.tick())?;
        entry.times.sent = sent;
        Some(entry.times)
    }

    /// Returns the times of a message that is not settled.
    #[cfg(test)]
    pub fn times_of(&mut self, stamp: Stamp) -> Option<SendTimes> {
        Some(self.user_ledger(stamp.user())?.find(stamp.tick())?.times)
    }

    /// Removes a user's last message, which the client did not accept.
    pub fn withdraw(&mut self, stamp: Stamp) {
        let Some(user) = self.user_ledger(stamp.user()) else { return };
        let last = user.entries.pop_back_if(|entry| entry.tick == stamp.tick());
        if let Some(entry) = last {
            self.open.remove(entry);
            self.counts.sent -= 1;
        }
    }

    /// Records an acknowledgement. Returns the message's times, unless the message had been
    /// acknowledged before or was never sent.
    pub fn record_ack(&mut self, stamp: Stamp) -> Option<SendTimes> {
        let before = self.change(stamp, |entry| entry.ack_state = AckState::Acked)?;
        if before.ack_state == AckState::Acked {
            return None;
        }
        self.acked += 1;
        Some(before.times)
    }

    /// Records that a message is on its way and that its client asked for no acknowledgement.
    pub fn record_without_ack(&mut self, stamp: Stamp) {
        self.change(stamp, |entry| entry.ack_state = AckState::NotRequested);
    }

    /// Records that the server certainly refused a message.
    pub fn record_refusal(&mut self, stamp: Stamp) {
        self.change(stamp, |entry| entry.ack_state = AckState::Refused);
    }

    /// Records that the server's response to a message will stay unknown, unless the message arrives.
    pub fn record_unknown(&mut self, stamp: Stamp) {
        self.change(stamp, |entry| entry.ack_state = AckState::Unknown);
    }

    /// Records the arrival of an intact message.
    pub fn record_arrival(&mut self, stamp: Stamp) -> ArrivalOutcome {
        let Some(user) = self.user_ledger(stamp.user()) else {
            self.counts.corrupt += 1;
            return ArrivalOutcome::Unsent;
        };
        let tick = stamp.tick();
        let in_order = user.last_arrived.is_none_or(|last| last < tick);
        let settled_before = user.last_sent.is_some_and(|last| tick <= last);
        let arrival = match self.change(stamp, |entry| entry.delivered = true) {
            Some(before) if before.delivered => ArrivalOutcome::Duplicate,
            Some(before) => {
                if let Some(user) = self.user_ledger(stamp.user()) {
                    user.last_arrived = user.last_arrived.max(Some(tick));
                }
                ArrivalOutcome::First(before.times)
            }
            None if settled_before => ArrivalOutcome::Duplicate,
            None => ArrivalOutcome::Unsent,
        };
        match arrival {
            ArrivalOutcome::First(_) => {
                self.counts.delivered += 1;
                self.counts.out_of_order += u64::from(!in_order);
            }
            ArrivalOutcome::Duplicate => self.counts.duplicate += 1,
            ArrivalOutcome::Unsent => self.counts.corrupt += 1,
        }
        arrival
    }

    /// Records the arrival of a message that differs from what was sent.
    pub fn record_corrupt(&mut self) {
        self.counts.corrupt += 1;
    }

    /// Records an arrival after the drain.
    pub fn record_late(&mut self) {
        self.counts.late += 1;
    }

    /// Adds all messages to `total`. An undelivered message counts as failed if it was refused; otherwise
    /// as lost once the drain is over (`drain_over`), and as on the way before.
    ///
    /// After the drain all three are counted from the entries, not as differences, so that the ledger's
    /// equations can fail when the entries are wrong.
    pub fn add_to(&self, total: &mut Ledger, drain_over: bool) {
        total.sent += self.counts.sent;
        *total.acked.get_or_insert(0) += self.acked;
        total.delivered += self.counts.delivered;
        total.duplicate += self.counts.duplicate;
        total.out_of_order += self.counts.out_of_order;
        total.corrupt += self.counts.corrupt;
        total.late += self.counts.late;
        if !drain_over {
            let [failed, _] = self.open.with(AckState::Refused);
            let undelivered = self.open.undelivered();
            total.failed += failed;
            total.on_the_way += undelivered - failed;
            return;
        }
        for entry in self.users.iter().flat_map(|user| &user.entries) {
            if !entry.delivered {
                let refused = entry.ack_state == AckState::Refused;
                total.failed += u64::from(refused);
                total.lost += u64::from(!refused);
                total.acked_then_lost += u64::from(entry.ack_state == AckState::Acked);
            }
        }
    }

    /// Returns the number of further arrivals of messages that had arrived.
    pub const fn duplicates(&self) -> u64 {
        self.counts.duplicate
    }

    /// Returns every message that has not arrived.
    pub fn missing_messages(&self) -> Vec<MissingMessage> {
        let entries = self.users.iter().flat_map(|user| &user.entries);
        entries
            .filter(|entry| !entry.delivered)
            .map(|entry| MissingMessage {
                sent: entry.times.sent,
                acked: entry.ack_state == AckState::Acked,
                refused: entry.ack_state == AckState::Refused,
            })
            .collect()
    }

    /// Counts messages whose state may still change: messages without a response (even when one has
    /// arrived, its client may send it again), and, where arrivals are expected, messages acknowledged
    /// and not yet arrived.
    pub fn pending_count(&self, arrivals_expected: bool) -> u64 {
        let unanswered = self.open.with(AckState::Pending);
        let [acked, _] = self.open.with(AckState::Acked);
        let [not_asked, _] = self.open.with(AckState::NotRequested);
        unanswered[0] + unanswered[1] + if arrivals_expected { acked + not_asked } else { 0 }
    }
}
