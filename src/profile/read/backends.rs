//! The backends that a profile names, and their own tables.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{PASSWORD, Reader};
use crate::{
    plan::BackendChoice,
    profile::{
        Profile,
        catalogue::{BackendInfo, IMAGE},
        keys,
        problem::{Fault, nearest},
        tree::{Node, Place},
        values::{self, Read},
    },
    server::HubKind,
};

impl Reader<'_> {
    /// The backends as they are written; `hub` is `None` when there is a problem with it.
    pub(super) fn backends(&mut self, hub: Option<HubKind>) -> Option<Vec<BackendChoice>> {
        let read = match self.node(&keys::BACKEND) {
            Some(node) => values::sweep(node, |node| self.backend(node, hub)),
            None => Err(Fault::new(Place::START, "this key is missing").into()),
        };
        let faults = match read {
            Ok(backends) => return Some(backends),
            Err(faults) => faults,
        };
        for fault in faults {
            self.note(keys::BACKEND.path, Some(self.known_backends()), fault);
        }
        None
    }

    fn known_backends(&self) -> String {
        let each = self.catalogue.backends().iter().map(|info| match info.versions {
            [] => info.name.to_owned(),
            versions => format!("{} ({})", info.name, versions.join(", ")),
        });
        each.collect::<Vec<_>>().join("; ")
    }

    /// One backend: `name` or `name:version`.
    fn backend(&self, node: &Node, hub: Option<HubKind>) -> Read<Vec<BackendChoice>> {
        let text = values::text(node)?;
        let (name, version) = match text.split_once(':') {
            Some((name, version)) => (name.trim(), Some(version.trim())),
            None => (text.trim(), None),
        };
        let Some(info) = self.catalogue.find(name) else {
            let mut fault = Fault::new(node.place, format!("there is no backend {name:?}"));
            let known = self.catalogue.backends().iter().map(|info| info.name);
            fault.nearest = nearest(name, known).map(str::to_owned);
            return Err(fault.into());
        };
        let mut faults = Vec::new();
        if let Some(hub) = hub.filter(|hub| !info.hubs.contains(hub)) {
            let kinds: Vec<&str> = info.hubs.iter().map(|kind| kind.word()).collect();
            faults.push(Fault::new(
                node.place,
                format!(
                    "{name} cannot run on the {} hub, only on {}",
                    hub.word(),
                    values::one_of(&kinds),
                ),
            ));
        }
        if let Some(version) = version {
            let message = self.wrong_version(info, version, hub);
            faults.extend(message.map(|message| Fault::new(node.place, message)));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let (name, version) = (name.to_owned(), version.map(str::to_owned));
        Ok(vec![BackendChoice { name, version }])
    }

    fn wrong_version(
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
            let message = "a server that runs already has a version of its own: leave it out";
            return Some(format!("{name}: {message}"));
        }
        let image = self.root.at(&format!("{name}.{IMAGE}")).is_some();
        if image && !version.is_empty() || info.builds(version) {
            return None;
        }
        let known = info.known_versions();
        let advice = if info.setting(IMAGE).is_some() {
            format!("; another one needs an image in [{name}]")
        } else {
            String::new()
        };
        Some(format!("{name} has no version {version:?} here, but {known}{advice}"))
    }

    /// `name` and `name:version` may be the same server.
    pub(super) fn check_backends_differ(&mut self, profile: &Profile) {
        let resolved: Vec<_> =
            profile.backends.iter().map(|choice| profile.resolved(choice)).collect();
        for (index, choice) in resolved.iter().enumerate() {
            if resolved[..index].contains(choice) {
                self.object(&keys::BACKEND, format!("{choice} is there twice"));
            }
        }
    }

    /// The tables of all backends, those of the profile's other backends included: they are kept
    /// for the day when the choice changes.
    pub(super) fn settings(&mut self) -> BTreeMap<String, Map<String, Json>> {
        let mut settings = BTreeMap::new();
        for info in self.catalogue.backends() {
            if let Some((_, node)) = self.root.at(info.name) {
                settings.insert(info.name.to_owned(), self.settings_of(info, node));
            }
        }
        settings
    }

    fn settings_of(&mut self, info: &BackendInfo, node: &Node) -> Map<String, Json> {
        let mut settings = Map::new();
        for (name, (place, node)) in node.table().into_iter().flatten() {
            let path = format!("{}.{name}", info.name);
            let Some(key) = info.setting(name) else {
                let known: Vec<&str> = info.settings.iter().map(|key| key.name).collect();
                let why = if name == PASSWORD {
                    "a password is not written into a profile: name the variable or the file that \
                     holds it"
                } else {
                    "this key is not known"
                };
                let mut fault = Fault::new(*place, why);
                fault.nearest = nearest(name, known.iter().copied()).map(str::to_owned);
                self.note(&path, Some(values::one_of(&known)), fault);
                continue;
            };
            match values::setting(node, key.kind) {
                Ok(value) => {
                    settings.insert(name.clone(), value);
                }
                Err(faults) => {
                    for fault in faults {
                        self.note(&path, Some(key.allowed()), fault);
                    }
                }
            }
        }
        settings
    }
}
