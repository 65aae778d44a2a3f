//! Looking back while the run goes on: freezing the display, going through the seconds of a
//! repetition, and through the repetitions.

use serde::{Deserialize, Serialize};

use super::watch::Watch;
use crate::plan::Step;

/// Repetitions that are kept to look back at; older ones are in the record.
const KEPT: usize = 64;

/// Where the display stands when it does not follow the run.
#[derive(Debug, Clone)]
struct Held {
    /// The earlier repetition that is looked at, as its place in [`Travel::earlier`], or the one
    /// that was in progress when the display was held.
    source: Watch,
    /// The schedule's position of it.
    position: usize,
    /// Why the display stands there.
    why: Why,
    /// The picture that is shown; `None` is the newest state when the display was held.
    place: Option<usize>,
    shown: Watch,
}

/// Why the display does not follow the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The operator froze what was then the present.
    Frozen,
    /// The operator chose a repetition that is over.
    Chosen,
}

/// The repetitions that can be looked at.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Travel {
    earlier: Vec<Watch>,
    #[serde(skip)]
    held: Option<Box<Held>>,
}

impl Travel {
    /// What is shown instead of the present, if anything.
    pub fn shown(&self) -> Option<&Watch> {
        self.held.as_ref().map(|held| &held.shown)
    }

    /// Whether a repetition that is over was chosen to be shown.
    pub fn is_earlier(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.why == Why::Chosen)
    }

    /// Keeps a repetition that is over.
    pub fn keep(&mut self, watch: Watch) {
        self.earlier.push(watch.put_away());
        if self.earlier.len() > KEPT {
            self.earlier.remove(0);
        }
    }

    /// Whether the repetition of `step` can be looked at.
    pub fn has(&self, step: Step) -> bool {
        self.earlier.iter().any(|watch| watch.step == Some(step))
    }

    /// Holds the display on the present.
    pub fn hold(&mut self, present: &Watch) {
        self.held = Some(Box::new(Held {
            source: present.clone(),
            position: present.position,
            why: Why::Frozen,
            place: None,
            shown: present.clone(),
        }));
    }

    /// Follows the run again.
    pub fn follow(&mut self) {
        self.held = None;
    }

    /// Goes `by` pictures, held on the present first where the display still follows.
    pub fn seek(&mut self, by: isize, present: &Watch) {
        if self.held.is_none() {
            self.hold(present);
        }
        let Some(held) = &mut self.held else { return };
        let Some(last) = held.source.frames.len().checked_sub(1) else { return };
        let from = held.place.unwrap_or(last);
        let place = from.saturating_add_signed(by).min(last);
        held.place = Some(place);
        held.shown = held.source.at(place);
    }

    /// Shows the repetition before (`-1`) or after (`1`) the one that is shown. After the newest
    /// one the display follows the run again.
    pub fn turn(&mut self, by: isize, present: &Watch) {
        let position = self.held.as_ref().map_or(present.position, |held| held.position);
        let found = if by < 0 {
            self.earlier.iter().rev().find(|watch| watch.position < position)
        } else {
            self.earlier.iter().find(|watch| watch.position > position)
        };
        match found.cloned() {
            Some(watch) => self.show(watch),
            None if by > 0 => self.follow(),
            None => {}
        }
    }

    /// Shows the repetition of `step`, if it is kept. Says whether it is.
    pub fn jump(&mut self, step: Step) -> bool {
        let found = self.earlier.iter().find(|watch| watch.step == Some(step)).cloned();
        let there = found.is_some();
        if let Some(watch) = found {
            self.show(watch);
        }
        there
    }

    fn show(&mut self, watch: Watch) {
        self.held = Some(Box::new(Held {
            position: watch.position,
            why: Why::Chosen,
            place: None,
            shown: watch.clone(),
            source: watch,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Snapshot;

    fn watch(position: usize, seconds: u32) -> Watch {
        let step = Step { point: position, repetition: 0 };
        let mut watch = Watch { step: Some(step), position, ..Watch::default() };
        for second in 1..=seconds {
            watch.take(Snapshot { seconds: f64::from(second), ..Snapshot::default() });
        }
        watch
    }

    fn place(travel: &Travel) -> Option<(usize, Option<f64>)> {
        travel.shown().map(|watch| (watch.position, watch.cursor))
    }

    #[test]
    fn seconds_are_gone_through_between_the_first_and_the_last() {
        let present = watch(0, 5);
        let mut travel = Travel::default();
        travel.seek(-1, &present);
        assert_eq!(place(&travel), Some((0, Some(4.0))));
        travel.seek(-100, &present);
        assert_eq!(place(&travel), Some((0, Some(1.0))));
        travel.seek(isize::MAX, &present);
        assert_eq!(place(&travel), Some((0, Some(5.0))));
        travel.follow();
        assert_eq!(place(&travel), None);
    }

    #[test]
    fn repetitions_are_turned_back_and_forth_and_the_end_is_the_present() {
        let mut travel = Travel::default();
        travel.keep(watch(0, 3));
        travel.keep(watch(1, 3));
        let present = watch(2, 3);
        travel.turn(-1, &present);
        assert_eq!(place(&travel), Some((1, None)));
        assert!(travel.is_earlier());
        travel.turn(-1, &present);
        travel.turn(-1, &present);
        assert_eq!(place(&travel), Some((0, None)), "there is none before the first");
        travel.turn(1, &present);
        travel.turn(1, &present);
        assert_eq!(place(&travel), None);
    }

    #[test]
    fn a_step_is_jumped_to_where_it_is_kept() {
        let mut travel = Travel::default();
        travel.keep(watch(3, 3));
        assert!(travel.jump(Step { point: 3, repetition: 0 }));
        assert!(!travel.jump(Step { point: 3, repetition: 1 }));
        for position in 4..4 + KEPT {
            travel.keep(watch(position, 1));
        }
        assert!(!travel.has(Step { point: 3, repetition: 0 }), "the oldest is forgotten");
    }
}
