//! The counters of a hub at one moment, extracted from its [`SystemFiles`].

use std::time::Duration;

use super::{files::SystemFiles, storage};
use crate::units::{Bytes, Celsius};

/// Ticks of processor time per second, as Linux reports them to programs on every architecture
/// (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;
/// File that names the kernel's page size, in the reader's own mappings.
const MAPPINGS: &str = "proc/self/smaps";

/// The counters of a hub at one moment; `None` means not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HostCounters {
    /// Processor temperature.
    pub temperature: Option<Celsius>,
    /// Clock of the first core, in MHz.
    pub clock_mhz: Option<f64>,
    /// The firmware's throttle bits.
    pub throttle_bits: Option<u32>,
    /// Whether the supply voltage is too low.
    pub under_voltage: Option<bool>,
    /// Processor time of all programs since boot, all cores together; without interrupts, which
    /// belong to no program.
    pub busy: Option<Duration>,
    /// Processor time since boot that the host of a virtual machine gave to others.
    pub stolen: Option<Duration>,
    /// Memory available to programs.
    pub memory_available: Option<Bytes>,
    /// Total memory.
    pub memory: Option<Bytes>,
    /// Time since boot for which some task waited for memory.
    pub memory_stall: Option<Duration>,
    /// Time since boot for which some task waited for a disk.
    pub io_stall: Option<Duration>,
    /// Bytes moved from and to swap since boot.
    pub swapped: Option<Bytes>,
    /// Free and total space of the file system under the servers' data.
    pub disk: Option<(Bytes, Bytes)>,
    /// Bytes written since boot to the disk under the servers' data, by all programs.
    pub disk_written: Option<Bytes>,
    /// Processor time of this program, if the hub is this machine.
    pub own_cpu_time: Option<Duration>,
}

/// Paths of the sensor files, name of the disk and size of a page, which differ between machines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SensorPaths {
    /// Bytes of a page, in which `/proc/vmstat` counts swap: 4 KiB on x86, 16 KiB on a Raspberry Pi 5.
    page_size: Option<u64>,
    temperature: Option<String>,
    alarm: Option<String>,
    throttle: Option<String>,
    /// The kernel's name of the disk under the servers' data.
    disk: Option<String>,
}

impl SensorPaths {
    /// Finds the sensors. `now` has the values of one moment, `facts` the names of sensors; on this
    /// machine both are the same.
    pub fn find(facts: &SystemFiles, now: &SystemFiles) -> Self {
        Self {
            page_size: page_size(facts),
            temperature: temperature_path(facts),
            alarm: sensor_folder(facts, &["rpi_volt"]).map(|at| format!("{at}/in0_lcrit_alarm")),
            throttle: throttle_path(now),
            disk: None,
        }
    }

    /// Adds the disk under the servers' data, by the kernel's name.
    #[must_use]
    pub fn with_disk(self, disk: Option<String>) -> Self {
        Self { disk, ..self }
    }
}

/// The kernel's page size in bytes.
fn page_size(facts: &SystemFiles) -> Option<u64> {
    number_after(&facts.read(MAPPINGS)?, "KernelPageSize:").map(|kib| kib << 10)
}

/// The folder of the processor's thermal zone.
pub fn thermal_zone(facts: &SystemFiles) -> Option<String> {
    const ZONES: &str = "sys/class/thermal";
    let of_processor = |kind: &str| {
        let kind = kind.to_lowercase();
        ["cpu", "soc", "x86_pkg_temp"].iter().any(|word| kind.contains(word))
    };
    facts
        .list(ZONES)
        .into_iter()
        .map(|zone| format!("{ZONES}/{zone}"))
        .find(|zone| facts.read(&format!("{zone}/type")).is_some_and(|kind| of_processor(&kind)))
}

fn temperature_path(facts: &SystemFiles) -> Option<String> {
    thermal_zone(facts).map(|zone| format!("{zone}/temp")).or_else(|| {
        let processors = ["cpu_thermal", "coretemp", "k10temp", "zenpower"];
        sensor_folder(facts, &processors).map(|at| format!("{at}/temp1_input"))
    })
}

