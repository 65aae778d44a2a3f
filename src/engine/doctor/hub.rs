//! Checks of an engine and of the machine under it.

use super::Check;
use crate::{
    hub::docker::Examination,
    units::{Bytes, human_duration},
};

/// Memory below which servers and the system get into each other's way: the study's smallest
/// server takes a quarter of a gigabyte, a broker with its page cache more than half of one.
const LITTLE_MEMORY: Bytes = Bytes(1_000_000_000);
/// Space that building the largest image takes, with its intermediate layers.
const DISK_NEEDED: Bytes = Bytes(2_000_000_000);
/// Space below which not even a short run's data fits.
const DISK_LEAST: Bytes = Bytes(300_000_000);
/// Clocks further apart make logs hard to compare and certificates fail. Durations are not
/// touched: they are all taken from this machine's clock.
const CLOCKS_APART: f64 = 2.0;
/// Storage drivers without a copy of every file in every layer, and without known trouble.
const GOOD_DRIVERS: [&str; 6] =
    ["overlay2", "overlayfs", "overlay", "btrfs", "zfs", "fuse-overlayfs"];

/// What an engine's answers mean for a run.
pub(super) fn checks(place: &str, found: &Examination) -> Vec<Check> {
    let mut checks = vec![
        engine(place, found),
        architecture(found),
        cores(found),
        memory(found),
        disk(found),
        storage(found),
        condition(found),
        driver(found),
        cgroup(found),
        memory_cgroup(found),
        clock(found),
        company(found),
    ];
    checks.extend(connection(place));
    checks
}

/// A way without encryption.
fn connection(place: &str) -> Option<Check> {
    place.starts_with("http://").then(|| {
        Check::warn(
            "connection",
            "not encrypted: everybody who reaches that port is master of the machine behind it",
            "start the engine with --tlsverify and write tcp://HOST:PORT, or reach it over ssh://",
        )
    })
}

const OF_PODMAN: &str = "Podman counts some resources otherwise than Docker: its block figures are \
                         doubtful; use Docker Engine where they matter";
const OF_PUBLISHED: &str = "it runs rootless or in a virtual machine: servers are reached by \
                            published ports, which adds a third of a millisecond; a Docker engine \
                            of the system has none of it";

fn is_podman(found: &Examination) -> bool {
    found.facts.engine.as_deref().is_some_and(|name| name.starts_with("podman"))
}

fn engine(place: &str, found: &Examination) -> Check {
    let facts = &found.facts;
    let name = facts.engine.as_deref().unwrap_or("an engine without a version");
    let api = facts.api.as_deref().unwrap_or("?");
    let os = facts.os.as_deref().unwrap_or("an unknown system");
    let seen = format!("{name}, API {api}, on {os}, at {place}");
    let published = facts.shared_with_client && !found.direct;
    match (is_podman(found), published) {
        (false, false) => Check::ok("engine", seen),
        (true, false) => Check::warn("engine", seen, OF_PODMAN),
        (false, true) => Check::warn("engine", seen, OF_PUBLISHED),
        (true, true) => Check::warn("engine", seen, format!("{OF_PODMAN}; {OF_PUBLISHED}")),
    }
}

fn architecture(found: &Examination) -> Check {
    const SUBJECT: &str = "architecture";
    match found.facts.architecture.as_deref() {
        Some(name @ ("x86_64" | "amd64" | "aarch64" | "arm64")) => Check::ok(SUBJECT, name),
        Some(name) => Check::fail(
            SUBJECT,
            format!("{name}: the servers' images are made for 64-bit x86 and ARM"),
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
            "play the load from another machine: on one core they wait for each other",
        ),
        Some(cores) if shared => Check::ok(SUBJECT, format!("{cores}, shared with hubmark")),
        Some(cores) => Check::ok(SUBJECT, cores.to_string()),
    }
}

fn memory(found: &Examination) -> Check {
    const SUBJECT: &str = "memory";
    match found.facts.memory {
        None => unknown(SUBJECT),
        Some(memory) if memory < LITTLE_MEMORY => Check::warn(
            SUBJECT,
            format!("{memory}, less than {LITTLE_MEMORY}"),
            "watch for swap and servers killed for want of memory; give fewer users, or a hub \
             with more",
        ),
        Some(memory) => Check::ok(SUBJECT, memory.to_string()),
    }
}

fn disk(found: &Examination) -> Check {
    const SUBJECT: &str = "free disk";
    let Some((free, size)) = found.disk else { return unknown(SUBJECT) };
    let seen = format!("{free} of {size}");
    let advice = "make room there: docker system prune, or hubmark images remove";
    if free < DISK_LEAST {
        Check::fail(SUBJECT, seen, advice)
    } else if free < DISK_NEEDED {
        Check::warn(SUBJECT, format!("{seen}; building an image takes {DISK_NEEDED}"), advice)
    } else {
        Check::ok(SUBJECT, seen)
    }
}

