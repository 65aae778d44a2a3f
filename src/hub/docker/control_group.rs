//! Locates the control groups of a container in this machine's file system.

use std::path::PathBuf;

use procfs::{
    ProcResult, ProcessCGroup,
    process::{MountInfo, Process},
};

/// Control groups of a container's process, and the mounts below which their folders are.
pub struct ControlGroups<'a> {
    container: &'a str,
    groups: Vec<ProcessCGroup>,
    mounts: Vec<MountInfo>,
}

impl<'a> ControlGroups<'a> {
    /// Reads the control groups of `process`, the first process of `container`.
    pub fn read(process: &Process, container: &'a str) -> ProcResult<Self> {
        Ok(Self {
            container,
            groups: process.cgroups()?.0,
            mounts: Process::myself()?.mountinfo()?.0,
        })
    }

    /// Whether the process has a group of this controller: `""` for version 2.
    pub fn has_controller(&self, controller: &str) -> bool {
        self.group(controller).is_some()
    }

    /// Returns the folder of the group of a controller; `None` if it cannot be found, or if the
    /// group is not the container's: the process may be a different one in this PID namespace.
    pub fn folder(&self, controller: &str) -> Option<PathBuf> {
        let path = &self.group(controller)?.pathname;
        group_folder(&self.mounts, controller, path).filter(|_| path.contains(self.container))
    }

    fn group(&self, controller: &str) -> Option<&ProcessCGroup> {
        self.groups.iter().find(|group| match controller {
            "" => group.controllers.is_empty(),
            name => group.controllers.iter().any(|controller| controller == name),
        })
    }
}

/// Returns the folder of a control group: below the mount of its controller (`""` is version 2).
fn group_folder(mounts: &[MountInfo], controller: &str, group: &str) -> Option<PathBuf> {
    let mount = mounts.iter().find(|mount| match controller {
        "" => mount.fs_type == "cgroup2",
        name => mount.fs_type == "cgroup" && mount.super_options.contains_key(name),
    })?;
    let below = group.strip_prefix(mount.root.trim_end_matches('/'))?;
    Some(mount.mount_point.join(below.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use procfs::FromRead;

    use super::*;

    fn mounts() -> Vec<MountInfo> {
        let lines = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
            36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            41 31 0:38 /docker/outer /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        procfs::process::MountInfos::from_read(lines.as_bytes()).unwrap().0
    }

    #[test]
    fn groups_are_found_below_the_mounts_of_their_controllers() {
        let path = |controller, group| group_folder(&mounts(), controller, group);
        assert_eq!(path("memory", "/docker/abc"), Some("/sys/fs/cgroup/memory/docker/abc".into()));
        assert_eq!(
            path("cpuacct", "/docker/abc"),
            Some("/sys/fs/cgroup/cpu,cpuacct/docker/abc".into())
        );
        assert_eq!(path("", "/docker/outer/abc"), Some("/sys/fs/cgroup/unified/abc".into()));
        assert_eq!(path("", "/elsewhere"), None);
        assert_eq!(path("blkio", "/docker/abc"), None);
    }
}
