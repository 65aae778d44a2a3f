//! From one kind of workload to another.

use std::collections::BTreeMap;

use super::{Field, Setup};
use crate::{profile::usual_load, tui::msg::Effect};

/// What fields had in the kinds of workload that were left, by the kind's name.
pub type Left = BTreeMap<(String, Field), String>;

/// The fields that mean something else to each kind.
fn sizes(kind: &str) -> Vec<(Field, Option<String>)> {
    let usual = usual_load(kind);
    let shown = |field: Field| field.among(&usual).or_else(|| field.usual_among(&usual));
    let sized = [Field::Users, Field::Payload, Field::Length];
    sized.into_iter().filter(|field| field.is_of(kind)).map(|field| (field, shown(field))).collect()
}

impl Setup {
    /// Takes another kind of workload. It begins with what it had when it was left, or, unless it
    /// is the file's own, with what such a load usually is.
    pub(super) fn switch(&mut self, kind: &str) -> Option<Effect> {
        let present = self.value(Field::Kind)?;
        let in_file: BTreeMap<Field, String> = Field::ALL
            .into_iter()
            .filter_map(|field| Some((field, self.in_file(field)?)))
            .collect();
        let changes = self.changes.get_mut(self.profile)?;
        let left = self.left.get_mut(self.profile)?;
        for (field, _) in sizes(&present) {
            if let Some(value) = changes.remove(&field) {
                left.insert((present.clone(), field), value);
            }
        }
        for (field, usual) in sizes(kind) {
            let usual = usual.filter(|_| in_file.get(&Field::Kind).is_none_or(|it| it != kind));
            let value = left.remove(&(kind.to_owned(), field)).or(usual);
            if let Some(value) = value.filter(|value| in_file.get(&field) != Some(value)) {
                changes.insert(field, value);
            }
        }
        self.change_or_keep(Field::Kind, kind.to_owned());
        self.ask()
    }

    /// What another kind began with goes with it.
    pub(super) fn back_to_the_file_s_kind(&mut self) {
        let Some(kind) = self.in_file(Field::Kind) else { return };
        let Some(changes) = self.changes.get_mut(self.profile) else { return };
        for (field, _) in sizes(&kind) {
            changes.remove(&field);
        }
    }
}
