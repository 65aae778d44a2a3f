//! The load: one thread that plays the plan's messages into a fleet.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{ledger::Times, recorder::Recorder};
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

/// How much earlier than a due time the load's thread gets up at most. A sleep ends some 20 to 60 µs
/// late however exact the timer is, since an idle core must be woken; what is left of this time
/// it watches the clock.
const EARLY: Duration = Duration::from_micros(60);
/// Share of the mean time between two messages that may go into watching the clock: a twentieth of
/// a core at most, however many users there are.
const WATCHED: u32 = 20;

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
    Yes,
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
        let early = early(workload);
        for (offset, user) in Schedule::new(workload, seed, repetition) {
            let due = Micros(start.0 + offset);
            if !self.wait(clock, due, early) {
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
                Handed::Yes => self.recorder.handed_over(times),
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
        for number in 0..workload.messages() {
            if self.stop.load(Relaxed) {
                break;
            }
            let user = (number % users) as User;
            let stamp = Stamp::new(user, number / users);
            let now = clock.now();
            let message = writer.write(stamp)?;
            match self.hand_over(user, stamp, Times { due: now, sent: now }, message, BULK_PAUSE) {
                Handed::Yes => self.recorder.handed_over_unpaced(),
                Handed::Refused => {}
                Handed::Stopped => break,
            }
        }
        self.fleet.flush();
        Ok(())
    }

    /// Sleeps until shortly before `due` and watches the clock until it has come; `false` when the
    /// load was stopped meanwhile.
    fn wait(&self, clock: Clock, due: Micros, early: Duration) -> bool {
        loop {
            if self.stop.load(Relaxed) {
                return false;
            }
            let glance = clock.now().after(GLANCE);
            if due <= glance {
                clock.sleep_until(due.before(early));
                while clock.now() < due {
                    std::hint::spin_loop();
                }
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
        loop {
            match self.fleet.send(user, stamp, message) {
                Ok(()) => return Handed::Yes,
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
                }
            }
        }
    }
}

/// How long before each due time the load's thread gets up.
fn early(workload: &LatencyWorkload) -> Duration {
    EARLY.min(workload.arrival.mean() / workload.users.max(1) / WATCHED)
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
    use super::*;
    use crate::{
        plan::{Arrival, PayloadSource},
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

    fn workload(users: u32, mean: Duration) -> LatencyWorkload {
        LatencyWorkload {
            users,
            payload: Bytes(10),
            payload_source: PayloadSource::Seeded,
            messages: 5,
            arrival: Arrival::Constant { mean },
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
        }
    }

    #[test]
    fn whoever_gets_up_early_still_sends_nothing_before_it_is_due() {
        let workload = workload(20, Duration::from_millis(40));
        assert_eq!(early(&workload), EARLY);
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

    #[test]
    fn watching_the_clock_takes_a_twentieth_of_a_core_at_most() {
        let second = Duration::from_secs(1);
        for users in [1, 100, 1_000, 50_000] {
            let share = early(&workload(users, second)) * users;
            assert!(share <= second / WATCHED, "{users} users: {share:?} of each second");
        }
        assert!(early(&workload(1_000, second)) >= Duration::from_micros(50));
    }
}
