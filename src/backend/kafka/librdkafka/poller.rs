//! The thread that polls all producers of a fleet.
//!
//! Polling a thousand producers in turn costs most of a core, so the thread polls only producers
//! with messages in flight: `send` marks a user as busy and wakes the thread if it sleeps. An
//! acknowledgement's time is read after the poll that found it, so it is never too early; it is too
//! late by less than the time since the last poll of the same producer that found none, which goes
//! with it.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool, AtomicI64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::{BaseProducer, DeliveryResult, Producer, ProducerContext},
};

use super::error_reporter::ErrorReporter;
use crate::{
    backend::{Batching, SendOutcomes, SendReceipt},
    clock::{Clock, Micros},
    hot_thread::{HotThread, ThreadRole},
    stamp::{Stamp, UserId},
};

/// Interval between two passes over the busy producers when each message is sent at once.
const SINGLE_PASS_INTERVAL: Duration = Duration::from_micros(100);
/// Interval between two passes when messages are batched: a thousand acknowledgements arrive
/// together anyway.
const BULK_PASS_INTERVAL: Duration = Duration::from_millis(1);
/// Interval at which each idle producer is polled for errors: a few of them in each pass, because
/// polling all at once would make acknowledgements late.
const IDLE_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Name of the polling thread.
pub(super) const POLLER_NAME: &str = "kafka-poller";

/// One user's producer.
pub(super) type UserProducer = BaseProducer<UserContext>;

/// State shared by all producers of a fleet.
pub struct FleetState {
    clock: Clock,
    pass_interval: Duration,
    pub(super) outcomes: Arc<dyn SendOutcomes>,
    error_reporter: Arc<ErrorReporter>,
    /// Messages whose acknowledgement the poll in progress has found.
    found: Mutex<Vec<Stamp>>,
    /// Acknowledgements of the current pass.
    acked: Mutex<Vec<SendReceipt>>,
    /// Whether the server acknowledges messages: with `acks = 0`, librdkafka reports a message as
    /// delivered when it is on its way.
    asks_for_acks: bool,
    /// Users that became busy since the last pass.
    newly_busy: Mutex<Vec<UserId>>,
    poller: OnceLock<Thread>,
    last_error: Mutex<Option<String>>,
    /// Ends the poller, and threads that are still connecting users.
    closing: Arc<AtomicBool>,
}

impl FleetState {
    pub fn new(
        clock: Clock,
        batching: Batching,
        asks_for_acks: bool,
        outcomes: Arc<dyn SendOutcomes>,
        closing: Arc<AtomicBool>,
    ) -> Arc<Self> {
        let note_outcomes = Arc::clone(&outcomes);
        Arc::new(Self {
            clock,
            pass_interval: match batching {
                Batching::Single => SINGLE_PASS_INTERVAL,
                Batching::Bulk => BULK_PASS_INTERVAL,
            },
            outcomes,
            error_reporter: ErrorReporter::new(move |text| note_outcomes.note(text)),
            found: Mutex::default(),
            acked: Mutex::default(),
            asks_for_acks,
            newly_busy: Mutex::default(),
            poller: OnceLock::new(),
            last_error: Mutex::default(),
            closing,
        })
    }

    /// Creates the context of one user's producer.
    pub(super) fn user_context(self: &Arc<Self>, user: UserId) -> UserContext {
        UserContext {
            user,
            fleet: Arc::clone(self),
            busy: AtomicBool::new(false),
            last_poll: AtomicI64::new(self.clock.now().0),
            had_error: AtomicBool::new(false),
        }
    }

    /// Reports the messages that were acknowledged since the last call.
    pub(super) fn report_acked(&self) {
        let mut acked = self.acked.lock();
        if !acked.is_empty() {
            if self.asks_for_acks {
                self.outcomes.acked(&acked);
            } else {
                self.outcomes.sent_without_ack(&acked);
            }
            acked.clear();
        }
    }

    /// Polls `producer` once, which handles the acknowledgements of one response, if any is queued;
    /// returns whether there were any.
    ///
    /// Their time is read after the call: read before it, it could be earlier than the response.
    pub(super) fn poll(&self, producer: &UserProducer) -> bool {
        let began = self.clock.now();
        producer.poll(Duration::ZERO);
        let last_poll = &producer.context().last_poll;
        let mut found = self.found.lock();
        if found.is_empty() {
            last_poll.store(began.0, Relaxed);
            return false;
        }
        let at = self.clock.now();
        // More may have been queued since then: only a poll that finds nothing proves the contrary.
        let not_before = Micros(last_poll.load(Relaxed)).min(at);
        let receipts = found.drain(..).map(|stamp| SendReceipt { stamp, at, not_before });
        self.acked.lock().extend(receipts);
        true
    }

