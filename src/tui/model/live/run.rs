//! State of a run in progress.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    band::{PointBand, RepetitionBands},
    display::LiveDisplay,
    finished_repetition::FinishedRepetition,
    history::History,
    repetition::{LogLine, RepetitionState},
};
use crate::{
    event::{Event, LogLevel, Phase, Snapshot, ThresholdAlarm},
    format,
    measure::{Judgement, PathCost, Reason, STEERED_CODE, SelfTest},
    plan::{Plan, Point, ScheduledRepetition},
    record::Capacity,
    tui::{
        live_panel::{LivePanel, PanelSize},
        msg::Msg,
        requests::{RunCommand, StartRequest, StopMode},
    },
};

/// How the run goes on after the repetition in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Continue with the next repetition.
    Continue,
    /// Stop and show the results.
    ShowResults(StopMode),
    /// Stop and quit the program.
    Quit(StopMode),
}

impl Ending {
    /// Adds a command to stop; a command to quit stays in effect.
    pub const fn with_stop(self, stop: StopMode) -> Self {
        match self {
            Self::Quit(_) => Self::Quit(stop),
            Self::Continue | Self::ShowResults(_) => Self::ShowResults(stop),
        }
    }

    /// Stop mode; `None` if the run continues.
    pub const fn stop(self) -> Option<StopMode> {
        match self {
            Self::Continue => None,
            Self::ShowResults(stop) | Self::Quit(stop) => Some(stop),
        }
    }
}

/// A run in progress. Serializable, so that a detached run can send it to a screen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LiveRun {
    /// Request of the run.
    pub request: StartRequest,
    /// Plan: the request's until the engine reports its plan.
    pub plan: Plan,
    /// File of the record, once the engine reported it.
    pub record: Option<PathBuf>,
    /// Cost of the network path to the hub, once measured.
    pub path: Option<PathCost>,
    /// What this machine can do without a load, once measured.
    #[serde(default)]
    pub self_test: Option<SelfTest>,
    /// Reason why the operator's last command was refused.
    #[serde(skip)]
    pub refusal: Option<&'static str>,
    /// Finished repetitions, including those of a resumed record.
    pub done: Vec<FinishedRepetition>,
    /// Start of the run, by the screen's clock.
    pub began: Duration,
    /// Expected remaining seconds, and the time of that estimate.
    remaining: (f64, Duration),
    /// Repetition in progress.
    current: RepetitionState,
    /// Capacity searches by number.
    searches: BTreeMap<usize, Capacity>,
    /// Number of the capacity search that was updated last.
    last_updated_search: Option<usize>,
    /// Earlier repetitions, and the frozen display.
    history: History,
    /// Bands of the finished repetitions of each point.
    #[serde(default)]
    bands: RepetitionBands,
    /// Display settings of the operator.
    #[serde(skip)]
    pub display: LiveDisplay,
    /// Points skipped by the operator.
    pub skipped: BTreeSet<usize>,
    /// Repetitions that were added but are not yet in the plan.
    pub added: u32,
    /// How the run goes on after this repetition.
    pub ending: Ending,
}

impl LiveRun {
    /// What the hub cannot measure, or what is unsafe about the connection to it; empty until it answered.
    pub fn hub_cautions(&self) -> &[String] {
        self.current.hub.as_ref().map_or(&[], |(_, facts)| &facts.cautions)
    }

    /// Creates the state of a run that was just requested.
    pub fn new(request: StartRequest, now: Duration) -> Self {
        Self {
            plan: request.preview.plan.clone(),
            record: None,
            path: None,
            self_test: None,
            refusal: None,
            done: Vec::new(),
            began: now,
            remaining: (request.preview.seconds, now),
            current: RepetitionState { now, ..RepetitionState::default() },
            searches: BTreeMap::new(),
            last_updated_search: None,
            history: History::default(),
            bands: RepetitionBands::default(),
            display: LiveDisplay::default(),
            skipped: BTreeSet::new(),
            added: 0,
            ending: Ending::Continue,
            request,
        }
    }

