//! One connection: socket, protocol, buffers.

use std::{
    io::{self, ErrorKind, Write},
    net::SocketAddr,
};

use mio::{Interest, Registry, Token, net::TcpStream};
use parking_lot::Mutex;

use super::{
    dial::{self, LoopShare},
    input::InputBuffer,
    outbox::{Outbox, Output},
    protocol::{Closed, Protocol, ProtocolError},
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
        Self(Mutex::new(ConnectionState {
            protocol,
            address,
            socket: None,
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
    /// The socket is connected.
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
    socket: Option<TcpStream>,
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
            Phase::Open => self.socket.as_mut().map(|socket| socket as &mut dyn Write),
            _ => None,
        };
        (&mut self.protocol, Output::new(clock, socket, &mut self.outbox))
    }

    /// Begins to open the connection, which is number `number` of its loop.
    pub fn dial(
        &mut self,
        now: Micros,
        number: usize,
        share: LoopShare,
        registry: &Registry,
    ) -> io::Result<()> {
        self.since = now;
        self.attempt = self.attempt.saturating_add(1);
        let mut socket = dial::connect(self.address, share.number(number))?;
        registry.register(&mut socket, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        self.socket = Some(socket);
        self.phase = Phase::Connecting;
        Ok(())
    }

    /// Finishes to connect, once the socket has become writable.
    pub fn finish_connecting(&mut self, clock: Clock, events: &mut P::Events<'_>) -> Next {
        let Some(socket) = &self.socket else { return Next::Wait };
        match socket.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return Next::Close(error.to_string()),
        }
        // Without a peer it is still being connected.
        if socket.peer_addr().is_err() {
            return Next::Wait;
        }
        self.phase = Phase::Open;
        let (protocol, mut out) = self.output(clock);
        close_on_error(protocol.opened(clock.now(), &mut out, events))
    }

    /// Writes what waits for the socket.
    pub fn write(&mut self, clock: Clock, events: &mut P::Events<'_>) -> Next {
        let Some(socket) = &mut self.socket else { return Next::Wait };
        while let Some(advance) = self.outbox.advance(socket, clock) {
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
            let Self { protocol, socket, outbox, input, .. } = self;
            let Some(socket) = socket else { return Next::Wait };
            let mut reader = &*socket;
            let mut writer = &*socket;
            let read = input.read(&mut reader, scratch, keep_room, |bytes| {
                let at = clock.now();
                let mut out = Output::new(clock, Some(&mut writer), outbox);
                protocol.received(at, bytes, &mut out, events).map_err(ReadError::Protocol)
            });
            match read {
                Ok(true) => {}
                Ok(false) => return self.failure(),
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
        if let Some(mut socket) = self.socket.take()
            && let Err(error) = registry.deregister(&mut socket)
        {
            tracing::debug!(target: "hubmark::wire", "deregistering a socket: {error}");
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
