//! What a broker's answers mean, and the life of the connection.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{InFlight, Producer, RETRY_PAUSE, State};
use crate::backend::kafka::native::{
    login::{LoginError, LoginStep},
    outcomes::Outcomes,
    sequence::Sequences,
};
use crate::{
    backend::kafka::codec::{
        answer::{FrameStart, first_frame},
        error_code::{self, Verdict},
        metadata::TopicMetadata,
        produce::ProduceAnswer,
    },
    clock::Micros,
    wire::{Closed, Consumed, Frame, Output, Protocol, ProtocolError},
};

impl Producer {
    /// Takes one answer, a frame without its length.
    fn answer(
        &mut self,
        at: Micros,
        frame: &[u8],
        out: &mut Output<'_>,
        events: &mut Outcomes,
    ) -> Result<(), ProtocolError> {
        let number = frame.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes));
        if number.is_some() && number == self.in_flight.front().map(|sent| sent.number) {
            return self.answer_to_produce(at, frame, out, events);
        }
        if number != Some(self.number) {
            return Err(ProtocolError("it answers a request that was not made".into()));
        }
        match self.state {
            State::Login => self.answer_to_login(at, frame, out),
            State::AskingLeader => self.answer_to_metadata(at, frame, out, events),
            State::AskingId => {
                self.sequences.read_id(self.number, frame).map_err(ProtocolError)?;
                self.become_ready(out, events);
                Ok(())
            }
            _ => Err(ProtocolError("it answers a request that was not made".into())),
        }
    }

    fn answer_to_login(
        &mut self,
        at: Micros,
        frame: &[u8],
        out: &mut Output<'_>,
    ) -> Result<(), ProtocolError> {
        let account = self.shared.target.account.as_ref();
        match self.login.answer(account, &mut self.number, frame, out) {
            Ok(LoginStep::Waiting) => self.asked = at,
            Ok(LoginStep::Done) => self.ask_leader(at, out),
            Err(LoginError::Broken(error)) => return Err(error),
            Err(LoginError::Refused(reason)) => {
                self.state = State::Ended;
                return Err(ProtocolError(reason));
            }
        }
        Ok(())
    }

    fn answer_to_metadata(
        &mut self,
        at: Micros,
        frame: &[u8],
        out: &mut Output<'_>,
        events: &mut Outcomes,
    ) -> Result<(), ProtocolError> {
        let shared = Arc::clone(&self.shared);
        let target = &shared.target;
        let found = TopicMetadata::read(frame, shared.versions.metadata, &target.topic)
            .map_err(|error| ProtocolError(error.to_string()))?;
        if let Err(reason) = target.verify_cluster_id(found.cluster.as_deref()) {
            self.state = State::Ended;
            return Err(ProtocolError(reason));
        }
        shared.addresses.learn(&found.brokers);
        let leader = found.leaders.get(self.partition).copied().flatten();
        let Some(leader) = leader.filter(|_| found.error == Some(error_code::NO_ERROR)) else {
            let reason = match found.error {
                Some(code) if code != error_code::NO_ERROR => error_code::describe(code),
                _ => format!("partition {} has no leader", self.partition),
            };
            self.last_error = Some(reason);
            self.state = State::Pausing(at.after(RETRY_PAUSE));
            return Ok(());
        };
        if leader != self.broker {
            self.broker = leader;
            return Err(ProtocolError(format!("the leader is now broker {leader}")));
        }
        if self.sequences.needs_id() {
            self.state = State::AskingId;
            let number = self.next_number();
            let frame = Sequences::request_id(number).map_err(ProtocolError)?;
            self.ask(at, frame, out);
            return Ok(());
        }
        self.become_ready(out, events);
        Ok(())
    }

    fn become_ready(&mut self, out: &mut Output<'_>, events: &mut Outcomes) {
        self.state = State::Ready;
        self.pump(out, events);
    }

    fn answer_to_produce(
        &mut self,
        at: Micros,
        frame: &[u8],
        out: &mut Output<'_>,
        events: &mut Outcomes,
    ) -> Result<(), ProtocolError> {
        let answer = ProduceAnswer::read(frame, self.shared.versions.produce)
            .map_err(|error| ProtocolError(error.to_string()))?;
        let Some(sent) = self.in_flight.pop_front() else { return Ok(()) };
        let batch = sent.batch;
        let verdict = match error_code::judge(answer.error) {
            // An earlier batch of an idempotent producer has to be sent again, and this one after it.
            Verdict::Refused if batch.sequence.is_some() && !self.waiting.is_empty() => {
                Verdict::NotYet
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::Stored => {
                events.acked(&batch.stamps, at);
                self.settle(batch);
            }
            Verdict::Refused => {
                events.refused(&batch.stamps, at, &error_code::describe(answer.error));
                self.settle(batch);
            }
            Verdict::Unknown => {
                events.unknown(&batch.stamps, at, &error_code::describe(answer.error));
                self.settle(batch);
            }
            Verdict::NotYet => {
                self.last_error = Some(error_code::describe(answer.error));
                self.put_back(batch);
                if self.state == State::Ready {
                    self.state = State::Pausing(at.after(RETRY_PAUSE));
                }
            }
        }
        if answer.throttle_ms > 0 {
            let pause = Duration::from_millis(answer.throttle_ms.unsigned_abs().into());
            self.throttled_until = at.after(pause);
            events.note(format!(
                "the broker's quota throttles the users: it asks for a pause of {} ms",
                answer.throttle_ms
            ));
        }
        self.pump(out, events);
        Ok(())
    }
}

