//! When the next frame is drawn: at once after a key at rest, at intervals while keys or events of the run
//! follow each other.

use std::time::{Duration, Instant};

/// Shortest time between two frames of which the later one is drawn because of the run's events.
const RUN_INTERVAL: Duration = Duration::from_millis(100);
/// Shortest time between two frames that are drawn because of the operator's input.
const INPUT_INTERVAL: Duration = Duration::from_millis(30);
/// Pause after a frame, as a multiple of the time that the terminal took to accept it.
const REST_FACTOR: u32 = 4;
/// Longest pause between two frames on a slow terminal.
const MAX_REST: Duration = Duration::from_secs(2);

/// Why a frame is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameCause {
    /// Events of the run, or the time that passes.
    Run,
    /// The operator's input, or the answer to it.
    Input,
}

/// Schedule of the frames.
#[derive(Debug, Default)]
pub struct FrameSchedule {
    /// When the last frame was drawn.
    last: Option<Instant>,
    /// When the last frame that showed input was drawn.
    last_of_input: Option<Instant>,
    /// When the next frame is due; `None` while nothing has changed.
    due: Option<Instant>,
    /// Whether the next frame shows input.
    shows_input: bool,
}

impl FrameSchedule {
    /// When the next frame is due; `None` while nothing has changed.
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Schedules a frame because of something that happened at `now`; the terminal took `write` to accept the
    /// frame before.
    pub fn schedule(&mut self, now: Instant, cause: FrameCause, write: Duration) {
        let earliest = match cause {
            // A slow terminal gets fewer frames of the run, not outdated ones.
            FrameCause::Run => {
                let interval = slow_frame_interval(write).unwrap_or(RUN_INTERVAL);
                self.last.map(|last| last + interval)
            }
            // Counted from the last frame of input alone: the run's frames hold up no key.
            FrameCause::Input => self.last_of_input.map(|last| last + INPUT_INTERVAL),
        };
        let due = earliest.map_or(now, |earliest| earliest.max(now));
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
        self.shows_input |= cause == FrameCause::Input;
    }

    /// Records that a frame is drawn at `now`.
    pub fn record_frame(&mut self, now: Instant) {
        self.due = None;
        self.last = Some(now);
        if std::mem::take(&mut self.shows_input) {
            self.last_of_input = Some(now);
        }
    }
}

/// Time between two frames of the run on a terminal that took `write` to accept a frame; `None` if the
/// terminal is fast enough for the default interval.
pub fn slow_frame_interval(write: Duration) -> Option<Duration> {
    let rest = write.saturating_mul(REST_FACTOR).min(MAX_REST);
    (rest > RUN_INTERVAL).then_some(rest)
}

/// Waits until `due`; without a timer if that time has come, because timers round up to milliseconds.
pub async fn wait_until(due: Instant) {
    if due > Instant::now() {
        tokio::time::sleep_until(due.into()).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_key_at_rest_is_drawn_before_any_timer_fires() {
        let mut frames = FrameSchedule::default();
        frames.record_frame(Instant::now());
        let key = Instant::now();
        frames.schedule(key, FrameCause::Input, Duration::ZERO);
        assert_eq!(frames.due(), Some(key));
        // No runtime is present, and thus no timer.
        assert_eq!(wait_until(key).now_or_never(), Some(()));
    }

    #[test]
    fn a_key_does_not_wait_for_a_slot_that_frames_of_the_run_have_taken() {
        let (start, mut frames) = (Instant::now(), FrameSchedule::default());
        frames.record_frame(start);
        frames.schedule(at(start, 1), FrameCause::Run, Duration::ZERO);
        assert_eq!(frames.due(), Some(at(start, 100)));
        frames.schedule(at(start, 2), FrameCause::Input, Duration::ZERO);
        assert_eq!(frames.due(), Some(at(start, 2)), "2 ms after a frame of the run");
        frames.record_frame(at(start, 2));
        frames.schedule(at(start, 3), FrameCause::Input, Duration::ZERO);
        assert_eq!(frames.due(), Some(at(start, 32)), "the second key of a burst");
    }

    #[test]
    fn a_slow_terminal_gets_fewer_frames_of_the_run_and_no_fewer_of_keys() {
        let (start, mut frames) = (Instant::now(), FrameSchedule::default());
        let write = Duration::from_millis(200);
        frames.record_frame(start);
        frames.schedule(at(start, 10), FrameCause::Run, write);
        assert_eq!(frames.due(), Some(at(start, 800)));
        frames.schedule(at(start, 20), FrameCause::Input, write);
        assert_eq!(frames.due(), Some(at(start, 20)));
        assert_eq!(slow_frame_interval(Duration::from_millis(25)), None);
        assert_eq!(slow_frame_interval(Duration::from_mins(1)), Some(MAX_REST));
    }

    proptest! {
        #[test]
        fn keys_and_events_in_any_order_draw_a_bounded_number_of_frames(
            happened in prop::collection::vec((0..2_000_u64, any::<bool>()), 1..400),
        ) {
            let (start, mut frames) = (Instant::now(), FrameSchedule::default());
            let mut happened = happened;
            happened.sort_unstable();
            let (mut drawn, last) = (0_u64, happened[happened.len() - 1].0);
            for (millis, is_input) in happened {
                let now = at(start, millis);
                while let Some(due) = frames.due().filter(|due| *due < now) {
                    frames.record_frame(due);
                    drawn += 1;
                }
                let cause = if is_input { FrameCause::Input } else { FrameCause::Run };
                frames.schedule(now, cause, Duration::ZERO);
                prop_assert!(frames.due().is_some_and(|due| due <= at(now, 100)));
            }
            prop_assert!(drawn <= 2 + last / 100 + last / 30, "{} frames in {} ms", drawn, last);
        }
    }
}
