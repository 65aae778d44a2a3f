//! Checks of an engine and of its host.

use super::{
    check::{Check, unknown},
    host,
};
use crate::{
    hub::{
        HubError,
        docker::{APPARMOR_ADVICE, Examination, ExaminationStep},
    },
    units::Bytes,
};

/// Memory below which servers and system compete for it: the study's smallest server takes a quarter
/// of a gigabyte, a broker with its page cache more than half a gigabyte.
const RECOMMENDED_MEMORY: Bytes = Bytes(1_000_000_000);
/// Clock difference above which logs are hard to compare and certificates may fail, in seconds.
/// Durations are not affected: all are taken from this machine's clock.
const MAX_CLOCK_OFFSET_SECONDS: f64 = 2.0;
/// Storage drivers that do not copy every file into every layer, and without known problems.
const GOOD_DRIVERS: [&str; 6] =
    ["overlay2", "overlayfs", "overlay", "btrfs", "zfs", "fuse-overlayfs"];

/// Checks the answers of an engine in one step of its examination.
///
/// `hub` are the options by which a command reaches that engine.
pub(super) fn checks(
    step: ExaminationStep,
    location: &str,
    found: &Examination,
    hub: &str,
) -> Vec<Check> {
    match step {
        ExaminationStep::Engine => {
            let checks = [
                engine(location, found),
                architecture(found),
                cores(found),
                memory(found),
                storage_driver(found),
                cgroup(found),
                memory_cgroup(found),
            ];
            checks.into_iter().chain(connection(location)).collect()
        }
        ExaminationStep::Clock => vec![clock(found)],
        ExaminationStep::Containers => vec![other_containers(found, hub)],
        ExaminationStep::AppArmor => apparmor(found).into_iter().collect(),
        ExaminationStep::HostFacts | ExaminationStep::HostReading => host::checks(step, found, hub),
    }
}

/// Reports a call that failed: nothing more is asked, because every further call would wait as long.
pub(super) fn lost_connection(error: &HubError) -> Check {
    Check::fail(
        "engine",
        error.to_string(),
        "the checks of the hub end here: repair the connection and run doctor again",
    )
}

/// Reports `AppArmor` without the program that loads its profiles: every container would fail.
fn apparmor(found: &Examination) -> Option<Check> {
    const SUBJECT: &str = "AppArmor";
    Some(if found.apparmor_parser? {
        Check::ok(SUBJECT, "on, with its parser")
    } else {
        let seen = "on, but its parser is not installed: no container can start";
        Check::fail(SUBJECT, seen, APPARMOR_ADVICE)
    })
}

/// Warns of a connection without encryption.
fn connection(location: &str) -> Option<Check> {
    location.starts_with("http://").then(|| {
        Check::warn(
            "connection",
            "not encrypted: any client that reaches that port controls the machine behind it",
            "start the engine with --tlsverify and write tcp://HOST:PORT, or reach it over ssh://",
        )
    })
}

const PODMAN_ADVICE: &str = "Podman counts some resources differently from Docker: its block \
                             figures are doubtful; use Docker Engine where they matter";
const PUBLISHED_PORTS_ADVICE: &str = "it runs rootless or in a virtual machine: servers are reached \
                                      through published ports, which adds a third of a \
                                      millisecond; a system-wide Docker engine avoids this";

fn is_podman(found: &Examination) -> bool {
    found.facts.engine.as_deref().is_some_and(|name| name.starts_with("podman"))
}

fn engine(location: &str, found: &Examination) -> Check {
    let facts = &found.facts;
    let name = facts.engine.as_deref().unwrap_or("an engine without a version");
    let api = facts.api.as_deref().unwrap_or("?");
    let os = facts.os.as_deref().unwrap_or("an unknown system");
    let seen = format!("{name}, API {api}, on {os}, at {location}");
    let published = facts.shared_with_client && !found.containers_reachable;
    match (is_podman(found), published) {
        (false, false) => Check::ok("engine", seen),
        (true, false) => Check::warn("engine", seen, PODMAN_ADVICE),
        (false, true) => Check::warn("engine", seen, PUBLISHED_PORTS_ADVICE),
        (true, true) => {
            Check::warn("engine", seen, format!("{PODMAN_ADVICE}; {PUBLISHED_PORTS_ADVICE}"))
        }
    }
}

fn architecture(found: &Examination) -> Check {
    const SUBJECT: &str = "architecture";
    match found.facts.architecture.as_deref() {
        Some(name @ ("x86_64" | "amd64" | "aarch64" | "arm64")) => Check::ok(SUBJECT, name),
        Some(name) => Check::fail(
            SUBJECT,
            format!("{name}: the servers' images need 64-bit x86 or ARM"),
            "install the 64-bit system (on a Raspberry Pi 3 or later: 64-bit Raspberry Pi OS)",
        ),
        None => unknown(SUBJECT),
    }
}

