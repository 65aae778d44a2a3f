//! Recorder: collects every outcome of a repetition, on the thread that observed it.
//!
//! No outcome crosses a channel. The ledger is split into shards by user, and each kind of duration
//! has a separate lock, taken only by the thread that measures that duration and briefly by the
//! observer; so the sending thread never waits for the consumer.

mod messages;
mod outcomes;
mod seconds;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed},
};

use parking_lot::{Mutex, MutexGuard};

use super::{
    client_watch::ClientWatch,
    ledger::{ArrivalOutcome, LedgerShard, SendTimes},
    notes::NoteList,
    recovery::RecoveryTracker,
    standstill::{StandstillMonitor, Waiting},
    timeline::{DurationHistograms, SendStats, Timeline, TimelineScope, second_of},
};
use crate::{
    clock::{Clock, Micros},
    measure::{Durations, Ledger},
    record::TimedNote,
    stamp::Stamp,
    stats::distribution::Distribution,
    workload::payload::PayloadGenerator,
};

/// Maximum number of ledger shards: more than the threads that record at the same time.
const MAX_LEDGER_SHARDS: u32 = 64;
/// Maximum number of acknowledgements or arrivals of one shard recorded under one lock. The sending
/// thread waits for that lock: a microsecond or two at most.
const MAX_RECORDS_PER_LOCK: usize = 32;
/// Maximum number of different refusal reasons counted apart.
const MAX_REASONS: usize = 20;
/// Name of all refusal reasons beyond [`MAX_REASONS`] together.
const OTHER_REASONS: &str = "other reasons";

/// A verified arrival of a message.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct VerifiedArrival {
    pub(in crate::engine) stamp: Stamp,
    pub(in crate::engine) at: Micros,
    pub(in crate::engine) intact: bool,
}

/// Durations and arrival times measured on the receiving side.
#[derive(Debug, Default)]
struct ReceiveStats {
    delivery: DurationHistograms,
    response: DurationHistograms,
    first_arrival: Option<Micros>,
    last_arrival: Option<Micros>,
}

/// The start of a load, and what its seconds count.
#[derive(Debug)]
pub struct LoadStart {
    /// Start of the load.
    pub start: Micros,
    /// Messages due before this time are not measured.
    pub measure_from: Micros,
    /// Messages due in each second, by the schedule.
    pub due: Vec<u64>,
    /// Figures of the timeline that have a meaning.
    pub scope: TimelineScope,
    /// What the load waits for.
    pub waiting: Waiting,
}

/// Client-side measurements of one repetition, shared by all threads.
#[derive(Debug)]
pub struct Recorder {
    clock: Clock,
    payloads: PayloadGenerator,
    planned: u64,
    shards: Vec<Mutex<LedgerShard>>,
    sends: Mutex<SendStats>,
    ack: Mutex<DurationHistograms>,
    received: Mutex<ReceiveStats>,
    timeline: Mutex<(Timeline, TimelineScope)>,
    standstills: StandstillMonitor,
    /// Messages of a steered load that became due, by second.
    due: Mutex<BTreeMap<u32, u64>>,
    /// Messages that never became due, because the operator had switched their users off.
    not_due: AtomicU64,
    last_ack: AtomicI64,
    /// When the last message was handed over.
    last_sent: AtomicI64,
    /// Messages due before this time are sent and counted in the ledger, but not measured.
    measure_from: AtomicI64,
    drain_over: AtomicBool,
    connected: AtomicU32,
    /// Messages of the measured load that were to be sent.
    offered: AtomicU64,
    sent: AtomicU64,
    acked: AtomicU64,
    /// Whether a client asked for no acknowledgements: their number is then not measured.
    without_acks: AtomicBool,
    delivered: AtomicU64,
    /// Time from which the seconds of notes count.
    origin: AtomicI64,
    /// Whether the load has begun, so that the timeline counts.
    load_began: AtomicBool,
    notes: Mutex<NoteList>,
    /// The first acknowledgement and the first arrival after each fault.
    recoveries: RecoveryTracker,
    reasons: Mutex<BTreeMap<String, u64>>,
    /// The client's hot threads and the delays of its acknowledgements.
    pub client_watch: ClientWatch,
}

impl Recorder {
    /// Creates a recorder for `users` users that will send `planned` messages together.
    pub fn new(clock: Clock, users: u32, planned: u64, payloads: PayloadGenerator) -> Self {
        let shards = MAX_LEDGER_SHARDS.min(users.max(1));
        Self {
            clock,
            payloads,
            planned,
            shards: (0..shards).map(|_| Mutex::new(LedgerShard::new(users, shards))).collect(),
            sends: Mutex::default(),
            ack: Mutex::default(),
            received: Mutex::default(),
            timeline: Mutex::default(),
            standstills: StandstillMonitor::default(),
            due: Mutex::default(),
            not_due: AtomicU64::new(0),
            last_ack: AtomicI64::new(i64::MIN),
            last_sent: AtomicI64::new(i64::MIN),
            measure_from: AtomicI64::new(i64::MIN),
            drain_over: AtomicBool::new(false),
            connected: AtomicU32::new(0),
            offered: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            acked: AtomicU64::new(0),
            without_acks: AtomicBool::new(false),
            delivered: AtomicU64::new(0),
            origin: AtomicI64::new(clock.now().0),
            load_began: AtomicBool::new(false),
            notes: Mutex::default(),
            recoveries: RecoveryTracker::default(),
            reasons: Mutex::default(),
            client_watch: ClientWatch::default(),
        }
    }

