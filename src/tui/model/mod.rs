//! The state of the screen, and how it changes. Pure: what shall be done leaves as [`Effect`]s.

mod done;
mod field;
mod live;
mod look;
mod palette;
mod setup;
mod travel;
mod watch;

use std::{sync::Arc, time::Duration};

pub use done::{Done, Finished, Range};
pub use field::{Field, FieldKind, durability, exact_bytes, hub};
pub use live::{Cell, Ending, Live, alarm_text};
pub use look::{Panel, Size, View};
pub use palette::Palette;
pub use setup::{Editing, Pane, Preview, Setup};
pub use watch::{Note, Progress, Watch};

use super::{
    keys::Keymap,
    msg::{Effect, Msg},
    outside::{BackendOption, Outcome, ProfileEntry, Request, RunEnd, Stop},
    preferences::Preferences,
    symbols::Symbols,
    theme::Theme,
};
use crate::event::{End, Event};

/// What can be chosen.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Profiles.
    pub profiles: Vec<ProfileEntry>,
    /// Backends.
    pub backends: Vec<BackendOption>,
}

impl Catalog {
    /// The entry of a backend.
    pub fn backend(&self, choice: &crate::plan::BackendChoice) -> Option<&BackendOption> {
        self.backends
            .iter()
            .find(|option| option.choice == *choice)
            .or_else(|| self.backends.iter().find(|option| option.choice.name == choice.name))
    }
}

/// The screen that is shown. The form of [`Setup`] is kept beside it, for the way back.
#[derive(Debug)]
pub enum Screen {
    /// Choose.
    Setup,
    /// Watch.
    Live(Box<Live>),
    /// Read.
    Finished(Box<Finished>),
}

/// What lies over the screen.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// The command palette.
    Palette(Box<Palette>),
    /// The meaning of words and keys, from this line on.
    Help(u16),
    /// How to stop or change the run?
    Stop,
    /// How many repetitions shall be added?
    Add(u32),
    /// Leave although a run is on?
    Quit,
}

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The list of profiles.
    Profiles,
    /// The form.
    Form,
    /// A text field of the form.
    Text,
    /// A list of choices of the form.
    Choices,
    /// A run in progress.
    Live,
    /// The filter of its log.
    Filter,
    /// A run that is over.
    Finished,
    /// The help.
    Help,
    /// The question how to stop or change the run.
    Stop,
    /// The question how many repetitions to add.
    Add,
    /// The question whether to leave.
    Quit,
    /// The command palette.
    Palette,
}

/// Most repetitions that are added at once.
const MOST_ADDED: u32 = 99;

/// Whether a crossed threshold is heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bell {
    /// It is only seen.
    #[default]
    Silent,
    /// The terminal's bell rings.
    Rings,
}

/// The whole state.
#[derive(Debug)]
pub struct Model {
    /// What can be chosen.
    pub catalog: Arc<Catalog>,
    /// The form.
    pub setup: Setup,
    /// The screen that is shown.
    pub screen: Screen,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// The styles.
    pub theme: Theme,
    /// What the terminal can show.
    pub symbols: Symbols,
    /// The keys.
    pub keys: Keymap,
    /// Whether a crossed threshold is heard.
    pub bell: Bell,
    /// The time since the screen's start.
    pub now: Duration,
    /// What the screen will hand back.
    pub outcome: Outcome,
}

impl Model {
    /// The first state, and what has to be done for it.
    pub fn new(catalog: Catalog, preferences: Preferences) -> (Self, Vec<Effect>) {
        let catalog = Arc::new(catalog);
        let setup = Setup::new(Arc::clone(&catalog));
        let effects = setup.ask().into_iter().collect();
        let model = Self {
            catalog,
            setup,
            screen: Screen::Setup,
            overlay: None,
            theme: preferences.theme,
            symbols: preferences.symbols,
            keys: preferences.keys,
            bell: preferences.bell,
            now: Duration::ZERO,
            outcome: Outcome::default(),
        };
        (model, effects)
    }

    /// Where keys go now.
    pub fn place(&self) -> Place {
        match &self.overlay {
            Some(Overlay::Help(_)) => Place::Help,
            Some(Overlay::Stop) => Place::Stop,
            Some(Overlay::Add(_)) => Place::Add,
            Some(Overlay::Quit) => Place::Quit,
            Some(Overlay::Palette(_)) => Place::Palette,
            None => self.place_below(),
        }
    }

