//! Facts about the machine that runs this program: for the local hub, and for the client in every
//! record.

use procfs::Current;

use super::host::{facts, files::SystemFiles};
use crate::{server::HubFacts, units::Bytes};

/// Reads the facts of this machine; a fact that cannot be read is `None`.
pub fn local_facts() -> HubFacts {
    let here = SystemFiles::Folder("/".into());
    let cpuinfo = here.read("proc/cpuinfo").unwrap_or_default();
    let (cgroup, memory_cgroup) = cgroup(&here);
    HubFacts {
        model: facts::model(&here),
        cpu: facts::processor(&here),
        cores: count_cores(&cpuinfo),
        memory: procfs::Meminfo::current().ok().map(|memory| Bytes(memory.mem_total)),
        kernel: here.read("proc/sys/kernel/osrelease"),
        os: here.read("etc/os-release").and_then(|text| os_name(&text)),
        architecture: Some(std::env::consts::ARCH.to_owned()),
        cgroup,
        memory_cgroup,
        storage_driver: None,
        engine: None,
        api: None,
        shared_with_client: true,
        ..HubFacts::default()
    }
}

/// Free space for this user and total space of the file system that contains `folder`.
pub fn disk_space(folder: &str) -> Option<(Bytes, Bytes)> {
    let found = nix::sys::statvfs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| Bytes(blocks.saturating_mul(found.fragment_size()));
    let size = bytes(found.blocks());
    (size.0 > 0).then(|| (bytes(found.blocks_available()), size))
}

fn count_cores(cpuinfo: &str) -> Option<u32> {
    let count = cpuinfo.lines().filter(|line| line_key(line) == Some("processor")).count();
    u32::try_from(count).ok().filter(|count| *count > 0)
}

fn line_key(line: &str) -> Option<&str> {
    line.split_once(':').map(|(key, _)| key.trim())
}

fn os_name(os_release: &str) -> Option<String> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches(['"', '\'']).to_owned())
    };
    value("PRETTY_NAME").or_else(|| value("NAME"))
}

/// The cgroup version, and whether the memory controller is enabled.
fn cgroup(here: &SystemFiles) -> (Option<String>, Option<bool>) {
    if let Some(controllers) = here.read("sys/fs/cgroup/cgroup.controllers") {
        let memory = controllers.split_whitespace().any(|name| name == "memory");
        return (Some("2".into()), Some(memory));
    }
    match here.read("proc/cgroups") {
        Some(table) => (Some("1".into()), memory_controller(&table)),
        None => (None, None),
    }
}

/// Whether the memory controller is enabled, from the columns of `/proc/cgroups`: name, hierarchy,
/// groups, enabled.
fn memory_controller(table: &str) -> Option<bool> {
    table.lines().find_map(|line| {
        let mut columns = line.split_whitespace();
        (columns.next() == Some("memory")).then(|| columns.last() == Some("1"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PI: &str = "processor\t: 0\nBogoMIPS\t: 108.00\nCPU part\t: 0xd08\n\nprocessor\t: 1\n\n\
                      Hardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n";
    const PC: &str = "processor\t: 0\nmodel name\t: AMD Ryzen 7 1700: Eight-Core\n\nprocessor\t: 1\n\
                      model name\t: AMD Ryzen 7 1700: Eight-Core\n";

    #[test]
    fn cores_are_counted() {
        assert_eq!((count_cores(PC), count_cores(PI), count_cores("")), (Some(2), Some(2), None));
    }

    #[test]
    fn the_os_has_its_pretty_name() {
        let text = "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(os_name(text).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(os_name("NAME=Alpine\n").as_deref(), Some("Alpine"));
        assert_eq!(os_name(""), None);
    }

    #[test]
    fn a_disabled_memory_controller_is_detected() {
        let head = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t1\t1\n";
        assert_eq!(memory_controller(&format!("{head}memory\t0\t64\t0\n")), Some(false));
        assert_eq!(memory_controller(&format!("{head}memory\t4\t64\t1\n")), Some(true));
        assert_eq!(memory_controller(head), None);
    }

    #[test]
    fn this_machine_has_cores_memory_and_a_kernel() {
        let facts = local_facts();
        assert!(facts.cores.is_some_and(|cores| cores > 0));
        assert!(facts.memory.is_some_and(|memory| memory.0 > 1 << 20));
        assert!(facts.kernel.is_some() && facts.shared_with_client);
    }
}
