//! Threads and blocking tasks of a repetition, each with an orderly end.

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

use crate::{
    backend::{BackendError, Consumer, Fleet, MessageSink, SendOutcomes},
    engine::{
        RunError,
        measure::{message_sink::RecorderSink, recorder::Recorder},
    },
    hot_thread::{HotThread, ThreadRole},
};

/// Name of the consumer's thread.
const CONSUMER_THREAD_NAME: &str = "consumer";
/// Maximum time for a consumer to end after the request to stop: it may be waiting for an unavailable
/// topic or server.
const CONSUMER_STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Converts the failure of the blocking task `what` into an error.
pub fn thread_error(what: &str) -> impl Fn(JoinError) -> RunError {
    move |error| RunError::Thread { what: what.to_owned(), reason: error.to_string() }
}

/// Converts the failure to start the thread `what` into an error.
pub fn spawn_error(what: &'static str) -> impl Fn(io::Error) -> RunError {
    move |error| RunError::Thread {
        what: format!("{what} could not be started"),
        reason: error.to_string(),
    }
}

/// A consumer that runs on a dedicated thread.
pub struct ConsumerThread {
    stop: Arc<AtomicBool>,
    result: JoinHandle<Result<(), BackendError>>,
    recorder: Arc<Recorder>,
}

impl ConsumerThread {
    /// Starts `consumer` on a new thread.
    pub fn spawn(consumer: Box<dyn Consumer>, recorder: &Arc<Recorder>) -> Result<Self, RunError> {
        let stop = Arc::new(AtomicBool::new(false));
        let this_thread = HotThread::new(CONSUMER_THREAD_NAME, ThreadRole::Receives);
        recorder.watch_thread(&this_thread);
        let mut sink =
            RecorderSink::new(Arc::clone(recorder), Arc::clone(&stop), Arc::clone(&this_thread));
        let (sender, receiver) = oneshot::channel();
        thread::Builder::new()
            .name(CONSUMER_THREAD_NAME.into())
            .spawn(move || {
                let _entered = this_thread.enter();
                let result = consumer.run(&mut sink);
                sink.flush();
                let _ = sender.send(result);
            })
            .map_err(spawn_error("the consumer"))?;
        let result = tokio::spawn(async move {
            receiver.await.unwrap_or_else(|_| {
                Err(BackendError::Operation {
                    what: "reading".into(),
                    server: "the consumer's thread".into(),
                    reason: "it ended by a panic".into(),
                })
            })
        });
        Ok(Self { stop, result, recorder: Arc::clone(recorder) })
    }

    /// Resolves with the consumer's error if the consumer ends before the request to stop.
    async fn wait_for_failure(&mut self) -> RunError {
        match (&mut self.result).await {
            Ok(Err(error)) => RunError::Consumer(error),
            Ok(Ok(())) => std::future::pending().await,
            Err(error) => thread_error("the consumer")(error),
        }
    }

    /// Requests the consumer to stop and waits for its end. A client library that times its wait by
    /// the system's clock blocks for an hour when that clock is set back by an hour: such a consumer has
    /// reported all arrivals, and its thread is left running.
    pub async fn stop(self) -> Result<(), RunError> {
        self.stop_within(CONSUMER_STOP_TIMEOUT).await
    }

    async fn stop_within(mut self, limit: Duration) -> Result<(), RunError> {
        self.stop.store(true, Relaxed);
        let Ok(ended) = timeout(limit, &mut self.result).await else {
            self.recorder.note(format!(
                "the consumer did not stop within {limit:.0?}, and its thread is left running: \
                 messages that it had not reported by then count as not arrived"
            ));
            return Ok(());
        };
        ended.map_err(thread_error("the consumer"))?.map_err(RunError::Consumer)
    }
}

impl Drop for ConsumerThread {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// Resolves with the error of `consumer` if it fails; never resolves without a consumer.
pub async fn consumer_failure(consumer: Option<&mut ConsumerThread>) -> RunError {
    match consumer {
        Some(consumer) => consumer.wait_for_failure().await,
        None => std::future::pending().await,
    }
}

/// Sets a flag when dropped, so that a thread without a waiting owner ends.
pub struct StopOnDrop(pub Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Owns a fleet and drops it outside the async runtime's threads, since closing it may block.
pub struct FleetGuard(pub Option<Box<dyn Fleet>>);

impl FleetGuard {
    /// Closes the connections of all users and waits until they are closed.
    pub async fn close(mut self) -> Result<(), RunError> {
        let fleet = self.0.take();
        tokio::task::spawn_blocking(move || drop(fleet))
            .await
            .map_err(thread_error("closing users"))
    }
}

impl Drop for FleetGuard {
    fn drop(&mut self) {
        if let Some(fleet) = self.0.take() {
            // Do not wait: the repetition has failed or was stopped.
            let _ = thread::Builder::new().name("closing".into()).spawn(move || drop(fleet));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{clock::Clock, plan::PayloadSource, workload::payload::PayloadGenerator};

    /// A consumer that ignores the request to stop.
    struct BlockedConsumer(mpsc::Receiver<()>);

    impl Consumer for BlockedConsumer {
        fn run(self: Box<Self>, _: &mut dyn MessageSink) -> Result<(), BackendError> {
            let _ = self.0.recv();
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_consumer_that_does_not_stop_is_left_running_with_a_note() {
        let payloads = PayloadGenerator::new(1, 8, PayloadSource::Seeded);
        let recorder = Arc::new(Recorder::new(Clock::start(), 1, 1, payloads));
        let (keep, never) = mpsc::channel();
        let consumer = ConsumerThread::spawn(Box::new(BlockedConsumer(never)), &recorder).unwrap();
        assert!(consumer.stop_within(Duration::from_millis(50)).await.is_ok());
        let notes = recorder.take_notes();
        assert!(notes.len() == 1 && notes[0].text.contains("did not stop"), "{notes:?}");
        drop(keep);
    }
}
