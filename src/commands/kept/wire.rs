//! What a kept run and its screens say to each other: a line of JSON each.

use std::{io, path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{
    event::Event,
    tui::{Live, Wish},
};

/// What a run says first: who it is, and how far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    /// Its hubmark's version: what follows is understood by the same one.
    pub version: String,
    /// Its process.
    pub process: u32,
    /// Its profile.
    pub profile: String,
    /// When it began.
    pub began: Timestamp,
    /// Repetitions done.
    pub done: usize,
    /// Repetitions in all.
    pub all: usize,
    /// What it does now.
    pub phase: String,
    /// Its record, once there is one.
    pub record: Option<PathBuf>,
}

/// What a run says afterwards.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// What a screen would show now: the first that a follower gets.
    State {
        /// The run.
        live: Box<Live>,
        /// Its age by the clock of `live`.
        age: Duration,
    },
    /// What happened since.
    Event(Box<Event>),
}

/// What a screen says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// That it wants to know everything from now on.
    Follow,
    /// What its operator wants.
    Wish(Wish),
}

/// What a run that was just started says on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Birth {
    /// It listens there.
    Listens(PathBuf),
    /// Why it does not.
    Failed(String),
}

/// The line of a value.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Says a value.
///
/// # Errors
/// When nobody is there to hear it.
pub async fn say(out: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    out.write_all(&line(value)?).await
}

/// The value of a line.
///
/// # Errors
/// When it is none.
pub fn heard<T: DeserializeOwned>(line: &str) -> io::Result<T> {
    Ok(serde_json::from_str(line)?)
}
