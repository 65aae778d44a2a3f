//! Logs of what a backend's fleet and consumer report.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use hubmark::{
    backend::{BackendError, Consumer, MessageSink, SendOutcomes, SendReceipt},
    clock::Micros,
    hot_thread::HotThread,
    stamp::Stamp,
};

use super::wait::until_async;

/// Reports of a fleet; messages by their stamp's number.
#[derive(Default)]
pub struct Outcomes {
    pub connected: u32,
    pub acked: Vec<u64>,
    pub refused: Vec<(u64, String)>,
    pub unknown: Vec<u64>,
    pub notes: Vec<String>,
    /// Threads that all messages pass through.
    pub threads: Vec<Arc<HotThread>>,
}

/// Collects the reports of a fleet.
#[derive(Default)]
pub struct OutcomeLog(Mutex<Outcomes>);

impl OutcomeLog {
    pub fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        self.0.lock().unwrap()
    }

    /// Waits until the outcomes of `count` messages are known.
    pub async fn wait_for(&self, count: usize) {
        until_async("outcomes", async || {
            let outcomes = self.outcomes();
            outcomes.acked.len() + outcomes.refused.len() + outcomes.unknown.len() >= count
        })
        .await;
    }

    /// Waits until the fleet has noted something.
    pub async fn wait_for_note(&self) {
        until_async("a note", async || !self.outcomes().notes.is_empty()).await;
    }
}

impl SendOutcomes for OutcomeLog {
    fn connected(&self, users: u32) {
        let mut outcomes = self.outcomes();
        outcomes.connected = outcomes.connected.max(users);
    }
    fn acked(&self, receipts: &[SendReceipt]) {
        self.outcomes().acked.extend(receipts.iter().map(|receipt| receipt.stamp.number()));
    }
    fn refused(&self, receipt: SendReceipt, reason: &str) {
        self.outcomes().refused.push((receipt.stamp.number(), reason.to_owned()));
    }
    fn unknown(&self, receipt: SendReceipt, _reason: &str) {
        self.outcomes().unknown.push(receipt.stamp.number());
    }
    fn note(&self, text: String) {
        self.outcomes().notes.push(text);
    }
    fn watch_thread(&self, thread: &Arc<HotThread>) {
        self.outcomes().threads.push(Arc::clone(thread));
    }
}

/// A stamp's number and the payload.
pub type Arrival = (u64, Vec<u8>);

/// Collects the messages of a consumer, in order of arrival.
#[derive(Clone, Default)]
pub struct ArrivalLog {
    pub arrivals: Arc<Mutex<Vec<Arrival>>>,
    pub stop: Arc<AtomicBool>,
}

impl ArrivalLog {
    pub fn stamps(&self) -> Vec<u64> {
        self.arrivals.lock().unwrap().iter().map(|(stamp, _)| *stamp).collect()
    }

    /// Waits until `count` messages have arrived.
    pub async fn wait_for(&self, count: usize) {
        until_async("arrivals", async || self.arrivals.lock().unwrap().len() >= count).await;
    }
}

impl MessageSink for ArrivalLog {
    fn arrived(&mut self, _at: Micros, stamp: Stamp, payload: &[u8]) {
        self.arrivals.lock().unwrap().push((stamp.number(), payload.to_vec()));
    }
    fn foreign(&mut self) {
        panic!("a message without a stamp");
    }
    fn flush(&mut self) {}
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A consumer on its own thread.
pub struct ConsumerThread {
    pub log: ArrivalLog,
    pub thread: JoinHandle<Result<(), BackendError>>,
}

impl ConsumerThread {
    pub fn start(consumer: Box<dyn Consumer>) -> Self {
        let log = ArrivalLog::default();
        let mut sink = log.clone();
        let thread = std::thread::spawn(move || consumer.run(&mut sink));
        Self { log, thread }
    }

    /// Stops the consumer; returns the stamps of the messages that arrived, and its result.
    pub fn stop(self) -> (Vec<u64>, Result<(), BackendError>) {
        self.log.stop.store(true, Ordering::Relaxed);
        let result = self.thread.join().expect("no panic");
        (self.log.stamps(), result)
    }
}
