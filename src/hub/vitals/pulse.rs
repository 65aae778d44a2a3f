//! The counters of a hub at one moment, taken out of its [`Tree`].

use std::time::Duration;

use super::tree::Tree;
use crate::units::{Bytes, Celsius};

/// Ticks of processor time in a second, as Linux shows them to programs on every architecture
/// (`USER_HZ`).
const TICKS: f64 = 100.0;
/// Bytes of a page: `/proc/vmstat` counts swap in pages. 4 KiB on x86 and on Raspberry Pi OS but
/// for the Pi 5, whose kernel has 16 KiB: there the rate is a quarter of the true one.
const PAGE: u64 = 4096;

/// The counters of a hub at one moment. `None` was not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pulse {
    /// Temperature of the processor.
    pub temperature: Option<Celsius>,
    /// Clock of the first core, in MHz.
    pub clock_mhz: Option<f64>,
    /// The firmware's throttle bits.
    pub throttle_bits: Option<u32>,
    /// Whether the supply voltage is too low.
    pub under_voltage: Option<bool>,
    /// Processor time of all programs since the start, all cores together; without interrupts,
    /// which belong to nobody.
    pub busy: Option<Duration>,
    /// Memory that is still to be had.
    pub memory_available: Option<Bytes>,
    /// All memory.
    pub memory: Option<Bytes>,
    /// Time for which some task waited for memory, since the start.
    pub stalled: Option<Duration>,
    /// Bytes moved from and to swap since the start.
    pub swapped: Option<Bytes>,
    /// Free and all space of the file system under the servers' data.
    pub disk: Option<(Bytes, Bytes)>,
    /// Processor time of this program, where the hub is this machine.
    pub own: Option<Duration>,
}

/// Where a machine keeps what differs between machines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    temperature: Option<String>,
    alarm: Option<String>,
    throttle: Option<String>,
}

impl Places {
    /// Looks for them. `now` is the tree with the values of a moment, `facts` that with the names
    /// of sensors: on this machine both are the same.
    pub fn find(facts: &Tree, now: &Tree) -> Self {
        Self {
            temperature: thermometer(facts),
            alarm: sensor(facts, &["rpi_volt"]).map(|at| format!("{at}/in0_lcrit_alarm")),
            throttle: throttle(now),
        }
    }
}