    /// Where keys go when nothing lies over the screen.
    pub fn place_below(&self) -> Place {
        match &self.screen {
            Screen::Live(live) if live.look.log.typing.is_some() => Place::Filter,
            Screen::Live(_) => Place::Live,
            Screen::Finished(_) => Place::Finished,
            Screen::Setup => match (&self.setup.editing, self.setup.pane) {
                (Editing::Text(_), _) => Place::Text,
                (Editing::Choices(_), _) => Place::Choices,
                (Editing::Nothing, Pane::Profiles) => Place::Profiles,
                (Editing::Nothing, Pane::Form) => Place::Form,
            },
        }
    }

    /// Applies what happened.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Tick(now) => self.tick(now),
            Msg::Redraw => Vec::new(),
            Msg::Engine(event) => self.engine(*event),
            Msg::EngineGone => self.engine_gone(),
            Msg::Refused(error) => self.end(End::Failed { error }),
            Msg::Previewed(answer) => {
                self.setup.answered(*answer);
                Vec::new()
            }
            Msg::Terminate => self.terminate(),
            Msg::Quit => self.quit(),
            Msg::QuitAfter(stop) => self.quit_after(stop),
            Msg::Abandon => vec![Effect::Quit],
            Msg::Help => {
                self.overlay = match self.overlay {
                    Some(Overlay::Help(_)) => None,
                    _ => Some(Overlay::Help(0)),
                };
                Vec::new()
            }
            Msg::Commands => {
                // Over the help the commands of the place below it are meant.
                let below = self.place_below();
                self.overlay = Some(Overlay::Palette(Box::new(Palette::over(below))));
                Vec::new()
            }
            Msg::NextTheme => {
                self.theme = self.theme.next();
                Vec::new()
            }
            msg => self.here(&msg),
        }
    }

    /// Applies a message that belongs to what is shown: what lies over the screen, or the screen.
    fn here(&mut self, msg: &Msg) -> Vec<Effect> {
        if let Some(overlay) = self.overlay.clone() {
            return self.over(overlay, msg);
        }
        match self.screen {
            Screen::Setup => self.choose(msg),
            Screen::Live(_) => self.watch(msg),
            Screen::Finished(_) => self.read(msg),
        }
    }

    fn tick(&mut self, now: Duration) -> Vec<Effect> {
        self.now = now;
        if let Screen::Live(live) = &mut self.screen {
            live.tick(now);
        }
        Vec::new()
    }

    fn over(&mut self, overlay: Overlay, msg: &Msg) -> Vec<Effect> {
        match (overlay, msg) {
            (Overlay::Help(line), Msg::Down) => {
                let last = crate::tui::view::last_row_of_help(self);
                self.overlay = Some(Overlay::Help((line + 1).min(last)));
            }
            (Overlay::Help(line), Msg::Up) => {
                self.overlay = Some(Overlay::Help(line.saturating_sub(1)));
            }
            (_, Msg::Back) => self.overlay = None,
            (Overlay::Palette(mut palette), msg) => {
                let chosen = palette.update(msg, &self.keys);
                self.overlay = Some(Overlay::Palette(palette));
                if let Some(chosen) = chosen {
                    self.overlay = None;
                    return self.update(chosen);
                }
            }
            (Overlay::Stop, Msg::Stop(stop)) => {
                self.overlay = None;
                return self.stop(*stop);
            }
            (Overlay::Stop, Msg::Skip) => {
                self.overlay = None;
                return self.skip();
            }
            (Overlay::Stop, Msg::AskAdd) => self.overlay = Some(Overlay::Add(1)),
            (Overlay::Add(count), Msg::Up | Msg::Right) => {
                self.overlay = Some(Overlay::Add((count + 1).min(MOST_ADDED)));
            }
            (Overlay::Add(count), Msg::Down | Msg::Left) => {
                self.overlay = Some(Overlay::Add((count - 1).max(1)));
            }
            (Overlay::Add(count), Msg::Accept) => {
                self.overlay = None;
                return self.add(count);
            }
            _ => {}
        }
        Vec::new()
    }

    fn choose(&mut self, msg: &Msg) -> Vec<Effect> {
        if matches!(msg, Msg::Start) {
            let request = self.setup.request();
            return request.map_or_else(Vec::new, |request| self.start(request));
        }
        self.setup.update(msg).into_iter().collect()
    }

    fn watch(&mut self, msg: &Msg) -> Vec<Effect> {
        match (msg, &mut self.screen) {
            (Msg::AskStop, _) => self.overlay = Some(Overlay::Stop),
            (Msg::ToggleBell, _) => {
                self.bell = match self.bell {
                    Bell::Silent => Bell::Rings,
                    Bell::Rings => Bell::Silent,
                };
            }
            (msg, Screen::Live(live)) => live.update(msg),
            _ => {}
        }
        Vec::new()
    }

    fn skip(&mut self) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        let Some(point) = live.skippable() else { return Vec::new() };
        live.skipped.insert(point);
        vec![Effect::Skip(point)]
    }

    fn add(&mut self, count: u32) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        live.added += count;
        vec![Effect::Add(count)]
    }

    fn read(&mut self, msg: &Msg) -> Vec<Effect> {
        let Screen::Finished(finished) = &mut self.screen else { return Vec::new() };
        match msg {
            Msg::Up => finished.select(-1),
            Msg::Down => finished.select(1),
            Msg::Line(point) => finished.selected = *point,
            Msg::Start => {
                let request = finished.request.clone();
                return self.start(request);
            }
            Msg::Accept | Msg::Back => {
                self.screen = Screen::Setup;
                return self.setup.ask().into_iter().collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn start(&mut self, request: Request) -> Vec<Effect> {
        self.overlay = None;
        self.screen = Screen::Live(Box::new(Live::new(request.clone(), self.now)));
        vec![Effect::Start(Box::new(request))]
    }

    fn stop(&mut self, stop: Stop) -> Vec<Effect> {
        match &mut self.screen {
            Screen::Live(live) => {
                live.ending = live.ending.asked(stop);
                vec![Effect::Stop(stop)]
            }
            _ => Vec::new(),
        }
    }

    fn quit(&mut self) -> Vec<Effect> {
        match (&self.screen, &self.overlay) {
            (Screen::Live(_), Some(Overlay::Quit)) => self.quit_after(Stop::Now),
            (Screen::Live(_), _) => {
                self.overlay = Some(Overlay::Quit);
                Vec::new()
            }
            _ => vec![Effect::Quit],
        }
    }

    fn quit_after(&mut self, stop: Stop) -> Vec<Effect> {
        self.overlay = None;
        let Screen::Live(live) = &mut self.screen else { return vec![Effect::Quit] };
        live.ending = Ending::Leave(stop);
        vec![Effect::Stop(stop)]
    }

    fn terminate(&mut self) -> Vec<Effect> {
        self.outcome.terminated = true;
        self.quit_after(Stop::Now)
    }

    fn engine(&mut self, event: Event) -> Vec<Effect> {
        let Screen::Live(live) = &mut self.screen else { return Vec::new() };
        if let Event::Ended { end, record } = event {
            live.record = Some(record);
            return self.end(end);
        }
        let before = live.alarms();
        live.apply(event, self.now);
        let rings = self.bell == Bell::Rings && live.alarms() > before;
        if rings { vec![Effect::Bell] } else { Vec::new() }
    }

    fn engine_gone(&mut self) -> Vec<Effect> {
        match self.screen {
            Screen::Live(_) => self.end(End::Failed {
                error: "the run ended without saying why; its record holds what was finished"
                    .to_owned(),
            }),
            _ => Vec::new(),
        }
    }

    /// The run is over: on to its results, or out.
    fn end(&mut self, end: End) -> Vec<Effect> {
        let Screen::Live(live) = &self.screen else { return Vec::new() };
        let finished = Finished::of(live, end, self.now);
        self.outcome.last = Some(RunEnd {
            end: finished.end.clone(),
            record: finished.record.clone(),
            lost: finished.lost(),
            crossed: finished.crossed(),
        });
        let leave = matches!(live.ending, Ending::Leave(_));
        self.overlay = self.overlay.take().filter(|overlay| matches!(overlay, Overlay::Help(_)));
        self.screen = Screen::Finished(Box::new(finished));
        if leave { vec![Effect::Quit] } else { Vec::new() }
    }
}
