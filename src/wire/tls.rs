//! TLS between a protocol and its socket, by rustls.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::Arc,
};

use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};

use crate::clock::{Clock, Micros};

/// Bytes of one record: as many as TLS allows.
const RECORD_BYTES: usize = 16 << 10;

/// How a connection is secured.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Versions, ciphers, authorities, the client's certificate.
    pub config: Arc<ClientConfig>,
    /// Name that the server's certificate must have.
    pub server_name: ServerName<'static>,
}

/// What client and server agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Version of the protocol, for example `TLSv1_3`.
    pub version: String,
    /// Cipher suite, for example `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
}

/// A socket under TLS.
#[derive(Debug)]
pub(super) struct TlsStream<S> {
    session: ClientConnection,
    pub socket: S,
    clock: Clock,
    /// Time right after the read that brought the last bytes.
    read_at: Micros,
    /// Bytes of the next write that are a record already, none of which the socket has taken.
    held: usize,
}

impl<S: Read + Write> TlsStream<S> {
    /// Begins a session on a socket that is connected or being connected.
    pub fn new(settings: &TlsSettings, socket: S, clock: Clock) -> io::Result<Self> {
        let config = Arc::clone(&settings.config);
        let session = ClientConnection::new(config, settings.server_name.clone());
        let session = session.map_err(|error| tls_error(&error))?;
        Ok(Self { session, socket, clock, read_at: clock.now(), held: 0 })
    }

    /// Goes on with the handshake; returns whether it is over. The bytes of a server that speaks at once may have
    /// been read with its last message.
    pub fn shake_hands(&mut self) -> io::Result<bool> {
        loop {
            while self.session.wants_write() {
                match self.session.write_tls(&mut self.socket) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            if !self.session.is_handshaking() {
                return Ok(!self.session.wants_write());
            }
            match self.receive() {
                Ok(0) => {
                    let text = "the server closed the connection during the TLS handshake";
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads from the socket once, and decrypts; returns the number of bytes read.
    fn receive(&mut self) -> io::Result<usize> {
        let read = loop {
            match self.session.read_tls(&mut self.socket) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.read_at = self.clock.now();
        if let Err(error) = self.session.process_new_packets() {
            // The server learns the reason, if the socket takes it.
            let _ = self.session.write_tls(&mut self.socket);
            return Err(tls_error(&error));
        }
        Ok(read)
    }

    /// Time right after the read that brought the last bytes.
    pub const fn read_at(&self) -> Micros {
        self.read_at
    }

    /// What was negotiated; `None` before.
    pub fn negotiated(&self) -> Option<Negotiated> {
        let version = self.session.protocol_version()?;
        let cipher = self.session.negotiated_cipher_suite()?.suite();
        Some(Negotiated { version: format!("{version:?}"), cipher: format!("{cipher:?}") })
    }

    /// Says goodbye to the server, as far as the socket takes it.
    pub fn close(&mut self) {
        self.session.send_close_notify();
        // A server that has closed the connection does not read it.
        let _ = self.session.write_tls(&mut self.socket);
    }
}

impl<S: Read + Write> Read for TlsStream<S> {
    /// Reads bytes that were sent under one read of the socket, or waited for room. The end of the stream is an
    /// error unless the server has announced it.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            self.receive()?;
        }
    }
}

impl<S: Read + Write> Write for TlsStream<S> {
    /// Writes at most a record. Returns its length once the socket has taken its first byte; what is left of it goes
    /// before the next one, or with [`Write::flush`].
    ///
    /// As long as the socket is full, no byte of a new record counts as written, though it is encrypted already: the
    /// next call must begin with the same bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held == 0 {
            self.flush()?;
            let taken = &bytes[..bytes.len().min(RECORD_BYTES)];
            self.held = self.session.writer().write(taken)?;
        }
        self.session.write_tls(&mut self.socket)?;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(std::mem::take(&mut self.held)),
        }
    }

    /// Writes what is left of earlier records.
    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn tls_error(error: &rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("TLS: {error}"))
}
