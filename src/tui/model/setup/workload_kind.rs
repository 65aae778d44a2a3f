//! Switching between kinds of workload.

use std::collections::BTreeMap;

use super::{field::Field, form::SetupForm};
use crate::{profile::default_load, tui::msg::Effect};

/// Returns the fields whose values do not carry over between kinds, with the kind's default values.
fn size_fields(kind: &str) -> Vec<(Field, Option<String>)> {
    let defaults = default_load(kind);
    let default_value =
        |field: Field| field.profile_value(&defaults).or_else(|| field.default_value(&defaults));
    let sized = [Field::Users, Field::Payload, Field::Length];
    sized
        .into_iter()
        .filter(|field| field.applies_to(kind))
        .map(|field| (field, default_value(field)))
        .collect()
}

impl SetupForm {
    /// Switches to another kind of workload. Its fields get the values that they had before switching
    /// away from it, or else the kind's default values, or the file's values if it is the file's kind.
    pub(super) fn switch_kind(&mut self, kind: &str) -> Option<Effect> {
        let present = self.value(Field::Kind)?;
        let in_file: BTreeMap<Field, String> = Field::ALL
            .into_iter()
            .filter_map(|field| Some((field, self.file_value(field)?)))
            .collect();
        let changes = self.changes.get_mut(self.profile)?;
        let saved = self.saved_sizes.get_mut(self.profile)?;
        for (field, _) in size_fields(&present) {
            if let Some(value) = changes.remove(&field) {
                saved.insert((present.clone(), field), value);
            }
        }
        for (field, default) in size_fields(kind) {
            let default = default.filter(|_| in_file.get(&Field::Kind).is_none_or(|it| it != kind));
            let value = saved.remove(&(kind.to_owned(), field)).or(default);
            if let Some(value) = value.filter(|value| in_file.get(&field) != Some(value)) {
                changes.insert(field, value);
            }
        }
        self.set_or_clear_change(Field::Kind, kind.to_owned());
        self.preview_effect()
    }

    /// Clears the changes of the size fields when the kind is reset to the file's.
    pub(super) fn restore_file_kind(&mut self) {
        let Some(kind) = self.file_value(Field::Kind) else { return };
        let Some(changes) = self.changes.get_mut(self.profile) else { return };
        for (field, _) in size_fields(&kind) {
            changes.remove(&field);
        }
    }
}
