//! Reports unknown keys and keys of the wrong kind.

use super::reader::{PASSWORD_KEY, ProfileReader};
use crate::profile::{
    keys::{self, FAULT_KEYS, KEYS, child_names},
    problem::ValueProblem,
    tree::{Node, Value, ValueOrigin},
    values,
};

impl ProfileReader<'_> {
    /// Reports unknown keys and values that must be tables, in the whole profile.
    pub(super) fn check_unknown_keys(&mut self) {
        self.check_table(self.root, "");
    }

    /// Checks the table at `path` (empty for the top) and the tables below it.
    fn check_table(&mut self, node: &Node, path: &str) {
        let Some(table) = node.table() else {
            if !path.is_empty() {
                self.report_not_a_table(node, path);
            }
            return;
        };
        let known = self.known_keys(path);
        for (name, (origin, node)) in table {
            let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if !known.contains(&name.as_str()) {
                self.report_unknown_key(*origin, node, path, name);
            } else if full == keys::THRESHOLDS.path {
                if node.table().is_none() {
                    self.report_not_a_table(node, &full);
                }
            } else if full == keys::FAULT.path {
                // Anything but tables is reported where the faults are parsed.
                let Value::List(faults) = &node.value else { continue };
                for fault in faults.iter().filter(|fault| fault.table().is_some()) {
                    self.check_table(fault, &full);
                }
            } else if self.is_backend(&full) || !child_names(&full).is_empty() {
                self.check_table(node, &full);
            }
        }
    }

    fn report_unknown_key(&mut self, origin: ValueOrigin, node: &Node, path: &str, name: &str) {
        let known = self.known_keys(path);
        let message = if name == PASSWORD_KEY && self.is_backend(path) {
            "a password is not written into a profile: name the variable or the file that holds it"
        } else {
            "this key is not known"
        };
        let mut problem =
            ValueProblem::new(origin, message).with_nearest(name, known.iter().copied());
        // Most similar is also a key of the same name in another table of the profile.
        let of_profile = !child_names(path).is_empty();
        if problem.nearest.is_none() && of_profile && node.table().is_none() {
            let elsewhere = KEYS.iter().find(|key| key.name() == name);
            problem.nearest = elsewhere.map(|key| key.path.to_owned());
        }
        let full = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        self.push_problem(&full, Some(values::join_with_or(&known)), problem);
    }

    fn report_not_a_table(&mut self, node: &Node, path: &str) {
        let allowed = if path == keys::THRESHOLDS.path {
            keys::THRESHOLDS.allowed.to_string()
        } else {
            format!("a table of {}", values::join_with_or(&self.known_keys(path)))
        };
        self.push_problem(path, Some(allowed), ValueProblem::new(node.origin, "expected a table"));
    }

    fn is_backend(&self, name: &str) -> bool {
        self.catalogue.find(name).is_some()
    }

    /// Names allowed in the table at `path`.
    fn known_keys(&self, path: &str) -> Vec<&'static str> {
        if let Some(info) = self.catalogue.find(path) {
            return info.settings.iter().map(|key| key.name).collect();
        }
        if path == keys::FAULT.path {
            return FAULT_KEYS.iter().map(|key| key.name()).collect();
        }
        let mut names = child_names(path);
        if path.is_empty() {
            names.extend(self.catalogue.backends().iter().map(|info| info.name));
        }
        names
    }
}
