//! Witnesses of what a fleet and a consumer tell, and patience.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use hubmark::{
    backend::{BackendError, Consumer, Inbox, Receipt, Reports},
    clock::Micros,
    stamp::Stamp,
};

/// What the fleet said.
#[derive(Default)]
pub struct Said {
    pub connected: u32,
    pub acked: Vec<u64>,
    pub refused: Vec<(u64, String)>,
    pub unknown: Vec<u64>,
    pub notes: Vec<String>,
}

#[derive(Default)]
pub struct Listener(Mutex<Said>);

impl Listener {
    pub fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap()
    }

    /// Waits until so many outcomes are known.
    pub async fn outcomes(&self, count: usize) {
        eventually("outcomes", || {
            let said = self.said();
            said.acked.len() + said.refused.len() + said.unknown.len() >= count
        })
        .await;
    }
}

impl Reports for Listener {
    fn connected(&self, users: u32) {
        let mut said = self.said();
        said.connected = said.connected.max(users);
    }
    fn acked(&self, receipts: &[Receipt]) {
        self.said().acked.extend(receipts.iter().map(|receipt| receipt.stamp.number()));
    }
    fn refused(&self, receipt: Receipt, reason: &str) {
        self.said().refused.push((receipt.stamp.number(), reason.to_owned()));
    }
    fn unknown(&self, receipt: Receipt, _reason: &str) {
        self.said().unknown.push(receipt.stamp.number());
    }
    fn note(&self, text: String) {
        self.said().notes.push(text);
    }
}

/// A stamp's number and the payload.
pub type Told = (u64, Vec<u8>);

/// What the consumer told, in order of arrival.
#[derive(Clone, Default)]
pub struct Arrivals {
    pub told: Arc<Mutex<Vec<Told>>>,
    pub stop: Arc<AtomicBool>,
}

impl Arrivals {
    pub fn stamps(&self) -> Vec<u64> {
        self.told.lock().unwrap().iter().map(|(stamp, _)| *stamp).collect()
    }

    pub async fn reach(&self, count: usize) {
        eventually("arrivals", || self.told.lock().unwrap().len() >= count).await;
    }
}

impl Inbox for Arrivals {
    fn arrived(&mut self, _at: Micros, stamp: Stamp, payload: &[u8]) {
        self.told.lock().unwrap().push((stamp.number(), payload.to_vec()));
    }
    fn foreign(&mut self) {
        panic!("nothing foreign is in the table");
    }
    fn flush(&mut self) {}
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A consumer at work on its thread.
pub struct Reading {
    pub arrivals: Arrivals,
    pub thread: JoinHandle<Result<(), BackendError>>,
}

impl Reading {
    pub fn start(consumer: Box<dyn Consumer>) -> Self {
        let arrivals = Arrivals::default();
        let mut inbox = arrivals.clone();
        let thread = std::thread::spawn(move || consumer.run(&mut inbox));
        Self { arrivals, thread }
    }

    pub fn stop(self) -> (Vec<u64>, Result<(), BackendError>) {
        self.arrivals.stop.store(true, Ordering::Relaxed);
        let result = self.thread.join().expect("no panic");
        (self.arrivals.stamps(), result)
    }
}

/// Waits for what must come; a test that waits in vain fails, however slow the machine is.
pub async fn eventually(what: &str, reached: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if reached() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {what} within half a minute");
}
