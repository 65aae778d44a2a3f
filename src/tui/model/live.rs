//! A run in progress.

use std::{path::PathBuf, time::Duration};

use super::{done::Done, watch::Watch};
use crate::{
    event::Event,
    plan::{Plan, Point},
    tui::outside::{Request, Stop},
};

/// What the operator wants to come after the repetition in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The next repetition.
    GoOn,
    /// The results.
    Show(Stop),
    /// Out of the program.
    Leave(Stop),
}

impl Ending {
    /// After one more wish to stop: a wish to leave stays.
    pub const fn asked(self, stop: Stop) -> Self {
        match self {
            Self::Leave(_) => Self::Leave(stop),
            Self::GoOn | Self::Show(_) => Self::Show(stop),
        }
    }

    /// How it shall stop, if it shall.
    pub const fn stop(self) -> Option<Stop> {
        match self {
            Self::GoOn => None,
            Self::Show(stop) | Self::Leave(stop) => Some(stop),
        }
    }
}

/// A run in progress.
#[derive(Debug)]
pub struct Live {
    /// What was asked.
    pub request: Request,
    /// What is done: of the request, until the engine says it itself.
    pub plan: Plan,
    /// The record's file, once the engine named it.
    pub record: Option<PathBuf>,
    /// Repetitions that a resumed record already held.
    pub resumed: usize,
    /// Repetitions finished in this run.
    pub done: Vec<Done>,
    /// When the run began.
    pub began: Duration,
    /// Seconds that the run will still take, and when that was said.
    left: (f64, Duration),
    /// The repetition in progress.
    current: Watch,
    /// What the display holds.
    frozen: Option<Box<Watch>>,
    /// What comes after this repetition.
    pub ending: Ending,
}

impl Live {
    /// A run that was just asked for.
    pub fn new(request: Request, now: Duration) -> Self {
        Self {
            plan: request.preview.plan.clone(),
            record: None,
            resumed: 0,
            done: Vec::new(),
            began: now,
            left: (request.preview.seconds, now),
            current: Watch { now, ..Watch::default() },
            frozen: None,
            ending: Ending::GoOn,
            request,
        }
    }

    /// What is shown: the repetition in progress, or what was frozen.
    pub fn shown(&self) -> &Watch {
        self.frozen.as_deref().unwrap_or(&self.current)
    }

    /// Whether the display is frozen.
    pub const fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Freezes the display, or lets it go on.
    pub fn freeze(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some(Box::new(self.current.clone())),
        };
    }

    /// The point that is shown.
    pub fn point(&self) -> Option<&Point> {
        self.plan.points.get(self.shown().step?.point)
    }

    /// Seconds that the run will still take.
    pub fn seconds_left(&self) -> f64 {
        let (left, said) = self.left;
        (left - self.shown().now.saturating_sub(said).as_secs_f64()).max(0.0)
    }

    /// The time goes on.
    pub fn tick(&mut self, now: Duration) {
        self.current.now = now;
    }

    /// Applies what the engine tells.
    pub fn apply(&mut self, event: Event, now: Duration) {
        self.current.now = now;
        match event {
            Event::Started { plan, record, done } => {
                self.plan = *plan;
                self.record = Some(record);
                self.resumed = done;
            }
            Event::Hub { place, facts } => self.current.hub = Some((place, *facts)),
            Event::Repetition { step, position } => self.current.begin(step, position),
            Event::Phase { phase, seconds } => self.current.enter(phase, seconds),
            Event::Image { image, step, percent } => self.current.image(image, step, percent),
            Event::Snapshot(snapshot) => self.current.take(*snapshot),
            Event::Log { level, text } => self.current.note(level, text),
            Event::Finished { step, repetition, seconds_left } => {
                self.done.push(Done::of(step, &repetition));
                if let Some(left) = seconds_left {
                    self.left = (left, now);
                }
            }
            Event::Ended { .. } => {}
        }
    }
}
