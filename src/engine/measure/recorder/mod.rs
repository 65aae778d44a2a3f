//! Recorder: collects every outcome of a repetition, on the thread that observed it.
//!
//! No outcome crosses a channel, and no lock is shared between recording threads per message: each thread appends
//! to its own log ([`thread_log`]). Readers, the observer four times a second among them, merge the logs into the
//! ledger and the histograms ([`merged`]); a thread whose log is long merges by itself, so that memory does not
//! grow with the rate. A thread's log has a lock that only a merge takes beside that thread, for as long as it takes
//! to exchange two buffers.
//!
//! The durations themselves are computed by the merge, not by the threads: an acknowledgement's needs the send
//! time, which another thread knows.

mod merged;
mod messages;
mod outcomes;
mod seconds;
#[cfg(test)]
mod tests;
mod thread_log;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, ThreadId},
};

use parking_lot::{Mutex, MutexGuard};

use self::{
    merged::Merged,
    thread_log::{SendEntry, SendProgress, ThreadLog},
};
use super::{
    client_watch::ClientWatch, ledger::SendTimes, notes::NoteList, standstill::Waiting,
    timeline::TimelineScope,
};
use crate::{
    clock::{Clock, Micros},
    measure::{Durations, Ledger},
    record::TimedNote,
    stamp::Stamp,
    stats::distribution::Distribution,
    workload::payload::PayloadGenerator,
};

pub(in crate::engine) use self::thread_log::VerifiedArrival;

/// Entries of a thread's log of outcomes from which that thread merges by itself, unless another one does:
/// reached between two snapshots by more than 65,000 messages a second, and half a megabyte.
const MERGE_OUTCOMES: usize = 16 << 10;
/// The same of a thread that sends, whose lag a merge is: the threads that learn outcomes are to merge before it.
const MERGE_SENDS: usize = 4 * MERGE_OUTCOMES;
/// Multiple of these lengths from which a thread waits for a merge in progress, so that memory has a limit.
const WAIT_FACTOR: usize = 4;

/// Tells the recorders of this process apart.
static NEXT_RECORDER: AtomicU64 = AtomicU64::new(0);

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
    id: u64,
    clock: Clock,
    payloads: PayloadGenerator,
    planned: u64,
    /// The log of each thread that has recorded something.
    logs: Mutex<Vec<(ThreadId, Arc<ThreadLog>)>>,
    merged: Mutex<Merged>,
    /// Messages of a steered load that became due, by second; only the sending thread counts them.
    due: Mutex<BTreeMap<u32, u64>>,
    /// Messages that never became due, because the operator had switched their users off.
    not_due: AtomicU64,
    is_drain_over: AtomicBool,
    connected: AtomicU32,
    /// Time from which the seconds of notes count.
    origin: AtomicI64,
    /// Whether the load has begun, so that the timeline counts.
    load_began: AtomicBool,
    notes: Mutex<NoteList>,
    /// The client's hot threads and the delays of its acknowledgements.
    pub client_watch: ClientWatch,
}

impl Recorder {
    /// Creates a recorder for `users` users that will send `planned` messages together.
    pub fn new(clock: Clock, users: u32, planned: u64, payloads: PayloadGenerator) -> Self {
        Self {
            id: NEXT_RECORDER.fetch_add(1, Relaxed),
            clock,
            payloads,
            planned,
            logs: Mutex::default(),
            merged: Mutex::new(Merged::new(users)),
            due: Mutex::default(),
            not_due: AtomicU64::new(0),
            is_drain_over: AtomicBool::new(false),
            connected: AtomicU32::new(0),
            origin: AtomicI64::new(clock.now().0),
            load_began: AtomicBool::new(false),
            notes: Mutex::default(),
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
        let mut merged = self.merged();
        self.origin.store(load.start.0, Relaxed);
        merged.load_start = Some(load.start);
        merged.measure_from = load.measure_from;
        merged.timeline.restart(load.due);
        merged.scope = load.scope;
        merged.standstills.restart(load.start, load.waiting);
        drop(merged);
        self.due.lock().clear();
        self.client_watch.start_load();
        self.load_began.store(true, Relaxed);
    }

    /// Whether the load has begun.
    pub fn is_load_begun(&self) -> bool {
        self.load_began.load(Relaxed)
    }

    /// Start of the load, from which the seconds of a repetition count.
    pub fn origin(&self) -> Micros {
        Micros(self.origin.load(Relaxed))
    }

    /// Ends the drain: messages that arrive from now on count as late.
    pub fn end_drain(&self) {
        self.merged().is_drain_over = true;
        self.is_drain_over.store(true, Relaxed);
    }

    /// Whether the drain is over.
    pub fn is_drain_over(&self) -> bool {
        self.is_drain_over.load(Relaxed)
    }

    /// Everything recorded so far.
    fn merged(&self) -> MutexGuard<'_, Merged> {
        let mut merged = self.merged.lock();
        self.merge_into(&mut merged);
        merged
    }

    fn merge_into(&self, merged: &mut Merged) {
        for (_, log) in self.logs.lock().iter().skip(merged.log_count()) {
            merged.add_log(Arc::clone(log));
        }
        merged.merge();
    }