    /// Shown repetition: the one in progress, a frozen state of it, or an earlier one.
    pub fn shown(&self) -> &RepetitionState {
        self.history.shown().unwrap_or(&self.current)
    }

    /// Whether the display is frozen or shows an earlier repetition.
    pub fn is_frozen(&self) -> bool {
        self.history.shown().is_some()
    }

    /// Whether an earlier repetition is shown.
    pub fn is_earlier(&self) -> bool {
        self.history.is_earlier()
    }

    /// State for the run's phase, log and times: the repetition in progress, or its frozen state. An
    /// earlier repetition only provides figures.
    pub fn run_state(&self) -> &RepetitionState {
        if self.is_earlier() { &self.current } else { self.shown() }
    }

    /// Band of the repetitions before the one in progress, of the same point; `None` while an earlier one is
    /// shown, which is part of it.
    pub fn band(&self) -> Option<&PointBand> {
        let step = self.shown().step.filter(|_| !self.is_earlier())?;
        // Once a repetition has ended, it is itself part of the band.
        let has_ended = self.done.iter().any(|done| done.step == step);
        self.bands.of_point(step.point).filter(|_| !has_ended)
    }

    /// Whether the screen can show the finished repetition of `step`.
    pub fn has_history(&self, step: ScheduledRepetition) -> bool {
        self.history.contains(step)
    }

    /// The run's log as it is now, or as it was when the display was frozen.
    pub fn log(&self) -> &[LogLine] {
        &self.run_state().log
    }

    /// Number of thresholds that the repetition in progress has crossed so far.
    pub fn alarms(&self) -> usize {
        self.current.snapshot.alarms.len()
    }

    /// State of a cell of the sweep's map.
    pub fn map_cell(&self, step: ScheduledRepetition) -> MapCell {
        match self.done.iter().rev().find(|done| done.step == step) {
            Some(done) => MapCell::Done(done.verdict.status),
            None if self.current.step == Some(step) => MapCell::Running,
            None if self.skipped.contains(&step.point) => MapCell::Skipped,
            None => MapCell::Waiting,
        }
    }

    /// The point in progress, unless it is already skipped.
    pub fn skippable(&self) -> Option<usize> {
        let step = self.current.step?;
        (self.map_cell(step) == MapCell::Running && !self.skipped.contains(&step.point))
            .then_some(step.point)
    }

    /// Applies a message of the operator.
    pub fn update(&mut self, msg: &Msg) {
        let map = (self.plan.points.len(), self.plan.repetitions as usize);
        let mut display = std::mem::take(&mut self.display);
        let handled = display.update(msg, self.log(), map);
        self.display = display;
        if handled {
            return;
        }
        match msg {
            Msg::Freeze if self.is_frozen() => self.history.follow(),
            Msg::Freeze => self.history.freeze(&self.current),
            Msg::Back => self.history.follow(),
            Msg::Left => self.history.seek(-1, &self.current),
            Msg::Right => self.history.seek(1, &self.current),
            Msg::Seek(by) => self.history.seek(*by, &self.current),
            Msg::SwitchRepetition(by) => self.history.switch(*by, &self.current),
            Msg::Accept if self.display.panel == LivePanel::Map => {
                let (point, repetition) = self.display.cell;
                let step = ScheduledRepetition { point, repetition: repetition as u32 };
                if self.current.step == Some(step) {
                    self.history.follow();
                    self.display.size = PanelSize::Shared;
                } else if self.history.jump_to(step) {
                    self.display.size = PanelSize::Shared;
                }
            }
            _ => {}
        }
    }

    /// Selects the map's cell of the repetition in progress, as following the run from its start does.
    pub fn select_current_cell(&mut self) {
        if let Some(step) = self.current.step {
            self.display.cell = (step.point, step.repetition as usize);
        }
    }

