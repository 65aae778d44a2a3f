//! Messages between a detached run and its screens: one line of JSON each.

use std::{io, path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{
    event::Event,
    tui::{LiveRun, RunCommand},
};

/// A run's first message: its identity and progress.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    /// The run's hubmark version: only the same version understands the further messages.
    pub version: String,
    /// The run's process number.
    pub process: u32,
    /// The profile's name.
    pub profile: String,
    /// Start time of the run.
    pub began: Timestamp,
    /// Repetitions done.
    pub done: usize,
    /// Total repetitions.
    pub all: usize,
    /// The current phase, as text.
    pub phase: String,
    /// The record's file, once it exists.
    pub record: Option<PathBuf>,
}

/// A run's messages after its [`Hello`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerMessage {
    /// The state that a screen would show now: the first message to a follower.
    State {
        /// The run's state.
        live: Box<LiveRun>,
        /// The run's age, by the clock of `live`.
        age: Duration,
    },
    /// An event since then.
    Event(Box<Event>),
}

/// A screen's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientMessage {
    /// Subscribe to all further events.
    Follow,
    /// Execute an operator's command.
    Command(RunCommand),
}

/// The reply of a newly started process on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartupReply {
    /// The process listens on this socket.
    Listening(PathBuf),
    /// The process failed, for this reason.
    Failed(String),
}

/// Encodes a value as a line of JSON.
///
/// # Errors
/// The value cannot be written as JSON.
pub fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Sends a value as a line of JSON.
///
/// # Errors
/// The connection is closed.
pub async fn send(out: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    out.write_all(&encode(value)?).await
}

/// Decodes a value from a line of JSON.
///
/// # Errors
/// The line is no such value.
pub fn decode<T: DeserializeOwned>(line: &str) -> io::Result<T> {
    Ok(serde_json::from_str(line)?)
}
