//! Extracts facts about an engine and its machine from the engine's answers.

use bollard::models::{SystemInfo, SystemVersion};

use crate::{server::HubFacts, units::Bytes};

/// Warning for operators of Podman.
pub const PODMAN_CAUTION: &str = "the engine is Podman: it counts block I/O differently from Docker \
                              and may refuse limits that Docker grants; use Docker Engine where \
                              they matter";

/// Returns the warning about figures that are missing while the kernel's memory controller is off.
pub fn memory_cgroup_caution(facts: &HubFacts) -> Option<String> {
    let uncounted = if facts.counts_writes() {
        "the servers' memory is not counted"
    } else {
        "neither the servers' memory nor the bytes that they write to the disk are counted (what the \
         whole hub writes is)"
    };
    (facts.memory_cgroup == Some(false)).then(|| {
        format!(
            "the hub's memory cgroup is off: {uncounted}; add cgroup_enable=memory cgroup_memory=1 \
             to its /boot/firmware/cmdline.txt and reboot it"
        )
    })
}

/// Whether containers can be reached at their addresses from this machine.
///
/// They cannot where the engine runs in a separate network: rootless or in a virtual machine.
/// Podman does not list "rootless" among its options: there the socket's `owner` decides.
pub fn has_reachable_bridge(info: &SystemInfo, podman: bool, owner: Option<u32>) -> bool {
    let rootless = info.security_options.iter().flatten().any(|option| option.contains("rootless"))
        || (podman && owner.is_some_and(|owner| owner != 0));
    let virtual_machine =
        info.operating_system.as_deref().is_some_and(|name| name.contains("Docker Desktop"));
    !rootless && !virtual_machine
}

/// Whether the engine is Podman.
pub fn is_podman(version: &SystemVersion) -> bool {
    let mut components = version.components.iter().flatten();
    components.next().is_some_and(|component| component.name.starts_with("Podman"))
}

/// Returns the facts in the engine's answers.
pub fn parse_facts(info: SystemInfo, version: &SystemVersion) -> HubFacts {
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
    fn figures_that_the_kernel_does_not_count_are_named_before_the_run() {
        let caution = |cgroup: &str, memory| {
            let facts = HubFacts {
                cgroup: Some(cgroup.into()),
                memory_cgroup: Some(memory),
                ..HubFacts::default()
            };
            memory_cgroup_caution(&facts)
        };
        assert_eq!(caution("2", true), None);
        let writes = caution("2", false).unwrap();
        assert!(writes.contains("nor the bytes that they write"), "{writes}");
        assert!(writes.contains("cgroup_enable=memory"), "{writes}");
        assert!(!caution("1", false).unwrap().contains("write"), "version 1 counts them apart");
    }

    #[test]
    fn facts_are_taken_from_the_engine_and_missing_ones_stay_missing() {
        let info = serde_json::from_value(serde_json::json!({
            "Driver": "overlay2", "MemoryLimit": true, "CgroupVersion": "1", "NCPU": 2,
            "MemTotal": 25_276_100_608_u64, "KernelVersion": "6.18.44", "Architecture": "aarch64",
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "ServerVersion": "20.10.24+dfsg1"
        }))
        .unwrap();
        let facts = parse_facts(info, &SystemVersion::default());
        assert_eq!(facts.engine.as_deref(), Some("docker 20.10.24+dfsg1"));
        assert_eq!((facts.cores, facts.memory), (Some(2), Some(Bytes(25_276_100_608))));
        assert_eq!((facts.cgroup.as_deref(), facts.memory_cgroup), (Some("1"), Some(true)));
        assert_eq!((facts.architecture.as_deref(), facts.model), (Some("aarch64"), None));
        let nothing = parse_facts(SystemInfo::default(), &SystemVersion::default());
        assert_eq!((nothing.cores, nothing.engine, nothing.memory_cgroup), (None, None, None));
    }
}
