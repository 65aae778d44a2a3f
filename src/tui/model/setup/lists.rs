//! Lists of the form: backends and hubs.

use std::sync::Arc;

use tui_input::Input;

use super::{
    field::Field,
    form::{Editing, SetupForm},
};
use crate::{
    server::HubKind,
    tui::{
        msg::{Effect, Msg},
        requests::{BackendOption, HubCandidate},
    },
};

impl SetupForm {
    pub(super) fn update_backend_list(&mut self, line: usize, msg: &Msg) -> Option<Effect> {
        let last = self.catalog.backends.len().saturating_sub(1);
        match msg {
            Msg::Up => self.editing = Editing::Choices(line.saturating_sub(1)),
            Msg::Down => self.editing = Editing::Choices((line + 1).min(last)),
            Msg::Toggle => return self.toggle_backend(line),
            Msg::Accept => {
                self.editing = Editing::Nothing;
                if self.backends().is_empty() {
                    return self.toggle_backend(line);
                }
            }
            Msg::Back => self.editing = Editing::Nothing,
            _ => {}
        }
        None
    }

    /// Handles a message in the list of hubs; its last line is for typing another address.
    pub(super) fn update_hub_list(&mut self, line: usize, msg: &Msg) -> Option<Effect> {
        let last = self.hubs.as_ref().map_or(0, Vec::len);
        match msg {
            Msg::Up => self.editing = Editing::Choices(line.saturating_sub(1)),
            Msg::Down => self.editing = Editing::Choices((line + 1).min(last)),
            Msg::Back => self.editing = Editing::Nothing,
            Msg::Accept | Msg::Toggle => {
                let hub = self.hubs.as_ref().and_then(|hubs| hubs.get(line)).cloned();
                let Some(hub) = hub else {
                    let value = self.value(Field::Engine).unwrap_or_default();
                    self.editing = Editing::Text(Input::new(value));
                    return None;
                };
                self.editing = Editing::Nothing;
                return self.choose_hub(hub);
            }
            _ => {}
        }
        None
    }

    fn choose_hub(&mut self, hub: HubCandidate) -> Option<Effect> {
        let changes = self.changes.get_mut(self.profile)?;
        changes.remove(&Field::Certificates);
        if let Some(folder) = hub.certificates {
            changes.insert(Field::Certificates, folder);
        }
        self.set_or_clear_change(Field::Hub, hub.kind.name().to_owned());
        self.set_or_clear_change(Field::Engine, hub.engine.unwrap_or_default());
        self.preview_effect()
    }

    /// Sets a change, or clears it if the value is the file's.
    pub(super) fn set_or_clear_change(&mut self, field: Field, value: String) {
        let same = self.file_value(field).as_deref() == Some(value.as_str());
        let Some(changes) = self.changes.get_mut(self.profile) else { return };
        if same {
            changes.remove(&field);
        } else {
            changes.insert(field, value);
        }
    }

    /// Adds or removes a backend, and switches to a kind of hub on which all chosen backends can run.
    fn toggle_backend(&mut self, line: usize) -> Option<Effect> {
        let catalog = Arc::clone(&self.catalog);
        let toggled = catalog.backends.get(line)?;
        let chosen = self.backends();
        let removed = chosen.contains(&toggled);
        let chosen: Vec<&BackendOption> = catalog
            .backends
            .iter()
            .filter(|option| if *option == toggled { !removed } else { chosen.contains(option) })
            .collect();
        let values: Vec<String> =
            chosen.iter().map(|option| option.choice.profile_value()).collect();
        let runs_on = |kind: HubKind| chosen.iter().all(|option| option.hubs.contains(&kind));
        let present = self.value(Field::Hub);
        let fits = HubKind::ALL
            .into_iter()
            .filter(|kind| runs_on(*kind))
            .map(HubKind::name)
            .collect::<Vec<_>>();
        if let (Some(first), Some(present)) = (fits.first(), present)
            && !fits.contains(&present.as_str())
        {
            self.changes.get_mut(self.profile)?.insert(Field::Hub, (*first).to_owned());
        }
        self.change_field(Field::Backend, values.join(", "))
    }
}
