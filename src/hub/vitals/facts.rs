//! What a machine is, as far as its files say.

use std::{path::Path, time::Duration};

use procfs::{
    FromRead,
    process::{MountInfo, MountInfos},
};

use super::{
    pulse::{Places, Pulse, thermal_zone},
    tree::Tree,
};
use crate::{server::HubFacts, units::Celsius};

/// What can be seen of a machine in `facts`, and `now` for what changes; on this machine both are
/// the same. `data` is the folder under which the servers' data lies.
pub fn seen(facts: &Tree, now: &Tree, data: &Path) -> HubFacts {
    const CLOCK: &str = "sys/devices/system/cpu/cpu0/cpufreq";
    let pulse = Pulse::read(now, &Places::find(facts, now));
    let (storage_device, file_system) = storage(facts, data).unzip();
    HubFacts {
        model: model(facts),
        cpu: processor(facts),
        kernel: facts.read("proc/sys/kernel/osrelease"),
        governor: facts.read(&format!("{CLOCK}/scaling_governor")),
        clock_max_mhz: facts
            .number::<f64>(&format!("{CLOCK}/cpuinfo_max_freq"))
            .map(|khz| khz / 1e3),
        temperature: pulse.temperature,
        temperature_limit: limit(facts),
        throttle_bits: pulse.throttle_bits,
        storage_device: storage_device.flatten(),
        file_system,
        fsync: facts.read("fsync").and_then(|text| fsync(&text)),
        ..HubFacts::default()
    }
}

/// `known` with what is missing in it filled in from `seen`.
pub fn completed(known: HubFacts, seen: HubFacts) -> HubFacts {
    HubFacts {
        model: known.model.or(seen.model),
        cpu: known.cpu.or(seen.cpu),
        kernel: known.kernel.or(seen.kernel),
        governor: known.governor.or(seen.governor),
        clock_max_mhz: known.clock_max_mhz.or(seen.clock_max_mhz),
        temperature: seen.temperature.or(known.temperature),
        temperature_limit: known.temperature_limit.or(seen.temperature_limit),
        throttle_bits: seen.throttle_bits.or(known.throttle_bits),
        storage_device: known.storage_device.or(seen.storage_device),
        file_system: known.file_system.or(seen.file_system),
        fsync: seen.fsync.or(known.fsync),
        ..known
    }
}

/// From the device tree (a Raspberry Pi), otherwise from the firmware (a PC).
pub fn model(tree: &Tree) -> Option<String> {
    tree.read("sys/firmware/devicetree/base/model").or_else(|| {
        let vendor = tree.read("sys/class/dmi/id/sys_vendor");
        let product = tree.read("sys/class/dmi/id/product_name")?;
        Some(match vendor {
            Some(vendor) if !product.starts_with(&vendor) => format!("{vendor} {product}"),
            _ => product,
        })
    })
}

/// 64-bit ARM kernels give no processor name in `/proc/cpuinfo`: `arm,cortex-a72` is the next best.
pub fn processor(tree: &Tree) -> Option<String> {
    let named = tree.read("proc/cpuinfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split_once(':').map(|(_, name)| name.trim().to_owned())
    });
    named.or_else(|| {
        let compatible = tree.read("sys/firmware/devicetree/base/cpus/cpu@0/compatible")?;
        compatible.split('\0').next().map(str::to_owned)
    })
}

/// The lowest temperature at which the kernel begins to lower the clock. Some firmware gives trip
/// points that cannot be meant.
fn limit(tree: &Tree) -> Option<Celsius> {
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

/// The disk, where one is known, and the file system under `folder`.
fn storage(tree: &Tree, folder: &Path) -> Option<(Option<String>, String)> {
    let text = tree.read("proc/1/mountinfo").or_else(|| tree.read("proc/self/mountinfo"))?;
    let mounts = MountInfos::from_read(text.as_bytes()).ok()?.0;
    let mount = mounts
        .iter()
        .filter(|mount| folder.starts_with(&mount.mount_point))
        .max_by_key(|mount| mount.mount_point.components().count())?;
    Some((disk(tree, mount), mount.fs_type.clone()))
}

/// The disk of a mount, with the name that it gives itself. File systems that spread over devices
/// have a number of their own, and sometimes name a device as their source.
fn disk(tree: &Tree, mount: &MountInfo) -> Option<String> {
    const DISKS: &str = "sys/block";
    let source = mount.mount_source.as_deref().and_then(|source| source.strip_prefix("/dev/"));
    let is = |name: &str, path: &str| {
        source == Some(name) || tree.read(&format!("{path}/dev")).as_ref() == Some(&mount.majmin)
    };
    let disk = tree.list(DISKS).into_iter().find(|disk| {
        let path = format!("{DISKS}/{disk}");
        is(disk, &path)
            || tree
                .list(&path)
                .iter()
                .filter(|part| part.starts_with(disk.as_str()))
                .any(|part| is(part, &format!("{path}/{part}")))
    })?;
    let own = |file| tree.read(&format!("{DISKS}/{disk}/device/{file}"));
    Some(match own("model").or_else(|| own("name")) {
        Some(name) => format!("/dev/{disk} ({name})"),
        None => format!("/dev/{disk}"),
    })
}

/// Mean time of a synchronous write from the words of `dd`: `32+0 records out`, and
/// `131072 bytes (…) copied, 0.156 s, …`.
fn fsync(text: &str) -> Option<Duration> {
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
        assert_eq!(fsync(gnu), Some(Duration::from_millis(5)));
        let busybox = "32+0 records in\n32+0 records out\n131072 bytes (128.0KB) copied, 0.320000 seconds, 400KB/s";
        assert_eq!(fsync(busybox), Some(Duration::from_millis(10)));
        assert_eq!(fsync("dd: unrecognized operand 'oflag=dsync'"), None);
    }

    #[test]
    fn only_the_kernels_own_passive_limit_counts() {
        let zone = "sys/class/thermal/thermal_zone0";
        let tree = |trips: &str| Tree::listed(&format!("{zone}/type:x86_pkg_temp\n{trips}"));
        let passive = format!("{zone}/trip_point_1_type:passive\n{zone}/trip_point_1_temp:95000\n");
        assert_eq!(limit(&tree(&passive)), Some(Celsius(95_000)));
        let nonsense =
            format!("{zone}/trip_point_1_type:passive\n{zone}/trip_point_1_temp:-274000\n");
        assert_eq!(limit(&tree(&nonsense)), None);
    }

    #[test]
    fn what_is_known_is_not_replaced_by_what_is_seen() {
        let known = HubFacts { model: Some("a".into()), ..HubFacts::default() };
        let seen =
            HubFacts { model: Some("b".into()), governor: Some("g".into()), ..HubFacts::default() };
        let facts = completed(known, seen);
        assert_eq!((facts.model.as_deref(), facts.governor.as_deref()), (Some("a"), Some("g")));
    }
}
