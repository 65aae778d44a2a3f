//! The one thread that serves all producers of a fleet.
//!
//! Polling a thousand producers in turn costs most of a core, so it polls only those that have
//! something in flight: `send` puts a producer on the list of the busy ones, and wakes the thread
//! if it sleeps. An acknowledgement is stamped when its producer is polled, at most one pass
//! after librdkafka had it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicI64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::{BaseProducer, DeliveryResult, Producer, ProducerContext},
};

use super::notes::Notes;
use crate::{
    backend::{Bundling, Receipt, Reports},
    clock::{Clock, Micros},
    stamp::{Stamp, User},
};

/// Pause between two looks at the busy producers when each message goes out at once.
const PASS: Duration = Duration::from_micros(100);
/// The same when they are bundled: a thousand acknowledgements come together anyway.
const BULK_PASS: Duration = Duration::from_millis(1);
/// How often producers with nothing in flight are asked for errors.
const SWEEP: Duration = Duration::from_secs(1);

/// One user's producer.
pub(super) type UserProducer = BaseProducer<Line>;

/// What all producers of a fleet share.
pub(super) struct Hall {
    clock: Clock,
    pass: Duration,
    pub(super) reports: Arc<dyn Reports>,
    notes: Arc<Notes>,
    /// When a producer was last asked for what librdkafka holds ready.
    polled: AtomicI64,
    /// Acknowledgements of the present pass.
    acked: Mutex<Vec<Receipt>>,
    /// Users that became busy since the last pass.
    woken: Mutex<Vec<User>>,
    poller: OnceLock<Thread>,
    last_error: Mutex<Option<String>>,
    over: AtomicBool,
}

impl Hall {
    pub(super) fn new(clock: Clock, bundling: Bundling, reports: Arc<dyn Reports>) -> Arc<Self> {
        let told = Arc::clone(&reports);
        Arc::new(Self {
            clock,
            pass: match bundling {
                Bundling::Single => PASS,
                Bundling::Bulk => BULK_PASS,
            },
            reports,
            notes: Notes::new(move |text| told.note(text)),
            polled: AtomicI64::new(clock.now().0),
            acked: Mutex::default(),
            woken: Mutex::default(),
            poller: OnceLock::new(),
            last_error: Mutex::default(),
            over: AtomicBool::new(false),
        })
    }

    /// The context of one more user's producer.
    pub(super) fn line(self: &Arc<Self>, user: User) -> Line {
        Line {
            user,
            hall: Arc::clone(self),
            listed: AtomicBool::new(false),
            disturbed: AtomicBool::new(false),
        }
    }

    /// Tells what was acknowledged since the last call.
    pub(super) fn report(&self) {
        let mut acked = lock(&self.acked);
        if !acked.is_empty() {
            self.reports.acked(&acked);
            acked.clear();
        }
    }

    /// Takes one response's acknowledgements, if librdkafka holds any ready for `producer`. All of
    /// them were there when it was asked, however long it takes to read them.
    pub(super) fn poll(&self, producer: &UserProducer) {
        self.polled.store(self.clock.now().0, Relaxed);
        producer.poll(Duration::ZERO);
    }

