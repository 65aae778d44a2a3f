//! The sending thread: prepares a load, waits until its start is decided, sends, and returns the fleet.

use std::{
    io,
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{Sender, channel},
    },
    thread,
};

use tokio::sync::oneshot;

use super::{
    sender::{LoadSender, PreparedLoad, SENDER_THREAD_NAME},
    threads::{StopOnDrop, spawn_error},
};
use crate::{
    backend::Fleet,
    clock::Micros,
    engine::{RunError, measure::recorder::Recorder, steering::Steering},
    plan::Workload,
    workload::arrival::{ArrivalSchedule, DueCounts},
};

/// A thread that sends one load; dropping it ends the load.
pub struct SendingThread {
    begin: Sender<Micros>,
    ended: oneshot::Receiver<SendEnd>,
    _stopper: StopOnDrop,
}

/// End of a load.
struct SendEnd {
    fleet: Box<dyn Fleet>,
    result: io::Result<()>,
    at: Micros,
}

impl SendingThread {
    /// Starts the thread, and returns when everything that takes time is done: the load could begin at once.
    ///
    /// Returns the counts of the schedule's due times, too; empty for the throughput workload.
    pub async fn prepare(
        mut fleet: Box<dyn Fleet>,
        recorder: &Arc<Recorder>,
        workload: &Workload,
        seed: u64,
        repetition: u32,
        steering: Option<Arc<Steering>>,
    ) -> Result<(Self, DueCounts), RunError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopper = StopOnDrop(Arc::clone(&stop));
        let (begin, start_time) = channel::<Micros>();
        let (ready, prepared) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (recorder, workload) = (Arc::clone(recorder), workload.clone());
        thread::Builder::new()
            .name(SENDER_THREAD_NAME.into())
            .spawn(move || {
                let load = PreparedLoad::new(&workload, seed, repetition, recorder.payloads());
                let (load, due) = match load {
                    Ok(load) => (load, count_due(&workload, seed, repetition)),
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        return;
                    }
                };
                let clock = recorder.clock();
                // An error on either side means that the load was given up.
                if ready.send(Ok(due)).is_err() {
                    return;
                }
                let Ok(start) = start_time.recv() else { return };
                let mut sender = LoadSender {
                    recorder,
                    stop: &stop,
                    fleet: fleet.as_mut(),
                    steering: steering.as_deref(),
                };
                let result = sender.send(load, start);
                let _ = end.send(SendEnd { fleet, result, at: clock.now() });
            })
            .map_err(spawn_error("the load"))?;
        let due = prepared.await.map_err(|_| panicked())?.map_err(|error| payload_error(&error))?;
        Ok((Self { begin, ended, _stopper: stopper }, due))
    }

    /// Begins the load at `start`.
    pub fn begin(&self, start: Micros) {
        // Without the thread, the wait for its end reports the error.
        let _ = self.begin.send(start);
    }

    /// Waits until the last message is sent; returns the fleet and the time of the end.
    pub async fn ended(self) -> Result<(Box<dyn Fleet>, Micros), RunError> {
        let Self { ended, _stopper, .. } = self;
        let end = ended.await.map_err(|_| panicked())?;
        end.result.map_err(|error| payload_error(&error))?;
        Ok((end.fleet, end.at))
    }
}

fn count_due(workload: &Workload, seed: u64, repetition: u32) -> DueCounts {
    match workload {
        Workload::Latency(workload) => ArrivalSchedule::count_due(workload, seed, repetition),
        Workload::Throughput(_) => DueCounts::default(),
    }
}

fn panicked() -> RunError {
    RunError::Thread { what: "the load's thread".into(), reason: "it panicked".into() }
}

fn payload_error(error: &io::Error) -> RunError {
    RunError::Thread { what: "making payloads".into(), reason: error.to_string() }
}
