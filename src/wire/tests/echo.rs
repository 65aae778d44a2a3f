//! A protocol without meaning: it keeps what it receives, and counts what happens to it.

use std::net::SocketAddr;

use crate::{
    clock::Micros,
    wire::{Closed, Consumed, Frame, Output, Protocol, ProtocolError},
};

/// What happened to all connections.
#[derive(Debug, Default)]
pub struct Seen {
    pub opened: usize,
    pub closed: usize,
    pub received: usize,
    pub begun: Vec<(u64, Micros)>,
    pub finished: Vec<u64>,
    pub unwritten: Vec<(u64, bool)>,
    pub reasons: Vec<String>,
}

#[derive(Debug)]
pub struct Echo {
    pub received: Vec<u8>,
    /// Where to connect next.
    pub next: Option<SocketAddr>,
    /// Fails with this error on the next bytes.
    pub error: Option<ProtocolError>,
    /// Whether the server speaks first.
    pub waits_for_greeting: bool,
    is_open: bool,
}

impl Echo {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            received: Vec::new(),
            next: Some(address),
            error: None,
            waits_for_greeting: false,
            is_open: false,
        }
    }
}

impl Protocol for Echo {
    type Events<'e> = Seen;

    fn opened(
        &mut self,
        _: Micros,
        _: &mut Output<'_>,
        seen: &mut Seen,
    ) -> Result<(), ProtocolError> {
        seen.opened += 1;
        self.is_open = !self.waits_for_greeting;
        Ok(())
    }

    fn received(
        &mut self,
        _: Micros,
        input: &[u8],
        _: &mut Output<'_>,
        seen: &mut Seen,
    ) -> Result<Consumed, ProtocolError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        seen.received += input.len();
        self.is_open = true;
        if self.received.len() < 1_000 {
            self.received.extend_from_slice(input);
        }
        Ok(Consumed { bytes: input.len(), expected: 0 })
    }

    fn begun(&mut self, at: Micros, tag: u64, seen: &mut Seen) {
        seen.begun.push((tag, at));
    }

    fn finished(&mut self, _: Micros, frame: Frame, seen: &mut Seen) {
        seen.finished.push(frame.tag);
    }

    fn tick(&mut self, _: Micros, _: &mut Output<'_>, _: &mut Seen) -> Result<(), ProtocolError> {
        Ok(())
    }

    fn closed(&mut self, _: Micros, closed: Closed, seen: &mut Seen) -> Option<SocketAddr> {
        self.is_open = false;
        seen.closed += 1;
        seen.reasons.push(closed.reason);
        seen.unwritten.extend(closed.unwritten.iter().map(|frame| (frame.tag, frame.is_begun())));
        self.next
    }

    fn is_ready(&self) -> bool {
        self.is_open
    }
}
