//! The consumer's side of the recorder: verifies every byte, gathers arrivals into batches.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::recorder::{Arrived, Recorder};
use crate::{backend::Inbox, clock::Micros, stamp::Stamp, workload::payload::Payloads};

/// Arrivals gathered before the books are opened for them.
const BATCH: usize = 256;

/// An [`Inbox`] that feeds a [`Recorder`]. Lives on the consumer's thread.
#[derive(Debug)]
pub struct RecorderInbox {
    recorder: Arc<Recorder>,
    payloads: Payloads,
    batch: Vec<Arrived>,
    stop: Arc<AtomicBool>,
}

impl RecorderInbox {
    /// An inbox that asks its consumer to end once `stop` is set.
    pub fn new(recorder: Arc<Recorder>, stop: Arc<AtomicBool>) -> Self {
        let payloads = recorder.payloads();
        Self { recorder, payloads, batch: Vec::with_capacity(BATCH), stop }
    }
}

impl Inbox for RecorderInbox {
    fn arrived(&mut self, at: Micros, stamp: Stamp, payload: &[u8]) {
        let intact = self.payloads.intact(stamp, payload);
        self.batch.push(Arrived { stamp, at, intact });
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    fn foreign(&mut self) {
        self.recorder.foreign();
    }

    fn flush(&mut self) {
        self.recorder.arrived(&self.batch);
        self.batch.clear();
    }

    fn stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }
}
