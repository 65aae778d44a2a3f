//! The recorder: every outcome of a repetition ends here, on the thread that learned it.
//!
//! Nothing of an operation crosses a channel. The books are split by user, and each kind of
//! duration has a lock of its own that only the thread that measures it and, for a moment, the
//! observer take; so the scheduler never waits for the consumer.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    comeback::Comebacks,
    ledger::{Arrival, Books, Open, Times},
};
use crate::{
    backend::{Receipt, Reports},
    clock::{Clock, Micros},
    measure::{Durations, Ledger, Second},
    record::TimedNote,
    stamp::Stamp,
    stats::distribution::Distribution,
    workload::payload::Payloads,
};

/// Shards of the books. More than the threads that can meet here.
const SHARDS: u32 = 64;
/// Acknowledgements or arrivals of one shard that are entered under one lock. The load waits for that
/// lock: for a microsecond or two at most.
const RUN: usize = 32;
/// Notes kept of one repetition; a server that dies under a thousand users says so a thousand times.
const NOTES: usize = 200;
/// Different reasons of refusal that are kept.
const REASONS: usize = 20;

/// A duration over the whole load, and over the present second.
#[derive(Debug, Default)]
struct Window {
    total: Distribution,
    second: Distribution,
}

impl Window {
    fn record(&mut self, micros: i64, measured: bool) {
        self.second.record(micros);
        if measured {
            self.total.record(micros);
        }
    }
}

/// One arrival, verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived {
    pub(super) stamp: Stamp,
    pub(super) at: Micros,
    pub(super) intact: bool,
}

/// What the receiving side measures.
#[derive(Debug, Default)]
struct Received {
    delivery: Window,
    response: Window,
    first: Option<Micros>,
    last: Option<Micros>,
}

/// Everything that one repetition measures on the client's side. Shared by all threads.
#[derive(Debug)]
pub struct Recorder {
    clock: Clock,
    payloads: Payloads,
    planned: u64,
    books: Vec<Mutex<Books>>,
    lag: Mutex<Window>,
    ack: Mutex<Window>,
    received: Mutex<Received>,
    last_ack: AtomicI64,
    /// Messages due before this are played and accounted for, not measured.
    measure_from: AtomicI64,
    closed: AtomicBool,
    connected: AtomicU32,
    due: AtomicU64,
    sent: AtomicU64,
    acked: AtomicU64,
    delivered: AtomicU64,
    /// Where the seconds of notes count from.
    origin: AtomicI64,
    notes: Mutex<Vec<TimedNote>>,
    /// The first answer and the first arrival after faults.
    comeback: Comebacks,
    reasons: Mutex<BTreeMap<String, u64>>,
}

