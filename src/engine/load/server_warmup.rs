//! Server warm-up: runs the point's load before the measured one, without measuring it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    sender::{LoadSender, PreparedLoad},
    threads::{ConsumerThread, StopOnDrop, thread_error},
};
use crate::{
    backend::{Batching, Session},
    clock::Clock,
    engine::{RunError, measure::recorder::Recorder},
    plan::{Point, Workload},
    workload::payload::PayloadGenerator,
};

/// Seed of the warm-up's payloads and arrivals, distinct from the measured ones.
const WARMUP_SEED: u64 = 0x7761_726d_7570; // "warmup"

/// Runs the point's load for `length` with separate producers and a separate consumer, and returns the
/// number of messages sent.
pub async fn run_warmup(
    session: &dyn Session,
    point: &Point,
    length: Duration,
    clock: Clock,
) -> Result<u64, RunError> {
    let workload = &point.workload;
    let payloads = PayloadGenerator::new(
        WARMUP_SEED,
        workload.payload().0 as usize,
        workload.payload_source(),
    );
    let recorder = Arc::new(Recorder::new(clock, workload.users(), u64::MAX, payloads));
    let batching = Batching::for_workload(workload);
    let consumer = session.open_consumer(batching).await?;
    let mut fleet = session.open_fleet(workload.users(), batching, recorder.clone()).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let consumer = ConsumerThread::spawn(consumer, &recorder)?;
    let load_task = {
        let (recorder, stop, mut workload) =
            (Arc::clone(&recorder), Arc::clone(&stop), workload.clone());
        remove_message_limit(&mut workload);
        tokio::task::spawn_blocking(move || {
            let payloads = recorder.payloads();
            let load = PreparedLoad::new(&workload, WARMUP_SEED, 0, payloads)?;
            let mut sender =
                LoadSender { recorder, stop: &stop, fleet: fleet.as_mut(), steering: None };
            sender.send(load, clock.now())
        })
    };
    // The load must end also when this future is dropped: the blocking thread polls `stop`.
    let _stopper = StopOnDrop(Arc::clone(&stop));
    tokio::time::sleep(length).await;
    stop.store(true, Relaxed);
    load_task.await.map_err(thread_error("the warm-up load"))?.map_err(|error| {
        RunError::Thread { what: "the warm-up load".into(), reason: error.to_string() }
    })?;
    consumer.stop().await?;
    Ok(recorder.ledger().sent)
}

/// Raises the number of messages above that of any warm-up, which ends by time instead.
fn remove_message_limit(workload: &mut Workload) {
    match workload {
        Workload::Latency(w) => w.messages = u32::MAX,
        Workload::Throughput(w) => w.volume = crate::units::Bytes(u64::MAX / 2),
    }
}
