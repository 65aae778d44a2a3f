//! What the logs of all threads make together.

use std::sync::Arc;

use super::thread_log::{
    Answer, AnswerEntry, OutcomeLog, ReasonCounts, SendEntry, SendProgress, ThreadLog,
    VerifiedArrival,
};
use crate::{
    clock::Micros,
    engine::measure::{
        ledger::{ArrivalOutcome, MessageLedger, SendTimes},
        recovery::RecoveryTracker,
        standstill::StandstillMonitor,
        timeline::{DurationHistograms, SendStats, Timeline, TimelineScope, second_of},
    },
};

/// Durations and arrival times measured on the receiving side.
#[derive(Debug, Default)]
pub(super) struct ReceiveStats {
    pub delivery: DurationHistograms,
    pub response: DurationHistograms,
    pub first_arrival: Option<Micros>,
    pub last_arrival: Option<Micros>,
}

/// A thread's log, and the buffers that take turns with it.
#[derive(Debug)]
struct MergedLog {
    log: Arc<ThreadLog>,
    sends: Vec<SendEntry>,
    outcomes: OutcomeLog,
}

/// An event of one of the streams in which standstills are looked for.
#[derive(Debug, Clone, Copy)]
enum StreamEvent {
    /// A message was handed over: its answers are waited for.
    Sending,
    /// It was sent, due at that time, after a wait for the client if its queues were full.
    Sent { due: Micros, queue_was_full: bool },
    /// It was acknowledged.
    Ack,
    /// It arrived.
    Arrival,
}

/// Everything that was recorded and merged.
#[derive(Debug)]
pub(super) struct Merged {
    logs: Vec<MergedLog>,
    /// Buffer of one merge: the events of all threads, which are replayed in the order of time.
    stream: Vec<(Micros, StreamEvent)>,
    pub ledger: MessageLedger,
    pub sends: SendStats,
    pub ack: DurationHistograms,
    pub received: ReceiveStats,
    pub timeline: Timeline,
    pub scope: TimelineScope,
    pub standstills: StandstillMonitor,
    /// The first acknowledgement and the first arrival after each fault.
    pub recoveries: RecoveryTracker,
    pub reasons: ReasonCounts,
    /// Start of the load, once it has begun.
    pub load_start: Option<Micros>,
    /// Messages due before this time are sent and counted in the ledger, but not measured.
    pub measure_from: Micros,
    pub is_drain_over: bool,
    /// Messages of the measured load that were to be sent.
    pub offered: u64,
    pub sent: u64,
    pub acked: u64,
    pub delivered: u64,
    /// Whether a client asked for no acknowledgements: their number is then not measured.
    pub without_acks: bool,
    pub last_ack: Option<Micros>,
    /// When the last message was handed over.
    pub last_sent: Option<Micros>,
}

impl Merged {
    pub fn new(users: u32) -> Self {
        Self {
            logs: Vec::new(),
            stream: Vec::new(),
            ledger: MessageLedger::new(users),
            sends: SendStats::default(),
            ack: DurationHistograms::default(),
            received: ReceiveStats::default(),
            timeline: Timeline::default(),
            scope: TimelineScope::default(),
            standstills: StandstillMonitor::default(),
            recoveries: RecoveryTracker::default(),
            reasons: ReasonCounts::default(),
            load_start: None,
            measure_from: Micros(i64::MIN),
            is_drain_over: false,
            offered: 0,
            sent: 0,
            acked: 0,
            delivered: 0,
            without_acks: false,
            last_ack: None,
            last_sent: None,
        }
    }

    /// Number of threads whose logs are known.
    pub const fn log_count(&self) -> usize {
        self.logs.len()
    }

    /// Adds the log of a thread.
    pub fn add_log(&mut self, log: Arc<ThreadLog>) {
        self.logs.push(MergedLog { log, sends: Vec::new(), outcomes: OutcomeLog::default() });
    }

    /// Second of the load in which `at` lies; `None` before the load.
    pub fn second_of(&self, at: Micros) -> Option<u32> {
        self.load_start.map(|start| second_of(at, start))
    }

    fn is_measured(&self, times: SendTimes) -> bool {
        times.due >= self.measure_from
    }

    /// Takes what the threads have logged since the last call.
    ///
    /// A message is logged as sent before it is handed over, and the logs of outcomes are taken before those of
    /// sends: an outcome that is taken belongs to a message that is taken, too, or was.
    pub fn merge(&mut self) {
        for merged in &mut self.logs {
            std::mem::swap(&mut *merged.log.outcomes.lock(), &mut merged.outcomes);
        }
        for merged in &mut self.logs {
            std::mem::swap(&mut *merged.log.sends.lock(), &mut merged.sends);
        }
        let mut logs = std::mem::take(&mut self.logs);
        for merged in &mut logs {
            merged.sends.drain(..).for_each(|entry| self.add_send(entry));
        }
        for OutcomeLog { foreign, reasons, .. } in outcomes(&mut logs) {
            (0..std::mem::take(foreign)).for_each(|_| self.ledger.record_corrupt());
            self.reasons.take(reasons);
        }
        // A message is written before it arrives.
        let mut answers = joined(&mut logs, |log| &mut log.answers, |entry| entry.at);
        answers.drain(..).for_each(|entry| self.add_answer(entry));
        let mut arrivals = joined(&mut logs, |log| &mut log.arrivals, |arrival| arrival.at);
        arrivals.drain(..).for_each(|arrival| self.add_arrival(arrival));
        if let Some(first) = logs.first_mut() {
            // Their memory is used again.
            (first.outcomes.answers, first.outcomes.arrivals) = (answers, arrivals);
        }
        self.logs = logs;
        self.replay();
    }

