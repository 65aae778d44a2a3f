//! What is watched of the client while messages pass through it: its hot threads, and how late
//! acknowledgements are noticed.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{
    backend::SendReceipt,
    clock::{Clock, Micros},
    hot_thread::{HotThread, ThreadRole},
    measure::AckDelay,
    stats::distribution::Distribution,
};

/// Hot threads and delays of the client of one repetition.
#[derive(Debug, Default)]
pub struct ClientWatch {
    /// Every thread that was watched so far, in the order of their starts.
    threads: Mutex<Vec<Arc<HotThread>>>,
    /// Time between the look that found an acknowledgement and the one before.
    ack_delay: Mutex<Distribution>,
}

impl ClientWatch {
    /// Watches a thread, also after its end.
    pub fn add_thread(&self, thread: &Arc<HotThread>) {
        self.threads.lock().push(Arc::clone(thread));
    }

    /// Every thread that was watched so far; later calls return the same ones first.
    pub fn threads(&self) -> Vec<Arc<HotThread>> {
        self.threads.lock().clone()
    }

    /// Records how late each acknowledgement may have been noticed.
    pub fn record_acks(&self, receipts: &[SendReceipt]) {
        let mut delays = receipts
            .iter()
            .map(|receipt| receipt.at.since(receipt.not_before))
            .filter(|delay| *delay > 0)
            .peekable();
        if delays.peek().is_some() {
            let mut ack_delay = self.ack_delay.lock();
            delays.for_each(|delay| ack_delay.record(delay));
        }
    }

    /// How late acknowledgements were noticed; `None` where each is known exactly.
    pub fn ack_delay(&self) -> Option<AckDelay> {
        let delay = self.ack_delay.lock();
        (!delay.is_empty()).then(|| AckDelay {
            p50: delay.percentile(0.5),
            p99: delay.percentile(0.99),
            max: delay.max(),
        })
    }

    /// Seconds of each thread's longest pass that lie between two times, by what the thread does.
    pub fn pass_seconds(&self, clock: Clock, from: Micros, to: Micros) -> Vec<(ThreadRole, f64)> {
        let (from, to) = (clock.to_instant(from), clock.to_instant(to));
        let threads = self.threads.lock();
        let seconds = |thread: &Arc<HotThread>| {
            (thread.role(), thread.longest_pass_between(from, to).as_secs_f64())
        };
        threads.iter().map(seconds).collect()
    }

    /// Forgets what was measured before the load.
    pub fn start_load(&self) {
        *self.ack_delay.lock() = Distribution::default();
        self.threads.lock().iter().for_each(|thread| thread.forget_passes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;

    #[test]
    fn an_acknowledgement_is_as_late_as_the_pause_between_two_looks_at_most() {
        let watch = ClientWatch::default();
        let receipt = |at, not_before| SendReceipt {
            stamp: Stamp::new(0, 1),
            at: Micros(at),
            not_before: Micros(not_before),
        };
        watch.record_acks(&[receipt(900, 900)]);
        assert_eq!(watch.ack_delay(), None, "known exactly");
        watch.record_acks(&[receipt(1_000, 700), receipt(1_000, 400)]);
        assert_eq!(watch.ack_delay().unwrap().max, Some(600.0));
        watch.start_load();
        assert_eq!(watch.ack_delay(), None, "of before the load");
    }
}