    /// Clock of the repetition.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Generator that makes and checks payloads.
    pub fn payloads(&self) -> PayloadGenerator {
        self.payloads.clone()
    }

    /// Starts the load: timeline and standstills count from here on.
    pub fn start_load(&self, load: LoadStart) {
        self.origin.store(load.start.0, Relaxed);
        self.measure_from.store(load.measure_from.0, Relaxed);
        let mut timeline = self.timeline.lock();
        timeline.0.restart(load.due);
        timeline.1 = load.scope;
        self.due.lock().clear();
        self.standstills.restart(load.start, load.waiting);
        self.client_watch.start_load();
        self.load_began.store(true, Relaxed);
    }

    /// Whether the load has begun.
    pub fn is_load_begun(&self) -> bool {
        self.load_began.load(Relaxed)
    }

    /// Second of the load in which `at` lies; `None` before the load.
    fn second_of(&self, at: Micros) -> Option<u32> {
        self.is_load_begun().then(|| second_of(at, self.origin()))
    }

    /// Start of the load, from which the seconds of a repetition count.
    pub fn origin(&self) -> Micros {
        Micros(self.origin.load(Relaxed))
    }

    /// Ends the drain: messages that arrive from now on count as late.
    pub fn end_drain(&self) {
        self.drain_over.store(true, Relaxed);
    }

    /// Whether the drain is over.
    pub fn is_drain_over(&self) -> bool {
        self.drain_over.load(Relaxed)
    }

    fn shard_index(&self, stamp: Stamp) -> usize {
        stamp.user() as usize % self.shards.len()
    }