    /// Records a command that was sent to the run.
    pub fn apply_command(&mut self, command: RunCommand) {
        match command {
            RunCommand::Stop(stop) => self.ending = self.ending.with_stop(stop),
            RunCommand::Skip(point) => {
                self.skipped.insert(point);
            }
            RunCommand::Add(count) => self.added += count,
            RunCommand::Steer(command) => self.current.steer(command),
        }
    }

    /// Whether the load is in progress and the plan lets the operator change it.
    pub const fn can_be_steered(&self) -> bool {
        self.plan.steering && matches!(self.current.phase, Some((Phase::Load, ..)))
    }

    /// Whether the operator has paused the load in progress.
    pub fn is_paused(&self) -> bool {
        self.current.snapshot.steering.as_ref().is_some_and(|steering| steering.is_paused)
    }

    /// Number of finished repetitions, number of all repetitions, title of the phase.
    pub fn progress(&self) -> (usize, usize, &'static str) {
        let phase = self.current.phase.map_or("starting", |(phase, ..)| phase.title());
        (self.done.len(), self.plan.schedule.len(), phase)
    }

    /// Shown point.
    pub fn point(&self) -> Option<&Point> {
        self.plan.points.get(self.shown().step?.point)
    }

    /// Capacity searches, the last updated one first.
    pub fn searches(&self) -> impl Iterator<Item = &Capacity> {
        let last = self.last_updated_search.and_then(|search| self.searches.get(&search));
        let others =
            self.searches.iter().filter(|(search, _)| Some(**search) != self.last_updated_search);
        last.into_iter().chain(others.map(|(_, capacity)| capacity))
    }

    /// Expected remaining time of the run.
    pub fn time_left(&self) -> TimeLeft {
        let (left, estimated_at) = self.remaining;
        let seconds = left - self.run_state().now.saturating_sub(estimated_at).as_secs_f64();
        if left <= 0.0 {
            TimeLeft::Finishing
        } else if seconds > 0.0 {
            TimeLeft::Seconds(seconds)
        } else {
            TimeLeft::Overdue
        }
    }

    /// Sets the time.
    pub fn tick(&mut self, now: Duration) {
        self.current.now = now;
    }

    /// Applies an event of the run.
    pub fn apply(&mut self, event: Event, now: Duration) {
        self.current.now = now;
        match event {
            Event::Started { plan, record, .. } => {
                self.plan = *plan;
                self.record = Some(record);
            }
            Event::AlreadyRecorded { step, repetition } => {
                if repetition.is_measured() {
                    self.bands.add(step.point, &repetition.timeline);
                }
                self.done.push(FinishedRepetition::from_repetition(step, &repetition));
            }
            Event::Hub { place, facts } => self.current.hub = Some((place, *facts)),
            Event::Path(path) => self.path = Some(path),
            Event::SelfTest(test) => self.self_test = Some(test),
            Event::Replanned { plan } => {
                self.plan = *plan;
                self.added = 0;
            }
            Event::Repetition { step, position, .. } => {
                self.display.cell = (step.point, step.repetition as usize);
                self.current.begin_repetition(step, position);
            }
            Event::Footprint { backend, what } => {
                let text = format!("footprint of {backend}: {what}");
                self.current.begin_aside(text.clone());
                self.current.push_log_line(self.seconds_since_start(now), LogLevel::Info, text);
            }
            Event::Estimate { seconds_left } => self.remaining = (seconds_left, now),
            Event::Phase { phase, seconds } => self.current.enter_phase(phase, seconds),
            Event::Image(step) => {
                let words = step.summary();
                self.current.update_image(step.image, words, step.percent);
            }
            Event::Snapshot(snapshot) => self.apply_snapshot(*snapshot, now),
            Event::Log { level, text } => {
                self.current.push_log_line(self.seconds_since_start(now), level, text);
            }
            Event::Finished { step, repetition, seconds_left, .. } => {
                if repetition.is_measured() {
                    self.bands.add(step.point, &self.current.seconds);
                }
                self.done.push(FinishedRepetition::from_repetition(step, &repetition));
                self.history.push(self.current.clone());
                if let Some(left) = seconds_left {
                    self.remaining = (left, now);
                }
            }
            Event::Capacity { search, state } => {
                self.current.push_log_line(
                    self.seconds_since_start(now),
                    LogLevel::Info,
                    state.progress_line(),
                );
                self.searches.insert(search, *state);
                self.last_updated_search = Some(search);
            }
            Event::Ended { .. } => {}
        }
    }

