//! What an engine says of itself and of the machine under it.

use bollard::models::{SystemInfo, SystemVersion};

use super::{
    Engine,
    call::{ASK, failed, within},
};
use crate::{hub::HubError, server::HubFacts, units::Bytes};

/// What an operator of Podman should know.
const PODMAN_LACKS: &str = "the engine is Podman: it counts block I/O otherwise than Docker and may \
                            refuse limits that Docker grants; use Docker Engine where they matter";

impl Engine {
    /// Asks the engine what it is.
    pub(super) async fn facts(&self) -> Result<HubFacts, HubError> {
        let what = || failed("asking the engine what it is");
        let info = within(ASK, self.client.info()).await.map_err(what())?;
        let version = within(ASK, self.client.version()).await.map_err(what())?;
        Ok(self.facts_of(info, &version))
    }

    /// What its answers say, and what is known of the way to it.
    pub(super) fn facts_of(&self, info: SystemInfo, version: &SystemVersion) -> HubFacts {
        let api = self.client.client_version();
        let podman = is_podman(version).then(|| PODMAN_LACKS.to_owned());
        HubFacts {
            api: Some(format!("{}.{}", api.major_version, api.minor_version)),
            shared_with_client: self.address.is_local(),
            cautions: self.address.caution().into_iter().chain(podman).collect(),
            ..facts_of(info, version)
        }
    }
}

/// Whether addresses of containers can be reached from this machine: not where the engine runs in
/// a network of its own, rootless or in a virtual machine. Podman does not say among its options
/// that it is rootless: then `owner`, whose its socket is, tells.
pub fn has_reachable_bridge(info: &SystemInfo, podman: bool, owner: Option<u32>) -> bool {
    let rootless = info.security_options.iter().flatten().any(|option| option.contains("rootless"))
        || (podman && owner.is_some_and(|owner| owner != 0));
    let virtual_machine =
        info.operating_system.as_deref().is_some_and(|name| name.contains("Docker Desktop"));
    !rootless && !virtual_machine
}

/// Whether the engine that answers is Podman.
pub fn is_podman(version: &SystemVersion) -> bool {
    let mut components = version.components.iter().flatten();
    components.next().is_some_and(|component| component.name.starts_with("Podman"))
}

fn facts_of(info: SystemInfo, version: &SystemVersion) -> HubFacts {
    let engine = if is_podman(version) { "podman" } else { "docker" };
    let positive =
        |value: Option<i64>| value.and_then(|v| u64::try_from(v).ok()).filter(|&v| v > 0);
    HubFacts {
        cores: positive(info.ncpu).and_then(|cores| u32::try_from(cores).ok()),
        memory: positive(info.mem_total).map(Bytes),
        kernel: info.kernel_version,
        os: info.operating_system,
        architecture: info.architecture,
        cgroup: info.cgroup_version.map(|v| v.to_string()).filter(|v| !v.is_empty()),
        memory_cgroup: info.memory_limit,
        storage_driver: info.driver,
        engine: info.server_version.map(|version| format!("{engine} {version}")),
        ..HubFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_reached_directly_only_where_that_can_work() {
        let info = |json: serde_json::Value| serde_json::from_value::<SystemInfo>(json).unwrap();
        let plain = serde_json::json!({"SecurityOptions": ["name=seccomp,profile=default"], "OperatingSystem": "Debian"});
        assert!(has_reachable_bridge(&info(plain.clone()), false, Some(1000)));
        let rootless = serde_json::json!({"SecurityOptions": ["name=seccomp", "name=rootless"]});
        assert!(!has_reachable_bridge(&info(rootless), false, Some(0)));
        let desktop = serde_json::json!({"OperatingSystem": "Docker Desktop"});
        assert!(!has_reachable_bridge(&info(desktop), false, None));
        assert!(has_reachable_bridge(&info(plain.clone()), true, Some(0)));
        assert!(!has_reachable_bridge(&info(plain.clone()), true, Some(1000)));
    }

    #[test]
    fn facts_are_taken_from_the_engine_and_missing_ones_stay_missing() {
        let info = serde_json::from_value(serde_json::json!({
            "Driver": "overlay2", "MemoryLimit": true, "CgroupVersion": "1", "NCPU": 2,
            "MemTotal": 25_276_100_608_u64, "KernelVersion": "6.18.44", "Architecture": "aarch64",
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "ServerVersion": "20.10.24+dfsg1"
        }))
        .unwrap();
        let facts = facts_of(info, &SystemVersion::default());
        assert_eq!(facts.engine.as_deref(), Some("docker 20.10.24+dfsg1"));
        assert_eq!((facts.cores, facts.memory), (Some(2), Some(Bytes(25_276_100_608))));
        assert_eq!((facts.cgroup.as_deref(), facts.memory_cgroup), (Some("1"), Some(true)));
        assert_eq!((facts.architecture.as_deref(), facts.model), (Some("aarch64"), None));
        let nothing = facts_of(SystemInfo::default(), &SystemVersion::default());
        assert_eq!((nothing.cores, nothing.engine, nothing.memory_cgroup), (None, None, None));
    }
}