/// A panic in another thread must not hide what was measured until then.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// A recorder for `users` users that will send `planned` messages together.
    pub fn new(clock: Clock, users: u32, planned: u64, payloads: Payloads) -> Self {
        let shards = SHARDS.min(users.max(1));
        Self {
            clock,
            payloads,
            planned,
            books: (0..shards).map(|_| Mutex::new(Books::new(users, shards))).collect(),
            lag: Mutex::default(),
            ack: Mutex::default(),
            received: Mutex::default(),
            last_ack: AtomicI64::new(i64::MIN),
            measure_from: AtomicI64::new(i64::MIN),
            closed: AtomicBool::new(false),
            connected: AtomicU32::new(0),
            due: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            acked: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            origin: AtomicI64::new(clock.now().0),
            notes: Mutex::default(),
            comeback: Comebacks::default(),
            reasons: Mutex::default(),
        }
    }

    /// The run's clock.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// How payloads are made and checked.
    pub fn payloads(&self) -> Payloads {
        self.payloads.clone()
    }

    /// The load begins at `start`; what is due before `measure_from` is not measured.
    pub fn begin(&self, start: Micros, measure_from: Micros) {
        self.origin.store(start.0, Relaxed);
        self.measure_from.store(measure_from.0, Relaxed);
    }

    /// Where the seconds of a repetition count from: the start of its load.
    pub fn origin(&self) -> Micros {
        Micros(self.origin.load(Relaxed))
    }

    /// The drain is over: what arrives from now on is late.
    pub fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// Whether the drain is over.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    fn shard(&self, stamp: Stamp) -> usize {
        stamp.user() as usize % self.books.len()
    }

    fn books(&self, stamp: Stamp) -> MutexGuard<'_, Books> {
        lock(&self.books[self.shard(stamp)])
    }

    /// What follows each other in one shard, at most [`RUN`] at a time.
    fn runs<'a, T>(
        &'a self,
        all: &'a [T],
        stamp: impl Fn(&T) -> Stamp + 'a,
    ) -> impl Iterator<Item = &'a [T]> {
        let same = move |a: &T, b: &T| self.shard(stamp(a)) == self.shard(stamp(b));
        all.chunk_by(same).flat_map(|run| run.chunks(RUN))
    }

    fn measured(&self, times: Times) -> bool {
        times.due.0 >= self.measure_from.load(Relaxed)
    }

    /// A message is about to be handed over. Before the hand-over, because its acknowledgement
    /// may be quicker than the call's return.
    pub fn sending(&self, stamp: Stamp, times: Times) {
        self.books(stamp).sent(stamp, times);
    }

    /// The client took the message.
    pub fn handed_over(&self, times: Times) {
        self.due.fetch_add(1, Relaxed);
        self.sent.fetch_add(1, Relaxed);
        let lag = times.sent.since(times.due);
        lock(&self.lag).record(lag, self.measured(times));
    }

    /// The client took a message of the throughput workload, which has no due time.
    pub fn handed_over_unpaced(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    /// The client did not take the message.
    pub fn withdraw(&self, stamp: Stamp, reason: Option<&str>) {
        self.books(stamp).withdrawn(stamp);
        if let Some(reason) = reason {
            self.count_reason(reason);
        }
    }

    fn count_reason(&self, reason: &str) {
        let mut reasons = lock(&self.reasons);
        if let Some(count) = reasons.get_mut(reason) {
            *count += 1;
        } else if reasons.len() < REASONS {
            reasons.insert(reason.to_owned(), 1);
        }
    }

    /// A batch of arrivals becomes visible.
    pub(super) fn arrived(&self, batch: &[Arrived]) {
        let Some(last) = batch.last() else { return };
        let closed = self.is_closed();
        let mut first_arrivals = 0;
        let mut guard = lock(&self.received);
        let received = &mut *guard;
        for run in self.runs(batch, |arrived| arrived.stamp) {
            let mut books = self.books(run[0].stamp);
            for arrived in run {
                if closed {
                    books.late();
                    continue;
                }
                if !arrived.intact {
                    books.corrupt();
                    continue;
                }
                if let Arrival::First(times) = books.arrived(arrived.stamp) {
                    self.comeback.arrived(times.sent, arrived.at);
                    first_arrivals += 1;
                    let measured = self.measured(times);
                    received.delivery.record(arrived.at.since(times.sent), measured);
                    received.response.record(arrived.at.since(times.due), measured);
                }
            }
        }
        if first_arrivals > 0 {
            received.first.get_or_insert(batch[0].at);
            received.last = Some(last.at);
        }
        self.delivered.fetch_add(first_arrivals, Relaxed);
    }

    /// Something arrived that is not a message of ours.
    pub(super) fn foreign(&self) {
        lock(&self.books[0]).corrupt();
    }

    /// Everything counted so far. What has neither arrived nor been refused is *lost* once the
    /// books are closed, and *on the way* before.
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger { planned: self.planned, ..Ledger::default() };
        for books in &self.books {
            lock(books).add_to(&mut ledger, self.is_closed());
        }
        ledger.unsent = ledger.planned.saturating_sub(ledger.sent);
        ledger
    }

    /// Messages that waiting may still change: without an answer, or (where arrivals are expected)
    /// acknowledged and not yet arrived.
    pub fn pending(&self, arrivals_expected: bool) -> u64 {
        // Whoever finds nothing pending reads the counters next: a batch that is on the books must
        // be in them, too.
        let _whole = (lock(&self.ack), lock(&self.received));
        self.books.iter().map(|books| lock(books).pending(arrivals_expected)).sum()
    }

    /// Messages that arrived intact, each counted once.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// Messages that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acked.load(Relaxed)
    }

    /// Messages handed over so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Users connected.
    pub fn users_connected(&self) -> u32 {
        self.connected.load(Relaxed)
    }

    /// When the first and the last message arrived.
    pub fn arrivals(&self) -> Option<(Micros, Micros)> {
        let received = lock(&self.received);
        received.first.zip(received.last)
    }

    /// When the last acknowledgement came.
    pub fn last_ack(&self) -> Option<Micros> {
        Some(self.last_ack.load(Relaxed)).filter(|at| *at != i64::MIN).map(Micros)
    }

    /// The four durations so far, of messages that are measured.
    pub fn durations(&self) -> Durations<Distribution> {
        let lag = lock(&self.lag).total.clone();
        let ack = lock(&self.ack).total.clone();
        let received = lock(&self.received);
        Durations {
            lag,
            ack,
            delivery: received.delivery.total.clone(),
            response: received.response.total.clone(),
        }
    }

    /// Ends the present second of the load: its durations, and the counts so far in place of the
    /// second's own (the observer takes the difference).
    pub fn turn_second(&self, number: u32) -> Second {
        let lag = std::mem::take(&mut lock(&self.lag).second);
        let ack = std::mem::take(&mut lock(&self.ack).second);
        let (delivery, response) = {
            let mut received = lock(&self.received);
            (
                std::mem::take(&mut received.delivery.second),
                std::mem::take(&mut received.response.second),
            )
        };
        Second {
            second: number,
            due: self.due.load(Relaxed),
            sent: self.sent.load(Relaxed),
            acked: self.acked.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            bytes: 0,
            delivery_p50: delivery.percentile(0.5),
            delivery_p99: delivery.percentile(0.99),
            delivery_max: delivery.max(),
            ack_p50: ack.percentile(0.5),
            response_p50: response.percentile(0.5),
            response_max: response.max(),
            lag_max: lag.max(),
        }
    }

    /// First answers and arrivals after faults.
    pub(super) const fn comebacks(&self) -> &Comebacks {
        &self.comeback
    }

    /// Further arrivals of messages that had arrived, so far.
    pub fn duplicates(&self) -> u64 {
        self.books.iter().map(|books| lock(books).duplicates()).sum()
    }

    /// Messages that never arrived, as things stand.
    pub fn open(&self) -> Vec<Open> {
        self.books.iter().flat_map(|books| lock(books).missing()).collect()
    }

    /// Takes the notes gathered so far.
    pub fn take_notes(&self) -> Vec<TimedNote> {
        std::mem::take(&mut lock(&self.notes))
    }

    /// Why messages were refused or given up, with how many of each.
    pub fn reasons(&self) -> BTreeMap<String, u64> {
        lock(&self.reasons).clone()
    }
}

