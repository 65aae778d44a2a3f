//! What is to be seen of the repetition in progress. Frozen, the display keeps a copy of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

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
const KEPT_LINES: usize = 2_000;
/// Pictures of a repetition in progress that are kept to scroll back to; beyond, every other one
/// is dropped, so that an hour keeps every second and a day two in a minute.
const KEPT_FRAMES: usize = 3_600;
/// Pictures that are kept of a repetition that is over.
const KEPT_FRAMES_EARLIER: usize = 128;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Seconds since the run's start.
    pub at: f64,
    /// Seconds since the load's start, when it happened during a load.
    pub second: Option<f64>,
    /// How bad it is.
    pub level: Level,
    /// What happened.
    pub text: String,
}

/// Seconds between two pictures.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Spacing(u32);

impl Default for Spacing {
    fn default() -> Self {
        Self(1)
    }
}

/// The repetition in progress.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Watch {
    /// Which one.
    pub step: Option<Step>,
    /// What goes on outside of the repetitions.
    pub aside: Option<String>,
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
    pub log: Vec<Note>,
    /// What the log told during this repetition's load.
    pub notes: Vec<Note>,
    /// The repetition's pictures, one for each [`Watch::spacing`] seconds.
    #[serde(with = "pictures")]
    pub frames: Vec<Arc<Snapshot>>,
    /// Seconds between two pictures.
    pub(super) spacing: Spacing,
    /// When this picture is one of the past: its second.
    pub cursor: Option<f64>,
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

    /// Something outside of the repetitions begins.
    pub fn aside(&mut self, what: String) {
        *self = Self {
            aside: Some(what),
            position: self.position + usize::from(self.step.is_some()),
            hub: self.hub.take(),
            log: std::mem::take(&mut self.log),
            unit: self.unit,
            now: self.now,
            ..Self::default()
        };
    }

    /// Whether the load, or what it left on the way, is going on.
    pub const fn in_load(&self) -> bool {
        matches!(self.phase, Some((Phase::Load | Phase::Drain, ..)))
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
        self.picture(&snapshot);
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

    /// A line of the log, `at` seconds after the run's start.
    pub fn note(&mut self, at: f64, level: Level, text: String) {
        let loaded = matches!(self.phase, Some((Phase::Warmup | Phase::Load | Phase::Drain, ..)));
        let second = loaded.then_some(self.snapshot.seconds);
        let note = Note { at, second, level, text };
        if second.is_some() {
            push(&mut self.notes, note.clone(), KEPT_LINES);
        }
        push(&mut self.log, note, KEPT_LINES);
    }

    /// Keeps a picture to scroll back to: the last one of each second.
    fn picture(&mut self, snapshot: &Snapshot) {
        if snapshot.seconds <= 0.0 {
            return;
        }
        let spacing = f64::from(self.spacing.0);
        let slot = |of: &Snapshot| (of.seconds / spacing) as u64;
        let picture = Arc::new(snapshot.clone());
        match self.frames.last_mut() {
            Some(last) if slot(last) == slot(snapshot) => *last = picture,
            _ => self.frames.push(picture),
        }
        if self.frames.len() > KEPT_FRAMES {
            self.thin();
        }
    }

    /// Drops every other picture; the newest stays.
    fn thin(&mut self) {
        self.spacing.0 *= 2;
        let odd = self.frames.len() % 2;
        let mut place = odd;
        self.frames.retain(|_| {
            place += 1;
            place.is_multiple_of(2)
        });
    }

    /// This repetition, now that it is over: what is kept of it while the run goes on.
    pub fn put_away(mut self) -> Self {
        while self.frames.len() > KEPT_FRAMES_EARLIER {
            self.thin();
        }
        self.log = Vec::new();
        self
    }

    /// The picture `place` as the screen showed it then.
    pub fn at(&self, place: usize) -> Self {
        let Some(picture) = self.frames.get(place) else { return self.clone() };
        let until = picture.seconds;
        let servers = self.servers.iter().map(|(role, loads)| {
            let until = loads.iter().take_while(|load| load.seconds <= until).copied().collect();
            (role.clone(), until)
        });
        Self {
            snapshot: picture.as_ref().clone(),
            servers: servers.collect(),
            cursor: Some(until),
            ..self.clone()
        }
    }

    /// The last whole second that this picture shows.
    pub fn second(&self) -> Option<&Second> {
        let shown =
            |second: &&Second| self.cursor.is_none_or(|cursor| f64::from(second.second) < cursor);
        self.seconds.iter().rev().find(shown)
    }

    /// Whether there is a snapshot of this repetition.
    pub const fn is_measured(&self) -> bool {
        self.snapshot.ledger.planned > 0
    }

    /// Whether what is missing may still arrive, or might have, had the repetition not ended
    /// early: none of it can be called lost.
    pub fn may_still_arrive(&self) -> bool {
        let ledger = &self.snapshot.ledger;
        let under_way = !matches!(self.phase, Some((Phase::Collect | Phase::Cleanup, ..)));
        ledger.on_the_way > 0 || (ledger.lost == 0 && under_way)
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

/// Pictures as they are written down.
mod pictures {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::Snapshot;

    pub fn serialize<S: Serializer>(
        pictures: &[Arc<Snapshot>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(pictures.iter().map(AsRef::as_ref))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Arc<Snapshot>>, D::Error> {
        let pictures = Vec::<Snapshot>::deserialize(deserializer)?;
        Ok(pictures.into_iter().map(Arc::new).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(seconds: u32) -> Watch {
        let mut watch = Watch::default();
        for quarter in 1..=seconds * 4 {
            watch.take(Snapshot { seconds: f64::from(quarter) / 4.0, ..Snapshot::default() });
        }
        watch
    }

    #[test]
    fn each_second_leaves_one_picture() {
        let watch = watched(10);
        let seconds: Vec<f64> = watch.frames.iter().map(|frame| frame.seconds).collect();
        assert_eq!(seconds[..3], [0.75, 1.75, 2.75]);
        assert_eq!(watch.frames.len(), 11);
    }

    #[test]
    fn a_long_repetition_keeps_its_whole_length_in_fewer_pictures() {
        let watch = watched(10_000);
        assert!(watch.frames.len() <= KEPT_FRAMES, "{}", watch.frames.len());
        let first = watch.frames.first().map_or(0.0, |frame| frame.seconds);
        let last = watch.frames.last().map_or(0.0, |frame| frame.seconds);
        assert!(first < 8.0 && last > 9_999.0, "{first} to {last}");
        assert!(watch.put_away().frames.len() <= KEPT_FRAMES_EARLIER);
    }

    #[test]
    fn a_picture_of_the_past_holds_nothing_of_its_future() {
        let mut watch = Watch::default();
        for second in 1..=9_u32 {
            let load = Load { seconds: f64::from(second), ..Load::default() };
            watch.take(Snapshot {
                seconds: f64::from(second),
                second: Second { second: second - 1, sent: u64::from(second), ..Second::default() },
                servers: [("kafka".to_owned(), load)].into(),
                ..Snapshot::default()
            });
        }
        let then = watch.at(3);
        assert_eq!(then.cursor, Some(4.0));
        assert_eq!(then.servers["kafka"].len(), 4);
        assert_eq!(then.second().map(|second| second.sent), Some(4));
        assert_eq!(then.seconds.len(), 9, "the chart keeps its whole length");
    }
}
