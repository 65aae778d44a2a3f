//! One user: what is in flight, what waits, and what each answer means.

mod protocol;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    addresses::AddressBook,
    batch::{Batch, Stamps},
    login::{Login, NO_MESSAGE},
    outcomes::Outcomes,
    sequence::Sequences,
    settings::{ProducerSettings, QUEUED_OVERHEAD},
};
use crate::{
    backend::{
        Handover, SendError,
        kafka::{
            codec::{metadata, produce::ProducePrefix, request::renumber},
            target::KafkaTarget,
        },
    },
    clock::{Clock, Micros},
    stamp::Stamp,
    wire::{Output, Sent},
};

/// Pause before a leader is asked for again, and a refused batch sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Frames of finished requests that are kept for the next ones: two, as many as are in flight at a time for
/// nearly all users.
const SPARE_FRAMES: usize = 2;
/// Largest frame that is kept where each message is its own request.
const SPARE_BYTES: usize = 64 << 10;

/// Versions of the requests that users send, as both sides speak them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub produce: i16,
    pub metadata: i16,
}

/// What all users of a fleet share.
#[derive(Debug)]
pub struct FleetShared {
    pub clock: Clock,
    pub target: KafkaTarget,
    pub versions: Versions,
    /// The beginning of every request, by partition.
    pub prefixes: Vec<ProducePrefix>,
    pub settings: ProducerSettings,
    pub addresses: AddressBook,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not connected.
    Closed,
    /// The credentials are being checked.
    Login,
    /// Asks for the partition's leader; messages wait.
    AskingLeader,
    /// Asks again at that time.
    Pausing(Micros),
    /// Asks for an idempotent producer's ID.
    AskingId,
    /// Messages are sent at once.
    Ready,
    /// Will not be connected again.
    Ended,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct InFlight {
    number: i32,
    batch: Batch,
    /// When the socket took its last byte; `None` before.
    written: Option<Micros>,
}

/// One user's connection.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<FleetShared>,
    partition: usize,
    /// The broker that this connection is for.
    broker: i32,
    state: State,
    /// When the last request that is not a message was sent.
    asked: Micros,
    login: Login,
    /// Number of the last request.
    number: i32,
    in_flight: VecDeque<InFlight>,
    /// Batches that wait for a ready connection, oldest first.
    waiting: VecDeque<Batch>,
    /// Batches that could not be compressed, and why.
    unsendable: Vec<(Batch, String)>,
    /// The batch that is being filled, where messages wait for each other.
    open: Option<Batch>,
    /// Bytes of all messages without an outcome.
    queued_bytes: usize,
    spare: Vec<Vec<u8>>,
    sequences: Sequences,
    /// Until then the broker asks to send nothing.
    throttled_until: Micros,
    /// Why the connection was last lost.
    last_error: Option<String>,
}

impl Producer {
    /// Creates a user that writes to `partition`, whose leader is `broker`.
    pub fn new(shared: Arc<FleetShared>, partition: usize, broker: i32) -> Self {
        let sequences = Sequences::new(shared.settings.idempotent);
        Self {
            shared,
            partition,
            broker,
            state: State::Closed,
            asked: Micros(0),
            login: Login::Idle,
            number: 0,
            in_flight: VecDeque::new(),
            waiting: VecDeque::new(),
            unsendable: Vec::new(),
            open: None,
            queued_bytes: 0,
            spare: Vec::new(),
            sequences,
            throttled_until: Micros(i64::MIN),
            last_error: None,
        }
    }

