//! Ownership of resources that outlive a process, by labels or by name: tells leftovers of dead runs
//! from the resources of active ones.

mod process;

use std::{collections::HashMap, fs};

use sha2::{Digest, Sha256};

pub use process::{PidScope, ProcessIdentity};

/// Label with the run's identity; a container without this label is never touched.
pub const RUN_LABEL: &str = "hubmark.run";
/// Label with the server's role.
pub const ROLE_LABEL: &str = "hubmark.role";
const PID_LABEL: &str = "hubmark.pid";
const START_TICKS_LABEL: &str = "hubmark.pid-born";
const PID_NAMESPACE_LABEL: &str = "hubmark.pid-space";
const HOST_LABEL: &str = "hubmark.host";
const BOOT_ID_LABEL: &str = "hubmark.boot";

/// Number of hexadecimal digits of one digest in a short name.
const DIGEST_LEN: usize = 6;

/// Identity of the owning process, unique among all processes of all machines at all times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    process: ProcessIdentity,
    /// Scope of its number.
    scope: PidScope,
    /// Identity of the machine.
    host: String,
}

/// Whether the owning process still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerState {
    /// The process runs.
    Alive,
    /// The process has ended.
    Dead,
    /// The process belongs to another machine or namespace, and cannot be seen from here.
    Unknown,
}

impl Owner {
    /// Returns the identity of this process; `None` without a readable `/proc`.
    pub fn this_process() -> Option<Self> {
        Some(Self {
            process: ProcessIdentity::this_process().ok()?,
            scope: PidScope::current().ok()?,
            host: host_identity(),
        })
    }

