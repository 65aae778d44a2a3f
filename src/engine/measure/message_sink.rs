//! The consumer's side of the recorder: verifies every byte, batches arrivals, and notices when the
//! consumer does not look for messages.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::recorder::{Recorder, VerifiedArrival};
use crate::{
    backend::{MessageSink, SendOutcomes},
    clock::Micros,
    hot_thread::HotThread,
    stamp::Stamp,
    workload::payload::PayloadGenerator,
};

/// Arrivals collected before they are recorded under one lock.
const BATCH_SIZE: usize = 256;
/// Longest time between two looks of a consumer, in microseconds ([`MessageSink::is_stopped`]); a
/// longer one is a pass in which messages waited for the consumer.
const MAX_LOOK_INTERVAL: i64 = 50_000;

/// A [`MessageSink`] that feeds a [`Recorder`], on the consumer's thread.
#[derive(Debug)]
pub struct RecorderSink {
    recorder: Arc<Recorder>,
    payloads: PayloadGenerator,
    batch: Vec<VerifiedArrival>,
    stop: Arc<AtomicBool>,
    /// The consumer's thread. Its pass lasts from the first arrival of a batch, or from a later look, to the
    /// batch's end: a consumer that looks meanwhile waits for the rest of an answer.
    thread: Arc<HotThread>,
    /// Time of the consumer's last call.
    last_look: Cell<Micros>,
}

impl RecorderSink {
    /// Creates a sink for the consumer on `thread`, which asks it to end once `stop` is set.
    pub fn new(recorder: Arc<Recorder>, stop: Arc<AtomicBool>, thread: Arc<HotThread>) -> Self {
        let payloads = recorder.payloads();
        let last_look = Cell::new(recorder.clock().now());
        let batch = Vec::with_capacity(BATCH_SIZE);
        Self { recorder, payloads, batch, stop, thread, last_look }
    }

    /// Records the time since the consumer's last look, if it is too long.
    fn look(&self) -> Micros {
        let now = self.recorder.clock().now();
        let since = now.since(self.last_look.replace(now));
        if since > MAX_LOOK_INTERVAL {
            self.thread.record_pass(since);
        }
        now
    }
}

impl MessageSink for RecorderSink {
    fn arrived(&mut self, at: Micros, stamp: Stamp, payload: &[u8]) {
        let intact = self.payloads.is_intact(stamp, payload);
        self.batch.push(VerifiedArrival { stamp, at, intact });
        if self.batch.len() >= BATCH_SIZE {
            self.flush();
        }
    }

    fn foreign(&mut self) {
        self.recorder.record_foreign();
    }

    fn flush(&mut self) {
        self.recorder.record_arrivals(&self.batch);
        let last_look = self.last_look.get();
        let now = self.look();
        if let Some(first) = self.batch.first() {
            self.thread.record_pass(now.since(first.at.max(last_look)));
        }
        self.batch.clear();
    }

    fn watch_thread(&mut self, thread: &Arc<HotThread>) {
        self.recorder.watch_thread(thread);
    }

    fn is_stopped(&self) -> bool {
        self.look();
        self.stop.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, hot_thread::ThreadRole, plan::PayloadSource};

    /// A sink, its thread and its clock.
    fn sink() -> (RecorderSink, Arc<HotThread>, Clock) {
        let clock = Clock::start();
        let payloads = PayloadGenerator::new(1, 100, PayloadSource::Seeded);
        let recorder = Arc::new(Recorder::new(clock, 1, 10, payloads));
        let thread = HotThread::new("consumer", ThreadRole::Receives);
        let sink = RecorderSink::new(recorder, Arc::default(), Arc::clone(&thread));
        (sink, thread, clock)
    }

    #[test]
    fn a_server_that_sends_its_answer_slowly_is_no_pass_of_the_consumer() {
        let (mut sink, thread, clock) = sink();
        sink.arrived(clock.now(), Stamp::new(0, 1), b"first");
        for _ in 0..30 {
            std::thread::sleep(std::time::Duration::from_millis(10));
            assert!(!sink.is_stopped());
        }
        sink.arrived(clock.now(), Stamp::new(0, 2), b"last");
        sink.flush();
        let longest = thread.longest_pass_micros().unwrap();
        assert!(longest < 200_000, "the consumer looked every 10 ms: {longest} µs");
    }

    #[test]
    fn a_consumer_that_does_not_look_has_a_pass_from_its_first_arrival() {
        let (mut sink, thread, clock) = sink();
        sink.arrived(clock.now(), Stamp::new(0, 1), b"first");
        std::thread::sleep(std::time::Duration::from_millis(20));
        sink.flush();
        let longest = thread.longest_pass_micros().unwrap();
        assert!(longest >= 20_000, "{longest} µs");
    }
}