/// The folder of the first hardware monitor with one of these names.
fn sensor_folder(facts: &SystemFiles, names: &[&str]) -> Option<String> {
    const MONITORS: &str = "sys/class/hwmon";
    facts.list(MONITORS).into_iter().map(|one| format!("{MONITORS}/{one}")).find(|one| {
        facts.read(&format!("{one}/name")).is_some_and(|name| names.contains(&name.as_str()))
    })
}

/// The firmware's throttle file: below `soc/soc:firmware` up to the Raspberry Pi 4, below `soc@…`
/// since.
fn throttle_path(now: &SystemFiles) -> Option<String> {
    const PLATFORM: &str = "sys/devices/platform";
    let file = |at: &str| Some(format!("{at}/get_throttled")).filter(|f| now.read(f).is_some());
    now.list(PLATFORM).iter().filter(|name| name.starts_with("soc")).find_map(|soc| {
        let soc = format!("{PLATFORM}/{soc}");
        file(&soc).or_else(|| {
            let inner = now.list(&soc);
            let firmware = inner.iter().filter(|name| name.ends_with("firmware"));
            firmware.into_iter().find_map(|name| file(&format!("{soc}/{name}")))
        })
    })
}

impl HostCounters {
    /// Reads the counters from `tree`. Disk space is set only if a reader script sent it; otherwise
    /// the caller sets it.
    pub fn read(tree: &SystemFiles, sensors: &SensorPaths) -> Self {
        const CLOCK: &str = "sys/devices/system/cpu/cpu0/cpufreq";
        let sensor = |path: &Option<String>| tree.read(path.as_deref()?);
        let khz = tree
            .number::<f64>(&format!("{CLOCK}/cpuinfo_cur_freq"))
            .or_else(|| tree.number(&format!("{CLOCK}/scaling_cur_freq")));
        let memory = tree.read("proc/meminfo").unwrap_or_default();
        let swap = tree.read("proc/vmstat").unwrap_or_default();
        let cpu_ticks = tree.read("proc/stat").and_then(|text| parse_cpu_ticks(&text));
        let pages = |key| number_after(&swap, key);
        Self {
            temperature: sensor(&sensors.temperature)
                .and_then(|text| text.parse().ok())
                .map(Celsius),
            clock_mhz: khz.map(|khz| khz / 1e3),
            throttle_bits: sensor(&sensors.throttle).and_then(|text| parse_throttle_bits(&text)),
            under_voltage: sensor(&sensors.alarm).map(|text| text != "0"),
            busy: cpu_ticks.as_deref().and_then(programs_time),
            stolen: cpu_ticks.as_deref().and_then(stolen_time),
            memory_available: number_after(&memory, "MemAvailable:").map(|kib| Bytes(kib << 10)),
            memory: number_after(&memory, "MemTotal:").map(|kib| Bytes(kib << 10)),
            memory_stall: tree.read("proc/pressure/memory").and_then(|text| parse_stall(&text)),
            io_stall: tree.read("proc/pressure/io").and_then(|text| parse_stall(&text)),
            swapped: pages("pswpin")
                .zip(pages("pswpout"))
                .zip(sensors.page_size)
                .map(|((read, written), size)| Bytes((read + written) * size)),
            disk: tree.read("df").and_then(|text| parse_df(&text)),
            disk_written: sensors
                .disk
                .as_ref()
                .and_then(|disk| storage::parse_bytes_written(&tree.read("proc/diskstats")?, disk)),
            own_cpu_time: None,
        }
    }

    /// Whether the supply voltage is too low, by the voltage alarm or by the firmware's bits.
    pub fn has_low_voltage(&self) -> Option<bool> {
        let bit = self.throttle_bits.map(|bits| bits & 1 != 0);
        self.under_voltage.into_iter().chain(bit).reduce(|a, b| a || b)
    }
}

