//! Names that nobody knows, and tables that are none.

use super::Reader;
use crate::profile::{
    keys::{self, KEYS, children, last},
    problem::{Fault, nearest},
    tree::Node,
    values,
};

impl Reader<'_> {
    /// Reports unknown keys in the table at `path` (empty for the top) and below it.
    pub(super) fn check_names(&mut self, node: &Node, path: &str) {
        let Some(table) = node.table() else {
            if !path.is_empty() {
                self.report_not_a_table(node, path);
            }
            return;
        };
        for (name, (place, node)) in table {
            let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if full == keys::THRESHOLDS.path || (path.is_empty() && self.is_backend(name)) {
                if node.table().is_none() {
                    self.report_not_a_table(node, &full);
                }
            } else if KEYS.iter().any(|key| key.path == full) {
                // Its value is read elsewhere.
            } else if children(&full).is_empty() {
                let mut fault = Fault::new(*place, "this key is not known");
                fault.nearest = self.nearest_key(name, path, node);
                let allowed = values::one_of(&self.known(path));
                self.note(&full, Some(allowed), fault);
            } else {
                self.check_names(node, &full);
            }
        }
    }

    fn report_not_a_table(&mut self, node: &Node, path: &str) {
        let allowed = if path == keys::THRESHOLDS.path {
            keys::THRESHOLDS.allowed.to_owned()
        } else {
            format!("a table of {}", values::one_of(&self.known(path)))
        };
        self.note(path, Some(allowed), Fault::new(node.place, "a table is wanted here"));
    }

    fn is_backend(&self, name: &str) -> bool {
        self.catalogue.find(name).is_some()
    }

    /// The names that may stand in the table at `path`.
    fn known(&self, path: &str) -> Vec<&'static str> {
        if let Some(info) = self.catalogue.find(path) {
            return info.settings.iter().map(|key| key.name).collect();
        }
        let mut names = children(path);
        if path.is_empty() {
            names.extend(self.catalogue.backends().iter().map(|info| info.name));
        }
        names
    }

    /// The known key that was meant: one of the same table, or one of the same name elsewhere.
    fn nearest_key(&self, name: &str, path: &str, node: &Node) -> Option<String> {
        let known = self.known(path);
        if let Some(near) = nearest(name, known.iter().copied()) {
            return Some(near.to_owned());
        }
        let elsewhere = KEYS.iter().find(|key| last(key.path) == name && node.table().is_none())?;
        Some(elsewhere.path.to_owned())
    }
}
