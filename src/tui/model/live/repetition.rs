//! Displayed state of a repetition: phase, snapshot, time series, log, frames.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    event::{LogLevel, Phase, Snapshot},
    format::LatencyUnit,
    measure::{ResourceSample, TimelineSecond},
    plan::ScheduledRepetition,
    server::HubFacts,
};

/// Largest number of seconds of a repetition that are stored for the charts: two days.
const MAX_SECONDS: usize = 2 * 86_400;
/// Largest number of lines of the log that are stored.
const MAX_LOG_LINES: usize = 4_000;
/// Frames that are stored of a repetition in progress; beyond, every other frame is dropped, so that an
/// hour has a frame for every second and a day about two a minute.
const MAX_FRAMES: usize = 3_600;
/// Frames that are stored of a finished repetition.
const MAX_FRAMES_EARLIER: usize = 128;

/// Line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Seconds since the run's start.
    pub at: f64,
    /// Seconds since the load's start, if it was logged during a load.
    pub second: Option<f64>,
    /// Level.
    pub level: LogLevel,
    /// Text.
    pub text: String,
}

/// Seconds between two frames.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct FrameSpacing(u32);

impl Default for FrameSpacing {
    fn default() -> Self {
        Self(1)
    }
}

/// Displayed state of a repetition, in progress or finished.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RepetitionState {
    /// Point and repetition number.
    pub step: Option<ScheduledRepetition>,
    /// Description of work outside of the repetitions: a footprint measurement.
    pub aside: Option<String>,
    /// Position in the schedule.
    pub position: usize,
    /// Phase, its start, and its expected duration in seconds.
    pub phase: Option<(Phase, Duration, Option<f64>)>,
    /// Images being built: name, step, percent.
    pub images: Vec<(String, String, Option<u8>)>,
    /// Last snapshot.
    pub snapshot: Snapshot,
    /// Figures of each second.
    pub seconds: Vec<TimelineSecond>,
    /// Resources of each server over time.
    pub servers: BTreeMap<String, Vec<ResourceSample>>,
    /// Unit of latencies: microseconds until the median reaches a millisecond, milliseconds from then on,
    /// also in later repetitions.
    pub unit: LatencyUnit,
    /// Address and facts of the hub, once it answered.
    pub hub: Option<(String, HubFacts)>,
    /// Log of the run.
    pub log: Vec<LogLine>,
    /// Log lines of this repetition's load.
    pub notes: Vec<LogLine>,
    /// Frames of the repetition, one for each [`RepetitionState::spacing`] seconds.
    #[serde(with = "frame_serde")]
    pub frames: Vec<Arc<Snapshot>>,
    /// Seconds between two frames.
    pub(super) spacing: FrameSpacing,
    /// Second of the shown frame, if this state shows a past frame.
    pub cursor: Option<f64>,
    /// Time of this state, by the screen's clock.
    pub now: Duration,
}

