//! Facts about a machine, read from its files.

use std::{path::Path, time::Duration};

use procfs::{
    FromRead,
    process::{MountInfo, MountInfos},
};

use super::{
    counters::{HostCounters, SensorPaths, thermal_zone},
    files::SystemFiles,
    storage::mount_of,
};
use crate::{server::HubFacts, units::Celsius};

/// Reads a machine's facts: constant ones from `facts`, changing ones from `now`, which on this
/// machine are the same. `data` is the folder above the servers' data.
pub fn read_facts(facts: &SystemFiles, now: &SystemFiles, data: &Path) -> HubFacts {
    const CLOCK: &str = "sys/devices/system/cpu/cpu0/cpufreq";
    let counters = HostCounters::read(now, &SensorPaths::find(facts, now));
    let mount = find_mount(facts, data);
    // Without the processor's time, nothing was read at this moment.
    let memory_pressure = now.read("proc/stat").map(|_| now.read("proc/pressure/memory").is_some());
    HubFacts {
        model: model(facts),
        cpu: processor(facts),
        kernel: facts.read("proc/sys/kernel/osrelease"),
        governor: facts.read(&format!("{CLOCK}/scaling_governor")),
        clock_max_mhz: facts
            .number::<f64>(&format!("{CLOCK}/cpuinfo_max_freq"))
            .map(|khz| khz / 1e3),
        temperature: counters.temperature,
        temperature_limit: throttle_temperature(facts),
        throttle_bits: counters.throttle_bits,
        storage_device: mount
            .as_ref()
            .and_then(|mount| find_disk(facts, mount))
            .map(|disk| describe_disk(facts, &disk)),
        file_system: mount.map(|mount| mount.fs_type),
        memory_pressure,
        fsync: facts.read("fsync").and_then(|text| parse_fsync(&text)),
        ..HubFacts::default()
    }
}

/// Fills facts missing in `known` from `observed`. Temperature, throttle bits, memory pressure and the
/// time of a synchronous write are taken from `observed` first.
pub fn merge_facts(known: HubFacts, observed: HubFacts) -> HubFacts {
    HubFacts {
        model: known.model.or(observed.model),
        cpu: known.cpu.or(observed.cpu),
        kernel: known.kernel.or(observed.kernel),
        governor: known.governor.or(observed.governor),
        clock_max_mhz: known.clock_max_mhz.or(observed.clock_max_mhz),
        temperature: observed.temperature.or(known.temperature),
        temperature_limit: known.temperature_limit.or(observed.temperature_limit),
        throttle_bits: observed.throttle_bits.or(known.throttle_bits),
        storage_device: known.storage_device.or(observed.storage_device),
        file_system: known.file_system.or(observed.file_system),
        fsync: observed.fsync.or(known.fsync),
        memory_pressure: observed.memory_pressure.or(known.memory_pressure),
        ..known
    }
}

/// The machine's model: from the device tree (a Raspberry Pi), otherwise from the firmware (a PC).
pub fn model(tree: &SystemFiles) -> Option<String> {
    tree.read("sys/firmware/devicetree/base/model").or_else(|| {
        let vendor = tree.read("sys/class/dmi/id/sys_vendor");
        let product = tree.read("sys/class/dmi/id/product_name")?;
        Some(match vendor {
            Some(vendor) if !product.starts_with(&vendor) => format!("{vendor} {product}"),
            _ => product,
        })
    })
}

/// The processor's name. 64-bit ARM kernels give none in `/proc/cpuinfo`: there the device tree's
/// `arm,cortex-a72` is used.
pub fn processor(tree: &SystemFiles) -> Option<String> {
    let named = tree.read("proc/cpuinfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split_once(':').map(|(_, name)| name.trim().to_owned())
    });
    named.or_else(|| {
        let compatible = tree.read("sys/firmware/devicetree/base/cpus/cpu@0/compatible")?;
        compatible.split('\0').next().map(str::to_owned)
    })
}

/// The lowest temperature at which the kernel reduces the clock. Some firmware reports implausible
/// trip points, which are ignored.
fn throttle_temperature(tree: &SystemFiles) -> Option<Celsius> {
    const PLAUSIBLE: Celsius = Celsius(40_000);
    let zone = thermal_zone(tree)?;
    let names = tree.list(&zone);
    names
        .iter()
        .filter_map(|name| name.strip_suffix("_type"))
        .filter(|trip| {
            let kind = tree.read(&format!("{zone}/{trip}_type"));
            trip.starts_with("trip_point_") && kind.as_deref() == Some("passive")
        })
        .filter_map(|trip| tree.number(&format!("{zone}/{trip}_temp")).map(Celsius))
        .filter(|temperature| *temperature > PLAUSIBLE)
        .min()
}

