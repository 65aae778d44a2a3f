//! Lag of the scheduler alone for 1,000 users × 1 message a second, with a client that costs nothing:
//! `cargo bench --bench scheduler`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on must fail")]

#[path = "floor/paced.rs"]
mod floor;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use hubmark::{
    backend::{Fleet, Handover, SendError},
    clock::Clock,
    engine::{
        Recorder,
        load::sender::{LoadSender, PreparedLoad},
    },
    plan::{ArrivalDistribution, LatencyWorkload, PayloadSource, Workload},
    stamp::{Stamp, UserId},
    units::Bytes,
    workload::payload::PayloadGenerator,
};

/// A fleet that discards every message.
struct NullFleet;

impl Fleet for NullFleet {
    fn send(&mut self, _: UserId, _: Stamp, _: &[u8]) -> Result<Handover, SendError> {
        Ok(Handover::Taken)
    }

    fn flush(&mut self) {}
}

fn main() {
    floor::Floor::measure().print();
    let workload = LatencyWorkload {
        users: 1_000,
        payload: Bytes(100),
        payload_source: PayloadSource::Seeded,
        messages: 20,
        arrival: ArrivalDistribution::Normal {
            mean: Duration::from_secs(1),
            deviation: Duration::from_millis(250),
        },
        warmup: Duration::ZERO,
        drain: Duration::ZERO,
    };
    let clock = Clock::start();
    let payloads = PayloadGenerator::new(1, 100, PayloadSource::Seeded);
    let planned = u64::from(workload.users) * u64::from(workload.messages);
    let recorder = Arc::new(Recorder::new(clock, workload.users, planned, payloads));
    let stop = AtomicBool::new(false);
    let load = PreparedLoad::new(&Workload::Latency(workload), 1, 0, recorder.payloads()).unwrap();
    LoadSender {
        recorder: Arc::clone(&recorder),
        stop: &stop,
        fleet: &mut NullFleet,
        steering: None,
    }
    .send(load, clock.now())
    .unwrap();
    let lag = recorder.durations().lag;
    println!(
        "lag of {} messages: p50 {:.0} µs, p99 {:.0} µs, max {:.0} µs",
        lag.count(),
        lag.percentile(0.5).unwrap(),
        lag.percentile(0.99).unwrap(),
        lag.max().unwrap(),
    );
}
