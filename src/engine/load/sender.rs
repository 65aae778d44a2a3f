//! The load: one thread that sends the plan's messages through a fleet of producers.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::pacer::Pacer;
use crate::{
    backend::{Fleet, Handover, SendError, SendOutcomes},
    clock::{Clock, Micros},
    engine::measure::{ledger::SendTimes, recorder::Recorder},
    hot_thread::{HotThread, HotThreadGuard, ThreadRole},
    plan::Workload,
    stamp::{Stamp, UserId},
    workload::{
        arrival::ArrivalSchedule,
        payload::{MessageWriter, PayloadGenerator},
    },
};

/// Longest sleep between two checks whether the load was stopped.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Pause before a message is sent again after the client's queues were full.
const QUEUE_FULL_RETRY_DELAY: Duration = Duration::from_micros(100);
/// The same pause in the throughput workload, whose queues are full by intention.
const VOLUME_RETRY_DELAY: Duration = Duration::from_micros(500);

/// The messages of a load: everything that takes time to prepare, so that the start can be fixed afterwards.
pub struct PreparedLoad {
    order: MessageOrder,
    users: u32,
    writer: MessageWriter,
}

enum MessageOrder {
    /// Due times, and the mean time between two of them.
    Schedule(ArrivalSchedule, Duration),
    /// A number of messages, as fast as possible.
    Volume(u64),
}

impl PreparedLoad {
    /// Prepares the load of one repetition.
    ///
    /// # Errors
    /// The payload's source cannot be opened.
    pub fn new(
        workload: &Workload,
        seed: u64,
        repetition: u32,
        payloads: PayloadGenerator,
    ) -> io::Result<Self> {
        let users = workload.users();
        let order = match workload {
            Workload::Latency(paced) => MessageOrder::Schedule(
                ArrivalSchedule::new(paced, seed, repetition),
                paced.arrival.mean() / users.max(1),
            ),
            Workload::Throughput(volume) => MessageOrder::Volume(volume.messages()),
        };
        Ok(Self { order, users, writer: MessageWriter::new(payloads)? })
    }
}

/// Name of the thread that sends.
pub const SENDER_THREAD_NAME: &str = "sender";

/// Sends messages through a fleet, on the thread that owns the fleet.
pub struct LoadSender<'a> {
    /// Records every send.
    pub recorder: Arc<Recorder>,
    /// Set to end the load early.
    pub stop: &'a AtomicBool,
    /// All users' producers.
    pub fleet: &'a mut dyn Fleet,
}

/// Whether the client accepted a message.
enum SendStatus {
    /// The client has sent the message.
    Sent {
        /// Time right before the write, or of the hand-over to a client library.
        at: Micros,
        /// Whether the client's queues were full at first.
        queue_was_full: bool,
    },
    /// The message waits in the client, which tells when it is sent.
    Waiting,
    /// The load was stopped while the client's queues were full.
    Stopped,
    /// The client refused the message.
    Refused,
}

