//! Small disks in memory.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use super::docker::docker;

/// A mounted tmpfs; unmounted when dropped.
pub struct TmpfsMount {
    folder: PathBuf,
}

impl TmpfsMount {
    /// Mounts a disk of `size` at `folder`; `None` if this user may not.
    pub fn new(folder: &Path, size: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder);
        let mounted = nix::unistd::geteuid().is_root() && mount.status().is_ok_and(|s| s.success());
        mounted.then(|| Self { folder: folder.to_owned() })
    }
}

impl Drop for TmpfsMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

/// A small disk as a volume of this machine's engine; removed when dropped.
pub struct SmallVolume {
    pub name: String,
    folder: PathBuf,
    /// Unmounted after the volume is removed.
    _mount: TmpfsMount,
}

impl SmallVolume {
    /// Creates a volume of `size` in a new subfolder of `folder`.
    pub fn new(folder: &Path, size: &str) -> Self {
        let folder = folder.join("disk");
        fs::create_dir(&folder).unwrap();
        let mount = TmpfsMount::new(&folder, size).expect("a mounted disk");
        let name = format!("hubmark-test-{}-{:?}", std::process::id(), std::thread::current().id());
        let name: String =
            name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let device = format!("device={}", folder.display());
        let options = ["--opt", "type=none", "--opt", "o=bind", "--opt", &device];
        docker(&[&["volume", "create"], &options[..], &[&name]].concat());
        Self { name, folder, _mount: mount }
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.folder.join("ballast")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Drop for SmallVolume {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["volume", "rm", "--force", &self.name]).output();
    }
}
