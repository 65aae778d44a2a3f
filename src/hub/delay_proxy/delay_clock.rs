//! Timers of a delaying proxy's connections.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::hot_thread::HotThread;

/// Timers of all connections, run by a thread that sleeps precisely.
#[derive(Default)]
pub struct DelayClock {
    state: Mutex<TimerQueue>,
    changed: Condvar,
}

#[derive(Default)]
struct TimerQueue {
    timers: BinaryHeap<Reverse<TimerEntry>>,
    stopped: bool,
}

impl DelayClock {
    fn state(&self) -> MutexGuard<'_, TimerQueue> {
        self.state.lock()
    }

    /// Waits until `due`; returns at once when `due` has passed.
    pub async fn sleep_until(&self, due: Instant) {
        if due <= Instant::now() {
            return;
        }
        let (wake, woken) = oneshot::channel();
        let first = {
            let mut state = self.state();
            let first = state.timers.peek().is_none_or(|Reverse(next)| due < next.due);
            state.timers.push(Reverse(TimerEntry { due, wake }));
            first
        };
        if first {
            self.changed.notify_one();
        }
        let _ = woken.await;
    }

    /// Runs the timers on `this_thread` until stopped.
    pub fn run_timers(&self, this_thread: &HotThread) {
        // By default the kernel may delay a wake-up by 50 µs to combine it with others.
        let _ = nix::sys::prctl::set_timerslack(1);
        let mut state = self.state();
        while !state.stopped {
            let now = Instant::now();
            while state.timers.peek().is_some_and(|Reverse(next)| next.due <= now) {
                if let Some(Reverse(waiter)) = state.timers.pop() {
                    let _ = waiter.wake.send(());
                }
            }
            let next = state.timers.peek().map(|Reverse(next)| next.due);
            this_thread.end_pass();
            match next {
                None => self.changed.wait(&mut state),
                Some(due) => drop(self.changed.wait_until(&mut state, due)),
            }
            this_thread.begin_pass();
        }
        state.timers.clear();
    }

    /// Ends [`Self::run_timers`].
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_one();
    }
}

struct TimerEntry {
    due: Instant,
    wake: oneshot::Sender<()>,
}

impl PartialEq for TimerEntry {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for TimerEntry {}

impl PartialOrd for TimerEntry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TimerEntry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}
