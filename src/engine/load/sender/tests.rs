//! Tests of the sending thread's loop.

use std::time::Instant;

use super::*;
use crate::{
    plan::{ArrivalDistribution, LatencyWorkload, PayloadSource, Scenario, ThroughputWorkload},
    units::Bytes,
};

/// Accepts every message and discards it.
struct DiscardingFleet;

impl Fleet for DiscardingFleet {
    fn send(&mut self, _: UserId, _: Stamp, _: &[u8]) -> Result<Handover, SendError> {
        Ok(Handover::Taken)
    }

    fn flush(&mut self) {}
}

/// Sends `workload`, whose messages are all different, and returns the recorder.
fn sent(workload: &Workload, clock: Clock, fleet: &mut dyn Fleet) -> Arc<Recorder> {
    let payloads =
        PayloadGenerator::new(1, workload.payload().0 as usize, workload.payload_source());
    let recorder = Recorder::new(clock, workload.users(), workload.messages(), payloads.clone());
    let recorder = Arc::new(recorder);
    let load = PreparedLoad::new(workload, 1, 0, payloads).unwrap();
    let stop = &AtomicBool::new(false);
    LoadSender { recorder: Arc::clone(&recorder), stop, fleet, steering: None }
        .send(load, clock.now())
        .unwrap();
    recorder
}

fn volume(payload: u64, messages: u64) -> Workload {
    Workload::Throughput(ThroughputWorkload {
        users: 1,
        payload: Bytes(payload),
        payload_source: PayloadSource::Seeded,
        volume: Bytes(payload * messages),
        scenario: Scenario::Both,
        drain: Duration::ZERO,
    })
}

fn paced(payload: u64, users: u32, messages: u32, mean: Duration) -> Workload {
    Workload::Latency(LatencyWorkload {
        users,
        payload: Bytes(payload),
        payload_source: PayloadSource::Seeded,
        messages,
        arrival: ArrivalDistribution::Constant { mean },
        warmup: Duration::ZERO,
        drain: Duration::ZERO,
    })
}

#[test]
fn waking_early_sends_no_message_before_its_due_time() {
    let workload = paced(10, 20, 5, Duration::from_millis(40));
    let lag = sent(&workload, Clock::start(), &mut DiscardingFleet).durations().lag;
    assert_eq!((lag.count(), lag.negative()), (100, 0));
}

/// A fleet whose queues are full for the given time from the third message on.
struct FullQueueFleet(Duration, u32, Option<Instant>);

impl Fleet for FullQueueFleet {
    fn send(&mut self, _: UserId, _: Stamp, _: &[u8]) -> Result<Handover, SendError> {
        if self.1 == 2 && self.2.get_or_insert_with(Instant::now).elapsed() < self.0 {
            return Err(SendError::Full);
        }
        self.1 += 1;
        Ok(Handover::Taken)
    }

    fn flush(&mut self) {}
}

#[test]
fn the_wait_for_a_full_queue_is_no_latency_of_the_server() {
    let full = Duration::from_millis(20);
    for workload in [volume(10, 8), paced(10, 1, 8, Duration::from_micros(1))] {
        let fleet = &mut FullQueueFleet(full, 0, None);
        let recorder = sent(&workload, Clock::start(), fleet);
        let sent: Vec<_> = recorder.missing_messages().iter().map(|open| open.sent).collect();
        assert_eq!(sent.len(), 8);
        // The third message is handed over when the queue has room, and so are all after it.
        assert!(sent[2].since(sent[1]) >= 20_000, "{sent:?}");
        if let Workload::Latency(_) = workload {
            assert!(recorder.durations().lag.max() >= Some(20_000.0), "its wait is lag");
        }
    }
}

/// A fleet that notes when each message is handed over.
struct TimedFleet(Clock, Vec<Micros>);

impl Fleet for TimedFleet {
    fn send(&mut self, _: UserId, _: Stamp, _: &[u8]) -> Result<Handover, SendError> {
        self.1.push(self.0.now());
        Ok(Handover::Taken)
    }

    fn flush(&mut self) {}
}

#[test]
fn to_make_a_payload_is_no_latency_of_the_server() {
    let bytes = 8_000_000;
    for workload in [volume(bytes, 4), paced(bytes, 1, 4, Duration::from_micros(1))] {
        let clock = Clock::start();
        let mut fleet = TimedFleet(clock, Vec::new());
        let recorder = sent(&workload, clock, &mut fleet);
        let messages = recorder.missing_messages();
        let counted: i64 =
            messages.iter().zip(&fleet.1).map(|(message, at)| at.since(message.sent)).sum();
        let making = fleet.1[3].since(fleet.1[0]);
        assert!(counted * 4 < making, "{counted} µs between stamp and hand-over, of {making}");
    }
}