    /// Polls `producer` until librdkafka has no more acknowledgements for it.
    fn drain(&self, producer: &UserProducer) {
        while self.poll(producer) {}
    }

    /// Returns the last error that librdkafka reported.
    pub(super) fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    /// Whether [`FleetState::close`] was called.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(SeqCst)
    }

    /// Stops the poller after its current pass, and threads that are still connecting users.
    pub fn close(&self) {
        self.closing.store(true, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if let Some(poller) = self.poller.get() {
            poller.unpark();
        }
    }
}

/// Context of one user's producer.
pub(super) struct UserContext {
    user: UserId,
    fleet: Arc<FleetState>,
    /// Whether the user is in the poller's busy list or about to be added to it.
    busy: AtomicBool,
    /// Start of the last poll that found nothing, or the time since which the user is busy, in
    /// microseconds.
    last_poll: AtomicI64,
    /// Whether the connection ever had an error: queued messages may then have been sent before.
    had_error: AtomicBool,
}

impl UserContext {
    /// Makes the poller poll this producer: call it after librdkafka accepted a message.
    pub(super) fn mark_busy(&self) {
        // The flag is nearly always set: reading it costs less than writing memory that the poller
        // reads, too.
        if !self.busy.load(SeqCst) && !self.busy.swap(true, SeqCst) {
            // Nothing was in flight, so nothing was acknowledged before.
            self.last_poll.store(self.fleet.clock.now().0, Relaxed);
            self.fleet.newly_busy.lock().push(self.user);
            self.fleet.wake();
        }
    }

    /// Returns whether the user stays busy, given librdkafka's own count of messages in flight.
    ///
    /// A counter of hubmark's own would be passed between two threads for every message.
    fn still_busy(&self, in_flight: impl Fn() -> bool) -> bool {
        if in_flight() {
            return true;
        }
        // A message sent between the two checks may have seen the flag set: check again.
        self.busy.store(false, SeqCst);
        in_flight() && !self.busy.swap(true, SeqCst)
    }
}

impl ClientContext for UserContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        ErrorReporter::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.had_error.store(true, SeqCst);
        *self.fleet.last_error.lock() = Some(reason.to_owned());
        self.fleet.error_reporter.report(&error, reason);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ProducerContext for UserContext {
    // The stamp is in the message itself, so no opaque value is needed.
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let message = match result {
            Ok(message) | Err((_, message)) => message,
        };
        let Some((stamp, _)) = message.payload().and_then(Stamp::split) else { return };
        match result {
            Ok(_) => self.fleet.found.lock().push(stamp),
            Err((error, _)) => {
                let at = self.fleet.clock.now();
                let receipt = SendReceipt { stamp, at, not_before: at };
                let reason = match error.rdkafka_error_code() {
                    // Messages that are still queued when a fleet is closed are purged.
                    Some(code @ (Code::PurgeQueue | Code::PurgeInflight)) => format!(
                        "no answer before the drain ended ({code}); check the hub's network and \
                         the server's log"
                    ),
                    Some(code @ Code::InvalidTimestamp) => format!(
                        "{code}: Kafka refuses messages from a machine whose clock is more than an \
                         hour ahead; set both clocks"
                    ),
                    Some(code) => code.to_string(),
                    None => error.to_string(),
                };
                if is_certain_refusal(error, self.had_error.load(SeqCst)) {
                    self.fleet.outcomes.refused(receipt, &reason);
                } else {
                    self.fleet.outcomes.unknown(receipt, &reason);
                }
            }
        }
    }
}

/// Returns whether a message with that error was certainly not stored.
///
/// The binding does not expose librdkafka's own status (`rd_kafka_message_status`), so the error
/// decides: refusals of the message itself are certain; refusals because of the server's state are
/// certain if no earlier attempt can have been stored; all other errors are uncertain.
fn is_certain_refusal(error: &KafkaError, had_error: bool) -> bool {
    match error.rdkafka_error_code() {
        Some(
            Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::MessageBatchTooLarge
            | Code::InvalidMessage
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::InvalidTopic
            | Code::InvalidRequiredAcks
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnsupportedForMessageFormat
            | Code::UnsupportedCompressionType
            | Code::PolicyViolation,
        ) => true,
        Some(
            Code::PurgeQueue
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::NotEnoughReplicas,
        ) => !had_error,
        _ => false,
    }
}