    /// Returns the labels that identify the process.
    pub fn labels(&self) -> [(String, String); 5] {
        [
            (PID_LABEL, self.process.pid.to_string()),
            (START_TICKS_LABEL, self.process.start_ticks.to_string()),
            (PID_NAMESPACE_LABEL, self.scope.pid_namespace.clone()),
            (HOST_LABEL, self.host.clone()),
            (BOOT_ID_LABEL, self.scope.boot_id.clone()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }

    /// Returns a short name with its parts separated by `mark`, for resources that have a name but no
    /// labels.
    pub fn short_name(&self, mark: char) -> String {
        let ProcessIdentity { pid, start_ticks } = self.process;
        let [host, boot, namespace] = self.place_digests();
        format!("{host}{boot}{namespace}{mark}{pid}{mark}{start_ticks}")
    }

    /// Returns the state of the process that a short name identifies; `None` if `short` is no such name.
    pub fn state_of_short_name(
        short: &str,
        mark: char,
        observer: &Self,
        is_alive: impl FnOnce(ProcessIdentity) -> bool,
    ) -> Option<OwnerState> {
        let parts: Vec<&str> = short.split(mark).collect();
        let [digests, pid, start_ticks] = parts[..] else { return None };
        let process =
            ProcessIdentity { pid: pid.parse().ok()?, start_ticks: start_ticks.parse().ok()? };
        let [host, boot, namespace] = observer.place_digests();
        if digests.len() != 3 * DIGEST_LEN || !digests.is_ascii() {
            return None;
        }
        // Digests cannot be reversed: a part that matches the observer's becomes the observer's value,
        // any other part a different text.
        let matches =
            |own: &str, part: usize| own == &digests[part * DIGEST_LEN..(part + 1) * DIGEST_LEN];
        let value =
            |own: &String, matches: bool| if matches { own.clone() } else { format!("not {own}") };
        let scope = PidScope {
            boot_id: value(&observer.scope.boot_id, matches(&boot, 1)),
            pid_namespace: value(&observer.scope.pid_namespace, matches(&namespace, 2)),
        };
        let host = value(&observer.host, matches(&host, 0));
        Some(Self { process, scope, host }.state(observer, is_alive))
    }

    /// Returns short digests of machine, boot and PID namespace.
    fn place_digests(&self) -> [String; 3] {
        [&self.host, &self.scope.boot_id, &self.scope.pid_namespace].map(|place| {
            let hash = Sha256::digest(place);
            format!("{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2])
        })
    }

    /// Reads the identity from a container's labels; `None` if they are incomplete.
    pub fn from_labels(labels: &HashMap<String, String>) -> Option<Self> {
        let text = |key| labels.get(key).cloned();
        Some(Self {
            process: ProcessIdentity {
                pid: text(PID_LABEL)?.parse().ok()?,
                start_ticks: text(START_TICKS_LABEL)?.parse().ok()?,
            },
            scope: PidScope {
                boot_id: text(BOOT_ID_LABEL)?,
                pid_namespace: text(PID_NAMESPACE_LABEL)?,
            },
            host: text(HOST_LABEL)?,
        })
    }

    /// Returns the state of this process as seen by the process `observer`. `is_alive` is
    /// [`ProcessIdentity::is_alive`] outside tests.
    pub fn state(
        &self,
        observer: &Self,
        is_alive: impl FnOnce(ProcessIdentity) -> bool,
    ) -> OwnerState {
        if self.host != observer.host {
            return OwnerState::Unknown;
        }
        if self.scope.boot_id != observer.scope.boot_id {
            return OwnerState::Dead;
        }
        if self.scope.pid_namespace != observer.scope.pid_namespace {
            return OwnerState::Unknown;
        }
        if is_alive(self.process) { OwnerState::Alive } else { OwnerState::Dead }
    }
}

/// Returns the host name and a part of a hash of the machine's identity, which must not be published.
fn host_identity() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let identity = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let hash = Sha256::digest(identity.trim());
    let short = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    format!("{}-{short:08x}", name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: ProcessIdentity = ProcessIdentity { pid: 4711, start_ticks: 1234 };

    fn sample_owner() -> Owner {
        let scope = PidScope { boot_id: "b1".to_owned(), pid_namespace: "pid:[1]".to_owned() };
        Owner { process: PROCESS, scope, host: "desk-00000000".to_owned() }
    }

    fn observer() -> Owner {
        Owner { process: ProcessIdentity { pid: 1, start_ticks: 1 }, ..sample_owner() }
    }

    fn changed(change: fn(&mut Owner)) -> Owner {
        let mut owner = sample_owner();
        change(&mut owner);
        owner
    }

    #[test]
    fn an_owner_is_read_back_from_its_labels() {
        let owner = Owner::this_process().unwrap();
        let labels = HashMap::from(owner.labels());
        assert_eq!(Owner::from_labels(&labels), Some(owner));
        for missing in
            [PID_LABEL, START_TICKS_LABEL, PID_NAMESPACE_LABEL, HOST_LABEL, BOOT_ID_LABEL]
        {
            let mut fewer = labels.clone();
            fewer.remove(missing);
            assert_eq!(Owner::from_labels(&fewer), None, "{missing}");
        }
    }

    #[test]
    fn a_process_is_dead_only_on_this_machine_and_in_this_namespace() {
        let state = |owner: Owner, alive: bool| {
            owner.state(&observer(), |process| {
                assert_eq!(process, PROCESS);
                alive
            })
        };
        assert_eq!(state(sample_owner(), true), OwnerState::Alive);
        assert_eq!(state(sample_owner(), false), OwnerState::Dead);
        let elsewhere = changed(|owner| owner.host = "pi-00000000".into());
        assert_eq!(state(elsewhere, false), OwnerState::Unknown);
        let before_reboot = changed(|owner| owner.scope.boot_id = "b0".into());
        assert_eq!(state(before_reboot, true), OwnerState::Dead);
        let in_a_container = changed(|owner| owner.scope.pid_namespace = "pid:[2]".into());
        assert_eq!(state(in_a_container, false), OwnerState::Unknown);
    }

    #[test]
    fn a_short_name_gives_the_same_state_as_labels() {
        let state = |owner: Owner, alive: bool| {
            Owner::state_of_short_name(&owner.short_name('-'), '-', &observer(), |process| {
                assert_eq!(process, PROCESS);
                alive
            })
        };
        assert_eq!(state(sample_owner(), true), Some(OwnerState::Alive));
        assert_eq!(state(sample_owner(), false), Some(OwnerState::Dead));
        let other = |change: fn(&mut Owner)| state(changed(change), false);
        assert_eq!(other(|owner| owner.host = "pi".into()), Some(OwnerState::Unknown));
        assert_eq!(
            other(|owner| owner.scope.pid_namespace = "pid:[2]".into()),
            Some(OwnerState::Unknown)
        );
        assert_eq!(other(|owner| owner.scope.boot_id = "b0".into()), Some(OwnerState::Dead));
        for text in ["", "1-2-3", "abc-4711-1234", "ööööööööö-4711-1234", "a-b"] {
            assert_eq!(
                Owner::state_of_short_name(text, '-', &observer(), |_| false),
                None,
                "{text}"
            );
        }
    }
}
