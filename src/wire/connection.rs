//! One connection: socket, protocol, buffers.

use std::{
    io::{self, ErrorKind, Write},
    net::SocketAddr,
};

use mio::{Interest, Registry, Token};
use parking_lot::Mutex;

use super::{
    dial::{self, LoopShare},
    input::InputBuffer,
    outbox::{Outbox, Output},
    protocol::{Closed, Protocol, ProtocolError},
    tls::{Negotiated, TlsSettings},
    transport::Transport,
};
use crate::clock::{Clock, Micros};

/// Reads of one connection in a row: another connection's bytes must not wait for a flood.
const READS_IN_A_ROW: u32 = 8;

/// A connection that the loop's thread and a sending thread share.
#[derive(Debug)]
pub struct Connection<P>(pub(super) Mutex<ConnectionState<P>>);

impl<P: Protocol> Connection<P> {
    /// Creates a connection to `address` that the loop will open.
    pub fn new(address: SocketAddr, protocol: P) -> Self {
        Self::create(address, protocol, None)
    }

    /// Creates a connection under TLS. The handshake is a part of opening it, and has the same time-out.
    pub fn with_tls(address: SocketAddr, protocol: P, tls: TlsSettings) -> Self {
        Self::create(address, protocol, Some(tls))
    }

    fn create(address: SocketAddr, protocol: P, tls: Option<TlsSettings>) -> Self {
        Self(Mutex::new(ConnectionState {
            protocol,
            address,
            tls,
            transport: None,
            phase: Phase::Closed,
            since: Micros(0),
            attempt: 0,
            is_dialing: false,
            outbox: Outbox::default(),
            input: InputBuffer::default(),
        }))
    }

    /// Lets the protocol do something and send frames, on the calling thread. Never waits for a socket.
    pub fn with<R>(&self, clock: Clock, call: impl FnOnce(&mut P, &mut Output<'_>) -> R) -> R {
        let mut state = self.0.lock();
        let (protocol, mut out) = state.output(clock);
        call(protocol, &mut out)
    }
}

impl<P> Connection<P> {
    /// What client and server agreed on under TLS; `None` without it, and until the handshake is over.
    pub fn negotiated(&self) -> Option<Negotiated> {
        self.0.lock().transport.as_ref()?.negotiated()
    }

    /// Lets the caller look at the protocol, or take something from it.
    pub fn look<R>(&self, call: impl FnOnce(&mut P) -> R) -> R {
        call(&mut self.0.lock().protocol)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits to be opened.
    Closed,
    /// The socket is being connected.
    Connecting,
    /// The socket is connected, and the handshake under TLS is not over.
    Handshake,
    /// The protocol speaks.
    Open,
    /// Will not be opened again.
    Ended,
}

/// What the loop does next with a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing until the socket is ready again.
    Wait,
    /// Read again: the socket may have more.
    ReadAgain,
    /// Close it, for this reason.
    Close(String),
}

#[derive(Debug)]
pub(super) struct ConnectionState<P> {
    pub protocol: P,
    pub address: SocketAddr,
    tls: Option<TlsSettings>,
    transport: Option<Transport>,
    pub phase: Phase,
    /// Start of the attempt to connect.
    pub since: Micros,
    /// Attempts since the connection was last ready.
    pub attempt: u32,
    /// Whether the connection counts as being opened.
    pub is_dialing: bool,
    pub outbox: Outbox,
    input: InputBuffer,
}

impl<P: Protocol> ConnectionState<P> {
    fn output(&mut self, clock: Clock) -> (&mut P, Output<'_>) {
        let socket = match self.phase {
            Phase::Open => self.transport.as_mut().map(|transport| transport as &mut dyn Write),
            _ => None,
        };
        (&mut self.protocol, Output::new(clock, socket, &mut self.outbox))
    }

    /// Begins to open the connection, which is number `number` of its loop.
    pub fn dial(
        &mut self,
        number: usize,
        share: LoopShare,
        clock: Clock,
        registry: &Registry,
    ) -> io::Result<()> {
        let now = clock.now();
        self.since = now;
        self.attempt = self.attempt.saturating_add(1);
        let mut socket = dial::connect(self.address, share.number(number))?;
        registry.register(&mut socket, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        self.transport = Some(Transport::new(socket, self.tls.as_ref(), clock)?);
        self.phase = Phase::Connecting;
        Ok(())
    }

    /// Finishes to connect, once the socket has become writable.
    pub fn finish_connecting(&mut self, clock: Clock, events: &mut P::Events<'_>) -> Next {
        let Some(transport) = &mut self.transport else { return Next::Wait };
        let socket = transport.socket();
        match socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return Next::Close(error.to_string()),
        }
        // Without a peer it is still being connected.
        if socket.peer_addr().is_err() {
            return Next::Wait;
        }
        self.phase = Phase::Handshake;
        self.shake_hands(clock, events)
    }

