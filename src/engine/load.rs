//! The load: one thread that plays the plan's messages into a fleet.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{ledger::Times, recorder::Recorder, wake::Waker};
use crate::{
    backend::{Fleet, SendError},
    clock::{Clock, Micros},
    plan::{LatencyWorkload, ThroughputWorkload},
    stamp::{Stamp, User},
    workload::{arrival::Schedule, payload::Writer},
};

/// How long the load sleeps at most before it looks whether it has been stopped.
const GLANCE: Duration = Duration::from_millis(50);
/// Pause before a message that found the client's queues full is tried again.
const FULL_PAUSE: Duration = Duration::from_micros(100);
/// Pause of the throughput workload, whose queues are full by intention.
const BULK_PAUSE: Duration = Duration::from_micros(500);

/// Messages of the throughput workload that share a reading of the clock, unless a full queue came
/// between: some ten microseconds, in a workload whose messages queue for milliseconds.
const TIMED: u64 = 16;

/// Plays messages into a fleet, on the thread that owns it.
pub struct Load<'a> {
    /// Where every send is recorded.
    pub recorder: Arc<Recorder>,
    /// Set when the load shall end before its time.
    pub stop: &'a AtomicBool,
    /// All users' producers.
    pub fleet: &'a mut dyn Fleet,
}

/// Whether a message was handed over.
enum Handed {
    Yes {
        /// The client's queues were full at first.
        waited: bool,
    },
    /// The load was stopped while the client's queues were full.
    Stopped,
    Refused,
}

impl Load<'_> {
    /// The open loop: sends each message at its due time, or late, never skips one.
    ///
    /// # Errors
    /// When the payload's source cannot be read.
    pub fn paced(
        &mut self,
        workload: &LatencyWorkload,
        seed: u64,
        repetition: u32,
        start: Micros,
    ) -> io::Result<()> {
        sharpen_timer();
        let clock = self.recorder.clock();
        let mut writer = Writer::new(self.recorder.payloads())?;
        let mut last_tick = vec![0_u64; workload.users as usize];
        let mut waker = Waker::new(clock, workload.arrival.mean() / workload.users.max(1));
        for (offset, user) in Schedule::new(workload, seed, repetition) {
            let due = Micros(start.0 + offset);
            if !self.wait(clock, due, &mut waker) {
                break;
            }
            let sent = clock.now();
            // Two messages of one user within a microsecond still need different stamps.
            let tick = (sent.0 as u64).max(last_tick[user as usize] + 1);
            last_tick[user as usize] = tick;
            let stamp = Stamp::new(user, tick);
            let times = Times { due, sent: stamp.sent() };
            let message = writer.write(stamp)?;
            match self.hand_over(user, stamp, times, message, FULL_PAUSE) {
                Handed::Yes { .. } => self.recorder.handed_over(times),
                Handed::Refused => {}
                Handed::Stopped => break,
            }
        }
        Ok(())
    }

    /// The throughput workload: the whole volume, as fast as the client takes it. The stamp's 44
    /// bits carry the message's number among its user's.
    ///
    /// # Errors
    /// When the payload's source cannot be read.
    pub fn unpaced(&mut self, workload: &ThroughputWorkload) -> io::Result<()> {
        let clock = self.recorder.clock();
        let mut writer = Writer::new(self.recorder.payloads())?;
        let users = u64::from(workload.users);
        let (mut now, mut asked) = (clock.now(), 0);
        for number in 0..workload.messages() {
            if self.stop.load(Relaxed) {
                break;
            }
            let user = (number % users) as User;
            let stamp = Stamp::new(user, number / users);
            if number >= asked {
                (now, asked) = (clock.now(), number + TIMED);
            }
            let message = writer.write(stamp)?;
            match self.hand_over(user, stamp, Times { due: now, sent: now }, message, BULK_PAUSE) {
                Handed::Yes { waited } => {
                    self.recorder.handed_over_unpaced();
                    if waited {
                        asked = number;
                    }
                }
                Handed::Refused => {}
                Handed::Stopped => break,
            }
        }
        self.fleet.flush();
        Ok(())
    }

    /// Waits until `due` has come; `false` when the load was stopped meanwhile.
    fn wait(&self, clock: Clock, due: Micros, waker: &mut Waker) -> bool {
        loop {
            if self.stop.load(Relaxed) {
                return false;
            }
            let glance = clock.now().after(GLANCE);
            if due <= glance {
                waker.wait(due);
                return true;
            }
            clock.sleep_until(glance);
        }
    }

    fn hand_over(
        &mut self,
        user: User,
        stamp: Stamp,
        times: Times,
        message: &[u8],
        pause: Duration,
    ) -> Handed {
        self.recorder.sending(stamp, times);
        let mut waited = false;
        loop {
            match self.fleet.send(user, stamp, message) {
                Ok(()) => return Handed::Yes { waited },
                Err(SendError::Refused(reason)) => {
                    self.recorder.withdraw(stamp, Some(&reason));
                    return Handed::Refused;
                }
                Err(SendError::Full) => {
                    if self.stop.load(Relaxed) {
                        self.recorder.withdraw(stamp, None);
                        return Handed::Stopped;
                    }
                    std::thread::sleep(pause);
                    waited = true;
                }
            }
        }
    }
}

