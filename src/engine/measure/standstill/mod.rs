//! Standstills: finds the times in which nothing happened although messages waited.
//!
//! Sends, acknowledgements and arrivals are three streams. A gap of a stream is a candidate when something
//! waited for its end: an unanswered message, or a message that was due. It is reported when it is far longer
//! than the gaps in which the stream spends its time, so that a load of one message a second, or a server
//! that answers in bursts, has no standstill in its own rhythm.

mod gaps;
#[cfg(test)]
mod tests;

use gaps::{Gap, GapStream, MIN_GAP_MICROS, intersect, subtract};

use crate::{
    clock::Micros,
    record::{Standstill, StandstillKind},
};

/// Time after the end of a gap in which the other streams may still end theirs, in microseconds.
const SETTLE_MICROS: i64 = 500_000;
/// Maximum number of standstills of a repetition.
const MAX_STANDSTILLS: usize = 100;

/// What a load does, which decides what its streams wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Messages have due times: an answer is waited for from the send on.
    Schedule,
    /// A volume is worked off as fast as possible: there is always something to wait for.
    Volume {
        /// Whether acknowledgements are expected.
        acks: bool,
        /// Whether arrivals are expected.
        arrivals: bool,
    },
}

/// Which answers are still missing.
#[derive(Debug, Clone, Copy)]
pub struct MissingAnswers {
    /// Whether messages sent are not acknowledged.
    pub acks: bool,
    /// Whether messages sent have not arrived.
    pub arrivals: bool,
}

/// Watches the streams of a load for standstills.
#[derive(Debug)]
pub struct StandstillMonitor {
    sends: GapStream,
    acks: GapStream,
    arrivals: GapStream,
    waiting: Waiting,
    found: Vec<Standstill>,
}

impl Default for StandstillMonitor {
    fn default() -> Self {
        Self {
            sends: GapStream::default(),
            acks: GapStream::default(),
            arrivals: GapStream::default(),
            waiting: Waiting::Schedule,
            found: Vec::new(),
        }
    }
}

impl StandstillMonitor {
    /// Begins to watch a load that starts at `start`.
    pub fn restart(&mut self, start: Micros, waiting: Waiting) {
        self.waiting = waiting;
        for stream in [&mut self.sends, &mut self.acks, &mut self.arrivals] {
            stream.restart(start);
        }
        self.found.clear();
    }

    /// Ends a pause of the load at `now`: a gap in which nothing was due is no part of a stream's rhythm.
    pub fn resume(&mut self, now: Micros) {
        for stream in [&mut self.sends, &mut self.acks, &mut self.arrivals] {
            stream.resume(now);
        }
    }

    /// Records that a message is about to be sent, whose answers are waited for from now on.
    pub const fn record_sending(&mut self, sent: Micros) {
        self.acks.begin_waiting(sent);
        self.arrivals.begin_waiting(sent);
    }

    /// Records that a message due at `due` (without a schedule: that could be sent from `due` on) was sent at
    /// `sent`. A message that the client's full queues delayed waited for the server, not for hubmark.
    pub fn record_sent(&mut self, due: Micros, sent: Micros, queue_was_full: bool) {
        self.sends.begin_waiting(if queue_was_full { sent } else { due });
        self.sends.record(sent, false);
    }

    /// Records an acknowledgement at `at`.
    pub fn record_ack(&mut self, at: Micros) {
        self.acks.record(at, self.waiting != Waiting::Schedule);
    }

    /// Records an arrival at `at`.
    pub fn record_arrival(&mut self, at: Micros) {
        self.arrivals.record(at, self.waiting != Waiting::Schedule);
    }

    /// Returns the standstills that ended before `now` and were not returned before; with `is_over`, also
    /// those that last until `now`, the end. Seconds count from `start`.
    pub fn find_new(
        &mut self,
        start: Micros,
        now: Micros,
        is_over: bool,
        missing: MissingAnswers,
    ) -> Vec<Standstill> {
        let settled = if is_over { now.0 } else { now.0 - SETTLE_MICROS };
        let mut new = Vec::new();
        for (what, gaps) in self.gaps_by_kind(now, missing) {
            for (from, to) in gaps {
                if to - from < MIN_GAP_MICROS || to > settled {
                    continue;
                }
                let seconds = |at: i64| (at - start.0) as f64 / 1e6;
                let standstill =
                    Standstill { from: seconds(from), to: seconds(to), what, cause: None };
                let known = |one: &Standstill| one.from < standstill.to && standstill.from < one.to;
                if !self.found.iter().any(known) && self.found.len() < MAX_STANDSTILLS {
                    self.found.push(standstill);
                    new.push(standstill);
                }
            }
        }
        self.found.sort_by(|a, b| a.from.total_cmp(&b.from));
        new.sort_by(|a, b| a.from.total_cmp(&b.from));
        new
    }

    /// All standstills found so far, in the order of time.
    pub fn found(&self) -> Vec<Standstill> {
        self.found.clone()
    }

    /// Divides the long gaps of the three streams by what stood still together.
    fn gaps_by_kind(
        &self,
        now: Micros,
        missing: MissingAnswers,
    ) -> Vec<(StandstillKind, Vec<Gap>)> {
        let (volume, acks, arrivals) = match self.waiting {
            Waiting::Schedule => (false, true, true),
            Waiting::Volume { acks, arrivals } => (true, acks, arrivals),
        };
        let long = |stream: &GapStream, expected: bool, is_missing: bool| {
            if expected { stream.long_gaps(now, volume, is_missing) } else { Vec::new() }
        };
        let sends = self.sends.long_gaps(now, false, true);
        let acks = long(&self.acks, acks, missing.acks);
        let arrivals = long(&self.arrivals, arrivals, missing.arrivals);
        let answers = intersect(&acks, &arrivals);
        let everything = intersect(&answers, &sends);
        vec![
            (StandstillKind::Everything, everything.clone()),
            (StandstillKind::Answers, subtract(&answers, &everything)),
            (StandstillKind::Sends, subtract(&sends, &everything)),
            (StandstillKind::Acks, subtract(&acks, &answers)),
            (StandstillKind::Deliveries, subtract(&arrivals, &answers)),
        ]
    }
}