    /// Goes on with the handshake under TLS; without TLS it is over.
    pub fn shake_hands(&mut self, clock: Clock, events: &mut P::Events<'_>) -> Next {
        let Some(transport) = &mut self.transport else { return Next::Wait };
        match transport.shake_hands() {
            Ok(true) => {}
            Ok(false) => return Next::Wait,
            Err(error) => return Next::Close(error.to_string()),
        }
        self.phase = Phase::Open;
        let (protocol, mut out) = self.output(clock);
        close_on_error(protocol.opened(clock.now(), &mut out, events))
    }

    /// Writes what waits for the socket.
    pub fn write(&mut self, clock: Clock, events: &mut P::Events<'_>) -> Next {
        let Some(transport) = &mut self.transport else { return Next::Wait };
        match transport.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
            Err(error) => return Next::Close(error.to_string()),
            Ok(()) => {}
        }
        while let Some(advance) = self.outbox.advance(transport, clock) {
            if let Some((at, tag)) = advance.begun {
                self.protocol.begun(at, tag, events);
            }
            let Some(frame) = advance.finished else { break };
            self.protocol.finished(clock.now(), frame, events);
        }
        self.failure()
    }

    /// Reads what has arrived.
    pub fn read(
        &mut self,
        clock: Clock,
        scratch: &mut [u8],
        keep_room: bool,
        events: &mut P::Events<'_>,
    ) -> Next {
        for _ in 0..READS_IN_A_ROW {
            let Self { protocol, transport, outbox, input, .. } = self;
            let Some(transport) = transport else { return Next::Wait };
            let may_hold_more = transport.may_hold_more();
            let read = input.read(transport, scratch, keep_room, |transport, bytes| {
                let at = transport.read_at(clock);
                let mut out = Output::new(clock, Some(transport), outbox);
                protocol.received(at, bytes, &mut out, events).map_err(ReadError::Protocol)
            });
            match read {
                Ok(is_full) if is_full || may_hold_more => {}
                Ok(_) => return self.failure(),
                Err(ReadError::Socket(error)) if error.kind() == ErrorKind::WouldBlock => {
                    return self.failure();
                }
                Err(ReadError::Socket(error)) => return Next::Close(error.to_string()),
                Err(ReadError::Protocol(error)) => return Next::Close(error.0),
            }
        }
        Next::ReadAgain
    }

    /// Lets the protocol look at the time.
    pub fn tick(&mut self, clock: Clock, events: &mut P::Events<'_>) -> Next {
        if self.phase != Phase::Open {
            self.protocol.tick_unconnected(clock.now(), events);
            return Next::Wait;
        }
        let (protocol, mut out) = self.output(clock);
        match close_on_error(protocol.tick(clock.now(), &mut out, events)) {
            Next::Wait => self.failure(),
            next => next,
        }
    }

    /// Closes the socket; returns the address to connect to next.
    pub fn close(
        &mut self,
        now: Micros,
        reason: String,
        registry: &Registry,
        events: &mut P::Events<'_>,
    ) -> Option<SocketAddr> {
        if let Some(mut transport) = self.transport.take() {
            transport.close();
            if let Err(error) = registry.deregister(transport.socket()) {
                tracing::debug!(target: "hubmark::wire", "deregistering a socket: {error}");
            }
        }
        let was_open = self.phase == Phase::Open;
        self.input.clear();
        let closed = Closed { reason, was_open, unwritten: self.outbox.take() };
        let next = self.protocol.closed(now, closed, events);
        self.phase = if next.is_some() { Phase::Closed } else { Phase::Ended };
        next
    }

    fn failure(&self) -> Next {
        self.outbox.failure.clone().map_or(Next::Wait, Next::Close)
    }
}

fn close_on_error(result: Result<(), ProtocolError>) -> Next {
    result.map_or_else(|error| Next::Close(error.0), |()| Next::Wait)
}

/// Why a read ended a connection.
enum ReadError {
    Socket(io::Error),
    Protocol(ProtocolError),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}