/// Polls `producers` until [`FleetState::close`]; blocks its thread.
pub(super) fn run_poller(state: &FleetState, producers: &[UserProducer]) {
    // The kernel's default timer slack of 50 µs would turn a pause of 100 µs into 150.
    if let Err(error) = nix::sys::prctl::set_timerslack(1) {
        tracing::debug!(target: "hubmark::kafka", "timer slack: {error}");
    }
    let _ = state.poller.set(thread::current());
    let this_thread = HotThread::new(POLLER_NAME, ThreadRole::Acknowledges);
    state.outcomes.watch_thread(&this_thread);
    let this_thread = this_thread.enter();
    let mut busy: Vec<UserId> = Vec::new();
    let mut idle = IdlePolls::new(producers.len());
    while !state.is_closing() {
        busy.append(&mut state.newly_busy.lock());
        if busy.is_empty() {
            thread::park_timeout(IDLE_POLL_INTERVAL);
        }
        let started = Instant::now();
        this_thread.begin_pass();
        busy.retain(|user| {
            let producer = &producers[*user as usize];
            state.drain(producer);
            producer.context().still_busy(|| producer.in_flight_count() > 0)
        });
        for number in idle.take_due(Instant::now()) {
            state.poll(&producers[number]);
        }
        state.report_acked();
        this_thread.end_pass();
        if !busy.is_empty() {
            // Uses at most a third of a core, however many users wait for a slow broker.
            thread::sleep(state.pass_interval.max(2 * started.elapsed()));
        }
    }
}

/// Spreads the polls of all producers evenly over [`IDLE_POLL_INTERVAL`].
struct IdlePolls {
    producers: usize,
    next: usize,
    /// Time up to which producers were polled.
    polled_to: Instant,
}

impl IdlePolls {
    fn new(producers: usize) -> Self {
        Self { producers, next: 0, polled_to: Instant::now() }
    }

    /// Returns the numbers of the producers to poll until `now`; each at most once.
    fn take_due(&mut self, now: Instant) -> impl Iterator<Item = usize> + use<> {
        let share = (now - self.polled_to).as_secs_f64() / IDLE_POLL_INTERVAL.as_secs_f64();
        let due = ((share * self.producers as f64) as usize).min(self.producers);
        let (first, producers) = (self.next, self.producers);
        if due > 0 {
            self.next = (first + due) % producers;
            self.polled_to = now;
        }
        (first..first + due).map(move |number| number % producers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_idle_producer_is_polled_once_in_an_interval_and_few_in_a_pass() {
        let mut idle = IdlePolls::new(1_000);
        let start = idle.polled_to;
        assert_eq!(idle.take_due(start + Duration::from_micros(300)).count(), 0);
        let mut polled = vec![0; 1_000];
        for pass in 1..=500 {
            let due: Vec<_> = idle.take_due(start + pass * Duration::from_millis(2)).collect();
            assert!(due.len() <= 2, "{due:?}");
            for number in due {
                polled[number] += 1;
            }
        }
        assert!(polled.iter().all(|count| *count == 1), "{polled:?}");
        assert_eq!(idle.take_due(start + Duration::from_mins(1)).count(), 1_000);
        assert_eq!(IdlePolls::new(0).take_due(start + Duration::from_secs(2)).count(), 0);
    }

    #[test]
    fn a_refusal_is_certain_and_a_time_out_is_not() {
        let refused =
            |code, had_error| is_certain_refusal(&KafkaError::MessageProduction(code), had_error);
        assert!(refused(Code::MessageSizeTooLarge, true));
        assert!(refused(Code::TopicAuthorizationFailed, true));
        assert!(!refused(Code::MessageTimedOut, false));
        assert!(!refused(Code::PurgeInflight, false));
        assert!(!refused(Code::NotEnoughReplicasAfterAppend, false));
    }

    #[test]
    fn a_purge_is_a_certain_refusal_only_on_a_connection_without_errors() {
        let purged = KafkaError::MessageProduction(Code::PurgeQueue);
        assert!(is_certain_refusal(&purged, false));
        assert!(!is_certain_refusal(&purged, true));
    }
}
