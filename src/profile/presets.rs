//! Presets of limits that make a larger hub resemble a small board.
//!
//! A preset is an approximation. Memory and link rate are those of the board. The rate of disk
//! writes is that of one common SD card; the time that such a card takes for a single sync is not
//! imitated. A share of a fast core differs from a slow core: it runs at full speed for a while and
//! then waits. The shares here are *chosen*, as if a Cortex-A72 at 1.5 GHz did a quarter of the
//! work of a present server core, and the other boards in proportion to the sysbench figures below;
//! `hub.limits.cpus` overrides them.
//!
//! The limits apply to each server: two servers (a broker and its ZooKeeper) get them twice.
//!
//! Sources: memory and network from the makers' product briefs; link rates of TCP by iperf3 (Pi 4:
//! 941 Mbit/s, <https://mpr-projects.com/index.php/2023/12/15/rpi-nas-part-3-network-connections/>;
//! the Pi 3 B has Fast Ethernet, the Zero 2 W 2.4 GHz wireless with one stream); disk writes from
//! <https://www.pidramble.com/wiki/benchmarks/microsd-cards> (Samsung Evo+ 32 GB in a Pi 4: 21.3 MB/s
//! by dd); sysbench, 4 threads, from <https://leoncode.co.uk/articles/raspberry-pi-benchmarks> (Pi 4:
//! 5,901 events/s, Pi 3 B+ at 1.4 GHz: 2,459; the others by their clocks, 1.2 and 1.0 GHz).

use crate::{
    server::ResourceLimits,
    units::{ByteRate, Bytes, Cpus},
};

/// A small board and the limits that make a larger hub resemble it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HardwarePreset {
    /// Name in a profile.
    pub name: &'static str,
    /// Limits of each server.
    pub limits: ResourceLimits,
}

const fn preset(name: &'static str, cpus: f64, memory: u64, link: f64) -> HardwarePreset {
    let limits = ResourceLimits {
        cpus: Some(Cpus(cpus)),
        memory: Some(Bytes(memory)),
        disk_write: Some(ByteRate(21e6)),
        link: Some(ByteRate(link / 8.0)),
        delay: None,
    };
    HardwarePreset { name, limits }
}

const MIB: u64 = 1 << 20;

/// All presets, the largest board first.
pub const PRESETS: [HardwarePreset; 5] = [
    preset("raspberry-pi-4b-8gb", 1.0, 8_192 * MIB, 941e6),
    preset("raspberry-pi-4b-4gb", 1.0, 4_096 * MIB, 941e6),
    preset("raspberry-pi-4b-2gb", 1.0, 2_048 * MIB, 941e6),
    preset("raspberry-pi-3b", 0.36, 1_024 * MIB, 94e6),
    preset("raspberry-pi-zero-2w", 0.3, 512 * MIB, 40e6),
];

/// Names of all presets, in the order of [`PRESETS`].
pub const NAMES: [&str; PRESETS.len()] = {
    let mut names = [""; PRESETS.len()];
    let mut index = 0;
    while index < PRESETS.len() {
        names[index] = PRESETS[index].name;
        index += 1;
    }
    names
};

/// Preset with this name.
pub fn find(name: &str) -> Option<&'static HardwarePreset> {
    PRESETS.iter().find(|one| one.name == name)
}

impl HardwarePreset {
    /// Limits of the preset, overridden by those that `given` sets.
    pub fn limits_with(&self, given: &ResourceLimits) -> ResourceLimits {
        let own = &self.limits;
        ResourceLimits {
            cpus: given.cpus.or(own.cpus),
            memory: given.memory.or(own.memory),
            disk_write: given.disk_write.or(own.disk_write),
            link: given.link.or(own.link),
            delay: given.delay.or(own.delay),
        }
    }

    /// Limits in `limits` that differ from those of the preset.
    pub fn overridden_limits(&self, limits: &ResourceLimits) -> ResourceLimits {
        let own = &self.limits;
        ResourceLimits {
            cpus: limits.cpus.filter(|_| limits.cpus != own.cpus),
            memory: limits.memory.filter(|_| limits.memory != own.memory),
            disk_write: limits.disk_write.filter(|_| limits.disk_write != own.disk_write),
            link: limits.link.filter(|_| limits.link != own.link),
            delay: limits.delay.filter(|_| limits.delay != own.delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_limits_override_the_preset() {
        let given = ResourceLimits { cpus: Some(Cpus(2.0)), ..ResourceLimits::default() };
        let pi = find("raspberry-pi-3b").unwrap();
        let limits = pi.limits_with(&given);
        assert_eq!((limits.cpus, limits.memory), (Some(Cpus(2.0)), Some(Bytes(1 << 30))));
        assert_eq!(pi.overridden_limits(&limits), given);
        assert_eq!(find("raspberry-pi-9"), None);
    }
}