    /// Why the connection was last lost or refused.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Whether the connection will never be opened again.
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Takes a message. `timestamp` is in milliseconds since 1970.
    pub fn send(
        &mut self,
        timestamp: i64,
        stamp: Stamp,
        message: &[u8],
        out: &mut Output<'_>,
    ) -> Result<Handover, SendError> {
        let settings = self.shared.settings;
        if self.state == State::Ended {
            let reason = self.last_error.as_deref().unwrap_or("the connection has ended");
            return Err(SendError::Refused(reason.to_owned()));
        }
        if message.len() > settings.max_message_bytes {
            return Err(SendError::Refused(format!(
                "the client did not take the message, and did not ask the server: it has {} bytes, more than the producer's message.max.bytes",
                message.len()
            )));
        }
        let bytes = message.len() + QUEUED_OVERHEAD;
        if self.queued_bytes > 0 && self.queued_bytes + bytes > settings.queue_bytes {
            return Err(SendError::Full);
        }
        self.queued_bytes += bytes;
        let now = self.shared.clock.now();
        if settings.linger.is_zero() {
            let batch = self.begin_batch(now, timestamp, stamp, message);
            return Ok(self.send_batch(batch, out));
        }
        let batch = match self.open.take() {
            Some(mut batch) => {
                batch.push(timestamp, stamp, message);
                batch
            }
            None => self.begin_batch(now, timestamp, stamp, message),
        };
        let record = message.len() + MAX_RECORD_OVERHEAD;
        if batch.batch_bytes() + record > settings.batch_bytes {
            self.send_batch(batch, out);
        } else {
            self.open = Some(batch);
        }
        Ok(Handover::Taken)
    }

    fn begin_batch(&mut self, now: Micros, timestamp: i64, stamp: Stamp, message: &[u8]) -> Batch {
        let frame = self.spare.pop().unwrap_or_default();
        let prefix = &self.shared.prefixes[self.partition];
        Batch::begin(frame, prefix, now, timestamp, stamp, message)
    }

    /// Sends the batch that is being filled.
    pub fn flush(&mut self, out: &mut Output<'_>) {
        if let Some(batch) = self.open.take() {
            self.send_batch(batch, out);
        }
    }

    fn send_batch(&mut self, batch: Batch, out: &mut Output<'_>) -> Handover {
        if self.can_send() && self.waiting.is_empty() {
            match self.transmit(batch, out) {
                Some(at) => return Handover::Written(at),
                None => return Handover::Waiting,
            }
        }
        self.waiting.push_back(batch);
        Handover::Waiting
    }

    fn can_send(&self) -> bool {
        self.state == State::Ready
            && (self.in_flight.len() < self.shared.settings.max_in_flight
                || self.shared.settings.acks == 0)
            && (self.throttled_until.0 == i64::MIN
                || self.shared.clock.now() >= self.throttled_until)
    }

    const fn next_number(&mut self) -> i32 {
        self.number = self.number.wrapping_add(1);
        self.number
    }

    /// Passes a batch to the socket; returns the time right before the first byte was written, if it was.
    fn transmit(&mut self, mut batch: Batch, out: &mut Output<'_>) -> Option<Micros> {
        self.sequences.number(&mut batch);
        let number = self.next_number();
        let prefix = &self.shared.prefixes[self.partition];
        if let Err(reason) = batch.finish(prefix, self.shared.settings.compression) {
            self.unsendable.push((batch, reason));
            return None;
        }
        renumber(&mut batch.frame, number);
        let frame = std::mem::take(&mut batch.frame);
        let (begun, written) = match out.send(number.cast_unsigned().into(), frame) {
            Sent::Written { at, bytes } => {
                batch.frame = bytes;
                (Some(at), Some(at))
            }
            Sent::Waiting { begun } => (begun, None),
        };
        self.in_flight.push_back(InFlight { number, batch, written });
        begun
    }

    /// Sends what waits.
    fn pump(&mut self, out: &mut Output<'_>, events: &mut Outcomes) {
        while self.can_send()
            && let Some(batch) = self.waiting.pop_front()
        {
            let stamps = batch.stamps.clone();
            if let Some(at) = self.transmit(batch, out) {
                self.report_written(&stamps, at, events);
            }
        }
    }