fn cores(found: &Examination) -> Check {
    const SUBJECT: &str = "cores";
    let shared = found.facts.shared_with_client;
    match found.facts.cores {
        None => unknown(SUBJECT),
        Some(1) if shared => Check::warn(
            SUBJECT,
            "1, for the servers and for hubmark",
            "run hubmark on another machine: on one core, servers and load wait for each other",
        ),
        Some(cores) if shared => Check::ok(SUBJECT, format!("{cores}, shared with hubmark")),
        Some(cores) => Check::ok(SUBJECT, cores.to_string()),
    }
}

fn memory(found: &Examination) -> Check {
    const SUBJECT: &str = "memory";
    match found.facts.memory {
        None => unknown(SUBJECT),
        Some(memory) if memory < RECOMMENDED_MEMORY => Check::warn(
            SUBJECT,
            format!("{memory}, less than {RECOMMENDED_MEMORY}"),
            "watch for swapping and servers that run out of memory; use fewer users, or a hub \
             with more memory",
        ),
        Some(memory) => Check::ok(SUBJECT, memory.to_string()),
    }
}

fn storage_driver(found: &Examination) -> Check {
    const SUBJECT: &str = "storage driver";
    match found.facts.storage_driver.as_deref() {
        None => unknown(SUBJECT),
        Some(name) if GOOD_DRIVERS.contains(&name) => Check::ok(SUBJECT, name),
        Some(name) => Check::warn(
            SUBJECT,
            format!("{name}: slow or deprecated"),
            if is_podman(found) {
                "set driver = \"overlay\" in /etc/containers/storage.conf (podman system reset removes \
                 the data of the old driver)"
            } else {
                "set \"storage-driver\": \"overlay2\" in /etc/docker/daemon.json and restart the engine"
            },
        ),
    }
}

fn cgroup(found: &Examination) -> Check {
    const SUBJECT: &str = "cgroup";
    match found.facts.cgroup.as_deref() {
        None => unknown(SUBJECT),
        Some("1") => Check::warn(
            SUBJECT,
            "version 1: only direct and synchronous writes of a container are counted",
            "use the growth of the data beside the block figures; to count all writes, boot with \
             systemd.unified_cgroup_hierarchy=1",
        ),
        Some(version) => Check::ok(SUBJECT, format!("version {version}")),
    }
}

fn memory_cgroup(found: &Examination) -> Check {
    const SUBJECT: &str = "memory cgroup";
    match found.facts.memory_cgroup {
        None => unknown(SUBJECT),
        Some(true) => Check::ok(SUBJECT, "on"),
        Some(false) => Check::warn(
            SUBJECT,
            if found.facts.counts_writes() {
                "off: the servers' memory is neither measured nor limited"
            } else {
                "off: the servers' memory is neither measured nor limited, and the bytes that they write \
                 to the disk are not counted"
            },
            "add  cgroup_enable=memory cgroup_memory=1  to the one line of \
             /boot/firmware/cmdline.txt on the hub (older systems: /boot/cmdline.txt) and reboot",
        ),
    }
}

fn clock(found: &Examination) -> Check {
    const SUBJECT: &str = "clock";
    let Some(offset) = found.clock else { return unknown(SUBJECT) };
    let side = if offset.seconds < 0.0 { "behind" } else { "ahead of" };
    let seen = format!(
        "{:.3} s {side} this machine's, ± {:.3} s",
        offset.seconds.abs(),
        offset.uncertainty
    );
    if offset.seconds.abs() > MAX_CLOCK_OFFSET_SECONDS + offset.uncertainty {
        Check::warn(
            SUBJECT,
            seen,
            "set the hub's clock (sudo timedatectl set-ntp true): logs are hard to compare and \
             certificates may fail. Durations are not affected: all use this machine's clock",
        )
    } else {
        Check::ok(SUBJECT, seen)
    }
}

fn other_containers(found: &Examination, hub: &str) -> Check {
    const SUBJECT: &str = "other containers";
    match (found.running_containers, found.own_containers) {
        (None, _) => unknown(SUBJECT),
        (Some(0), _) => Check::ok(SUBJECT, "none"),
        (Some(running), Some(ours)) if ours > 0 => Check::warn(
            SUBJECT,
            format!("{running} running, {ours} of them belong to another run of hubmark"),
            format!(
                "wait for that run: two runs on one hub disturb each other's figures; hubmark clean{hub} \
                 removes leftovers of a dead run"
            ),
        ),
        (Some(running), _) => Check::warn(
            SUBJECT,
            format!("{running} running"),
            "stop those that the measurement does not need: they take resources from the servers",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::doctor::CheckStatus;

    #[test]
    fn apparmor_without_its_parser_is_a_failure() {
        let check = |apparmor_parser| {
            let found = Examination { apparmor_parser, ..Examination::default() };
            checks(ExaminationStep::AppArmor, "there", &found, "").pop()
        };
        assert_eq!(check(None), None, "AppArmor is off, or cannot be seen");
        assert_eq!(check(Some(true)).unwrap().finding, CheckStatus::Ok);
        let failed = check(Some(false)).unwrap();
        assert_eq!(failed.finding, CheckStatus::Fail);
        assert!(failed.advice.unwrap().contains("apt install apparmor"));
    }
}
