//! The server's own warm-up: the point's load, played before the measured one and not measured.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    EngineError,
    load::Load,
    play::bundling,
    recorder::Recorder,
    threads::{Reader, StopOnDrop, thread_error},
};
use crate::{
    backend::Session,
    clock::Clock,
    plan::{Point, Workload},
    workload::payload::Payloads,
};

/// Seeds the warm-up's payloads and arrivals apart from the measured ones.
const WARMUP_SEED: u64 = 0x7761_726d_7570; // "warmup"

/// Plays the point's own load for `length`, with producers and a consumer of its own. Returns the
/// messages that were sent.
pub async fn play(
    session: &dyn Session,
    point: &Point,
    length: Duration,
    clock: Clock,
) -> Result<u64, EngineError> {
    let workload = &point.workload;
    let payloads =
        Payloads::new(WARMUP_SEED, workload.payload().0 as usize, workload.payload_source());
    let recorder = Arc::new(Recorder::new(clock, workload.users(), u64::MAX, payloads));
    let bundling = bundling(workload);
    let consumer = session.consumer(bundling).await?;
    let mut fleet = session.fleet(workload.users(), bundling, recorder.clone()).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let reader = Reader::spawn(consumer, &recorder)?;
    let player = {
        let (recorder, stop, mut workload) =
            (Arc::clone(&recorder), Arc::clone(&stop), workload.clone());
        endless(&mut workload);
        tokio::task::spawn_blocking(move || {
            let mut load = Load { recorder, stop: &stop, fleet: fleet.as_mut() };
            match &workload {
                Workload::Latency(w) => load.paced(w, WARMUP_SEED, 0, clock.now()),
                Workload::Throughput(w) => load.unpaced(w),
            }
        })
    };
    // The load must end also when this future is dropped: the blocking thread sees `stop`.
    let _stopper = StopOnDrop(Arc::clone(&stop));
    tokio::time::sleep(length).await;
    stop.store(true, Relaxed);
    player.await.map_err(thread_error("the warm-up load"))?.map_err(|error| {
        EngineError::Thread { what: "the warm-up load".into(), reason: error.to_string() }
    })?;
    reader.end().await?;
    Ok(recorder.ledger().sent)
}

/// More messages than any warm-up sends: it ends by time.
fn endless(workload: &mut Workload) {
    match workload {
        Workload::Latency(w) => w.messages = u32::MAX,
        Workload::Throughput(w) => w.volume = crate::units::Bytes(u64::MAX / 2),
    }
}
