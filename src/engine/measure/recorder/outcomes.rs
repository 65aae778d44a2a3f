//! Outcomes of messages as the backends report them.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use super::Recorder;
use crate::{
    backend::{SendOutcomes, SendReceipt},
    clock::Micros,
    hot_thread::HotThread,
    stamp::Stamp,
};

impl SendOutcomes for Recorder {
    fn connected(&self, users: u32) {
        self.connected.store(users, Relaxed);
    }

    fn acked(&self, receipts: &[SendReceipt]) {
        let Some(last) = receipts.last() else { return };
        self.client_watch.record_acks(receipts);
        let mut counted = 0;
        let mut histograms = self.ack.lock();
        for run in self.same_shard_chunks(receipts, |receipt| receipt.stamp) {
            let mut shard = self.lock_shard(run[0].stamp);
            for receipt in run {
                let Some(times) = shard.record_ack(receipt.stamp) else { continue };
                counted += 1;
                self.recoveries.record_ack(times.sent, receipt.at);
                let (second, measured) = (self.second_of(receipt.at), self.is_measured(times));
                histograms.record(second, receipt.at.since(times.sent), measured);
            }
        }
        if counted > 0 {
            self.standstills.record_acks(receipts.iter().map(|receipt| receipt.at));
        }
        self.acked.fetch_add(counted, Relaxed);
        self.last_ack.fetch_max(last.at.0, Relaxed);
    }

    fn written(&self, stamp: Stamp, at: Micros) {
        let times = self.lock_shard(stamp).set_written(stamp, at);
        if let Some(times) = times {
            self.record_sent(times, true);
        }
    }

    fn sent_without_ack(&self, receipts: &[SendReceipt]) {
        self.without_acks.store(true, Relaxed);
        for run in self.same_shard_chunks(receipts, |receipt| receipt.stamp) {
            let mut shard = self.lock_shard(run[0].stamp);
            for receipt in run {
                shard.record_without_ack(receipt.stamp);
            }
        }
    }

    fn refused(&self, receipt: SendReceipt, reason: &str) {
        self.lock_shard(receipt.stamp).record_refusal(receipt.stamp);
        self.count_reason(reason);
    }

    fn unknown(&self, receipt: SendReceipt, reason: &str) {
        self.lock_shard(receipt.stamp).record_unknown(receipt.stamp);
        self.count_reason(reason);
    }

    fn note(&self, text: String) {
        self.note_at(self.clock.now().since(self.origin()) as f64 / 1e6, text);
    }

    fn watch_thread(&self, thread: &Arc<HotThread>) {
        self.client_watch.add_thread(thread);
    }
}
