//! Changing a field's value: by typing, by turning, by one key.

use tui_input::Input;

use super::{Editing, Field, Setup};
use crate::tui::{
    model::FieldKind,
    msg::{Effect, Msg},
    outside::Ask,
};

/// The server warm-up that one key asks for: what a JVM needs to compile its busy code.
const WARM: &str = "30 s";
/// The study's way.
const COLD: &str = "0 s";

impl Setup {
    pub(super) fn change(&mut self, field: Field, value: String) -> Option<Effect> {
        self.changes.get_mut(self.profile)?.insert(field, value);
        self.ask()
    }

    pub(super) fn open(&mut self) -> Option<Effect> {
        let field = self.selected();
        match field.kind() {
            FieldKind::Text | FieldKind::Worded(_) => {
                let value = self.value(field).unwrap_or_default();
                self.editing = Editing::Text(Input::new(value));
                None
            }
            FieldKind::Choice(_) => self.cycle(1),
            FieldKind::Backends => {
                self.editing = Editing::Choices(0);
                None
            }
            FieldKind::Place => {
                self.editing = Editing::Choices(0);
                Some(Effect::Shelf(Ask::Hubs))
            }
        }
    }

    pub(super) fn cycle(&mut self, by: isize) -> Option<Effect> {
        let field = self.selected();
        let (FieldKind::Choice(words) | FieldKind::Worded(words)) = field.kind() else {
            return None;
        };
        let value = self.value(field).unwrap_or_default();
        let present = value.split(' ').next().unwrap_or_default();
        let next = words.iter().position(|word| *word == present).map_or(0, |place| {
            place.saturating_add_signed(by + words.len().cast_signed()) % words.len()
        });
        let word = *words.get(next)?;
        match (field, field.kind()) {
            (Field::Kind, _) => self.switch(word),
            (_, FieldKind::Worded(_)) => {
                let value = Field::reworded(&value, word);
                self.change_or_keep(field, value);
                self.ask()
            }
            _ => self.change(field, word.to_owned()),
        }
    }

    pub(super) fn toggle_warmup(&mut self) -> Option<Effect> {
        let warm = self.plan.as_ref()?.plan.server_warmup.is_zero();
        let value = if warm { WARM } else { COLD };
        self.change(Field::ServerWarmup, value.to_owned())
    }

    pub(super) fn typing(&mut self, msg: &Msg) -> Option<Effect> {
        let Editing::Text(input) = &mut self.editing else { return None };
        match msg {
            Msg::Type(request) => {
                input.handle(*request);
                let typed = input.value().trim().to_owned();
                self.try_out(&typed)
            }
            Msg::Accept => {
                let value = input.value().trim().to_owned();
                self.editing = Editing::Nothing;
                let field = self.selected();
                let value = field.completed(&value, self.value(field).as_deref());
                if self.value(field).as_deref() == Some(value.as_str()) {
                    return self.ask();
                }
                self.change(field, value)
            }
            Msg::Back => {
                self.editing = Editing::Nothing;
                self.ask()
            }
            _ => None,
        }
    }

    /// Asks what a text would come to while it is still typed.
    fn try_out(&self, typed: &str) -> Option<Effect> {
        let entry = self.entry()?;
        let field = self.selected();
        let mut overrides = self.overrides_but(Some(field));
        if self.is_given(field, typed) {
            let typed = field.completed(typed, self.value(field).as_deref());
            overrides.push(field.given(&typed));
        }
        Some(Effect::Preview { text: entry.text.clone(), overrides })
    }
}
