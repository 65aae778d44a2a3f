//! The screen as its operator sees it: keys and events in, frames out.

mod chaos;
mod finished;
mod habits;
mod kept;
mod live;
mod profiles;
mod setup;
mod shelf;
mod steer;
mod stories;
mod travel;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend, style::Color};

use super::{
    fixture::{self, FixturePlanner, FixtureShelf},
    model::{Catalog, Field, Model, Place, Screen},
    msg::{Effect, Msg},
    outside::{Planner, Shelf, Stop},
    preferences::Preferences,
    symbols::Symbols,
    theme::Theme,
    view,
};
use crate::{
    event::{Alarm, End, Event, ImageStep, Level, Phase},
    measure::Vitals,
    plan::{Plan, Step},
    units::{Bytes, Celsius},
};

/// A screen without a terminal and without an engine.
struct Stage {
    model: Model,
    /// Effects other than questions to the planner, which are answered at once.
    effects: Vec<Effect>,
    /// Questions to the records on disk, which are answered at once.
    asked: Vec<super::outside::Ask>,
    now: Duration,
}

impl Stage {
    fn new() -> Self {
        let (model, effects) = Model::new(fixture::catalog(), Preferences::default());
        let mut stage = Self { model, effects: Vec::new(), asked: Vec::new(), now: Duration::ZERO };
        stage.perform(effects);
        stage
    }

    /// A run of `plan` that was just started.
    fn live(plan: &Plan) -> Self {
        let mut stage = Self::new();
        let place =
            stage.model.catalog.profiles.iter().position(|entry| entry.name == plan.profile);
        for _ in 0..place.expect("a profile of the fixture") {
            stage.key(KeyCode::Down);
        }
        stage.key(KeyCode::Enter);
        assert!(matches!(stage.effects.pop(), Some(Effect::Start(_))));
        stage.tell(fixture::beginning(plan));
        stage
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Preview { text, overrides } => {
                    let answer = FixturePlanner.plan(&text, &overrides);
                    self.say(Msg::Previewed(Box::new(answer)));
                }
                Effect::Shelf(ask) => {
                    let before = std::cell::RefCell::new(Vec::new());
                    let told = FixtureShelf.answer(&ask, &|told| before.borrow_mut().push(told));
                    self.asked.push(ask);
                    for told in before.into_inner().into_iter().chain([told]) {
                        self.say(Msg::Shelf(Box::new(told)));
                    }
                }
                other => self.effects.push(other),
            }
        }
    }

    fn say(&mut self, msg: Msg) {
        let effects = self.model.update(msg);
        self.perform(effects);
    }

    fn key(&mut self, code: KeyCode) {
        let pressed = self.model.keys.message(KeyEvent::from(code), self.model.place());
        if let Some(msg) = pressed {
            self.say(msg);
        }
    }

    /// Moves to a field of the form.
    fn select(&mut self, field: Field) {
        let fields = self.model.setup.fields();
        let place = fields.iter().position(|other| *other == field).expect("a field of this form");
        for _ in 0..fields.len() {
            self.key(KeyCode::Up);
        }
        for _ in 0..place {
            self.key(KeyCode::Down);
        }
    }

    /// Gives the selected field another text.
    fn retype(&mut self, text: &str) {
        self.key(KeyCode::Enter);
        for _ in 0..80 {
            self.key(KeyCode::Backspace);
        }
        self.type_text(text);
        self.key(KeyCode::Enter);
    }

    fn type_text(&mut self, text: &str) {
        for symbol in text.chars() {
            self.key(KeyCode::Char(symbol));
        }
    }

    /// Lets the engine tell `events`; a second passes at each snapshot.
    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            if matches!(event, Event::Snapshot(_)) {
                self.pass(1);
            }
            self.say(Msg::Engine(Box::new(event)));
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.say(Msg::Tick(self.now));
    }

    fn terminal(&self, width: u16, height: u16) -> Terminal<TestBackend> {
        let mut terminal =
            Terminal::new(TestBackend::new(width, height)).expect("a test backend never fails");
        terminal.draw(|frame| view::view(&self.model, frame)).expect("a test backend never fails");
        terminal
    }

    /// Holds the frames of these sizes against the kept ones.
    fn frames(&self, name: &str, sizes: &[(u16, u16)]) {
        for (width, height) in sizes {
            let name = format!("{name}_{width}x{height}");
            insta::assert_snapshot!(name, self.frame(*width, *height));
        }
    }

    /// The text of all cells in a style of which `is_it` holds.
    fn cells(&self, width: u16, height: u16, is_it: fn(&ratatui::buffer::Cell) -> bool) -> String {
        let terminal = self.terminal(width, height);
        let cells = terminal.backend().buffer().content().iter().filter(|cell| is_it(cell));
        cells.map(ratatui::buffer::Cell::symbol).collect()
    }

    fn frame(&self, width: u16, height: u16) -> String {
        let terminal = self.terminal(width, height);
        let buffer = terminal.backend().buffer();
        let rows = (0..height).map(|y| {
            let row: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            row.trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n")
    }
}

/// The sizes that have a layout of their own.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn load(stage: &mut Stage, plan: &Plan, position: usize, seconds: u32, median: f64) {
    stage.tell(fixture::repetition_until(plan, position, seconds, median));
}

fn under_load() -> Stage {
    let plan = fixture::sweep();
    let mut stage = Stage::live(&plan);
    load(&mut stage, &plan, 1, 38, 2_100.0);
    stage
}
