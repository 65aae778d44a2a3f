//! A container's counters from the kernel's own files, when the engine runs on this machine.
//!
//! Totals of a load are differences of two readings, and an engine's statistics can be a second
//! old. The files are the very ones that the engine reads (cgroup v1 and v2, and the network
//! counters of the container's first process), so both sources tell the same story.

use std::{fs, path::PathBuf, time::Duration};

use procfs::process::{MountInfo, Process};

use crate::{server::Reading, units::Bytes};

/// The container's counters now; `None` where its files cannot be found or read.
///
/// `pid` is its first process as the engine numbers it, which may be foreign to us: the
/// container's identity must appear in that process's control group.
pub fn read(pid: i32, container: &str) -> Option<Reading> {
    let process = Process::new(pid).ok()?;
    let groups = process.cgroups().ok()?.0;
    let mounts = Process::myself().ok()?.mountinfo().ok()?.0;

    let folder = |controller: &str| -> Option<PathBuf> {
        let group = groups.iter().find(|group| match controller {
            "" => group.controllers.is_empty(),
            name => group.controllers.iter().any(|c| c == name),
        })?;
        folder_of(&mounts, controller, &group.pathname)
            .filter(|_| group.pathname.contains(container))
    };
    let file =
        |controller: &str, name: &str| fs::read_to_string(folder(controller)?.join(name)).ok();

    let split = groups.iter().any(|group| group.controllers.iter().any(|c| c == "cpuacct"));
    let reading = if split { version_1(file) } else { version_2(|name| file("", name)) };
    // The processor's counter is always there: without it these are not the right files.
    reading.cpu?;
    Some(with_network(reading, &process))
}

/// Slows the container's writes to the disk `number` (`major:minor`) to `rate` bytes a second, or
/// gives them free with `None`. The engine can do that only when it makes a container.
///
/// # Errors
/// Why it is not in force, in words.
pub fn limit_writes(
    pid: i32,
    container: &str,
    number: &str,
    rate: Option<u64>,
) -> Result<(), String> {
    let unknown = || "the container's control group is not known here".to_owned();
    let process = Process::new(pid).map_err(|error| error.to_string())?;
    let groups = process.cgroups().map_err(|error| error.to_string())?.0;
    let mounts = Process::myself().and_then(|me| me.mountinfo()).map_err(|e| e.to_string())?.0;
    let group = |name: &str| {
        groups.iter().find(|group| match name {
            "" => group.controllers.is_empty(),
            name => group.controllers.iter().any(|controller| controller == name),
        })
    };
    let (controller, file) =
        if group("blkio").is_some() { ("blkio", THROTTLE_1) } else { ("", THROTTLE_2) };
    let path = &group(controller).ok_or_else(unknown)?.pathname;
    let folder = folder_of(&mounts, controller, path).filter(|_| path.contains(container));
    let file = folder.ok_or_else(unknown)?.join(file);
    let (rule, shown) = write_rule(controller == "blkio", number, rate);
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    fs::write(&file, &rule).map_err(failed)?;
    let in_force = fs::read_to_string(&file).map_err(failed)?;
    if rate.is_some() && !in_force.lines().any(|line| line.contains(&shown)) {
        return Err(format!("{} says {:?} after {rule:?}", file.display(), in_force.trim()));
    }
    Ok(())
}

const THROTTLE_1: &str = "blkio.throttle.write_bps_device";
const THROTTLE_2: &str = "io.max";

/// The rule to write, and what is read back when it is in force. On version 1 a rule that nothing
/// reaches stays, because only under some rule the kernel counts.
fn write_rule(version_1: bool, number: &str, rate: Option<u64>) -> (String, String) {
    if version_1 {
        let rate = rate.unwrap_or(super::request::UNREACHABLE_RATE.unsigned_abs());
        let rule = format!("{number} {rate}");
        (rule.clone(), rule)
    } else {
        let rate = rate.map_or_else(|| "max".to_owned(), |rate| rate.to_string());
        (format!("{number} wbps={rate}"), format!("wbps={rate}"))
    }
}

/// Where a control group's files lie: below the mount of its controller (`""` is version 2).
fn folder_of(mounts: &[MountInfo], controller: &str, group: &str) -> Option<PathBuf> {
    let mount = mounts.iter().find(|mount| match controller {
        "" => mount.fs_type == "cgroup2",
        name => mount.fs_type == "cgroup" && mount.super_options.contains_key(name),
    })?;
    let below = group.strip_prefix(mount.root.trim_end_matches('/'))?;
    Some(mount.mount_point.join(below.trim_start_matches('/')))
}

