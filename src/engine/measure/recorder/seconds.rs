//! The recorder's view of time: seconds of the load, and times in which it stood still.

use std::sync::atomic::Ordering::Relaxed;

use super::{ReceiveStats, Recorder};
use crate::{
    clock::Micros,
    engine::measure::{
        standstill::MissingAnswers,
        timeline::{OPEN_SECONDS, OpenSeconds, TakenSeconds, TimelineScope},
    },
    measure::TimelineSecond,
    record::Standstill,
};

impl Recorder {
    /// Returns the last seconds of the load that were over at `now`, and closes older ones.
    pub fn recent_seconds(&self, now: Micros) -> Vec<TimelineSecond> {
        let Some(present) = self.second_of(now) else { return Vec::new() };
        self.close_seconds(present.saturating_sub(OPEN_SECONDS));
        let mut open = OpenSeconds::default();
        open.add_sends(&self.sends.lock());
        open.add_acks(&self.ack.lock());
        {
            let received = self.received.lock();
            open.add_arrivals(&received.delivery, &received.response);
        }
        let timeline = self.timeline.lock();
        timeline.0.recent(present, &open, self.present_scope(timeline.1))
    }

    /// Moves the seconds before `second` from the open histograms to the timeline.
    fn close_seconds(&self, second: u32) {
        let mut taken = TakenSeconds::default();
        taken.take_sends(&mut self.sends.lock(), second);
        taken.take_acks(&mut self.ack.lock(), second);
        {
            let mut received = self.received.lock();
            let ReceiveStats { delivery, response, .. } = &mut *received;
            taken.take_arrivals(delivery, response, second);
        }
        self.timeline.lock().0.close(taken);
    }

    /// Returns all seconds of the load until `until`, or until the last outcome, and their interval log.
    pub fn finish_timeline(&self, until: Micros) -> (Vec<TimelineSecond>, String) {
        let Some(last) = self.second_of(until) else { return (Vec::new(), String::new()) };
        self.close_seconds(u32::MAX);
        let timeline = self.timeline.lock();
        let scope = self.present_scope(timeline.1);
        timeline.0.finish(last + 1, scope, &self.standstills.found())
    }

    /// The scope of the timeline by what is known of the messages sent so far.
    fn present_scope(&self, scope: TimelineScope) -> TimelineScope {
        TimelineScope { without_acks: self.without_acks.load(Relaxed), ..scope }
    }

    /// Returns the standstills found since the last call; at the end of load and drain (`is_over`), also one
    /// that lasts until `now`.
    pub fn new_standstills(&self, now: Micros, is_over: bool) -> Vec<Standstill> {
        if !self.is_load_begun() {
            return Vec::new();
        }
        let sent = self.sent();
        let missing =
            MissingAnswers { acks: self.acknowledged() < sent, arrivals: self.delivered() < sent };
        self.standstills.find_new(self.origin(), now, is_over, missing)
    }

    /// All standstills found so far.
    pub fn standstills(&self) -> Vec<Standstill> {
        self.standstills.found()
    }
}
