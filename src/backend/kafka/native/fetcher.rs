//! The partitions of one broker: asks for records, and passes them on.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{
    login::{Login, LoginError, LoginStep},
    settings::ConsumerSettings,
};
use crate::{
    backend::{
        MessageSink,
        kafka::{
            codec::{
                answer::{FrameStart, first_frame},
                batch_reader::next_batch,
                error_code,
                fetch::{self, FetchedPartition},
            },
            target::KafkaTarget,
        },
    },
    clock::Micros,
    stamp::Stamp,
    wire::{Closed, Consumed, Frame, Output, Protocol, ProtocolError, Sent},
};

/// Offset that a broker does not have: everything before it was deleted.
const OFFSET_OUT_OF_RANGE: i16 = 1;

/// Where arrivals go.
pub struct Arrivals<'e> {
    pub sink: &'e mut dyn MessageSink,
    /// Records passed on since the last flush of the sink.
    pub unflushed: usize,
}

/// What all fetchers of a consumer share.
#[derive(Debug)]
pub struct FetchShared {
    pub target: KafkaTarget,
    pub settings: ConsumerSettings,
    /// Version of the requests, as both sides speak it.
    pub version: i16,
}

/// Why a fetcher does not go on by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The partitions may have other leaders, or the topic was deleted.
    AskAgain(String),
    /// Reading cannot go on.
    Fatal(String),
}

/// The connection to a broker that leads some partitions.
#[derive(Debug)]
pub struct Fetcher {
    shared: Arc<FetchShared>,
    address: SocketAddr,
    /// Partitions and the offset of the next record of each.
    partitions: Vec<(i32, i64)>,
    login: Login,
    is_open: bool,
    /// Whether records are asked for.
    is_started: bool,
    number: i32,
    /// When the request without an answer was sent.
    asked: Option<Micros>,
    not_before: Micros,
    frame: Vec<u8>,
    trouble: Option<Trouble>,
}

impl Fetcher {
    /// Creates the connection to the leader of `partitions` at `address`.
    pub fn new(
        shared: Arc<FetchShared>,
        address: SocketAddr,
        partitions: Vec<(i32, i64)>,
        is_started: bool,
    ) -> Self {
        Self {
            shared,
            address,
            partitions,
            login: Login::Idle,
            is_open: false,
            is_started,
            number: 0,
            asked: None,
            not_before: Micros(i64::MIN),
            frame: Vec::new(),
            trouble: None,
        }
    }

    /// Begins to ask for records.
    pub fn start(&mut self, now: Micros, out: &mut Output<'_>) {
        self.is_started = true;
        self.ask(now, out);
    }

    /// Partitions and the offset of the next record of each.
    pub fn partitions(&self) -> &[(i32, i64)] {
        &self.partitions
    }

    /// Takes the reason why the fetcher does not go on by itself.
    pub fn take_trouble(&mut self) -> Option<Trouble> {
        self.trouble.take()
    }

    fn ask(&mut self, now: Micros, out: &mut Output<'_>) {
        let is_due = self.is_started && self.is_open && self.asked.is_none();
        if !is_due || self.trouble.is_some() || now < self.not_before {
            return;
        }
        self.number = self.number.wrapping_add(1);
        let mut frame = std::mem::take(&mut self.frame);
        let Self { shared, partitions, .. } = self;
        let limits = shared.settings.limits;
        let wanted = partitions.iter().copied();
        fetch::write(&mut frame, shared.version, self.number, &shared.target.topic, limits, wanted);
        self.asked = Some(now);
        if let Sent::Written { bytes, .. } = out.send(0, frame) {
            self.frame = bytes;
        }
    }

    fn answer(
        &mut self,
        at: Micros,
        frame: &[u8],
        out: &mut Output<'_>,
        arrivals: &mut Arrivals<'_>,
    ) -> Result<(), ProtocolError> {
        if self.login.is_running() {
            return self.answer_to_login(at, frame, out);
        }
        let mut fetched: Vec<FetchedPartition<'_>> = Vec::with_capacity(self.partitions.len());
        let version = self.shared.version;
        let answer =
            fetch::read(frame, version, |partition| fetched.push(partition)).map_err(broken)?;
        if answer.number != self.number || self.asked.take().is_none() {
            return Err(ProtocolError("it answers a request that was not made".into()));
        }
        self.note_error(answer.error);
        let pause = Duration::from_millis(u64::try_from(answer.throttle_ms).unwrap_or(0));
        self.not_before = if pause.is_zero() { Micros(i64::MIN) } else { at.after(pause) };
        // The next request is on its way while these records are looked at.
        let before = self.partitions.clone();
        for partition in &fetched {
            self.note_error(partition.error);
            let wanted = self.partitions.iter_mut().find(|(id, _)| *id == partition.partition);
            let Some((_, next)) = wanted else { continue };
            let mut rest = partition.records;
            while let Some(batch) = next_batch(&mut rest).map_err(broken)? {
                *next = batch.next_offset.max(*next);
            }
        }
        self.ask(at, out);
        for partition in fetched {
            let from = before.iter().find(|(id, _)| *id == partition.partition);
            self.pass_on(at, partition, from.map_or(0, |(_, offset)| *offset), arrivals)?;
        }
        Ok(())
    }

