//! Mounts of a machine, and the kernel's counters of its disks.

use std::path::Path;

use nix::sys::stat::{major, minor};
use procfs::process::MountInfo;

use crate::units::Bytes;

/// Size of the sectors that the kernel counts, whatever the disk's sector size is.
const SECTOR_BYTES: u64 = 512;

/// Returns the mount that contains `folder`: the deepest, and the last of several at one path.
pub fn mount_of<'a>(mounts: &'a [MountInfo], folder: &Path) -> Option<&'a MountInfo> {
    mounts
        .iter()
        .filter(|mount| folder.starts_with(&mount.mount_point))
        .max_by_key(|mount| mount.mount_point.components().count())
}

/// Returns the number of a device, `major:minor`, as the kernel writes it.
pub fn device_number(device: u64) -> String {
    format!("{}:{}", major(device), minor(device))
}

/// Returns the bytes written to the disk or partition `name` by all programs since boot, from the lines
/// of `/proc/diskstats`: major and minor number, name, four counters of reads, and of writes the
/// requests, the merged ones, the sectors.
pub fn parse_bytes_written(diskstats: &str, name: &str) -> Option<Bytes> {
    const NAME: usize = 2;
    const SECTORS_WRITTEN: usize = 9;
    let sectors: u64 = diskstats.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(NAME) == Some(&name)).then(|| words.get(SECTORS_WRITTEN)?.parse().ok())?
    })?;
    Some(Bytes(sectors.saturating_mul(SECTOR_BYTES)))
}

/// Returns the bytes written to the disk or partition `number` by all processes since the machine
/// started; `None` when the kernel does not count them.
pub fn bytes_written(number: &str) -> Option<Bytes> {
    let disks = procfs::diskstats().ok()?;
    let disk = disks.iter().find(|disk| format!("{}:{}", disk.major, disk.minor) == number)?;
    Some(Bytes(disk.sectors_written.saturating_mul(SECTOR_BYTES)))
}
