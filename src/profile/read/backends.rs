//! Parsing of the backends that a profile names, and of their tables.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::reader::ProfileReader;
use crate::{
    plan::BackendChoice,
    profile::{
        Profile,
        catalogue::{BackendInfo, IMAGE, parse_setting},
        keys,
        problem::ValueProblem,
        tree::{Node, ValueOrigin},
        values::{self, ParseResult},
    },
    server::HubKind,
};

impl ProfileReader<'_> {
    /// Parses the backends as written; `hub` is `None` if the kind of hub is invalid.
    pub(super) fn read_backends(&mut self, hub: Option<HubKind>) -> Option<Vec<BackendChoice>> {
        let read = match self.node(&keys::BACKEND) {
            Some(node) => values::parse_sweep(node, |node| self.parse_backend(node, hub)),
            None => Err(ValueProblem::new(ValueOrigin::START, "this key is missing").into()),
        };
        let problems = match read {
            Ok(backends) => return Some(backends),
            Err(problems) => problems,
        };
        for problem in problems {
            self.push_problem(keys::BACKEND.path, Some(self.describe_known_backends()), problem);
        }
        None
    }

    fn describe_known_backends(&self) -> String {
        let each = self.catalogue.backends().iter().map(|info| match info.versions {
            [] => info.name.to_owned(),
            versions => format!("{} ({})", info.name, versions.join(", ")),
        });
        each.collect::<Vec<_>>().join("; ")
    }

    /// Parses one backend: `name` or `name:version`.
    fn parse_backend(&self, node: &Node, hub: Option<HubKind>) -> ParseResult<Vec<BackendChoice>> {
        let text = values::parse_text(node)?;
        let (name, version) = match text.split_once(':') {
            Some((name, version)) => (name.trim(), Some(version.trim())),
            None => (text.trim(), None),
        };
        let Some(info) = self.catalogue.find(name) else {
            let known = self.catalogue.backends().iter().map(|info| info.name);
            let message = format!("there is no backend {name:?}");
            return Err(ValueProblem::new(node.origin, message).with_nearest(name, known).into());
        };
        let mut problems = Vec::new();
        if let Some(hub) = hub.filter(|hub| !info.hubs.contains(hub)) {
            let kinds: Vec<&str> = info.hubs.iter().map(|kind| kind.name()).collect();
            problems.push(ValueProblem::new(
                node.origin,
                format!(
                    "{name} cannot run on the {} hub, only on {}",
                    hub.name(),
                    values::join_with_or(&kinds),
                ),
            ));
        }
        if let Some(version) = version {
            let message = self.version_problem(info, version, hub);
            problems.extend(message.map(|message| ValueProblem::new(node.origin, message)));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let (name, version) = (name.to_owned(), version.map(str::to_owned));
        Ok(vec![BackendChoice { name, version }])
    }

    fn version_problem(
        &self,
        info: &BackendInfo,
        version: &str,
        hub: Option<HubKind>,
    ) -> Option<String> {
        let name = info.name;
        if hub == Some(HubKind::Local) {
            let message = "on the local hub there is no choice of versions: leave it out";
            return Some(format!("{name}: {message}"));
        }
        if hub == Some(HubKind::External) {
            let message = "the version of an external server cannot be chosen: leave it out";
            return Some(format!("{name}: {message}"));
        }
        let image = self.root.at(&format!("{name}.{IMAGE}")).is_some();
        if image && !version.is_empty() || info.builds(version) {
            return None;
        }
        let known = info.describe_versions();
        let advice = if info.setting(IMAGE).is_some() {
            format!("; any other version needs an image in [{name}]")
        } else {
            String::new()
        };
        Some(format!("{name} has no version {version:?}, only {known}{advice}"))
    }

    /// Reports duplicate backends: `name` and `name:version` may resolve to the same version.
    pub(super) fn check_duplicate_backends(&mut self, profile: &Profile) {
        let resolved: Vec<_> =
            profile.backends.iter().map(|choice| profile.resolve_version(choice)).collect();
        for (index, choice) in resolved.iter().enumerate() {
            if resolved[..index].contains(choice) {
                self.report_conflict(&keys::BACKEND, format!("{choice} is listed twice"));
            }
        }
    }

    /// Parses the tables of all backends, including those not selected: they apply when the
    /// selection changes.
    pub(super) fn read_settings(&mut self) -> BTreeMap<String, Map<String, Json>> {
        let mut settings = BTreeMap::new();
        for info in self.catalogue.backends() {
            if let Some((_, node)) = self.root.at(info.name) {
                settings.insert(info.name.to_owned(), self.read_backend_settings(info, node));
            }
        }
        settings
    }

    fn read_backend_settings(&mut self, info: &BackendInfo, node: &Node) -> Map<String, Json> {
        let mut settings = Map::new();
        for (name, (_, node)) in node.table().into_iter().flatten() {
            // An unknown key is reported by the check of unknown keys.
            let Some(key) = info.setting(name) else { continue };
            let path = format!("{}.{name}", info.name);
            match parse_setting(node, key.kind) {
                Ok(value) => {
                    settings.insert(name.clone(), value);
                }
                Err(problems) => {
                    for problem in problems {
                        self.push_problem(&path, Some(key.allowed()), problem);
                    }
                }
            }
        }
        settings
    }
}
