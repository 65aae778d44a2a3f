//! The load: one thread that sends the plan's messages through a fleet of producers.

#[cfg(test)]
mod tests;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{due_times::DueTimes, pacer::Pacer};
use crate::{
    backend::{Fleet, Handover, SendError, SendOutcomes},
    clock::{Clock, Micros},
    engine::{
        measure::{ledger::SendTimes, recorder::Recorder},
        steering::Steering,
    },
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
    /// The operator's changes of the load, if the plan allows them.
    pub steering: Option<&'a Steering>,
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

/// Why the wait for a due time ended.
enum WaitEnd {
    /// The message is due.
    Due,
    /// The operator has requested a change, which may move the due time.
    Changed,
    /// The load was stopped.
    Stopped,
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

    /// Sends messages in an open loop: each at its due time or later, none skipped that becomes due. The stamp's
    /// 44 bits carry the due time, so that a message is complete before it is due: to make it is no latency of
    /// the server, and no lag where there was time before. A message whose due time the operator moves is made
    /// anew. One whose user is switched off is left out at its time, not before: its user may be switched on
    /// again until then.
    fn send_paced(
        &mut self,
        mut schedule: ArrivalSchedule,
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
        let recorder = Arc::clone(&self.recorder);
        let mut due_times = DueTimes::new(self.steering, &recorder, start, users);
        while let Some((offset, user)) = schedule.next() {
            let next = loop {
                if due_times.has_request()
                    && let Some(factor) = due_times.apply_requests(clock.now())
                {
                    pacer.set_gap(gap.div_f64(factor.value()));
                }
                let due = due_times.due(offset);
                if let Some(due) = due {
                    // Two messages of one user within a microsecond still need different stamps.
                    let tick = due.0.unsigned_abs().max(last_tick[user as usize] + 1);
                    let active = due_times.is_active(offset, user);
                    if active {
                        writer.write(Stamp::new(user, tick))?;
                    }
                    match self.wait_until(clock, due, &mut pacer, &due_times) {
                        WaitEnd::Due => break Some((due, tick, active)),
                        WaitEnd::Changed => {}
                        WaitEnd::Stopped => break None,
                    }
                } else if self.stop.load(Relaxed) {
                    break None;
                } else {
                    clock.sleep_until(clock.now().after(STOP_POLL_INTERVAL));
                }
            };
            let Some((due, tick, active)) = next else {
                due_times.count_unsent(Some((offset, user)), schedule, clock.now());
                break;
            };
            if !active {
                self.recorder.count_not_due();
                continue;
            }
            let woken = clock.now();
            last_tick[user as usize] = tick;
            due_times.count(due);
            let (stamp, message) = (Stamp::new(user, tick), writer.message());
            match self.hand_over(stamp, Some(due), message, QUEUE_FULL_RETRY_DELAY) {
                SendStatus::Sent { at, queue_was_full } => {
                    let times = SendTimes { due, sent: at };
                    self.recorder.record_sent(stamp, times, queue_was_full);
                }
                SendStatus::Waiting | SendStatus::Refused => {}
                SendStatus::Stopped => {
                    due_times.count_unsent(None, schedule, clock.now());
                    break;
                }
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
                    self.recorder.record_sent_unpaced(stamp, before, at, queue_was_full);
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

    /// Waits until `due`, or until the load is stopped or steered.
    fn wait_until(
        &self,
        clock: Clock,
        due: Micros,
        pacer: &mut Pacer,
        due_times: &DueTimes<'_>,
    ) -> WaitEnd {
        loop {
            if self.stop.load(Relaxed) {
                return WaitEnd::Stopped;
            }
            if due_times.has_request() {
                return WaitEnd::Changed;
            }
            let next_check = clock.now().after(STOP_POLL_INTERVAL);
            if due <= next_check {
                pacer.wait_until(due);
                return WaitEnd::Due;
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
        let times = |sent| SendTimes { due: due.unwrap_or(sent), sent };
        self.recorder.record_sending(stamp, times(at));
        let mut queue_was_full = false;
        loop {
            match self.fleet.send(stamp.user(), stamp, message) {
                Ok(Handover::Taken) => return SendStatus::Sent { at, queue_was_full },
                Ok(Handover::Written(written)) => {
                    return SendStatus::Sent { at: written, queue_was_full };
                }
                Ok(Handover::Waiting) => return SendStatus::Waiting,
                Err(SendError::Refused(reason)) => {
                    self.recorder.withdraw(stamp, times(at), Some(&reason));
                    return SendStatus::Refused;
                }
                Err(SendError::Full) => {
                    if self.stop.load(Relaxed) {
                        self.recorder.withdraw(stamp, times(at), None);
                        return SendStatus::Stopped;
                    }
                    std::thread::sleep(retry_delay);
                    queue_was_full = true;
                    at = clock.now();
                    self.recorder.record_sending(stamp, times(at));
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
