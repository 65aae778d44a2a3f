//! The way of a connection's bytes: a socket, plain or under TLS.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

use super::tls::{Negotiated, TlsSettings, TlsStream};
use crate::clock::{Clock, Micros};

/// A connection's socket.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// The way through a socket that is being connected.
    pub fn new(socket: TcpStream, tls: Option<&TlsSettings>, clock: Clock) -> io::Result<Self> {
        Ok(match tls {
            None => Self::Plain(socket),
            Some(settings) => Self::Tls(Box::new(TlsStream::new(settings, socket, clock)?)),
        })
    }

    /// The socket.
    pub fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &mut stream.socket,
        }
    }

    /// Goes on with the handshake, if there is one; returns whether the protocol can begin.
    pub fn shake_hands(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            Self::Tls(stream) => stream.shake_hands(),
        }
    }

    /// What was negotiated under TLS.
    pub fn negotiated(&self) -> Option<Negotiated> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.negotiated(),
        }
    }

    /// Time right after the read that brought what was just read.
    pub fn read_at(&self, clock: Clock) -> Micros {
        match self {
            Self::Plain(_) => clock.now(),
            Self::Tls(stream) => stream.read_at(),
        }
    }

    /// Whether a read that left room may have left bytes, too.
    pub const fn may_hold_more(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Announces the end of the stream, where the protocol knows one.
    pub fn close(&mut self) {
        if let Self::Tls(stream) = self {
            stream.close();
        }
    }
}

impl Read for Transport {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(room),
            Self::Tls(stream) => stream.read(room),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
