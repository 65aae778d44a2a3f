//! Updates of the setup screen.

use tui_input::Input;

use crate::tui::{
    model::{
        document::Document,
        question::QuestionKind,
        state::{Model, NamePrompt, Overlay, Screen},
    },
    msg::{Effect, Msg},
    requests::ServiceRequest,
};

impl Model {
    /// Returns to the setup screen, and updates the preview of its plan.
    pub(super) fn show_setup(&mut self) -> Vec<Effect> {
        self.behind.clear();
        self.screen = Screen::Setup;
        self.setup.preview_effect().into_iter().collect()
    }

    pub(super) fn update_setup(&mut self, msg: &Msg) -> Vec<Effect> {
        self.setup.notice = None;
        match msg {
            Msg::Records => return self.show_records(),
            Msg::LastRun => {
                self.show_last_run();
                return Vec::new();
            }
            Msg::Save | Msg::SaveAs | Msg::Rename | Msg::AskRemove => {
                return self.update_profile(msg);
            }
            Msg::CheckHub => return self.check_hub(),
            Msg::Changes => return self.show_changes(),
            Msg::Images => return self.build_images(),
            _ => {}
        }
        if matches!(msg, Msg::Start) {
            let request = self.setup.start_request();
            return request.map_or_else(Vec::new, |request| self.ask_to_start(request));
        }
        self.setup.update(msg).into_iter().collect()
    }

    /// Saves, renames or deletes the chosen profile.
    pub(super) fn update_profile(&mut self, msg: &Msg) -> Vec<Effect> {
        let Some(entry) = self.setup.entry() else { return Vec::new() };
        let (name, own) = (entry.name.clone(), entry.own);
        let initial = || Input::new(if own { name.clone() } else { String::new() });
        match (msg, own) {
            (Msg::Save, true) if self.setup.is_changed(self.setup.profile) => {
                return self.save_profile(name.clone(), true);
            }
            (Msg::Save, true) => self.setup.notice = Some(Ok("no changes to save".to_owned())),
            (Msg::Save, false) | (Msg::SaveAs, _) => {
                self.overlay = Some(Overlay::Name(NamePrompt::SaveAs, initial()));
            }
            (Msg::Rename, true) => {
                self.overlay = Some(Overlay::Name(NamePrompt::Rename, initial()));
            }
            (Msg::AskRemove, true) => self.ask(QuestionKind::Remove),
            _ => {
                let text =
                    "a built-in profile cannot be changed: S saves a copy under another name";
                self.setup.notice = Some(Err(text.to_owned()));
            }
        }
        Vec::new()
    }

    /// Builds the images of the form's plan on its hub, or shows the build in progress.
    fn build_images(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.image_build.is_running() {
            let Some(plan) = self.setup.last_plan.clone().map(|it| it.plan) else {
                return Vec::new();
            };
            self.image_build.start();
            effects.push(Effect::Service(ServiceRequest::BuildImages(Box::new(plan))));
        }
        self.open_screen(Screen::Document(Box::new(self.image_build.page())));
        effects
    }

    /// Shows the differences between the form and the profile's file.
    fn show_changes(&mut self) -> Vec<Effect> {
        let Some(entry) = self.setup.entry() else { return Vec::new() };
        let or_none = |value: String| if value.is_empty() { "none".to_owned() } else { value };
        let unknown = || crate::format::MISSING.to_owned();
        let changes: Vec<_> = self
            .setup
            .differences()
            .into_iter()
            .map(|(field, file, here)| {
                (field.key().into_owned(), file.map_or_else(unknown, or_none), or_none(here))
            })
            .collect();
        let document = Document::changes(&entry.name, &changes);
        self.open_screen(Screen::Document(Box::new(document)));
        Vec::new()
    }

    pub(super) fn save_profile(&self, name: String, replace: bool) -> Vec<Effect> {
        let Some(entry) = self.setup.entry() else { return Vec::new() };
        let (text, overrides) = (entry.text.clone(), self.setup.overrides());
        vec![Effect::Service(ServiceRequest::SaveProfile { name, text, overrides, replace })]
    }

    pub(super) fn apply_name(&mut self, prompt: NamePrompt, name: &str) -> Vec<Effect> {
        let Some(entry) = self.setup.entry() else { return Vec::new() };
        match prompt {
            _ if name.is_empty() => Vec::new(),
            NamePrompt::SaveAs => self.save_profile(name.to_owned(), false),
            NamePrompt::Rename => {
                let from = entry.name.clone();
                vec![Effect::Service(ServiceRequest::RenameProfile { from, to: name.to_owned() })]
            }
        }
    }

    /// Checks the hub and this machine for the form's plan.
    pub(super) fn check_hub(&mut self) -> Vec<Effect> {
        let Some(plan) = self.setup.last_plan.clone().map(|it| it.plan) else { return Vec::new() };
        self.setup.checked_hub = Some(plan.hub.clone());
        self.open_screen(Screen::Document(Box::new(Document::hub_check(&[], false))));
        self.hub_check_number += 1;
        let (number, plan) = (self.hub_check_number, Box::new(plan));
        vec![Effect::Service(ServiceRequest::CheckHub { number, plan })]
    }
}
