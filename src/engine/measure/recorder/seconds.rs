//! The recorder's view of time: seconds of the load, and times in which it stood still.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    Recorder,
    merged::{Merged, ReceiveStats},
};
use crate::{
    clock::Micros,
    engine::measure::{
        standstill::MissingAnswers,
        timeline::{OPEN_SECONDS, OpenSeconds, TakenSeconds, TimelineScope, second_of},
    },
    measure::TimelineSecond,
    record::Standstill,
};

impl Merged {
    /// Moves the seconds before `second` from the open histograms to the timeline.
    fn close_seconds(&mut self, second: u32) {
        let mut taken = TakenSeconds::default();
        taken.take_sends(&mut self.sends, second);
        taken.take_acks(&mut self.ack, second);
        let ReceiveStats { delivery, response, .. } = &mut self.received;
        taken.take_arrivals(delivery, response, second);
        self.timeline.close(taken);
    }

    /// The scope of the timeline by what is known of the messages sent so far.
    fn present_scope(&self) -> TimelineScope {
        TimelineScope { without_acks: self.without_acks, ..self.scope }
    }
}

impl Recorder {
    /// Returns the last seconds of the load that were over at `now`, and closes older ones.
    pub fn recent_seconds(&self, now: Micros) -> Vec<TimelineSecond> {
        let mut merged = self.merged();
        let Some(present) = merged.second_of(now) else { return Vec::new() };
        merged.close_seconds(present.saturating_sub(OPEN_SECONDS));
        let mut open = OpenSeconds::default();
        open.add_sends(&merged.sends);
        open.add_acks(&merged.ack);
        open.add_arrivals(&merged.received.delivery, &merged.received.response);
        let mut seconds = merged.timeline.recent(present, &open, merged.present_scope());
        drop(merged);
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
        self.merged().timeline.cut_due(second, count);
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
        self.merged().standstills.resume(now);
    }

    /// Returns all seconds of the load until `until`, or until the last outcome, and their interval log.
    pub fn finish_timeline(&self, until: Micros) -> (Vec<TimelineSecond>, String) {
        let mut merged = self.merged();
        let Some(last) = merged.second_of(until) else { return (Vec::new(), String::new()) };
        merged.close_seconds(u32::MAX);
        let found = merged.standstills.found();
        let (mut seconds, log) = merged.timeline.finish(last + 1, merged.present_scope(), &found);
        drop(merged);
        self.add_due(&mut seconds);
        (seconds, log)
    }

    /// Returns the standstills found since the last call; at the end of load and drain (`is_over`), also one
    /// that lasts until `now`.
    pub fn new_standstills(&self, now: Micros, is_over: bool) -> Vec<Standstill> {
        let mut merged = self.merged();
        let Some(start) = merged.load_start else { return Vec::new() };
        let sent = merged.sent;
        let missing =
            MissingAnswers { acks: merged.acked < sent, arrivals: merged.delivered < sent };
        merged.standstills.find_new(start, now, is_over, missing)
    }

    /// All standstills found so far.
    pub fn standstills(&self) -> Vec<Standstill> {
        self.merged().standstills.found()
    }
}
