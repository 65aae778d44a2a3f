//! Input of the operator's terminal, each event with the time of its arrival.

use std::{io, time::Instant};

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::sleep_until,
};
use tokio_util::task::AbortOnDropHandle;

use super::background::{Background, BackgroundFilter};

/// What the terminal sends.
#[derive(Debug)]
pub enum Input {
    /// An event.
    Event(Event),
    /// Its reply to the question for its background.
    Background(Background),
}

/// Input of the terminal, or why none can be read, with the time of its arrival.
pub type TimedInput = (Instant, io::Result<Input>);

/// Input of the terminal.
///
/// A task of its own reads it: while the screen is busy, keys that were pressed one after the other must
/// not look as if they had come at once.
#[derive(Debug)]
pub struct TerminalInput {
    input: UnboundedReceiver<TimedInput>,
    _reader: AbortOnDropHandle<()>,
}

impl TerminalInput {
    /// Starts to read the terminal; `is_asked` tells whether it is asked for its background.
    pub fn spawn(is_asked: bool) -> Self {
        let (sender, input) = unbounded_channel();
        let reader = tokio::spawn(async move {
            let (mut stream, mut filter) = (EventStream::new(), BackgroundFilter::new(is_asked));
            loop {
                let event = tokio::select! {
                    event = stream.next() => event,
                    () = wait_until(filter.release_time()) => None,
                };
                let at = Instant::now();
                let (events, background) = match event {
                    Some(Ok(event)) => {
                        let filtered = filter.apply(at, event);
                        (filtered.events, filtered.background)
                    }
                    Some(Err(error)) => {
                        if sender.send((at, Err(error))).is_err() {
                            return;
                        }
                        continue;
                    }
                    None if filter.release_time().is_some() => (filter.release(), None),
                    None => return,
                };
                let events = events.into_iter().map(Input::Event);
                for input in events.chain(background.map(Input::Background)) {
                    if sender.send((at, Ok(input))).is_err() {
                        return;
                    }
                }
            }
        });
        Self { input, _reader: AbortOnDropHandle::new(reader) }
    }

    /// Waits for the next input; `None` at its end.
    pub async fn next(&mut self) -> Option<TimedInput> {
        self.input.recv().await
    }
}

async fn wait_until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}