    /// Passes the records of a partition from offset `from` on to the sink.
    fn pass_on(
        &self,
        at: Micros,
        partition: FetchedPartition<'_>,
        from: i64,
        arrivals: &mut Arrivals<'_>,
    ) -> Result<(), ProtocolError> {
        let mut rest = partition.records;
        while let Some(batch) = next_batch(&mut rest).map_err(broken)? {
            if self.shared.settings.check_crcs && !batch.is_intact() {
                return Err(ProtocolError("the checksum of a batch is wrong".into()));
            }
            // A broker sends whole batches: the first may begin before the wanted offset.
            let passed = batch.for_each(|offset, value| {
                if offset >= from {
                    arrivals.unflushed += 1;
                    match Stamp::split(value) {
                        Some((stamp, payload)) => arrivals.sink.arrived(at, stamp, payload),
                        None => arrivals.sink.foreign(),
                    }
                }
            });
            passed.map_err(ProtocolError)?;
        }
        Ok(())
    }

    fn note_error(&mut self, code: i16) {
        if code == error_code::NO_ERROR || self.trouble.is_some() {
            return;
        }
        let text = error_code::describe(code);
        self.trouble = Some(if code == OFFSET_OUT_OF_RANGE {
            Trouble::Fatal(format!(
                "{text}: the server has deleted messages that were not read yet; is its retention too short?"
            ))
        } else if kafka_protocol::ResponseError::try_from_code(code)
            .is_some_and(|error| error.is_retriable())
        {
            Trouble::AskAgain(text)
        } else {
            Trouble::Fatal(text)
        });
    }

    fn answer_to_login(
        &mut self,
        at: Micros,
        frame: &[u8],
        out: &mut Output<'_>,
    ) -> Result<(), ProtocolError> {
        let account = self.shared.target.account.as_ref();
        match self.login.answer(account, &mut self.number, frame, out) {
            Ok(LoginStep::Waiting) => {}
            Ok(LoginStep::Done) => {
                self.is_open = true;
                self.ask(at, out);
            }
            Err(LoginError::Broken(error)) => return Err(error),
            Err(LoginError::Refused(reason)) => {
                self.trouble = Some(Trouble::Fatal(reason.clone()));
                return Err(ProtocolError(reason));
            }
        }
        Ok(())
    }
}

fn broken(error: crate::backend::kafka::codec::answer::Malformed) -> ProtocolError {
    ProtocolError(error.to_string())
}

impl Protocol for Fetcher {
    type Events<'e> = Arrivals<'e>;

    fn opened(
        &mut self,
        now: Micros,
        out: &mut Output<'_>,
        _: &mut Arrivals<'_>,
    ) -> Result<(), ProtocolError> {
        let account = self.shared.target.account.as_ref();
        if self.login.begin(account, &mut self.number, out)? == LoginStep::Done {
            self.is_open = true;
            self.ask(now, out);
        }
        Ok(())
    }

    fn received(
        &mut self,
        at: Micros,
        input: &[u8],
        out: &mut Output<'_>,
        events: &mut Arrivals<'_>,
    ) -> Result<Consumed, ProtocolError> {
        let mut bytes = 0;
        loop {
            match first_frame(&input[bytes..]).map_err(broken)? {
                FrameStart::Partial(expected) => return Ok(Consumed { bytes, expected }),
                FrameStart::Whole(frame) => {
                    bytes += frame.len() + 4;
                    // What was in it would be missing, and the same answer might come again for ever.
                    let answered = self.answer(at, frame, out, events);
                    if let Err(error) = &answered {
                        self.trouble.get_or_insert_with(|| Trouble::Fatal(error.0.clone()));
                    }
                    answered?;
                }
            }
        }
    }

    fn begun(&mut self, _: Micros, _: u64, _: &mut Arrivals<'_>) {}

    fn finished(&mut self, _: Micros, frame: Frame, _: &mut Arrivals<'_>) {
        self.frame = frame.bytes;
    }

    fn tick(
        &mut self,
        now: Micros,
        out: &mut Output<'_>,
        _: &mut Arrivals<'_>,
    ) -> Result<(), ProtocolError> {
        let patience = self.shared.settings.socket_timeout;
        if self.asked.is_some_and(|asked| now > asked.after(patience)) {
            return Err(ProtocolError(format!("no answer within {} s", patience.as_secs())));
        }
        self.ask(now, out);
        Ok(())
    }

    fn closed(&mut self, _: Micros, closed: Closed, _: &mut Arrivals<'_>) -> Option<SocketAddr> {
        tracing::debug!(target: "hubmark::kafka", "consumer: {}", closed.reason);
        self.is_open = false;
        self.asked = None;
        if matches!(self.trouble, Some(Trouble::Fatal(_))) {
            return None;
        }
        // The server may be another one by now, or one that has lost the topic.
        self.trouble.get_or_insert(Trouble::AskAgain(closed.reason));
        Some(self.address)
    }

    fn is_ready(&self) -> bool {
        self.is_open
    }
}