/// Parses the firmware's bits: hexadecimal, with or without `0x`.
pub fn parse_throttle_bits(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

/// The number that follows `key` at the start of a line.
fn number_after(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Ticks of all cores from the first line of `/proc/stat`.
fn parse_cpu_ticks(stat: &str) -> Option<Vec<u64>> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    Some(line.split_whitespace().map_while(|word| word.parse().ok()).collect())
}

/// Processor time of programs: user, nice, system.
fn programs_time(ticks: &[u64]) -> Option<Duration> {
    let [user, nice, system, ..] = ticks else { return None };
    Some(ticks_time(user + nice + system))
}

/// Processor time that the machine's host gave to others: after idle, iowait, irq and softirq.
fn stolen_time(ticks: &[u64]) -> Option<Duration> {
    ticks.get(7).copied().map(ticks_time)
}

fn ticks_time(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND)
}

/// The `total` of the line `some` of a file in `/proc/pressure`, in microseconds.
fn parse_stall(pressure: &str) -> Option<Duration> {
    let line = pressure.lines().find(|line| line.starts_with("some "))?;
    line.rsplit_once("total=")?.1.trim().parse().ok().map(Duration::from_micros)
}

/// Free and total space from a line of `df -Pk`: device, size, used, free, share, mount point.
fn parse_df(line: &str) -> Option<(Bytes, Bytes)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let kib = |word: Option<&&str>| word?.parse::<u64>().ok().map(|kib| Bytes(kib << 10));
    kib(words.get(3)).zip(kib(words.get(1))).filter(|(_, size)| size.0 > 0)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process::Command};

    use super::*;
    use crate::hub::host::facts;

    /// Writes the files of a Raspberry Pi 4 with high temperature and low voltage.
    pub fn write_raspberry_pi(root: &Path) {
        let files = [
            ("proc/stat", "cpu  1000 200 300 99999 5 0 40 70 0 0\ncpu0 1 1 1 1\nintr 5 5\n"),
            ("proc/meminfo", "MemTotal: 3884000 kB\nMemFree: 1 kB\nMemAvailable: 2000000 kB\n"),
            ("proc/vmstat", "nr_free_pages 7\npswpin 10\npswpout 20\n"),
            (
                "proc/self/smaps",
                "00400000-00e00000 r-xp 00000000 b3:02 7 /bin/x\nSize: 10240 kB\n\
                 KernelPageSize:       16 kB\nMMUPageSize:          16 kB\n",
            ),
            (
                "proc/diskstats",
                " 179       0 mmcblk0 9 0 80 7 100 20 3000 50 0 60 70\n 179       2 mmcblk0p2 9 0 80 7 100 20 2990 50 0 60 70\n",
            ),
            (
                "proc/pressure/memory",
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull total=7\n",
            ),
            (
                "proc/pressure/io",
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull total=7\n",
            ),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone0/temp", "82770\n"),
            ("sys/class/thermal/thermal_zone0/trip_point_0_type", "critical\n"),
            ("sys/class/thermal/thermal_zone0/trip_point_0_temp", "110000\n"),
            ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1000000\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1800000\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n"),
            ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n"),
            ("sys/firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
            ("sys/firmware/devicetree/base/cpus/cpu@0/compatible", "arm,cortex-a72\0"),
            ("sys/block/mmcblk0/dev", "179:0\n"),
            ("sys/block/mmcblk0/device/name", "SD32G\n"),
            ("sys/block/mmcblk0/mmcblk0p2/dev", "179:2\n"),
            ("proc/1/mountinfo", "21 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw\n"),
            ("proc/sys/kernel/osrelease", "6.6.31+rpt-rpi-v8\n"),
        ];
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn expected() -> HostCounters {
        HostCounters {
            temperature: Some(Celsius(82_770)),
            clock_mhz: Some(1_000.0),
            throttle_bits: Some(0x5_0005),
            under_voltage: Some(true),
            busy: Some(Duration::from_secs(15)),
            stolen: Some(Duration::from_millis(700)),
            memory_available: Some(Bytes(2_000_000 << 10)),
            memory: Some(Bytes(3_884_000 << 10)),
            memory_stall: Some(Duration::from_millis(1_500)),
            io_stall: Some(Duration::from_millis(2_500)),
            swapped: Some(Bytes(30 * 16_384)),
            disk: None,
            disk_written: Some(Bytes(3_000 * 512)),
            own_cpu_time: None,
        }
    }

    fn sensors(facts: &SystemFiles, now: &SystemFiles) -> SensorPaths {
        let disk = facts::disk_name(facts, Path::new("/var/lib/docker"));
        SensorPaths::find(facts, now).with_disk(disk)
    }

    #[test]
    fn a_machine_is_read_from_its_files() {
        let folder = tempfile::tempdir().unwrap();
        write_raspberry_pi(folder.path());
        let tree = SystemFiles::Folder(folder.path().to_owned());
        let counters = HostCounters::read(&tree, &sensors(&tree, &tree));
        assert_eq!(counters, expected());
        assert_eq!(counters.has_low_voltage(), Some(true));
    }

    #[test]
    fn the_reader_sends_what_the_files_say() {
        let folder = tempfile::tempdir().unwrap();
        write_raspberry_pi(folder.path());
        // Without the part that writes to the root of its container.
        let script: String = crate::hub::host::READER_SCRIPT
            .lines()
            .filter(|line| !line.contains("hubmark-fsync"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let output = Command::new("sh")
            .args(["-c", &script, "sh"])
            .arg(folder.path())
            .arg("0")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (first, now) = text.split_at(text.find("proc/stat:").unwrap());
        assert!(now.ends_with("\n.\n"), "{text}");
        let (first, now) = (SystemFiles::from_listing(first), SystemFiles::from_listing(now));
        let counters = HostCounters::read(&now, &sensors(&first, &now));
        assert!(counters.disk.is_some_and(|(free, size)| free <= size), "{text}");
        assert_eq!(HostCounters { disk: None, ..counters }, expected(), "{text}");

        let folder = SystemFiles::Folder(folder.path().to_owned());
        let listed_facts = facts::read_facts(&first, &now, Path::new("/var/lib/docker"));
        assert_eq!(listed_facts, facts::read_facts(&folder, &folder, Path::new("/var/lib/docker")));
        assert_eq!(listed_facts.model.as_deref(), Some("Raspberry Pi 4 Model B Rev 1.4"));
        assert_eq!(listed_facts.cpu.as_deref(), Some("arm,cortex-a72"));
        assert_eq!(listed_facts.storage_device.as_deref(), Some("/dev/mmcblk0 (SD32G)"));
        assert_eq!(listed_facts.file_system.as_deref(), Some("ext4"));
        assert_eq!(listed_facts.governor.as_deref(), Some("ondemand"));
        assert_eq!(listed_facts.clock_max_mhz, Some(1_800.0));
        assert_eq!(listed_facts.temperature, Some(Celsius(82_770)));
        assert_eq!(
            listed_facts.temperature_limit, None,
            "critical is not where the clock is lowered"
        );
        assert_eq!(listed_facts.throttle_bits, Some(0x5_0005));
        assert_eq!(listed_facts.memory_pressure, Some(true));
    }

    #[test]
    fn swap_is_counted_in_the_pages_of_the_machine_or_not_at_all() {
        let swap = "proc/vmstat:pswpin 10\nproc/vmstat:pswpout 20\n";
        let swapped = |facts: &str| {
            let facts = SystemFiles::from_listing(facts);
            let now = SystemFiles::from_listing(swap);
            HostCounters::read(&now, &SensorPaths::find(&facts, &now)).swapped
        };
        for (kib, bytes) in [(4, 122_880), (16, 491_520), (64, 1_966_080)] {
            let facts = format!("proc/self/smaps:KernelPageSize:       {kib} kB\n");
            assert_eq!(swapped(&facts), Some(Bytes(bytes)), "{kib} KiB");
        }
        assert_eq!(swapped(""), None, "the size of a page is not known");
    }

    #[test]
    fn what_a_machine_does_not_have_is_missing() {
        let empty = SystemFiles::from_listing("");
        let counters = HostCounters::read(&empty, &SensorPaths::find(&empty, &empty));
        assert_eq!((counters, counters.has_low_voltage()), (HostCounters::default(), None));
    }

    #[test]
    fn this_machine_has_counters() {
        let here = SystemFiles::Folder("/".into());
        let counters = HostCounters::read(&here, &SensorPaths::find(&here, &here));
        assert!(counters.busy.is_some() && counters.memory_available.is_some(), "{counters:?}");
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).unwrap();
        assert_eq!(page_size(&here).map(u64::cast_signed), page);
    }
}
