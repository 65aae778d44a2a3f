//! Coming back after a fault: the first acknowledgement and the first arrival of a message that
//! was sent after a moment.
//!
//! While nobody waits for one, a message costs a look at one number.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use crate::clock::Micros;

/// What is waited for; asked for by the number that [`Comebacks::await_from`] gave.
#[derive(Debug, Default)]
pub struct Comebacks {
    acks: Line,
    arrivals: Line,
}

/// The first answer of one kind after each of several moments.
#[derive(Debug)]
struct Line {
    /// The earliest moment that still waits; none is at the end of time.
    earliest: AtomicI64,
    waits: Mutex<Vec<Wait>>,
}

#[derive(Debug, Clone, Copy)]
struct Wait {
    from: Micros,
    seen: Option<Micros>,
}

impl Default for Line {
    fn default() -> Self {
        Self { earliest: AtomicI64::new(i64::MAX), waits: Mutex::default() }
    }
}

impl Line {
    fn waits(&self) -> MutexGuard<'_, Vec<Wait>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, from: Micros) -> usize {
        let mut waits = self.waits();
        waits.push(Wait { from, seen: None });
        self.settle(&waits);
        waits.len() - 1
    }

    fn settle(&self, waits: &[Wait]) {
        let open = waits.iter().filter(|wait| wait.seen.is_none()).map(|wait| wait.from.0);
        self.earliest.store(open.min().unwrap_or(i64::MAX), Relaxed);
    }

    fn tell(&self, sent: Micros, at: Micros) {
        if sent.0 < self.earliest.load(Relaxed) {
            return;
        }
        let mut waits = self.waits();
        for wait in waits.iter_mut().filter(|wait| wait.from <= sent) {
            wait.seen.get_or_insert(at);
        }
        self.settle(&waits);
    }

    fn seen(&self, number: usize) -> Option<Micros> {
        self.waits().get(number)?.seen
    }
}

impl Comebacks {
    /// Waits for what is sent from a moment on; returns the number by which to ask.
    pub fn await_from(&self, from: Micros) -> usize {
        self.acks.add(from);
        self.arrivals.add(from)
    }

    /// A message that was sent at `sent` was acknowledged at `at`.
    pub fn acked(&self, sent: Micros, at: Micros) {
        self.acks.tell(sent, at);
    }

    /// A message that was sent at `sent` arrived at `at`.
    pub fn arrived(&self, sent: Micros, at: Micros) {
        self.arrivals.tell(sent, at);
    }

    /// When the first acknowledgement and the first arrival came.
    pub fn seen(&self, number: usize) -> (Option<Micros>, Option<Micros>) {
        (self.acks.seen(number), self.arrivals.seen(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sent_afterwards_counts_and_the_first_of_it() {
        let comebacks = Comebacks::default();
        comebacks.acked(Micros(5), Micros(6));
        let first = comebacks.await_from(Micros(10));
        let second = comebacks.await_from(Micros(20));
        comebacks.acked(Micros(9), Micros(30));
        assert_eq!(comebacks.seen(first), (None, None), "it was sent before");
        comebacks.acked(Micros(12), Micros(31));
        comebacks.acked(Micros(13), Micros(32));
        comebacks.arrived(Micros(25), Micros(33));
        assert_eq!(comebacks.seen(first), (Some(Micros(31)), Some(Micros(33))));
        assert_eq!(comebacks.seen(second), (None, Some(Micros(33))));
        comebacks.acked(Micros(20), Micros(40));
        assert_eq!(comebacks.seen(second).0, Some(Micros(40)));
        assert_eq!(comebacks.acks.earliest.load(Relaxed), i64::MAX, "nobody waits any more");
    }
}