impl LoadSender<'_> {
    /// Sends a load that begins at `start`.
    ///
    /// # Errors
    /// The payload's source cannot be read.
    pub fn send(&mut self, load: PreparedLoad, start: Micros) -> io::Result<()> {
        let PreparedLoad { order, users, writer } = load;
        match order {
            MessageOrder::Schedule(schedule, gap) => {
                self.send_paced(schedule, gap, users, writer, start)
            }
            MessageOrder::Volume(messages) => self.send_volume(messages, users, writer, start),
        }
    }

    /// Sends messages in an open loop: each at its due time or later, none skipped. The stamp's 44 bits carry
    /// the due time, so that a message is complete before it is due: to make it is no latency of the server,
    /// and no lag where there was time before.
    fn send_paced(
        &mut self,
        schedule: ArrivalSchedule,
        gap: Duration,
        users: u32,
        mut writer: MessageWriter,
        start: Micros,
    ) -> io::Result<()> {
        set_timer_slack();
        let this_thread = self.watch_this_thread();
        let clock = self.recorder.clock();
        let mut last_tick = vec![0_u64; users as usize];
        let mut pacer = Pacer::new(clock, gap);
        for (offset, user) in schedule {
            let due = Micros(start.0 + offset);
            // Two messages of one user within a microsecond still need different stamps.
            let tick = due.0.unsigned_abs().max(last_tick[user as usize] + 1);
            last_tick[user as usize] = tick;
            let stamp = Stamp::new(user, tick);
            let message = writer.write(stamp)?;
            if !self.wait_until(clock, due, &mut pacer) {
                break;
            }
            let woken = clock.now();
            match self.hand_over(stamp, Some(due), message, QUEUE_FULL_RETRY_DELAY) {
                SendStatus::Sent { at, queue_was_full } => {
                    self.recorder.record_sent(SendTimes { due, sent: at }, queue_was_full);
                }
                SendStatus::Waiting | SendStatus::Refused => {}
                SendStatus::Stopped => break,
            }
            this_thread.record_pass(clock.now().since(woken));
        }
        Ok(())
    }

    /// Sends the whole volume of a throughput workload as fast as the client accepts it. The stamp's 44 bits
    /// carry the message's number within its user.
    fn send_volume(
        &mut self,
        messages: u64,
        users: u32,
        mut writer: MessageWriter,
        start: Micros,
    ) -> io::Result<()> {
        let _watched = self.watch_this_thread();
        let users = u64::from(users.max(1));
        self.recorder.clock().sleep_until(start);
        let mut before = start;
        for number in 0..messages {
            if self.stop.load(Relaxed) {
                break;
            }
            let stamp = Stamp::new((number % users) as UserId, number / users);
            let message = writer.write(stamp)?;
            match self.hand_over(stamp, None, message, VOLUME_RETRY_DELAY) {
                SendStatus::Sent { at, queue_was_full } => {
                    self.recorder.record_sent_unpaced(before, at, queue_was_full);
                    before = at;
                }
                SendStatus::Waiting | SendStatus::Refused => {}
                SendStatus::Stopped => break,
            }
        }
        self.fleet.flush();
        Ok(())
    }

    /// Watches the calling thread as the one that sends, until the guard is dropped.
    fn watch_this_thread(&self) -> HotThreadGuard {
        let thread = HotThread::new(SENDER_THREAD_NAME, ThreadRole::Sends);
        self.recorder.watch_thread(&thread);
        thread.enter()
    }

    /// Waits until `due`; returns `false` when the load was stopped meanwhile.
    fn wait_until(&self, clock: Clock, due: Micros, pacer: &mut Pacer) -> bool {
        loop {
            if self.stop.load(Relaxed) {
                return false;
            }
            let next_check = clock.now().after(STOP_POLL_INTERVAL);
            if due <= next_check {
                pacer.wait_until(due);
                return true;
            }
            clock.sleep_until(next_check);
        }
    }

    /// Hands a message to the client. Its send time is that of the hand-over that the client accepted: what
    /// came before is the client's own, and belongs to the lag. Without a due time, that is the send time.
    fn hand_over(
        &mut self,
        stamp: Stamp,
        due: Option<Micros>,
        message: &[u8],
        retry_delay: Duration,
    ) -> SendStatus {
        let clock = self.recorder.clock();
        let mut at = clock.now();
        self.recorder.record_sending(stamp, SendTimes { due: due.unwrap_or(at), sent: at });
        let mut queue_was_full = false;
        loop {
            match self.fleet.send(stamp.user(), stamp, message) {
                Ok(Handover::Taken) => return SendStatus::Sent { at, queue_was_full },
                Ok(Handover::Written(written)) => {
                    if written != at {
                        self.recorder.record_sending_again(stamp, written);
                    }
                    return SendStatus::Sent { at: written, queue_was_full };
                }
                Ok(Handover::Waiting) => return SendStatus::Waiting,
                Err(SendError::Refused(reason)) => {
                    self.recorder.withdraw(stamp, Some(&reason));
                    return SendStatus::Refused;
                }
                Err(SendError::Full) => {
                    if self.stop.load(Relaxed) {
                        self.recorder.withdraw(stamp, None);
                        return SendStatus::Stopped;
                    }
                    std::thread::sleep(retry_delay);
                    queue_was_full = true;
                    at = clock.now();
                    self.recorder.record_sending_again(stamp, at);
                }
            }
        }
    }
}

/// Sets this thread's timer slack to 1 ns, because the kernel's default slack of 50 µs would be most of
/// the lag. Where that fails, the lag grows and is reported.
fn set_timer_slack() {
    if let Err(error) = nix::sys::prctl::set_timerslack(1) {
        tracing::warn!(%error, "timer slack not set");
    }
}

#[cfg(test)]
mod tests {
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
        let recorder =
            Recorder::new(clock, workload.users(), workload.messages(), payloads.clone());
        let recorder = Arc::new(recorder);
        let load = PreparedLoad::new(workload, 1, 0, payloads).unwrap();
        let stop = &AtomicBool::new(false);
        LoadSender { recorder: Arc::clone(&recorder), stop, fleet }
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
}
