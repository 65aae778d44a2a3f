//! The disk under a local engine's root, as the kernel knows it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::sys::stat::{major, minor};
use procfs::process::{MountInfo, Process};

use crate::units::Bytes;

/// The kernel counts sectors of this size, whatever the disk's own size is.
const SECTOR: u64 = 512;

/// A whole disk: throttle rules are refused for partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its device file, for example `/dev/mmcblk0`.
    pub device: String,
    /// `major:minor`, as the kernel writes it.
    pub number: String,
}

impl Disk {
    /// The disk on which `folder` lies; `None` where the kernel names none.
    pub fn under(folder: &Path) -> Option<Self> {
        let folder = fs::canonicalize(folder).ok()?;
        let mounts = Process::myself().ok()?.mountinfo().ok()?.0;
        whole(&device_number(mount_of(&mounts, &folder)?)?)
    }

    /// Bytes written to the disk by everybody since the machine started.
    pub fn written(&self) -> Option<Bytes> {
        let disks = procfs::diskstats().ok()?;
        let disk = disks.iter().find(|d| format!("{}:{}", d.major, d.minor) == self.number)?;
        Some(Bytes(disk.sectors_written.saturating_mul(SECTOR)))
    }
}

/// The mount that holds `folder`: the deepest, and of several at one place the last.
fn mount_of<'a>(mounts: &'a [MountInfo], folder: &Path) -> Option<&'a MountInfo> {
    mounts
        .iter()
        .filter(|mount| folder.starts_with(&mount.mount_point))
        .max_by_key(|mount| mount.mount_point.components().count())
}

/// The device's `major:minor`. File systems that spread over devices (btrfs, ZFS) have an
/// anonymous number there, and sometimes name a device as their source.
fn device_number(mount: &MountInfo) -> Option<String> {
    if !mount.majmin.starts_with("0:") {
        return Some(mount.majmin.clone());
    }
    let source = mount.mount_source.as_deref().filter(|source| source.starts_with("/dev/"))?;
    let device = fs::metadata(source).ok()?.rdev();
    Some(format!("{}:{}", major(device), minor(device)))
}

/// The disk to which a device belongs: itself, or the one that it is a partition of.
fn whole(number: &str) -> Option<Disk> {
    let mut entry: PathBuf = fs::canonicalize(Path::new("/sys/dev/block").join(number)).ok()?;
    if entry.join("partition").exists() {
        entry = entry.parent()?.to_owned();
    }
    let event = fs::read_to_string(entry.join("uevent")).ok()?;
    let name = event.lines().find_map(|line| line.strip_prefix("DEVNAME="))?;
    let number = fs::read_to_string(entry.join("dev")).ok()?.trim().to_owned();
    Some(Disk { device: format!("/dev/{name}"), number })
}

#[cfg(test)]
mod tests {
    use procfs::FromRead;

    use super::*;

    #[test]
    fn the_deepest_and_last_mount_holds_a_folder() {
        let lines = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            30 27 8:17 / /var/lib/docker rw - ext4 /dev/sdb1 rw\n\
            31 27 8:33 / /var/lib/docker rw - ext4 /dev/sdc1 rw\n\
            32 27 0:40 / /srv rw - tmpfs tmpfs rw\n";
        let mounts = procfs::process::MountInfos::from_read(lines.as_bytes()).unwrap().0;
        let number = |folder: &str| device_number(mount_of(&mounts, Path::new(folder)).unwrap());
        assert_eq!(number("/var/lib/docker/overlay2").as_deref(), Some("8:33"));
        assert_eq!(number("/var/lib/dockerish").as_deref(), Some("254:0"));
        assert_eq!(number("/srv/engine"), None);
    }

    #[test]
    fn a_folder_on_no_disk_has_none() {
        assert_eq!(Disk::under(Path::new("/proc/self")), None);
        assert_eq!(Disk::under(Path::new("/no/such/folder")), None);
    }
}
