//! The tables `[[fault]]` and their keys.

use super::{
    allowed::AllowedValues::{Bounded, Names, Text},
    bounds::{MIN_CPUS, MIN_DISK_WRITE, MIN_MEMORY},
    choices::{FAULT_KINDS, names},
    profile_key::ProfileKey,
};

/// The tables of faults, whose keys are [`FAULT_KEYS`].
pub(in crate::profile) const FAULT: ProfileKey = ProfileKey::new(
    "fault",
    Text("tables [[fault]] with at, kind, for and server"),
    "Faults injected into a server during every load, each at its time. They show how a backend behaves under failure, beside its speed.",
);
pub(in crate::profile) const FAULT_AT: ProfileKey = ProfileKey::new(
    "fault.at",
    Text("a duration such as \"20 s\", within load and drain"),
    "Start of the fault, from the start of the load.",
);
pub(in crate::profile) const FAULT_KIND: ProfileKey = ProfileKey::new(
    "fault.kind",
    Names(&names(&FAULT_KINDS)),
    "pause: the server's processes are frozen. kill: SIGKILL, started again afterwards. restart: stopped cleanly, started again. cut: the network is cut. slow-disk: writes are slowed to disk_write. limit: the server is limited to cpus and memory.",
);
pub(in crate::profile) const FAULT_FOR: ProfileKey = ProfileKey::new(
    "fault.for",
    Text("a duration such as \"3 s\""),
    "Duration of the fault. Default: until load and drain are over.",
);
pub(in crate::profile) const FAULT_SERVER: ProfileKey = ProfileKey::new(
    "fault.server",
    Text("a role among the servers of the backend"),
    "Role of the affected server. Default: the main server.",
);
pub(in crate::profile) const FAULT_DISK_WRITE: ProfileKey = ProfileKey::new(
    "fault.disk_write",
    Bounded(|| {
        let least = MIN_DISK_WRITE.exact();
        format!("a rate such as \"1 MB/s\", at least {least}, in whole bytes")
    }),
    "slow-disk: rate of writes that reach the disk.",
);
pub(in crate::profile) const FAULT_CPUS: ProfileKey = ProfileKey::new(
    "fault.cpus",
    Bounded(|| format!("cores such as \"0.5 cpus\", at least {}", MIN_CPUS.0)),
    "limit: cores that the server may use.",
);
pub(in crate::profile) const FAULT_MEMORY: ProfileKey = ProfileKey::new(
    "fault.memory",
    Bounded(|| format!("a size such as \"256 MiB\", at least {}", MIN_MEMORY.exact())),
    "limit: memory that the server may use.",
);

/// Keys of a table `[[fault]]`.
pub(in crate::profile) const FAULT_KEYS: [&ProfileKey; 7] = [
    &FAULT_AT,
    &FAULT_KIND,
    &FAULT_FOR,
    &FAULT_SERVER,
    &FAULT_DISK_WRITE,
    &FAULT_CPUS,
    &FAULT_MEMORY,
];
