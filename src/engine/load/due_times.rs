//! Due times of a schedule's messages, which the operator may move while they are sent.

use crate::{
    clock::Micros,
    engine::{measure::recorder::Recorder, steering::Steering},
    record::SteeringChange,
    workload::{arrival::ArrivalSchedule, rate_factor::RateFactor, time_warp::TimeWarp},
};

/// Maps a schedule's offsets to due times, and puts the operator's changes in effect.
pub struct DueTimes<'a> {
    steering: Option<&'a Steering>,
    recorder: &'a Recorder,
    warp: TimeWarp,
    /// Number of requests that have taken effect.
    seen: u32,
    /// The second of the last message that became due, and how many did so in it.
    latest: (u32, u64),
    is_steered: bool,
}

impl<'a> DueTimes<'a> {
    /// Creates the due times of a load that begins at `start`.
    pub fn new(steering: Option<&'a Steering>, recorder: &'a Recorder, start: Micros) -> Self {
        let warp = TimeWarp::new(start);
        Self { steering, recorder, warp, seen: 0, latest: (0, 0), is_steered: false }
    }

    /// Whether the operator has requested a change that is not in effect.
    pub fn has_request(&self) -> bool {
        self.steering.is_some_and(|steering| steering.requests() != self.seen)
    }

    /// Puts the requested changes in effect at `now`. Returns the factor of the rate, if it may have changed.
    pub fn apply_requests(&mut self, now: Micros) -> Option<RateFactor> {
        let steering = self.steering.filter(|_| self.has_request())?;
        self.seen = steering.requests();
        for applied in steering.apply(now) {
            let action = applied.action;
            self.recorder.note_at(action.second, format!("steered: {}", action.change));
            if action.change == SteeringChange::Resume {
                self.recorder.resume_rhythm(now);
            }
            if !self.is_steered {
                // From now on the schedule does not tell when a message becomes due.
                self.recorder.cut_due(self.latest.0, self.latest.1);
                self.is_steered = true;
            }
        }
        self.warp = steering.warp();
        Some(steering.state().rate)
    }

    /// Returns the due time of the message at `offset` of the schedule; `None` while the load is paused.
    pub fn due(&self, offset: i64) -> Option<Micros> {
        self.warp.due(offset)
    }

    /// Counts a message that has become due at `due`.
    pub fn count(&mut self, due: Micros) {
        if self.steering.is_none() {
            return;
        }
        if self.is_steered {
            self.recorder.count_due(due);
            return;
        }
        let second = self.recorder.load_second_of(due);
        if self.latest.0 == second {
            self.latest.1 += 1;
        } else {
            self.latest = (second, 1);
        }
    }

    /// Counts the messages of a load that was stopped at `now` which were due by then and are not counted: the one
    /// at `offset`, if it waits for its due time, and those of the rest of the schedule.
    pub fn count_unsent(&mut self, offset: Option<i64>, rest: ArrivalSchedule, now: Micros) {
        if !self.is_steered {
            return;
        }
        let offsets = offset.into_iter().chain(rest.map(|(offset, _)| offset));
        for due in offsets.map_while(|offset| self.warp.due(offset)).take_while(|due| *due <= now) {
            self.recorder.count_due(due);
        }
    }
}
