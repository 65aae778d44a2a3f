//! Reads a container's counters from the kernel's files, where the engine runs on this machine.
//!
//! Totals of a load are differences of two readings, and an engine's statistics can be a second
//! old. The engine reads the same files (cgroup v1 and v2, and the network counters of the
//! container's first process), so both sources agree.

use std::{fs, time::Duration};

use procfs::process::Process;

use crate::{hub::docker::control_group::ControlGroups, server::ServerReading, units::Bytes};

/// Reads the container's counters; `None` where its files cannot be found or read.
///
/// `pid` is the container's first process in the engine's numbering, which may be a different
/// process here: the container's identity must appear in that process's control group.
pub fn read(pid: i32, container: &str) -> Option<ServerReading> {
    let process = Process::new(pid).ok()?;
    let groups = ControlGroups::read(&process, container).ok()?;
    let file = |controller: &str, name: &str| {
        fs::read_to_string(groups.folder(controller)?.join(name)).ok()
    };
    let split = groups.has_controller("cpuacct");
    let reading = if split { read_version_1(file) } else { read_version_2(|name| file("", name)) };
    // The CPU counter always exists: without it these are not the container's files.
    reading.cpu?;
    Some(with_network(reading, &process))
}

/// Reads the counters of cgroup version 1; `file` reads a file of a controller.
fn read_version_1(file: impl Fn(&str, &str) -> Option<String>) -> ServerReading {
    let usage = file("memory", "memory.usage_in_bytes").and_then(|text| parse_number(&text));
    let details = file("memory", "memory.stat");
    let detail = |key| details.as_deref().and_then(|text| field(text, key));
    let blocks = file("blkio", "blkio.throttle.io_service_bytes_recursive")
        .or_else(|| file("blkio", "blkio.throttle.io_service_bytes"));
    let throttled = file("cpu", "cpu.stat").and_then(|text| field(&text, "throttled_time"));
    ServerReading {
        cpu: file("cpuacct", "cpuacct.usage")
            .and_then(|t| parse_number(&t))
            .map(Duration::from_nanos),
        memory: used_memory(usage, detail("total_inactive_file")),
        resident: detail("total_rss").map(Bytes),
        cache: detail("total_cache").map(Bytes),
        block_read: blocks.as_deref().and_then(|text| block_bytes_v1(text, "Read")),
        block_written: blocks.as_deref().and_then(|text| block_bytes_v1(text, "Write")),
        tasks: file("pids", "pids.current").and_then(|text| parse_number(&text)),
        throttled: throttled.map(Duration::from_nanos),
        ..ServerReading::default()
    }
}

/// Reads the counters of cgroup version 2; `file` reads a file of the group.
fn read_version_2(file: impl Fn(&str) -> Option<String>) -> ServerReading {
    let usage = file("memory.current").and_then(|text| parse_number(&text));
    let details = file("memory.stat");
    let detail = |key| details.as_deref().and_then(|text| field(text, key));
    let processor = file("cpu.stat");
    let micros =
        |key| processor.as_deref().and_then(|text| field(text, key)).map(Duration::from_micros);
    let blocks = file("io.stat");
    ServerReading {
        cpu: micros("usage_usec"),
        memory: used_memory(usage, detail("inactive_file")),
        resident: detail("anon").map(Bytes),
        cache: detail("file").map(Bytes),
        block_read: blocks.as_deref().map(|text| block_bytes_v2(text, "rbytes")),
        // Without the memory controller the kernel charges buffered writes to no group: not counted.
        block_written: blocks
            .as_deref()
            .filter(|_| usage.is_some())
            .map(|text| block_bytes_v2(text, "wbytes")),
        tasks: file("pids.current").and_then(|text| parse_number(&text)),
        throttled: micros("throttled_usec"),
        ..ServerReading::default()
    }
}

/// Adds the traffic of the container's interfaces, as its first process sees them.
fn with_network(mut reading: ServerReading, process: &Process) -> ServerReading {
    if let Ok(interfaces) = process.dev_status() {
        let outside =
            || interfaces.values().filter(|interface| is_external_interface(&interface.name));
        if outside().next().is_some() {
            reading.network_received = Some(Bytes(outside().map(|i| i.recv_bytes).sum()));
            reading.network_sent = Some(Bytes(outside().map(|i| i.sent_bytes).sum()));
        }
    }
    reading
}

