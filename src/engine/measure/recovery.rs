//! Recovery after a fault: the first acknowledgement and the first arrival of a message that was
//! sent after a given time.

use crate::clock::Micros;

/// Tracks recoveries; each is identified by the number from [`RecoveryTracker::track_from`].
#[derive(Debug, Default)]
pub struct RecoveryTracker {
    acks: FirstResponses,
    arrivals: FirstResponses,
}

/// The first response of one kind (acknowledgement or arrival) after each of several times.
#[derive(Debug)]
struct FirstResponses {
    /// The earliest time still without a response; `i64::MAX` if there is none.
    earliest_pending: i64,
    recoveries: Vec<PendingRecovery>,
}

#[derive(Debug, Clone, Copy)]
struct PendingRecovery {
    from: Micros,
    first_response: Option<Micros>,
}

impl Default for FirstResponses {
    fn default() -> Self {
        Self { earliest_pending: i64::MAX, recoveries: Vec::new() }
    }
}

impl FirstResponses {
    fn add(&mut self, from: Micros) -> usize {
        self.recoveries.push(PendingRecovery { from, first_response: None });
        self.update_earliest();
        self.recoveries.len() - 1
    }

    fn update_earliest(&mut self) {
        let pending = self
            .recoveries
            .iter()
            .filter(|recovery| recovery.first_response.is_none())
            .map(|recovery| recovery.from.0);
        self.earliest_pending = pending.min().unwrap_or(i64::MAX);
    }

    fn record(&mut self, sent: Micros, at: Micros) {
        if sent.0 < self.earliest_pending {
            return;
        }
        for recovery in self.recoveries.iter_mut().filter(|recovery| recovery.from <= sent) {
            recovery.first_response.get_or_insert(at);
        }
        self.update_earliest();
    }

    fn first_response(&self, number: usize) -> Option<Micros> {
        self.recoveries.get(number)?.first_response
    }
}

impl RecoveryTracker {
    /// Tracks messages sent at or after `from`; returns the number that identifies the recovery.
    pub fn track_from(&mut self, from: Micros) -> usize {
        self.acks.add(from);
        self.arrivals.add(from)
    }

    /// Records that a message sent at `sent` was acknowledged at `at`.
    pub fn record_ack(&mut self, sent: Micros, at: Micros) {
        self.acks.record(sent, at);
    }

    /// Records that a message sent at `sent` arrived at `at`.
    pub fn record_arrival(&mut self, sent: Micros, at: Micros) {
        self.arrivals.record(sent, at);
    }

    /// Returns the times of the first acknowledgement and of the first arrival.
    pub fn first_responses(&self, number: usize) -> (Option<Micros>, Option<Micros>) {
        (self.acks.first_response(number), self.arrivals.first_response(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_response_to_a_message_sent_after_the_time_counts() {
        let mut tracker = RecoveryTracker::default();
        tracker.record_ack(Micros(5), Micros(6));
        let first = tracker.track_from(Micros(10));
        let second = tracker.track_from(Micros(20));
        tracker.record_ack(Micros(9), Micros(30));
        assert_eq!(tracker.first_responses(first), (None, None), "sent before the tracked time");
        tracker.record_ack(Micros(12), Micros(31));
        tracker.record_ack(Micros(13), Micros(32));
        tracker.record_arrival(Micros(25), Micros(33));
        assert_eq!(tracker.first_responses(first), (Some(Micros(31)), Some(Micros(33))));
        assert_eq!(tracker.first_responses(second), (None, Some(Micros(33))));
        tracker.record_ack(Micros(20), Micros(40));
        assert_eq!(tracker.first_responses(second).0, Some(Micros(40)));
        assert_eq!(tracker.acks.earliest_pending, i64::MAX, "no recovery is pending");
    }
}