    /// Tells when messages that had waited were written; where messages wait for each other on purpose, the
    /// hand-over counts.
    fn report_written(&self, stamps: &Stamps, at: Micros, events: &mut Outcomes) {
        if self.shared.settings.linger.is_zero() {
            events.written(stamps, at);
        }
    }

    fn ask_leader(&mut self, now: Micros, out: &mut Output<'_>) {
        self.state = State::AskingLeader;
        let number = self.next_number();
        let mut frame = self.spare.pop().unwrap_or_default();
        metadata::write(
            &mut frame,
            self.shared.versions.metadata,
            number,
            &self.shared.target.topic,
        );
        self.ask(now, frame, out);
    }

    /// Sends a request that is not a message.
    fn ask(&mut self, now: Micros, frame: Vec<u8>, out: &mut Output<'_>) {
        self.asked = now;
        // Its answer is due before those of later requests, and shows that it was sent.
        let _ = out.send(NO_MESSAGE, frame);
    }

    /// Puts a batch that is certainly not stored before all others that wait, in the order of the users' sends.
    fn put_back(&mut self, batch: Batch) {
        let behind = self.waiting.iter().position(|other| other.since > batch.since);
        self.waiting.insert(behind.unwrap_or(self.waiting.len()), batch);
    }

    /// The outcome of a batch is known: its memory is used again.
    fn settle(&mut self, batch: Batch) {
        let overhead = batch.stamps.as_slice().len() * QUEUED_OVERHEAD;
        self.queued_bytes = self.queued_bytes.saturating_sub(batch.bytes + overhead);
        let is_small = batch.frame.capacity() <= SPARE_BYTES;
        if self.spare.len() < SPARE_FRAMES && (is_small || !self.shared.settings.linger.is_zero()) {
            self.spare.push(batch.frame);
        }
    }

    /// Gives up messages that cannot be sent, or have waited too long for it.
    fn expire(&mut self, now: Micros, events: &mut Outcomes) {
        for (batch, reason) in std::mem::take(&mut self.unsendable) {
            events.refused(&batch.stamps, now, &reason);
            self.settle(batch);
        }
        let oldest = now.before(self.shared.settings.message_timeout);
        while let Some(batch) = self.waiting.pop_front_if(|batch| batch.since < oldest) {
            let last = self.last_error.as_deref().unwrap_or("no connection");
            let reason = format!("not sent before message.timeout.ms: {last}");
            events.refused(&batch.stamps, now, &reason);
            self.settle(batch);
        }
    }

    /// The fleet is closed: all messages without an outcome are given up.
    pub fn give_up(&mut self, events: &mut Outcomes) {
        let now = self.shared.clock.now();
        self.expire(now, events);
        for sent in std::mem::take(&mut self.in_flight) {
            let stamps = &sent.batch.stamps;
            match sent.written {
                Some(_) if self.shared.settings.acks == 0 => events.without_ack(stamps, now),
                Some(_) => events.unknown(
                    stamps,
                    now,
                    "no answer before the drain ended; check the hub's network and the server's log",
                ),
                None => events.refused(stamps, now, "not sent before the drain ended"),
            }
        }
        let last = self.last_error.as_deref().unwrap_or("the server takes no more");
        let reason = format!("not sent before the drain ended: {last}");
        for batch in self.waiting.drain(..).chain(self.open.take()) {
            events.refused(&batch.stamps, now, &reason);
        }
        self.queued_bytes = 0;
    }

    /// Settles the requests for which no answer was asked and that the socket has taken.
    fn settle_unanswered(&mut self, now: Micros, events: &mut Outcomes) {
        if self.shared.settings.acks != 0 {
            return;
        }
        while let Some(sent) = self.in_flight.pop_front_if(|sent| sent.written.is_some()) {
            events.without_ack(&sent.batch.stamps, sent.written.unwrap_or(now));
            self.settle(sent.batch);
        }
    }
}

/// Bytes of a record beside its value, at most: attributes, lengths, deltas.
const MAX_RECORD_OVERHEAD: usize = 32;