impl RepetitionState {
    /// Begins a repetition; drops the state of the last one.
    pub fn begin_repetition(&mut self, step: ScheduledRepetition, position: usize) {
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

    /// Begins work outside of the repetitions; drops the state of the last repetition.
    pub fn begin_aside(&mut self, what: String) {
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

    /// Whether the phase is the load or its drain.
    pub const fn in_load(&self) -> bool {
        matches!(self.phase, Some((Phase::Load | Phase::Drain, ..)))
    }

    /// Begins a phase.
    pub fn enter_phase(&mut self, phase: Phase, seconds: Option<f64>) {
        self.phase = Some((phase, self.now, seconds));
    }

    /// Updates the progress of an image.
    pub fn update_image(&mut self, image: String, step: String, percent: Option<u8>) {
        match self.images.iter_mut().find(|(name, ..)| *name == image) {
            Some(line) => *line = (image, step, percent),
            None => self.images.push((image, step, percent)),
        }
    }

    /// Applies a snapshot.
    pub fn apply_snapshot(&mut self, snapshot: Snapshot) {
        self.push_frame(&snapshot);
        if snapshot
            .durations
            .delivery
            .p50
            .or(snapshot.durations.ack.p50)
            .is_some_and(|p50| p50 >= 1_000.0)
        {
            self.unit = LatencyUnit::Millis;
        }
        for (role, load) in &snapshot.servers {
            let history = self.servers.entry(role.clone()).or_default();
            if history.last().is_none_or(|last| last.seconds < load.seconds) {
                push_bounded(history, *load, MAX_SECONDS);
            }
        }
        // Until the first second is over, the snapshot has a default value.
        if snapshot.seconds >= 1.0 {
            let recent = snapshot.recent.iter().chain([&snapshot.second]);
            recent.for_each(|second| self.set_second(*second));
        }
        self.snapshot = snapshot;
    }

    /// Adds a second, or replaces it: the snapshots after a second repeat it, with outcomes that were recorded
    /// late.
    fn set_second(&mut self, second: TimelineSecond) {
        match self.seconds.iter().rposition(|known| known.second <= second.second) {
            Some(index) if self.seconds[index].second == second.second => {
                self.seconds[index] = second;
            }
            Some(index) if index + 1 < self.seconds.len() => self.seconds.insert(index + 1, second),
            None if !self.seconds.is_empty() => self.seconds.insert(0, second),
            _ => push_bounded(&mut self.seconds, second, MAX_SECONDS),
        }
    }

    /// Adds a line to the log, `at` seconds after the run's start.
    pub fn push_log_line(&mut self, at: f64, level: LogLevel, text: String) {
        let loaded = matches!(self.phase, Some((Phase::Warmup | Phase::Load | Phase::Drain, ..)));
        let second = loaded.then_some(self.snapshot.seconds);
        let line = LogLine { at, second, level, text };
        if second.is_some() {
            push_bounded(&mut self.notes, line.clone(), MAX_LOG_LINES);
        }
        push_bounded(&mut self.log, line, MAX_LOG_LINES);
    }

    /// Stores a frame: the last snapshot of each interval.
    fn push_frame(&mut self, snapshot: &Snapshot) {
        if snapshot.seconds <= 0.0 {
            return;
        }
        let spacing = f64::from(self.spacing.0);
        let slot = |of: &Snapshot| (of.seconds / spacing) as u64;
        let frame = Arc::new(Snapshot { recent: Vec::new(), ..snapshot.clone() });
        match self.frames.last_mut() {
            Some(last) if slot(last) == slot(snapshot) => *last = frame,
            _ => self.frames.push(frame),
        }
        if self.frames.len() > MAX_FRAMES {
            self.thin_frames();
        }
    }

    /// Drops every other frame; the newest stays.
    fn thin_frames(&mut self) {
        self.spacing.0 *= 2;
        let odd = self.frames.len() % 2;
        let mut index = odd;
        self.frames.retain(|_| {
            index += 1;
            index.is_multiple_of(2)
        });
    }

    /// Reduces the state of a finished repetition to the part that is stored during the run.
    pub fn into_archived(mut self) -> Self {
        while self.frames.len() > MAX_FRAMES_EARLIER {
            self.thin_frames();
        }
        self.log = Vec::new();
        self
    }

    /// State at the frame with this index, as the screen showed it then.
    pub fn at_frame(&self, index: usize) -> Self {
        let Some(frame) = self.frames.get(index) else { return self.clone() };
        let until = frame.seconds;
        let servers = self.servers.iter().map(|(role, loads)| {
            let until = loads.iter().take_while(|load| load.seconds <= until).copied().collect();
            (role.clone(), until)
        });
        Self {
            snapshot: frame.as_ref().clone(),
            servers: servers.collect(),
            cursor: Some(until),
            ..self.clone()
        }
    }

    /// Last whole second of this state.
    pub fn second(&self) -> Option<&TimelineSecond> {
        let shown = |second: &&TimelineSecond| {
            self.cursor.is_none_or(|cursor| f64::from(second.second) < cursor)
        };
        self.seconds.iter().rev().find(shown)
    }

    /// Whether this repetition has a snapshot.
    pub const fn is_measured(&self) -> bool {
        self.snapshot.ledger.planned > 0
    }

    /// Whether missing messages may still arrive, or might have arrived if the repetition had not ended
    /// early; such messages are not called lost.
    pub fn may_still_arrive(&self) -> bool {
        let ledger = &self.snapshot.ledger;
        let under_way = !matches!(self.phase, Some((Phase::Collect | Phase::Cleanup, ..)));
        ledger.on_the_way > 0 || (ledger.lost == 0 && under_way)
    }

    /// Progress of the phase, as far as known.
    pub fn progress(&self) -> PhaseProgress {
        let Some((phase, began, expected)) = self.phase else { return PhaseProgress::default() };
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
        PhaseProgress { elapsed, expected, share: share.map(|share| share.clamp(0.0, 1.0)) }
    }
}

/// Serialization of shared frames.
mod frame_serde {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::event::Snapshot;

    pub fn serialize<S: Serializer>(
        frames: &[Arc<Snapshot>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(frames.iter().map(AsRef::as_ref))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Arc<Snapshot>>, D::Error> {
        let frames = Vec::<Snapshot>::deserialize(deserializer)?;
        Ok(frames.into_iter().map(Arc::new).collect())
    }
}

/// Progress of a phase.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PhaseProgress {
    /// Seconds since the phase's start.
    pub elapsed: f64,
    /// Expected duration in seconds.
    pub expected: Option<f64>,
    /// Finished share, 0 to 1.
    pub share: Option<f64>,
}

/// Appends to a vector of at most `max` values, in amortised constant time: a full vector loses its older
/// half.
fn push_bounded<T>(values: &mut Vec<T>, value: T, max: usize) {
    if values.len() >= max {
        values.drain(..max / 2);
    }
    values.push(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repetition_of(seconds: u32) -> RepetitionState {
        let mut state = RepetitionState::default();
        for quarter in 1..=seconds * 4 {
            state.apply_snapshot(Snapshot {
                seconds: f64::from(quarter) / 4.0,
                ..Snapshot::default()
            });
        }
        state
    }

    #[test]
    fn each_second_has_one_frame() {
        let state = repetition_of(10);
        let seconds: Vec<f64> = state.frames.iter().map(|frame| frame.seconds).collect();
        assert_eq!(seconds[..3], [0.75, 1.75, 2.75]);
        assert_eq!(state.frames.len(), 11);
    }

    #[test]
    fn frames_of_a_long_repetition_are_thinned_over_its_whole_length() {
        let state = repetition_of(10_000);
        assert!(state.frames.len() <= MAX_FRAMES, "{}", state.frames.len());
        let first = state.frames.first().map_or(0.0, |frame| frame.seconds);
        let last = state.frames.last().map_or(0.0, |frame| frame.seconds);
        assert!(first < 8.0 && last > 9_999.0, "{first} to {last}");
        assert!(state.into_archived().frames.len() <= MAX_FRAMES_EARLIER);
    }

    #[test]
    fn a_past_frame_shows_no_later_data() {
        let mut state = RepetitionState::default();
        for second in 1..=9_u32 {
            let load = ResourceSample { seconds: f64::from(second), ..ResourceSample::default() };
            state.apply_snapshot(Snapshot {
                seconds: f64::from(second),
                second: TimelineSecond {
                    second: second - 1,
                    sent: u64::from(second),
                    ..TimelineSecond::default()
                },
                servers: [("kafka".to_owned(), load)].into(),
                ..Snapshot::default()
            });
        }
        let then = state.at_frame(3);
        assert_eq!(then.cursor, Some(4.0));
        assert_eq!(then.servers["kafka"].len(), 4);
        assert_eq!(then.second().map(|second| second.sent), Some(4));
        assert_eq!(then.seconds.len(), 9, "the chart has its whole length");
    }

    #[test]
    fn a_snapshot_fills_the_seconds_of_missed_ones() {
        let second = |number: u32, sent| TimelineSecond {
            second: number,
            sent,
            ..TimelineSecond::default()
        };
        let snapshot = |number: u32, recent: Vec<TimelineSecond>| Snapshot {
            seconds: f64::from(number) + 1.0,
            second: second(number, 7),
            recent,
            ..Snapshot::default()
        };
        let mut state = RepetitionState::default();
        state.apply_snapshot(snapshot(0, vec![second(0, 7)]));
        state.apply_snapshot(snapshot(
            4,
            vec![second(1, 9), second(2, 0), second(3, 0), second(4, 7)],
        ));
        state.apply_snapshot(snapshot(5, vec![second(3, 1), second(4, 8), second(5, 7)]));
        let sent: Vec<_> =
            state.seconds.iter().map(|second| (second.second, second.sent)).collect();
        assert_eq!(sent, [(0, 7), (1, 9), (2, 0), (3, 1), (4, 8), (5, 7)]);
    }

    #[test]
    fn a_bounded_vector_has_the_newest_values() {
        let mut values = Vec::new();
        for value in 0..100 {
            push_bounded(&mut values, value, 8);
            assert!(values.len() <= 8 && values.len() >= 4.min(value + 1));
            assert_eq!(values.last(), Some(&value));
        }
        assert!(values.is_sorted());
    }
}
