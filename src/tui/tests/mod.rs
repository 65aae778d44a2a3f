//! Tests of the screen as the operator uses it: keys and events in, frames out.

mod band;
mod control;
mod detached;
mod finished;
mod history;
mod interface;
mod live;
mod profiles;
mod random_input;
mod reachable;
mod records;
mod setup;
mod steering;
mod stories;
mod tour;
mod way_back;
mod widths;

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend, style::Color};

use super::{
    display_choices::DisplayZone,
    fixture::{self, FixturePlanner, FixtureRecordService},
    keys::InputContext,
    model::{Field, Model, Screen, ServiceResponse},
    msg::{Effect, Msg},
    ports::{Planner, RecordService},
    preferences::Preferences,
    requests::{ServiceRequest, StopMode},
    terminal::{Background, MouseOwner, Symbols},
    theme::Theme,
    view,
};
use crate::{
    event::{EndStatus, Event, ImageProgress, LogLevel, Phase, ThresholdAlarm},
    measure::HostMetrics,
    plan::{HubRequest, Plan, ScheduledRepetition},
    record::{Standstill, StandstillKind},
    units::{Bytes, Celsius},
};

/// Screen without a terminal and an engine.
struct TestScreen {
    model: Model,
    /// Effects other than requests to the planner and the service, which are answered at once.
    effects: Vec<Effect>,
    /// Requests to the service, which are answered at once.
    requests: Vec<ServiceRequest>,
    /// Hubs that were asked what is missing on them, by themselves.
    asked_hubs: Vec<HubRequest>,
    now: Duration,
}

impl TestScreen {
    fn new() -> Self {
        Self::with_preferences(Preferences::default())
    }

    fn with_preferences(preferences: Preferences) -> Self {
        let (model, effects) = Model::new(fixture::catalog(), preferences);
        let mut screen = Self {
            model,
            effects: Vec::new(),
            requests: Vec::new(),
            asked_hubs: Vec::new(),
            now: Duration::ZERO,
        };
        screen.perform(effects);
        screen
    }

    /// Starts a run of `plan`.
    fn start_run(plan: &Plan) -> Self {
        let mut screen = Self::new();
        let index =
            screen.model.catalog.profiles.iter().position(|entry| entry.name == plan.profile);
        for _ in 0..index.expect("a profile of the fixture") {
            screen.key(KeyCode::Down);
        }
        screen.key(KeyCode::Enter);
        assert!(matches!(screen.effects.pop(), Some(Effect::Start(_))));
        screen.send_events(fixture::start_events(plan));
        screen
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Preview { text, overrides } => {
                    let answer = FixturePlanner.plan(&text, &overrides);
                    self.send(Msg::Previewed(Box::new(answer)));
                }
                Effect::Service(request) => {
                    let before = std::cell::RefCell::new(Vec::new());
                    let response = FixtureRecordService
                        .handle(&request, &|response| before.borrow_mut().push(response));
                    match request {
                        ServiceRequest::ReadHubCautions(hub) => self.asked_hubs.push(*hub),
                        request => self.requests.push(request),
                    }
                    for response in before.into_inner().into_iter().chain([response]) {
                        self.respond(response);
                    }
                }
                other => self.effects.push(other),
            }
        }
    }

    fn send(&mut self, msg: Msg) {
        let effects = self.model.update(msg);
        self.perform(effects);
    }

    /// Passes a response of the service to the model.
    fn respond(&mut self, response: ServiceResponse) {
        let effects = self.model.handle_response(response);
        self.perform(effects);
    }

    /// Gives the terminal another size.
    fn resize(&mut self, width: u16, height: u16) {
        self.send(Msg::Resized(width, height));
    }

    fn key(&mut self, code: KeyCode) {
        let pressed = self.model.keys.message(KeyEvent::from(code), self.model.input_context());
        if let Some(msg) = pressed {
            self.send(msg);
        }
    }

    /// Presses the key of this name: a letter, or `enter`, `tab`, `down` and others.
    fn press(&mut self, name: &str) {
        let code = match name {
            "enter" => KeyCode::Enter,
            "tab" => KeyCode::Tab,
            "esc" => KeyCode::Esc,
            "space" => KeyCode::Char(' '),
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pgup" => KeyCode::PageUp,
            "pgdn" => KeyCode::PageDown,
            "back" => KeyCode::Backspace,
            "f5" => KeyCode::F(5),
            letter => {
                let mut letters = letter.chars();
                match (letters.next(), letters.next()) {
                    (Some(letter), None) => KeyCode::Char(letter),
                    _ => panic!("no key {name}"),
                }
            }
        };
        self.key(code);
    }

    /// Chooses an answer of the question by its letter, and gives it.
    fn answer(&mut self, letter: char) {
        self.key(KeyCode::Char(letter));
        self.key(KeyCode::Enter);
    }

    /// Starts the form's plan; a long run after its question.
    fn start(&mut self) {
        self.key(KeyCode::F(5));
        if self.model.input_context() == InputContext::Start {
            self.answer('y');
        }
    }

    /// Selects a field of the form.
    fn select(&mut self, field: Field) {
        let fields = self.model.setup.fields();
        let index = fields.iter().position(|other| *other == field).expect("a field of this form");
        for _ in 0..fields.len() {
            self.key(KeyCode::Up);
        }
        for _ in 0..index {
            self.key(KeyCode::Down);
        }
    }

    /// Replaces the selected field's text.
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

    /// Applies events of the run; a second passes at each snapshot.
    fn send_events(&mut self, events: Vec<Event>) {
        for event in events {
            if matches!(event, Event::Snapshot(_)) {
                self.advance(1);
            }
            self.send(Msg::RunEvent(Box::new(event)));
        }
    }

    fn advance(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.send(Msg::Tick(self.now));
    }

    fn terminal(&self, width: u16, height: u16) -> Terminal<TestBackend> {
        let mut terminal =
            Terminal::new(TestBackend::new(width, height)).expect("a test backend never fails");
        terminal.draw(|frame| view::view(&self.model, frame)).expect("a test backend never fails");
        terminal
    }

    /// Compares the frames of these sizes with the stored snapshots.
    fn assert_frames(&self, name: &str, sizes: &[(u16, u16)]) {
        for (width, height) in sizes {
            let name = format!("{name}_{width}x{height}");
            insta::assert_snapshot!(name, self.frame(*width, *height));
        }
    }

    /// Text of all cells for which `is_it` is true.
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

/// Terminal sizes with different layouts.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn send_load_events(
    screen: &mut TestScreen,
    plan: &Plan,
    position: usize,
    seconds: u32,
    median: f64,
) {
    screen.send_events(fixture::load_events(plan, position, seconds, median));
}

fn under_load() -> TestScreen {
    let plan = fixture::sweep();
    let mut screen = TestScreen::start_run(&plan);
    send_load_events(&mut screen, &plan, 1, 38, 2_100.0);
    screen
}