    fn seconds_since_start(&self, now: Duration) -> f64 {
        now.saturating_sub(self.began).as_secs_f64()
    }

    /// Applies a snapshot and logs its new alarms, throttling and reasons.
    fn apply_snapshot(&mut self, snapshot: Snapshot, now: Duration) {
        let before = &self.current.snapshot;
        // A pause or another rate moves the end of the load, and so that of the run.
        if snapshot.steering.is_some()
            && before.seconds > 0.0
            && let (Some(planned), Some(then)) = (snapshot.planned_seconds, before.planned_seconds)
        {
            self.remaining.0 = (self.remaining.0 + planned - then).max(f64::MIN_POSITIVE);
        }
        let known =
            |alarm: &ThresholdAlarm| before.alarms.iter().any(|old| old.metric == alarm.metric);
        let mut news: Vec<(LogLevel, String)> = snapshot
            .alarms
            .iter()
            .filter(|&alarm| !known(alarm))
            .map(|alarm| (LogLevel::Error, alarm_text(alarm)))
            .collect();
        if snapshot.dropped > 0 && before.dropped == 0 && before.seconds > 0.0 {
            let text = "this screen is too slow to show every snapshot; the load is not affected";
            news.push((LogLevel::Info, text.to_owned()));
        }
        let is_throttling = |snapshot: &Snapshot| {
            let hub = snapshot.hub.as_ref();
            hub.is_some_and(|hub| {
                hub.is_throttled() == Some(true) || hub.under_voltage == Some(true)
            })
        };
        if is_throttling(&snapshot) && !is_throttling(before) {
            let text = "the hub is held back by heat or by its supply: the processor is throttled";
            news.push((LogLevel::Error, text.to_owned()));
        }
        let (old, new) = (&before.verdict.reasons, &snapshot.verdict.reasons);
        let only = |some: &[Reason], others: &[Reason], level: LogLevel, word: &str| {
            // What the operator changed is in the log already.
            let only = some.iter().filter(|one| {
                one.code != STEERED_CODE && others.iter().all(|it| it.code != one.code)
            });
            only.map(|one| (level, format!("{word}: {}", one.text))).collect::<Vec<_>>()
        };
        news.extend(only(new, old, LogLevel::Warn, "suspect"));
        // A reason covers the whole load so far, so a later calm phase may remove it.
        news.extend(only(old, new, LogLevel::Info, "no longer suspect"));
        self.current.apply_snapshot(snapshot);
        let at = self.seconds_since_start(now);
        for (level, text) in news {
            self.current.push_log_line(at, level, text);
        }
    }
}

/// Formats a crossed threshold.
pub fn alarm_text(alarm: &ThresholdAlarm) -> String {
    let millis = |micros: f64| format::three_significant(micros / 1_000.0);
    let now = alarm.value.map_or_else(|| format::MISSING.to_owned(), millis);
    let (limit, since) = (millis(alarm.at_most), format::time_span(alarm.since));
    format!("{} {now} ms > {limit} ms, first at {since}", alarm.metric)
}

/// Expected remaining time of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TimeLeft {
    /// Seconds.
    Seconds(f64),
    /// The run takes longer than was expected.
    Overdue,
    /// All repetitions are done.
    Finishing,
}

/// State of a cell of the sweep's map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapCell {
    /// Not yet begun.
    Waiting,
    /// In progress.
    Running,
    /// Finished, with this judgement.
    Done(Judgement),
    /// Skipped by the operator.
    Skipped,
}
