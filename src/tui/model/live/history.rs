//! Display of the past while the run continues: the frozen display, seconds of a repetition, earlier
//! repetitions.

use serde::{Deserialize, Serialize};

use super::repetition::RepetitionState;
use crate::plan::ScheduledRepetition;

/// Largest number of earlier repetitions in memory; older ones are only in the record.
const MAX_REPETITIONS: usize = 64;

/// Display that does not follow the run.
#[derive(Debug, Clone)]
struct HeldDisplay {
    /// Copy of the shown repetition: an earlier one, or the one that was in progress when the display
    /// was frozen.
    repetition: RepetitionState,
    /// Position of that repetition in the schedule.
    position: usize,
    /// Why the display does not follow the run.
    reason: HoldReason,
    /// Index of the shown frame; `None` for the newest state of that repetition.
    frame: Option<usize>,
    shown: RepetitionState,
}

/// Why the display does not follow the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HoldReason {
    /// The operator froze the display.
    Frozen,
    /// The operator chose a finished repetition.
    Chosen,
}

/// Earlier repetitions, and the display that is held on one of them or on a frozen state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct History {
    earlier: Vec<RepetitionState>,
    #[serde(skip)]
    held: Option<Box<HeldDisplay>>,
}

impl History {
    /// State that is shown instead of the run's present state, if any.
    pub fn shown(&self) -> Option<&RepetitionState> {
        self.held.as_ref().map(|held| &held.shown)
    }

    /// Whether the operator chose a finished repetition.
    pub fn is_earlier(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.reason == HoldReason::Chosen)
    }

    /// Stores a finished repetition.
    pub fn push(&mut self, state: RepetitionState) {
        self.earlier.push(state.into_archived());
        if self.earlier.len() > MAX_REPETITIONS {
            self.earlier.remove(0);
        }
    }

    /// Whether the repetition of `step` is stored.
    pub fn contains(&self, step: ScheduledRepetition) -> bool {
        self.earlier.iter().any(|state| state.step == Some(step))
    }

    /// Freezes the display on the present state.
    pub fn freeze(&mut self, present: &RepetitionState) {
        self.held = Some(Box::new(HeldDisplay {
            repetition: present.clone(),
            position: present.position,
            reason: HoldReason::Frozen,
            frame: None,
            shown: present.clone(),
        }));
    }

    /// Follows the run again.
    pub fn follow(&mut self) {
        self.held = None;
    }

    /// Moves the display by `by` frames; freezes it first if it follows the run.
    pub fn seek(&mut self, by: isize, present: &RepetitionState) {
        if self.held.is_none() {
            self.freeze(present);
        }
        let Some(held) = &mut self.held else { return };
        let Some(last) = held.repetition.frames.len().checked_sub(1) else { return };
        let from = held.frame.unwrap_or(last);
        let index = from.saturating_add_signed(by).min(last);
        held.frame = Some(index);
        held.shown = held.repetition.at_frame(index);
    }

    /// Shows the previous (`-1`) or next (`1`) repetition. After the newest one the display follows the
    /// run again.
    pub fn switch(&mut self, by: isize, present: &RepetitionState) {
        let position = self.held.as_ref().map_or(present.position, |held| held.position);
        let found = if by < 0 {
            self.earlier.iter().rev().find(|state| state.position < position)
        } else {
            self.earlier.iter().find(|state| state.position > position)
        };
        match found.cloned() {
            Some(state) => self.show(state),
            None if by > 0 => self.follow(),
            None => {}
        }
    }

    /// Shows the repetition of `step`; returns whether it is stored.
    pub fn jump_to(&mut self, step: ScheduledRepetition) -> bool {
        let found = self.earlier.iter().find(|state| state.step == Some(step)).cloned();
        let is_stored = found.is_some();
        if let Some(state) = found {
            self.show(state);
        }
        is_stored
    }

    fn show(&mut self, state: RepetitionState) {
        self.held = Some(Box::new(HeldDisplay {
            position: state.position,
            reason: HoldReason::Chosen,
            frame: None,
            shown: state.clone(),
            repetition: state,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Snapshot;

    fn repetition(position: usize, seconds: u32) -> RepetitionState {
        let step = ScheduledRepetition { point: position, repetition: 0 };
        let mut state =
            RepetitionState { step: Some(step), position, ..RepetitionState::default() };
        for second in 1..=seconds {
            state.apply_snapshot(Snapshot { seconds: f64::from(second), ..Snapshot::default() });
        }
        state
    }

    fn shown_frame(history: &History) -> Option<(usize, Option<f64>)> {
        history.shown().map(|state| (state.position, state.cursor))
    }

    #[test]
    fn seeking_stays_between_the_first_and_the_last_second() {
        let present = repetition(0, 5);
        let mut history = History::default();
        history.seek(-1, &present);
        assert_eq!(shown_frame(&history), Some((0, Some(4.0))));
        history.seek(-100, &present);
        assert_eq!(shown_frame(&history), Some((0, Some(1.0))));
        history.seek(isize::MAX, &present);
        assert_eq!(shown_frame(&history), Some((0, Some(5.0))));
        history.follow();
        assert_eq!(shown_frame(&history), None);
    }

    #[test]
    fn switching_past_the_newest_repetition_follows_the_run() {
        let mut history = History::default();
        history.push(repetition(0, 3));
        history.push(repetition(1, 3));
        let present = repetition(2, 3);
        history.switch(-1, &present);
        assert_eq!(shown_frame(&history), Some((1, None)));
        assert!(history.is_earlier());
        history.switch(-1, &present);
        history.switch(-1, &present);
        assert_eq!(shown_frame(&history), Some((0, None)), "no repetition is before the first");
        history.switch(1, &present);
        history.switch(1, &present);
        assert_eq!(shown_frame(&history), None);
    }

    #[test]
    fn only_stored_repetitions_are_shown() {
        let mut history = History::default();
        history.push(repetition(3, 3));
        assert!(history.jump_to(ScheduledRepetition { point: 3, repetition: 0 }));
        assert!(!history.jump_to(ScheduledRepetition { point: 3, repetition: 1 }));
        for position in 4..4 + MAX_REPETITIONS {
            history.push(repetition(position, 1));
        }
        assert!(
            !history.contains(ScheduledRepetition { point: 3, repetition: 0 }),
            "the oldest is dropped"
        );
    }
}
