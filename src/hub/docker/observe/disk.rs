//! The disk under a local engine's data folder, according to the kernel.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use procfs::process::{MountInfo, Process};

use crate::{hub::host::storage, units::Bytes};

/// A whole disk: the kernel refuses throttle rules for partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Device file, for example `/dev/mmcblk0`.
    pub device: String,
    /// `major:minor`, as the kernel writes it.
    pub number: String,
}

impl Disk {
    /// Returns the disk that contains `folder`; `None` where the kernel names none.
    pub fn containing(folder: &Path) -> Option<Self> {
        let folder = fs::canonicalize(folder).ok()?;
        let mounts = Process::myself().ok()?.mountinfo().ok()?.0;
        whole_disk(&mount_device(storage::mount_of(&mounts, &folder)?)?)
    }

    /// Returns the bytes written to the disk by all processes since the machine started.
    pub fn bytes_written(&self) -> Option<Bytes> {
        storage::bytes_written(&self.number)
    }
}

/// Returns the number of a mount's device. File systems that span devices (btrfs, ZFS) have an
/// anonymous number there, and sometimes name a device as their source.
fn mount_device(mount: &MountInfo) -> Option<String> {
    if !mount.majmin.starts_with("0:") {
        return Some(mount.majmin.clone());
    }
    let source = mount.mount_source.as_deref().filter(|source| source.starts_with("/dev/"))?;
    Some(storage::device_number(fs::metadata(source).ok()?.rdev()))
}

/// Returns the disk of a device: the device itself, or the disk it is a partition of.
fn whole_disk(number: &str) -> Option<Disk> {
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
        let number =
            |folder: &str| mount_device(storage::mount_of(&mounts, Path::new(folder)).unwrap());
        assert_eq!(number("/var/lib/docker/overlay2").as_deref(), Some("8:33"));
        assert_eq!(number("/var/lib/dockerish").as_deref(), Some("254:0"));
        assert_eq!(number("/srv/engine"), None);
    }

    #[test]
    fn a_folder_on_no_disk_has_none() {
        assert_eq!(Disk::containing(Path::new("/proc/self")), None);
        assert_eq!(Disk::containing(Path::new("/no/such/folder")), None);
    }
}