    fn add_send(&mut self, entry: SendEntry) {
        let SendEntry { stamp, times, progress } = entry;
        if self.ledger.is_last_sent(stamp) {
            self.ledger.set_sent(stamp, times.sent);
        } else {
            self.offered += u64::from(self.is_measured(times));
            self.ledger.record_sent(stamp, times);
            self.stream.push((times.sent, StreamEvent::Sending));
        }
        self.last_sent = self.last_sent.max(Some(times.sent));
        match progress {
            SendProgress::HandedOver => {}
            SendProgress::Sent { queue_was_full } => self.add_sent(times, queue_was_full),
            SendProgress::SentUnpaced { before, queue_was_full } => {
                self.count_sent(times.sent, before, queue_was_full);
            }
            SendProgress::Withdrawn => self.ledger.withdraw(stamp),
        }
    }

    /// Adds a message that the client accepted, and its lag.
    fn add_sent(&mut self, times: SendTimes, queue_was_full: bool) {
        self.count_sent(times.sent, times.due, queue_was_full);
        let measured = self.is_measured(times);
        let second = self.second_of(times.sent);
        self.sends.lag.record(second, times.sent.since(times.due), measured);
    }

    fn count_sent(&mut self, sent: Micros, due: Micros, queue_was_full: bool) {
        self.sent += 1;
        self.sends.count(self.second_of(sent));
        self.stream.push((sent, StreamEvent::Sent { due, queue_was_full }));
    }

    fn add_answer(&mut self, AnswerEntry { stamp, at, answer }: AnswerEntry) {
        match answer {
            Answer::Written => {
                if let Some(times) = self.ledger.set_written(stamp, at) {
                    self.add_sent(times, true);
                }
            }
            Answer::Acked => {
                self.last_ack = self.last_ack.max(Some(at));
                let Some(times) = self.ledger.record_ack(stamp) else { return };
                self.acked += 1;
                self.recoveries.record_ack(times.sent, at);
                let (second, measured) = (self.second_of(at), self.is_measured(times));
                self.ack.record(second, at.since(times.sent), measured);
                self.stream.push((at, StreamEvent::Ack));
            }
            Answer::WithoutAck => {
                self.without_acks = true;
                self.ledger.record_without_ack(stamp);
            }
            Answer::Refused => self.ledger.record_refusal(stamp),
            Answer::Unknown => self.ledger.record_unknown(stamp),
        }
    }

    fn add_arrival(&mut self, VerifiedArrival { stamp, at, intact }: VerifiedArrival) {
        if self.is_drain_over {
            return self.ledger.record_late();
        }
        if !intact {
            return self.ledger.record_corrupt();
        }
        let ArrivalOutcome::First(times) = self.ledger.record_arrival(stamp) else { return };
        self.delivered += 1;
        self.recoveries.record_arrival(times.sent, at);
        let (second, measured) = (self.second_of(at), self.is_measured(times));
        self.received.delivery.record(second, at.since(times.sent), measured);
        self.received.response.record(second, at.since(times.due), measured);
        self.received.first_arrival.get_or_insert(at);
        self.received.last_arrival = Some(at);
        self.stream.push((at, StreamEvent::Arrival));
    }

    /// Shows the events of all threads to the search for standstills, in the order of time.
    fn replay(&mut self) {
        let mut stream = std::mem::take(&mut self.stream);
        // Stable: a message is sent before it is answered within the same microsecond. Each thread's events are
        // nearly in order, which makes the sort linear.
        stream.sort_by_key(|(at, _)| *at);
        for (at, event) in stream.drain(..) {
            match event {
                StreamEvent::Sending => self.standstills.record_sending(at),
                StreamEvent::Sent { due, queue_was_full } => {
                    self.standstills.record_sent(due, at, queue_was_full);
                }
                StreamEvent::Ack => self.standstills.record_ack(at),
                StreamEvent::Arrival => self.standstills.record_arrival(at),
            }
        }
        self.stream = stream;
    }
}

fn outcomes(logs: &mut [MergedLog]) -> impl Iterator<Item = &mut OutcomeLog> {
    logs.iter_mut().map(|merged| &mut merged.outcomes)
}

/// Joins what several threads logged in the order of time, so that the result does not depend on which thread
/// learned what.
fn joined<T>(
    logs: &mut [MergedLog],
    part: impl Fn(&mut OutcomeLog) -> &mut Vec<T>,
    at: impl Fn(&T) -> Micros,
) -> Vec<T> {
    let mut parts = outcomes(logs).map(part).filter(|part| !part.is_empty());
    let Some(mut all) = parts.next().map(std::mem::take) else { return Vec::new() };
    let mut are_sorted = true;
    for part in parts {
        all.append(part);
        are_sorted = false;
    }
    if !are_sorted {
        all.sort_by_key(at);
    }
    all
}
