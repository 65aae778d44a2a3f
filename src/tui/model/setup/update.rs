//! Messages to the form: which part handles them, and moving in the form.

use super::{
    field::Field,
    form::{Editing, Pane, Preview, SetupForm},
};
use crate::tui::msg::{Effect, Msg};

/// Largest number of lines by which preview and explanation are scrolled; more than they have.
const MAX_SCROLLED_LINES: usize = 200;

impl SetupForm {
    /// Applies a message; returns an effect, if one is needed.
    pub fn update(&mut self, msg: &Msg) -> Option<Effect> {
        match self.editing {
            Editing::Text(_) => self.update_text(msg),
            Editing::Choices(line) if self.selected() == Field::Engine => {
                self.update_hub_list(line, msg)
            }
            Editing::Choices(line) => self.update_backend_list(line, msg),
            Editing::Nothing => self.update_navigation(msg),
        }
    }

    fn update_navigation(&mut self, msg: &Msg) -> Option<Effect> {
        let scrolled = std::mem::take(&mut self.scrolled_lines);
        match (msg, self.pane) {
            (Msg::Scroll(by), _) => {
                self.scrolled_lines = scrolled.saturating_add_signed(*by).min(MAX_SCROLLED_LINES);
            }
            (Msg::NextPane | Msg::Right, Pane::Profiles) => {
                self.pane = Pane::Form;
            }
            (Msg::PreviousPane, Pane::Profiles) => self.pane = Pane::Form,
            (Msg::NextPane | Msg::PreviousPane | Msg::Back, Pane::Form) => {
                self.pane = Pane::Profiles;
            }
            (Msg::Up, Pane::Profiles) => {
                return self.select_profile(self.profile.saturating_sub(1));
            }
            (Msg::Down, Pane::Profiles) => return self.select_profile(self.profile + 1),
            (Msg::Up, Pane::Form) => self.field = self.field.saturating_sub(1),
            (Msg::Down, Pane::Form) => self.field = (self.field + 1).min(self.last_field()),
            (Msg::Profile(profile), _) => {
                self.pane = Pane::Profiles;
                return self.select_profile(*profile);
            }
            (Msg::Field(field), Pane::Form) if self.field == *field => return self.open_field(),
            (Msg::Field(field), _) => {
                self.pane = Pane::Form;
                self.field = (*field).min(self.last_field());
            }
            (Msg::ToggleWarmup, _) => return self.toggle_warmup(),
            (Msg::Left, Pane::Form) => return self.cycle_choice(-1),
            (Msg::Right | Msg::Toggle, Pane::Form) => return self.cycle_choice(1),
            (Msg::Accept, Pane::Form) => return self.open_field(),
            (Msg::Reset, Pane::Form) => {
                let field = self.selected();
                let changes = self.changes.get_mut(self.profile)?;
                changes.remove(&field)?;
                match field {
                    Field::Engine => {
                        changes.remove(&Field::Certificates);
                    }
                    Field::Kind => self.restore_file_kind(),
                    _ => {}
                }
                return self.preview_effect();
            }
            _ => {}
        }
        None
    }

    fn last_field(&self) -> usize {
        self.fields().len().saturating_sub(1)
    }

    fn select_profile(&mut self, profile: usize) -> Option<Effect> {
        let profile = profile.min(self.catalog.profiles.len().saturating_sub(1));
        if profile == self.profile {
            return None;
        }
        self.profile = profile;
        self.last_plan = None;
        self.preview = Preview::Waiting;
        self.preview_effect()
    }
}
