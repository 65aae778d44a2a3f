//! Editing a field's value: as text, by cycling through choices, by the warm-up key.

use tui_input::Input;

use super::{
    field::{Field, FieldKind},
    form::{Editing, SetupForm},
};
use crate::tui::{
    msg::{Effect, Msg},
    requests::ServiceRequest,
};

/// Server warm-up that the warm-up key sets: the time a JVM needs to compile its busy code.
const WARM_SERVER_WARMUP: &str = "30 s";
/// No server warm-up, as in the study.
const COLD_SERVER_WARMUP: &str = "0 s";

impl SetupForm {
    pub(super) fn change_field(&mut self, field: Field, value: String) -> Option<Effect> {
        self.changes.get_mut(self.profile)?.insert(field, value);
        self.preview_effect()
    }

    pub(super) fn open_field(&mut self) -> Option<Effect> {
        let field = self.selected();
        match field.kind() {
            FieldKind::Text | FieldKind::PrefixedText(_) => {
                let value = self.value(field).unwrap_or_default();
                self.editing = Editing::Text(Input::new(value));
                None
            }
            FieldKind::Choice(_) => self.cycle_choice(1),
            FieldKind::Backends => {
                self.editing = Editing::Choices(0);
                None
            }
            FieldKind::HubCandidates => {
                self.editing = Editing::Choices(0);
                Some(Effect::Service(ServiceRequest::FindHubs))
            }
        }
    }

    pub(super) fn cycle_choice(&mut self, by: isize) -> Option<Effect> {
        let field = self.selected();
        let (FieldKind::Choice(words) | FieldKind::PrefixedText(words)) = field.kind() else {
            return None;
        };
        let value = self.value(field).unwrap_or_default();
        let present = value.split(' ').next().unwrap_or_default();
        let next = words.iter().position(|word| *word == present).map_or(0, |index| {
            index.saturating_add_signed(by + words.len().cast_signed()) % words.len()
        });
        let word = *words.get(next)?;
        match (field, field.kind()) {
            (Field::Kind, _) => self.switch_kind(word),
            (_, FieldKind::PrefixedText(_)) => {
                let value = Field::replace_prefix(&value, word);
                self.set_or_clear_change(field, value);
                self.preview_effect()
            }
            _ => self.change_field(field, word.to_owned()),
        }
    }

    pub(super) fn toggle_warmup(&mut self) -> Option<Effect> {
        let warm = self.last_plan.as_ref()?.plan.server_warmup.is_zero();
        let value = if warm { WARM_SERVER_WARMUP } else { COLD_SERVER_WARMUP };
        self.change_field(Field::ServerWarmup, value.to_owned())
    }

    pub(super) fn update_text(&mut self, msg: &Msg) -> Option<Effect> {
        let Editing::Text(input) = &mut self.editing else { return None };
        match msg {
            Msg::Type(request) => {
                input.handle(*request);
                let typed = input.value().trim().to_owned();
                self.preview_typed(&typed)
            }
            Msg::Accept => {
                let value = input.value().trim().to_owned();
                self.editing = Editing::Nothing;
                let field = self.selected();
                let value = field.complete_typed(&value, self.value(field).as_deref());
                if self.value(field).as_deref() == Some(value.as_str()) {
                    return self.preview_effect();
                }
                self.change_field(field, value)
            }
            Msg::Back => {
                self.editing = Editing::Nothing;
                self.preview_effect()
            }
            _ => None,
        }
    }

    /// Requests a preview of the text that is being typed.
    fn preview_typed(&self, typed: &str) -> Option<Effect> {
        let entry = self.entry()?;
        let field = self.selected();
        let mut overrides = self.overrides_without(Some(field));
        if self.is_override(field, typed) {
            let typed = field.complete_typed(typed, self.value(field).as_deref());
            overrides.push(field.to_override(&typed));
        }
        Some(Effect::Preview { text: entry.text.clone(), overrides })
    }
}