/// Counters of cgroup version 1; `file` reads a file of a controller.
fn version_1(file: impl Fn(&str, &str) -> Option<String>) -> Reading {
    let usage = file("memory", "memory.usage_in_bytes").and_then(|text| number(&text));
    let details = file("memory", "memory.stat");
    let detail = |key| details.as_deref().and_then(|text| field(text, key));
    let blocks = file("blkio", "blkio.throttle.io_service_bytes_recursive")
        .or_else(|| file("blkio", "blkio.throttle.io_service_bytes"));
    let throttled = file("cpu", "cpu.stat").and_then(|text| field(&text, "throttled_time"));
    Reading {
        cpu: file("cpuacct", "cpuacct.usage").and_then(|t| number(&t)).map(Duration::from_nanos),
        memory: without(usage, detail("total_inactive_file")),
        resident: detail("total_rss").map(Bytes),
        cache: detail("total_cache").map(Bytes),
        block_read: blocks.as_deref().and_then(|text| operations(text, "Read")),
        block_written: blocks.as_deref().and_then(|text| operations(text, "Write")),
        tasks: file("pids", "pids.current").and_then(|text| number(&text)),
        throttled: throttled.map(Duration::from_nanos),
        ..Reading::default()
    }
}

/// Counters of cgroup version 2; `file` reads a file of the group.
fn version_2(file: impl Fn(&str) -> Option<String>) -> Reading {
    let usage = file("memory.current").and_then(|text| number(&text));
    let details = file("memory.stat");
    let detail = |key| details.as_deref().and_then(|text| field(text, key));
    let processor = file("cpu.stat");
    let micros =
        |key| processor.as_deref().and_then(|text| field(text, key)).map(Duration::from_micros);
    let blocks = file("io.stat");
    Reading {
        cpu: micros("usage_usec"),
        memory: without(usage, detail("inactive_file")),
        resident: detail("anon").map(Bytes),
        cache: detail("file").map(Bytes),
        block_read: blocks.as_deref().map(|text| devices(text, "rbytes")),
        block_written: blocks.as_deref().map(|text| devices(text, "wbytes")),
        tasks: file("pids.current").and_then(|text| number(&text)),
        throttled: micros("throttled_usec"),
        ..Reading::default()
    }
}

/// Adds what the container's interfaces carried: they are those that its first process sees.
fn with_network(mut reading: Reading, process: &Process) -> Reading {
    if let Ok(interfaces) = process.dev_status() {
        let outside = || interfaces.values().filter(|interface| is_outside(&interface.name));
        if outside().next().is_some() {
            reading.network_received = Some(Bytes(outside().map(|i| i.recv_bytes).sum()));
            reading.network_sent = Some(Bytes(outside().map(|i| i.sent_bytes).sum()));
        }
    }
    reading
}

/// Whether what an interface carries came from outside or goes there, and is counted nowhere else:
/// not the loopback, and not the one through which what comes on a limited link is led once more.
fn is_outside(interface: &str) -> bool {
    interface != "lo" && !interface.starts_with("ifb")
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The value after `key` in a file of `key value` lines.
fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ').and_then(number))
}

fn without(usage: Option<u64>, inactive: Option<u64>) -> Option<Bytes> {
    Some(Bytes(usage?.saturating_sub(inactive?)))
}

/// Bytes of one operation over all devices, of `MAJOR:MINOR Operation BYTES` lines.
///
/// Version 1 lists a device only while some throttle rule makes the kernel count it: a file
/// without devices has measured nothing.
fn operations(text: &str, operation: &str) -> Option<Bytes> {
    let of_line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next()?;
        (words.next()? == operation).then(|| words.next()?.parse::<u64>().ok())?
    };
    text.lines().filter_map(of_line).reduce(u64::saturating_add).map(Bytes)
}

/// Bytes of one key over all devices, of `MAJOR:MINOR key=value key=value …` lines.
///
/// Version 2 always counts and lists a device from its first byte on: an empty file is a true 0.
fn devices(text: &str, key: &str) -> Bytes {
    let of_word = |word: &str| word.strip_prefix(key)?.strip_prefix('=')?.parse::<u64>().ok();
    Bytes(text.split_ascii_whitespace().filter_map(of_word).sum())
}

#[cfg(test)]
mod tests {
    use procfs::FromRead;

    use super::*;

    #[test]
    fn a_limited_link_is_counted_once() {
        let counted = ["lo", "eth0", "ifb0", "eth1"].map(is_outside);
        assert_eq!(counted, [false, true, false, true]);
    }

    #[test]
    fn a_rule_of_writes_is_written_as_each_version_reads_it() {
        let rule = |version_1, rate| write_rule(version_1, "254:0", rate).0;
        assert_eq!(rule(true, Some(1_000_000)), "254:0 1000000");
        assert_eq!(rule(true, None), "254:0 100000000000");
        assert_eq!(rule(false, Some(1_000_000)), "254:0 wbps=1000000");
        assert_eq!(rule(false, None), "254:0 wbps=max");
    }