/// What a synchronous write costs is the disk's own, and a large part of any latency with
/// `durability = "disk"`.
fn storage(found: &Examination) -> Check {
    let facts = &found.facts;
    let file_system = facts.file_system.as_deref().unwrap_or("an unknown file system");
    let device = facts.storage_device.as_deref().unwrap_or("an unknown disk");
    let fsync = facts.fsync.map_or_else(
        || "not measured".to_owned(),
        |time| format!("{} for 4 KiB", human_duration(time)),
    );
    Check::ok("storage", format!("{file_system} on {device}, synchronous write {fsync}"))
}

/// Heat, supply and clock as they are now.
fn condition(found: &Examination) -> Check {
    const SUBJECT: &str = "heat and supply";
    let facts = &found.facts;
    let bits = facts.throttle_bits.unwrap_or(0);
    let mut seen =
        vec![facts.temperature.map_or_else(|| "no thermometer".to_owned(), |now| now.to_string())];
    seen.extend(facts.governor.as_ref().map(|name| format!("governor {name}")));
    seen.extend(facts.throttle_bits.map(|bits| format!("throttle bits {bits:#x}")));
    let seen = seen.join(", ");
    let supply = "use the board's own power supply and a short cable: what sags is measured slower";
    let heat = "give it a fan or let it cool: what is hot is measured slower";
    if found.under_voltage == Some(true) {
        Check::warn(SUBJECT, format!("under-voltage now: {seen}"), supply)
    } else if bits & 0b1110 != 0 {
        Check::warn(SUBJECT, format!("the clock is lowered now: {seen}"), heat)
    } else if bits & (1 << 16) != 0 {
        Check::warn(SUBJECT, format!("under-voltage since its start: {seen}"), supply)
    } else if bits >> 16 != 0 {
        Check::warn(SUBJECT, format!("the clock was lowered since its start: {seen}"), heat)
    } else {
        Check::ok(SUBJECT, seen)
    }
}

fn driver(found: &Examination) -> Check {
    const SUBJECT: &str = "storage driver";
    match found.facts.storage_driver.as_deref() {
        None => unknown(SUBJECT),
        Some(name) if GOOD_DRIVERS.contains(&name) => Check::ok(SUBJECT, name),
        Some(name) => Check::warn(
            SUBJECT,
            format!("{name}: slow, or without a future"),
            if is_podman(found) {
                "set driver = \"overlay\" in /etc/containers/storage.conf (podman system reset removes \
                 what the old one holds)"
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
            "version 1: of a container's writes only direct and synchronous ones are counted",
            "read the growth of the data beside the block figures; for all writes boot with \
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
            "off: the servers' memory is neither measured nor limited",
            "add  cgroup_enable=memory cgroup_memory=1  to the one line of \
             /boot/firmware/cmdline.txt on the hub (older systems: /boot/cmdline.txt) and reboot",
        ),
    }
}

fn clock(found: &Examination) -> Check {
    const SUBJECT: &str = "clock";
    let Some(offset) = found.clock else { return unknown(SUBJECT) };
    let side = if offset.seconds < 0.0 { "behind" } else { "ahead of" };
    let seen = format!("{:.3} s {side} ours, ± {:.3} s", offset.seconds.abs(), offset.uncertainty);
    if offset.seconds.abs() > CLOCKS_APART + offset.uncertainty {
        Check::warn(
            SUBJECT,
            seen,
            "set the hub's clock (sudo timedatectl set-ntp true): logs cannot be compared and \
             certificates may fail. No duration is wrong by it: all are taken here",
        )
    } else {
        Check::ok(SUBJECT, seen)
    }
}

fn company(found: &Examination) -> Check {
    const SUBJECT: &str = "other containers";
    match (found.running, found.ours) {
        (None, _) => unknown(SUBJECT),
        (Some(0), _) => Check::ok(SUBJECT, "none"),
        (Some(running), Some(ours)) if ours > 0 => Check::warn(
            SUBJECT,
            format!("{running} run there, {ours} of them of another run of hubmark"),
            "wait for that run: two runs on one hub disturb each other's figures; leftovers of a \
             dead one are removed by hubmark clean",
        ),
        (Some(running), _) => Check::warn(
            SUBJECT,
            format!("{running} run there"),
            "stop what the measurement does not need: what they use is missing to the servers",
        ),
    }
}

fn unknown(subject: &str) -> Check {
    Check::warn(subject, "not known", "the engine does not say: look on the hub itself")
}
