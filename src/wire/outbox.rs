//! Frames on their way to a socket.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Write},
};

use crate::clock::{Clock, Micros};

/// Bytes that belong together, with the protocol's own mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The protocol's mark, for example the number of the request.
    pub tag: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Bytes that the socket has taken.
    written: usize,
}

impl Frame {
    /// Whether the socket has taken a part of the frame.
    pub const fn is_begun(&self) -> bool {
        self.written > 0
    }
}

/// Frames that the socket has not taken completely, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Why the socket takes no more bytes; the loop closes the connection.
    pub failure: Option<String>,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Removes and returns all frames.
    pub fn take(&mut self) -> Vec<Frame> {
        self.bytes = 0;
        self.failure = None;
        std::mem::take(&mut self.frames).into()
    }

    /// Writes what the socket takes of the oldest frame.
    pub fn advance(&mut self, socket: &mut dyn Write, clock: Clock) -> Option<Advance> {
        if self.failure.is_some() {
            return None;
        }
        let frame = self.frames.front_mut()?;
        let was_begun = frame.is_begun();
        let at = clock.now();
        if let Err(reason) = write_some(socket, &frame.bytes, &mut frame.written) {
            self.failure = Some(reason);
        }
        let begun = (!was_begun && frame.is_begun()).then_some((at, frame.tag));
        if frame.written < frame.bytes.len() {
            return Some(Advance { begun, finished: None });
        }
        let finished = self.frames.pop_front();
        self.bytes -= finished.as_ref().map_or(0, |frame| frame.bytes.len());
        Some(Advance { begun, finished })
    }
}

/// What one call of [`Outbox::advance`] did.
#[derive(Debug)]
pub(super) struct Advance {
    /// Time and mark of a frame whose first byte was written.
    pub begun: Option<(Micros, u64)>,
    /// A frame that the socket has taken; `None`: the socket is full.
    pub finished: Option<Frame>,
}

/// Writes as much of `bytes` from `written` on as the socket takes.
fn write_some(socket: &mut dyn Write, bytes: &[u8], written: &mut usize) -> Result<(), String> {
    while *written < bytes.len() {
        match socket.write(&bytes[*written..]) {
            Ok(0) => return Err("the socket takes no more bytes".into()),
            Ok(taken) => *written += taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// What became of a frame that was sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// The socket has taken all of it. The frame comes back, so that its memory can be used again.
    Written {
        /// Time right before the write.
        at: Micros,
        /// The frame's bytes.
        bytes: Vec<u8>,
    },
    /// It waits, or a part of it: [`Protocol::finished`](super::Protocol::finished) follows, or the connection is
    /// closed.
    Waiting {
        /// Time right before the write of its first byte, if that is written.
        begun: Option<Micros>,
    },
}

/// The way to a connection's socket.
pub struct Output<'a> {
    clock: Clock,
    /// `None` while the connection is not open.
    socket: Option<&'a mut dyn Write>,
    outbox: &'a mut Outbox,
}

impl<'a> Output<'a> {
    pub(super) fn new(
        clock: Clock,
        socket: Option<&'a mut dyn Write>,
        outbox: &'a mut Outbox,
    ) -> Self {
        Self { clock, socket, outbox }
    }

    /// Writes a frame, unless earlier ones still wait.
    pub fn send(&mut self, tag: u64, bytes: Vec<u8>) -> Sent {
        let mut frame = Frame { tag, bytes, written: 0 };
        let mut begun = None;
        if self.outbox.is_empty()
            && self.outbox.failure.is_none()
            && let Some(socket) = &mut self.socket
        {
            let at = self.clock.now();
            if let Err(reason) = write_some(*socket, &frame.bytes, &mut frame.written) {
                self.outbox.failure = Some(reason);
            }
            if frame.written == frame.bytes.len() {
                return Sent::Written { at, bytes: frame.bytes };
            }
            begun = frame.is_begun().then_some(at);
        }
        self.outbox.bytes += frame.bytes.len();
        self.outbox.frames.push_back(frame);
        Sent::Waiting { begun }
    }

    /// Bytes of frames that the socket has not taken completely.
    pub const fn waiting_bytes(&self) -> usize {
        self.outbox.bytes
    }

    /// Number of frames that the socket has not taken completely.
    pub fn waiting_frames(&self) -> usize {
        self.outbox.frames.len()
    }
}

/// A socket of a protocol's tests, which takes as many bytes as it has room for.
#[cfg(any(test, fuzzing))]
#[derive(Debug, Default)]
pub struct TestSocket {
    outbox: Outbox,
    writer: TestWriter,
}

#[cfg(any(test, fuzzing))]
#[derive(Debug, Default)]
struct TestWriter {
    written: Vec<u8>,
    room: usize,
}

#[cfg(any(test, fuzzing))]
impl Write for TestWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room -= taken;
        self.written.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(any(test, fuzzing))]
impl TestSocket {
    /// A socket with room for so many bytes.
    pub fn with_room(room: usize) -> Self {
        Self { writer: TestWriter { written: Vec::new(), room }, ..Self::default() }
    }

    /// The way to the socket.
    pub fn output(&mut self, clock: Clock) -> Output<'_> {
        Output::new(clock, Some(&mut self.writer), &mut self.outbox)
    }

    /// Makes room for so many bytes more, as a server does that reads; returns frames that are written now.
    pub fn make_room(&mut self, bytes: usize, clock: Clock) -> Vec<Frame> {
        self.writer.room += bytes;
        let advance = || self.outbox.advance(&mut self.writer, clock)?.finished;
        std::iter::from_fn(advance).collect()
    }

    /// Takes what was written.
    pub fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.writer.written)
    }

    /// Puts the beginning of a frame back before what is written next.
    pub fn put_back(&mut self, bytes: &[u8]) {
        self.writer.written.splice(..0, bytes.iter().copied());
    }

    /// Takes frames that were not written completely, as a lost connection does.
    pub fn lose(&mut self) -> Vec<Frame> {
        self.writer.written.clear();
        self.outbox.take()
    }
}