    const MEMORY_1: &str = "cache 503808\nrss 110592\nrss_huge 0\nshmem 0\nmapped_file 118784\n\
        dirty 4096\nwriteback 0\nswap 0\npgpgin 1273\npgpgout 1123\ninactive_anon 106496\n\
        active_anon 4096\ninactive_file 400000\nactive_file 28672\nunevictable 0\n\
        hierarchical_memory_limit 268435456\ntotal_cache 503808\ntotal_rss 110592\n\
        total_rss_huge 0\ntotal_inactive_anon 106496\ntotal_active_anon 4096\n\
        total_inactive_file 475136\ntotal_active_file 28672\ntotal_unevictable 0\n";
    const BLOCKS_1: &str = "254:0 Read 499712\n254:0 Write 20971520\n254:0 Sync 21471232\n\
        254:0 Async 0\n254:0 Discard 0\n254:0 Total 21471232\n8:16 Read 10\n8:16 Write 20\n\
        8:16 Total 30\nTotal 21471262\n";
    const MEMORY_2: &str = "anon 5001216\nfile 3002368\nkernel 1000000\nkernel_stack 100\n\
        file_mapped 200\nfile_dirty 0\ninactive_anon 5000000\nactive_anon 1216\n\
        inactive_file 2000000\nactive_file 1002368\n";
    const PROCESSOR_2: &str = "usage_usec 5250001\nuser_usec 4000000\nsystem_usec 1250001\n\
        nr_periods 10\nnr_throttled 2\nthrottled_usec 1500\nnr_bursts 0\nburst_usec 0\n";
    const BLOCKS_2: &str = "179:0 rbytes=8192 wbytes=4096 rios=2 wios=1 dbytes=0 dios=0\n\
        8:0 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n";

    #[test]
    fn version_1_files() {
        let reading = version_1(|controller, name| {
            let text = match (controller, name) {
                ("cpuacct", "cpuacct.usage") => "2578742859\n",
                ("cpu", "cpu.stat") => {
                    "nr_periods 53\nnr_throttled 51\nthrottled_time 2497836547\nnr_bursts 0\n"
                }
                ("memory", "memory.usage_in_bytes") => "1150976\n",
                ("memory", "memory.stat") => MEMORY_1,
                ("blkio", "blkio.throttle.io_service_bytes_recursive") => BLOCKS_1,
                ("pids", "pids.current") => "1\n",
                _ => return None,
            };
            Some(text.to_owned())
        });
        let expected = Reading {
            cpu: Some(Duration::from_nanos(2_578_742_859)),
            memory: Some(Bytes(1_150_976 - 475_136)),
            resident: Some(Bytes(110_592)),
            cache: Some(Bytes(503_808)),
            block_read: Some(Bytes(499_722)),
            block_written: Some(Bytes(20_971_540)),
            tasks: Some(1),
            throttled: Some(Duration::from_nanos(2_497_836_547)),
            ..Reading::default()
        };
        assert_eq!(reading, expected);
    }

    #[test]
    fn version_2_files() {
        let reading = version_2(|name| {
            let text = match name {
                "cpu.stat" => PROCESSOR_2,
                "memory.current" => "9003584\n",
                "memory.stat" => MEMORY_2,
                "io.stat" => BLOCKS_2,
                "pids.current" => "31\n",
                _ => return None,
            };
            Some(text.to_owned())
        });
        let expected = Reading {
            cpu: Some(Duration::from_micros(5_250_001)),
            memory: Some(Bytes(7_003_584)),
            resident: Some(Bytes(5_001_216)),
            cache: Some(Bytes(3_002_368)),
            block_read: Some(Bytes(8193)),
            block_written: Some(Bytes(4098)),
            tasks: Some(31),
            throttled: Some(Duration::from_micros(1500)),
            ..Reading::default()
        };
        assert_eq!(reading, expected);
    }

    #[test]
    fn files_that_are_not_there_are_missing_values() {
        assert_eq!(version_1(|_, _| None), Reading::default());
        assert_eq!(version_2(|_| None), Reading::default());
        assert_eq!(operations("Total 0\n", "Read"), None);
        assert_eq!(devices("", "rbytes"), Bytes(0));
    }

    fn mounts() -> Vec<MountInfo> {
        let lines = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
            36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            41 31 0:38 /docker/outer /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        procfs::process::MountInfos::from_read(lines.as_bytes()).unwrap().0
    }

    #[test]
    fn groups_are_found_below_the_mounts_of_their_controllers() {
        let path = |controller, group| folder_of(&mounts(), controller, group);
        assert_eq!(path("memory", "/docker/abc"), Some("/sys/fs/cgroup/memory/docker/abc".into()));
        assert_eq!(
            path("cpuacct", "/docker/abc"),
            Some("/sys/fs/cgroup/cpu,cpuacct/docker/abc".into())
        );
        assert_eq!(path("", "/docker/outer/abc"), Some("/sys/fs/cgroup/unified/abc".into()));
        assert_eq!(path("", "/elsewhere"), None);
        assert_eq!(path("blkio", "/docker/abc"), None);
    }

    #[test]
    fn a_process_of_another_container_is_not_read() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(read(own, "0123456789abcdef"), None);
    }
}
