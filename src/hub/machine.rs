//! The machine that this program runs on: the local hub's facts, and the client's in every record.

use std::{fs, path::Path};

use procfs::Current;

use super::vitals::{facts, tree::Tree};
use crate::{server::HubFacts, units::Bytes};

/// Reads what this machine is. What cannot be read is `None`.
pub fn this_machine() -> HubFacts {
    let here = Tree::Folder("/".into());
    let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
    let (cgroup, memory_cgroup) = cgroup();
    HubFacts {
        model: facts::model(&here),
        cpu: facts::processor(&here),
        cores: cores(&cpuinfo),
        memory: procfs::Meminfo::current().ok().map(|memory| Bytes(memory.mem_total)),
        kernel: read("/proc/sys/kernel/osrelease"),
        os: read("/etc/os-release").and_then(|text| os_name(&text)),
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

/// Free space for this user, and all space, of the file system that holds `folder`.
pub fn space_of(folder: &str) -> Option<(Bytes, Bytes)> {
    let found = nix::sys::statvfs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| Bytes(blocks.saturating_mul(found.fragment_size()));
    let size = bytes(found.blocks());
    (size.0 > 0).then(|| (bytes(found.blocks_available()), size))
}

/// A small file's text without the white space and zero bytes at its end; `None` when there is
/// nothing in it.
fn read(file: impl AsRef<Path>) -> Option<String> {
    let text = String::from_utf8_lossy(&fs::read(file).ok()?).into_owned();
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

fn cores(cpuinfo: &str) -> Option<u32> {
    let count = cpuinfo.lines().filter(|line| key(line) == Some("processor")).count();
    u32::try_from(count).ok().filter(|count| *count > 0)
}

fn key(line: &str) -> Option<&str> {
    line.split_once(':').map(|(key, _)| key.trim())
}

fn os_name(os_release: &str) -> Option<String> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches(['"', '\'']).to_owned())
    };
    value("PRETTY_NAME").or_else(|| value("NAME"))
}

/// The cgroup version, and whether its memory controller is on.
fn cgroup() -> (Option<String>, Option<bool>) {
    if let Some(controllers) = read("/sys/fs/cgroup/cgroup.controllers") {
        let memory = controllers.split_whitespace().any(|name| name == "memory");
        return (Some("2".into()), Some(memory));
    }
    match read("/proc/cgroups") {
        Some(table) => (Some("1".into()), memory_controller(&table)),
        None => (None, None),
    }
}

/// Whether the memory controller is on, from `/proc/cgroups`: name, hierarchy, groups, enabled.
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
        assert_eq!((cores(PC), cores(PI), cores("")), (Some(2), Some(2), None));
    }

    #[test]
    fn the_system_is_named_as_people_know_it() {
        let text = "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(os_name(text).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(os_name("NAME=Alpine\n").as_deref(), Some("Alpine"));
        assert_eq!(os_name(""), None);
    }

    #[test]
    fn a_memory_controller_that_is_off_is_seen() {
        let head = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t1\t1\n";
        assert_eq!(memory_controller(&format!("{head}memory\t0\t64\t0\n")), Some(false));
        assert_eq!(memory_controller(&format!("{head}memory\t4\t64\t1\n")), Some(true));
        assert_eq!(memory_controller(head), None);
    }

    #[test]
    fn this_machine_has_cores_memory_and_a_kernel() {
        let facts = this_machine();
        assert!(facts.cores.is_some_and(|cores| cores > 0));
        assert!(facts.memory.is_some_and(|memory| memory.0 > 1 << 20));
        assert!(facts.kernel.is_some() && facts.shared_with_client);
    }
}
