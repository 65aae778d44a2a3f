//! The state of the screen, and how it changes. Pure: what shall be done leaves as [`Effect`]s.

mod choosing;
mod done;
mod field;
mod images;
mod live;
mod look;
mod opened;
mod palette;
mod reading;
mod setup;
mod shelf;
mod travel;
mod watch;
mod watching;

use std::{sync::Arc, time::Duration};

use tui_input::Input;

pub use done::{Done, Finished, Range};
pub use field::{Field, FieldKind, durability, exact_bytes};
use images::Images;
pub use live::{Cell, Ending, Live, alarm_text};
pub use look::{Panel, Size, View};
pub use opened::{Content, OneRecord, Opened, Page, Row, Tone};
pub use palette::Palette;
pub use setup::{Editing, Pane, Preview, Setup};
pub use shelf::{Shelf, Typing};
pub use watch::{Note, Progress, Watch};

use super::{
    keys::Keymap,
    msg::{Effect, Msg},
    outside::{Ask, BackendOption, Outcome, ProfileEntry},
    preferences::{Preferences, Runs},
    symbols::Symbols,
    theme::{Depth, Theme},
};
use crate::event::End;

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
    /// The records on disk. The list of [`Shelf`] is kept beside it, for the way back.
    Records,
    /// A record, or a comparison.
    Record(Box<Opened>),
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
    /// Delete the selected record, or the chosen profile?
    Remove,
    /// Under which name?
    Name(Naming, Input),
    /// Export the record in which form?
    Export,
}

/// What a name is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// To keep a profile under it.
    SaveAs,
    /// To rename a profile.
    Rename,
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
    /// The list of records.
    Records,
    /// A text in the list of records.
    RecordText,
    /// A record.
    Record,
    /// The question whether to delete a record.
    Remove,
    /// The question in which form to export it.
    Export,
    /// The question for a name.
    Name,
}

/// Most repetitions that are added at once.
const MOST_ADDED: u32 = 99;

/// What the terminal takes of the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pace {
    /// Bytes per second, over the last second or so; `None` until that is known.
    pub bytes_per_second: Option<f64>,
    /// What is known of a terminal that is too slow for the usual frames.
    pub slow: Option<Slow>,
}

/// A slow terminal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slow {
    /// Time between two frames.
    pub each: Duration,
    /// Bytes per second that it took while the last frame was written.
    pub takes: f64,
}

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
    /// Images that are made from the form.
    images: Images,
    /// The list of records.
    pub shelf: Shelf,
    /// What shall be done with the record that is being opened.
    then: Option<Msg>,
    /// The screen that is shown.
    pub screen: Screen,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// The styles.
    pub theme: Theme,
    /// How many colours the terminal shows.
    pub depth: Depth,
    /// What the terminal can show.
    pub symbols: Symbols,
    /// The keys.
    pub keys: Keymap,
    /// Whether a crossed threshold is heard.
    pub bell: Bell,
    /// The time since the screen's start.
    pub now: Duration,
    /// Whose the runs are.
    pub runs: Runs,
    /// What the terminal takes.
    pub pace: Pace,
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
            images: Images::default(),
            shelf: Shelf::default(),
            then: None,
            screen: Screen::Setup,
            overlay: None,
            theme: preferences.theme,
            depth: preferences.depth,
            symbols: preferences.symbols,
            keys: preferences.keys,
            bell: preferences.bell,
            now: Duration::ZERO,
            runs: preferences.runs,
            pace: Pace::default(),
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
            Some(Overlay::Remove) => Place::Remove,
            Some(Overlay::Export) => Place::Export,
            Some(Overlay::Name(..)) => Place::Name,
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
            Screen::Records if self.shelf.typing.is_some() => Place::RecordText,
            Screen::Records => Place::Records,
            Screen::Record(_) => Place::Record,
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
            Msg::Detach => self.detach(),
            Msg::Abandon if self.runs == Runs::Kept => self.detach(),
            Msg::Abandon => vec![Effect::Quit],
            Msg::Shelf(told) => self.told(*told),
            Msg::Pace(pace) => {
                self.pace = pace;
                Vec::new()
            }
            Msg::Suspend => self.suspend(),
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
            Screen::Records => self.browse(msg),
            Screen::Record(_) => self.leaf(msg),
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
            (Overlay::Name(naming, mut input), Msg::Type(request)) => {
                input.handle(*request);
                self.overlay = Some(Overlay::Name(naming, input));
            }
            (Overlay::Name(naming, input), Msg::Accept) => {
                self.overlay = None;
                return self.named(naming, input.value().trim());
            }
            (Overlay::Remove, Msg::Remove) => {
                self.overlay = None;
                if let (Screen::Setup, Some(entry)) = (&self.screen, self.setup.entry()) {
                    return vec![Effect::Shelf(Ask::Forget(entry.name.clone()))];
                }
                let path = self.shelf.selected().map(|head| head.path.clone());
                return path.map(|path| Effect::Shelf(Ask::Remove(path))).into_iter().collect();
            }
            (Overlay::Export, Msg::Export(export)) => {
                self.overlay = None;
                return self.export(*export);
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
}
