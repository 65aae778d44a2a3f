//! A run in progress.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    done::Done,
    look::{Look, Panel, Size},
    travel::Travel,
    watch::{Note, Watch},
};
use crate::{
    event::{Alarm, Event, Level, Snapshot},
    format,
    measure::{Judgement, PathCost, Reason},
    plan::{Plan, Point, Step},
    record::Capacity,
    tui::{
        msg::Msg,
        outside::{Request, Stop, Wish},
    },
};

/// What the operator wants to come after the repetition in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// A run in progress. It can be written down, so that another screen can go on with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Live {
    /// What was asked.
    pub request: Request,
    /// What is done: of the request, until the engine says it itself.
    pub plan: Plan,
    /// The record's file, once the engine named it.
    pub record: Option<PathBuf>,
    /// What the way to the hub costs by itself, once it was measured.
    pub path: Option<PathCost>,
    /// What was asked and cannot be done.
    #[serde(skip)]
    pub refused: Option<&'static str>,
    /// Repetitions finished in this run.
    pub done: Vec<Done>,
    /// When the run began.
    pub began: Duration,
    /// Seconds that the run will still take, and when that was said.
    left: (f64, Duration),
    /// The repetition in progress.
    current: Watch,
    /// What each search for a capacity knows, by its number.
    searches: BTreeMap<usize, Capacity>,
    /// The search that learned last.
    learned: Option<usize>,
    /// What the display shows instead of the present.
    travel: Travel,
    /// How the operator looks at it.
    #[serde(skip)]
    pub look: Look,
    /// Points that the operator skipped.
    pub skipped: BTreeSet<usize>,
    /// Repetitions that were added and not yet planned.
    pub added: u32,
    /// What comes after this repetition.
    pub ending: Ending,
}

impl Live {
    /// A run that was just asked for.
    pub fn new(request: Request, now: Duration) -> Self {
        Self {
            plan: request.preview.plan.clone(),
            record: None,
            path: None,
            refused: None,
            done: Vec::new(),
            began: now,
            left: (request.preview.seconds, now),
            current: Watch { now, ..Watch::default() },
            searches: BTreeMap::new(),
            learned: None,
            travel: Travel::default(),
            look: Look::default(),
            skipped: BTreeSet::new(),
            added: 0,
            ending: Ending::GoOn,
            request,
        }
    }

    /// What is shown: the repetition in progress, or what was frozen.
    pub fn shown(&self) -> &Watch {
        self.travel.shown().unwrap_or(&self.current)
    }

    /// Whether the display does not follow the run.
    pub fn is_frozen(&self) -> bool {
        self.travel.shown().is_some()
    }

    /// Whether an earlier repetition is shown.
    pub fn is_earlier(&self) -> bool {
        self.travel.is_earlier()
    }

    /// What tells how the run goes on: of an earlier repetition only its figures are of interest.
    pub fn running(&self) -> &Watch {
        if self.is_earlier() { &self.current } else { self.shown() }
    }

    /// Whether the screen can show the repetition of `step` again.
    pub fn keeps(&self, step: Step) -> bool {
        self.travel.has(step)
    }

    /// The log: as it was when the display was frozen, or as it is.
    pub fn log(&self) -> &[Note] {
        &self.running().log
    }

    /// Thresholds that the repetition in progress crossed so far.
    pub fn alarms(&self) -> usize {
        self.current.snapshot.alarms.len()
    }

    /// What a cell of the sweep's map shows.
    pub fn cell(&self, step: Step) -> Cell {
        match self.done.iter().rev().find(|done| done.step == step) {
            Some(done) => Cell::Done(done.verdict.status),
            None if self.current.step == Some(step) => Cell::Running,
            None if self.skipped.contains(&step.point) => Cell::Skipped,
            None => Cell::Waiting,
        }
    }

    /// The point in progress, if one is and it is not skipped yet.
    pub fn skippable(&self) -> Option<usize> {
        let step = self.current.step?;
        (self.cell(step) == Cell::Running && !self.skipped.contains(&step.point))
            .then_some(step.point)
    }

    /// Applies what the operator does.
    pub fn update(&mut self, msg: &Msg) {
        let map = (self.plan.points.len(), self.plan.repetitions as usize);
        let mut look = std::mem::take(&mut self.look);
        let taken = look.update(msg, self.log(), map);
        self.look = look;
        if taken {
            return;
        }
        match msg {
            Msg::Freeze if self.is_frozen() => self.travel.follow(),
            Msg::Freeze => self.travel.hold(&self.current),
            Msg::Back => self.travel.follow(),
            Msg::Left => self.travel.seek(-1, &self.current),
            Msg::Right => self.travel.seek(1, &self.current),
            Msg::Seek(by) => self.travel.seek(*by, &self.current),
            Msg::Turn(by) => self.travel.turn(*by, &self.current),
            Msg::Accept if self.look.panel == Panel::Map => {
                let (point, repetition) = self.look.cell;
                let step = Step { point, repetition: repetition as u32 };
                if self.current.step == Some(step) {
                    self.travel.follow();
                    self.look.size = Size::Together;
                } else if self.travel.jump(step) {
                    self.look.size = Size::Together;
                }
            }
            _ => {}
        }
    }

    /// Looks at the present, as a screen that has followed from the start does.
    pub fn look_at_present(&mut self) {
        if let Some(step) = self.current.step {
            self.look.cell = (step.point, step.repetition as usize);
        }
    }

