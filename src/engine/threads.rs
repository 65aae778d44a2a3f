//! Threads and blocking parts of a repetition, and how each is ended.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::oneshot,
    task::{JoinError, JoinHandle},
    time::timeout,
};

use super::{EngineError, inbox::RecorderInbox, recorder::Recorder};
use crate::backend::{BackendError, Consumer, Fleet, Inbox, Reports};

/// How long a consumer that was told to end may take: a topic or a server that is away is waited
/// for meanwhile.
const FAREWELL: Duration = Duration::from_secs(30);

/// Turns the end of a blocking task that did not return into an error.
pub fn thread_error(what: &str) -> impl Fn(JoinError) -> EngineError {
    move |error| EngineError::Thread { what: what.to_owned(), reason: error.to_string() }
}

/// Turns a thread that could not be started into an error.
pub fn no_thread(what: &'static str) -> impl Fn(io::Error) -> EngineError {
    move |error| EngineError::Thread {
        what: format!("{what} could not be started"),
        reason: error.to_string(),
    }
}

/// A consumer at work on a thread of its own.
pub struct Reader {
    stop: Arc<AtomicBool>,
    ended: JoinHandle<Result<(), BackendError>>,
    recorder: Arc<Recorder>,
}

impl Reader {
    /// Puts `consumer` to work.
    pub fn spawn(
        consumer: Box<dyn Consumer>,
        recorder: &Arc<Recorder>,
    ) -> Result<Self, EngineError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut inbox = RecorderInbox::new(Arc::clone(recorder), Arc::clone(&stop));
        let (tell, told) = oneshot::channel();
        thread::Builder::new()
            .name("consumer".into())
            .spawn(move || {
                let result = consumer.run(&mut inbox);
                inbox.flush();
                let _ = tell.send(result);
            })
            .map_err(no_thread("the consumer"))?;
        let ended = tokio::spawn(async move {
            told.await.unwrap_or_else(|_| {
                Err(BackendError::Operation {
                    what: "reading".into(),
                    server: "the consumer's thread".into(),
                    reason: "it ended by a panic".into(),
                })
            })
        });
        Ok(Self { stop, ended, recorder: Arc::clone(recorder) })
    }

    /// Resolves with the consumer's error if it ends before it is told to.
    async fn failed(&mut self) -> EngineError {
        match (&mut self.ended).await {
            Ok(Err(error)) => EngineError::Consumer(error),
            Ok(Ok(())) => std::future::pending().await,
            Err(error) => thread_error("the consumer")(error),
        }
    }

    /// Tells the consumer to end and waits for it. One that waits for a message by the system's
    /// clock does so for an hour when that is set back by an hour: it has told all that had arrived,
    /// and is left behind.
    pub async fn end(self) -> Result<(), EngineError> {
        self.end_within(FAREWELL).await
    }

    async fn end_within(mut self, patience: Duration) -> Result<(), EngineError> {
        self.stop.store(true, Relaxed);
        let Ok(ended) = timeout(patience, &mut self.ended).await else {
            self.recorder.note(format!(
                "the consumer did not end within {patience:.0?} of being told to, and is left \
                 behind: what it had not told by then counts as not arrived"
            ));
            return Ok(());
        };
        ended.map_err(thread_error("the consumer"))?.map_err(EngineError::Consumer)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// Resolves with the error of `reader`, if there is one and it fails.
pub async fn failure(reader: Option<&mut Reader>) -> EngineError {
    match reader {
        Some(reader) => reader.failed().await,
        None => std::future::pending().await,
    }
}

/// Sets a flag when it goes out of scope, so that a thread that nobody waits for any more ends.
pub struct StopOnDrop(pub Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Keeps a fleet, whose closing may block, from being dropped on a runtime's thread.
pub struct Fleetkeeper(pub Option<Box<dyn Fleet>>);

impl Fleetkeeper {
    /// Closes all users' connections and waits for it.
    pub async fn close(mut self) -> Result<(), EngineError> {
        let fleet = self.0.take();
        tokio::task::spawn_blocking(move || drop(fleet))
            .await
            .map_err(thread_error("closing users"))
    }
}

impl Drop for Fleetkeeper {
    fn drop(&mut self) {
        if let Some(fleet) = self.0.take() {
            // Not waited for: the repetition has failed or was stopped.
            let _ = thread::Builder::new().name("closing".into()).spawn(move || drop(fleet));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{clock::Clock, plan::PayloadSource, workload::payload::Payloads};

    /// A consumer that waits for somebody, whatever it is told.
    struct Waiting(mpsc::Receiver<()>);

    impl Consumer for Waiting {
        fn run(self: Box<Self>, _: &mut dyn Inbox) -> Result<(), BackendError> {
            let _ = self.0.recv();
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_consumer_that_does_not_end_is_left_behind() {
        let payloads = Payloads::new(1, 8, PayloadSource::Seeded);
        let recorder = Arc::new(Recorder::new(Clock::start(), 1, 1, payloads));
        let (keep, never) = mpsc::channel();
        let reader = Reader::spawn(Box::new(Waiting(never)), &recorder).unwrap();
        assert!(reader.end_within(Duration::from_millis(50)).await.is_ok());
        let notes = recorder.take_notes();
        assert!(notes.len() == 1 && notes[0].text.contains("left behind"), "{notes:?}");
        drop(keep);
    }
}
