//! Times the phases of one repetition.

use std::{collections::BTreeMap, time::Instant};

use crate::event::{Event, EventSender, Phase};

/// Measures how long each phase takes, and sends an event when a phase begins.
#[derive(Debug)]
pub struct PhaseTimer {
    events: EventSender,
    current: Option<(Phase, Instant)>,
    seconds: BTreeMap<String, f64>,
}

impl PhaseTimer {
    /// Creates a timer without a phase.
    pub fn new(events: &EventSender) -> Self {
        Self { events: events.clone(), current: None, seconds: BTreeMap::new() }
    }

    /// Ends the phase in progress and begins `phase`; `seconds` is its expected length, if known.
    pub fn enter(&mut self, phase: Phase, seconds: Option<f64>) {
        self.close_phase();
        self.current = Some((phase, Instant::now()));
        self.events.send(Event::Phase { phase, seconds });
    }

    fn close_phase(&mut self) {
        if let Some((phase, since)) = self.current.take() {
            *self.seconds.entry(phase.title().to_owned()).or_default() +=
                since.elapsed().as_secs_f64();
        }
    }

    /// Ends the phase in progress and returns the seconds of each phase by title.
    pub fn into_seconds(mut self) -> BTreeMap<String, f64> {
        self.close_phase();
        self.seconds
    }
}
