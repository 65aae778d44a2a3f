//! Small boxes for which a larger hub can stand in, as sets of limits.
//!
//! A stand-in is an approximation. Memory and link are the box's own. The rate of disk writes is
//! that of one common SD card; how long such a card takes for a single sync is not imitated. A core
//! of such a box is a slow core, and a share of a fast one is something else: at times it runs fast
//! and then waits. The shares here are *chosen*, as if a Cortex-A72 at 1.5 GHz did a quarter of the
//! work of a present server core, and the other boxes in proportion to the sysbench figures below;
//! whoever knows better sets `hub.limits.cpus`.
//!
//! The limits are those of each server: two servers (a broker and its ZooKeeper) have them twice.
//!
//! Sources: memory and network from the makers' product briefs; link rates of TCP by iperf3 (Pi 4:
//! 941 Mbit/s, <https://mpr-projects.com/index.php/2023/12/15/rpi-nas-part-3-network-connections/>;
//! the Pi 3 B has Fast Ethernet, the Zero 2 W 2.4 GHz wireless with one stream); disk writes from
//! <https://www.pidramble.com/wiki/benchmarks/microsd-cards> (Samsung Evo+ 32 GB in a Pi 4: 21.3 MB/s
//! by dd); sysbench, 4 threads, from <https://leoncode.co.uk/articles/raspberry-pi-benchmarks> (Pi 4:
//! 5,901 events/s, Pi 3 B+ at 1.4 GHz: 2,459; the others by their clocks, 1.2 and 1.0 GHz).

use crate::{
    server::Limits,
    units::{ByteRate, Bytes, Cpus},
};

/// A box and the limits that make a larger hub resemble it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmallBox {
    /// Its name in a profile.
    pub name: &'static str,
    /// Its limits.
    pub limits: Limits,
}

const fn of(name: &'static str, cpus: f64, memory: u64, link: f64) -> SmallBox {
    let limits = Limits {
        cpus: Some(Cpus(cpus)),
        memory: Some(Bytes(memory)),
        disk_write: Some(ByteRate(21e6)),
        link: Some(ByteRate(link / 8.0)),
        delay: None,
    };
    SmallBox { name, limits }
}

const MIB: u64 = 1 << 20;

/// Every box, the largest first.
pub const BOXES: [SmallBox; 5] = [
    of("raspberry-pi-4b-8gb", 1.0, 8_192 * MIB, 941e6),
    of("raspberry-pi-4b-4gb", 1.0, 4_096 * MIB, 941e6),
    of("raspberry-pi-4b-2gb", 1.0, 2_048 * MIB, 941e6),
    of("raspberry-pi-3b", 0.36, 1_024 * MIB, 94e6),
    of("raspberry-pi-zero-2w", 0.3, 512 * MIB, 40e6),
];

/// The box called `name`.
pub fn find(name: &str) -> Option<&'static SmallBox> {
    BOXES.iter().find(|one| one.name == name)
}

impl SmallBox {
    /// Its limits, but for those that are given.
    pub fn limits_but_for(&self, given: &Limits) -> Limits {
        let own = &self.limits;
        Limits {
            cpus: given.cpus.or(own.cpus),
            memory: given.memory.or(own.memory),
            disk_write: given.disk_write.or(own.disk_write),
            link: given.link.or(own.link),
            delay: given.delay.or(own.delay),
        }
    }

    /// What of `limits` is not its own.
    pub fn difference(&self, limits: &Limits) -> Limits {
        let own = &self.limits;
        Limits {
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
    use crate::profile::keys;

    #[test]
    fn a_message_names_every_box() {
        let names: Vec<_> = BOXES.iter().map(|one| one.name).collect();
        assert_eq!(keys::LIKE.allowed, names.join(", "));
    }

    #[test]
    fn what_is_given_stands_above_the_box() {
        let given = Limits { cpus: Some(Cpus(2.0)), ..Limits::default() };
        let pi = find("raspberry-pi-3b").unwrap();
        let limits = pi.limits_but_for(&given);
        assert_eq!((limits.cpus, limits.memory), (Some(Cpus(2.0)), Some(Bytes(1 << 30))));
        assert_eq!(pi.difference(&limits), given);
        assert_eq!(find("raspberry-pi-9"), None);
    }
}
