//! The model: everything that the screen shows.

use std::{sync::Arc, time::Duration};

use tui_input::Input;

use super::{
    document::Document,
    finished_run::FinishedRun,
    image_build::ImageBuild,
    live::LiveRun,
    outcome::TuiOutcome,
    palette::Palette,
    question::{Question, QuestionKind},
    record_list::RecordList,
    setup::{Editing, Pane, SetupForm},
    tour::{Tour, TourStep},
};
use crate::tui::{
    display_choices::DisplayZone,
    keys::{InputContext, Keymap},
    msg::{Effect, Msg},
    preferences::{Bell, Preferences, RunOwner, ShowTour},
    requests::{Catalog, StartRequest},
    terminal::{Background, MouseOwner, Multiplexer, Symbols, TerminalPace},
    theme::{ColourDepth, Theme},
};

/// Smallest terminal that shows the screen, in columns and rows.
pub const MIN_SIZE: (u16, u16) = (60, 20);

/// The screen that is shown. [`SetupForm`] is stored separately, so that returning to it restores it.
#[derive(Debug)]
pub enum Screen {
    /// Form to set up a run.
    Setup,
    /// Run in progress.
    Live(Box<LiveRun>),
    /// Results of a finished run.
    Finished(Box<FinishedRun>),
    /// Records on disk. [`RecordList`] is stored separately, so that returning to it restores it.
    Records,
    /// A record, a comparison, a hub check or another document.
    Document(Box<Document>),
}

/// Dialog or help over the screen.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// The command palette.
    Palette(Box<Palette>),
    /// The help, scrolled to this line.
    Help(u16),
    /// Question whose answer is given by Enter.
    Question(Question),
    /// Step of the tour.
    Tour(TourStep),
    /// Question how many repetitions to add.
    Add(u32),
    /// Input of a profile's name.
    Name(NamePrompt, Input),
    /// Question for the record's export format.
    Export,
}

/// Purpose of the name that is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamePrompt {
    /// Save the profile under that name.
    SaveAs,
    /// Rename the profile.
    Rename,
}

/// Complete state of the screen.
#[derive(Debug)]
pub struct Model {
    /// Profiles and backends to choose from.
    pub catalog: Arc<Catalog>,
    /// The form.
    pub setup: SetupForm,
    /// Image build that was started from the form.
    pub(super) image_build: ImageBuild,
    /// Number of the last request to check a hub.
    pub(super) hub_check_number: u64,
    /// The list of records.
    pub record_list: RecordList,
    /// Message to apply to the record that is being opened, once it is open.
    pub(super) after_open: Option<Msg>,
    /// The screen that is shown.
    pub screen: Screen,
    /// Screens behind the shown one, to which Esc returns; the last one first.
    pub(super) behind: Vec<Screen>,
    /// Results of the last run, after the setup screen was shown again.
    pub(super) last_finished: Option<Box<FinishedRun>>,
    /// Run to start when the question is answered.
    pub(super) pending_start: Option<Box<StartRequest>>,
    /// Dialog or help over the screen.
    pub overlay: Option<Overlay>,
    /// Theme.
    pub theme: Theme,
    /// Background of the terminal, as far as known.
    pub background: Background,
    /// Colour depth of the terminal.
    pub depth: ColourDepth,
    /// Size of the terminal in columns and rows.
    pub size: (u16, u16),
    /// Symbols that the terminal can show.
    pub symbols: Symbols,
    /// What is between this program and the operator's terminal.
    pub multiplexer: Multiplexer,
    /// Key map.
    pub keys: Keymap,
    /// Whether a crossed threshold rings the bell.
    pub bell: Bell,
    /// Time since the screen's start, or since the start of an attached run.
    pub now: Duration,
    /// Which process executes the runs.
    pub run_owner: RunOwner,
    /// Throughput of the terminal.
    pub pace: TerminalPace,
    /// Steps of the tour that were not shown yet.
    pub(super) tour: Tour,
    /// What the last input did, or why it had no effect; shown until the next input.
    pub hint: Option<Result<String, &'static str>>,
    /// Whether the screen or the terminal handles the mouse.
    pub mouse: MouseOwner,
    /// Time zone of the times on the screen.
    pub time_zone: DisplayZone,
    /// Result that the screen returns.
    pub outcome: TuiOutcome,
}

