//! What a platform implements: one connection's protocol, without I/O.

use std::net::SocketAddr;

use super::outbox::{Frame, Output};
use crate::clock::Micros;

/// Why a connection cannot go on: it is closed, and opened again where the protocol wants it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProtocolError(pub String);

/// What [`Protocol::received`] made of its input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Bytes at the start of the input that are no longer needed.
    pub bytes: usize,
    /// Length in bytes of the incomplete frame behind them, where it is known: the wire makes room for it at once.
    pub expected: usize,
}

/// A connection that was lost, refused, or given up.
#[derive(Debug)]
pub struct Closed {
    /// Why, for the operator.
    pub reason: String,
    /// Whether it had been open, so that something may have been sent.
    pub was_open: bool,
    /// Frames that the socket had not taken completely, in the order in which they were sent: none of them can
    /// have been executed by the server.
    pub unwritten: Vec<Frame>,
}

/// One connection's protocol, without I/O: bytes in, frames and outcomes out.
///
/// All calls of one connection come one after the other, from the loop's thread or from a thread in
/// [`Connection::with`](super::Connection::with). None may block.
pub trait Protocol: Send + 'static {
    /// Where outcomes are collected, on the loop's thread.
    type Events<'e>;

    /// The socket is connected: sends the first frames.
    fn opened(
        &mut self,
        now: Micros,
        out: &mut Output<'_>,
        events: &mut Self::Events<'_>,
    ) -> Result<(), ProtocolError>;

    /// Takes bytes of the server, which arrived at `at`; called again with what was not consumed and more behind
    /// it.
    fn received(
        &mut self,
        at: Micros,
        input: &[u8],
        out: &mut Output<'_>,
        events: &mut Self::Events<'_>,
    ) -> Result<Consumed, ProtocolError>;

    /// The first byte of a frame that had to wait for the socket is written at `at`.
    fn begun(&mut self, at: Micros, tag: u64, events: &mut Self::Events<'_>);

    /// The socket has taken the whole of a frame that had to wait for it.
    fn finished(&mut self, at: Micros, frame: Frame, events: &mut Self::Events<'_>);

    /// Called every [`LoopSettings::tick`](super::LoopSettings::tick) while the connection is open: time-outs,
    /// things to be repeated.
    fn tick(
        &mut self,
        now: Micros,
        out: &mut Output<'_>,
        events: &mut Self::Events<'_>,
    ) -> Result<(), ProtocolError>;

    /// The connection is closed. Returns the address to connect to next; `None` ends it for ever.
    fn closed(
        &mut self,
        now: Micros,
        closed: Closed,
        events: &mut Self::Events<'_>,
    ) -> Option<SocketAddr>;

    /// Called every [`LoopSettings::tick`](super::LoopSettings::tick) while the connection is not open: what waits
    /// too long is given up.
    fn tick_unconnected(&mut self, now: Micros, events: &mut Self::Events<'_>) {
        let _ = (now, events);
    }

    /// Whether a user could send at once: the connection is open and all of its preparation is done.
    fn is_ready(&self) -> bool;
}
