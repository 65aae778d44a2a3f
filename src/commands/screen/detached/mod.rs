//! Detached runs (`--keep`): runs in separate processes. A lost connection ends the screen but not
//! the run, and `hubmark attach` shows the run again.
//!
//! [`runner`] is the detached process: it executes the run, maintains the state that a screen would
//! show, and listens on a Unix socket that only its owner can open. The screen is its client
//! ([`client`]) from the run's start on: it receives the state, then the events, and sends the
//! operator's commands ([`wire`]). [`sockets`] finds the sockets of running runs.

pub mod client;
mod error;
pub mod runner;
pub mod sockets;
mod wire;
