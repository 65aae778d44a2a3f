//! Due times of a schedule's messages, which the operator may move, and whose users the operator may switch
//! off, while they are sent.

use crate::{
    clock::Micros,
    engine::{measure::recorder::Recorder, steering::Steering},
    record::SteeringChange,
    stamp::UserId,
    workload::{
        active_users::ActiveUsers, arrival::ArrivalSchedule, rate_factor::RateFactor,
        time_warp::TimeWarp,
    },
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
    /// Creates the due times of a load of `users` users that begins at `start`.
    pub fn new(
        steering: Option<&'a Steering>,
        recorder: &'a Recorder,
        start: Micros,
        users: u32,
    ) -> Self {
        let warp = TimeWarp::new(start, ActiveUsers::all(users));
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

    /// Whether the message of `user` at `offset` becomes due at all: not if the operator has switched its user
    /// off by then.
    pub fn is_active(&self, offset: i64, user: UserId) -> bool {
        self.warp.is_active(offset, user)
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

    /// Counts the messages of a load that was stopped at `now` whose time had come by then and which are not
    /// counted: `next`, if it waits for its due time, and those of the rest of the schedule.
    pub fn count_unsent(
        &mut self,
        next: Option<(i64, UserId)>,
        rest: ArrivalSchedule,
        now: Micros,
    ) {
        if !self.is_steered {
            return;
        }
        for (offset, user) in next.into_iter().chain(rest) {
            let Some(due) = self.warp.due(offset).filter(|due| *due <= now) else { return };
            if self.is_active(offset, user) {
                self.recorder.count_due(due);
            } else {
                self.recorder.count_not_due();
            }
        }
    }
}
