//! Parsing of the tables `[[fault]]`: each table, then their times.

use std::time::Duration;

use super::reader::ProfileReader;
use crate::{
    plan::{Fault, FaultKind},
    profile::{
        WorkloadKind, WorkloadRequest,
        keys::{
            self, FAULT_AT, FAULT_CPUS, FAULT_DISK_WRITE, FAULT_FOR, FAULT_KIND, FAULT_MEMORY,
            FAULT_SERVER, ProfileKey,
            bounds::{MIN_CPUS, MIN_MEMORY},
            choices::{FAULT_KINDS, FaultKindName, name_of},
        },
        problem::ValueProblem,
        tree::{Node, NodeTable, Value, ValueOrigin},
        values::{self, ParseResult},
    },
    server::HubKind,
    units::human_duration,
};

/// Largest number of faults: more than an operator would examine afterwards.
const MAX_FAULTS: usize = 100;

impl ProfileReader<'_> {
    /// Parses the faults, sorted by time.
    pub(super) fn read_faults(
        &mut self,
        hub: Option<HubKind>,
        workload: Option<&WorkloadRequest>,
    ) -> Vec<Fault> {
        let Some(node) = self.node(&keys::FAULT) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            let problem = ValueProblem::new(node.origin, "expected tables [[fault]]");
            self.report(&keys::FAULT, problem);
            return Vec::new();
        };
        if items.len() > MAX_FAULTS {
            let message = format!("{} faults are too many; at most {MAX_FAULTS}", items.len());
            self.report(&keys::FAULT, ValueProblem::new(node.origin, message));
        }
        let mut faults: Vec<(Fault, ValueOrigin)> = Vec::new();
        for item in items {
            let Some(table) = item.table() else {
                let problem = ValueProblem::new(item.origin, "expected a table of at, kind, …");
                self.report(&keys::FAULT, problem);
                continue;
            };
            faults.extend(self.read_fault(table, item.origin, hub));
        }
        faults.sort_by_key(|(fault, _)| fault.at);
        self.check_fault_times(&faults, workload);
        faults.into_iter().map(|(fault, _)| fault).collect()
    }

    fn read_fault(
        &mut self,
        table: &NodeTable,
        origin: ValueOrigin,
        hub: Option<HubKind>,
    ) -> Option<(Fault, ValueOrigin)> {
        let at = self.read_fault_key(table, &FAULT_AT, values::parse_run_duration);
        let kind_name = self
            .read_fault_key(table, &FAULT_KIND, |node| values::parse_choice(node, &FAULT_KINDS));
        for key in [&FAULT_AT, &FAULT_KIND] {
            if !table.contains_key(key.name()) {
                self.report(key, ValueProblem::new(origin, "this key is missing"));
            }
        }
        let duration = self.read_fault_key(table, &FAULT_FOR, |node| {
            let duration = values::parse_run_duration(node)?;
            if duration.is_zero() {
                return Err(ValueProblem::new(node.origin, "it must be longer than 0 s").into());
            }
            Ok(duration)
        });
        let server = self.read_fault_key(table, &FAULT_SERVER, values::parse_line);
        let write = self.read_fault_key(table, &FAULT_DISK_WRITE, values::parse_disk_write_rate);
        let cpus =
            self.read_fault_key(table, &FAULT_CPUS, |node| values::parse_at_least(node, &MIN_CPUS));
        let memory = self
            .read_fault_key(table, &FAULT_MEMORY, |node| values::parse_at_least(node, &MIN_MEMORY));
        let kind_name = kind_name?;
        self.check_kind_keys(table, kind_name, origin);
        let kind = match kind_name {
            FaultKindName::Pause => FaultKind::Pause,
            FaultKindName::Kill => FaultKind::Kill,
            FaultKindName::Restart => FaultKind::Restart,
            FaultKindName::Cut => FaultKind::Cut,
            FaultKindName::SlowDisk => FaultKind::SlowDisk { disk_write: write? },
            FaultKindName::Limit => FaultKind::Limit { cpus, memory },
        };
        if hub == Some(HubKind::Local) && kind != FaultKind::Pause {
            let origin = table.get(FAULT_KIND.name()).map_or(origin, |(_, node)| node.origin);
            let message = format!(
                "{} works on the docker hub only, and the hub is local: child processes can be paused",
                kind.name()
            );
            self.report(&FAULT_KIND, ValueProblem::new(origin, message));
        }
        Some((Fault { at: at?, duration, server, kind }, origin))
    }

    /// Parses one key of a fault's table; `None` if it is missing or invalid.
    fn read_fault_key<'n, T>(
        &mut self,
        table: &'n NodeTable,
        key: &ProfileKey,
        parse: impl FnOnce(&'n Node) -> ParseResult<T>,
    ) -> Option<T> {
        let (_, node) = table.get(key.name())?;
        self.value_or_report(key, parse(node))
    }

    /// Reports keys that belong to another kind of fault, and missing keys of this kind.
    fn check_kind_keys(&mut self, table: &NodeTable, kind: FaultKindName, origin: ValueOrigin) {
        for (key, owner) in [
            (&FAULT_DISK_WRITE, FaultKindName::SlowDisk),
            (&FAULT_CPUS, FaultKindName::Limit),
            (&FAULT_MEMORY, FaultKindName::Limit),
        ] {
            if let Some((at, _)) = table.get(key.name())
                && owner != kind
            {
                let owner = name_of(&FAULT_KINDS, &owner);
                let message = format!("only a fault of kind {owner} has it");
                self.report(key, ValueProblem::new(*at, message));
            }
        }
        let has = |key: &ProfileKey| table.contains_key(key.name());
        if kind == FaultKindName::SlowDisk && !has(&FAULT_DISK_WRITE) {
            self.report(&FAULT_DISK_WRITE, ValueProblem::new(origin, "a slow disk needs its rate"));
        }
        if kind == FaultKindName::Limit && !has(&FAULT_CPUS) && !has(&FAULT_MEMORY) {
            let problem = ValueProblem::new(origin, "a limit needs cpus, memory or both");
            self.report(&FAULT_CPUS, problem);
        }
    }

    /// Reports faults that begin after load and drain, and overlapping faults of one server.
    fn check_fault_times(
        &mut self,
        faults: &[(Fault, ValueOrigin)],
        workload: Option<&WorkloadRequest>,
    ) {
        let end = workload.and_then(max_load_duration);
        for (number, (fault, origin)) in faults.iter().enumerate() {
            if let Some(end) = end
                && fault.at >= end
            {
                let message = format!(
                    "it begins at {}, when load and drain are over ({})",
                    human_duration(fault.at),
                    human_duration(end)
                );
                self.report(&FAULT_AT, ValueProblem::new(*origin, message));
            }
            let before = faults[..number].iter().map(|(fault, _)| fault);
            let overlaps = before
                .filter(|other| other.server == fault.server)
                .any(|other| other.end().is_none_or(|end| end > fault.at));
            if overlaps {
                let message = "another fault of the same server is still in force then";
                self.report(&FAULT_AT, ValueProblem::new(*origin, message));
            }
        }
    }
}

/// Longest planned duration of load and drain; `None` for a throughput workload, whose duration is
/// not planned.
fn max_load_duration(workload: &WorkloadRequest) -> Option<Duration> {
    let (WorkloadKind::Latency { length, arrival, .. }
    | WorkloadKind::Capacity { length, arrival, .. }) = &workload.kind
    else {
        return None;
    };
    let messages = length.messages(arrival.mean())?;
    Some(arrival.mean().saturating_mul(messages).saturating_add(workload.drain))
}
