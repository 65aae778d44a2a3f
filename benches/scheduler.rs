//! The scheduler alone: how late are 1,000 users × 1 message a second handed over, when the client
//! behind them costs nothing? `cargo bench --bench scheduler`

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on must fail")]

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use hubmark::{
    backend::{Fleet, SendError},
    clock::Clock,
    engine::{Recorder, load::Load},
    plan::{Arrival, LatencyWorkload, PayloadSource},
    stamp::{Stamp, User},
    units::Bytes,
    workload::payload::Payloads,
};

/// Takes every message and does nothing with it.
struct Nowhere;

impl Fleet for Nowhere {
    fn send(&mut self, _: User, _: Stamp, _: &[u8]) -> Result<(), SendError> {
        Ok(())
    }

    fn flush(&mut self) {}
}

fn main() {
    let workload = LatencyWorkload {
        users: 1_000,
        payload: Bytes(100),
        payload_source: PayloadSource::Seeded,
        messages: 20,
        arrival: Arrival::Normal {
            mean: Duration::from_secs(1),
            deviation: Duration::from_millis(250),
        },
        warmup: Duration::ZERO,
        drain: Duration::ZERO,
    };
    let clock = Clock::start();
    let payloads = Payloads::new(1, 100, PayloadSource::Seeded);
    let planned = u64::from(workload.users) * u64::from(workload.messages);
    let recorder = Arc::new(Recorder::new(clock, workload.users, planned, payloads));
    let stop = AtomicBool::new(false);
    Load { recorder: Arc::clone(&recorder), stop: &stop, fleet: &mut Nowhere }
        .paced(&workload, 1, 0, clock.now())
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
