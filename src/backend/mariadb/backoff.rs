//! Pauses between attempts to reconnect.

use std::time::Duration;

/// The first pause.
const MIN_PAUSE: Duration = Duration::from_millis(10);

/// Pauses between attempts to reconnect: each is twice as long as the one before, up to a maximum.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    /// Creates the pauses of one reconnect, none longer than `max`.
    pub const fn up_to(max: Duration) -> Self {
        Self { next: MIN_PAUSE, max }
    }

    /// Returns the pause before the next attempt.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let mut backoff = Backoff::up_to(Duration::from_millis(50));
        let pauses: Vec<_> = (0..5).map(|_| backoff.next_pause().as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 50, 50]);
    }
}
