//! The thread of one of a fleet's loops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{outcomes::Outcomes, producer::Producer};
use crate::{
    backend::{SendOutcomes, kafka::note_limiter::NoteLimiter},
    hot_thread::{HotThread, ThreadRole},
    wire::{Connection, EventLoop, LoopShare},
};

/// Name of the only loop's thread; of several, the start of their names.
const LOOP_NAME: &str = "kafka-loop";
/// Interval at which users are looked at though nothing happened: time-outs, repeated requests.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// Name of the thread of a loop, as the record shows it.
pub(super) fn name(share: LoopShare) -> String {
    match share.loops {
        1 => LOOP_NAME.into(),
        _ => format!("{LOOP_NAME}-{}", share.index + 1),
    }
}

/// How many users of each loop are connected.
#[derive(Debug)]
pub(super) struct FleetProgress(Mutex<Vec<usize>>);

impl FleetProgress {
    pub fn new(loops: usize) -> Self {
        Self(Mutex::new(vec![0; loops]))
    }

    /// Users connected on all loops.
    pub fn connected(&self) -> usize {
        self.0.lock().iter().sum()
    }

    /// Sets the users connected on one loop, and reports those of all: under the lock, so that the last report is
    /// the last state.
    fn report(&self, share: LoopShare, connected: usize, outcomes: &dyn SendOutcomes) {
        let mut by_loop = self.0.lock();
        by_loop[share.index] = connected;
        let all = by_loop.iter().sum::<usize>();
        outcomes.connected(u32::try_from(all).unwrap_or(u32::MAX));
    }
}

/// The thread on which a loop turns.
pub(super) struct LoopThread {
    pub share: LoopShare,
    pub event_loop: EventLoop<Producer>,
    pub connections: Arc<[Connection<Producer>]>,
    pub outcomes: Arc<dyn SendOutcomes>,
    pub is_closing: Arc<AtomicBool>,
    pub progress: Arc<FleetProgress>,
}

impl LoopThread {
    /// Turns the loop until the fleet is closed.
    pub fn run(mut self) {
        let thread = HotThread::new(name(self.share), ThreadRole::Acknowledges);
        self.outcomes.watch_thread(&thread);
        let thread = thread.enter();
        let limiter = NoteLimiter::default();
        let mut collected = Outcomes::default();
        let mut connected = 0;
        while !self.is_closing.load(Relaxed) {
            if let Err(error) = self.event_loop.turn(TICK, Some(&thread), &mut collected) {
                collected.note(format!("waiting for the users' sockets failed: {error}"));
                break;
            }
            self.report(&mut collected, &limiter);
            if self.event_loop.ready() != connected {
                connected = self.event_loop.ready();
                self.progress.report(self.share, connected, &*self.outcomes);
            }
        }
        for connection in &*self.connections {
            connection.look(|producer| producer.give_up(&mut collected));
        }
        self.report(&mut collected, &limiter);
    }

    fn report(&self, collected: &mut Outcomes, limiter: &NoteLimiter) {
        collected.report(&*self.outcomes, |text| {
            if let Some(text) = limiter.admit(text) {
                self.outcomes.note(text);
            }
        });
    }
}
