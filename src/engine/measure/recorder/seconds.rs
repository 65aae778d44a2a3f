//! The recorder's view of time: seconds of the load, and times in which it stood still.

use std::sync::atomic::Ordering::Relaxed;

use super::{ReceiveStats, Recorder};
use crate::{
    clock::Micros,
    engine::measure::{
        standstill::MissingAnswers,
        timeline::{OPEN_SECONDS, OpenSeconds, TakenSeconds, TimelineScope, second_of},
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
        let mut seconds = timeline.0.recent(present, &open, self.present_scope(timeline.1));
        drop(timeline);
        self.add_due(&mut seconds);
        seconds
    }

    /// Second of the load in which `at` lies.
    pub fn load_second_of(&self, at: Micros) -> u32 {
        second_of(at, self.origin())
    }

    /// Ends the schedule's counts of due messages at the first change of a steered load: `count` messages became
    /// due in `second` so far, and further ones are counted by [`Recorder::count_due`].
    pub fn cut_due(&self, second: u32, count: u64) {
        self.timeline.lock().0.cut_due(second, count);
    }

    /// Counts a message of a steered load that has become due at `due`.
    pub fn count_due(&self, due: Micros) {
        *self.due.lock().entry(self.load_second_of(due)).or_default() += 1;
    }

    /// Counts a message that never becomes due, because the operator has switched its user off.
    pub fn count_not_due(&self) {
        self.not_due.fetch_add(1, Relaxed);
    }

    /// Adds the messages of a steered load that became due.
    fn add_due(&self, seconds: &mut [TimelineSecond]) {
        let due = self.due.lock();
        for second in seconds {
            second.due += due.get(&second.second).copied().unwrap_or(0);
        }
    }

    /// Ends a pause of the load at `now`: no stream was to have an event in it.
    pub fn resume_rhythm(&self, now: Micros) {
        self.standstills.resume(now);
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
        let (mut seconds, log) = timeline.0.finish(last + 1, scope, &self.standstills.found());
        drop(timeline);
        self.add_due(&mut seconds);
        (seconds, log)
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
