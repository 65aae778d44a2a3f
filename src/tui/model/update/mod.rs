//! Transitions of the model: a message or a response changes it and returns effects to perform.

mod live;
mod overlay;
mod records;
mod response;
mod setup;
mod steering;

use std::time::Duration;

use tui_input::InputRequest;

use super::{
    palette::Palette,
    question::{Question, QuestionKind},
    state::{Model, Overlay, Screen},
};
use crate::{
    event::EndStatus,
    tui::{
        display_choices::DisplayChoices,
        keys::InputContext,
        msg::{Effect, Msg},
        requests::ServiceRequest,
    },
};

/// Shown when pasted text met no text field.
const PASTE_HINT: &str = "pasted text has no effect here: open a text field first";
/// Shown when keys came too fast to be meant as commands.
const BURST_HINT: &str = "keys came faster than hands type: taken for pasted text, no effect";

impl Model {
    /// Applies a message and returns the effects to perform.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        if msg.is_input() {
            self.hint = None;
            if self.is_too_small() && !self.acts_unseen(&msg) {
                return Vec::new();
            }
        }
        match msg {
            Msg::Resized(columns, rows) => {
                self.size = (columns, rows);
                Vec::new()
            }
            Msg::Tick(now) => self.tick(now),
            Msg::Redraw => Vec::new(),
            Msg::RunEvent(event) => self.apply_event(*event),
            Msg::RunEventsClosed => self.handle_closed_events(),
            Msg::StartFailed(error) => self.finish_run(EndStatus::Failed { error }),
            Msg::Previewed(answer) => {
                self.setup.set_preview(*answer);
                self.setup.request_hub_cautions().map(Effect::Service).into_iter().collect()
            }
            Msg::Terminate => self.terminate(),
            Msg::Quit => self.quit(),
            Msg::Paste(text) => self.paste(&text),
            Msg::Burst => {
                self.hint = Some(Err(BURST_HINT));
                Vec::new()
            }
            Msg::TerminalPace(pace) => {
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
                // In the help, offer the commands of the screen below.
                let below = self.screen_context();
                self.overlay = Some(Overlay::Palette(Box::new(Palette::new(below))));
                Vec::new()
            }
            Msg::Background(background) => {
                self.background = background;
                self.theme = self.theme.on(background);
                Vec::new()
            }
            Msg::NextTheme => {
                self.theme = self.theme.next().on(self.background);
                self.hint = Some(Ok(format!("theme: {}", self.theme.name())));
                vec![Effect::Remember(self.display_choices())]
            }
            Msg::ToggleMouse => {
                self.mouse = self.mouse.other();
                self.hint = Some(Ok(self.mouse.description().to_owned()));
                vec![Effect::Mouse(self.mouse), Effect::Remember(self.display_choices())]
            }
            msg => self.update_focused(&msg),
        }
    }

    /// Applies a message to the overlay or, without one, to the screen.
    fn update_focused(&mut self, msg: &Msg) -> Vec<Effect> {
        if let Some(overlay) = self.overlay.clone() {
            return self.update_overlay(overlay, msg);
        }
        match self.screen {
            Screen::Setup => self.update_setup(msg),
            Screen::Live(_) => self.update_live(msg),
            Screen::Finished(_) => self.update_finished(msg),
            Screen::Records => self.update_records(msg),
            Screen::Document(_) => self.update_document(msg),
        }
    }

    /// Whether a message may act on a terminal that is too small to show what it does: leaving, the help,
    /// and the answer to whether to leave, which is shown.
    fn acts_unseen(&self, msg: &Msg) -> bool {
        match msg {
            Msg::Quit | Msg::Help | Msg::Back => true,
            Msg::Up | Msg::Down | Msg::Left | Msg::Right | Msg::Choose(_) | Msg::Accept => {
                self.input_context() == InputContext::Quit
            }
            _ => false,
        }
    }

    /// What is remembered for the next session.
    const fn display_choices(&self) -> DisplayChoices {
        DisplayChoices { theme: self.theme, mouse: self.mouse }
    }

    /// Shows a screen from which Esc returns to the present one.
    fn open_screen(&mut self, screen: Screen) {
        self.behind.push(std::mem::replace(&mut self.screen, screen));
    }

    /// Returns to the screen behind the shown one, or to the setup screen.
    fn go_back(&mut self) -> Vec<Effect> {
        match self.behind.pop() {
            None | Some(Screen::Setup) => self.show_setup(),
            Some(Screen::Records) => {
                self.screen = Screen::Records;
                vec![Effect::Service(ServiceRequest::ListRecords)]
            }
            Some(screen) => {
                self.screen = screen;
                Vec::new()
            }
        }
    }

    /// Asks a question whose answer Enter gives.
    fn ask(&mut self, kind: QuestionKind) {
        self.overlay = Some(Overlay::Question(Question::new(kind, self.run_owner)));
    }

    /// Inserts pasted text into the open text field, as one line without control characters; without such
    /// a field, pasted text has no effect, because its letters would be commands.
    fn paste(&mut self, text: &str) -> Vec<Effect> {
        if !self.input_context().edits_text() {
            self.hint = Some(Err(PASTE_HINT));
            return Vec::new();
        }
        let line = text.trim_start_matches(['\r', '\n']).split(['\r', '\n']).next().unwrap_or("");
        let symbols = line.chars().filter(|symbol| !symbol.is_control());
        symbols.flat_map(|it| self.update(Msg::Type(InputRequest::InsertChar(it)))).collect()
    }

    fn tick(&mut self, now: Duration) -> Vec<Effect> {
        self.now = now;
        if let Screen::Live(live) = &mut self.screen {
            live.tick(now);
        }
        Vec::new()
    }
}