/// Whether an interface carries traffic from or to the outside that no other interface counts.
///
/// This excludes the loopback and the `ifb` device, through which a limited link redirects its
/// incoming traffic a second time.
fn is_external_interface(interface: &str) -> bool {
    interface != "lo" && !interface.starts_with("ifb")
}

fn parse_number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Returns the value after `key` in a file of `key value` lines.
fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ').and_then(parse_number))
}

fn used_memory(usage: Option<u64>, inactive: Option<u64>) -> Option<Bytes> {
    Some(Bytes(usage?.saturating_sub(inactive?)))
}

/// Sums the bytes of one operation over all devices, of `MAJOR:MINOR Operation BYTES` lines.
///
/// Version 1 lists a device only while some throttle rule makes the kernel count it, so a file
/// without devices is no measurement.
fn block_bytes_v1(text: &str, operation: &str) -> Option<Bytes> {
    let of_line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next()?;
        (words.next()? == operation).then(|| words.next()?.parse::<u64>().ok())?
    };
    text.lines().filter_map(of_line).reduce(u64::saturating_add).map(Bytes)
}

/// Sums the bytes of one key over all devices, of `MAJOR:MINOR key=value key=value …` lines.
///
/// Version 2 always counts and lists a device from its first byte on, so an empty file means 0.
fn block_bytes_v2(text: &str, key: &str) -> Bytes {
    let of_word = |word: &str| word.strip_prefix(key)?.strip_prefix('=')?.parse::<u64>().ok();
    Bytes(text.split_ascii_whitespace().filter_map(of_word).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_link_is_counted_once() {
        let counted = ["lo", "eth0", "ifb0", "eth1"].map(is_external_interface);
        assert_eq!(counted, [false, true, false, true]);
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
        let reading = read_version_1(|controller, name| {
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
        let expected = ServerReading {
            cpu: Some(Duration::from_nanos(2_578_742_859)),
            memory: Some(Bytes(1_150_976 - 475_136)),
            resident: Some(Bytes(110_592)),
            cache: Some(Bytes(503_808)),
            block_read: Some(Bytes(499_722)),
            block_written: Some(Bytes(20_971_540)),
            tasks: Some(1),
            throttled: Some(Duration::from_nanos(2_497_836_547)),
            ..ServerReading::default()
        };
        assert_eq!(reading, expected);
    }

    #[test]
    fn version_2_files() {
        let reading = read_version_2(|name| {
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
        let expected = ServerReading {
            cpu: Some(Duration::from_micros(5_250_001)),
            memory: Some(Bytes(7_003_584)),
            resident: Some(Bytes(5_001_216)),
            cache: Some(Bytes(3_002_368)),
            block_read: Some(Bytes(8193)),
            block_written: Some(Bytes(4098)),
            tasks: Some(31),
            throttled: Some(Duration::from_micros(1500)),
            ..ServerReading::default()
        };
        assert_eq!(reading, expected);
    }

    #[test]
    fn writes_are_not_counted_without_the_memory_controller() {
        let reading = read_version_2(|name| {
            let text = match name {
                "cpu.stat" => PROCESSOR_2,
                "io.stat" => "179:0 rbytes=8192 wbytes=0 rios=2 wios=0 dbytes=0 dios=0\n",
                _ => return None,
            };
            Some(text.to_owned())
        });
        assert_eq!((reading.block_written, reading.memory), (None, None), "not 0 B");
        assert_eq!(reading.block_read, Some(Bytes(8192)), "reads are charged to the reader");
    }

    #[test]
    fn missing_files_are_missing_values() {
        assert_eq!(read_version_1(|_, _| None), ServerReading::default());
        assert_eq!(read_version_2(|_| None), ServerReading::default());
        assert_eq!(block_bytes_v1("Total 0\n", "Read"), None);
        assert_eq!(block_bytes_v2("", "rbytes"), Bytes(0));
    }

    #[test]
    fn a_process_of_another_container_is_not_read() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(read(own, "0123456789abcdef"), None);
    }
}