impl Reports for Recorder {
    fn connected(&self, users: u32) {
        self.connected.store(users, Relaxed);
    }

    fn acked(&self, receipts: &[Receipt]) {
        let Some(last) = receipts.last() else { return };
        let mut counted = 0;
        let mut window = lock(&self.ack);
        for run in self.runs(receipts, |receipt| receipt.stamp) {
            let mut books = self.books(run[0].stamp);
            for receipt in run {
                let Some(times) = books.acked(receipt.stamp) else { continue };
                counted += 1;
                self.comeback.acked(times.sent, receipt.at);
                window.record(receipt.at.since(times.sent), self.measured(times));
            }
        }
        self.acked.fetch_add(counted, Relaxed);
        self.last_ack.fetch_max(last.at.0, Relaxed);
    }

    fn refused(&self, receipt: Receipt, reason: &str) {
        self.books(receipt.stamp).refused(receipt.stamp);
        self.count_reason(reason);
    }

    fn unknown(&self, receipt: Receipt, reason: &str) {
        self.books(receipt.stamp).unknown(receipt.stamp);
        self.count_reason(reason);
    }

    fn note(&self, text: String) {
        let second = (self.clock.now().0 - self.origin.load(Relaxed)) as f64 / 1e6;
        let mut notes = lock(&self.notes);
        if notes.len() < NOTES {
            notes.push(TimedNote { second, text });
        }
    }
}
