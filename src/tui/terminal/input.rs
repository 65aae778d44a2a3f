//! Input of the operator's terminal, each event with the time of its arrival.

use std::{io, time::Instant};

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::task::AbortOnDropHandle;

/// An event of the terminal, or why none can be read, with the time of its arrival.
pub type TimedInput = (Instant, io::Result<Event>);

/// Events of the terminal.
///
/// A task of its own reads them: while the screen is busy, keys that were pressed one after the other must
/// not look as if they had come at once.
#[derive(Debug)]
pub struct TerminalInput {
    events: UnboundedReceiver<TimedInput>,
    _reader: AbortOnDropHandle<()>,
}

impl TerminalInput {
    /// Starts to read the terminal.
    pub fn spawn() -> Self {
        let (sender, events) = unbounded_channel();
        let reader = tokio::spawn(async move {
            let mut stream = EventStream::new();
            while let Some(event) = stream.next().await {
                if sender.send((Instant::now(), event)).is_err() {
                    return;
                }
            }
        });
        Self { events, _reader: AbortOnDropHandle::new(reader) }
    }

    /// Waits for the next event; `None` at the end of the input.
    pub async fn next(&mut self) -> Option<TimedInput> {
        self.events.recv().await
    }
}