impl Protocol for Producer {
    type Events<'e> = Outcomes;

    fn opened(
        &mut self,
        now: Micros,
        out: &mut Output<'_>,
        _: &mut Outcomes,
    ) -> Result<(), ProtocolError> {
        match self.login.begin(self.shared.target.account.as_ref(), &mut self.number, out)? {
            LoginStep::Waiting => {
                self.state = State::Login;
                self.asked = now;
            }
            LoginStep::Done => self.ask_leader(now, out),
        }
        Ok(())
    }

    fn received(
        &mut self,
        at: Micros,
        input: &[u8],
        out: &mut Output<'_>,
        events: &mut Outcomes,
    ) -> Result<Consumed, ProtocolError> {
        let mut bytes = 0;
        loop {
            let start = first_frame(&input[bytes..]);
            match start.map_err(|error| ProtocolError(error.to_string()))? {
                FrameStart::Partial(expected) => return Ok(Consumed { bytes, expected }),
                FrameStart::Whole(frame) => {
                    bytes += frame.len() + 4;
                    self.answer(at, frame, out, events)?;
                }
            }
        }
    }

    fn begun(&mut self, at: Micros, tag: u64, events: &mut Outcomes) {
        if let Some(sent) = self.in_flight.iter().find(|sent| is_tagged(sent, tag)) {
            self.report_written(&sent.batch.stamps, at, events);
        }
    }

    fn finished(&mut self, at: Micros, frame: Frame, events: &mut Outcomes) {
        if let Some(sent) = self.in_flight.iter_mut().find(|sent| is_tagged(sent, frame.tag)) {
            sent.batch.frame = frame.bytes;
            sent.written = Some(at);
        }
        self.settle_unanswered(at, events);
    }

    fn tick(
        &mut self,
        now: Micros,
        out: &mut Output<'_>,
        events: &mut Outcomes,
    ) -> Result<(), ProtocolError> {
        self.settle_unanswered(now, events);
        self.expire(now, events);
        let patience = self.shared.settings.socket_timeout;
        let late = |since: Micros| now > since.after(patience);
        let is_asking = matches!(self.state, State::Login | State::AskingLeader | State::AskingId);
        let oldest = self.in_flight.front().and_then(|sent| sent.written);
        if oldest.is_some_and(late) || is_asking && late(self.asked) {
            return Err(ProtocolError(format!("no answer within {} s", patience.as_secs())));
        }
        if matches!(self.state, State::Pausing(until) if now >= until) {
            self.ask_leader(now, out);
        }
        let linger = self.shared.settings.linger;
        if self.open.as_ref().is_some_and(|batch| now >= batch.since.after(linger)) {
            self.flush(out);
        }
        self.pump(out, events);
        Ok(())
    }

    fn tick_unconnected(&mut self, now: Micros, events: &mut Outcomes) {
        self.expire(now, events);
    }

    fn closed(&mut self, now: Micros, closed: Closed, events: &mut Outcomes) -> Option<SocketAddr> {
        self.settle_unanswered(now, events);
        let mut unwritten = closed.unwritten;
        for mut sent in std::mem::take(&mut self.in_flight) {
            let tag = u64::from(sent.number.cast_unsigned());
            if let Some(at) = unwritten.iter().position(|frame| frame.tag == tag) {
                // The server cannot have executed a request whose end it has not got.
                sent.batch.frame = unwritten.swap_remove(at).bytes;
                self.put_back(sent.batch);
            } else if self.shared.settings.idempotent {
                self.put_back(sent.batch);
            } else {
                let reason =
                    format!("the connection was lost before the answer: {}", closed.reason);
                events.unknown(&sent.batch.stamps, now, &reason);
                self.settle(sent.batch);
            }
        }
        if self.state == State::Ended {
            self.last_error = Some(closed.reason);
            self.give_up(events);
            return None;
        }
        if closed.was_open {
            events.note(format!("connection lost: {}", closed.reason));
        } else if let Some((other, _)) = self.shared.addresses.after(self.broker) {
            // Any broker knows where the leader is now.
            self.broker = other;
        }
        self.last_error = Some(closed.reason);
        self.state = State::Closed;
        self.shared.addresses.get(self.broker)
    }

    fn is_ready(&self) -> bool {
        self.state == State::Ready
    }
}

fn is_tagged(sent: &InFlight, tag: u64) -> bool {
    u64::from(sent.number.cast_unsigned()) == tag
}