    /// Takes everything that librdkafka holds ready for `producer`.
    fn empty(&self, producer: &UserProducer) {
        let mut before = lock(&self.acked).len();
        loop {
            self.poll(producer);
            let now = lock(&self.acked).len();
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// What librdkafka last said went wrong.
    pub(super) fn last_error(&self) -> Option<String> {
        lock(&self.last_error).clone()
    }

    /// Whether [`Hall::close`] was called.
    pub(super) fn closed(&self) -> bool {
        self.over.load(SeqCst)
    }

    /// Ends the poller's work after its present pass, and that of those who still connect.
    pub(super) fn close(&self) {
        self.over.store(true, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if let Some(poller) = self.poller.get() {
            poller.unpark();
        }
    }
}

/// One user's line to the broker: the context of its producer.
pub(super) struct Line {
    user: User,
    hall: Arc<Hall>,
    /// Whether the poller has it, or will find it, among the busy ones.
    listed: AtomicBool,
    /// Whether the connection was ever in trouble: what waits may then have been sent before.
    disturbed: AtomicBool,
}

impl Line {
    /// Makes sure that the poller looks at this line: to be called when librdkafka took a message.
    pub(super) fn list(&self) {
        // Nearly always it is listed: looking costs less than writing what the poller reads, too.
        if !self.listed.load(SeqCst) && !self.listed.swap(true, SeqCst) {
            lock(&self.hall.woken).push(self.user);
            self.hall.wake();
        }
    }

    /// Whether the line stays among the busy ones, given librdkafka's own count of what is in
    /// flight: one of ours would pass to and fro between two threads for every message.
    fn stays(&self, in_flight: impl Fn() -> bool) -> bool {
        if in_flight() {
            return true;
        }
        // A message handed over between the two may have seen the line listed: look again.
        self.listed.store(false, SeqCst);
        in_flight() && !self.listed.swap(true, SeqCst)
    }
}

impl ClientContext for Line {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        Notes::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.disturbed.store(true, SeqCst);
        *lock(&self.hall.last_error) = Some(reason.to_owned());
        self.hall.notes.error(&error, reason);
    }

    fn stats_raw(&self, _statistics: &[u8]) {}
}

impl ProducerContext for Line {
    // The stamp is in the message itself: nothing needs to travel beside it.
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let at = Micros(self.hall.polled.load(Relaxed));
        let message = match result {
            Ok(message) | Err((_, message)) => message,
        };
        let Some((stamp, _)) = message.payload().and_then(Stamp::split) else { return };
        let receipt = Receipt { stamp, at };
        match result {
            Ok(_) => lock(&self.hall.acked).push(receipt),
            Err((error, _)) => {
                let reason = match error.rdkafka_error_code() {
                    // What still waits when a fleet is closed is thrown away.
                    Some(code @ (Code::PurgeQueue | Code::PurgeInflight)) => format!(
                        "no answer until the drain was over ({code}); look at the hub's network \
                         and at what the server logs"
                    ),
                    Some(code @ Code::InvalidTimestamp) => format!(
                        "{code}: Kafka takes no message from a machine whose clock is more than an \
                         hour ahead; set both clocks"
                    ),
                    Some(code) => code.to_string(),
                    None => error.to_string(),
                };
                if certainly_refused(error, self.disturbed.load(SeqCst)) {
                    self.hall.reports.refused(receipt, &reason);
                } else {
                    self.hall.reports.unknown(receipt, &reason);
                }
            }
        }
    }
}

/// Whether a message with that error was certainly not stored.
///
/// The binding does not give librdkafka's own knowledge of it (`rd_kafka_message_status`), so it is
/// judged by the error: refusals of the message itself are certain, those by the
/// server's state are if no earlier attempt can have been stored, everything else is not.
fn certainly_refused(error: &KafkaError, disturbed: bool) -> bool {
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
        ) => !disturbed,
        _ => false,
    }
}

/// Serves `producers` until [`Hall::close`]. Owns its thread.
pub(super) fn serve(hall: &Hall, producers: &[UserProducer]) {
    // A pause of 100 µs must not become 150.
    if let Err(error) = nix::sys::prctl::set_timerslack(1) {
        tracing::debug!(target: "hubmark::kafka", "timer slack: {error}");
    }
    let _ = hall.poller.set(thread::current());
    let mut busy: Vec<User> = Vec::new();
    let mut swept = Instant::now();
    while !hall.closed() {
        busy.append(&mut lock(&hall.woken));
        if busy.is_empty() {
            thread::park_timeout(SWEEP.saturating_sub(swept.elapsed()));
        }
        let started = Instant::now();
        busy.retain(|user| {
            let producer = &producers[*user as usize];
            hall.empty(producer);
            producer.context().stays(|| producer.in_flight_count() > 0)
        });
        if swept.elapsed() >= SWEEP {
            for producer in producers {
                hall.poll(producer);
            }
            swept = Instant::now();
        }
        hall.report();
        if !busy.is_empty() {
            // At most a third of a core, however many wait for a slow broker.
            thread::sleep(hall.pass.max(2 * started.elapsed()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_certain_and_a_time_out_is_not() {
        let refused =
            |code, disturbed| certainly_refused(&KafkaError::MessageProduction(code), disturbed);
        assert!(refused(Code::MessageSizeTooLarge, true));
        assert!(refused(Code::TopicAuthorizationFailed, true));
        assert!(!refused(Code::MessageTimedOut, false));
        assert!(!refused(Code::PurgeInflight, false));
        assert!(!refused(Code::NotEnoughReplicasAfterAppend, false));
    }

    #[test]
    fn a_purged_queue_is_certain_only_on_a_line_that_never_failed() {
        let purged = KafkaError::MessageProduction(Code::PurgeQueue);
        assert!(certainly_refused(&purged, false));
        assert!(!certainly_refused(&purged, true));
    }
}
