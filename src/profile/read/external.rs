//! Checks of external servers: their keys, and options that need a server started by hubmark.

use super::reader::ProfileReader;
use crate::{
    plan::{
        THROTTLED,
        external::{ExternalServer, KEYS},
    },
    profile::{Profile, WorkloadKind, keys, problem::ValueProblem, tree::ValueOrigin},
    server::HubKind,
};

impl ProfileReader<'_> {
    /// Reports keys that do not fit the kind of hub.
    pub(super) fn check_external(&mut self, profile: &Profile) {
        if profile.hub.kind != HubKind::External {
            self.reject_external_keys(profile);
            return;
        }
        if !profile.faults.is_empty() {
            self.report_conflict(
                &keys::FAULT,
                "faults are only for servers that hubmark starts itself, and the hub is external",
            );
        }
        if profile.run.footprint {
            self.report_conflict(
                &keys::FOOTPRINT,
                "it starts and kills servers, and the hub is external: leave it out",
            );
        }
        let (mut contained, mut counted) = (false, true);
        for choice in &profile.backends {
            let table = profile.settings.get(&choice.name).cloned().unwrap_or_default();
            match ExternalServer::from_table(&table) {
                Ok(server) => {
                    contained |= server.container.is_some();
                    counted &= server.container.is_some();
                }
                Err(wrong) => {
                    contained = true;
                    for (key, why) in wrong {
                        self.report_backend_key(&choice.name, key, why);
                    }
                }
            }
        }
        if let WorkloadKind::Capacity { objectives, .. } = &profile.workload.kind
            && !counted
            && objectives.iter().any(|objective| objective.metric == THROTTLED)
        {
            self.report_conflict(
                &keys::OBJECTIVES,
                "the time for which an external server is throttled is read from its container, and \
                 none is named: name the container or leave throttled out",
            );
        }
        for key in [&keys::HUB_ENGINE, &keys::HUB_CERTIFICATES] {
            if !contained && self.node(key).is_some() {
                self.report_conflict(
                    key,
                    "on the external hub it locates a server's container, and none is named",
                );
            }
        }
    }

    /// Reports addresses of external servers on another kind of hub: another server would be
    /// measured.
    fn reject_external_keys(&mut self, profile: &Profile) {
        let kind = profile.hub.kind.name();
        for choice in &profile.backends {
            let Some(table) = profile.settings.get(&choice.name) else { continue };
            for key in KEYS {
                if table.contains_key(key) {
                    let why = format!(
                        "it names a server that runs already, and the hub is {kind}: set \
                         hub.kind = \"external\" or leave it out"
                    );
                    self.report_backend_key(&choice.name, key, why);
                }
            }
        }
    }

    fn report_backend_key(&mut self, backend: &str, key: &str, why: String) {
        let path = format!("{backend}.{key}");
        let origin = self.root.at(&path).or_else(|| self.root.at(keys::HUB_KIND.path));
        let origin = origin.map_or(ValueOrigin::START, |(_, node)| node.origin);
        let allowed = self
            .catalogue
            .find(backend)
            .and_then(|info| info.setting(key))
            .map(|key| format!("{}: {}", key.allowed(), key.help));
        self.push_problem(&path, allowed, ValueProblem::new(origin, why));
    }
}
