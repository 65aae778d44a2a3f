//! Choosing in the form's lists: backends, and places that can be a hub.

use std::sync::Arc;

use tui_input::Input;

use super::{Editing, Field, Setup};
use crate::{
    server::HubKind,
    tui::{
        msg::{Effect, Msg},
        outside::{BackendOption, HubPlace},
    },
};

impl Setup {
    pub(super) fn choosing(&mut self, line: usize, msg: &Msg) -> Option<Effect> {
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

    /// Chooses among the places that were found; the last line is for any other address.
    pub(super) fn placing(&mut self, line: usize, msg: &Msg) -> Option<Effect> {
        let last = self.hubs.as_ref().map_or(0, Vec::len);
        match msg {
            Msg::Up => self.editing = Editing::Choices(line.saturating_sub(1)),
            Msg::Down => self.editing = Editing::Choices((line + 1).min(last)),
            Msg::Back => self.editing = Editing::Nothing,
            Msg::Accept | Msg::Toggle => {
                let place = self.hubs.as_ref().and_then(|hubs| hubs.get(line)).cloned();
                let Some(place) = place else {
                    let value = self.value(Field::Engine).unwrap_or_default();
                    self.editing = Editing::Text(Input::new(value));
                    return None;
                };
                self.editing = Editing::Nothing;
                return self.take_place(place);
            }
            _ => {}
        }
        None
    }

    fn take_place(&mut self, place: HubPlace) -> Option<Effect> {
        let changes = self.changes.get_mut(self.profile)?;
        changes.remove(&Field::Certificates);
        if let Some(folder) = place.certificates {
            changes.insert(Field::Certificates, folder);
        }
        self.change_or_keep(Field::Hub, place.kind.word().to_owned());
        self.change_or_keep(Field::Engine, place.engine.unwrap_or_default());
        self.ask()
    }

    /// A value that the file has already is no change.
    pub(super) fn change_or_keep(&mut self, field: Field, value: String) {
        let same = self.in_file(field).as_deref() == Some(value.as_str());
        let Some(changes) = self.changes.get_mut(self.profile) else { return };
        if same {
            changes.remove(&field);
        } else {
            changes.insert(field, value);
        }
    }

    /// Adds or removes a backend, and moves to a hub on which all the chosen ones can run.
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
        let values: Vec<String> = chosen.iter().map(|option| option.value()).collect();
        let runs_on = |kind: HubKind| chosen.iter().all(|option| option.hubs.contains(&kind));
        let present = self.value(Field::Hub);
        let fits = HubKind::ALL
            .into_iter()
            .filter(|kind| runs_on(*kind))
            .map(HubKind::word)
            .collect::<Vec<_>>();
        if let (Some(first), Some(present)) = (fits.first(), present)
            && !fits.contains(&present.as_str())
        {
            self.changes.get_mut(self.profile)?.insert(Field::Hub, (*first).to_owned());
        }
        self.change(Field::Backend, values.join(", "))
    }
}