/// The folder of the thermal zone that is the processor's.
pub fn thermal_zone(facts: &Tree) -> Option<String> {
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

fn thermometer(facts: &Tree) -> Option<String> {
    thermal_zone(facts).map(|zone| format!("{zone}/temp")).or_else(|| {
        let processors = ["cpu_thermal", "coretemp", "k10temp", "zenpower"];
        sensor(facts, &processors).map(|at| format!("{at}/temp1_input"))
    })
}

/// The folder of the first hardware monitor with one of these names.
fn sensor(facts: &Tree, names: &[&str]) -> Option<String> {
    const MONITORS: &str = "sys/class/hwmon";
    facts.list(MONITORS).into_iter().map(|one| format!("{MONITORS}/{one}")).find(|one| {
        facts.read(&format!("{one}/name")).is_some_and(|name| names.contains(&name.as_str()))
    })
}

/// `soc/soc:firmware` up to the Raspberry Pi 4; `soc@…` later.
fn throttle(now: &Tree) -> Option<String> {
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

impl Pulse {
    /// What `tree` says now. Space is only in what a reader sent; elsewhere it is the caller's.
    pub fn read(tree: &Tree, places: &Places) -> Self {
        const CLOCK: &str = "sys/devices/system/cpu/cpu0/cpufreq";
        let at = |place: &Option<String>| tree.read(place.as_deref()?);
        let khz = tree
            .number::<f64>(&format!("{CLOCK}/cpuinfo_cur_freq"))
            .or_else(|| tree.number(&format!("{CLOCK}/scaling_cur_freq")));
        let memory = tree.read("proc/meminfo").unwrap_or_default();
        let swap = tree.read("proc/vmstat").unwrap_or_default();
        let pages = |key| named(&swap, key);
        Self {
            temperature: at(&places.temperature).and_then(|text| text.parse().ok()).map(Celsius),
            clock_mhz: khz.map(|khz| khz / 1e3),
            throttle_bits: at(&places.throttle).and_then(|text| bits(&text)),
            under_voltage: at(&places.alarm).map(|text| text != "0"),
            busy: tree.read("proc/stat").and_then(|text| busy(&text)),
            memory_available: named(&memory, "MemAvailable:").map(|kib| Bytes(kib << 10)),
            memory: named(&memory, "MemTotal:").map(|kib| Bytes(kib << 10)),
            stalled: tree.read("proc/pressure/memory").and_then(|text| stalled(&text)),
            swapped: pages("pswpin").zip(pages("pswpout")).map(|(i, o)| Bytes((i + o) * PAGE)),
            disk: tree.read("df").and_then(|text| space(&text)),
            own: None,
        }
    }

    /// Whether the supply is too low, by the alarm of its own or by the firmware's bits.
    pub fn starved(&self) -> Option<bool> {
        let bit = self.throttle_bits.map(|bits| bits & 1 != 0);
        self.under_voltage.into_iter().chain(bit).reduce(|a, b| a || b)
    }
}

/// Bits as the firmware writes them: hexadecimal, with or without `0x`.
pub fn bits(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

/// The number after a word at a line's beginning.
fn named(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Time of programs from the first line of `/proc/stat`: user, nice, system.
fn busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [user, nice, system, ..] = ticks[..] else { return None };
    Some(Duration::from_secs_f64((user + nice + system) as f64 / TICKS))
}

/// The `total` of the line `some` of `/proc/pressure/memory`, in microseconds.
fn stalled(pressure: &str) -> Option<Duration> {
    let line = pressure.lines().find(|line| line.starts_with("some "))?;
    line.rsplit_once("total=")?.1.trim().parse().ok().map(Duration::from_micros)
}

/// Free and all space from a line of `df -Pk`: device, size, used, free, share, place.
fn space(line: &str) -> Option<(Bytes, Bytes)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let kib = |word: Option<&&str>| word?.parse::<u64>().ok().map(|kib| Bytes(kib << 10));
    kib(words.get(3)).zip(kib(words.get(1))).filter(|(_, size)| size.0 > 0)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process::Command};

    use super::*;

    /// A Raspberry Pi 4 that is hot and badly supplied, as a folder.
    pub fn pi(root: &Path) {
        let files = [
            ("proc/stat", "cpu  1000 200 300 99999 5 0 40 0 0 0\ncpu0 1 1 1 1\nintr 5 5\n"),
            ("proc/meminfo", "MemTotal: 3884000 kB\nMemFree: 1 kB\nMemAvailable: 2000000 kB\n"),
            ("proc/vmstat", "nr_free_pages 7\npswpin 10\npswpout 20\n"),
            (
                "proc/pressure/memory",
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull total=7\n",
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

    fn expected() -> Pulse {
        Pulse {
            temperature: Some(Celsius(82_770)),
            clock_mhz: Some(1_000.0),
            throttle_bits: Some(0x5_0005),
            under_voltage: Some(true),
            busy: Some(Duration::from_secs(15)),
            memory_available: Some(Bytes(2_000_000 << 10)),
            memory: Some(Bytes(3_884_000 << 10)),
            stalled: Some(Duration::from_millis(1_500)),
            swapped: Some(Bytes(30 * 4096)),
            disk: None,
            own: None,
        }
    }

    #[test]
    fn a_machine_is_read_from_its_files() {
        let folder = tempfile::tempdir().unwrap();
        pi(folder.path());
        let tree = Tree::Folder(folder.path().to_owned());
        let pulse = Pulse::read(&tree, &Places::find(&tree, &tree));
        assert_eq!(pulse, expected());
        assert_eq!(pulse.starved(), Some(true));
    }

    #[test]
    fn the_reader_sends_what_the_files_say() {
        let folder = tempfile::tempdir().unwrap();
        pi(folder.path());
        // Without the part that writes to the root of its container.
        let script: String = super::super::READER
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
        let (facts, now) = text.split_at(text.find("proc/stat:").unwrap());
        assert!(now.ends_with("\n.\n"), "{text}");
        let (facts, now) = (Tree::listed(facts), Tree::listed(now));
        let pulse = Pulse::read(&now, &Places::find(&facts, &now));
        assert!(pulse.disk.is_some_and(|(free, size)| free <= size), "{text}");
        assert_eq!(Pulse { disk: None, ..pulse }, expected(), "{text}");

        let folder = Tree::Folder(folder.path().to_owned());
        let seen = super::super::facts::seen(&facts, &now, Path::new("/var/lib/docker"));
        assert_eq!(seen, super::super::facts::seen(&folder, &folder, Path::new("/var/lib/docker")));
        assert_eq!(seen.model.as_deref(), Some("Raspberry Pi 4 Model B Rev 1.4"));
        assert_eq!(seen.cpu.as_deref(), Some("arm,cortex-a72"));
        assert_eq!(seen.storage_device.as_deref(), Some("/dev/mmcblk0 (SD32G)"));
        assert_eq!(seen.file_system.as_deref(), Some("ext4"));
        assert_eq!(seen.governor.as_deref(), Some("ondemand"));
        assert_eq!(seen.clock_max_mhz, Some(1_800.0));
        assert_eq!(seen.temperature, Some(Celsius(82_770)));
        assert_eq!(seen.temperature_limit, None, "critical is not where the clock is lowered");
        assert_eq!(seen.throttle_bits, Some(0x5_0005));
    }

    #[test]
    fn what_a_machine_does_not_have_is_missing() {
        let empty = Tree::listed("");
        let pulse = Pulse::read(&empty, &Places::find(&empty, &empty));
        assert_eq!((pulse, pulse.starved()), (Pulse::default(), None));
    }

    #[test]
    fn this_machine_has_a_pulse() {
        let here = Tree::Folder("/".into());
        let pulse = Pulse::read(&here, &Places::find(&here, &here));
        assert!(pulse.busy.is_some() && pulse.memory_available.is_some(), "{pulse:?}");
    }
}
