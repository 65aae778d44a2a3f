//! What a profile says of servers that run already, and what cannot be asked of them.

use super::Reader;
use crate::{
    plan::{
        THROTTLED,
        external::{ExternalServer, KEYS},
    },
    profile::{Profile, WorkloadKind, keys, problem::Fault},
    server::HubKind,
};

impl Reader<'_> {
    /// Reports what does not fit to the kind of hub.
    pub(super) fn check_external(&mut self, profile: &Profile) {
        if profile.hub.kind != HubKind::External {
            self.refuse_addresses(profile);
            return;
        }
        if !profile.faults.is_empty() {
            self.object(
                &keys::FAULT,
                "a server that hubmark has not started is not harmed, and the hub is external",
            );
        }
        if profile.run.footprint {
            self.object(
                &keys::FOOTPRINT,
                "it starts and kills servers, and the hub is external: leave it out",
            );
        }
        let (mut contained, mut counted) = (false, true);
        for choice in &profile.backends {
            let table = profile.settings.get(&choice.name).cloned().unwrap_or_default();
            match ExternalServer::of(&table) {
                Ok(server) => {
                    contained |= server.container.is_some();
                    counted &= server.container.is_some();
                }
                Err(wrong) => {
                    contained = true;
                    for (key, why) in wrong {
                        self.fault_of(&choice.name, key, why);
                    }
                }
            }
        }
        if let WorkloadKind::Capacity { objectives, .. } = &profile.workload.kind
            && !counted
            && objectives.iter().any(|objective| objective.metric == THROTTLED)
        {
            self.object(
                &keys::OBJECTIVES,
                "nothing counts how long a server that runs already is throttled, unless its \
                 container is named: leave throttled out",
            );
        }
        for key in [&keys::HUB_ENGINE, &keys::HUB_CERTIFICATES] {
            if !contained && self.node(key).is_some() {
                self.object(
                    key,
                    "on the external hub it is where a server's container is, and none is named",
                );
            }
        }
    }

    /// Addresses of servers that nobody would look at: something else would be measured.
    fn refuse_addresses(&mut self, profile: &Profile) {
        let kind = profile.hub.kind.word();
        for choice in &profile.backends {
            let Some(table) = profile.settings.get(&choice.name) else { continue };
            for key in KEYS {
                if table.contains_key(key) {
                    let why = format!(
                        "it names a server that runs already, and the hub is {kind}: set \
                         hub.kind = \"external\" or leave it out"
                    );
                    self.fault_of(&choice.name, key, why);
                }
            }
        }
    }

    fn fault_of(&mut self, backend: &str, key: &str, why: String) {
        let path = format!("{backend}.{key}");
        let place = self.root.at(&path).or_else(|| self.root.at(keys::HUB_KIND.path));
        let place = place.map_or(crate::profile::tree::Place::START, |(_, node)| node.place);
        let allowed = self
            .catalogue
            .find(backend)
            .and_then(|info| info.setting(key))
            .map(|key| format!("{}: {}", key.allowed(), key.help));
        self.note(&path, allowed, Fault::new(place, why));
    }
}
