//! Bytes of a server that are no whole frame yet.

use std::io::{self, Read};

use super::protocol::Consumed;

/// Smallest room for a read, in bytes.
const READ_ROOM: usize = 4 << 10;
/// Room in bytes that a buffer keeps between two frames; more is given back.
const KEPT_ROOM: usize = 4 << 10;

/// The start of a frame whose rest has not arrived.
#[derive(Debug, Default)]
pub(super) struct InputBuffer {
    /// Room of the buffer, all of it initialised.
    room: Vec<u8>,
    filled: usize,
    /// Length of the frame at the start, where it is known.
    expected: usize,
}

impl InputBuffer {
    /// Reads once, and passes all bytes to `receive`, with the socket for its answers. Returns whether the socket may have more.
    ///
    /// A socket that had less than there was room for is empty: the kernel reports when more arrives.
    pub fn read<S: Read, E: From<io::Error>>(
        &mut self,
        socket: &mut S,
        scratch: &mut [u8],
        keep_room: bool,
        receive: impl FnOnce(&mut S, &[u8]) -> Result<Consumed, E>,
    ) -> Result<bool, E> {
        if self.filled == 0 {
            let read = read_once(socket, scratch)?;
            let input = &scratch[..read];
            let consumed = receive(socket, input)?;
            self.store(&input[consumed.bytes.min(read)..], consumed.expected);
            return Ok(read == scratch.len());
        }
        // A large frame is read to its end and no further, so that nothing of the next one has to be moved.
        let end = if self.expected > self.filled + READ_ROOM {
            self.expected
        } else {
            self.filled + READ_ROOM.max(scratch.len())
        };
        if self.room.len() < end {
            self.room.resize(end, 0);
        }
        let read = read_once(socket, &mut self.room[self.filled..end])?;
        self.filled += read;
        let consumed = receive(socket, &self.room[..self.filled])?;
        let used = consumed.bytes.min(self.filled);
        self.room.copy_within(used..self.filled, 0);
        let is_full = self.filled == end;
        self.filled -= used;
        self.expected = consumed.expected;
        if self.filled == 0 && !keep_room && self.room.len() > KEPT_ROOM {
            self.room = Vec::new();
        }
        Ok(is_full)
    }

    fn store(&mut self, rest: &[u8], expected: usize) {
        self.filled = rest.len();
        self.expected = expected;
        if self.room.len() < rest.len() {
            self.room.resize(rest.len().max(expected), 0);
        }
        self.room[..rest.len()].copy_from_slice(rest);
    }

    /// Forgets all bytes.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Reads once; the end of the stream is an error.
fn read_once(socket: &mut dyn Read, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.read(room) {
            Ok(0) => {
                let kind = io::ErrorKind::UnexpectedEof;
                return Err(io::Error::new(kind, "the server closed the connection"));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