impl Model {
    /// Creates the initial state and the effects that it requires.
    pub fn new(catalog: Catalog, preferences: Preferences) -> (Self, Vec<Effect>) {
        let catalog = Arc::new(catalog);
        let setup = SetupForm::new(Arc::clone(&catalog));
        let effects = setup.preview_effect().into_iter().collect();
        let mut tour = match preferences.tour {
            ShowTour::Yes => Tour::whole(),
            ShowTour::No => Tour::default(),
        };
        let first_step = tour.take(TourStep::Setup).map(Overlay::Tour);
        let model = Self {
            catalog,
            setup,
            image_build: ImageBuild::default(),
            hub_check_number: 0,
            record_list: RecordList::default(),
            after_open: None,
            screen: Screen::Setup,
            behind: Vec::new(),
            last_finished: None,
            pending_start: None,
            overlay: first_step,
            theme: preferences.theme,
            background: Background::default(),
            depth: preferences.depth,
            size: MIN_SIZE,
            symbols: preferences.symbols,
            multiplexer: preferences.multiplexer,
            keys: preferences.keys,
            bell: preferences.bell,
            now: Duration::ZERO,
            run_owner: preferences.run_owner,
            pace: TerminalPace::default(),
            tour,
            hint: None,
            mouse: preferences.mouse,
            time_zone: preferences.time_zone,
            outcome: TuiOutcome::default(),
        };
        (model, effects)
    }

    /// Whether the terminal is too small to show what a key would do.
    pub fn is_too_small(&self) -> bool {
        self.size.0 < MIN_SIZE.0 || self.size.1 < MIN_SIZE.1
    }

    /// Run that the open question asks about.
    pub fn pending_start(&self) -> Option<&StartRequest> {
        self.pending_start.as_deref()
    }

    /// Context that receives keys.
    pub fn input_context(&self) -> InputContext {
        match &self.overlay {
            Some(Overlay::Help(_)) => InputContext::Help,
            Some(Overlay::Question(question)) => match question.kind {
                QuestionKind::Stop => InputContext::Stop,
                QuestionKind::Quit => InputContext::Quit,
                QuestionKind::Remove => InputContext::Remove,
                QuestionKind::Start => InputContext::Start,
                QuestionKind::Unsaved => InputContext::Unsaved,
                QuestionKind::Fault(_) => InputContext::Fault,
            },
            Some(Overlay::Tour(_)) => InputContext::Tour,
            Some(Overlay::Add(_)) => InputContext::Add,
            Some(Overlay::Export) => InputContext::Export,
            Some(Overlay::Name(..)) => InputContext::Name,
            Some(Overlay::Palette(_)) => InputContext::Palette,
            None => self.screen_context(),
        }
    }

    /// Context that receives keys when no overlay is open.
    pub fn screen_context(&self) -> InputContext {
        match &self.screen {
            Screen::Live(live) if live.display.log.typing.is_some() => InputContext::Filter,
            Screen::Live(_) => InputContext::Live,
            Screen::Finished(_) => InputContext::Finished,
            Screen::Records if self.record_list.typing.is_some() => InputContext::RecordInput,
            Screen::Records => InputContext::Records,
            Screen::Document(_) => InputContext::Document,
            Screen::Setup => match (&self.setup.editing, self.setup.pane) {
                (Editing::Text(_), _) => InputContext::Text,
                (Editing::Choices(_), _) => InputContext::Choices,
                (Editing::Nothing, Pane::Profiles) => InputContext::Profiles,
                (Editing::Nothing, Pane::Form) => InputContext::Form,
            },
        }
    }
}
