//! What this machine and this process are allowed to use.

use std::{fs, path::Path};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The smallest limit of the number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadLimit {
    /// Threads.
    pub threads: u64,
    /// What sets it, and where it is raised.
    pub set_by: &'static str,
}

/// Raises the soft limit of open files to the hard limit; returns the limit in force.
pub fn raise_descriptor_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return hard;
    }
    soft
}

/// Returns the smallest limit of this process's threads: of the user, the machine, the control group, and of the
/// areas of memory, two of which each thread takes (its stack and the guard before it).
pub fn thread_limit() -> ThreadLimit {
    let user = getrlimit(Resource::RLIMIT_NPROC).map_or(u64::MAX, |(soft, _)| soft);
    let limits = [
        (user, "ulimit -u"),
        (number("/proc/sys/kernel/threads-max"), "sysctl kernel.threads-max"),
        (number("/proc/sys/vm/max_map_count") / 2, "sysctl vm.max_map_count, two for each thread"),
        (group_limit(), "pids.max of the control group, or TasksMax= of a service"),
    ];
    let smallest = limits.into_iter().min_by_key(|(threads, _)| *threads);
    let (threads, set_by) = smallest.unwrap_or((u64::MAX, "no limit"));
    ThreadLimit { threads, set_by }
}

/// Returns the number of connections that one address of this machine can have to one port of a server;
/// `None` if the kernel does not tell.
pub fn local_ports() -> Option<u64> {
    ports_of_range(&fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?)
}

fn ports_of_range(range: &str) -> Option<u64> {
    let mut ends = range.split_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    (last.checked_sub(first)?).checked_add(1)
}

/// A number in a file; none is no limit.
fn number(path: impl AsRef<Path>) -> u64 {
    let text = fs::read_to_string(path).ok();
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX)
}

/// The smallest `pids.max` of this process's control group and those above it.
fn group_limit() -> u64 {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some((root, path)) = groups.lines().find_map(group_folder) else { return u64::MAX };
    let own = Path::new(root).join(path.trim_start_matches('/'));
    let above = own.ancestors().take_while(|folder| folder.starts_with(root));
    above.map(|folder| number(folder.join("pids.max"))).min().unwrap_or(u64::MAX)
}

/// The folder below which a line of `/proc/self/cgroup` has its group that limits processes, and the group.
fn group_folder(line: &str) -> Option<(&'static str, &str)> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    if controllers.split(',').any(|name| name == "pids") {
        return Some(("/sys/fs/cgroup/pids", path));
    }
    let is_unified =
        controllers.is_empty() && Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    is_unified.then_some(("/sys/fs/cgroup", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_includes_both_ends() {
        assert_eq!(ports_of_range("32768\t60999\n"), Some(28_232));
        assert_eq!(ports_of_range("60999 32768"), None);
        assert_eq!(ports_of_range(""), None);
    }

    #[test]
    fn the_group_that_limits_processes_is_found() {
        assert_eq!(group_folder("8:pids:/a/b"), Some(("/sys/fs/cgroup/pids", "/a/b")));
        assert_eq!(group_folder("3:cpu,pids:/"), Some(("/sys/fs/cgroup/pids", "/")));
        assert_eq!(group_folder("7:blkio:/a"), None);
    }

    #[test]
    fn this_machine_allows_some_threads_and_says_what_limits_them() {
        let limit = thread_limit();
        assert!(limit.threads > 10 && !limit.set_by.is_empty(), "{limit:?}");
    }
}
