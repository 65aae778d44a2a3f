//! Named values of profile keys, each with its name in the text.

use crate::{
    plan::{Durability, PayloadSource, RepetitionOrder, Scenario},
    server::HubKind,
};

/// Kind of a workload, before the keys of that kind are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::profile) enum WorkloadKindName {
    Latency,
    Throughput,
    Capacity,
}

/// Kind of a distribution, before its mean and deviation are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::profile) enum DistributionName {
    Normal,
    Constant,
    Poisson,
}

/// Kind of a fault, before the keys of that kind are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::profile) enum FaultKindName {
    Pause,
    Kill,
    Restart,
    Cut,
    SlowDisk,
    Limit,
}

pub(in crate::profile) const LATENCY: &str = "latency";
pub(in crate::profile) const THROUGHPUT: &str = "throughput";
pub(in crate::profile) const CAPACITY: &str = "capacity";

pub(in crate::profile) const HUB_KINDS: [(&str, HubKind); 3] = [
    (HubKind::Docker.name(), HubKind::Docker),
    (HubKind::Local.name(), HubKind::Local),
    (HubKind::External.name(), HubKind::External),
];
pub(in crate::profile) const WORKLOAD_KINDS: [(&str, WorkloadKindName); 3] = [
    (LATENCY, WorkloadKindName::Latency),
    (THROUGHPUT, WorkloadKindName::Throughput),
    (CAPACITY, WorkloadKindName::Capacity),
];
pub(in crate::profile) const PAYLOAD_SOURCES: [(&str, PayloadSource); 2] = [
    (PayloadSource::Seeded.name(), PayloadSource::Seeded),
    (PayloadSource::Urandom.name(), PayloadSource::Urandom),
];
pub(in crate::profile) const DISTRIBUTIONS: [(&str, DistributionName); 3] = [
    ("normal", DistributionName::Normal),
    ("constant", DistributionName::Constant),
    ("poisson", DistributionName::Poisson),
];
pub(in crate::profile) const SCENARIOS: [(&str, Scenario); 3] = [
    (Scenario::Producer.name(), Scenario::Producer),
    (Scenario::Consumer.name(), Scenario::Consumer),
    (Scenario::Both.name(), Scenario::Both),
];
pub(in crate::profile) const ORDERS: [(&str, RepetitionOrder); 2] = [
    (RepetitionOrder::Interleaved.name(), RepetitionOrder::Interleaved),
    (RepetitionOrder::Blocked.name(), RepetitionOrder::Blocked),
];
pub(in crate::profile) const DURABILITIES: [(&str, Durability); 3] = [
    (Durability::Default.name(), Durability::Default),
    (Durability::Memory.name(), Durability::Memory),
    (Durability::Disk.name(), Durability::Disk),
];
pub(in crate::profile) const FAULT_KINDS: [(&str, FaultKindName); 6] = [
    ("pause", FaultKindName::Pause),
    ("kill", FaultKindName::Kill),
    ("restart", FaultKindName::Restart),
    ("cut", FaultKindName::Cut),
    ("slow-disk", FaultKindName::SlowDisk),
    ("limit", FaultKindName::Limit),
];

/// Names of the choices, in their order.
pub(in crate::profile) const fn names<T, const N: usize>(
    choices: &[(&'static str, T); N],
) -> [&'static str; N] {
    let mut names = [""; N];
    let mut index = 0;
    while index < N {
        names[index] = choices[index].0;
        index += 1;
    }
    names
}

/// Name of a choice; empty if it is not among the choices.
pub(in crate::profile) fn name_of<T: PartialEq>(
    choices: &[(&'static str, T)],
    value: &T,
) -> &'static str {
    choices.iter().find(|(_, choice)| choice == value).map_or("", |(name, _)| name)
}