/// Asks the kernel to end this thread's sleeps as exactly as it can: its default slack of 50 µs
/// would be most of the lag. Without it the lag grows and says so.
fn sharpen_timer() {
    if let Err(error) = nix::sys::prctl::set_timerslack(1) {
        tracing::warn!(%error, "timer slack not set");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        plan::{Arrival, PayloadSource, Scenario},
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

    #[test]
    fn whoever_gets_up_early_still_sends_nothing_before_it_is_due() {
        let workload = LatencyWorkload {
            users: 20,
            payload: Bytes(10),
            payload_source: PayloadSource::Seeded,
            messages: 5,
            arrival: Arrival::Constant { mean: Duration::from_millis(40) },
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
        };
        let clock = Clock::start();
        let payloads = Payloads::new(1, 10, PayloadSource::Seeded);
        let recorder = Arc::new(Recorder::new(clock, 20, 100, payloads));
        let mut load = Load {
            recorder: Arc::clone(&recorder),
            stop: &AtomicBool::new(false),
            fleet: &mut Nowhere,
        };
        load.paced(&workload, 1, 0, clock.now()).unwrap();
        let lag = recorder.durations().lag;
        assert_eq!((lag.count(), lag.negative()), (100, 0));
    }

    /// Its queues are full when the third message comes, for so long.
    struct Full(Duration, u32, Option<Instant>);

    impl Fleet for Full {
        fn send(&mut self, _: User, _: Stamp, _: &[u8]) -> Result<(), SendError> {
            if self.1 == 2 && self.2.get_or_insert_with(Instant::now).elapsed() < self.0 {
                return Err(SendError::Full);
            }
            self.1 += 1;
            Ok(())
        }

        fn flush(&mut self) {}
    }

    #[test]
    fn a_message_after_a_full_queue_is_not_dated_before_it() {
        let workload = ThroughputWorkload {
            users: 1,
            payload: Bytes(10),
            payload_source: PayloadSource::Seeded,
            volume: Bytes(80),
            scenario: Scenario::Both,
            drain: Duration::ZERO,
        };
        let payloads = Payloads::new(1, 10, PayloadSource::Seeded);
        let recorder = Arc::new(Recorder::new(Clock::start(), 1, 8, payloads));
        let full = Duration::from_millis(20);
        let (stop, fleet) = (&AtomicBool::new(false), &mut Full(full, 0, None));
        Load { recorder: Arc::clone(&recorder), stop, fleet }.unpaced(&workload).unwrap();
        let sent: Vec<_> = recorder.open().iter().map(|open| open.sent).collect();
        assert_eq!(sent.len(), 8);
        assert!(sent[3].since(sent[2]) >= 20_000, "{sent:?}");
    }
}