    fn lock_shard(&self, stamp: Stamp) -> MutexGuard<'_, LedgerShard> {
        self.shards[self.shard_index(stamp)].lock()
    }

    /// Splits `all` into runs of neighbours in one shard, each of at most [`MAX_RECORDS_PER_LOCK`].
    fn same_shard_chunks<'a, T>(
        &'a self,
        all: &'a [T],
        stamp: impl Fn(&T) -> Stamp + 'a,
    ) -> impl Iterator<Item = &'a [T]> {
        let same_shard =
            move |a: &T, b: &T| self.shard_index(stamp(a)) == self.shard_index(stamp(b));
        all.chunk_by(same_shard).flat_map(|run| run.chunks(MAX_RECORDS_PER_LOCK))
    }

    fn is_measured(&self, times: SendTimes) -> bool {
        times.due.0 >= self.measure_from.load(Relaxed)
    }

    /// Records that a message is about to be handed to the client. Call it before the hand-over: the
    /// acknowledgement may arrive before that call returns.
    pub fn record_sending(&self, stamp: Stamp, times: SendTimes) {
        if self.is_measured(times) {
            self.offered.fetch_add(1, Relaxed);
        }
        self.lock_shard(stamp).record_sent(stamp, times);
        self.standstills.record_sending(times.sent);
        // Only one thread sends: its times never decrease.
        self.last_sent.store(times.sent.0, Relaxed);
    }

    /// Records that a message whose hand-over failed, because the client's queues were full, is handed over
    /// again at `sent`: the wait for the queues is no latency of the server.
    pub fn record_sending_again(&self, stamp: Stamp, sent: Micros) {
        self.lock_shard(stamp).set_sent(stamp, sent);
    }

    /// Returns the recorded times of a message that is not settled.
    #[cfg(test)]
    pub fn times_of(&self, stamp: Stamp) -> Option<SendTimes> {
        self.lock_shard(stamp).times_of(stamp)
    }

    /// Records that the client accepted a message, and its lag; with `queue_was_full`, after a wait.
    pub fn record_sent(&self, times: SendTimes, queue_was_full: bool) {
        self.standstills.record_sent(times.due, times.sent, queue_was_full);
        self.sent.fetch_add(1, Relaxed);
        let lag = times.sent.since(times.due);
        let (second, measured) = (self.second_of(times.sent), self.is_measured(times));
        let mut sends = self.sends.lock();
        sends.count(second);
        sends.lag.record(second, lag, measured);
    }

    /// Records that the client accepted a message of the throughput workload, which has no due time: the
    /// message before was accepted at `before`.
    pub fn record_sent_unpaced(&self, before: Micros, sent: Micros, queue_was_full: bool) {
        self.standstills.record_sent(before, sent, queue_was_full);
        self.sent.fetch_add(1, Relaxed);
        self.sends.lock().count(self.second_of(sent));
    }

    /// Removes a message that the client did not accept, and counts the reason.
    pub fn withdraw(&self, stamp: Stamp, reason: Option<&str>) {
        self.lock_shard(stamp).withdraw(stamp);
        if let Some(reason) = reason {
            self.count_reason(reason);
        }
    }

    fn count_reason(&self, reason: &str) {
        let mut reasons = self.reasons.lock();
        if let Some(count) = reasons.get_mut(reason) {
            *count += 1;
        } else if reasons.len() < MAX_REASONS {
            reasons.insert(reason.to_owned(), 1);
        } else {
            *reasons.entry(OTHER_REASONS.to_owned()).or_default() += 1;
        }
    }

    /// Records a batch of arrivals.
    pub(in crate::engine) fn record_arrivals(&self, batch: &[VerifiedArrival]) {
        let Some(last) = batch.last() else { return };
        let drain_over = self.is_drain_over();
        let mut first_arrivals = 0;
        let mut guard = self.received.lock();
        let received = &mut *guard;
        for run in self.same_shard_chunks(batch, |arrived| arrived.stamp) {
            let mut shard = self.lock_shard(run[0].stamp);
            for arrived in run {
                if drain_over {
                    shard.record_late();
                    continue;
                }
                if !arrived.intact {
                    shard.record_corrupt();
                    continue;
                }
                if let ArrivalOutcome::First(times) = shard.record_arrival(arrived.stamp) {
                    self.recoveries.record_arrival(times.sent, arrived.at);
                    first_arrivals += 1;
                    let measured = self.is_measured(times);
                    let second = self.second_of(arrived.at);
                    received.delivery.record(second, arrived.at.since(times.sent), measured);
                    received.response.record(second, arrived.at.since(times.due), measured);
                }
            }
        }
        if first_arrivals > 0 {
            self.standstills.record_arrivals(batch.iter().map(|arrived| arrived.at));
            received.first_arrival.get_or_insert(batch[0].at);
            received.last_arrival = Some(last.at);
        }
        self.delivered.fetch_add(first_arrivals, Relaxed);
    }

    /// Records an arrival that is not a message of this program: counted as corrupt.
    pub(in crate::engine) fn record_foreign(&self) {
        self.shards[0].lock().record_corrupt();
    }

    /// Ledger so far. A message that has neither arrived nor been refused counts as *on the way* during
    /// the drain, and as *lost* after it.
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger { planned: self.planned, ..Ledger::default() };
        for shard in &self.shards {
            shard.lock().add_to(&mut ledger, self.is_drain_over());
        }
        ledger.not_due = self.not_due.load(Relaxed);
        ledger.unsent = ledger.planned.saturating_sub(ledger.sent + ledger.not_due);
        if self.without_acks.load(Relaxed) {
            ledger.acked = None;
        }
        ledger
    }

    /// Number of messages whose outcome is still open: without an answer, or (if `arrivals_expected`)
    /// acknowledged and not yet arrived.
    pub fn pending_count(&self, arrivals_expected: bool) -> u64 {
        // A caller that finds nothing pending reads the counters next: a batch already in the ledger
        // must be in the counters, too.
        let _guards = (self.ack.lock(), self.received.lock());
        self.shards.iter().map(|shard| shard.lock().pending_count(arrivals_expected)).sum()
    }

    /// Number of messages that arrived intact, each counted once.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// Number of acknowledged messages.
    pub fn acknowledged(&self) -> u64 {
        self.acked.load(Relaxed)
    }

    /// Number of messages of the measured load that were to be sent so far, whether or not the client took
    /// them: as many samples as each duration has if nothing goes wrong.
    pub fn offered(&self) -> u64 {
        self.offered.load(Relaxed)
    }

    /// Number of messages handed to the client so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Number of connected users.
    pub fn users_connected(&self) -> u32 {
        self.connected.load(Relaxed)
    }

    /// Times of the first and the last arrival.
    pub fn arrival_span(&self) -> Option<(Micros, Micros)> {
        let received = self.received.lock();
        received.first_arrival.zip(received.last_arrival)
    }

    /// Time when the last message was handed over.
    pub fn last_sent(&self) -> Option<Micros> {
        Some(self.last_sent.load(Relaxed)).filter(|at| *at != i64::MIN).map(Micros)
    }

    /// The four durations of all measured messages so far.
    pub fn durations(&self) -> Durations<Distribution> {
        let lag = self.sends.lock().lag.total.clone();
        let ack = self.ack.lock().total.clone();
        let received = self.received.lock();
        Durations {
            lag,
            ack,
            delivery: received.delivery.total.clone(),
            response: received.response.total.clone(),
        }
    }

    /// First acknowledgements and arrivals after faults.
    pub(in crate::engine) const fn recoveries(&self) -> &RecoveryTracker {
        &self.recoveries
    }

    /// Adds a note for `second` of the load, or counts it if there are too many.
    pub fn note_at(&self, second: f64, text: String) {
        self.notes.lock().push(TimedNote { second, text });
    }

    /// Removes and returns the notes so far.
    pub fn take_notes(&self) -> Vec<TimedNote> {
        std::mem::take(&mut *self.notes.lock()).into_notes()
    }

    /// Reasons for which messages were refused or given up, with the number of messages.
    pub fn reasons(&self) -> BTreeMap<String, u64> {
        self.reasons.lock().clone()
    }
}
