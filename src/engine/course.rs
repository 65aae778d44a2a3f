//! The course of one repetition: which phase it is in, since when, and what to do when it ends.

use std::{collections::BTreeMap, time::Instant};

use crate::event::{Event, Phase, Teller};

/// Keeps the time of every phase and tells when the next one begins.
#[derive(Debug)]
pub struct Course {
    teller: Teller,
    current: Option<(Phase, Instant)>,
    seconds: BTreeMap<String, f64>,
}

impl Course {
    /// No phase yet.
    pub fn new(teller: &Teller) -> Self {
        Self { teller: teller.clone(), current: None, seconds: BTreeMap::new() }
    }

    /// The next phase begins; `seconds` is how long it should take, where that is known.
    pub fn enter(&mut self, phase: Phase, seconds: Option<f64>) {
        self.close();
        self.current = Some((phase, Instant::now()));
        self.teller.tell(Event::Phase { phase, seconds });
    }

    fn close(&mut self) {
        if let Some((phase, since)) = self.current.take() {
            *self.seconds.entry(phase.title().to_owned()).or_default() +=
                since.elapsed().as_secs_f64();
        }
    }

    /// Ends the last phase: the seconds of each.
    pub fn end(mut self) -> BTreeMap<String, f64> {
        self.close();
        self.seconds
    }
}