    /// Calls `with` on the log of the calling thread, and merges if the log has become long.
    fn log(&self, longest: usize, with: impl FnOnce(&ThreadLog) -> usize) {
        let length = thread_log::with_current(self.id, || self.find_log(), with);
        if length >= longest * WAIT_FACTOR {
            drop(self.merged());
        } else if length >= longest
            && let Some(mut merged) = self.merged.try_lock()
        {
            self.merge_into(&mut merged);
        }
    }

    /// Returns the log of the calling thread.
    fn find_log(&self) -> Arc<ThreadLog> {
        let this_thread = thread::current().id();
        let mut logs = self.logs.lock();
        if let Some((_, log)) = logs.iter().find(|(thread, _)| *thread == this_thread) {
            return Arc::clone(log);
        }
        let log = Arc::<ThreadLog>::default();
        logs.push((this_thread, Arc::clone(&log)));
        log
    }

    fn log_send(&self, stamp: Stamp, times: SendTimes, progress: SendProgress) {
        self.log(MERGE_SENDS, |log| log.log_send(SendEntry { stamp, times, progress }));
    }

    /// Records that a message is about to be handed to the client, or handed to it again, because its queues were
    /// full: the wait for the queues is no latency of the server.
    ///
    /// Call it before the hand-over: the acknowledgement may arrive before that call returns. All messages are sent
    /// by one thread at a time.
    pub fn record_sending(&self, stamp: Stamp, times: SendTimes) {
        self.log_send(stamp, times, SendProgress::HandedOver);
    }

    /// Returns the recorded times of a message that is not settled.
    #[cfg(test)]
    pub fn times_of(&self, stamp: Stamp) -> Option<SendTimes> {
        self.merged().ledger.times_of(stamp)
    }

    /// Records that the client accepted a message, and its lag; with `queue_was_full`, after a wait.
    pub fn record_sent(&self, stamp: Stamp, times: SendTimes, queue_was_full: bool) {
        self.log_send(stamp, times, SendProgress::Sent { queue_was_full });
    }

    /// Records that the client accepted a message of the throughput workload at `sent`, which has no due time: the
    /// message before was accepted at `before`.
    pub fn record_sent_unpaced(
        &self,
        stamp: Stamp,
        before: Micros,
        sent: Micros,
        queue_was_full: bool,
    ) {
        let times = SendTimes { due: sent, sent };
        self.log_send(stamp, times, SendProgress::SentUnpaced { before, queue_was_full });
    }

    /// Removes a message that the client did not accept, and counts the reason.
    pub fn withdraw(&self, stamp: Stamp, times: SendTimes, reason: Option<&str>) {
        self.log_send(stamp, times, SendProgress::Withdrawn);
        if let Some(reason) = reason {
            self.log_outcomes(|outcomes| outcomes.reasons.add(reason, 1));
        }
    }

    /// Records a batch of arrivals.
    pub(in crate::engine) fn record_arrivals(&self, batch: &[VerifiedArrival]) {
        if !batch.is_empty() {
            self.log_outcomes(|outcomes| outcomes.arrivals.extend_from_slice(batch));
        }
    }

    /// Records an arrival that is not a message of this program: counted as corrupt.
    pub(in crate::engine) fn record_foreign(&self) {
        self.log_outcomes(|outcomes| outcomes.foreign += 1);
    }

    /// Ledger so far. A message that has neither arrived nor been refused counts as *on the way* during
    /// the drain, and as *lost* after it.
    pub fn ledger(&self) -> Ledger {
        let merged = self.merged();
        let mut ledger = Ledger { planned: self.planned, ..Ledger::default() };
        merged.ledger.add_to(&mut ledger, merged.is_drain_over);
        ledger.not_due = self.not_due.load(Relaxed);
        ledger.unsent = ledger.planned.saturating_sub(ledger.sent + ledger.not_due);
        if merged.without_acks {
            ledger.acked = None;
        }
        ledger
    }

    /// Number of messages whose outcome is still open: without an answer, or (if `arrivals_expected`)
    /// acknowledged and not yet arrived. Takes the same time for any number of users.
    pub fn pending_count(&self, arrivals_expected: bool) -> u64 {
        self.merged().ledger.pending_count(arrivals_expected)
    }

    /// Number of messages that arrived intact, each counted once.
    pub fn delivered(&self) -> u64 {
        self.merged().delivered
    }

    /// Number of acknowledged messages.
    pub fn acknowledged(&self) -> u64 {
        self.merged().acked
    }

    /// Number of messages of the measured load that were to be sent so far, whether or not the client took
    /// them: as many samples as each duration has if nothing goes wrong.
    pub fn offered(&self) -> u64 {
        self.merged().offered
    }

    /// Number of messages handed to the client so far.
    pub fn sent(&self) -> u64 {
        self.merged().sent
    }

    /// Number of connected users.
    pub fn users_connected(&self) -> u32 {
        self.connected.load(Relaxed)
    }

    /// Times of the first and the last arrival.
    pub fn arrival_span(&self) -> Option<(Micros, Micros)> {
        let merged = self.merged();
        merged.received.first_arrival.zip(merged.received.last_arrival)
    }

    /// The four durations of all measured messages so far.
    pub fn durations(&self) -> Durations<Distribution> {
        let merged = self.merged();
        Durations {
            lag: merged.sends.lag.total.clone(),
            ack: merged.ack.total.clone(),
            delivery: merged.received.delivery.total.clone(),
            response: merged.received.response.total.clone(),
        }
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
        self.merged().reasons.counts().clone()
    }
}
