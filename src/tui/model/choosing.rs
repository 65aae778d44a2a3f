//! What happens on the setup screen.

use tui_input::Input;

use super::{Model, Naming, Opened, Overlay, Screen};
use crate::tui::{
    msg::{Effect, Msg},
    outside::Ask,
};

impl Model {
    pub(super) fn choose(&mut self, msg: &Msg) -> Vec<Effect> {
        self.setup.word = None;
        match msg {
            Msg::Records => return self.records(),
            Msg::Save | Msg::SaveAs | Msg::Rename | Msg::AskRemove => return self.keep(msg),
            Msg::CheckHub => return self.check(),
            Msg::Changes => return self.changes(),
            Msg::Images => return self.make_images(),
            _ => {}
        }
        if matches!(msg, Msg::Start) {
            let request = self.setup.request();
            return request.map_or_else(Vec::new, |request| self.start(request));
        }
        self.setup.update(msg).into_iter().collect()
    }

    /// Keeps, renames or deletes the chosen profile.
    pub(super) fn keep(&mut self, msg: &Msg) -> Vec<Effect> {
        let Some(entry) = self.setup.entry() else { return Vec::new() };
        let (name, own) = (entry.name.clone(), entry.own);
        let blank = || Input::new(if own { name.clone() } else { String::new() });
        match (msg, own) {
            (Msg::Save, true) if self.setup.is_changed(self.setup.profile) => {
                return self.save(name.clone(), true);
            }
            (Msg::Save, true) => self.setup.word = Some(Ok("nothing was changed".to_owned())),
            (Msg::Save, false) | (Msg::SaveAs, _) => {
                self.overlay = Some(Overlay::Name(Naming::SaveAs, blank()));
            }
            (Msg::Rename, true) => self.overlay = Some(Overlay::Name(Naming::Rename, blank())),
            (Msg::AskRemove, true) => self.overlay = Some(Overlay::Remove),
            _ => {
                let text = "a built-in profile stays as it is: S keeps a copy under another name";
                self.setup.word = Some(Err(text.to_owned()));
            }
        }
        Vec::new()
    }

    /// Makes the images of the form's plan on its hub; while that goes on, shows how far it is.
    fn make_images(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.images.are_made() {
            let Some(plan) = self.setup.plan.clone().map(|it| it.plan) else { return Vec::new() };
            self.images.begin();
            effects.push(Effect::Shelf(Ask::Build(Box::new(plan))));
        }
        self.screen = Screen::Record(Box::new(self.images.page()));
        effects
    }

    /// Shows what the form changes of the profile's file.
    fn changes(&mut self) -> Vec<Effect> {
        let Some(entry) = self.setup.entry() else { return Vec::new() };
        let said = |value: String| if value.is_empty() { "none".to_owned() } else { value };
        let unknown = || crate::format::MISSING.to_owned();
        let changes: Vec<_> = self
            .setup
            .differences()
            .into_iter()
            .map(|(field, file, here)| {
                (field.key().to_owned(), file.map_or_else(unknown, said), said(here))
            })
            .collect();
        self.screen = Screen::Record(Box::new(Opened::changes(&entry.name, &changes)));
        Vec::new()
    }

    pub(super) fn save(&self, name: String, replace: bool) -> Vec<Effect> {
        let Some(entry) = self.setup.entry() else { return Vec::new() };
        let (text, overrides) = (entry.text.clone(), self.setup.overrides());
        vec![Effect::Shelf(Ask::Keep { name, text, overrides, replace })]
    }

    pub(super) fn named(&mut self, naming: Naming, name: &str) -> Vec<Effect> {
        let Some(entry) = self.setup.entry() else { return Vec::new() };
        match naming {
            _ if name.is_empty() => Vec::new(),
            Naming::SaveAs => self.save(name.to_owned(), false),
            Naming::Rename => {
                let from = entry.name.clone();
                vec![Effect::Shelf(Ask::Rename { from, to: name.to_owned() })]
            }
        }
    }

    /// Asks whether everything is ready for the form's plan.
    pub(super) fn check(&mut self) -> Vec<Effect> {
        let Some(plan) = self.setup.plan.clone().map(|it| it.plan) else { return Vec::new() };
        self.screen = Screen::Record(Box::new(Opened::check(None)));
        vec![Effect::Shelf(Ask::Check(Box::new(plan)))]
    }
}