    /// Keeps what the operator wants of the run.
    pub fn wished(&mut self, wish: Wish) {
        match wish {
            Wish::Stop(stop) => self.ending = self.ending.asked(stop),
            Wish::Skip(point) => {
                self.skipped.insert(point);
            }
            Wish::Add(count) => self.added += count,
        }
    }

    /// Repetitions done, repetitions in all, and what is done now.
    pub fn progress(&self) -> (usize, usize, &'static str) {
        let phase = self.current.phase.map_or("starting", |(phase, ..)| phase.title());
        (self.done.len(), self.plan.schedule.len(), phase)
    }

    /// The point that is shown.
    pub fn point(&self) -> Option<&Point> {
        self.plan.points.get(self.shown().step?.point)
    }

    /// The searches for a capacity, the one that learned last first.
    pub fn searches(&self) -> impl Iterator<Item = &Capacity> {
        let last = self.learned.and_then(|search| self.searches.get(&search));
        let others = self.searches.iter().filter(|(search, _)| Some(**search) != self.learned);
        last.into_iter().chain(others.map(|(_, capacity)| capacity))
    }

    /// Seconds that the run will still take.
    pub fn seconds_left(&self) -> f64 {
        let (left, said) = self.left;
        (left - self.running().now.saturating_sub(said).as_secs_f64()).max(0.0)
    }

    /// The time goes on.
    pub fn tick(&mut self, now: Duration) {
        self.current.now = now;
    }

    /// Applies what the engine tells.
    pub fn apply(&mut self, event: Event, now: Duration) {
        self.current.now = now;
        match event {
            Event::Started { plan, record, .. } => {
                self.plan = *plan;
                self.record = Some(record);
            }
            Event::Kept { step, repetition } => self.done.push(Done::of(step, &repetition)),
            Event::Hub { place, facts } => self.current.hub = Some((place, *facts)),
            Event::Path(path) => self.path = Some(path),
            Event::Replanned { plan } => {
                self.plan = *plan;
                self.added = 0;
            }
            Event::Repetition { step, position, .. } => {
                self.look.cell = (step.point, step.repetition as usize);
                self.current.begin(step, position);
            }
            Event::Footprint { backend, what } => {
                let text = format!("footprint of {backend}: {what}");
                self.current.aside(text.clone());
                self.current.note(self.since(now), Level::Info, text);
            }
            Event::Phase { phase, seconds } => self.current.enter(phase, seconds),
            Event::Image(step) => {
                let words = step.words();
                self.current.image(step.image, words, step.percent);
            }
            Event::Snapshot(snapshot) => self.snapshot(*snapshot, now),
            Event::Log { level, text } => self.current.note(self.since(now), level, text),
            Event::Finished { step, repetition, seconds_left, .. } => {
                self.done.push(Done::of(step, &repetition));
                self.travel.keep(self.current.clone());
                if let Some(left) = seconds_left {
                    self.left = (left, now);
                }
            }
            Event::Capacity { search, state } => {
                self.current.note(self.since(now), Level::Info, state.progress());
                self.searches.insert(search, *state);
                self.learned = Some(search);
            }
            Event::Ended { .. } => {}
        }
    }

    fn since(&self, now: Duration) -> f64 {
        now.saturating_sub(self.began).as_secs_f64()
    }

    /// Takes a snapshot; what it shows for the first time also goes to the log.
    fn snapshot(&mut self, snapshot: Snapshot, now: Duration) {
        let before = &self.current.snapshot;
        let known = |alarm: &Alarm| before.alarms.iter().any(|old| old.metric == alarm.metric);
        let mut news: Vec<(Level, String)> = snapshot
            .alarms
            .iter()
            .filter(|&alarm| !known(alarm))
            .map(|alarm| (Level::Error, alarm_text(alarm)))
            .collect();
        if snapshot.dropped > 0 && before.dropped == 0 && before.seconds > 0.0 {
            let text = "this screen is too slow for every snapshot; the load does not wait for it";
            news.push((Level::Info, text.to_owned()));
        }
        let held_back = |snapshot: &Snapshot| {
            let hub = snapshot.hub.as_ref();
            hub.is_some_and(|hub| hub.held_back() == Some(true) || hub.under_voltage == Some(true))
        };
        if held_back(&snapshot) && !held_back(before) {
            let text = "the hub is held back by heat or by its supply: the processor is throttled";
            news.push((Level::Error, text.to_owned()));
        }
        let (old, new) = (&before.verdict.reasons, &snapshot.verdict.reasons);
        let only = |some: &[Reason], others: &[Reason], level: Level, word: &str| {
            let only = some.iter().filter(|one| others.iter().all(|it| it.code != one.code));
            only.map(|one| (level, format!("{word}: {}", one.text))).collect::<Vec<_>>()
        };
        news.extend(only(new, old, Level::Warn, "suspect"));
        // A reason is judged over the whole load so far: a busy start may be outweighed.
        news.extend(only(old, new, Level::Info, "no longer suspect"));
        self.current.take(snapshot);
        let at = self.since(now);
        for (level, text) in news {
            self.current.note(at, level, text);
        }
    }
}

/// A crossed threshold in words.
pub fn alarm_text(alarm: &Alarm) -> String {
    let millis = |micros: f64| format::three(micros / 1_000.0);
    let now = alarm.value.map_or_else(|| format::MISSING.to_owned(), millis);
    let (limit, since) = (millis(alarm.at_most), format::span(alarm.since));
    format!("{} {now} ms > {limit} ms, first at {since}", alarm.metric)
}

/// What a cell of the sweep's map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Not yet begun.
    Waiting,
    /// In progress.
    Running,
    /// Over, and judged.
    Done(Judgement),
    /// Will not be executed.
    Skipped,
}
