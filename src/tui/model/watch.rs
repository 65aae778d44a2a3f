//! What is to be seen of the repetition in progress. Frozen, the display keeps a copy of it.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    event::{Level, Phase, Snapshot},
    format::Unit,
    measure::{Load, Second},
    plan::Step,
    server::HubFacts,
};

/// Seconds of a repetition that are kept for the charts: a day.
const KEPT_SECONDS: usize = 86_400;
/// Lines of the log that are kept.
const KEPT_LINES: usize = 500;

/// The repetition in progress.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Which one.
    pub step: Option<Step>,
    /// Its place in the schedule.
    pub position: usize,
    /// The phase, when it began, and how long it is expected to take.
    pub phase: Option<(Phase, Duration, Option<f64>)>,
    /// Images being made: name, step, percent.
    pub images: Vec<(String, String, Option<u8>)>,
    /// The last snapshot.
    pub snapshot: Snapshot,
    /// The repetition's seconds.
    pub seconds: Vec<Second>,
    /// Resources of each server over time.
    pub servers: BTreeMap<String, Vec<Load>>,
    /// Unit of latencies: microseconds until the median is a millisecond, then milliseconds to
    /// the repetition's end.
    pub unit: Unit,
    /// The hub and its place, once it answered.
    pub hub: Option<(String, HubFacts)>,
    /// The log of the run.
    pub log: Vec<(Level, String)>,
    /// The time that this picture shows.
    pub now: Duration,
}

impl Watch {
    /// A new repetition: what belongs to the last one is forgotten.
    pub fn begin(&mut self, step: Step, position: usize) {
        *self = Self {
            step: Some(step),
            position,
            hub: self.hub.take(),
            log: std::mem::take(&mut self.log),
            unit: self.unit,
            now: self.now,
            ..Self::default()
        };
    }

    /// The next phase.
    pub fn enter(&mut self, phase: Phase, seconds: Option<f64>) {
        self.phase = Some((phase, self.now, seconds));
    }

    /// An image's progress.
    pub fn image(&mut self, image: String, step: String, percent: Option<u8>) {
        match self.images.iter_mut().find(|(name, ..)| *name == image) {
            Some(line) => *line = (image, step, percent),
            None => self.images.push((image, step, percent)),
        }
    }

    /// A new snapshot.
    pub fn take(&mut self, snapshot: Snapshot) {
        if snapshot
            .durations
            .delivery
            .p50
            .or(snapshot.durations.ack.p50)
            .is_some_and(|p50| p50 >= 1_000.0)
        {
            self.unit = Unit::Millis;
        }
        for (role, load) in &snapshot.servers {
            let history = self.servers.entry(role.clone()).or_default();
            if history.last().is_none_or(|last| last.seconds < load.seconds) {
                push(history, *load, KEPT_SECONDS);
            }
        }
        // The first second is a default value until a whole second is over.
        let second = snapshot.second;
        if snapshot.seconds >= 1.0
            && self.seconds.last().is_none_or(|last| last.second < second.second)
        {
            push(&mut self.seconds, second, KEPT_SECONDS);
        }
        self.snapshot = snapshot;
    }

    /// A line of the log.
    pub fn note(&mut self, level: Level, text: String) {
        push(&mut self.log, (level, text), KEPT_LINES);
    }

    /// Whether there is a snapshot of this repetition.
    pub const fn is_measured(&self) -> bool {
        self.snapshot.ledger.planned > 0
    }

    /// Whether messages may still arrive, so that none can be called lost.
    pub fn under_way(&self) -> bool {
        !matches!(self.phase, Some((Phase::Collect | Phase::Cleanup, ..)))
    }

    /// Share of the phase that is done and seconds it took and takes, where somebody knows.
    pub fn progress(&self) -> Progress {
        let Some((phase, began, expected)) = self.phase else { return Progress::default() };
        let elapsed = self.now.saturating_sub(began).as_secs_f64();
        let snapshot = &self.snapshot;
        let (elapsed, expected) = match (phase, snapshot.planned_seconds) {
            (Phase::Warmup | Phase::Load, Some(planned)) => {
                (snapshot.seconds.max(0.0), Some(planned))
            }
            _ => (elapsed, expected),
        };
        let share = match (phase, expected) {
            (Phase::Load | Phase::Preload, None) => Some(snapshot.progress),
            (_, Some(expected)) if expected > 0.0 => Some(elapsed / expected),
            (Phase::Images, None) => self
                .images
                .last()
                .and_then(|(.., percent)| *percent)
                .map(|percent| f64::from(percent) / 100.0),
            _ => None,
        };
        Progress { elapsed, expected, share: share.map(|share| share.clamp(0.0, 1.0)) }
    }
}

/// How far a phase is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// Seconds since its start.
    pub elapsed: f64,
    /// Seconds that it is expected to take.
    pub expected: Option<f64>,
    /// Share that is done, 0 to 1.
    pub share: Option<f64>,
}

/// Appends to a history of limited length, in amortised constant time.
fn push<T>(history: &mut Vec<T>, value: T, kept: usize) {
    if history.len() >= kept * 2 {
        history.drain(..kept);
    }
    history.push(value);
}
