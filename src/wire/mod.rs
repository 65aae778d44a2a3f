//! The wire: connections by the ten thousand on an event loop, or on a few. It knows no platform.
//!
//! A platform is a [`Protocol`]: bytes in, frames and outcomes out, without I/O. The wire opens sockets
//! ([`dial`]), reads them on the loop's thread ([`event_loop`]), writes on whichever thread has a frame, and
//! connects again what was lost.
//!
//! ```text
//! sending thread ── Connection::with ─► protocol encodes a frame ─► write(2) ──► server
//!                                            │ socket full                          │
//!                                            ▼                                      │
//!                                         outbox ◄── loop: writable ──► write(2)    │
//! loop's thread ◄── outcomes ◄── protocol decodes ◄── time is read ◄── read(2) ◄────┘
//! ```
//!
//! - The sending thread writes by itself: no message waits for another thread to wake up. A lock belongs to one
//!   connection, and both threads need the same one only when an answer arrives at the very moment of a send.
//! - A time is read right before the write that carries a frame's first byte, and right after each read; under TLS, before bytes are decrypted.
//! - An idle connection owns no buffer: reads go through one buffer of the loop, frames are recycled by the
//!   protocol.
//!
//! | file | content |
//! |---|---|
//! | `protocol` | what a platform implements |
//! | `outbox`, `input` | bytes that the socket has not taken, and bytes that are no whole frame yet |
//! | `connection` | one connection: socket, protocol, buffers |
//! | `transport`, `tls` | the way through the socket: plain, or under TLS |
//! | `dial` | opening sockets: pace, pauses between attempts, source addresses |
//! | `event_loop` | the loop |

mod connection;
mod dial;
mod event_loop;
mod input;
mod outbox;
mod protocol;
#[cfg(test)]
mod tests;
mod tls;
mod transport;

pub use connection::Connection;
pub use dial::{DialSettings, LoopShare};
pub use event_loop::{EventLoop, LoopSettings, LoopWaker};
#[cfg(any(test, fuzzing))]
pub use outbox::TestSocket;
pub use outbox::{Frame, Output, Sent};
pub use protocol::{Closed, Consumed, Protocol, ProtocolError};
pub use tls::{Negotiated, TlsSettings};