/// The mount that contains `folder`.
fn find_mount(tree: &SystemFiles, folder: &Path) -> Option<MountInfo> {
    let text = tree.read("proc/1/mountinfo").or_else(|| tree.read("proc/self/mountinfo"))?;
    let mounts = MountInfos::from_read(text.as_bytes()).ok()?.0;
    mount_of(&mounts, folder).cloned()
}

/// The kernel's name of the disk that contains `folder`, such as `mmcblk0`.
pub fn disk_name(tree: &SystemFiles, folder: &Path) -> Option<String> {
    find_disk(tree, &find_mount(tree, folder)?)
}

/// Folder with an entry for each disk.
const DISKS: &str = "sys/block";

/// The disk of a mount. A file system that spans several devices has a device number of a different
/// kind, and sometimes names a device as its source.
fn find_disk(tree: &SystemFiles, mount: &MountInfo) -> Option<String> {
    let source = mount.mount_source.as_deref().and_then(|source| source.strip_prefix("/dev/"));
    let is = |name: &str, path: &str| {
        source == Some(name) || tree.read(&format!("{path}/dev")).as_ref() == Some(&mount.majmin)
    };
    tree.list(DISKS).into_iter().find(|disk| {
        let path = format!("{DISKS}/{disk}");
        is(disk, &path)
            || tree
                .list(&path)
                .iter()
                .filter(|part| part.starts_with(disk.as_str()))
                .any(|part| is(part, &format!("{path}/{part}")))
    })
}

/// A disk with its model name.
fn describe_disk(tree: &SystemFiles, disk: &str) -> String {
    let own = |file| tree.read(&format!("{DISKS}/{disk}/device/{file}"));
    match own("model").or_else(|| own("name")) {
        Some(name) => format!("/dev/{disk} ({name})"),
        None => format!("/dev/{disk}"),
    }
}

/// Mean time of a synchronous write, from the output of `dd`: `32+0 records out`, and `131072 bytes
/// (…) copied, 0.156 s, …`.
fn parse_fsync(text: &str) -> Option<Duration> {
    let writes = text.lines().find_map(|line| line.strip_suffix(" records out"))?;
    let writes: u32 = writes.split_once('+')?.0.trim().parse().ok()?;
    let after = text.lines().find_map(|line| line.split_once(" copied, "))?.1;
    let seconds: f64 = after.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()?.checked_div(writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synchronous_write_is_timed_by_dd() {
        let gnu =
            "32+0 records in\n32+0 records out\n131072 bytes (131 kB) copied, 0.16 s, 840 kB/s";
        assert_eq!(parse_fsync(gnu), Some(Duration::from_millis(5)));
        let busybox = "32+0 records in\n32+0 records out\n131072 bytes (128.0KB) copied, 0.320000 seconds, 400KB/s";
        assert_eq!(parse_fsync(busybox), Some(Duration::from_millis(10)));
        assert_eq!(parse_fsync("dd: unrecognized operand 'oflag=dsync'"), None);
    }

    #[test]
    fn only_the_kernels_own_passive_limit_counts() {
        let zone = "sys/class/thermal/thermal_zone0";
        let tree =
            |trips: &str| SystemFiles::from_listing(&format!("{zone}/type:x86_pkg_temp\n{trips}"));
        let passive = format!("{zone}/trip_point_1_type:passive\n{zone}/trip_point_1_temp:95000\n");
        assert_eq!(throttle_temperature(&tree(&passive)), Some(Celsius(95_000)));
        let nonsense =
            format!("{zone}/trip_point_1_type:passive\n{zone}/trip_point_1_temp:-274000\n");
        assert_eq!(throttle_temperature(&tree(&nonsense)), None);
    }

    #[test]
    fn a_kernel_without_memory_pressure_is_recognised() {
        let facts = |text: &str| {
            let tree = SystemFiles::from_listing(text);
            read_facts(&tree, &tree, Path::new("/")).memory_pressure
        };
        let stat = "proc/stat:cpu  1 2 3\n";
        assert_eq!(facts(stat), Some(false), "psi=0");
        assert_eq!(
            facts(&format!("{stat}proc/pressure/memory:some avg10=0.00 total=1\n")),
            Some(true)
        );
        assert_eq!(facts(""), None, "nothing was read");
    }

    #[test]
    fn known_facts_are_not_replaced() {
        let known = HubFacts { model: Some("a".into()), ..HubFacts::default() };
        let observed =
            HubFacts { model: Some("b".into()), governor: Some("g".into()), ..HubFacts::default() };
        let facts = merge_facts(known, observed);
        assert_eq!((facts.model.as_deref(), facts.governor.as_deref()), (Some("a"), Some("g")));
    }
}
